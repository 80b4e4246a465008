"""ext/bfloat.c: products of bfloat16 against sums in float64, on every instruction set; and what
tensors make of them, with their derivatives."""
import itertools

import numpy as np
import pytest

import microtorch as torch
from microtorch.arrays.dtypes import F32
from microtorch.backends import core
from microtorch.backends.core import library
from microtorch.backends.core.library import Kernels

pytestmark = pytest.mark.needs("core")
EDGES = (1, 2, 11, 12, 13, 31, 32, 33, 70)


def bits(shape, layout="rows", seed=0):
    """Random bfloat16 as their bits, and the same numbers in float64."""
    numbers = np.random.default_rng(seed + sum(shape)).standard_normal(shape).astype(np.float32)
    short = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    if layout == "turned":
        short = np.ascontiguousarray(short.swapaxes(-1, -2)).swapaxes(-1, -2)
    elif layout == "strided":
        wide = np.zeros((*shape[:-2], 2 * shape[-2], 3 * shape[-1] + 1), np.uint16)
        wide[..., ::2, 1::3] = short
        short = wide[..., ::2, 1::3]
    elif layout == "reversed":
        short = np.ascontiguousarray(short[..., ::-1, ::-1])[..., ::-1, ::-1]
    return short, (short.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def product(x, y):
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    m, k, n = *x.shape[-2:], y.shape[-1]
    out = np.full((*batch, m, n), np.nan, np.float32)
    outer, inner = (1, 1, *batch)[-2:]
    assert Kernels(F32).bfloat_products(outer, inner, m, k, n, x, y, out)
    return out


def agrees(x, y):
    (a, x), (b, y) = x, y
    most = np.abs(x) @ np.abs(y)
    np.testing.assert_array_less(np.abs(product(a, b) - x @ y), 1e-6 * most + 1e-30)


def test_sizes_around_tiles(isa):
    for m, k, n in itertools.product(EDGES, repeat=3):
        agrees(bits((m, k)), bits((k, n), seed=1))


@pytest.mark.parametrize("x", ["rows", "turned", "strided", "reversed"])
@pytest.mark.parametrize("y", ["rows", "turned", "strided", "reversed"])
def test_layouts(isa, x, y):
    for m, k, n in ((25, 40, 33), (12, 17, 64), (13, 1, 5)):
        agrees(bits((m, k), x), bits((k, n), y, seed=1))


def test_batches_that_broadcast(isa):
    agrees(bits((3, 5, 13, 8)), bits((5, 8, 35), seed=1))
    agrees(bits((13, 9)), bits((2, 9, 35), "turned", seed=1))
    agrees(bits((2, 1, 4, 6)), bits((3, 6, 4), seed=1))


def test_nothing_to_add_up_is_zero(isa):
    assert (product(np.ones((3, 0), np.uint16), np.ones((0, 4), np.uint16)) == 0).all()
    assert product(np.ones((0, 3), np.uint16), np.ones((3, 4), np.uint16)).shape == (0, 4)


def test_infinities_and_nan(isa):
    x, y = bits((30, 40))[0].copy(), bits((40, 50), seed=1)[0].copy()
    x[3, 4], x[20, 39], y[0, 49] = 0x7F80, 0x7FC0, 0xFF80
    a, b = ((v.astype(np.uint32) << 16).view(np.float32) for v in (x, y))
    with np.errstate(invalid="ignore"):
        expected = a @ b
    out = product(x, y)
    np.testing.assert_array_equal(np.isnan(out), np.isnan(expected))
    np.testing.assert_array_equal(np.isposinf(out), np.isposinf(expected))


def test_blocks_of_large_products_on_several_threads():
    """One block of the depth after the other, and panels in pieces: the same on any number."""
    x, y = bits((301, 2500), "turned"), bits((2500, 203), seed=1)
    agrees(x, y)
    one = product(x[0], y[0])
    core.set_num_threads(3)
    try:
        np.testing.assert_array_equal(product(x[0], y[0]), one)
    finally:
        core.set_num_threads(1)


def test_the_kernel_takes_bits_only():
    x, y, out = np.ones((4, 4), np.float32), np.ones((4, 4), np.uint16), np.ones((4, 4), np.float32)
    kernels = Kernels(F32)
    assert not kernels.bfloat_products(1, 1, 4, 4, 4, x, y, out)
    assert not kernels.bfloat_products(1, 1, 4, 5, 4, y, y, out)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(40, 50), (3, 20, 50), (2, 3, 7, 50)])
def test_tensors_are_rounded_once(dtype, shape):
    torch.manual_seed(0)
    x = torch.randn(*shape, dtype=dtype, requires_grad=True)
    w = torch.randn(33, 50, dtype=dtype, requires_grad=True)
    b = torch.randn(33, dtype=dtype, requires_grad=True)
    ulp = torch.finfo(dtype).eps
    for f in (
        lambda x, w, b: x @ w.t(),
        lambda x, w, b: torch.nn.functional.linear(x, w),
        torch.nn.functional.linear,
    ):
        out, wide = f(x, w, b), f(x.detach().float(), w.detach().float(), b.detach().float())
        assert out.dtype is dtype
        assert torch.allclose(out.float(), wide, rtol=ulp, atol=1e-5)
        g = torch.randn(out.shape, dtype=dtype)
        used = [x, w, b][: 3 if f is torch.nn.functional.linear else 2]
        exact = [t.detach().float().requires_grad_() for t in (x, w, b)]
        f(*exact).backward(g.float())
        for mine, reference in zip(torch.autograd.grad(out, used, g), exact, strict=False):
            scale = reference.grad.abs().max()
            assert mine.dtype is dtype
            assert torch.allclose(mine.float(), reference.grad, 2 * ulp, 1e-2 * ulp * scale)


def test_what_has_no_pairs_goes_the_way_of_float(monkeypatch):
    x = torch.randn(40, 40).bfloat16()
    before = x @ x
    monkeypatch.setattr(library, "lib", WithoutPairs(library.lib))
    after = x @ x
    assert torch.allclose(before.float(), after.float(), rtol=torch.finfo(torch.bfloat16).eps)


class WithoutPairs:
    def __init__(self, lib):
        self.lib = lib

    def __getattr__(self, name):
        return (lambda: 0) if name == "has_pairs" else getattr(self.lib, name)
