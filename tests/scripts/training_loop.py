"""The usual training program: Dataset, random_split, DataLoader, Module, a schedule, accuracy."""
import microtorch as torch
import microtorch.nn as nn
import microtorch.nn.functional as F
import microtorch.optim as optim
from microtorch.optim.lr_scheduler import StepLR
from microtorch.utils.data import DataLoader, Dataset, random_split

torch.manual_seed(0)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Rings(Dataset):
    """Points in the plane; the class is the ring in which they lie."""

    def __init__(self, n):
        self.x = torch.randn(n, 2)
        radius = self.x.norm(dim=1)
        self.y = (radius > 0.8).long() + (radius > 1.5).long()

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class Net(nn.Module):
    def __init__(self, hidden=24):
        super(Net, self).__init__()
        self.fc1 = nn.Linear(2, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.drop = nn.Dropout(0.1)
        self.out = nn.Linear(hidden, 3)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
                nn.init.zeros_(m.bias)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = self.drop(F.relu(self.fc2(x)))
        return F.log_softmax(self.out(x), dim=1)


def train(model, device, loader, optimizer, epoch):
    model.train()
    for batch, (data, target) in enumerate(loader):
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
        if batch % 4 == 0:
            print(f"Train Epoch: {epoch} [{batch * len(data)}/{len(loader.dataset)} "
                  f"({100.0 * batch / len(loader):.0f}%)]\tLoss: {loss.item():.4f}")


def test(model, device, loader):
    model.eval()
    loss, correct = 0, 0
    with torch.no_grad():
        for data, target in loader:
            data, target = data.to(device), target.to(device)
            output = model(data)
            loss += F.nll_loss(output, target, reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
    n = len(loader.dataset)
    print(f"Test set: Average loss: {loss / n:.4f}, "
          f"Accuracy: {correct}/{n} ({100.0 * correct / n:.0f}%)")


generator = torch.Generator().manual_seed(42)
train_set, test_set = random_split(Rings(300), [240, 60], generator=generator)
train_loader = DataLoader(train_set, batch_size=20, shuffle=True, drop_last=True)
test_loader = DataLoader(test_set, batch_size=60)
model = Net().to(device)
print(model)
print([(name, tuple(p.shape)) for name, p in model.named_parameters()])
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
scheduler = StepLR(optimizer, step_size=2, gamma=0.5)
for epoch in range(1, 6):
    train(model, device, train_loader, optimizer, epoch)
    test(model, device, test_loader)
    scheduler.step()
    print("lr", scheduler.get_last_lr())
