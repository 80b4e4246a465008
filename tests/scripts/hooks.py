"""Hooks on tensors, on nodes, on modules."""
import microtorch as torch
import microtorch.nn as nn

x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
y = x * 2
z = (y**2).sum()
y.retain_grad()
handle = y.register_hook(lambda g: print("dz/dy", g))
doubled = x.register_hook(lambda g: g * 2)
z.backward()
print(y.grad, x.grad)
handle.remove()
doubled.remove()

x.grad = None
y = x * 2
y.register_hook(lambda g: g.clamp(max=10))
y.grad_fn.register_hook(
    lambda gi, go: print("node", [None if g is None else g.tolist() for g in gi], go[0].tolist())
)
y.grad_fn.register_prehook(lambda go: print("before", go[0].tolist()))
(y**2).sum().backward()
print(x.grad)

w = torch.ones(2, requires_grad=True)
w.register_post_accumulate_grad_hook(lambda p: print("accumulated", p.grad.tolist()))
(w * 3).sum().backward()
(w * 3).sum().backward()

model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
with torch.no_grad():
    for i, p in enumerate(model.parameters()):
        p.copy_(torch.linspace(-1, 1 + i, p.numel()).view_as(p))
seen = {}


def remember(name):
    def hook(module, args, output):
        seen[name] = output.detach()

    return hook


handles = [m.register_forward_hook(remember(name)) for name, m in model.named_children()]
model[1].register_forward_pre_hook(lambda module, args: print("into", module, args[0].shape))
out = model(torch.tensor([[0.5, -1.0]]))
for h in handles:
    h.remove()
print(seen)
data = torch.tensor([[0.5, -1.0]], requires_grad=True)
model(data).sum().backward()
print(data.grad, model[2].weight.grad)
