"""Special functions, integers and bits: against numbers that PyTorch 2.13 gave, and identities."""

import importlib.util
import itertools
import math

import numpy as np
import pytest

import microtorch as torch
from microtorch import autograd

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:microtorch")
needs_scipy = pytest.mark.skipif(
    importlib.util.find_spec("scipy") is None, reason="scipy is not installed"
)
DOUBLE = torch.float64
WITHOUT_SCIPY = {"ndtr", "entr", "sinc", "logit"}

# function -> (points, values, first derivatives, second derivatives)
RECORDED = {
    "lgamma": (
        [-1.5, 0.3, 2.5, 30],
        [0.860047015376, 1.09579799482, 0.284682870473, 71.2570389672],
        [0.703156640645, -3.5025242222, 0.703156640645, 3.38443813269],
        [9.37924664485, 12.2453645449, 0.49035775624, 0.0338950603577],
    ),
    "digamma": (
        [-1.5, 0.3, 2.5, 30],
        [0.703156640645, -3.5025242222, 0.703156640645, 3.38443813269],
        [9.37924664485, 12.2453645449, 0.49035775624, 0.0338950603577],
        [-0.236204051642, -75.2725365887, -0.236204051642, -0.00114876520373],
    ),
    "erfinv": (
        [-0.9, -0.2, 0.3, 0.95],
        [-1.16308715368, -0.179143454621, 0.272462714727, 1.38590382435],
        [3.42804281145, 0.915129347507, 0.954520358841, 6.04932788638],
        [-27.3359850738, -0.300051572224, 0.496486526011, 101.432548781],
    ),
    "i0": (
        [-3, 0, 0.5, 8],
        [4.88079258587, 1, 1.06348337074, 427.564115722],
        [-3.9533702174, 0, 0.257894305391, 399.873136783],
        [3.5630025134, 0.5, 0.54769475996, 377.579973624],
    ),
    "i0e": (
        [-3, -0.2, 0.5, 8],
        [0.243000354162, 0.826938551634, 0.645035270449, 0.143431781857],
        [0.0461736408645, 0.744655428106, -0.488614467264, -0.00928928856415],
        [0.0267383772966, 1.07789523857, 0.664387328159, 0.00181076546672],
    ),
    "i1": (
        [-3, 0, 0.5, 8],
        [-3.9533702174, 0, 0.257894305391, 399.873136783],
        [3.5630025134, 0.5, 0.54769475996, 377.579973624],
        [-3.20496607043, 0, 0.194082007035, 358.923657842],
    ),
    "i1e": (
        [-3, 0, 0.5, 8],
        [-0.196826713297, 0, 0.156420803185, 0.134142493293],
        [-0.0194352635679, 0.5, 0.175772860895, -0.00747852309744],
        [-0.0016096787035, 0, -0.390249837208, 0.00122002637816],
    ),
    "erfcx": (
        [-1, 0, 0.5, 20],
        [5.00898008076, 1, 0.615690344193, 0.0281743487411],
        [-11.1463393286, -1.1283791671, -0.512688822903, -0.00140521745346],
        [32.3106388188, 2, 0.718691865483, 0.00013999934372],
    ),
    "log_ndtr": (
        [-1e3, -20, -1, 0, 2],
        [-500007.826694812, -203.917155371, -1.84102164501, -0.69314718056, -0.023012909329],
        [1000.000999998, 20.0497530685, 1.52513527616, 0.797884560803, 0.055247862679],
        [-0.999999000006, -0.997536738397, -0.80090233443, -0.636619772368, -0.113548051689],
    ),
    "ndtri": (
        [0.01, 0.3, 0.5, 0.99],
        [-2.32634787404, -0.524400512708, 0, 2.32634787404],
        [37.5204361573, 2.87610365926, 2.50662827463, 37.5204361573],
        [-3274.99329027, -4.33782649364, 0, 3274.99329027],
    ),
    "ndtr": (
        [-5, -0.5, 0, 2],
        [2.86651571868e-07, 0.308537538726, 0.5, 0.977249868052],
        [1.48671951473e-06, 0.352065326764, 0.398942280401, 0.0539909665132],
        [7.43359757367e-06, 0.176032663382, -0, -0.107981933026],
    ),
    "entr": (
        [0.1, 0.5, 1, 3],
        [0.230258509299, 0.34657359028, -0, -3.295836866],
        [1.30258509299, -0.30685281944, -1, -2.09861228867],
        [-10, -2, -1, -0.333333333333],
    ),
    "sinc": (
        [-2.3, 0, 0.5, 1],
        [0.111964394522, 1, 0.636619772368, 3.89817183252e-17],
        [-0.206878633813, 0, -1.27323954474, -1],
        [-1.28493874512, -3.2898681337, -1.19022712824, 2],
    ),
    "logit": (
        [0.01, 0.3, 0.5, 0.99],
        [-4.59511985013, -0.847297860387, 0, 4.59511985013],
        [101.01010101, 4.7619047619, 4, 101.01010101],
        [-9998.97969595, -9.07029478458, 0, 9998.97969595],
    ),
}
# of (a, x) with a = 0.5, 2, 7 (zeta: one more): values, and two derivatives with respect to x
OF_TWO = {
    "gammainc": (
        [0.561421973919, 0.800851726529, 0.393697217587],
        [0.763090578768, 0.149361205104, 0.160623141048],
        [-2.03490821005, -0.0995741367357, 0],
    ),
    "gammaincc": (
        [0.438578026081, 0.199148273471, 0.606302782412],
        [-0.763090578768, -0.149361205104, -0.160623141048],
        [2.03490821005, 0.0995741367357, 0],
    ),
    "zeta": (
        [8.23776167146, 0.0770569031596, 8.71618605967e-07],
        [-31.6038588034, -0.0594697011334, -1.08692313039e-06],
        [255.384960197, 0.0681330617204, 1.54552991391e-06],
    ),
}
AT_0_7_AND_3 = {
    "airy_ai": [0.18916240039815, 0.00659113935746],
    "bessel_j0": [0.881200888607, -0.260051954907],
    "bessel_j1": [0.32899574154, 0.339058958528],
    "bessel_y0": [-0.190664929337, 0.376850010018],
    "bessel_y1": [-1.10324987191, 0.324674424796],
    "modified_bessel_i0": [1.12630301831, 4.88079258587],
    "modified_bessel_i1": [0.371879677777, 3.9533702174],
    "modified_bessel_k0": [0.660519859915, 0.0347395043863],
    "modified_bessel_k1": [1.05028353531, 0.0401564311282],
    "scaled_modified_bessel_k0": [1.33012365624, 0.697761598044],
    "scaled_modified_bessel_k1": [2.11501131285, 0.806563480129],
    "spherical_bessel_j0": [0.920310981768, 0.0470400026866],
}


