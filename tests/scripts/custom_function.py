"""Ops of one's own: a Legendre polynomial in a fit, straight-through rounding, two outputs."""
import math

import microtorch as torch
from microtorch.autograd import Function, gradcheck


class Legendre3(Function):
    """P3(x) = (5 x^3 - 3 x) / 2."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return 0.5 * (5 * x**3 - 3 * x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * x**2 - 1)


x = torch.linspace(-math.pi, math.pi, 300)
y = torch.sin(x)
a, b, c, d = (torch.full((), v, requires_grad=True) for v in (0.0, -1.0, 0.0, 0.3))
for t in range(800):
    prediction = a + b * Legendre3.apply(c + d * x)
    loss = (prediction - y).pow(2).sum()
    if t % 200 == 199:
        print(t, f"{loss.item():.4f}")
    loss.backward()
    with torch.no_grad():
        for v in (a, b, c, d):
            v -= 5e-6 * v.grad
            v.grad = None
print(f"y = {a.item():.4f} + {b.item():.4f} * P3({c.item():.4f} + {d.item():.4f} x)")
print(prediction.grad_fn.next_functions[1][0].next_functions[1][0].name())
print(gradcheck(Legendre3.apply, (torch.randn(4, dtype=torch.double, requires_grad=True),)))


class Round(Function):
    """Rounds forward, lets the gradient pass."""

    @staticmethod
    def forward(ctx, x, step):
        ctx.step = step
        return (x / step).round() * step

    @staticmethod
    def backward(ctx, g):
        return g, None


v = torch.tensor([0.12, 0.49, 0.81], requires_grad=True)
r = Round.apply(v, 0.25)
(r * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
print(r, v.grad)


class SumAndProduct(Function):
    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return x + y, x * y

    @staticmethod
    def backward(ctx, g_sum, g_product):
        x, y = ctx.saved_tensors
        print("needs", ctx.needs_input_grad)
        gx = g_sum + g_product * y if ctx.needs_input_grad[0] else None
        gy = g_sum + g_product * x if ctx.needs_input_grad[1] else None
        return gx, gy


p = torch.tensor([2.0, 3.0], requires_grad=True)
s, m = SumAndProduct.apply(p, torch.tensor([5.0, 7.0]))
(s * 10 + m).sum().backward()
print(s, m, p.grad)


class Cube(Function):
    @staticmethod
    def forward(x):
        return x**3, x**2

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0], output[1])

    @staticmethod
    def backward(ctx, g, g_square):
        x, square = ctx.saved_tensors
        return 3 * g * square + 2 * g_square * x


z = torch.tensor(2.0, requires_grad=True)
(first,) = torch.autograd.grad(Cube.apply(z)[0], z, create_graph=True)
(second,) = torch.autograd.grad(first, z, create_graph=True)
print(first.item(), second.item())
