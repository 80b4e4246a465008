"""Which operands, dtypes and numbers the elementwise functions take, as PyTorch 2.13 has it."""

import math

import numpy as np
import pytest

import microtorch as torch
from microtorch import autograd

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:microtorch")
nan, inf = math.nan, math.inf
F, D, W, B = (
    torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64),
    torch.tensor([1, 2, 3]), torch.tensor([True, False, True]),
)  # fmt: skip

ERRORS = {  # PyTorch's class
    TypeError: [
        lambda: torch.exp(1),
        lambda: torch.exp([1.0]),
        lambda: torch.atan2(F, 1),
        lambda: torch.maximum(1, F),
        lambda: torch.logical_and(F, 1),
        lambda: torch.fmod(2, F),
        lambda: torch.lt(2, F),
        lambda: torch.pow(2, 3),
        lambda: torch.xlogy(2, 3),
        lambda: torch.rsub(2, F),
        lambda: torch.lerp(F, 2.0, 0.3),
        lambda: torch.ldexp(F, 2),
        lambda: torch.isclose(F, 1.0),
        lambda: torch.equal(F, 1),
        lambda: torch.clamp_min(F, None),
        lambda: torch.where(B, F, "a"),
        lambda: torch.add(F, "a"),
    ],
    NotImplementedError: [
        lambda: torch.frac(W),
        lambda: torch.hypot(W, W),
        lambda: torch.logaddexp(W, W),
        lambda: torch.nextafter(W, W),
        lambda: torch.abs(B),
        lambda: torch.floor(B),
        lambda: torch.remainder(B, B),
        lambda: torch.floor_divide(B, B),
        lambda: torch.pow(B, B),
        lambda: torch.bitwise_not(F),
        lambda: F << 1,
        lambda: torch.lerp(W, W, 0.5),
        lambda: torch.round(W, decimals=1),
        lambda: torch.addcmul(B, B, B),
        lambda: torch.div(B, B, rounding_mode="trunc"),
    ],
    RuntimeError: [
        lambda: torch.neg(B),
        lambda: torch.positive(B),
        lambda: B - B,
        lambda: torch.add(W, W, alpha=2.5),
        lambda: torch.addcdiv(F, W, W),
        lambda: torch.lerp(F, D, 0.5),
        lambda: torch.isclose(F, D),
        lambda: torch.isclose(F, F, rtol=-1),
        lambda: torch.allclose(F, W),
        lambda: torch.isclose(F, F[:2]),
        lambda: torch.clamp(W.to(torch.int8), 0, 300),
        lambda: torch.clamp(F),
        lambda: torch.where(W, 1, 2),
        lambda: F.clone().float_power_(2),
        lambda: W.clone().clamp_(1.5),
    ],
}


@pytest.mark.parametrize(
    ("error", "i"), [(e, i) for e, calls in ERRORS.items() for i in range(len(calls))]
)
def test_error_classes(error, i):
    with pytest.raises(error) as caught:
        ERRORS[error][i]()
    assert issubclass(caught.type, NotImplementedError) == (error is NotImplementedError)


RESULTS = [  # (call, dtype, values)
    (lambda: torch.square(B), "int64", [1, 0, 1]),
    (lambda: torch.sgn(B), "bool", [True, False, True]),
    (lambda: torch.sign(torch.tensor([-2.0, nan])), "float32", [-1, 0]),
    (lambda: torch.fmax(F, torch.tensor(nan)), "float32", [1, 2, 3]),
    (lambda: torch.fmin(W, torch.tensor(2)), "int64", [1, 2, 2]),
    (lambda: torch.copysign(W, -1), "float32", [-1, -2, -3]),
    (lambda: torch.float_power(2, W), "float64", [2, 4, 8]),
    (lambda: torch.addcmul(W, W, W, value=2.5), "int64", [3, 10, 21]),
    (lambda: torch.add(B, B, alpha=2), "bool", [True, False, True]),
    (lambda: torch.div(-W, 2, rounding_mode="trunc"), "int64", [0, -1, -1]),
    (lambda: torch.isclose(W, W + 1, rtol=1), "bool", [True, True, True]),
    (lambda: torch.isclose(B, B), "bool", [True, True, True]),
    (
        lambda: torch.isclose(
            torch.tensor([nan, inf, -inf]), torch.tensor([nan, inf, inf]), equal_nan=True
        ),
        "bool", [True, True, False],
    ),
    (lambda: torch.nan_to_num(torch.tensor([nan, inf]), nan=7.0, posinf=2), "float32", [7, 2]),
    (lambda: torch.nan_to_num(torch.tensor([nan]), nan=inf), "float32", [inf]),
    (lambda: torch.nan_to_num(W), "int64", [1, 2, 3]),
    (lambda: torch.where(B, 1, 2.5), "float32", [1, 2.5, 1]),
    (lambda: torch.round(torch.tensor([1234.5, 2.5]), decimals=-2), "float32", [1200, 0]),
    (lambda: torch.round(torch.tensor([2.675, 0.125]), decimals=2), "float32", [2.68, 0.12]),
    (lambda: torch.clamp(F, min=nan), "float32", [nan, nan, nan]),
    (
        lambda: torch.clamp(F, torch.tensor([nan, 1.5, 0]), torch.tensor([1, 1.2, nan])),
        "float32", [nan, 1.2, nan],
    ),
    (lambda: torch.clamp(B, 0, 1), "int64", [1, 0, 1]),
    (lambda: torch.clamp(W.to(torch.uint8), -1, 2), "uint8", [2, 2, 2]),
    (lambda: torch.clamp(W, 1.5), "float32", [1.5, 2, 3]),
    (lambda: torch.lerp(F, F + 1, 1), "float32", [2, 3, 4]),
    (lambda: torch.logaddexp2(F, F), "float32", [2, 3, 4]),
    (lambda: F.clone().lerp_(F + 1, 0.25), "float32", [1.25, 2.25, 3.25]),
    (lambda: W.clone().gcd_(torch.tensor(2)), "int64", [1, 2, 1]),
    (lambda: W.clone().bitwise_left_shift_(1), "int64", [2, 4, 6]),
    (lambda: D.clone().float_power_(2), "float64", [1, 4, 9]),
    (lambda: F.clone().clamp_min_(2), "float32", [2, 2, 3]),
    (lambda: torch.signbit(torch.tensor([-0.0, 0.0])), "bool", [True, False]),
    (lambda: torch.isreal(W), "bool", [True, True, True]),
]  # fmt: skip


