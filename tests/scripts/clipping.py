"""Gradients clipped by norm and by value, gradients summed over micro-batches, frozen layers."""
import microtorch as torch
import microtorch.nn as nn

torch.manual_seed(11)
X, y = torch.randn(32, 6), torch.randint(0, 4, (32,))
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)

for step in range(5):
    optimizer.zero_grad()
    loss = criterion(model(X) * 5, y)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
    after = torch.sqrt(sum((p.grad**2).sum() for p in model.parameters()))
    optimizer.step()
    print(f"{step} loss {loss.item():.4f} norm {norm.item():.4f} clipped to {after.item():.4f}")

optimizer.zero_grad()
(criterion(model(X), y) * 100).backward()
torch.nn.utils.clip_grad_value_(model.parameters(), clip_value=0.5)
print(max(p.grad.abs().max().item() for p in model.parameters()))

optimizer.zero_grad()
criterion(model(X), y).backward()
whole = [p.grad.clone() for p in model.parameters()]
optimizer.zero_grad()
for xb, yb in zip(X.split(8), y.split(8)):
    (criterion(model(xb), yb) / 4).backward()
print(all(torch.allclose(p.grad, g, atol=1e-6) for p, g in zip(model.parameters(), whole)))

for p in model[0].parameters():
    p.requires_grad_(False)
model.zero_grad()
criterion(model(X), y).backward()
trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
print([p.grad is None for p in model.parameters()], trained)
before = model[0].weight.clone()
optimizer = torch.optim.SGD(filter(lambda p: p.requires_grad, model.parameters()), lr=0.1)
optimizer.step()
print(torch.equal(before, model[0].weight))
vector = nn.utils.parameters_to_vector(model.parameters())
print(vector.shape, vector.requires_grad)
