"""Derivatives of derivatives: Newton's method, Hessians, a gradient penalty, a MAML step."""
import microtorch as torch
import microtorch.nn as nn
from microtorch.autograd import grad
from microtorch.autograd.functional import hessian, hvp, jacobian

# Newton on a function of one variable
x = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
for _ in range(6):
    f = x**4 - 3 * x**2 + torch.exp(-x)
    (first,) = grad(f, x, create_graph=True)
    (second,) = grad(first, x)
    with torch.no_grad():
        x -= first / second
    print(f"x {x.item():.8f} f' {first.item():+.2e} f'' {second.item():.4f}")

# all derivatives of sin at 1
t = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
d = torch.sin(t)
for n in range(5):
    print(n, f"{d.item():.6f}", end="; ")
    (d,) = grad(d, t, create_graph=True)
print()


def rosenbrock(v):
    return (1 - v[0]) ** 2 + 100 * (v[1] - v[0] ** 2) ** 2


v = torch.tensor([-1.0, 2.0], dtype=torch.float64)
for step in range(5):
    H = hessian(rosenbrock, v)
    g = jacobian(rosenbrock, v)
    v = v - torch.linalg.solve(H, g)
    print(step, [round(a, 6) for a in v.tolist()])
value, product = hvp(rosenbrock, v, torch.tensor([1.0, 2.0], dtype=torch.float64))
print(f"{value.item():.6f}", product)

# WGAN-GP: the critic's gradient norm should be 1
torch.manual_seed(0)
critic = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(critic.parameters(), lr=0.05)
real, fake = torch.randn(16, 2) + 2, torch.randn(16, 2)
for step in range(4):
    eps = torch.rand(16, 1)
    mixed = (eps * real + (1 - eps) * fake).requires_grad_(True)
    scores = critic(mixed)
    (gradient,) = grad(
        outputs=scores, inputs=mixed, grad_outputs=torch.ones_like(scores),
        create_graph=True, retain_graph=True,
    )  # fmt: skip
    penalty = ((gradient.norm(2, dim=1) - 1) ** 2).mean()
    loss = critic(fake).mean() - critic(real).mean() + 10 * penalty
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"loss {loss.item():.4f} penalty {penalty.item():.4f}")

# one inner step of MAML: the gradient goes through the update
w = torch.tensor([1.0, -1.0], requires_grad=True)
inner = ((w - torch.tensor([2.0, 0.0])) ** 2).sum()
(g,) = grad(inner, w, create_graph=True)
fast = w - 0.1 * g
outer = (fast**3).sum()
outer.backward()
print(fast.detach(), w.grad)