@pytest.mark.parametrize("i", range(len(RESULTS)))
def test_results(i):
    call, dtype, values = RESULTS[i]
    out = call()
    assert str(out.dtype) == f"torch.{dtype}"
    np.testing.assert_allclose(out.numpy(), values, 1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_a_remainder_of_0_has_the_sign_of_the_dividend(dtype):
    """As in PyTorch, whichever kernel computes it; Python and numpy give it the divisor's."""
    dtype = getattr(torch, dtype)
    x, y = [0.0, -0.0, 2, -2, 4, -4, -0.0, 0], [3.0, 3, 1, 1, -2, -2, -1, -1]
    signs = torch.signbit(torch.tensor(x))
    for times in (1, 40, 10_000):
        a, b = (torch.tensor(v * times, dtype=dtype) for v in (x, y))
        for out in (a % b, torch.remainder(a, b), torch.compile(torch.remainder)(a, b)):
            assert out.eq(0).all() and torch.equal(torch.signbit(out), signs.repeat(times))
    for number in (1, -1.0, inf):
        assert torch.equal(torch.signbit(a[:2] % number), signs[:2])
        out = torch.compile(lambda a: a % number)(a[:2])  # noqa: B023  (called at once)
        assert torch.equal(torch.signbit(out), signs[:2])


def test_a_remainder_of_0_of_scalars():
    for x, y in ((4.0, -2.0), (-4.0, 2.0), (-0.0, 3.0), (0.0, -1.0)):
        out = torch.Scalar(x).remainder(torch.Scalar(y))
        assert out.item() == 0 and math.copysign(1, out.item()) == math.copysign(1, x)


def test_equal_compares_values():
    assert torch.equal(F, D) and torch.equal(F, W) and not torch.equal(F, F[:2])
    assert not torch.equal(torch.tensor(nan), torch.tensor(nan))
    assert torch.allclose(F, F + 1e-9) and not torch.allclose(F, F + 1e-3)


def test_gradients_at_tensor_bounds():
    x = torch.tensor([0.0, 1.0, 2.0, 3.0], requires_grad=True)
    low = torch.tensor(1.0, requires_grad=True)
    high = torch.tensor(2.0, requires_grad=True)
    grads = autograd.grad(torch.clamp(x, low, high).sum(), (x, low, high))
    assert [g.tolist() for g in grads] == [[0, 1, 1, 0], 1, 1]


def test_a_rounded_quotient_has_gradient_0():
    x, y = (torch.tensor([v, 2.5], requires_grad=True) for v in (7.5, -3.0))
    for mode in ("floor", "trunc"):
        grads = autograd.grad(torch.div(x, y, rounding_mode=mode).sum(), (x, y))
        assert [g.tolist() for g in grads] == [[0, 0], [0, 0]]


def gradients(f, g, *values):
    operands = [torch.tensor(v, requires_grad=True) for v in values]
    f(*operands).backward(torch.tensor(g))
    return [t.grad.item() for t in operands]


def test_gradients_at_nan_and_where_none_arrives():
    """PyTorch 2.13's."""
    for f in (torch.maximum, torch.minimum):
        assert gradients(f, 1.0, 1.0, nan) == gradients(f, 1.0, nan, 1.0) == [1, 1]
        assert gradients(f, 1.0, 2.0, 2.0) == [0.5, 0.5]
    for y in (-1.0, -2.0):
        assert gradients(torch.xlogy, 0.0, 1.0, y)[0] == 0
        assert gradients(torch.special.xlog1py, 0.0, 1.0, y)[0] == 0
    assert math.isnan(gradients(torch.xlogy, 0.0, 1.0, nan)[0])


@pytest.mark.parametrize("name", ["atan2", "logaddexp", "logaddexp2", "pow"])
def test_a_derivative_that_would_subtract_a_mask_raises(name):
    f, refused = getattr(torch, name), {"atan2": [1], "pow": [0]}.get(name, [0, 1])
    for place in (0, 1):  # of the operand with gradient
        x = torch.tensor([0.3, 0.4, 0.5], requires_grad=True)
        out = f(x, B) if place == 0 else f(B, x)
        expected = f(x, B.float()) if place == 0 else f(B.float(), x)
        assert torch.equal(out, expected)
        if place in refused:
            with pytest.raises(RuntimeError, match=r"the `-` operator, (on|with) a bool tensor"):
                out.sum().backward()
        else:
            out.sum().backward()
            assert x.grad is not None
        assert not f(x.detach(), B).requires_grad


# ---- derivatives far from 0 ----------------------------------------------------------------------
def bell(x):
    """s(x) s(-x), the derivative of s(x) = 1 / (1 + exp(-x))."""
    return math.exp(-abs(x)) / (1 + math.exp(-abs(x))) ** 2


def bell2(x):
    """The second derivative of log2(2**x + 1)."""
    return LN2 * bell(x * LN2)


def sinc2(x):
    """The second derivative of sin(pi x) / (pi x)."""
    a = math.pi * x
    if abs(x) < 0.05:
        return -(math.pi**2) * (1 / 3 - a**2 / 10 + a**4 / 168 - a**6 / 6480)
    value = math.sin(a) / a
    return -(math.pi**2) * value - 2 * (math.cos(a) - value) / x**2


LN2 = math.log(2)
TAILS = [-80.0, -20.5, -12.0, -3.0, 0.0, 3.0, 12.0, 20.5, 80.0]


@pytest.mark.parametrize(
    ("f", "second", "places"),
    [
        (torch.nn.functional.logsigmoid, lambda x: -bell(x), TAILS),
        (lambda x: torch.logaddexp(x, torch.zeros_like(x)), bell, TAILS),
        (lambda x: torch.logaddexp(torch.zeros_like(x), x), bell, TAILS),
        (lambda x: torch.logaddexp2(x, torch.zeros_like(x)), bell2, TAILS),
        (lambda x: torch.logaddexp2(torch.zeros_like(x), x), bell2, TAILS),
        (torch.sinc, sinc2, [0.0, 1e-30, -1e-8, 1e-4, -0.01, 0.0625, 0.5, 1.0, -3.5]),
    ],
)
@pytest.mark.parametrize(
    ("dtype", "digits"), [(torch.float64, 1e-13), (torch.float32, 1e-5), (torch.bfloat16, 0.02)]
)
def test_second_derivatives_keep_their_digits(f, second, places, dtype, digits):
    x = torch.tensor(places, dtype=dtype, requires_grad=True)
    (g,) = autograd.grad(f(x).sum(), x, create_graph=True)
    (h,) = autograd.grad(g.sum(), x)
    assert h.tolist() == [pytest.approx(second(v), rel=digits, abs=0) for v in x.tolist()]


def test_second_derivatives_where_nothing_is_left_of_the_smaller_one():
    x = torch.tensor([-math.inf, -2000.0, 2000.0, math.inf], requires_grad=True)
    for f in (torch.logaddexp, torch.logaddexp2):
        (g,) = autograd.grad(f(x, torch.zeros_like(x)).sum(), x, create_graph=True)
        (h,) = autograd.grad(g.sum(), x)
        assert g.tolist() == [0, 0, 1, 1] and h.tolist() == [0] * 4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_gelu_by_tanh_far_from_0(dtype):
    """Its derivatives are those of x there, or 0: no 0 times infinity."""
    x = torch.tensor([-6e4, -300.0, -104.0, 104.0, 300.0, 6e4], dtype=dtype, requires_grad=True)
    y = torch.nn.functional.gelu(x, approximate="tanh")
    (g,) = autograd.grad(y.sum(), x, create_graph=True)
    (h,) = autograd.grad(g.sum(), x)
    assert g.tolist() == [0, 0, 0, 1, 1, 1] and h.tolist() == [0] * 6


def test_gelu_by_tanh_keeps_the_digits_of_its_second_derivative():
    x = torch.tensor([-4.0, 4.0], requires_grad=True)
    y = torch.nn.functional.gelu(x, approximate="tanh")
    (g,) = autograd.grad(y.sum(), x, create_graph=True)
    (h,) = autograd.grad(g.sum(), x)
    assert h.tolist() == [pytest.approx(-0.00147412, rel=1e-4)] * 2