def close(actual, expected, rtol=1e-9, atol=1e-11):
    np.testing.assert_allclose(actual.detach().numpy(), expected, rtol, atol)


def derivatives(f, x):
    y = f(x)
    (g,) = autograd.grad(y.sum(), x, create_graph=True)
    (h,) = autograd.grad(g.sum(), x)
    return y, g, h


@pytest.mark.parametrize("name", RECORDED)
def test_values_and_two_derivatives(name):
    if name not in WITHOUT_SCIPY:
        pytest.importorskip("scipy")
    points, *expected = RECORDED[name]
    x = torch.tensor(points, dtype=DOUBLE, requires_grad=True)
    f = getattr(torch.special, name if name != "lgamma" else "gammaln")
    for found, numbers in zip(derivatives(f, x), expected, strict=True):
        close(found, numbers)
    close(f(torch.tensor(points)).double(), expected[0], 1e-5, 1e-7)
    assert f(torch.tensor(points)).dtype == torch.float32
    assert f(torch.zeros(0)).shape == (0,) and f(torch.tensor(0.5)).shape == ()
    spread = torch.tensor(points, dtype=DOUBLE).repeat(3, 1).T
    close(f(spread)[:, 1], expected[0])
    assert f(torch.tensor([1, 2])).dtype == torch.float32


