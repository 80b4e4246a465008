"""What the tests of nn share: a small network, data, comparison with recorded numbers."""

import pytest

import microtorch as torch
from microtorch import nn

X = [[0.5, -1.2, 2.0], [1.5, 0.3, -0.8], [-0.4, 0.9, 0.1], [2.2, -0.6, -1.1]]
TARGETS = {
    "Y": [[0.1, 0.2, 1.5], [-1.0, 0.3, 0.4], [0.6, -2.1, 0.1], [1.0, 0.5, -1.0]],
    "P": [[0.2, 0.3, 0.5], [0.7, 0.1, 0.2], [0.1, 0.1, 0.8], [0.25, 0.5, 0.25]],
    "T": [2, 0, -100, 1],
    "U": [2, 0, 1, 1],
    "W": [0.5, 2.0, 1.5],
}


def numbers(tensor):
    return tensor.detach().reshape(-1).tolist()


def close(tensor, expected, tol=2e-6):
    assert numbers(tensor) == pytest.approx(expected, rel=tol, abs=tol)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(3, 4)
        self.act = nn.ReLU()
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("cache", torch.ones(1), persistent=False)
        self.seq = nn.Sequential(nn.Linear(4, 2), nn.Dropout(0.1))

    def forward(self, x):
        return self.seq(self.act(self.fc1(x)))
