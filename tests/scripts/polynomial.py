"""A cubic fitted to the sine, with gradients by hand, then by autograd: the same numbers."""
import math

import microtorch as torch

x = torch.linspace(-math.pi, math.pi, 500, dtype=torch.float64)
target = torch.sin(x)
start = torch.Generator().manual_seed(7)
a, b, c, d = (torch.randn((), generator=start, dtype=torch.float64) for _ in range(4))
by_autograd = [v.clone().requires_grad_() for v in (a, b, c, d)]
rate = 2e-6

for step in range(400):
    predicted = a + b * x + c * x**2 + d * x**3
    g = 2.0 * (predicted - target)  # d loss / d predicted
    if step % 100 == 99:
        print(step + 1, f"{(predicted - target).pow(2).sum().item():.6f}")
    a -= rate * g.sum()
    b -= rate * (g * x).sum()
    c -= rate * (g * x**2).sum()
    d -= rate * (g * x**3).sum()
print(f"by hand:  y = {a.item():.5f} + {b.item():.5f} x + {c.item():.5f} x^2 + {d.item():.5f} x^3")

powers = torch.stack([x**n for n in range(4)], dim=-1)
for _ in range(400):
    loss = (powers @ torch.stack(by_autograd) - target).pow(2).sum()
    for v in by_autograd:
        v.grad = None
    loss.backward()
    with torch.no_grad():
        for v in by_autograd:
            v -= rate * v.grad
print("autograd: y = " + " + ".join(f"{v.item():.5f} x^{n}" for n, v in enumerate(by_autograd)))
print(all(torch.isclose(v, w).item() for v, w in zip((a, b, c, d), by_autograd)))
