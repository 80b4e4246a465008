"""Ops on float16 and bfloat16: those of float32, rounded once; gradients in the tensor's dtype."""

import math

import numpy as np
import pytest

import microtorch as torch

pytest.importorskip("ml_dtypes")
F = torch.nn.functional
KINDS = pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)


def numbers(*shape, dtype, seed=0, positive=False):
    """Numbers around 1 that ``dtype`` holds."""
    x = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return torch.tensor(np.abs(x) + 0.1 if positive else x).to(dtype)


def exact(t, dtype):
    """What float32 gives, rounded to ``dtype``, as float32 numbers."""
    return t.detach().to(dtype).float().numpy()


UNARY = (
    "neg abs exp exp2 expm1 log log1p log2 log10 sqrt rsqrt reciprocal square sin cos tan sinh "
    "cosh tanh asinh atan erf erfc sigmoid relu floor ceil round trunc frac sign deg2rad logit "
    "softmax log_softmax sum mean var std prod cumsum cumprod logsumexp amax amin norm t flatten "
    "sort argmax isnan logcumsumexp median"
).split()
ALONG = {"softmax", "log_softmax", "cumsum", "cumprod", "logsumexp", "logcumsumexp"}


@KINDS
@pytest.mark.parametrize("name", UNARY)
def test_of_one_operand(dtype, name):
    x = numbers(4, 5, dtype=dtype, positive=True)
    x = x / 8 if name in ("logit", "prod", "cumprod") else x
    arguments = (1,) if name in ALONG else ()
    half, wide = (getattr(v, name)(*arguments) for v in (x, x.float()))
    if name == "sort":
        half, wide = half[0], wide[0]
    assert half.dtype is (dtype if wide.dtype is torch.float32 else wide.dtype)
    got = exact(half, dtype) if half.is_floating_point() else half.numpy()
    np.testing.assert_array_equal(got, exact(wide, dtype) if wide.dtype is torch.float32 else wide)


BINARY = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "pow": lambda x, y: x**y,
    "maximum": torch.maximum,
    "hypot": torch.hypot,
    "atan2": torch.atan2,
    "remainder": torch.remainder,
    "fmod": torch.fmod,
    "logaddexp": torch.logaddexp,
    "matmul": lambda x, y: x @ y.mT,
    "linear": F.linear,
    "addmm": lambda x, y: torch.addmm(x[:, :4], x, y.mT, beta=0.3, alpha=0.7),
    "baddbmm": lambda x, y: torch.baddbmm(x[None, :, :4], x[None], y.mT[None]),
    "addcmul": lambda x, y: torch.addcmul(x, x, y, value=0.3),
    "addcdiv": lambda x, y: torch.addcdiv(x, x, y, value=0.3),
    "where": lambda x, y: torch.where(x > y, x, y),
    "lerp": lambda x, y: torch.lerp(x, y, 0.3),
    "einsum": lambda x, y: torch.einsum("ij,kj->ik", x, y),
    "cat": lambda x, y: torch.cat((x, y)),
    "lt": lambda x, y: x < y,
    "dot": lambda x, y: x[0].dot(y[0]),
    "attention": lambda x, y: F.scaled_dot_product_attention(x[None], y[None], y[None]),
    "conv": lambda x, y: F.conv2d(x[None, None], y[None, None, :2, :2], padding=1),
    "mse_loss": F.mse_loss,
    "group_norm": lambda x, y: F.group_norm(x[:, :4, None], 2, y[0, :4], y[1, :4]),
    "layer_norm": lambda x, y: F.layer_norm(x, (5,), y[0], y[1]),
    "pool": lambda x, y: F.avg_pool2d((x * y)[None], 2),
    "nll_loss": lambda x, y: F.nll_loss(x, torch.arange(4)),
    "nll_loss of some": lambda x, y: F.nll_loss(x, torch.tensor([-100, 0, 4, -100])),
    "nll_loss of others": lambda x, y: F.nll_loss(x, torch.arange(4), ignore_index=2),
}