@needs_scipy
@pytest.mark.parametrize("name", OF_TWO)
def test_functions_of_two(name):
    a = torch.tensor([0.5, 2, 7], dtype=DOUBLE) + (name == "zeta")
    x = torch.tensor([0.3, 3, 6], dtype=DOUBLE, requires_grad=True)
    f = getattr(torch.special, name)
    for found, numbers in zip(derivatives(lambda x: f(a, x), x), OF_TWO[name], strict=True):
        close(found, numbers)
    with pytest.raises(NotImplementedError, match=r"the derivative for '.*' is not implemented"):
        f(a.requires_grad_(), x).sum().backward()


@needs_scipy
@pytest.mark.parametrize("name", AT_0_7_AND_3)
def test_bessel_functions_have_no_derivative(name):
    x = torch.tensor([0.7, 3], dtype=DOUBLE, requires_grad=True)
    y = getattr(torch.special, name)(x)
    close(y, AT_0_7_AND_3[name], 2e-6)
    assert not y.requires_grad


@needs_scipy
def test_lgamma_next_to_0():
    for size in (1e-300, 1e-310, 5e-324):
        x = torch.tensor([size, -size], dtype=torch.float64)
        assert np.allclose(torch.lgamma(x).tolist(), -math.log(size))
    assert torch.lgamma(torch.zeros(1)).isinf()


def test_polygamma_and_mvlgamma():
    x = torch.tensor([0.7, 3], dtype=DOUBLE, requires_grad=True)
    for n in range(4):
        close(autograd.grad(torch.polygamma(n, x).sum(), x)[0], x.polygamma(n + 1).detach().numpy())
    assert autograd.gradgradcheck(lambda x: torch.polygamma(1, x), x)
    close(torch.mvlgamma(x + 2, 3), [2.15305515181, 9.14064469919])
    assert autograd.gradcheck(lambda x: torch.special.multigammaln(x + 2, 3), x)
    with pytest.raises(RuntimeError, match="p has to be greater than or equal to 1"):
        x.mvlgamma(0)
    with pytest.raises(RuntimeError, match="negative n"):
        torch.polygamma(-1, x)
    with pytest.raises(TypeError, match="must be int"):
        torch.polygamma(1.5, x)


def test_without_scipy_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.special", None)
    with pytest.raises(ImportError, match=r'pip install "microtorch\[special\]"'):
        torch.special.erfcx(torch.ones(2))


def test_logit_and_its_limits():
    x = torch.tensor([-0.1, 0, 0.5, 1, 1.1], dtype=DOUBLE, requires_grad=True)
    np.testing.assert_equal(
        torch.logit(x).detach().numpy(), [math.nan, -math.inf, 0, math.inf, math.nan]
    )
    (g,) = autograd.grad(torch.logit(x).sum(), x)
    np.testing.assert_equal(g.numpy(), [math.nan, math.inf, 4, math.inf, math.nan])
    (g,) = autograd.grad(torch.special.logit(x, 0.2).sum(), x)
    np.testing.assert_equal(g.numpy(), [0, 0, 4, 0, 0])
    (g,) = autograd.grad(torch.logit(x).sum(), x, create_graph=True)
    (g,) = autograd.grad(g.sum(), x)
    assert g[0] == g[2] == g[4] == 0  # and not that of a logarithm that is not there


def test_logit_with_an_eps_that_is_no_small_one():
    x = torch.tensor([0.3, 0.8, 1.5, math.nan], requires_grad=True)
    y = torch.logit(x, 0.7)  # eps where x is below it, even if that is above 1 - eps
    assert torch.allclose(y[:3], torch.tensor([0.7, 0.3, 0.3]).logit())
    (g,) = autograd.grad(torch.logit(x, 0.1).sum(), x)
    assert g[2] == 0 and g[3].isnan()  # a NaN is not limited
    (g,) = autograd.grad(torch.logit(x, -0.1).sum(), x)  # nothing is
    assert torch.equal(g.isnan(), torch.tensor([False, False, True, True]))


