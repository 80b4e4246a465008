"""Convolution and pooling in C against numpy, in all geometries, types and layouts, on every
instruction set and with several threads."""

import math

import numpy as np
import pytest

import microtorch as torch
from microtorch.arrays.dtypes import F32, F64
from microtorch.backends import core
from microtorch.backends.core.convolution import planned
from microtorch.backends.core.library import Kernels
from microtorch.backends.reference import Reference

pytestmark = [pytest.mark.needs("core"), pytest.mark.filterwarnings("ignore::RuntimeWarning")]
reference = Reference()
TOLERANCE = {F32: {"rtol": 2e-4, "atol": 2e-4}, F64: {"rtol": 1e-10, "atol": 1e-10}}


def numbers(rng, *shape, dtype=F32):
    return rng.standard_normal(shape).astype(dtype)


def image_size(rng, kernel, dilation, padding):
    """A size that holds a window, from just one to many, primes among them."""
    least = [max(1, d * (k - 1) + 1 - sum(p))
             for k, d, p in zip(kernel, dilation, padding, strict=True)]
    return tuple(int(m + e)
                 for m, e in zip(least, rng.choice([0, 0, 1, 2, 5, 10, 16, 30], 2), strict=True))


def pairs(rng, low, high):
    return tuple(int(v) for v in rng.integers(low, high, 2))


# ---- convolution ---------------------------------------------------------------------------------
def convolutions(count, seed=0, channels=(1, 5), outputs=(1, 14)):
    """Shapes and geometries: (batch, channels, outputs, size, kernel, geometry).

    ``channels`` and ``outputs``: of a group, from and below.
    """
    rng = np.random.default_rng(seed)
    for _ in range(count):
        groups, kernel, dilation = int(rng.choice([1, 1, 2, 3])), pairs(rng, 1, 5), pairs(rng, 1, 4)
        padding = (pairs(rng, 0, 4), pairs(rng, 0, 4))
        geometry = {"stride": pairs(rng, 1, 5), "padding": padding, "dilation": dilation,
                    "groups": groups}
        batch = int(rng.choice([0, 1, 2, 7, 16, 19]))
        yield (batch, groups * int(rng.integers(*channels)), groups * int(rng.integers(*outputs)),
               image_size(rng, kernel, dilation, padding), kernel, geometry)  # fmt: skip


def plain(groups=1, padding=((0, 0), (0, 0)), stride=(1, 1), dilation=(1, 1)):
    return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