@KINDS
@pytest.mark.parametrize("name", BINARY)
def test_of_two_operands(dtype, name):
    f = BINARY[name]
    x, y = (numbers(4, 5, dtype=dtype, seed=i, positive=True) for i in (1, 2))
    if name == "pool":
        f = lambda x, y: F.avg_pool2d(x[None], 2)  # noqa: E731
    half, wide = f(x, y), f(x.float(), y.float())
    assert half.dtype is (dtype if wide.dtype is torch.float32 else wide.dtype)
    if not wide.is_floating_point():
        assert torch.equal(half, wide)
        return
    np.testing.assert_array_equal(exact(half, dtype), exact(wide, dtype))


@KINDS
@pytest.mark.parametrize("name", [n for n in BINARY if n not in ("lt", "pool")])
def test_gradients_have_the_operands_dtype_and_are_those_of_float32(dtype, name):
    f = BINARY[name]
    gradients = []
    for kind in (dtype, torch.float32):
        x, y = (
            numbers(4, 5, dtype=dtype, seed=i, positive=True).to(kind).requires_grad_()
            for i in (1, 2)
        )
        f(x, y).sum().backward()
        assert all(t.grad is None or t.grad.dtype is kind for t in (x, y))
        gradients.append([t.grad.float().numpy() for t in (x, y) if t.grad is not None])
    for half, wide in zip(*gradients, strict=True):
        scale = np.abs(wide).max()
        np.testing.assert_allclose(half, wide, atol=2 * torch.finfo(dtype).eps * scale)


@KINDS
def test_second_derivatives(dtype):
    x = torch.tensor([0.5, 1.5]).to(dtype).requires_grad_()
    (g,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    assert g.dtype is h.dtype is dtype and h.tolist() == [3.0, 9.0]


@pytest.mark.filterwarnings("ignore:overflow")  # of sums that float16 does not hold
@KINDS
def test_sums_are_added_up_in_float32(dtype):
    x = torch.full((70000,), 1.0).to(dtype)
    assert x.mean().item() == 1.0 and x.sum(dtype=torch.float32).item() == 70000
    assert x[:3000].cumsum(0)[-1].item() == torch.tensor(3000.0).to(dtype).item()
    assert (x[:4096] @ x[:4096]).item() == 4096.0
    big = torch.full((4,), 60000.0).to(dtype)
    assert big.mean().item() == big[0].item() and big.std().item() == 0.0


@KINDS
def test_a_number_beside_it_is_rounded_as_in_pytorch(dtype):
    """A factor and a divisor are not rounded to 16 bits, a summand and a bound are."""
    x = torch.tensor([0.3, 1.7, 5.3, -2.6]).to(dtype)
    np.testing.assert_array_equal((x * 0.1).float(), exact(x.float() * 0.1, dtype))
    np.testing.assert_array_equal((x / 0.1).float(), exact(x.float() / 0.1, dtype))
    np.testing.assert_array_equal((0.1 * x).float(), exact(x.float() * 0.1, dtype))
    tenth = torch.tensor(0.1).to(dtype)
    np.testing.assert_array_equal((x + 0.1).float(), exact(x.float() + tenth.float(), dtype))
    assert (tenth == 0.1).item() and not (tenth > 0.1).item()
    scaled = x.clone().requires_grad_()
    (scaled * 0.1).sum().backward()
    assert scaled.grad.tolist() == [tenth.item()] * 4
    y = x.clone()
    y *= 0.1
    assert torch.equal(y, x * 0.1)


@KINDS
@pytest.mark.parametrize("wide", [torch.float32, torch.float64])
def test_a_number_in_a_tensor_beside_it_is_rounded_as_one_alone(dtype, wide):
    x, tenth = torch.linspace(-3, 3, 61).to(dtype), torch.tensor(0.1, dtype=wide)
    for f in (
        lambda a, b: a * b, lambda a, b: a / b, lambda a, b: a // b,
        lambda a, b: torch.div(a, b, rounding_mode="trunc"), lambda a, b: a.clone().mul_(b),
    ):
        out = f(x, tenth)
        assert out.dtype == dtype and torch.equal(out, f(x, 0.1))
    leaf = x.clone().requires_grad_()
    (g,) = torch.autograd.grad((leaf * tenth).sum(), leaf, create_graph=True)
    assert g.dtype == dtype and g.tolist() == [torch.tensor(0.1).to(dtype).item()] * 61


@KINDS
def test_writes_in_place_and_views(dtype):
    x = torch.zeros(3, 4, dtype=dtype)
    x.t()[1] += 1.5
    x[0, :2] = torch.tensor([7.0, 8.0])
    x.add_(x).clamp_(max=9).mul_(torch.ones(4))
    assert x.tolist() == [[9.0, 9.0, 0.0, 0.0], [0.0, 3.0, 0.0, 0.0], [0.0, 3.0, 0.0, 0.0]]
    x.masked_fill_(x > 3, math.inf)
    assert x.isinf().sum() == 2 and x[::2, 1::2].is_contiguous() is False
    a = torch.ones(2, 2, dtype=dtype, requires_grad=True)
    b = a * 1
    b[0] *= 3
    b.sum().backward()
    assert a.grad.tolist() == [[3.0, 3.0], [1.0, 1.0]] and a.grad.dtype is dtype
    i = torch.tensor([0, 0, 1])
    added = torch.zeros(2, dtype=dtype).index_add(0, i, torch.ones(3, dtype=dtype))
    assert added.tolist() == [2.0, 1.0] and x[i].dtype is dtype


@KINDS
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0)])
def test_empty_and_0_d(dtype, shape):
    x = torch.ones(shape, dtype=dtype).requires_grad_()
    for f in (torch.exp, lambda v: v * 2, lambda v: v.sum(), lambda v: v.float()):
        x.grad = None
        y = f(x)
        y.sum().backward()
        assert x.grad.dtype is dtype and x.grad.shape == shape
    assert x.detach().to(torch.float64).to(dtype).shape == shape


