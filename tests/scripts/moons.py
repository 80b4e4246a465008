"""Two interleaved half moons and a small MLP, trained in shuffled minibatches."""
import math

import microtorch as torch
import microtorch.nn as nn
import microtorch.nn.functional as F
from microtorch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1337)


def moons(n, noise):
    angle = torch.rand(n) * math.pi
    upper = torch.stack([angle.cos(), angle.sin()], dim=1)
    lower = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], dim=1)
    points = torch.cat([upper, lower]) + noise * torch.randn(2 * n, 2)
    return points, torch.arange(2).repeat_interleave(n)


X, y = moons(100, 0.1)
loader = DataLoader(TensorDataset(X, y), batch_size=32, shuffle=True)
model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 2))
print(model)
optimizer = torch.optim.SGD(
    model.parameters(), lr=0.2, momentum=0.9, nesterov=True, weight_decay=1e-4
)
for epoch in range(12):
    model.train()
    total = 0.0
    for xb, yb in loader:
        logits = model(xb)
        loss = F.cross_entropy(logits, yb)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.item() * xb.size(0)
    if epoch % 3 == 2:
        print(f"epoch {epoch + 1:2d}  loss {total / len(loader.dataset):.4f}")

model.eval()
with torch.no_grad():
    xs, ys = torch.linspace(-1.5, 2.5, 9), torch.linspace(-1, 1.5, 5)
    grid_x, grid_y = torch.meshgrid(xs, ys, indexing="ij")
    field = model(torch.stack([grid_x.flatten(), grid_y.flatten()], dim=1)).argmax(dim=1).view(9, 5)
    print("".join(".#"[v] for row in field.T.flip(0).tolist() for v in [*row]))
    hit = (model(X).argmax(1) == y).sum()
    print(f"accuracy {hit.item()}/{len(y)}")
    confidence, label = F.softmax(model(X[:3]), dim=1).max(dim=1)
    print(label, [f"{c:.3f}" for c in confidence.tolist()])