NAMED = {
    "kernel = image": (5, 3, 4, (6, 7), (6, 7), plain()),
    "1 x 1": (3, 5, 9, (4, 4), (1, 1), plain()),
    "stride > kernel": (2, 2, 3, (11, 13), (2, 1), plain(stride=(5, 3))),
    "depthwise": (3, 7, 7, (9, 8), (3, 3), plain(groups=7, padding=((1, 1), (1, 1)))),
    "depthwise, two images side by side": (3, 5, 5, (6, 7), (3, 3),
                                           plain(groups=5, padding=((1, 1), (1, 1)))),
    "narrow, two images side by side": (5, 6, 3, (5, 2), (3, 3),
                                        plain(groups=3, padding=((1, 1), (1, 1)))),
    "same, even kernel": (2, 3, 5, (8, 9), (4, 2), plain(padding=((1, 2), (0, 1)))),
    "bands": (1, 3, 8, (48, 16), (3, 3), plain(padding=((1, 1), (1, 1)))),
    "bands, strided": (2, 2, 5, (47, 9), (5, 3),
                       plain(padding=((2, 2), (1, 1)), stride=(2, 2), dilation=(2, 1))),
    "line": (2, 3, 4, (1, 64), (1, 5),
             plain(padding=((0, 0), (2, 2)), stride=(1, 2), dilation=(1, 3))),
    "padding alone": (2, 1, 2, (1, 1), (2, 2), plain(padding=((3, 3), (4, 4)), stride=(2, 3))),
    "empty batch": (0, 2, 3, (5, 5), (3, 3), plain()),
    "depthwise, strided": (2, 5, 5, (11, 14), (3, 4),
                           plain(groups=5, stride=(2, 3), padding=((1, 2), (0, 3)),
                                 dilation=(2, 1))),
    "depthwise, dealt in pairs": (2, 3, 3, (8, 45), (3, 3),
                                  plain(groups=3, stride=(2, 2), padding=((0, 1), (1, 0)))),
    "depthwise, 2 columns": (1, 3, 3, (5, 2), (3, 2), plain(groups=3, stride=(2, 2))),
    "depthwise, several each": (3, 6, 9, (8, 21), (2, 3),
                                plain(groups=3, stride=(1, 2), padding=((0, 1), (2, 0)))),
    "depthwise line": (2, 3, 3, (1, 300), (1, 4), plain(groups=3, padding=((0, 0), (3, 0)))),
    "depthwise, long rows": (1, 2, 2, (3, 290), (3, 9), plain(groups=2, padding=((1, 1), (4, 4)))),
    "1 x 1 in groups": (9, 8, 12, (3, 5), (1, 1), plain(groups=4)),
    "1 x 1, strided": (2, 40, 36, (9, 8), (1, 1), plain(stride=(2, 3))),
    "1 x 1, padding at the end": (2, 3, 2, (2, 2), (1, 1),
                                  plain(stride=(2, 2), padding=((0, 1), (0, 1)))),
    "kernel = image in groups": (4, 6, 9, (3, 5), (3, 5), plain(groups=3)),
    "many channels": (3, 40, 36, (9, 11), (3, 3), plain(padding=((1, 1), (1, 1)))),
    "many channels, no padding": (2, 40, 33, (7, 30), (3, 2), plain()),
    "many channels, strided": (2, 33, 48, (13, 10), (4, 3),
                               plain(stride=(2, 2), padding=((1, 2), (0, 3)), dilation=(1, 2))),
    "many channels, stride > kernel": (2, 40, 36, (7, 9), (2, 1), plain(stride=(3, 2))),
    "many channels in groups": (2, 48, 51, (6, 5), (3, 3),
                                plain(groups=3, padding=((1, 1), (1, 1)))),
    "many channels, bands": (2, 512, 36, (51, 6), (2, 1), plain(padding=((1, 0), (0, 0)))),
    "many channels, bands, padding below": (1, 512, 33, (51, 6), (2, 1),
                                            plain(padding=((0, 1), (0, 0)))),
    "many channels, bands, strided": (1, 512, 33, (54, 10), (2, 2),
                                      plain(stride=(2, 2), padding=((1, 1), (0, 0)))),
    "many channels, in parts": (2, 400, 20, (8, 7), (2, 2), plain(padding=((1, 1), (1, 0)))),
    "many channels, in parts, low": (9, 400, 20, (3, 3), (2, 2), plain(padding=((1, 0), (0, 0)))),
    "depthwise, 5 x 5": (2, 3, 3, (19, 17), (5, 5), plain(3, ((2, 2), (2, 2)))),
    "depthwise, 7 x 7, several each": (2, 4, 6, (9, 40), (7, 7), plain(2, ((3, 3), (3, 2)))),
    "many channels, planes of 4 KiB": (2, 14, 20, (32, 32), (3, 3), plain(1, ((1, 1), (1, 1)))),
    "many channels, large kernel": (2, 16, 33, (5, 6), (7, 7), plain(1, ((3, 3), (3, 3)))),
    "many channels, dilated beyond the edge": (1, 16, 33, (4, 5), (3, 3),
                                               plain(1, ((6, 6), (7, 6)), dilation=(5, 6))),
    "many small images": (70, 32, 35, (4, 4), (3, 3), plain(padding=((1, 1), (1, 1)))),
    "LeNet": (33, 1, 6, (28, 28), (5, 5), plain(padding=((2, 2), (2, 2)))),
}


