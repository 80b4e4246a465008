"""torch.utils.checkpoint: the same gradients with and without it, in both of its ways."""
import warnings

import microtorch as torch
from microtorch import nn
from microtorch.utils.checkpoint import checkpoint, checkpoint_sequential

warnings.simplefilter("ignore")
torch.manual_seed(0)
calls = []


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 4)
        self.drop = nn.Dropout(0.5)

    def forward(self, x, scale=1.0, shift=None):
        calls.append(1)
        y = x + self.b(self.drop(torch.tanh(self.a(x)))) * scale
        return y if shift is None else (y, y.sum() + shift, "word", shift)


block = Block()
x = torch.randn(3, 4, requires_grad=True)
for way in (None, True, False):
    torch.manual_seed(1)
    block.zero_grad()
    x.grad = None
    y = block(x) if way is None else checkpoint(block, x, use_reentrant=way)
    z = block(y) if way is None else checkpoint(block, y, use_reentrant=way)
    (z**2).sum().backward()
    print(len(calls), z.sum(), x.grad.sum(), block.a.weight.grad.norm(), torch.rand(1))

# several outputs, keywords, nesting, no tensor that requires a gradient but the weights
shift = torch.ones((), requires_grad=True)
y, total, word, same = checkpoint(block, x, use_reentrant=False, scale=2.0, shift=shift)
(total * 3 + y[0, 0]).backward()
print(word, shift.grad, total.requires_grad, same is shift)
block.eval()
block.zero_grad()
plain = torch.ones(2, 4)
checkpoint(block, plain, use_reentrant=False).sum().backward()
print(block.b.bias.grad, plain.grad)
out = checkpoint(block, plain, use_reentrant=True)
print(out.requires_grad)


def outer(v):
    return checkpoint(block, checkpoint(torch.sin, v, use_reentrant=False), use_reentrant=False)


tensors = [x, *block.parameters()]
g = torch.autograd.grad(checkpoint(outer, x, use_reentrant=False).pow(2).sum(), tensors)
h = torch.autograd.grad(block(torch.sin(x)).pow(2).sum(), tensors)
print(all(torch.allclose(a, b) for a, b in zip(g, h)))

# second derivatives
w = torch.tensor([0.5, -1.0], requires_grad=True)
y = checkpoint(lambda v: (v**3).sum() * w[0], w, use_reentrant=False)
(first,) = torch.autograd.grad(y, w, create_graph=True)
print(first, torch.autograd.grad(first.sum(), w))

net = nn.Sequential(*[nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(5)])
for way in (True, False):
    net.zero_grad()
    checkpoint_sequential(net, 2, x, use_reentrant=way).sum().backward()
    print([f"{p.grad.norm().item():.4f}" for p in net.parameters()][:4])
with torch.no_grad():
    print(checkpoint(block, x, use_reentrant=False).requires_grad)
y = checkpoint(torch.sin, x * 1, use_reentrant=False)
y.mul_(2)
y.sum().backward()

for call in (
    lambda: checkpoint(block, x, use_reentrant=True, scale=2.0),
    lambda: checkpoint_sequential(net, 2, x, use_reentrant=False, other=1),
):
    try:
        call()
    except ValueError as e:
        print(str(e).split("\n")[0])
changed = x * 1
y = checkpoint(torch.sin, changed, use_reentrant=False)
changed.add_(1)
try:
    y.sum().backward()
except RuntimeError as e:
    print("modified by an inplace operation" in str(e))
lengths = iter([2, 3])
y = checkpoint(lambda v: v[: next(lengths)] * v[0], x[0], use_reentrant=False)
try:
    y.sum().backward()
except RuntimeError as e:
    print(type(e).__name__)
