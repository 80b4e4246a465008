"""Hooks of every kind on modules: what they see, what they may change, in which order."""
import warnings

from microtorch.nn.modules import module as everywhere

import microtorch as torch
from microtorch import nn

warnings.simplefilter("ignore")
torch.manual_seed(0)


def shapes(values):
    return [None if v is None else tuple(v.shape) for v in values]


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(3, 2)

    def forward(self, x, scale=1.0, flag=None):
        return self.a(x) * scale, self.b(x)


net = Two()
net.register_forward_pre_hook(lambda m, args: print("pre", len(args)))
net.register_forward_pre_hook(
    lambda m, args, kwargs: (args, {**kwargs, "scale": 2.0}), with_kwargs=True
)
net.register_forward_pre_hook(lambda m, args: print("first"), prepend=True)
net.register_forward_hook(lambda m, args, kwargs, out: print("post", kwargs), with_kwargs=True)
net.register_full_backward_pre_hook(lambda m, g: print("backward pre", shapes(g)))
net.register_full_backward_hook(lambda m, gi, go: print("backward", shapes(gi), shapes(go)))
x = torch.randn(5, 3, requires_grad=True)
y, z = net(x, flag=None)
(y.sum() + (z**2).sum()).backward()
print(x.grad[0], net.a.weight.grad[0])
x.grad = None
y, z = net(x)
y.sum().backward()
print(x.grad[0])

# replacing gradients, and second derivatives through the hooks
layer = nn.Tanh()
layer.register_full_backward_hook(lambda m, gi, go: (gi[0] * 10,))
layer.register_full_backward_pre_hook(lambda m, go: (go[0] + 1,))
w = torch.tensor([0.5, -1.0], requires_grad=True)
(g,) = torch.autograd.grad(layer(w).sum(), w, create_graph=True)
print(g, torch.autograd.grad(g.sum(), w))

# no input requires a gradient: the hook sees the outputs' gradients
layer = nn.Linear(3, 2)
handle = layer.register_full_backward_hook(lambda m, gi, go: print(shapes(gi), shapes(go)))
layer(torch.ones(1, 3)).sum().backward()
handle.remove()
layer(torch.ones(1, 3)).sum().backward()

# the old kind
old = nn.ReLU()
old.register_backward_hook(lambda m, gi, go: print("old", gi[0], go[0]))
old(w).sum().backward()
try:
    old.register_full_backward_hook(print)
except RuntimeError as e:
    print(str(e).split("\n")[0])

# hooks that run although forward raised
bad = nn.Linear(3, 3)
bad.register_forward_hook(lambda m, a, out: print("always", out), always_call=True)
try:
    bad(torch.ones(2, 5))
except RuntimeError:
    print("raised")

# hooks of all modules
handles = [
    everywhere.register_module_forward_pre_hook(lambda m, a: print(">", type(m).__name__)),
    everywhere.register_module_forward_hook(lambda m, a, o: print("<", type(m).__name__)),
    everywhere.register_module_full_backward_hook(
        lambda m, gi, go: print("back", type(m).__name__, shapes(gi))
    ),
]
model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Tanh(), nn.Linear(3, 1)))
model(torch.ones(4, 2, requires_grad=True)).sum().backward()
for handle in handles:
    handle.remove()
model(torch.ones(4, 2)).sum().backward()

names = []
with everywhere.register_module_parameter_registration_hook(lambda m, n, p: names.append(n)):
    with everywhere.register_module_module_registration_hook(lambda m, n, c: names.append(n)):
        nn.Sequential(nn.Linear(1, 1))
print(names)


# buffers, places in the tree, state
class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = nn.Buffer(torch.zeros(2))
        self.cache = nn.Buffer(torch.ones(1), persistent=False)
        self.layer = nn.Linear(2, 2)
        self.steps = 3

    def get_extra_state(self):
        return {"steps": self.steps}

    def set_extra_state(self, state):
        self.steps = state["steps"]


net, other = Counting(), Counting()
print(list(net.state_dict()), [n for n, _ in net.named_buffers()], net.mean)
net.steps = 7
print(other.load_state_dict(net.state_dict()), other.steps)
net.mean = torch.ones(2)
print(net.state_dict()["mean"])
net.set_submodule("layer", nn.Sequential(nn.Linear(2, 1)))
print(net)
for call in (
    lambda: net.set_submodule("", nn.ReLU()),
    lambda: net.set_submodule("no.layer", nn.ReLU()),
    lambda: net.set_submodule("mean", nn.ReLU()),
    lambda: net.set_submodule("new", nn.ReLU(), strict=True),
):
    try:
        call()
    except (ValueError, AttributeError) as e:
        print(type(e).__name__, str(e).split("\n")[0])

seen = []
net.register_state_dict_pre_hook(lambda m, prefix, keep: seen.append(("pre", prefix, keep)))
net.register_state_dict_post_hook(lambda m, sd, prefix, meta: sd.__delitem__("mean"))
net.register_load_state_dict_pre_hook(lambda m, sd, prefix, *rest: sd.setdefault("mean", net.mean))
net.register_load_state_dict_post_hook(lambda m, keys: seen.append((keys.missing_keys[:], "post")))
state = net.state_dict()
print(list(state), net.load_state_dict(state), seen)


class Renaming(nn.Linear):
    def _load_from_state_dict(self, state_dict, prefix, *rest):
        if prefix + "w" in state_dict:
            state_dict[prefix + "weight"] = state_dict.pop(prefix + "w")
        super()._load_from_state_dict(state_dict, prefix, *rest)


model = nn.Sequential(Renaming(2, 1), nn.BatchNorm1d(1))
state = model.state_dict()
state = {k.replace("0.weight", "0.w"): v for k, v in state.items() if "num" not in k}
print(model.load_state_dict(state))
for broken in ({"0.w": torch.ones(1, 2), "x": 1, "0.y.z": 2}, {**state, "0.bias": torch.ones(3)}):
    try:
        model.load_state_dict(broken)
    except RuntimeError as e:
        print("\n".join(line for line in str(e).split("\n") if not line.startswith("  ")))
print(nn.Linear(2, 3).to_empty(device="cpu").weight.shape)
