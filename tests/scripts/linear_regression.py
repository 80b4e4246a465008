"""A line through points: gradients by hand, autograd with a bare update, and nn with SGD."""
import microtorch as torch
import microtorch.nn as nn
import microtorch.optim as optim

torch.manual_seed(42)
X = torch.rand(64, 1) * 4 - 2
y = 1.7 * X - 0.6 + 0.1 * torch.randn(64, 1)

# 1. by hand
w, b = torch.zeros(1), torch.zeros(1)
for _ in range(60):
    error = X * w + b - y
    w -= 0.1 * (2 * error * X).mean()
    b -= 0.1 * (2 * error).mean()
print(f"by hand   w {w.item():.4f} b {b.item():.4f} loss {(error**2).mean().item():.5f}")

# 2. autograd
w = torch.zeros(1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for epoch in range(60):
    loss = ((X * w + b - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        b -= 0.1 * b.grad
    w.grad.zero_()
    b.grad.zero_()
    if epoch % 20 == 0:
        print(f"  epoch {epoch:2d} loss {loss:.5f}")
print(f"autograd  w {w.item():.4f} b {b.item():.4f} loss {loss.item():.5f}")

# 3. the library
model = nn.Linear(1, 1)
criterion = nn.MSELoss()
optimizer = optim.SGD(model.parameters(), lr=0.1)
print(model, sum(p.numel() for p in model.parameters()))
for _ in range(60):
    optimizer.zero_grad()
    loss = criterion(model(X), y)
    loss.backward()
    optimizer.step()
print(f"nn        w {model.weight.item():.4f} b {model.bias.item():.4f} loss {loss.item():.5f}")

# 4. the normal equations
A = torch.cat([X, torch.ones_like(X)], dim=1)
solution = torch.linalg.solve(A.T @ A, A.T @ y)
print(f"exact     w {solution[0].item():.4f} b {solution[1].item():.4f}")
