"""A network that solves u'' = -u with u(0) = 0, u'(0) = 1, by means of its own derivatives."""
import math

import microtorch as torch
import microtorch.nn as nn

torch.manual_seed(2)
torch.set_default_dtype(torch.float64)
net = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
t = torch.linspace(0, math.pi, 30).reshape(-1, 1).requires_grad_(True)
zero = torch.zeros(1, 1, requires_grad=True)


def derivative(y, x):
    return torch.autograd.grad(y, x, torch.ones_like(y), create_graph=True)[0]


for step in range(151):
    u = net(t)
    residual = derivative(derivative(u, t), t) + u
    u0 = net(zero)
    loss = (residual**2).mean() + (u0**2).squeeze() + ((derivative(u0, zero) - 1) ** 2).squeeze()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(step, f"{loss.item():.6f}")
with torch.no_grad():
    print(f"error {(net(t) - torch.sin(t)).abs().max().item():.4f}")
torch.set_default_dtype(torch.float32)
