"""Activations; numbers recorded from PyTorch 2.13 (CPU)."""

import numpy as np
import pytest
from networks import X, close

import microtorch as torch
from microtorch.nn import functional as F

POINTS = [-30.0, -2.5, -0.7, 0.0, 0.3, 1.9, 25.0]
# fmt: off
# name, arguments, values at POINTS, gradient of sum(y * [1 .. 7])
ACTIVATIONS = [
    ("relu", {}, [0.0, 0.0, 0.0, 0.0, 0.3, 1.9, 25.0], [0.0, 0.0, 0.0, 0.0, 5.0, 6.0, 7.0]),
    ("relu6", {}, [0.0, 0.0, 0.0, 0.0, 0.3, 1.9, 6.0], [0.0, 0.0, 0.0, 0.0, 5.0, 6.0, 0.0]),
    ("leaky_relu", {}, [-0.3, -0.025, -0.007, 0.0, 0.3, 1.9, 25.0], [0.01, 0.02, 0.03, 0.04, 5.0,
     6.0, 7.0]),
    ("leaky_relu", {"negative_slope": 0.2}, [-6.0, -0.5, -0.14, 0.0, 0.3, 1.9, 25.0], [0.2, 0.4,
     0.6, 0.8,
     5.0, 6.0, 7.0]),
    ("elu", {}, [-1.0, -0.917915, -0.5034147, 0.0, 0.3, 1.9, 25.0], [0.0, 0.16417, 1.4897559, 4.0,
     5.0, 6.0, 7.0]),
    ("elu", {"alpha": 0.5}, [-0.5, -0.4589575, -0.2517073, 0.0, 0.3, 1.9, 25.0], [0.0, 0.082085,
     0.744878,
     2.0, 5.0, 6.0, 7.0]),
    ("selu", {}, [-1.7580993, -1.6137858, -0.885053, 0.0, 0.3152103, 1.9963319, 26.2675247], [0.0,
     0.2886272, 2.6191389, 7.0323974, 5.2535049, 6.3042059, 7.3549069]),
    ("celu", {"alpha": 2.0}, [-1.9999994, -1.4269904, -0.5906238, 0.0, 0.3, 1.9, 25.0], [3e-07,
     0.5730096,
     2.1140643, 4.0, 5.0, 6.0, 7.0]),
    ("gelu", {}, [-0.0, -0.0155242, -0.1693746, 0.0, 0.1853734, 1.8454385, 25.0], [-0.0, -0.0752222,
     0.0701577, 2.0, 3.6616388, 6.5757209, 7.0]),
    ("gelu", {"approximate": "tanh"}, [-0.0, -0.0150843, -0.1694299, 0.0, 0.1853709, 1.8454512,
     25.0], [0.0,
     -0.0759032, 0.0709283, 2.0, 3.6614773, 6.5806908, 7.0]),
    ("silu", {}, [-0.0, -0.1896455, -0.2322686, 0.0, 0.1723328, 1.6527939, 25.0], [-0.0, -0.1988022,
     0.5298396, 2.0, 3.2389001, 6.5096041, 7.0]),
    ("mish", {}, [-0.0, -0.1968162, -0.2678702, 0.0, 0.2080014, 1.8367436, 25.0], [-0.0, -0.2194871,
     0.5532482, 2.4, 3.9141365, 6.4495655, 7.0]),
    ("softplus", {}, [0.0, 0.0788897, 0.403186, 0.6931472, 0.8543552, 2.0393868, 25.0], [0.0,
     0.1517164,
     0.9954367, 2.0, 2.8722126, 5.2193492, 7.0]),
    ("softplus", {"beta": 2.0, "threshold": 3.0}, [0.0, 0.0033577, 0.1102087, 0.3465736, 0.518744,
     1.9,
     25.0], [0.0, 0.0133857, 0.5934483, 2.0, 3.2282815, 6.0, 7.0]),
    ("hardtanh", {}, [-1.0, -1.0, -0.7, 0.0, 0.3, 1.0, 1.0], [0.0, 0.0, 3.0, 4.0, 5.0, 0.0, 0.0]),
    ("hardtanh", {"min_val": -2.0, "max_val": 0.5}, [-2.0, -2.0, -0.7, 0.0, 0.3, 0.5, 0.5], [0.0,
     0.0, 3.0,
     4.0, 5.0, 0.0, 0.0]),
    ("hardsigmoid", {}, [0.0, 0.0833333, 0.3833333, 0.5, 0.55, 0.8166667, 1.0], [0.0, 0.3333333,
     0.5,
     0.6666667, 0.8333334, 1.0, 0.0]),
    ("hardswish", {}, [-0.0, -0.2083333, -0.2683333, 0.0, 0.165, 1.5516667, 25.0], [0.0,
     -0.6666667, 0.8,
     2.0, 3.0, 6.8, 7.0]),
    ("tanhshrink", {}, [-29.0, -1.5133857, -0.0956322, 0.0, 0.0086874, 0.9437625, 24.0], [1.0,
     1.9468155,
     1.0957812, 0.0, 0.4243152, 5.4863405, 7.0]),
    ("sigmoid", {}, [0.0, 0.0758582, 0.3318122, 0.5, 0.5744425, 0.8698915, 1.0], [0.0, 0.1402074,
     0.6651386,
     1.0, 1.2222916, 0.6790816, 0.0]),
    ("tanh", {}, [-1.0, -0.9866143, -0.6043678, 0.0, 0.2913126, 0.9562375, 1.0], [0.0, 0.0531845,
     1.9042188,
     4.0, 4.5756848, 0.5136595, 0.0]),
    ("logsigmoid", {}, [-30.0, -2.5788897, -1.103186, -0.6931472, -0.5543552, -0.1393868, -0.0],
     [1.0,
     1.8482836, 2.0045633, 2.0, 2.1277874, 0.7806508, 0.0]),
    ("softsign", {}, [-0.9677419, -0.7142857, -0.4117647, 0.0, 0.2307692, 0.6551724, 0.9615385],
     [0.0010406,
     0.1632653, 1.0380623, 4.0, 2.9585799, 0.7134364, 0.010355]),
    ("softmax", {"dim": 0}, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0], [-0.0, -0.0, -0.0, -0.0, -0.0,
     -0.0, 0.0]),
    ("log_softmax", {"dim": 0}, [-55.0, -27.5, -25.7, -25.0, -24.7, -23.1, -0.0], [1.0, 2.0, 3.0,
     4.0, 5.0,
     6.0, -21.0]),
    ("softmin", {"dim": -1}, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, -0.0, -0.0, -0.0, -0.0,
     -0.0, -0.0]),
]
# fmt: on