# ---- integers and bits ---------------------------------------------------------------------------
WHOLE = [-9, -4, -1, 0, 1, 2, 6, 35]


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int8])
def test_integers(dtype):
    a, b = np.array(list(itertools.product(WHOLE, WHOLE))).T
    x, y = torch.tensor(a, dtype=dtype), torch.tensor(b, dtype=dtype)
    for name, f in {
        "gcd": math.gcd,
        "lcm": lambda p, q: np.array(math.lcm(p, q)).astype(str(dtype)[6:]),
    }.items():
        out = getattr(torch, name)(x, y)
        assert out.dtype == dtype
        pairs = zip(a.tolist(), b.tolist(), strict=True)
        assert out.tolist() == [int(f(p, q)) for p, q in pairs]
    bits = 8 * x.itemsize
    pairs = list(zip(a.tolist(), b.tolist(), strict=True))
    assert (x >> y).tolist() == [p >> min(q, 63) if 0 <= q else -(p < 0) for p, q in pairs]
    left = [(p << q if 0 <= q < bits else 0) for p, q in pairs]
    assert (x << y).tolist() == np.array(left).astype(str(dtype)[6:]).tolist()
    assert (2 << torch.tensor([1, 3])).tolist() == [4, 16]
    for name in ("gcd", "lcm", "bitwise_left_shift", "bitwise_right_shift"):
        for wrong in (torch.ones(2), torch.ones(2).bool()):
            with pytest.raises(NotImplementedError, match="not implemented for"):
                getattr(torch, name)(wrong, wrong)


def test_rounded_quotients_are_exact():
    x = torch.tensor([9007199254740993, -9007199254740993])
    assert torch.div(x, 2, rounding_mode="trunc").tolist() == [4503599627370496, -4503599627370496]
    assert torch.div(x, 2, rounding_mode="floor").tolist() == [4503599627370496, -4503599627370497]
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        torch.div(x, 0, rounding_mode="trunc")


def test_negative_powers_of_integers():
    assert (2 ** torch.tensor([-1, 3])).tolist() == [0, 8]
    x = torch.tensor([2, 1, -1, 0, -1])
    assert (x ** torch.tensor([-1, -2, -3, -1, -2])).tolist() == [0, 1, -1, 0, 1]
    assert (x ** torch.tensor(-1)).tolist() == [0, 1, -1, 0, -1]  # a tensor, and no number
    with pytest.raises(RuntimeError, match="negative integer powers"):
        x**-1