def operands(case, dtype, seed=0):
    """x, w, b, gradient of the result, and a bias for the transposed convolution."""
    batch, channels, outputs, size, kernel, geometry = case
    rng = np.random.default_rng(seed)
    x = numbers(rng, batch, channels, *size, dtype=dtype)
    w = numbers(rng, outputs, channels // geometry["groups"], *kernel, dtype=dtype)
    y = reference.conv2d(x, w, **geometry)
    bias, g, other = (numbers(rng, *s, dtype=dtype) for s in ((outputs,), y.shape, (channels,)))
    return x, w, bias, g, other


def three_ops(F, case, arrays):
    _, _, _, size, kernel, geometry = case
    x, w, b, y, other = arrays
    return (
        F.conv2d(x, w, b, **geometry), F.conv2d(x, w, **geometry),
        F.conv_transpose2d(y, w, other, size=size, **geometry),
        F.conv_transpose2d(y, w, size=size, **geometry),
        F.conv2d_weight(x, y, kernel=kernel, **geometry),
    )  # fmt: skip


def compare(results, expected, dtype, what):
    for result, wanted in zip(results, expected, strict=True):
        assert result.dtype == dtype and result.flags.c_contiguous
        scale = max(1.0, float(np.abs(wanted).max(initial=0)))
        np.testing.assert_allclose(result / scale, wanted / scale, **TOLERANCE[dtype],
                                   err_msg=str(what))


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_convolutions_of_random_geometry(isa, dtype, threads):
    """The bits are the same with two threads."""
    F = core.Core(dtype)
    many = convolutions(8, len(isa), (12, 40), (12, 40))
    for case in (*convolutions(40, seed=len(isa)), *many):
        arrays = operands(case, dtype)
        results = three_ops(F, case, arrays)
        compare(results, three_ops(reference, case, arrays), dtype, case)
        threads(2)
        for one, two in zip(results, three_ops(F, case, arrays), strict=True):
            np.testing.assert_array_equal(one, two)
        threads(1)


@pytest.mark.parametrize("name", NAMED)
def test_convolutions_by_name(isa, name, threads):
    case = NAMED[name]
    for dtype in (F32, F64):
        arrays = operands(case, dtype)
        results = three_ops(core.Core(dtype), case, arrays)
        compare(results, three_ops(reference, case, arrays), dtype, name)
        threads(3)
        for one, three in zip(results, three_ops(core.Core(dtype), case, arrays), strict=True):
            np.testing.assert_array_equal(one, three)
        threads(1)


@pytest.mark.parametrize("name", [n for n in NAMED if n != "LeNet" and "many" not in n])
def test_the_seven_loops(name):
    """The naive kernels, which also run where there is no memory for the fast ones."""
    batch, channels, outputs, size, kernel, geometry = case = NAMED[name]
    groups = geometry["groups"]
    for dtype in (F32, F64):
        x, w, b, y, other = arrays = operands(case, dtype)
        g, _, elements = planned(size, kernel,
                                 *(geometry[k] for k in ("stride", "padding", "dilation")))
        sizes, lib = (batch, channels, outputs, groups, *elements, g), Kernels(dtype)
        windows, images, weight = np.empty_like(y), np.empty_like(x), np.empty_like(w)
        assert lib.conv2d_naive(*sizes, x, w, b, windows)
        assert lib.conv_transpose2d_naive(*sizes, y, w, other, images)
        assert lib.conv2d_weight_naive(*sizes, x, y, weight)
        expected = three_ops(reference, case, arrays)
        compare((windows, images, weight), (expected[0], expected[2], expected[4]), dtype, name)


def test_layouts_of_convolutions():
    """Operands that are not contiguous, or not aligned, give the same result."""
    case = NAMED["same, even kernel"]
    arrays = operands(case, F32)
    expected = three_ops(reference, case, arrays)

    def misaligned(a):
        return np.frombuffer(b"\0" + a.tobytes(), a.dtype, offset=1).reshape(a.shape)

    for layout in (
        np.asfortranarray, lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
        lambda a: a[..., ::-1].copy()[..., ::-1],
        lambda a: np.swapaxes(np.swapaxes(a, 0, -1).copy(), 0, -1), misaligned,
    ):  # fmt: skip
        compare(three_ops(core.Core(F32), case, [layout(a) for a in arrays]), expected, F32, layout)
    one = np.broadcast_to(np.float32(1), arrays[3].shape)  # the gradient of a sum
    compare(
        [core.Core(F32).conv2d_weight(arrays[0], one, kernel=case[4], **case[5])],
        [reference.conv2d_weight(arrays[0], one, kernel=case[4], **case[5])], F32, "broadcast",
    )  # fmt: skip


@pytest.mark.parametrize("channels", [(2, 3, 1), (40, 36, 1), (6, 6, 3)], ids=str)
@pytest.mark.parametrize("batch", [1, 2, 19])
def test_infinity_stays_in_the_windows_that_see_it(isa, batch, channels):
    """A sum does not include numbers outside its window (in other lanes, bands, columns) times
    0."""
    c, o, groups = channels
    size, kernel = (12, 10), (3, 2)
    geometry = plain(groups, stride=(2, 2), dilation=(1, 2))
    rng, F = np.random.default_rng(3), core.Core(F32)
    x, w = numbers(rng, batch, c, *size), numbers(rng, o, c // groups, *kernel)
    y = reference.conv2d(x, w, **geometry)
    x[0, 1, 5, 4], x[-1, 0, 11, 9] = np.inf, np.nan  # the second is seen by none: stride 2
    np.testing.assert_array_equal(np.isfinite(F.conv2d(x, w, **geometry)),
                                  np.isfinite(reference.conv2d(x, w, **geometry)))
    weight = F.conv2d_weight(x, y, kernel=kernel, **geometry)
    wanted = reference.conv2d_weight(x, y, kernel=kernel, **geometry)
    np.testing.assert_array_equal(np.isfinite(weight), np.isfinite(wanted))
    y[0, 0, 2, 2] = np.inf
    back = F.conv_transpose2d(y, w, size=size, **geometry)
    wanted = reference.conv_transpose2d(y, w, size=size, **geometry)
    np.testing.assert_array_equal(np.isfinite(back), np.isfinite(wanted))


# ---- pooling -------------------------------------------------------------------------------------
def poolings(count, seed=0):
    """Shapes and geometries of pooling, with what ceil_mode adds at the end: (shape, geometry)."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        kernel, dilation = pairs(rng, 1, 5), pairs(rng, 1, 3)
        padding = []
        for k, d in zip(kernel, dilation, strict=True):
            before = int(rng.integers(0, (d * (k - 1) + 1) // 2 + 1))
            padding.append((before, before + int(rng.integers(0, 3))))
        size = image_size(rng, kernel, dilation, [(a, a) for a, _ in padding])
        geometry = {"kernel": kernel, "stride": pairs(rng, 1, 4), "padding": tuple(padding),
                    "dilation": dilation}
        yield (int(rng.choice([0, 1, 3])), int(rng.choice([1, 5])), *size), geometry


def images(rng, shape, dtype):
    """A few different numbers, so that maxima are often equal; some are not finite."""
    x = rng.integers(-3, 4, shape).astype(dtype)
    if rng.random() < 0.3:
        x[rng.random(shape) < 0.1] = np.nan
        x[rng.random(shape) < 0.1] = -np.inf
    return x


def pooled(F, x, g, geometry):
    """Max pooling: value, place, gradient; the gradient by its parts, and its derivative."""
    size, out = x.shape[2:], F.max_pool2d(x, **geometry)
    place = F.pool_place(x, out, **geometry)
    back = F.pool_scatter(g, place, size=size, **geometry)
    vjp = F.max_pool2d_vjp0(g, out, x, **geometry) if hasattr(F, "max_pool2d_vjp0") else back
    return out, place, back, vjp, F.pool_gather(x, place, **geometry)


def means(F, x, g, geometry, divisor):
    attrs = {k: v for k, v in geometry.items() if k != "dilation"} | {"divisor": divisor}
    size = x.shape[2:]
    adaptive = [F.adaptive_avg_pool2d(x, size=s) for s in ((1, 1), (2, 3), size)]
    spread = [F.adaptive_spread(a, size=size) for a in adaptive]
    return F.avg_pool2d(x, **attrs), F.avg_spread(g, size=size, **attrs), *adaptive, *spread


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_poolings_of_random_geometry(isa, dtype, threads):
    rng, F = np.random.default_rng(4), core.Core(dtype)
    for shape, geometry in poolings(60, seed=len(isa)):
        x = images(rng, shape, dtype)
        # sums of them are exact
        g = rng.integers(-9, 10, reference.max_pool2d(x, **geometry).shape).astype(dtype)
        results = pooled(F, x, g, geometry)
        for result, wanted in zip(results, pooled(reference, x, g, geometry), strict=True):
            assert result.dtype == wanted.dtype and result.flags.c_contiguous
            np.testing.assert_array_equal(result, wanted, err_msg=str((shape, geometry)))
        threads(2)
        for one, two in zip(results, pooled(F, x, g, geometry), strict=True):
            np.testing.assert_array_equal(one, two)
        threads(1)


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_means_of_random_geometry(isa, dtype, threads):
    rng, F = np.random.default_rng(5), core.Core(dtype)
    for shape, geometry in poolings(30, seed=len(isa)):
        geometry["dilation"] = (1, 1)
        x = numbers(rng, *shape, dtype=dtype)
        g = numbers(rng, *reference.max_pool2d(x, **geometry).shape, dtype=dtype)
        rows = tuple(tuple(int(v) for v in row) for row in rng.integers(1, 9, g.shape[2:]))
        for divisor in (3, rows):
            results = means(F, x, g, geometry, divisor)
            compare(results, means(reference, x, g, geometry, divisor), dtype, (shape, geometry))
            threads(2)
            for one, two in zip(results, means(F, x, g, geometry, divisor), strict=True):
                np.testing.assert_array_equal(one, two)
            threads(1)


def test_many_planes_by_several_threads(threads):
    """Enough images for several pieces give the same results with one thread and with three."""
    rng, F = np.random.default_rng(6), core.Core(F32)
    x = numbers(rng, 16, 6, 28, 28)
    geometry = {"kernel": (2, 2), "stride": (2, 2), "padding": ((0, 0),) * 2, "dilation": (1, 1)}
    g = numbers(rng, 16, 6, 14, 14)
    one = pooled(F, x, g, geometry), means(F, x, g, geometry, 4)
    for result, wanted in zip(one[0], pooled(reference, x, g, geometry), strict=True):
        np.testing.assert_array_equal(result, wanted)
    threads(3)
    for a, b in zip([*one[0], *one[1]], [*pooled(F, x, g, geometry), *means(F, x, g, geometry, 4)],
                    strict=True):
        np.testing.assert_array_equal(a, b)


def test_large_kernels_and_layouts_of_pooling():
    """In C a place is a byte. Larger kernels go to numpy, and so do misaligned arrays."""
    rng, F = np.random.default_rng(7), core.Core(F32)
    x = images(rng, (2, 3, 20, 19), F32)
    for kernel, layout in (
        ((17, 16), np.array), ((16, 16), np.array), ((2, 3), np.asfortranarray),
        ((2, 2), lambda a: a[..., ::-1]),
        ((2, 2), lambda a: np.frombuffer(b"\0" + a.tobytes(), a.dtype, offset=1).reshape(a.shape)),
    ):  # fmt: skip
        geometry = {"kernel": kernel, "stride": (1, 2), "padding": ((1, 1), (0, 1)),
                    "dilation": (1, 1)}
        y = layout(x)
        g = rng.integers(0, 9, reference.max_pool2d(y, **geometry).shape).astype(F32)
        for result, wanted in zip(pooled(F, y, layout(g), geometry),
                                  pooled(reference, y, layout(g), geometry), strict=True):
            np.testing.assert_array_equal(result, wanted)
            assert result.dtype == wanted.dtype


def test_a_place_that_is_nowhere_carries_nothing():
    F = core.Core(F32)
    geometry = {"kernel": (2, 2), "stride": (2, 2), "padding": ((1, 1), (1, 1)), "dilation": (1, 1)}
    # in the padding, or past the kernel
    place = np.array([0, 3, 4, 255] * 4, np.uint8).reshape(1, 1, 4, 4)
    g = np.arange(16, dtype=F32).reshape(1, 1, 4, 4)
    for result, wanted in (
        (F.pool_scatter(g, place, size=(6, 6), **geometry),
         reference.pool_scatter(g, place, size=(6, 6), **geometry)),
        (F.pool_gather(np.ones((1, 1, 6, 6), F32), place, **geometry),
         reference.pool_gather(np.ones((1, 1, 6, 6), F32), place, **geometry)),
    ):  # fmt: skip
        np.testing.assert_array_equal(result, wanted)


def test_geometry_is_made_once():
    arguments = ((28, 28), (5, 5), (1, 1), ((2, 2), (2, 2)), (1, 1))
    g, count, elements = planned(*arguments)
    assert count == (28, 28) and elements == (784, 784, 25) and planned(*arguments)[0] is g
    assert list(g) == [28, 28, 5, 5, 1, 1, 2, 2, 1, 1, 28, 28] and math.prod(g.shape) == 12


def test_padding_that_nothing_sees_takes_no_memory():
    """A plane with its padding would have 2^64 numbers; no window meets the image."""
    x, w = torch.ones(1, 8, 2, 2), torch.ones(8, 8, 2, 2, requires_grad=True)
    y = torch.nn.functional.conv2d(x, w, padding=2**31 - 1, dilation=2**32 - 2)
    assert y.shape == (1, 8, 2, 2) and not y.any()
    y.sum().backward()
    assert not w.grad.any()
