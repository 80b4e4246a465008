"""The functions of kernels/functions.cl: their accuracy over all floats, special values, and blocks
with large angles.

Every op runs on the device and is compared with float64. An error is counted in ulp, units in the
last place of the float32 nearest to the true value. The bounds are what OpenCL C 1.2 (section 7.4)
asks of a device at least. The same tests run on the functions of a GPU's driver, where there is
one.
"""

import math

import numpy as np
import pytest

import microtorch as torch
from microtorch.backends import opencl
from microtorch.backends.opencl import codegen, elementwise, runtime

pytestmark = pytest.mark.needs("opencl")

ULP = {"exp": 3, "exp2": 3, "expm1": 3, "log": 3, "log2": 3, "log10": 3, "log1p": 2, "sin": 4,
       "cos": 4, "tan": 5, "sinh": 4, "cosh": 4, "tanh": 5, "erf": 16, "erfc": 16, "atan": 5,
       "asin": 4, "acos": 4, "asinh": 4, "acosh": 4, "atanh": 5}  # fmt: skip
NUMPY = {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
}


def on_device(name, x):
    return getattr(torch, name)(torch.tensor(x, device="opencl")).cpu().numpy()


def true_values(name, x):
    if name in ("erf", "erfc"):
        return np.frompyfunc(getattr(math, name), 1, 1)(x).astype(np.float64)
    with np.errstate(all="ignore"):
        return getattr(np, NUMPY.get(name, name))(x.astype(np.float64))


def ulps(got, true):
    """The error of each float32 ``got``, in units in the last place; infinite where one is finite
    and the other is not."""
    with np.errstate(all="ignore"):
        nearest = true.astype(np.float32)
        error = np.abs(got - true) / np.spacing(
            np.maximum(np.abs(nearest), np.float32(2.0**-126))
        ).astype(np.float64)
    special = ~np.isfinite(nearest)
    same = (got == nearest) | (np.isnan(got) & np.isnan(nearest))
    return np.where(special, np.where(same, 0, np.inf), error)


def floats():
    """Finite float32 numbers of every exponent and sign, and all of them around places where a
    function changes its way."""
    step = 1 << 12
    every = np.arange(0, 1 << 32, step, dtype=np.uint64)
    every += np.random.default_rng(0).integers(0, step, every.size, dtype=np.uint64)
    places = [0, 2.0**-126, math.log(2) / 2, 2**0.5 - 1, 0.5, 2**-0.5, 1, 2**0.5, 2**0.5 + 1, 3.92,
              4.2, 9, 10, 10.05, 17.33, 20, 87.34, 88.02, 88.73, 89.42, 103.98, 126, 128, 149, 150,
              4096, 1e5, 2.0**64, 2.0**127,
              *(k * math.pi / 4 for k in (*range(1, 30), 1001, 65537, 125001))]  # fmt: skip
    near = (
        np.add.outer(np.float32(places).view(np.int32), np.arange(-500, 500, dtype=np.int32))
        .view(np.float32)
        .ravel()
    )
    usual = np.random.default_rng(1).uniform(-20, 20, 1 << 17).astype(np.float32)
    x = np.concatenate([every.astype(np.uint32).view(np.float32), near, -near, usual])
    return x[np.isfinite(x)]


FLOATS = floats()


@pytest.mark.parametrize("name", ULP)
def test_as_accurate_as_opencl_promises(name):
    got, true = on_device(name, FLOATS), true_values(name, FLOATS)
    error = ulps(got, true)
    worst = np.argmax(error)
    assert error[worst] <= ULP[name], (
        f"{error[worst]} ulp: {name}({FLOATS[worst]!r}) is {true[worst]!r}, not {got[worst]!r}"
    )
    zero = np.abs(true) < 2.0**-151
    np.testing.assert_array_equal(np.signbit(got[zero]), np.signbit(true[zero]))


