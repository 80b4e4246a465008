"""nn.utils: parametrised, normalised and pruned weights, fused and stateless modules."""
import copy
import warnings

import microtorch as torch
import microtorch.nn.functional as F
from microtorch import nn
from microtorch.nn.utils import parametrizations, parametrize, prune

warnings.simplefilter("ignore")
torch.manual_seed(0)
torch.set_printoptions(precision=3)


def said(call):
    try:
        call()
    except Exception as e:
        print(type(e).__name__, str(e).split("\n  at")[0].split("\n")[0])


class Symmetric(nn.Module):
    def forward(self, X):
        return X.triu() + X.triu(1).mT

    def right_inverse(self, A):
        return A.triu()


class Scaled(nn.Module):
    def forward(self, X):
        print("computed")
        return X * 2


layer = nn.Linear(3, 3)
parametrize.register_parametrization(layer, "weight", Symmetric())
print(layer, parametrize.is_parametrized(layer), parametrize.is_parametrized(layer, "bias"))
print(torch.equal(layer.weight, layer.weight.T), list(layer.state_dict()))
layer(torch.ones(1, 3)).sum().backward()
print(layer.parametrizations.weight.original.grad)
layer.weight = torch.ones(3, 3)
print(layer.weight)
parametrize.register_parametrization(layer, "weight", Scaled())
with parametrize.cached():
    layer(layer(torch.ones(1, 3)))
print(type(layer).__name__, parametrize.type_before_parametrizations(layer).__name__)
said(lambda: setattr(layer, "weight", torch.ones(3, 3)))
twin = copy.deepcopy(layer)
print(torch.equal(twin.weight, layer.weight))
parametrize.remove_parametrizations(layer, "weight")
print(type(layer).__name__, layer.weight, [n for n, _ in layer.named_parameters()])
said(lambda: parametrize.register_parametrization(layer, "none", Symmetric()))
said(lambda: parametrize.register_parametrization(layer, "weight", nn.Linear(3, 2)))
said(lambda: parametrize.remove_parametrizations(layer, "bias"))

for made in (
    parametrizations.weight_norm(nn.Linear(4, 3)),
    parametrizations.weight_norm(nn.Conv2d(2, 3, 2), dim=None),
    nn.utils.weight_norm(nn.Linear(4, 3), dim=1),
    parametrizations.spectral_norm(nn.Linear(4, 3), n_power_iterations=2),
    nn.utils.spectral_norm(nn.ConvTranspose2d(2, 3, 2)),
    parametrizations.orthogonal(nn.Linear(3, 3)),
    parametrizations.orthogonal(nn.Linear(3, 3), orthogonal_map="cayley"),
    parametrizations.orthogonal(nn.Linear(4, 2)),
):
    print({k: tuple(v.shape) for k, v in made.state_dict().items()})
    x = torch.ones(2, *((2, 3, 3) if made.weight.ndim == 4 else (made.in_features,)))
    optimizer = torch.optim.SGD(made.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        loss = (made(x) ** 2).mean() + made.weight.pow(2).sum()
        loss.backward()
        optimizer.step()
    largest = torch.linalg.matrix_norm(made.weight.flatten(1), 2)
    print(loss, made.weight.norm(), f"{largest.item():.3f}")
square = parametrizations.orthogonal(nn.Linear(3, 3))
print((square.weight @ square.weight.T - torch.eye(3)).abs().max() < 1e-5)
old = nn.utils.weight_norm(nn.Linear(4, 3))
new = parametrizations.weight_norm(nn.Linear(4, 3))
print(new.load_state_dict(old.state_dict()), torch.allclose(new.weight, old.weight))
before = old.weight.detach().clone()
nn.utils.remove_weight_norm(old)
print(torch.allclose(old.weight, before), sorted(dict(old.named_parameters())))
said(lambda: nn.utils.remove_weight_norm(old))
said(lambda: nn.utils.weight_norm(nn.utils.weight_norm(nn.Linear(2, 2))))
said(lambda: parametrizations.orthogonal(nn.Linear(2, 2), "bias"))
said(lambda: parametrizations.orthogonal(nn.Linear(2, 2), orthogonal_map="qr"))
said(lambda: parametrizations.spectral_norm(nn.Linear(2, 2), n_power_iterations=0))

# pruning
net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))
prune.l1_unstructured(net[0], "weight", amount=0.3)
print([n for n, _ in net.named_parameters()], [n for n, _ in net.named_buffers()])
print((net[0].weight == 0).sum(), prune.is_pruned(net))
prune.ln_structured(net[0], "weight", amount=2, n=2, dim=0)
print(net[0].weight_mask, len(next(iter(net[0]._forward_pre_hooks.values()))))
prune.random_unstructured(net[0], "bias", amount=2)
prune.random_structured(net[2], "weight", amount=0.4, dim=1)
print(net[0].bias_mask.sum(), net[2].weight_mask)
net(torch.ones(3, 6)).sum().backward()
print((net[0].weight_orig.grad != 0).sum())
prune.remove(net[0], "weight")
print((net[0].weight == 0).sum(), sorted(n for n, _ in net.named_parameters()))
prune.custom_from_mask(net[2], "bias", torch.tensor([0.0, 1.0]))
print(net[2].bias)
net = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))
both = [(net[0], "weight"), (net[2], "weight")]
prune.global_unstructured(both, pruning_method=prune.L1Unstructured, amount=0.5)
print(sum(int((m.weight == 0).sum()) for m, _ in both))
prune.global_unstructured(both, pruning_method=prune.L1Unstructured, amount=4)
print(sum(int((m.weight == 0).sum()) for m, _ in both))
said(lambda: prune.l1_unstructured(nn.Linear(2, 2), "weight", amount=1.5))
said(lambda: prune.l1_unstructured(nn.Linear(2, 2), "weight", amount=7))
said(lambda: prune.ln_structured(nn.Linear(2, 2), "bias", 1, 2, 0))
said(lambda: prune.remove(nn.Linear(2, 2), "weight"))

# fused and stateless
conv, norm = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)
norm(conv(torch.randn(8, 2, 5, 5)))
conv.eval(), norm.eval()
x = torch.randn(1, 2, 5, 5)
fused = nn.utils.fuse_conv_bn_eval(conv, norm)
print(torch.allclose(fused(x), norm(conv(x)), atol=1e-6))
said(lambda: nn.utils.fuse_conv_bn_eval(conv.train(), norm))
layer = nn.Linear(2, 1)
weights = {"weight": torch.tensor([[2.0, 3.0]], requires_grad=True), "bias": torch.zeros(1)}
y = torch.func.functional_call(layer, weights, torch.ones(1, 2))
y.sum().backward()
print(y, weights["weight"].grad, layer.weight.grad)
layer = nn.utils.skip_init(nn.Linear, 3, 4)
print(layer.weight.shape, layer.weight.requires_grad)
said(lambda: nn.utils.skip_init(nn.Sequential))
print(F.relu(torch.tensor([-1.0])))
