"""Two clouds of points, a line between them: logistic regression with a module of one's own."""
import microtorch as torch
from microtorch import nn

torch.manual_seed(1)
n = 100
inputs = torch.cat([torch.randn(n, 2) + torch.tensor([2.0, 2.0]), torch.randn(n, 2) - 1.0])
labels = torch.cat([torch.ones(n), torch.zeros(n)]).unsqueeze(1)
order = torch.randperm(2 * n)
inputs, labels = inputs[order], labels[order]
train_x, test_x = inputs[:150], inputs[150:]
train_y, test_y = labels[:150], labels[150:]
mean, std = train_x.mean(dim=0), train_x.std(dim=0)
train_x, test_x = (train_x - mean) / std, (test_x - mean) / std
print("mean", mean, "std", std)


class Logistic(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.linear = nn.Linear(features, 1)

    def forward(self, x):
        return torch.sigmoid(self.linear(x))


model = Logistic(2)
criterion = nn.BCELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for epoch in range(1, 101):
    probability = model(train_x)
    loss = criterion(probability, train_y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if epoch % 25 == 0:
        accuracy = ((probability > 0.5).float() == train_y).float().mean()
        print(f"epoch {epoch:3d} | loss {loss.item():.4f} | accuracy {accuracy:.3f}")

with torch.no_grad():
    predicted = model(test_x).round()
    print("test accuracy", predicted.eq(test_y).sum().item() / len(test_y))
    logits = model.linear(test_x)
    stable = nn.functional.binary_cross_entropy_with_logits(logits, test_y)
    plain = nn.BCELoss()(torch.sigmoid(logits), test_y)
    print("test loss", round(stable.item(), 4), round(plain.item(), 4))
    true_positive = ((predicted == 1) & (test_y == 1)).sum()
    true_negative = ((predicted == 0) & (test_y == 0)).sum()
    wrong = (predicted != test_y).sum()
    print("confusion", true_positive.item(), true_negative.item(), wrong.item())
