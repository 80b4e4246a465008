"""Ops of complex numbers: values against numpy and cmath, gradients, what is refused.

gradcheck takes a complex number as its two parts, so it compares with numeric Wirtinger
derivatives.
"""

import cmath
import math

import numpy as np
import pytest

import microtorch as torch
import microtorch.nn.functional as F
from microtorch.engine.registry import REGISTRY
from microtorch.notation import formulas

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:microtorch")
gradcheck, gradgradcheck = torch.autograd.gradcheck, torch.autograd.gradgradcheck
rng = np.random.default_rng(0)
INF = math.inf


def c(*shape):
    """Complex numbers of size about 1 that require gradient."""
    return torch.tensor(
        rng.standard_normal(shape) + 1j * rng.standard_normal(shape), requires_grad=True
    )


def r(*shape):
    return torch.tensor(rng.uniform(0.2, 2, shape), requires_grad=True)


def both(f, xs):
    assert gradcheck(f, xs)
    assert gradgradcheck(f, xs, atol=1e-4)


# ---- rows of the table ---------------------------------------------------------------------------
ROWS = sorted(formulas.HOLOMORPHIC | formulas.NOT_HOLOMORPHIC)


@pytest.mark.parametrize("name", ROWS)
def test_derivatives_of_rows(name):
    op = REGISTRY[name]
    if name == "where":
        both(op, (torch.tensor([True, False, True]), c(3), c(3)))
        return
    n = len(op.vjps)
    both(op, tuple(c(3) for _ in range(n)))
    if n == 2:  # of a real and a complex operand, with broadcasting
        both(op, (c(2, 1), r(3)))
        both(op, (r(3), c(2, 1)))


PLACES = [0.5 + 0.25j, -0.7 + 1.5j, 2 - 0.5j, -1.5 - 0.75j, 0.1j, -2 + 0j]
OF_CMATH = "exp log log10 sqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh".split()
WRITTEN = {
    "neg": lambda z: -z, "reciprocal": lambda z: 1 / z, "square": lambda z: z * z,
    "rsqrt": lambda z: 1 / cmath.sqrt(z), "exp2": lambda z: 2**z, "log2": lambda z: cmath.log(z, 2),
    "expm1": lambda z: cmath.exp(z) - 1, "log1p": lambda z: cmath.log(1 + z), "abs": abs,
    "sgn": lambda z: z / abs(z), "sinc": lambda z: cmath.sin(cmath.pi * z) / (cmath.pi * z),
    "sigmoid": lambda z: 1 / (1 + cmath.exp(-z)), "angle": cmath.phase,
    "conj": complex.conjugate, "isreal": lambda z: z.imag == 0,
}  # fmt: skip


@pytest.mark.parametrize("name", [*OF_CMATH, *WRITTEN])
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_values(name, dtype):
    reference = WRITTEN.get(name) or getattr(cmath, name)
    given = [z for z in PLACES if z.imag or name not in ("acos", "asin", "acosh", "atanh", "atan")]
    x = torch.tensor(given, dtype=getattr(torch, dtype))
    out = getattr(torch, name)(x)
    expected = np.array([reference(z) for z in given])
    tolerance = 1e-12 if dtype == "complex128" else 3e-6
    np.testing.assert_allclose(out.numpy(), expected, tolerance, tolerance)
    if name in ("abs", "angle"):  # real results
        assert out.dtype is x.dtype.to_real()


def test_binary_values():
    x, y = c(3).detach(), c(3).detach()
    a, b = x.numpy(), y.numpy()
    for ours, theirs in (
        (x + y, a + b), (x - y, a - b), (x * y, a * b), (x / y, a / b), (x**y, a**b),
        (2**x, 2**a), ((1 + 2j) ** x.real, (1 + 2j) ** a.real), (x**-1, 1 / a), (x**0.5, a**0.5),
        (torch.logaddexp(x, y), np.log(np.exp(a) + np.exp(b))), (x == x, [True] * 3),
        (torch.float_power(x, 2), a**2), (torch.add(x, y, alpha=2j), a + 2j * b),
        (torch.addcmul(x, x, y, value=1j), a + 1j * a * b), (torch.polar(r(1), r(1)) * 0, [0]),
        (torch.where(torch.tensor([True, False, True]), x, 1j), np.where([1, 0, 1], a, 1j)),
    ):
        np.testing.assert_allclose(ours.detach().numpy(), theirs, 1e-12)
    infinite = torch.tensor([complex(-INF, 0)])
    assert torch.logaddexp(infinite, infinite).real.tolist() == [-INF]