def test_nothing_may_be_divided_by_0():
    x = torch.zeros(0, 2, dtype=torch.int64)
    for y in (x // 0, x % 0, x.fmod(0), x.div(0, rounding_mode="trunc"), x % torch.tensor(0)):
        assert y.shape == (0, 2) and y.dtype == torch.int64


# ---- parts of numbers ----------------------------------------------------------------------------
def test_frexp_and_ldexp():
    x = torch.tensor([8.0, -0.3, 0.0], dtype=DOUBLE, requires_grad=True)
    mantissa, exponent = torch.frexp(x)
    assert exponent.dtype == torch.int32 and exponent.tolist() == [4, -1, 0]
    close(torch.ldexp(mantissa, exponent), x.tolist())
    (g,) = autograd.grad(mantissa.sum(), x)
    assert g.tolist() == [1 / 16, 2, 1]
    assert "mantissa=" in repr(torch.frexp(x))
    y = torch.tensor([0.5, 1.5, 2.0], dtype=DOUBLE, requires_grad=True)
    assert autograd.gradgradcheck(torch.ldexp, (x, y))
    with pytest.raises(RuntimeError, match="only supports floating-point"):
        torch.frexp(torch.tensor([1]))


def test_nextafter_and_copysign():
    for name in ("float16", "bfloat16", "float32", "float64"):
        x = torch.ones(1, dtype=getattr(torch, name))
        assert torch.nextafter(x, x + 1).item() == 1 + torch.finfo(x.dtype).eps
        below = torch.nextafter(torch.full_like(x, math.inf), x)
        assert below == torch.finfo(x.dtype).max and torch.nextafter(x - 1, x) > 0
    x = torch.tensor([3.0, -2.0, 0.0], requires_grad=True)
    (g,) = autograd.grad(torch.copysign(x, torch.tensor(-0.0)).sum(), x)
    assert g.tolist() == [-1, 1, 0]
    (g,) = autograd.grad(torch.nextafter(x, torch.tensor([3.0, 0, 1])).sum(), x)
    assert g.tolist() == [0, 1, 1]


def test_heaviside_has_no_derivative():
    x = torch.tensor([-1.0, 0, math.nan, 2], requires_grad=True)
    y = torch.heaviside(x, torch.tensor(0.5))
    assert y.tolist() == [0, 0.5, 0, 1]
    with pytest.raises(RuntimeError, match="derivative for aten::heaviside is not implemented"):
        y.sum().backward()
    with pytest.raises(RuntimeError, match="different dtypes"):
        torch.heaviside(x, torch.tensor(1))


def test_special_has_scipys_names():
    x = torch.tensor([0.2, 0.5])
    pairs = {"expit": "sigmoid", "sinc": "sinc", "exp2": "exp2", "erf": "erf", "log1p": "log1p"}
    for theirs, ours in pairs.items():
        assert getattr(torch.special, theirs)(x).tolist() == getattr(torch, ours)(x).tolist()
    assert not hasattr(torch, "ndtr") and not hasattr(torch, "entr") and hasattr(torch, "lgamma")


@pytest.mark.parametrize("name", ["i1", "i1e"])
def test_the_second_derivative_of_one_number_is_recorded_where_the_first_is_a_constant(name):
    x = torch.tensor(5e-324, dtype=torch.float64, requires_grad=True)
    g, = torch.autograd.grad(getattr(torch.special, name)(x), x, create_graph=True)
    assert g == 0.5 and torch.autograd.grad(g, x)[0] == 0


def test_ldexp_has_the_dtype_of_its_floating_operand():
    for d in (torch.float16, torch.bfloat16, torch.float64):
        y = torch.ldexp(torch.tensor([1.0, 3.0], dtype=d), torch.tensor([2, -1]))
        assert y.dtype == d and y.tolist() == [4, 1.5]
    assert torch.ldexp(torch.tensor(3), torch.tensor(2)).dtype == torch.float32
    half = torch.ones(2, dtype=torch.bfloat16)
    assert torch.addcmul(half, torch.tensor(1j), half).dtype == torch.complex64


@needs_scipy
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_the_upper_incomplete_gamma_function_keeps_its_digits(dtype):
    """Also where it is computed as 1 less the lower one."""
    from scipy.special import gammaincc

    a, x = np.meshgrid(10.0 ** np.arange(-9, 4, 0.7), 10.0 ** np.arange(-4, 3.5, 0.1))
    given = [torch.from_numpy(v).to(dtype) for v in (a, x)]
    true = gammaincc(*(v.double().numpy() for v in given))
    found, normal = torch.special.gammaincc(*given).numpy(), true > 1e-30
    np.testing.assert_allclose(found[normal], true[normal], 1e-12 if dtype is DOUBLE else 3e-7)
    ends = [[0, 1, 1, math.nan], [1, 0, math.inf, 1]]
    values = torch.special.gammaincc(*(torch.tensor(v, dtype=dtype) for v in ends))
    np.testing.assert_array_equal(values.numpy(), [0, 1, 0, math.nan])


def test_far_out_and_near_zeros():
    """Where two terms of a derivative, or of a series, would cancel, and where scipy gives up."""
    x = torch.tensor([1e3, 1e8, 1e15], dtype=torch.float64, requires_grad=True)
    (d,) = torch.autograd.grad(torch.special.erfcx(x).sum(), x, create_graph=True)
    (dd,) = torch.autograd.grad(d.sum(), x)
    size = x.detach().numpy()
    np.testing.assert_allclose(d.detach().numpy() * size**2, -(math.pi**-0.5), 2e-6)
    np.testing.assert_allclose(dd.numpy() * size**3, 2 * math.pi**-0.5, 3e-6)
    low = torch.tensor([-1e8, -1e20], dtype=torch.float64)
    second = torch.func.vmap(torch.func.grad(torch.func.grad(torch.special.log_ndtr)))(low)
    np.testing.assert_allclose(second.numpy(), -1.0)
    near = torch.tensor([1 - 1e-10, 1 + 1e-12, 2 + 1e-12, 1.0], dtype=torch.float64)
    expected = [5.7721571274282e-11, -5.7726697970946e-13, 4.2282192087238e-13, 0.0]
    np.testing.assert_allclose(near.lgamma().numpy(), expected, 1e-12)
    far = torch.special.airy_ai(torch.tensor([1e8, -1e8, -1e15], dtype=torch.float64))
    np.testing.assert_allclose(far.numpy(), [0, -0.00555409067, -8.942714669e-5], 1e-8)
