"""Lazy modules: what they are before the first call, what that call makes of them, and state."""

import copy

import numpy as np
import pytest

import microtorch as torch
from microtorch import nn
from microtorch.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy

LAYERS = {
    "LazyLinear": ((4,), nn.Linear, (2, 3), (3, 4)),
    "LazyConv1d": ((4, 2), nn.Conv1d, (2, 3, 5), (3, 4, 2)),
    "LazyConv2d": ((4, 2), nn.Conv2d, (2, 3, 5, 5), (3, 4, 2)),
    "LazyConv3d": ((4, 2), nn.Conv3d, (2, 3, 3, 3, 3), (3, 4, 2)),
    "LazyConvTranspose1d": ((4, 2), nn.ConvTranspose1d, (2, 3, 5), (3, 4, 2)),
    "LazyConvTranspose2d": ((4, 2), nn.ConvTranspose2d, (2, 3, 4, 4), (3, 4, 2)),
    "LazyConvTranspose3d": ((4, 2), nn.ConvTranspose3d, (2, 3, 2, 2, 2), (3, 4, 2)),
    "LazyBatchNorm1d": ((), nn.BatchNorm1d, (4, 3), (3,)),
    "LazyBatchNorm2d": ((), nn.BatchNorm2d, (4, 3, 2, 2), (3,)),
    "LazyBatchNorm3d": ((), nn.BatchNorm3d, (4, 3, 2, 2, 2), (3,)),
    "LazyInstanceNorm1d": ((), nn.InstanceNorm1d, (4, 3, 5), (3, 1e-5, 0.1, True, True)),
    "LazyInstanceNorm2d": ((), nn.InstanceNorm2d, (4, 3, 2, 2), (3, 1e-5, 0.1, True, True)),
    "LazyInstanceNorm3d": ((), nn.InstanceNorm3d, (4, 3, 2, 2, 2), (3, 1e-5, 0.1, True, True)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_first_call_makes_the_ordinary_layer(name):
    settings, kind, shape, ordinary = LAYERS[name]
    lazy = getattr(nn, name)(*settings)
    assert lazy.has_uninitialized_params() and isinstance(lazy, kind)
    assert all(is_lazy(p) for p in lazy.parameters())
    assert all(str(v).startswith("<Uninit") for k, v in lazy.state_dict().items() if "num" not in k)
    x = torch.randn(shape)
    torch.manual_seed(1)
    out = lazy(x)
    torch.manual_seed(1)
    plain = kind(*ordinary)
    assert type(lazy) is kind and repr(lazy) == repr(plain)
    assert list(lazy.state_dict()) == list(plain.state_dict())
    np.testing.assert_array_equal(out.detach().numpy(), plain(x).detach().numpy())
    out.sum().backward()
    assert all(p.grad is not None and type(p) is nn.Parameter for p in lazy.parameters())


def test_a_network_and_its_optimizer():
    torch.manual_seed(0)
    net = nn.Sequential(nn.LazyLinear(5), nn.ReLU(), nn.LazyLinear(1)).double()
    assert repr(net[0]) == "LazyLinear(in_features=0, out_features=5, bias=True)"
    net(torch.zeros(1, 3, dtype=torch.float64))
    assert net[0].weight.dtype is torch.float64 and net[0].weight.shape == (5, 3)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    net(torch.ones(2, 3, dtype=torch.float64)).sum().backward()
    optimizer.step()


def test_state_goes_both_ways():
    filled = nn.LazyLinear(2)
    filled(torch.zeros(1, 3))
    empty = nn.LazyLinear(2)
    assert str(empty.load_state_dict(filled.state_dict())) == "<All keys matched successfully>"
    np.testing.assert_array_equal(empty.weight.detach().numpy(), filled.weight.detach().numpy())
    empty(torch.zeros(1, 3))
    assert empty.in_features == 3 and type(empty) is nn.Linear
    both = nn.LazyLinear(2)
    both.load_state_dict(nn.LazyLinear(2).state_dict())
    assert both.has_uninitialized_params()
    with pytest.raises(RuntimeError, match="shape of an uninitialized parameter"):
        nn.Linear(3, 2).load_state_dict(nn.LazyLinear(2).state_dict())
    norm = nn.LazyBatchNorm1d()
    norm.load_state_dict(nn.BatchNorm1d(3).state_dict())
    assert norm.running_mean.shape == (3,) and type(norm.running_mean) is torch.Tensor


@pytest.mark.parametrize("kind", [UninitializedParameter, UninitializedBuffer])
def test_an_uninitialized_tensor(kind):
    p = kind(dtype=torch.float64)
    assert repr(p) == f"<{kind.__name__}>" and p.dtype is torch.float64
    assert p.requires_grad == (kind is UninitializedParameter)
    assert p.float().dtype is torch.float32 and type(copy.deepcopy(p)) is kind
    assert isinstance(p, torch.Tensor) and p.is_floating_point()
    for use in (lambda: p + 1, lambda: p.sum(), lambda: torch.relu(p), lambda: p.item()):
        with pytest.raises(ValueError, match="use an uninitialized parameter"):
            use()
    with pytest.raises(RuntimeError, match="Can't access the shape"):
        _ = p.shape
    with pytest.raises(RuntimeError, match="share memory"):
        p.share_memory_()
    p.materialize((2, 3))
    assert type(p) is kind.cls_to_become and p.shape == (2, 3) and p.dtype is torch.float64


def test_a_lazy_module_of_ones_own():
    class Scale(nn.modules.lazy.LazyModuleMixin, nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = UninitializedParameter()

        def initialize_parameters(self, x):
            self.weight.materialize(x.shape[-1:])
            nn.init.ones_(self.weight)

        def forward(self, x):
            return x * self.weight

    scale = Scale()
    assert scale(torch.ones(2, 3)).sum().item() == 6
    assert type(scale) is Scale and not scale.has_uninitialized_params()

    class Forgetful(Scale):
        def initialize_parameters(self, x):
            pass

    with pytest.raises(RuntimeError, match="has not been fully initialized"):
        Forgetful()(torch.ones(2))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: nn.LazyConv2d(4, 2)(torch.zeros(3, 3)), RuntimeError, "Expected 3D"),
        (
            lambda: nn.LazyConv1d(4, 2, groups=2)(torch.zeros(1, 3, 3)),
            ValueError,
            "in_channels must be divisible by groups",
        ),
    ],
)
def test_mistakes_are_explained(call, error, words):
    with pytest.raises(error, match=words):
        call()
