"""Scalar: micrograd's habits on the one engine, tensors' formulas, and both in one graph."""
import math

import pytest

import microtorch as torch
from microtorch import Scalar
from microtorch.autograd import grad


def test_micrograds_example():
    """The sanity check of micrograd's README; its numbers."""
    a, b = Scalar(-4.0), Scalar(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    assert f"{g.data:.4f} {a.grad:.4f} {b.grad:.4f}" == "24.7041 138.8338 645.5773"


def test_every_value_shows_its_gradient():
    a, b = Scalar(2.0, label="a"), Scalar(-3.0)
    c = a * b
    assert a.grad is None and repr(a) == "Scalar(a: data=2, grad=None)"
    d = c + b
    d.backward()
    assert (a.grad, b.grad, c.grad, d.grad) == (-3, 3, 1, 1)
    assert repr(c) == "Scalar(data=-6, grad=1)"


def test_gradients_add_up_until_reset():
    z = Scalar(3.0)
    (z * z).backward()
    (z * z).backward()
    assert z.grad == 12
    z.grad = 0.0
    (z * z).backward()
    assert z.grad == 6
    z.grad = None
    (z * z).backward()
    assert z.grad == 6


def test_a_graph_may_be_used_again():
    """Scalars drop nothing: there is nothing to save."""
    z = Scalar(3.0)
    w = z * z
    w.backward()
    w.backward()
    assert z.grad == 12


def test_operators():
    a = Scalar(2.0)
    values = [
        a + 1, 1 + a, a - 1, 1 - a, a * 3, 3 * a, a / 4, 4 / a, a**3, 3**a, -a, abs(-a), a + True,
    ]  # fmt: skip
    assert [v.data for v in values] == [3, 3, 1, -1, 6, 6, 0.5, 2, 8, 9, -2, 2, 3]
    assert a > 1 and a >= 2 and a == 2.0
    assert not (a < 1 or a <= 1 or a != 2.0)
    assert (float(a), int(a), bool(a)) == (2.0, 2, True)
    assert f"{a:.3f}" == "2.000" and math.sqrt(Scalar(4.0)) == 2.0
    assert sum([a, a]).data == 4 and max(a, Scalar(3.0)).data == 3 and {a: 1}[a] == 1


@pytest.mark.parametrize(
    "name",
    "relu tanh exp log sigmoid sin cos sqrt abs square erf atan log1p reciprocal".split(),
)
def test_functions_are_those_of_tensors(name):
    s, t = Scalar(0.7), torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    y, u = getattr(s, name)(), getattr(t, name)()
    y.backward()
    u.backward()
    assert y.data == pytest.approx(u.item(), abs=1e-12)
    assert s.grad == pytest.approx(t.grad.item(), abs=1e-12)


def test_infinities_instead_of_exceptions():
    zero = Scalar(0.0)
    assert (1 / zero).data == math.inf and zero.log().data == -math.inf
    assert Scalar(1e4).exp().data == math.inf
    assert math.isnan((Scalar(-1.0) ** 0.5).data)


def test_higher_orders():
    x = Scalar(3.0)
    (first,) = grad(x**3, x, create_graph=True)
    (second,) = grad(first, x, create_graph=True)
    (third,) = grad(second, x)
    assert (float(first), float(second), float(third)) == (27, 18, 6)
    y = x * x * x
    y.backward(create_graph=True)
    g, x.grad = x.grad, None
    g.backward()
    assert x.grad == 18


def test_modes_detach_and_constants():
    x = Scalar(3.0)
    with torch.no_grad():
        assert not (x * 2).requires_grad
    assert not x.detach().requires_grad and (x.detach() * x).requires_grad
    fixed = Scalar(2.0, requires_grad=False)
    (x * fixed).backward()
    assert x.grad == 2 and fixed.grad is None
    with pytest.raises(RuntimeError, match="does not require grad"):
        (fixed * 2).backward()


def test_training_a_neuron_by_setting_data():
    w, b = Scalar(0.0), Scalar(0.0)
    for _ in range(200):
        loss = sum(((w * x + b) - (3 * x - 1)) ** 2 for x in (-1.0, 0.0, 1.0, 2.0))
        w.grad = b.grad = None
        loss.backward()
        for p in (w, b):
            p.data -= 0.05 * p.grad
    assert (w.data, b.data) == pytest.approx((3, -1), abs=1e-4)


def test_data_set_too_early_is_noticed():
    x = Scalar(3.0)
    y = x * x
    x.data = 5.0
    with pytest.raises(
        RuntimeError, match=r"changed after mul, made at test_scalar.py:\d+, had used it"
    ):
        y.backward()
    with pytest.raises(RuntimeError, match="only a leaf Scalar's data can be set"):
        y.data = 1.0
    (x * x).backward()
    assert x.grad == 10


def test_graph_surface():
    a, b = Scalar(1.0), Scalar(2.0, requires_grad=False)
    c = a * b
    assert (a.is_leaf, c.is_leaf, a.grad_fn, c.grad_fn is c) == (True, False, None, True)
    assert c.name() == "MulBackward0" and c.next_functions == ((a, 0), (None, 0))
    assert c.inputs == (a, b) and c.where().file == __file__ and c.shape == ()


# ---- both worlds ---------------------------------------------------------------------------------
def test_scalars_into_a_tensor():
    a, b = Scalar(2.0), Scalar(3.0)
    t = Scalar.stack([a, b, 4.0])
    assert t.tolist() == [2, 3, 4] and t.dtype == torch.float32 and t.requires_grad
    ((t * t).sum() * a).backward()
    assert (a.grad, b.grad) == (29 + 8, 12)


def test_elements_out_of_a_tensor():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    s = x.scalars()
    (s[0][0] * s[1][1] + s[0][1]).backward()
    assert x.grad.tolist() == [[4, 1], [0, 1]]


def test_a_neuron_of_scalars_on_a_layer_of_tensors():
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 2)
    v = [Scalar(0.5), Scalar(-1.5)]
    hidden = layer(torch.ones(3)).tanh()
    out = sum(a * h for a, h in zip(v, hidden.scalars(), strict=True))
    loss = (Scalar.stack([out]) - 1).pow(2).sum()
    loss.backward()
    weights = torch.tensor([0.5, -1.5], dtype=torch.float32, requires_grad=True)
    again = (
        weights
        @ torch.nn.functional.linear(
            torch.ones(3), layer.weight.detach(), layer.bias.detach()
        ).tanh()
        - 1
    ) ** 2
    again.backward()
    assert loss.item() == pytest.approx(again.item(), rel=1e-6)
    assert [s.grad for s in v] == pytest.approx(weights.grad.tolist(), rel=1e-5)
    assert layer.weight.grad.shape == (2, 3) and layer.weight.grad.abs().min() > 0


def test_mixed_arithmetic():
    x, a = torch.tensor([1.0, 2.0], requires_grad=True), Scalar(3.0)
    for y in (x * a, a * x):
        assert isinstance(y, torch.Tensor) and y.tolist() == [3, 6]
        y.sum().backward()
    assert a.grad == 6 and x.grad.tolist() == [6, 6]
    assert torch.relu(a).item() == 3
    assert torch.tensor([a, 1.0]).dtype == torch.float32


def test_second_derivatives_through_both_worlds():
    x = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    s = x.scalars()[0]
    (g,) = grad(s**3, x, create_graph=True)
    assert g.tolist() == [12]
    (h,) = grad(g.sum(), x)
    assert h.tolist() == [12]


# ---- misuse --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wrong", "kind", "text"),
    [
        (lambda: Scalar("2"), TypeError, "takes a number, not str"),
        (lambda: Scalar(2.0) + "x", TypeError, "unsupported operand"),
        (lambda: Scalar(2.0) < "x", TypeError, "not supported"),
        (lambda: Scalar(2.0).tanhh(), AttributeError, "tanhh"),
    ],
)
def test_misuse(wrong, kind, text):
    with pytest.raises(kind, match=text):
        wrong()
