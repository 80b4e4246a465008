"""A derivative that reads a value for a choice only has the derivative 0, not none. As PyTorch."""
import pytest

import microtorch as torch
from microtorch.nn import functional as F

TIED = {
    "relu": torch.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "hardtanh": F.hardtanh,
    "prelu": lambda x: F.prelu(x, torch.tensor([0.25])),
    "abs": torch.abs,
    "smooth_l1": lambda x: F.smooth_l1_loss(x, torch.zeros(2), reduction="sum"),
    "max_pool1d": lambda x: F.max_pool1d(x[None], 2),
    "avg_pool1d": lambda x: F.avg_pool1d(x[None], 2),
    "nll_loss": lambda x: F.nll_loss(x[None], torch.tensor([1])),
    "reflect": lambda x: F.pad(x[None], (1, 0), mode="reflect"),
    "replicate": lambda x: F.pad(x[None], (1, 1), mode="replicate"),
    "relu_": lambda x: (x * 1).relu_(),
    "fmod": lambda x: torch.fmod(torch.ones(2), x),
    # PyTorch computes all gradients at once, of all that is kept
    "weight of conv1d": lambda x: F.conv1d(torch.ones(1, 2, 3), x.reshape(1, 2, 1)),
    "weight of conv2d": lambda x: F.conv2d(torch.ones(1, 2, 3, 3), x.reshape(1, 2, 1, 1)),
    "weight of conv3d": lambda x: F.conv3d(torch.ones(1, 2, 3, 3, 3), x.reshape(1, 2, 1, 1, 1)),
    "weight of conv_transpose1d": lambda x: F.conv_transpose1d(
        torch.ones(1, 2, 3), x.reshape(2, 1, 1)
    ),
    "weight of layer_norm": lambda x: F.layer_norm(torch.ones(3, 2), (2,), x),
    "weight of batch_norm": lambda x: F.batch_norm(torch.ones(3, 2), None, None, x, training=True),
    "weight of prelu": lambda x: F.prelu(torch.ones(3, 2), x),
}
UNTIED = {
    "clamp": lambda x: x.clamp(-1, 1),
    "maximum": lambda x: torch.maximum(x, torch.zeros(2)),
    "fmax": lambda x: torch.fmax(x, torch.zeros(2)),
    "fmin": lambda x: torch.fmin(x, torch.zeros(2)),
    "gather": lambda x: x.gather(0, torch.tensor([1, 1])),
    "bias of layer_norm": lambda x: F.layer_norm(torch.ones(3, 2), (2,), None, x),
    "weight of linear": lambda x: F.linear(torch.ones(3, 2), x[None]),
    "amax": lambda x: x.amax(0),
    "where": lambda x: torch.where(x > 0, x, 0.0),
    "sum": torch.sum,
    "median": torch.median,
    "clamp to tensors": lambda x: x.clamp(torch.zeros(2)),
    "nan_to_num": lambda x: x.nan_to_num(),
    "scatter_reduce": lambda x: torch.zeros(1).scatter_reduce(0, torch.tensor([0, 0]), x, "amax"),
    "circular": lambda x: F.pad(x[None], (1, 1), mode="circular"),
    "constant": lambda x: F.pad(x, (1, 1)),
    "floor": torch.floor,
    "div": lambda x: torch.div(x, 0.5, rounding_mode="floor"),
}


def first_gradient(f, g=None):
    dtype = torch.float32 if g is None else g.dtype
    x = torch.tensor([2.5, -2.5], dtype=dtype, requires_grad=True)
    y = f(x)
    g = torch.ones(y.shape) if g is None else g.expand(y.shape)
    return x, torch.autograd.grad(y, x, g, create_graph=True)[0]


@pytest.mark.parametrize("f", TIED.values(), ids=TIED)
def test_the_second_derivative_is_zero(f):
    x, g = first_gradient(f)
    g.sum().backward()
    assert x.grad.tolist() == [0, 0]


@pytest.mark.parametrize("f", UNTIED.values(), ids=UNTIED)
def test_there_is_no_second_derivative(f):
    assert not first_gradient(f)[1].requires_grad


@pytest.mark.parametrize("name", ["floor", "div"])
def test_the_gradient_of_a_step_is_a_constant(name):
    incoming = torch.ones((), requires_grad=True)
    assert not first_gradient(UNTIED[name], incoming)[1].requires_grad