@pytest.mark.parametrize(("name", "arguments", "values", "gradient"), ACTIVATIONS)
def test_activation(name, arguments, values, gradient):
    x = torch.tensor(POINTS, dtype=torch.float64, requires_grad=True)
    y = getattr(F, name)(x, **arguments)
    (y * torch.arange(1.0, 8.0, dtype=torch.float64)).sum().backward()
    close(y, values, 2e-7)
    close(x.grad, gradient, 2e-7)


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("name", sorted({name for name, *_ in ACTIVATIONS}))
def test_two_derivatives_far_out_are_numbers(name):
    x = torch.tensor([89.0, 1e3, 1e18, -89.0, -1e3, -1e18], requires_grad=True)
    arguments = next(a for n, a, *_ in ACTIVATIONS if n == name)
    first, = torch.autograd.grad(getattr(F, name)(x, **arguments).sum(), x, create_graph=True)
    assert first.isfinite().all()
    if first.requires_grad:
        second, = torch.autograd.grad(first.sum(), x)
        assert second.abs().max() < 1e-5


@pytest.mark.parametrize(
    "name", ["relu", "relu6", "leaky_relu", "elu", "selu", "silu", "hardtanh", "hardswish"]
)
def test_inplace_activation_changes_its_input(name):
    x = torch.tensor(POINTS, requires_grad=True)
    y = torch.tensor(POINTS, requires_grad=True)
    h = x * 1.0
    out = getattr(F, name)(h, inplace=True)
    assert out is h
    expected = getattr(F, name)(y)
    assert torch.equal(h, expected)
    h.sum().backward()
    expected.sum().backward()
    assert torch.allclose(x.grad, y.grad)


@pytest.mark.parametrize(("function", "dim"), [("softmax", 1), ("log_softmax", 1), ("softmin", 1)])
def test_softmax_guesses_the_dim_with_a_warning(function, dim):
    x = torch.tensor(X)
    with pytest.warns(
        UserWarning, match=f"Implicit dimension choice for {function} has been deprecated"
    ):
        guessed = getattr(F, function)(x)
    assert torch.equal(guessed, getattr(F, function)(x, dim=dim))
    assert F.softmax(torch.tensor([1, 2]), 0, dtype=torch.float64).dtype is torch.float64


@pytest.mark.parametrize("name", ["leaky_relu", "elu", "celu", "softplus", "hardtanh", "threshold"])
def test_a_complex_number_is_no_setting(name):
    f, numbers = getattr(F, name), (1j, 2.0) if name in ("hardtanh", "threshold") else (1j,)
    with pytest.raises((RuntimeError, TypeError)):
        f(torch.tensor(POINTS), *numbers)
    if name != "softplus":
        x = torch.tensor(POINTS)
        with pytest.raises((RuntimeError, TypeError)):
            f(x, *numbers, inplace=True)
        assert x.tolist() == torch.tensor(POINTS).tolist()


@pytest.mark.parametrize("f", [
    lambda x, a: F.elu(x, a), lambda x, a: F.elu_(x, a), lambda x, a: F.celu(x, a),
    lambda x, a: F.leaky_relu(x, a), lambda x, a: F.softplus(x, a, a),
    lambda x, a: F.hardtanh(x, -a, a), lambda x, a: F.threshold(x, a, a),
])  # fmt: skip
@pytest.mark.parametrize("shape", [(), (2,)])
def test_a_number_of_numpys_as_a_setting_promotes_nothing(f, shape):
    x = torch.full(shape, 0.3, requires_grad=True)
    y = f(x * 1, np.float64(0.7))
    (g,) = torch.autograd.grad((y * 1.5 + y * 0.1).sum(), x)  # two gradients meet, then the rule
    assert y.dtype == g.dtype == torch.float32
