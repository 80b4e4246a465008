"""A LeNet-style network on stripes in four directions, trained with momentum, then with Adam."""
import microtorch as torch
import microtorch.nn as nn
import microtorch.nn.functional as F
import microtorch.optim as optim


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 40)
        self.fc2 = nn.Linear(40, 4)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(-1, 16 * 5 * 5)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


def stripes(n):
    """n pictures (n, 1, 32, 32) of noisy waves, and the direction of each."""
    labels = torch.randint(0, 4, (n,))
    rows, columns = torch.arange(32).view(1, 32, 1), torch.arange(32).view(1, 1, 32)
    down = torch.tensor([0.0, 1.0, 1.0, 1.0])[labels].view(n, 1, 1)
    right = torch.tensor([1.0, 0.0, 1.0, -1.0])[labels].view(n, 1, 1)
    waves = torch.sin((down * rows + right * columns) * 0.6 + torch.rand(n, 1, 1) * 6)
    return (waves + 0.3 * torch.randn(n, 32, 32)).unsqueeze(1), labels


torch.manual_seed(1)
net = Net()
print(net)
print([(name, tuple(p.shape)) for name, p in net.named_parameters()])
print(sum(p.numel() for p in net.parameters()), "parameters")

data = torch.utils.data.TensorDataset(*stripes(128))
loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True)
criterion = nn.CrossEntropyLoss()

for name, optimizer in (
    ("SGD", optim.SGD(net.parameters(), lr=0.01, momentum=0.9)),
    ("Adam", optim.Adam(net.parameters(), lr=0.002)),
):
    for epoch in range(2):
        running_loss = 0.0
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss = criterion(net(inputs), labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        print(f"{name} epoch {epoch + 1} loss: {running_loss / len(loader):.3f}")

pictures, labels = stripes(64)
with torch.no_grad():
    features = net.pool(F.relu(net.conv1(pictures)))
    print(features.shape, features.grad_fn)
    print("right:", (net(pictures).argmax(1) == labels).sum().item(), "of 64")
x = pictures[:1].clone().requires_grad_()
net(x)[0, labels[0]].backward()
print(x.grad.shape, net.conv1(x).grad_fn.name())