def test_a_bias_below_a_relu_gets_zeros_from_a_gradient_penalty():
    torch.manual_seed(0)  # not all units are dead
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    x = torch.ones(1, 2, requires_grad=True)
    (g,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
    g.norm().backward()
    assert model[0].bias.grad.tolist() == [0, 0, 0]
    assert x.grad.tolist() == [[0, 0]]


# ---- second derivatives at kinks -----------------------------------------------------------------
def second(f, at):
    x = torch.tensor([at], requires_grad=True)
    (g,) = torch.autograd.grad(f(x), x, create_graph=True)
    return torch.autograd.grad(g.sum(), x)[0].item()


@pytest.mark.parametrize(
    ("f", "at", "value"),
    [
        (lambda x: F.smooth_l1_loss(x, torch.zeros(1)), 0.0, 1),
        (lambda x: F.smooth_l1_loss(x, torch.zeros(1)), 1.0, 0),
        (lambda x: F.huber_loss(x, torch.zeros(1)), 0.0, 1),
        (lambda x: F.huber_loss(x, torch.zeros(1)), 1.0, 0),
        (lambda x: F.prelu(x, torch.tensor([0.25])).sum(), 0.0, 0),
        (lambda x: x.relu().sum(), 0.0, 0),
    ],
)
def test_second_derivatives_at_kinks(f, at, value):
    assert second(f, at) == value


# ---- what a derivative does not read may be overwritten ------------------------------------------
def test_the_output_of_max_pool_may_be_overwritten():
    x = torch.arange(16.0).reshape(1, 1, 4, 4).requires_grad_()
    y = F.max_pool2d(x, 2)
    y.mul_(3)
    with torch.no_grad():
        y.add_(1)
    y.sum().backward()
    expected = torch.zeros(4, 4)
    expected[1::2, 1::2] = 3
    assert x.grad[0, 0].tolist() == expected.tolist()


def test_an_operand_of_einsum_whose_partner_needs_no_gradient_may_be_overwritten():
    w = torch.ones(2, 2, requires_grad=True)
    a = w * 1
    c = torch.einsum("ij,jk->ik", a, torch.ones(2, 2))
    a.mul_(2)
    c.sum().backward(create_graph=True)
    assert w.grad.tolist() == [[2, 2], [2, 2]]


@pytest.mark.parametrize("copy", [lambda x: x.repeat(1), lambda x: x.tile(1)])
def test_repeat_and_tile_are_copies(copy):
    x = torch.zeros(3)
    copy(x).add_(1)
    assert x.tolist() == [0, 0, 0]
    y = torch.zeros(2).repeat(2, 1)
    y[0] = 5
    assert y.tolist() == [[5, 5], [0, 0]]


@pytest.mark.parametrize("f", [torch.sign, torch.floor, torch.round, torch.angle])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_gradient_of_a_step_is_zero_whatever_comes_in(f, dtype):
    if f is torch.angle and dtype != torch.float32:
        pytest.skip("has no kernel for 16 bits")
    coming = torch.tensor([float("nan"), float("inf")], dtype=dtype)
    assert first_gradient(f, coming)[1].tolist() == [0, 0]


def test_the_gradient_of_a_region_of_nothing_that_was_written_is_a_constant():
    for region in (lambda t: t[:0], lambda t: t[:, 2:2], lambda t: t.as_strided((0, 2), (1, 1))):
        x = torch.ones(3, 3, requires_grad=True)
        y = x * 1
        part = region(y)
        part.mul_(2)
        (g,) = torch.autograd.grad((part * part).sum(), x, create_graph=True)
        assert g.shape == x.shape and not g.any() and not g.requires_grad
        (g,) = torch.autograd.grad((y * y).sum(), x, create_graph=True)
        assert g.requires_grad and torch.equal(g, 2 * x)


def test_the_second_derivative_of_a_product_passes_its_result():
    x = torch.tensor([2.0, 3.0], requires_grad=True)
    y = x.prod()
    y.register_hook(lambda g: g * 2)
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    assert g.tolist() == [6, 4]
    g.sum().backward()  # the hook is called again on what flows through y
    assert torch.allclose(x.grad, torch.tensor([7, 16 / 3]))
