"""Parametrised, normalised and pruned weights: gradients, and what PyTorch's records do not show.

tests/scripts/weights.py compares with what PyTorch prints.
"""

import copy
import gc
import pickle
import weakref

import pytest

import microtorch as torch
from microtorch import nn
from microtorch.autograd import gradcheck, gradgradcheck
from microtorch.func import functional_call
from microtorch.nn.utils import parametrizations, parametrize, prune


def made_by(kind, layer):
    layer = layer.double()
    if kind == "old weight norm":
        with pytest.warns(FutureWarning, match="deprecated"):
            return nn.utils.weight_norm(layer)
    makers = {
        "weight norm": parametrizations.weight_norm,
        "weight norm of all": lambda m: parametrizations.weight_norm(m, dim=None),
        "spectral norm": parametrizations.spectral_norm,
        "old spectral norm": nn.utils.spectral_norm,
        "matrix_exp": lambda m: parametrizations.orthogonal(m, orthogonal_map="matrix_exp"),
        "cayley": lambda m: parametrizations.orthogonal(m, orthogonal_map="cayley"),
        "pruned": lambda m: prune.l1_unstructured(m, "weight", 2),
    }
    return makers[kind](layer)


KINDS = (
    "weight norm",
    "weight norm of all",
    "old weight norm",
    "spectral norm",
    "old spectral norm",
    "matrix_exp",
    "cayley",
    "pruned",
)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind):
    torch.manual_seed(0)
    # in evaluation mode the singular vectors stand still; numbers away from 0, for differences
    layer = made_by(kind, nn.Linear(3, 3)).eval()
    names = [name for name, _ in layer.named_parameters()]
    values = [torch.randn(p.shape, dtype=torch.float64, requires_grad=True)
              for p in layer.parameters()]  # fmt: skip
    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)

    def call(x, *values):
        return functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    assert gradcheck(call, (x, *values))
    assert gradgradcheck(call, (x, *values))


def test_orthogonal_stays_orthogonal():
    torch.manual_seed(0)
    for shape in ((4, 4), (5, 3), (3, 5)):
        for kind in ("matrix_exp", "cayley", "householder"):
            layer = nn.Linear(*shape, bias=False).double()
            parametrizations.orthogonal(layer, orthogonal_map=kind)
            optimizer = torch.optim.SGD(layer.parameters(), lr=0.3)
            for _ in range(3):
                (layer(torch.ones(1, shape[0], dtype=torch.float64)) ** 3).sum().backward()
                optimizer.step()
            w = layer.weight
            w = w if w.shape[0] >= w.shape[1] else w.T
            unit = torch.eye(w.shape[1], dtype=torch.float64)
            assert torch.allclose(w.T @ w, unit, atol=1e-10), (shape, kind)
            q = torch.linalg.qr(torch.randn(*w.shape, dtype=torch.float64)).Q
            q = q if layer.weight.shape == q.shape else q.T
            layer.weight = q
            assert torch.allclose(layer.weight, q, atol=1e-10), (shape, kind)


def test_spectral_norm_is_the_largest_singular_value():
    torch.manual_seed(0)
    layer = parametrizations.spectral_norm(nn.Conv2d(3, 5, 2).double(), n_power_iterations=50)
    assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1)
    layer.eval()
    before = layer.parametrizations.weight[0]._u.clone()
    layer.weight  # noqa: B018
    assert torch.equal(before, layer.parametrizations.weight[0]._u)


def test_parametrised_modules_are_copied_and_not_pickled():
    layer = parametrizations.weight_norm(nn.Linear(3, 2))
    twin = copy.deepcopy(layer)
    assert torch.equal(twin.weight, layer.weight)
    with torch.no_grad():
        twin.parametrizations.weight.original0.mul_(2)
    assert torch.allclose(twin.weight, 2 * layer.weight)
    with pytest.raises(RuntimeError, match="only supported through state_dict"):
        pickle.dumps(layer)
    with pytest.raises(KeyError, match="attribute 'weight' already exists"):
        layer.weight = nn.Parameter(torch.ones(2, 3))


def test_pruned_modules_are_pickled():
    layer = prune.ln_structured(nn.Linear(4, 3), "weight", amount=1, n=2, dim=0)
    layer.weight = layer.weight.detach()  # computed anew before the next forward
    twin = pickle.loads(pickle.dumps(layer))
    x = torch.ones(1, 4)
    assert torch.equal(twin(x), layer(x)) and prune.is_pruned(twin)


def test_cache_ends_with_its_block():
    class Double(nn.Module):
        def forward(self, x):
            return 2 * x

    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Double())
    with parametrize.cached():
        first = layer.weight
        with parametrize.cached():
            assert layer.weight is first
        assert layer.weight is first
    assert layer.weight is not first


