"""Special functions of the C core (ext/special.c, ext/gamma.c) beside scipy's, and where they are
infinite.
"""
import math

import numpy as np
import pytest

import microtorch as torch
from microtorch.backends import core

pytestmark = [pytest.mark.needs("core"), pytest.mark.filterwarnings("ignore::RuntimeWarning")]
DTYPES = (np.float32, np.float64)
# name: the interval that is tried
RANGES = {
    "i0": (-85, 85), "i0e": (-300, 300), "i1": (-85, 85), "i1e": (-300, 300), "erfinv": (-1, 1),
    "ndtri": (0, 1),
}  # fmt: skip


def numbers(low, high, dtype):
    rng = np.random.default_rng(0)
    usual = rng.uniform(low, high, 4000)
    small = rng.uniform(low, high, 1000) * 10.0 ** rng.uniform(-9, 0, 1000)
    return np.concatenate([usual, small, [low, high, 8, -8, 0, -0.0, math.nan]]).astype(dtype)


def close(found, true, dtype):
    """Within 8 units in the last place of float32, or 16 of float64."""
    units = 8 if dtype is np.float32 else 16
    np.testing.assert_allclose(found, true.astype(dtype), units * np.finfo(dtype).eps, 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", RANGES)
def test_values(name, dtype):
    special = pytest.importorskip("scipy.special")
    x = numbers(*RANGES[name], dtype)
    for isa in core.isas() or [core.isa]:
        before = core.isa
        core.use_isa(isa)
        found = getattr(torch.special, name)(torch.from_numpy(x)).numpy()
        core.use_isa(before)
        close(found, getattr(special, name)(x.astype(np.float64)), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_trigamma(dtype):
    special = pytest.importorskip("scipy.special")
    x = np.abs(numbers(-40, 40, dtype))
    x = np.concatenate([x[x > 0], [1e8, 1e30, math.inf, math.nan]]).astype(dtype)
    found = torch.polygamma(1, torch.from_numpy(x)).numpy()
    close(found, special.zeta(2, x.astype(np.float64)), dtype)
    # the series of 1 / (x + k)^2 holds below 0 as well, and shifts by 1
    y = torch.tensor([-0.5, -1.25, -7.75], dtype=torch.float64)
    shifted = torch.polygamma(1, y + 1) + 1 / y.square()
    np.testing.assert_allclose(torch.polygamma(1, y).numpy(), shifted.numpy(), 1e-12)
    poles = torch.polygamma(1, torch.tensor([0.0, -1, -2]).to(y.dtype))
    assert poles.tolist() == [math.inf] * 3


@pytest.mark.parametrize("name", ["lgamma", "digamma"])
def test_gamma(name, isa):
    """Of float32, on both sides of 0, next to zeros and poles, and far away."""
    special = pytest.importorskip("scipy.special")
    true_of = special.gammaln if name == "lgamma" else special.digamma
    source = np.random.default_rng(0)
    near = np.concatenate([source.normal(size=300) * 10.0 ** source.uniform(-7, -1, 300), [0]])
    zeros = [1, 2, 1.4616321, -2.4570248, -0.50408301, -3, -7, 0]
    x = np.concatenate([numbers(-30, 30, np.float32), 10 ** source.uniform(-44, 38, 2000),
                        *(near + z for z in zeros), [0.0, -0.0, 1, 2, math.inf]])
    x = x.astype(np.float32)
    found = getattr(torch, name)(torch.from_numpy(x)).numpy()
    close(found, true_of(x.astype(np.float64)), np.float32)
    ends = getattr(torch, name)(torch.tensor([0.0, -0.0, -1, -4, -1e9, math.inf, math.nan]))
    inf, nan = math.inf, math.nan
    expected = [inf] * 6 + [nan] if name == "lgamma" else [-inf, inf, nan, nan, nan, inf, nan]
    np.testing.assert_array_equal(ends.numpy(), np.float32(expected))
    assert torch.lgamma(torch.tensor([1.0, 2.0, -inf])).tolist() == [0, 0, inf]


def test_ends():
    """As in PyTorch: scaled Bessel functions vanish, the others have no value at infinity."""
    x = torch.tensor([math.inf, -math.inf])
    for name in ("i0", "i1"):
        assert getattr(torch.special, name)(x).isnan().all()
        assert getattr(torch.special, name + "e")(x).abs().tolist() == [0, 0]
    assert torch.erfinv(torch.tensor([1.0, -1.0])).tolist() == [math.inf, -math.inf]
    assert torch.erfinv(torch.tensor([1.5, -2.0])).isnan().all()
    assert torch.special.ndtri(torch.tensor([0.0, 1.0])).tolist() == [-math.inf, math.inf]
    large = torch.special.i0(torch.tensor([90.0]))  # e^90 is no float
    np.testing.assert_allclose(large.numpy(), 5.1392e37, 1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["fmod", "remainder", "hypot", "nextafter"])
def test_functions_of_two(name, dtype):
    """Exactly numpy's, also where a quotient is too large for vectors, and at special values."""
    rng = np.random.default_rng(1)
    x, y = (rng.normal(size=(2, 3000)) * 10.0 ** rng.integers(-20, 20, (2, 3000))).astype(dtype)
    ends = [0, -0.0, math.inf, -math.inf, math.nan, 1, -3.5, np.finfo(dtype).tiny]
    a, b = np.meshgrid(np.array(ends, dtype), np.array(ends, dtype))
    x, y = np.append(x, a), np.append(y, b)
    found = getattr(torch, name)(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    true = getattr(np, name)(x, y)
    if name == "remainder":
        true = np.where(true == 0, np.copysign(true, x), true)  # as in PyTorch
    if name == "hypot":
        np.testing.assert_allclose(found, true, 2 * np.finfo(dtype).eps)
    else:
        np.testing.assert_array_equal(found, true)
        known = true == true
        np.testing.assert_array_equal(np.signbit(found)[known], np.signbit(true)[known])