@KINDS
def test_not_contiguous(dtype):
    x = numbers(600, 8, dtype=dtype)
    for v in (x.t(), x[::3], x[:, 1:3], x.flip(0)):
        np.testing.assert_array_equal((v + v).float(), exact(v.float() * 2, dtype))
        assert torch.equal(v.contiguous(), v) and v.sum().dtype is dtype


def test_operands_of_two_16_bit_types():
    half, short = torch.ones(2, 2).half(), torch.ones(2, 2).bfloat16()
    assert (half + short).dtype is torch.float32
    with pytest.raises(RuntimeError, match="same dtype"):
        half @ short
    with pytest.raises(RuntimeError, match="dtype"):
        torch.addmm(half, half, short)
    with pytest.raises(RuntimeError, match="dtype"):
        F.linear(half, short)


def test_what_has_no_16_bit_numbers_says_so():
    x = torch.eye(2).bfloat16()
    for f in (torch.linalg.inv, torch.linalg.svd, torch.linalg.matrix_rank):
        with pytest.raises(RuntimeError, match="Low precision"):
            f(x)
    with pytest.raises(NotImplementedError, match="geqrf"):
        torch.nn.init.orthogonal_(x)


def test_two_half_types_through_casts():
    x = torch.tensor([0.1, 1000.0]).requires_grad_()
    (x.bfloat16() * 3).half().float().sum().backward()
    assert x.grad.dtype is torch.float32 and x.grad.tolist() == [3.0, 3.0]


@pytest.mark.parametrize("f", [torch.addcmul, torch.addcdiv])
def test_a_half_beside_wider_operands_is_promoted(f):
    half, wide = torch.ones(2, dtype=torch.float16), torch.ones(2)
    assert f(half, wide, half).dtype == torch.float32
    assert f(half, half, half.bfloat16()).dtype == torch.float32
    assert f(half, half, torch.ones(())).dtype == torch.float16  # 0-d: no dimension outranked
    with pytest.raises(RuntimeError, match="dtype"):
        torch.addmm(half.expand(2, 2), wide.expand(2, 2), wide.expand(2, 2))


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
@KINDS
def test_a_rounded_quotient_has_the_derivative_0_also_of_a_divisor_0(dtype):
    x = torch.tensor([1.0, 0.0], dtype=dtype, requires_grad=True)
    y = torch.zeros(2, dtype=dtype, requires_grad=True)
    torch.div(x, y, rounding_mode="trunc").sum().backward()
    assert x.grad.tolist() == y.grad.tolist() == [0, 0]