def test_functional_call_restores_after_an_error():
    layer = nn.Linear(2, 2)
    weight = layer.weight
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        functional_call(layer, {"weight": torch.ones(2, 2)}, torch.ones(1, 3))
    assert layer.weight is weight
    with pytest.raises(AttributeError, match="no attribute `wait`"):
        functional_call(layer, {"wait.weight": torch.ones(2, 2)}, torch.ones(1, 2))
    with pytest.raises(RuntimeError, match="Missing key"):
        functional_call(layer, {"bias": torch.ones(2)}, torch.ones(1, 2), strict=True)
    shared = nn.Sequential(layer, layer)
    shared[1] = nn.Linear(2, 2)
    shared[1].weight = layer.weight
    new = {"0.weight": torch.zeros(2, 2), "0.bias": torch.zeros(2), "1.bias": torch.ones(2)}
    assert functional_call(shared, new, torch.ones(1, 2)).tolist() == [[1.0, 1.0]]
    with pytest.warns(FutureWarning, match="functional_call"):
        torch.nn.utils.stateless.functional_call(layer, {}, torch.ones(1, 2))
    with torch.nn.utils.stateless._reparametrize_module(shared, {"0.bias": torch.ones(2)}):
        assert shared[0].bias.sum() == 2
    assert shared[0].bias is layer.bias


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls = self.calls + 1
        return x * self.factor


def test_functional_call_takes_names_that_the_module_lacks_and_gives_back_what_it_assigns():
    net, zero = Counting(), torch.zeros(())
    given = {"calls": zero, "factor": torch.tensor(3.0)}
    assert functional_call(net, given, torch.ones(2)).tolist() == [3, 3]
    assert given["calls"].item() == 1 and zero.item() == 0 == net.calls.item()
    assert not hasattr(net, "factor")
    with pytest.raises(TypeError, match="not an instance"):
        functional_call(net, {"training": zero}, torch.ones(2))
    net.inner = nn.Linear(1, 1)
    net.inner.outer = net  # a circle
    functional_call(net, {"inner.outer.factor": zero}, torch.ones(2), tie_weights=False)


def test_loading_leaves_the_module_as_it_was_on_an_error():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    before = {k: v.clone() for k, v in net.state_dict().items()}
    state = {k: v + 1 for k, v in before.items()}
    state["1.bias"] = torch.ones(3)
    with pytest.raises(RuntimeError, match=r"size mismatch for 1.bias"):
        net.load_state_dict(state)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    # hooks that come last may forgive keys, and the values are then loaded
    net.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    net.load_state_dict({"0.bias": torch.tensor([5.0, 6.0])})
    assert net[0].bias.tolist() == [5.0, 6.0]


def test_hooks_hold_no_module():
    layer = nn.Linear(2, 2)
    layer.register_full_backward_hook(lambda m, gi, go: None)
    layer(torch.ones(1, 2, requires_grad=True)).sum().backward()
    alive = weakref.ref(layer)
    gc.disable()
    try:
        del layer
        assert alive() is None
    finally:
        gc.enable()


def test_complex_weights_stay_unitary_and_are_divided_by_their_norm():
    torch.manual_seed(0)
    for kind in ("matrix_exp", "cayley"):
        layer = nn.Linear(3, 5, bias=False, dtype=torch.complex128)
        parametrizations.orthogonal(layer, orthogonal_map=kind, use_trivialization=False)
        w = layer.weight.detach()
        assert torch.allclose(w.mH @ w, torch.eye(3, dtype=w.dtype))
    with pytest.raises(ValueError, match="complex"):
        parametrizations.orthogonal(nn.Linear(3, 3, dtype=torch.complex64), "weight", "householder")
    layer = nn.Linear(2, 2, dtype=torch.complex128)
    with torch.no_grad():
        layer.weight.set_(torch.diag(torch.tensor([3j, 1.0 + 0j], dtype=torch.complex128)))
    parametrizations.spectral_norm(layer)
    assert torch.allclose(layer.weight.diagonal().abs(), torch.tensor([1.0, 1 / 3]).double())


def test_random_pruning_takes_what_pytorch_takes_for_a_seed():
    layer = nn.Linear(4, 5)
    torch.manual_seed(1)
    prune.random_unstructured(layer, "weight", amount=5)
    expected = [[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 0, 1]]
    assert layer.weight_mask.tolist() == expected


def test_what_is_no_parameter_is_not_pruned():
    layer = parametrizations.weight_norm(nn.Linear(2, 2))
    layer.register_buffer("buffer", torch.ones(2))
    before = sorted(layer.state_dict())
    for name in ("weight", "buffer"):
        with pytest.raises(TypeError, match="Parameter or None required"):
            prune.l1_unstructured(layer, name, 1)
    assert sorted(layer.state_dict()) == before


def test_weight_norm_of_a_vector():
    with pytest.warns(FutureWarning, match="deprecated"):
        layer = nn.utils.weight_norm(nn.LayerNorm(3))
    assert layer.weight_g.tolist() == [1, 1, 1]  # each of its numbers has a norm of its own
    assert layer(torch.tensor([1.0, 2.0, 3.0])).shape == (3,)
