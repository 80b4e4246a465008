"""LeNet, the network that read the digits of cheques; torchvision has none, every course does.

Y. LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998.
"""

from __future__ import annotations

from microtorch import nn

from ...handles.tensor import Tensor

__all__ = ["LeNet", "lenet"]


class LeNet(nn.Module):
    """(N, 1, 28, 28) to classes: two convolutions with poolings, three linear layers.

    LeNet-5 as courses build it: ReLU and the largest value of 2x2, all maps connected. MNIST's
    pictures are padded to the paper's 32x32. 61,706 parameters for 10 classes.
    """

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, kernel_size=5),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Linear(16 * 5 * 5, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))


def lenet(num_classes: int = 10) -> LeNet:
    """LeNet-5 for pictures of 28x28."""
    return LeNet(num_classes)