# ---- parts and views -----------------------------------------------------------------------------
def test_parts_are_views():
    z = torch.zeros(3, dtype=torch.complex64)
    z.real[1] = 5
    z.imag = torch.ones(3)
    torch.view_as_real(z)[2, 0] = 7
    assert z.tolist() == [1j, 5 + 1j, 7 + 1j]
    pairs = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    torch.view_as_complex(pairs)[0] = 9j
    assert pairs.tolist() == [[0, 9], [3, 4]]
    assert torch.view_as_real(z.t()).shape == (3, 2) and torch.view_as_real(z[0]).tolist() == [0, 1]
    x = torch.ones(2)
    assert x.real is x and torch.real(x) is x and x.conj() is x and torch.conj_physical(x) is x
    assert not z.is_conj() and z.resolve_conj() is z


def test_adjoints():
    z = c(2, 3).detach()
    expected = z.numpy().T.conj()
    for adjoint in (z.H, z.mH, z.adjoint()):
        np.testing.assert_array_equal(adjoint.numpy(), expected)
    np.testing.assert_array_equal(z.mT.numpy(), z.numpy().T)


CASES = {
    "angle": (torch.angle, c(2, 3)),
    "conj": (torch.conj, c(2, 3)),
    "real": (torch.real, c(2, 3)),
    "imag": (torch.imag, c(2, 3)),
    "view_as_real": (torch.view_as_real, c(2, 3)),
    "view_as_complex": (torch.view_as_complex, r(3, 2)),
    "complex": (torch.complex, r(2, 3), r(3)),
    "polar": (torch.polar, r(3), r(3)),
    "sum": (lambda x: x.sum(0), c(2, 3)),
    "mean": (torch.mean, c(2, 3)),
    "prod": (lambda x: x.prod(1), c(2, 3)),
    "var": (lambda x: x.var(1, correction=0), c(2, 3)),
    "std": (lambda x: x.std(1), c(2, 3)),
    "cumsum": (lambda x: x.cumsum(1), c(2, 3)),
    "cumprod": (lambda x: x.cumprod(1), c(2, 3)),
    "logsumexp": (lambda x: x.logsumexp(1), c(2, 3)),
    "logcumsumexp": (lambda x: x.logcumsumexp(1), c(2, 3)),
    "matmul": (torch.matmul, c(2, 3), c(3, 2)),
    "batches": (torch.matmul, c(2, 2, 3), c(3)),
    "mixed": (lambda x, y: x @ y.to(x.dtype), c(2, 3), r(3, 2)),
    "linear": (F.linear, c(2, 3), c(4, 3), c(4)),
    "vdot": (torch.vdot, c(3), c(3)),
    "outer": (torch.outer, c(3), c(2)),
    "kron": (torch.kron, c(2), c(2)),
    "tensordot": (lambda x, y: torch.tensordot(x, y, 1), c(2, 3), c(3, 2)),
    "addmm": (
        lambda x, y, z: torch.addmm(x, y, z, beta=2j, alpha=1 - 1j), c(2, 2), c(2, 3), c(3, 2),
    ),
    "einsum": (lambda x, y, z: torch.einsum("ij,jk,k->i", x, y, z), c(2, 3), c(3, 2), c(2)),
    "trace": (lambda x: torch.einsum("ii->i", x), c(3, 3)),
    "adjoint": (lambda x: x.H @ x, c(2, 3)),
    "cat": (lambda x, y: torch.cat([x, y]), c(2), r(2)),
    "stack": (lambda x, y: torch.stack([x, y]), c(2), c(2)),
    "where": (lambda x, y: torch.where(torch.tensor([True, False]), x, y), c(2), r(2)),
    "index": (lambda x: x[[0, 1, 1], [2, 2, 0]], c(2, 3)),
    "gather": (lambda x: x.gather(1, torch.tensor([[0, 1], [2, 2]])), c(2, 3)),
    "scatter": (lambda x, y: x.scatter(1, torch.tensor([[0, 1], [2, 1]]), y), c(2, 3), c(2, 2)),
    "scatter_add": (
        lambda x, y: x.scatter_add(1, torch.tensor([[0, 1], [2, 2]]), y), c(2, 3), c(2, 2),
    ),
    "index_add": (lambda x, y: x.index_add(0, torch.tensor([0, 0]), y), c(3), c(2)),
    "masked_fill": (lambda x: x.masked_fill(torch.tensor([True, False]), 1j), c(2)),
    "flip": (lambda x: x.T.flip(0).roll(1, 0).reshape(-1)[1:], c(2, 3)),
    "conv1d": (F.conv1d, c(1, 2, 5), c(3, 2, 2), c(3)),
    "conv_transpose": (F.conv_transpose2d, c(1, 2, 3, 3), c(2, 3, 2, 2)),
    "pad": (lambda x: F.pad(x, (1, 1), mode="reflect"), c(1, 2, 3)),
    "l1_loss": (F.l1_loss, c(3), c(3)),
    "softsign": (F.softsign, c(3)),
    "tanhshrink": (F.tanhshrink, c(3)),
    "normalize": (F.normalize, c(2, 3)),
    "dist": (torch.dist, c(2), c(2)),
    "renorm": (lambda x: x.renorm(2, 0, 0.5), c(2, 3)),
    "diff": (torch.diff, c(4)),
    "trapezoid": (torch.trapezoid, c(3)),
    "float_power": (lambda x: torch.float_power(x, 2.5), c(3)),
    "powers": (lambda x: x**3 + x ** (1 + 2j) + 2**x, c(3)),
    "number left": (lambda x: 1j / x + (1 + 2j) ** x, r(3)),
    "inplace": (lambda x, y: (x * 1).mul_(y).add_(2j), c(2), r(2)),
    "cov": (torch.cov, c(2, 3)),
    "corrcoef": (torch.corrcoef, c(2, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    f, *xs = CASES[name]
    both(f, tuple(xs))


@pytest.mark.parametrize("p", [0, 1, 1.5, 2, 3, INF, -INF])
def test_norms(p):
    x = c(2, 3)
    both(lambda x: torch.linalg.vector_norm(x, p, 1), (x,))
    out = torch.linalg.vector_norm(x, p, 1)
    assert out.dtype is torch.float64
    np.testing.assert_allclose(
        out.detach().numpy(), [np.linalg.norm(row, p) for row in x.detach().numpy()]
    )


def writes(part):
    def f(x, y):
        z = x * 1
        if part == "real":
            z.real.copy_(y)
        elif part == "imag":
            z.imag.mul_(y)
        elif part == "pairs":
            torch.view_as_real(z)[0] = y
        else:
            z[0] = y[0]
        return z * z

    return f


@pytest.mark.parametrize("part", ["real", "imag", "pairs", "element"])
def test_derivatives_of_writes(part):
    both(writes(part), (c(2), r(2)))


def test_values_of_reductions():
    x = c(4, 5).detach()
    a = x.numpy()
    np.testing.assert_allclose(x.var(1).numpy(), a.var(1, ddof=1))
    np.testing.assert_allclose(x.std().item(), a.std(ddof=1))
    np.testing.assert_allclose(x.prod(0).numpy(), a.prod(0))
    np.testing.assert_allclose(x.logsumexp(1).numpy(), np.log(np.exp(a).sum(1)))
    np.testing.assert_allclose(torch.cov(x).numpy(), np.cov(a))
    np.testing.assert_allclose(torch.vdot(x[0], x[1]).item(), np.vdot(a[0], a[1]))
    assert torch.zeros(0, dtype=torch.complex64).sum().item() == 0
    assert x.var(1).dtype is torch.float64 and x.sum().dtype is torch.complex128
    assert x.isnan().dtype is torch.bool and torch.count_nonzero(x).item() == 20
    close = x * (1 + 1e-9j)
    assert torch.allclose(x, close) and not torch.equal(x, close) and not torch.allclose(x, x + 1)
    nan = torch.tensor([complex("nan")])
    assert not torch.allclose(nan, nan) and torch.allclose(nan, nan, equal_nan=True)


def test_kinks():
    """At 0 the derivatives of abs, sgn, angle and norms are PyTorch's subgradient 0."""
    for f in (torch.abs, lambda z: z.sgn().real, torch.angle, torch.norm):
        z = torch.zeros(2, dtype=torch.complex128, requires_grad=True)
        f(z).sum().backward()
        assert z.grad.tolist() == [0, 0]


# ---- what complex numbers do not have ------------------------------------------------------------
REFUSED = (
    "max min sort argsort msort argmax argmin median nanmedian mode cummax_ kthvalue_ topk_ amax "
    "amin aminmax floor ceil round trunc frac sign erf erfc lgamma digamma relu signbit isposinf "
    "isneginf deg2rad rad2deg histc bincount nansum nanmean unique unique_consecutive bernoulli "
    "logit i0 bitwise_not quantile_ softmax_ log_softmax_ isin__ searchsorted__ bucketize__ "
    "maximum__ minimum__ fmax__ fmin__ remainder__ fmod__ floor_divide__ atan2__ hypot__ lt__ le__ "
    "gt__ ge__ copysign__ nextafter__ gcd__ heaviside__ xlogy__ logaddexp2__ clamp_"
).split()


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    z = torch.tensor([1 + 2j, 3 - 1j, 0.5j])
    base = name.rstrip("_")
    second = {"cummax": 0, "kthvalue": 1, "topk": 1, "quantile": 0.5, "clamp": 0}.get(base, 0)
    args = (z, z) if name.endswith("__") else (z, second) if name.endswith("_") else (z,)
    with pytest.raises(RuntimeError, match=r"[Cc]omplex|either float or double"):
        getattr(torch, base)(*args)


def test_functions_made_of_several_ops():
    """None of them may drop the imaginary part on its way."""
    z = torch.tensor([1 + 2j, 3 - 1j, 0.5j])
    for refused in (
        lambda: torch.logit(z, 1e-3), lambda: torch.mvlgamma(z, 2), lambda: F.kl_div(z, z),
        lambda: F.cosine_similarity(z, z, 0), lambda: torch.softmax(z, 0), lambda: F.gelu(z),
        lambda: F.mse_loss(z, z), lambda: F.layer_norm(z, (3,)), lambda: F.dropout(z, 0.5),
        lambda: torch.cdist(z.reshape(1, 3), z.reshape(1, 3)), lambda: F.max_pool1d(z[None], 2),
        lambda: F.avg_pool1d(z[None], 2), lambda: z.random_(), lambda: z.exponential_(),
    ):  # fmt: skip
        with pytest.raises((RuntimeError, ValueError), match=r"[Cc]omplex|'c'"):
            refused()
    nan = torch.tensor([complex("nan") + 2j, complex(INF, -INF)])
    largest = float(np.finfo(np.float32).max)
    assert torch.nan_to_num(nan).tolist() == [2j, complex(largest, -largest)]
    with pytest.raises(AssertionError, match=r"Greatest absolute difference: 1\.0"):
        torch.testing.assert_close(z, z + 1j)
    torch.testing.assert_close(z, z * (1 + 1e-7))
    with pytest.raises(TypeError, match="Scalars are real"):
        z.scalars()
    with pytest.raises(RuntimeError, match="alpha must not be a complex number"):
        torch.add(z.real, z.real, alpha=1j)
    assert F.softsign(z).is_complex() and F.normalize(z, dim=0).is_complex()


def test_no_gradient_is_lost_where_dtypes_meet():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    z = torch.tensor([1j, 2 + 1j], requires_grad=True)
    ((x * z).imag + (x + z).abs()).sum().backward()
    assert x.grad.dtype is torch.float32 and z.grad.dtype is torch.complex64
    total = [complex(a) + complex(b) for a, b in zip([1, 2], [1j, 2 + 1j], strict=True)]
    expected = [b.imag + (t / abs(t)).real for b, t in zip([1j, 2 + 1j], total, strict=True)]
    np.testing.assert_allclose(x.grad.numpy(), expected, 1e-6)


@pytest.mark.needs("opencl")
def test_opencl_says_that_it_has_none():
    x = torch.ones(2, 2, device="opencl")
    for ask in (
        lambda: torch.tensor([1j]).to("opencl"),
        lambda: torch.zeros(2, dtype=torch.complex64, device="opencl"),
        lambda: x * 1j,
        lambda: torch.complex(x, x),
        lambda: torch.view_as_complex(x),
    ):
        with pytest.raises(RuntimeError, match="has no complex numbers"):
            ask()


@pytest.mark.filterwarnings("ignore:Casting complex values")
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_parts_of_any_layout(dtype):
    """Negated as real numbers, and the real part cast as one of them."""
    x = torch.randn(30, 40, dtype=dtype) * 20
    for part in (x, x.t(), x[::2, ::3], x.conj(), x[0, 0], x[:0]):
        array = part.numpy()
        np.testing.assert_array_equal((-part).numpy(), -array)
        assert (-part).stride() == (part * -1).stride()
        for kind in (torch.float16, torch.bfloat16, torch.int64, torch.float32, torch.float64):
            assert torch.equal(part.to(kind), part.real.to(kind))
            assert part.to(kind).stride() == part.abs().stride()
    zeros = -torch.zeros(2, dtype=dtype)
    assert np.signbit(zeros.numpy().real).all() and np.signbit(zeros.numpy().imag).all()