@pytest.mark.parametrize("name", ULP)
def test_infinity_and_nan(name):
    special = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0] * 7, np.float32)
    got, expected = on_device(name, special), true_values(name, special).astype(np.float32)
    np.testing.assert_allclose(got, expected, rtol=3e-7)
    real = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got[real]), np.signbit(expected[real]))


def test_powers():
    """At most 16 ulp, and every special case of C's pow."""
    random = np.random.default_rng(0)
    x = np.concatenate(
        [
            np.abs(random.choice(FLOATS, 300_000)),
            np.exp(random.uniform(-5, 5, 300_000)).astype(np.float32),
        ]
    )
    y = random.uniform(-30, 30, x.size).astype(np.float32)
    with np.errstate(all="ignore"):
        true = x.astype(np.float64) ** y.astype(np.float64)
    assert ulps(power(x, y), true).max() <= 16
    values = np.float32([0.0, -0.0, 1, -1, 2, -2, 0.5, -0.5, 3, -3, np.inf, -np.inf, np.nan, 2**24,
                         2**24 + 2, -(2**25), 1.5, -1.5,
                         1e-40, -1e-40, 3e38])  # fmt: skip
    x, y = (a.ravel() for a in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        expected = (x.astype(np.float64) ** y.astype(np.float64)).astype(np.float32)
    got = power(x, y)
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    real = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(got[real]), np.signbit(expected[real]))


def power(x, y):
    return (torch.tensor(x, device="opencl") ** torch.tensor(y, device="opencl")).cpu().numpy()


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_a_large_angle_among_small_ones(name):
    """It is reduced in another way, and so is the rest of its block: in every block, in a view, in
    place, in a derivative."""
    x = np.random.default_rng(0).uniform(-10, 10, (3, 1500)).astype(np.float32)
    x[1, 700] = 3.0e7
    expected = true_values(name, x)
    t = torch.tensor(x, device="opencl")
    for result in (getattr(t, name)(), getattr(t.T, name)().T, getattr(t.clone(), name + "_")()):
        assert ulps(result.cpu().numpy(), expected).max() <= ULP[name]
    leaf = t.clone().requires_grad_()
    getattr(leaf, name)().sum().backward()
    slope = {
        "sin": np.cos(x.astype(float)),
        "cos": -np.sin(x.astype(float)),
        "tan": 1 + expected**2,
    }[name]
    np.testing.assert_allclose(leaf.grad.cpu().numpy(), slope, rtol=1e-5)


def test_an_element_does_not_depend_on_its_neighbours():
    """At the end of an array, of a block and in a view, where no vector is full, the same function
    is computed."""
    x = np.random.default_rng(0).normal(scale=3, size=(3, 1031)).astype(np.float32)
    t = torch.tensor(x, device="opencl")
    for name in ("exp", "tanh", "sin", "log1p", "erf"):
        whole = on_device(name, x)
        np.testing.assert_array_equal(getattr(torch, name)(t.T).T.cpu().numpy(), whole)
        for i in (0, 1023, 1024, 1030):
            np.testing.assert_array_equal(
                getattr(torch, name)(t[1, i : i + 1]).cpu().numpy(), whole[1, i : i + 1]
            )


def test_a_formula_of_ones_own_may_take_the_sine_of_anything():
    """Whether an angle is large is asked of what the formula gives to sin, here a product."""
    wave = codegen.Expression("wave", "sin(x * y) + cos(x)", "xy")
    kernel = elementwise.Elementwise(runtime.runtime_for(), wave)
    x = np.random.default_rng(0).uniform(-4, 4, 3000).astype(np.float32)
    y = np.where(np.arange(3000) == 2000, np.float32(1 << 20), np.float32(2))
    got = kernel(opencl.upload("opencl:0", x), opencl.upload("opencl:0", y)).get()
    np.testing.assert_allclose(
        got, np.sin((x * y).astype(float)) + np.cos(x.astype(float)), atol=1e-6
    )