@KINDS
def test_a_choice_between_a_tensor_of_one_element_and_a_number(dtype):
    x = torch.tensor(0.5, dtype=dtype, requires_grad=True)
    (x.norm(math.inf) * 2).double().backward(create_graph=True)
    assert x.grad.dtype == dtype
    with pytest.raises(RuntimeError, match="more than one element"):
        torch.ones(3, dtype=dtype, requires_grad=True).mul(1).expand(2, 3).add_(1)


def test_the_bound_of_hardshrink_is_of_the_dtype():
    x = torch.tensor([0.3, 0.31], dtype=torch.bfloat16)
    assert x.hardshrink(0.3).tolist() == [0, x[1].item()]


@KINDS
def test_a_gradient_comes_back_in_the_dtype_of_what_was_copied(dtype):
    other = torch.bfloat16 if dtype == torch.float16 else torch.float16
    source = torch.ones(2, dtype=other, requires_grad=True)
    target = torch.zeros(2, 2, dtype=dtype)
    target.copy_(source)
    target.sum().backward()
    assert source.grad.dtype == other and source.grad.tolist() == [2, 2]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("decimals", [1, 2, 3, -1])
def test_decimals_are_rounded_in_float32(dtype, decimals):
    x = torch.tensor([2812.79, -270.53, 9.417, 0.0921, 65504.0], dtype=dtype)
    wide = x.float().round(decimals=decimals)
    assert torch.equal(x.round(decimals=decimals), wide.to(dtype))
    assert torch.equal(x.clone().round_(decimals=decimals), wide.to(dtype))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("n", [5, 4000])
def test_the_factor_of_add_is_rounded_first(dtype, n):
    x, y = (torch.linspace(-3, 9, n).to(dtype) for _ in range(2))
    factor = torch.tensor(0.3337).to(dtype).item()
    want = (x.float() + factor * y.float()).to(dtype)
    assert torch.add(x, y, alpha=0.3337).equal(want)
    assert x.clone().add_(y, alpha=0.3337).equal(want)
    want = (x.float() - factor * y.float()).to(dtype)
    for difference in (
        torch.sub(x, y, alpha=0.3337), x.clone().sub_(y, alpha=0.3337),
        torch.rsub(y, x, alpha=0.3337),
    ):  # fmt: skip
        assert difference.equal(want)
    y.requires_grad_()
    assert torch.sub(x, y, alpha=2).grad_fn.name() == "SubBackward0"


@pytest.mark.parametrize("d", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("limit", [0.1, 0.3, 1 / 3, 0.7, 0.9])
def test_what_was_limited_is_at_the_limit_and_keeps_its_gradient(d, limit):
    for f in (
        lambda x: x.clamp(max=limit), lambda x: x.clamp(min=limit), lambda x: x.clip(-limit, limit)
    ):  # fmt: skip
        x = torch.tensor(limit).to(d).requires_grad_()
        y = f(x)
        y.backward()
        assert y == x and x.grad == 1
    x = torch.tensor(limit).to(d).requires_grad_()
    F.softshrink(x, limit).backward()
    assert x.grad == 0


def test_a_quotient_by_a_number_is_of_the_number_as_it_was_given():
    x = torch.tensor([0.1, 1.0, 0.3], dtype=torch.float16)  # 0.1 is a little less
    assert torch.div(x, 0.1, rounding_mode="floor").tolist() == [0, 9, 3]
    assert (x // 0.1).tolist() == [0, 9, 3]
    assert torch.div(x, 0.1, rounding_mode="trunc").tolist() == [0, 10, 3]
    assert torch.div(x, x[:1], rounding_mode="trunc").tolist() == [1, 10, 3]
