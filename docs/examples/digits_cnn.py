"""A convolutional network on handwritten digits, with noise while it learns; 98 %."""
import drawing

import microtorch as torch
import microtorch.nn.functional as F
from microtorch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(32)
        self.conv3 = nn.Conv2d(32, 32, 3, padding=1)
        self.norm3 = nn.BatchNorm2d(32)
        self.drop = nn.Dropout(0.3)
        self.out = nn.Linear(32 * 2 * 2, 10)

    def forward(self, x):
        x = F.relu(self.norm1(self.conv1(x)))
        x = F.max_pool2d(F.relu(self.norm2(self.conv2(x))), 2)
        x = F.max_pool2d(F.relu(self.norm3(self.conv3(x))), 2)
        return self.out(self.drop(x.flatten(1)))


def main():
    torch.manual_seed(0)
    (x, y), (x_held, y_held) = [
        (torch.from_numpy(a).reshape(-1, 1, 8, 8), torch.from_numpy(b))
        for a, b in drawing.digits()
    ]
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    epochs, batches = 8, -(-len(x) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=epochs * batches)
    for epoch in range(epochs):
        model.train()
        for batch in torch.randperm(len(x)).split(64):
            noisy = x[batch] + 0.1 * torch.randn(len(batch), 1, 8, 8)
            loss = F.cross_entropy(model(noisy), y[batch], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        guess = model(x_held).argmax(1)
    accuracy = (guess == y_held).float().mean().item()
    print(f"epoch {epoch + 1}  loss {loss.item():.4f}  held out {accuracy:.3f}")
    if drawing.draws():
        wrong = x_held[guess != y_held][:8]
        right = x_held[guess == y_held][: 16 - len(wrong)]
        drawing.images("digits_cnn", torch.cat([wrong, right]).reshape(2, 8, 8, 8).numpy())
    return accuracy


if __name__ == "__main__":
    main()
