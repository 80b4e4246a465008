"""A first tour of autograd: leaves, grad_fn, backward, accumulation, no_grad, detach."""
import microtorch as torch

x = torch.ones(2, 2, requires_grad=True)
y = x + 2
z = y * y * 3
out = z.mean()
print(x, y, z, out, sep="\n")
print(x.is_leaf, y.is_leaf, x.grad_fn, y.grad_fn.name(), out.grad_fn.next_functions[0][0].name())
out.backward()
print(x.grad)

a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
q = 3 * a**3 - b**2
q.backward(gradient=torch.tensor([1.0, 1.0]))
print(a.grad == 9 * a**2, b.grad == -2 * b)

w = torch.tensor(1.5, requires_grad=True)
for step in range(3):
    (w * w).backward()
    print(step, w.grad.item())  # gradients add up until they are reset
w.grad.zero_()
w.grad = None
print(w.grad)

with torch.no_grad():
    print((w * 2).requires_grad, torch.is_grad_enabled())
print(w.detach().requires_grad, (w * 2).requires_grad)

v = torch.randn(3, generator=torch.Generator().manual_seed(3), requires_grad=True)
u = v * 2
while u.data.norm() < 1000:
    u = u * 2
u.backward(torch.tensor([0.1, 1.0, 0.0001]))
print(u.detach(), v.grad)

try:
    v.sum().item() + (v * 2).backward()
except RuntimeError as e:
    print(str(e).splitlines()[0])

frozen = torch.rand(2, 2)
print((frozen + 1).requires_grad, frozen.requires_grad_().sum().backward(), frozen.grad)
x1 = torch.linspace(0, 1, 5, requires_grad=True)
torch.sin(x1).sum().backward()
print(torch.allclose(x1.grad, torch.cos(x1)), x1.grad)
