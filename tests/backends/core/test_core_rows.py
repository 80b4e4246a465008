"""Reductions, softmax, losses, normalisation and embedding in C: each kernel beside the same op on
numpy in float64.

Shapes are random, with 0, 1 and primes among them and sizes on both sides of every block; every
instruction set takes its turn.
"""
import itertools
import math
import random

import numpy as np
import pytest

import microtorch as torch
import microtorch.nn.functional as F
from microtorch.backends import core
from microtorch.backends.reference import Reference
from microtorch.engine.backward import unbroadcast
from microtorch.engine.registry import REGISTRY

pytestmark = [pytest.mark.needs("core"), pytest.mark.filterwarnings("ignore::RuntimeWarning")]
FLOATS = (np.float32, np.float64)
SIZES = (0, 1, 2, 3, 7, 8, 9, 16, 31, 64, 65, 127, 128, 130, 1021, 1024, 1031, 2053)
reference = Reference()


def kernels(dtype):
    return core.Core(np.dtype(dtype))


def shapes(seed, count, dims=(1, 4), largest=60_000, smallest=0):
    """Random shapes of at most ``largest`` elements, each with one of its dimensions."""
    rng = random.Random(seed)
    while count:
        shape = tuple(rng.choice([s for s in SIZES if s >= smallest])
                      for _ in range(rng.randint(*dims)))
        if math.prod(shape) <= largest:
            count -= 1
            yield shape, rng.randrange(len(shape))


def close(actual, expected, dtype, scale=1.0, units=16):
    """Equal to a few units in the last place, of the value or of ``scale``, the summands' size."""
    tolerance = units * np.finfo(dtype).eps
    assert actual.dtype == dtype and actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * scale)


def back(kernel, name, place, g, out, *inputs, **attrs):
    """The derivative that backward takes: the kernel's, or the declared one if that declines."""
    op = REGISTRY[name].family(len(inputs)) if REGISTRY[name].family else REGISTRY[name]
    d = op.vjp_kernels[kernel][place](kernel, g, out, *inputs, **attrs)
    return unbroadcast(kernel, d, inputs[place].shape)


def derivative(kernel, name, place, *arguments, **attrs):
    """C's derivative, and the declared one on the same values in float64."""
    joint = getattr(kernel, f"{name}_vjps", None)
    if joint is None:
        mine = getattr(kernel, f"{name}_vjp{place}")(*arguments, **attrs)
    else:
        mine = joint(*arguments, **attrs)[place]
    assert mine is not None
    doubles = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in arguments]
    shape = arguments[2 + place].shape
    return unbroadcast(kernel, mine, shape), back(reference, name, place, *doubles, **attrs)


# ---- sums and extremes ---------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", FLOATS)
def test_reductions_on_random_shapes(isa, dtype):
    rng, C = np.random.default_rng(0), kernels(dtype)
    for i, (shape, d) in enumerate(shapes(1, 60)):
        x = rng.standard_normal(shape).astype(dtype)
        several = tuple(k for k in range(len(shape)) if (i >> k) & 1) or None
        for dim in (None, d, several, tuple(range(len(shape)))):
            keep = bool(i % 2)
            wide, axis = x.astype(np.float64), dim if dim is not None else tuple(range(x.ndim))
            scale = float(np.max(np.sum(np.abs(wide), axis), initial=0))
            close(C.sum(x, dim, keep), np.asarray(np.sum(wide, axis, keepdims=keep)), dtype, scale)
            n = math.prod(shape[k] for k in np.atleast_1d(axis))
            close(C.mean(x, dim, keep),
                  np.asarray(np.sum(wide, axis, keepdims=keep) / (n or math.nan)), dtype,
                  scale / max(n, 1))
            if n:
                np.testing.assert_array_equal(C.amax(x, dim, keep), np.max(x, axis, keepdims=keep))
                np.testing.assert_array_equal(C.amin(x, dim, keep), np.min(x, axis, keepdims=keep))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape, dim",
                         [((50_001,), None), ((200_003,), None), ((3001, 7), 0), ((5, 40_000), 1),
                          ((700, 129), 0)])
def test_sums_do_not_lose_small_numbers(isa, dtype, shape, dim):
    """In ill-conditioned sums of any length, the error is below 32 roundings of the sum of
    magnitudes."""
    rng, C = np.random.default_rng(2), kernels(dtype)
    x = (rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 7, shape)).astype(dtype)
    total = np.moveaxis(np.atleast_2d(x), 0 if dim == 0 else -1, -1)
    total = total.reshape(-1, total.shape[-1])
    exact, size = (np.array([math.fsum(r) for r in a]) for a in (total, np.abs(total)))
    assert (np.abs(np.ravel(C.sum(x, dim)) - exact) <= 32 * np.finfo(dtype).eps / 2 * size).all()
    # a running sum in float32 would be wrong in the third digit
    ones = np.full(1 << 21, 0.1, dtype)
    assert C.sum(ones).item() == pytest.approx((1 << 21) * float(dtype(0.1)),
                                               rel=4 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", FLOATS)
def test_nan_and_infinities(isa, dtype):
    C = kernels(dtype)
    for n in (1, 5, 64, 100, 700, 70_000):
        for value in (np.nan, np.inf, -np.inf):
            for place in {0, n // 2, n - 1}:
                x = np.linspace(-1, 1, n).astype(dtype)
                x[place] = value
                for op, numpy_op in (("sum", np.sum), ("mean", np.mean), ("amax", np.max),
                                     ("amin", np.min)):
                    for shape, dim in (((n,), None), ((n, 1), 0), ((1, n), 1)):
                        result = getattr(C, op)(x.reshape(shape), dim)
                        np.testing.assert_allclose(result, numpy_op(x.reshape(shape), dim),
                                                   rtol=1e-3, atol=1e-3)
                    columns = getattr(C, op)(np.repeat(x[:, None], 3, 1), 0)
                    np.testing.assert_allclose(columns, numpy_op(np.repeat(x[:, None], 3, 1), 0),
                                               rtol=1e-3, atol=1e-3)
        x = np.zeros(n, dtype)
        x[0], x[-1] = np.inf, -np.inf if n > 1 else np.nan
        assert np.isnan(C.sum(x))


@pytest.mark.parametrize("dtype", FLOATS)
def test_gradients_of_sums_on_random_shapes(isa, dtype):
    """``spread``: g, divided, over the shape that was summed. The result is a new array."""
    rng, C = np.random.default_rng(3), kernels(dtype)
    for i, (shape, d) in enumerate([*shapes(4, 40), ((), 0), ((3, 40_001), 1), ((40_001, 3), 0),
                                    ((50, 70, 60), 1)]):
        several = tuple(k for k in range(len(shape)) if (i >> k) & 1) or None
        for dim in (None, (d,) if shape else None, several):
            axis = tuple(range(len(shape))) if dim is None else dim
            g = rng.standard_normal([n for k, n in enumerate(shape) if k not in axis]).astype(dtype)
            expected = np.broadcast_to(np.expand_dims(g / dtype(1.5), axis), shape)
            for given in (g, np.asfortranarray(g),
                          np.repeat(g[..., None], 2, -1)[..., 0] if g.ndim else g):
                out = C.spread(given, shape, dim, 1.5)
                assert out.base is None and out.flags.c_contiguous
                close(out, expected, dtype, units=1)
            np.testing.assert_array_equal(C.spread(g, shape, dim, 1),
                                          np.broadcast_to(np.expand_dims(g, axis), shape))


# ---- softmax -------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", FLOATS)
def test_softmax_of_rows_of_every_length(isa, dtype):
    """Rows of up to more than four vectors, several at a time. The numbers are far from 0, so that
    one read beyond a row's end would be noticed.
    """
    rng, C = np.random.default_rng(3), kernels(dtype)
    for n in (*range(1, 72), 511, 512, 513, 1021, 2049):
        for rows in (1, 3) if n > 20 else (1, 131):
            for offset in (0, -1000, 1000):
                x = (rng.standard_normal((rows, n)) * 3 + offset).astype(dtype)
                x[0, n // 2] = -np.inf if n > 1 else x[0, 0]
                g = rng.standard_normal((rows, n)).astype(dtype)
                wide = x.astype(np.float64) - x.max(1, keepdims=True)
                logs = wide - np.log(np.exp(wide).sum(1, keepdims=True))
                p = np.exp(logs)
                close(C.softmax(x, 1), p, dtype)
                close(C.log_softmax(x, 1), logs, dtype,
                      max(1, np.abs(wide[np.isfinite(wide)]).max()))
                close(C.softmax_vjp0(g, p.astype(dtype), x, 1),
                      p * (g - (g * p).sum(1, keepdims=True)), dtype)
                close(C.log_softmax_vjp0(g, logs.astype(dtype), x, 1),
                      g - p * np.sum(g, 1, keepdims=True, dtype=np.float64),
                      dtype, np.abs(g).sum(1).max(), units=32)  # fmt: skip
    for value in (np.nan, np.inf):
        for n in (1, 7, 16, 40, 600):
            for place in {0, n // 2, n - 1}:
                x = rng.standard_normal((2, n)).astype(dtype)
                x[0, place] = value
                assert np.isnan(C.softmax(x, 1)[0]).all() and np.isfinite(C.softmax(x, 1)[1]).all()
                log = C.log_softmax(x, 1)
                assert np.isnan(log[0, place]) and np.isfinite(log[1]).all()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_on_random_shapes(isa, dtype, name):
    rng, C = np.random.default_rng(3), kernels(dtype)
    for shape, dim in shapes(4, 40):
        x = (rng.standard_normal(shape) * 5).astype(dtype)
        out = getattr(C, name)(x, dim)
        close(out, getattr(reference, name)(x.astype(np.float64), dim), dtype,
              20.0 if name == "log_softmax" else 1e-30, 64)
        g = rng.standard_normal(shape).astype(dtype)
        mine, declared = derivative(C, name, 0, g, out, x, dim=dim)
        close(mine, declared, dtype, max(shape[dim], 1))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("n", [1, 10, 64, 200])
def test_softmax_of_special_rows(isa, dtype, n):
    """-inf (a masked place) becomes 0. A row of only -inf, or with inf or NaN, is NaN, as in
    PyTorch."""
    C, x = kernels(dtype), np.zeros((6, n), dtype)
    x[0, n // 2] = np.nan
    x[1, n // 2] = np.inf
    x[2] = -np.inf
    x[3, : n // 2] = -np.inf
    x[4] = np.linspace(-1000, 1000, n)
    x[5] = 1e30
    for dim, a in ((1, x), (0, np.ascontiguousarray(x.T))):
        out, log = C.softmax(a, dim), C.log_softmax(a, dim)
        out, log = (out, log) if dim else (out.T, log.T)
        assert np.isnan(out[:3]).all() and np.isnan(log[:3]).all()
        assert (out[3, : n // 2] == 0).all() and (log[3, : n // 2] == -np.inf).all()
        np.testing.assert_allclose(out[3:].sum(1), 1, rtol=1e-5)
        np.testing.assert_allclose(out[5], 1 / n, rtol=1e-6)
        np.testing.assert_allclose(log[4], reference.log_softmax(x[4].astype(np.float64), 0),
                                   rtol=1e-6, atol=1e-5)


# ---- losses --------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_nll_on_random_shapes(isa, dtype, reduction):
    rng, C = np.random.default_rng(5), kernels(dtype)
    for i, (shape, _) in enumerate(shapes(6, 30, dims=(2, 4), smallest=1)):
        x, w = rng.standard_normal(shape).astype(dtype), rng.random(shape[1]).astype(dtype)
        t = rng.integers(0, shape[1], (shape[0], *shape[2:]))
        ignore = int(t.flat[0]) if i % 3 == 0 else -100
        for weight in ((), (w,)):
            attrs = {"reduction": reduction, "ignore_index": ignore}
            out = C.nll_loss(x, t, *weight, **attrs)
            expected = reference.nll_loss(x.astype(np.float64), t,
                                          *(v.astype(np.float64) for v in weight), **attrs)
            close(out, np.asarray(expected), dtype, 10.0 * (t.size if reduction == "sum" else 1))
            g = rng.standard_normal(np.shape(out)).astype(dtype)
            mine, declared = derivative(C, "nll_loss", 0, g, out, x, t, *weight, **attrs)
            close(mine, declared, dtype, 1e-3)


def test_targets_out_of_range():
    x = torch.zeros(4, 3, requires_grad=True)
    for bad in (3, -1, -101, 1 << 40):
        with pytest.raises(IndexError, match=f"Target {bad} is out of bounds"):
            torch.nn.functional.cross_entropy(x, torch.tensor([0, 1, bad, 2]))
    loss = torch.nn.functional.cross_entropy(x, torch.tensor([0, 1, -1, 2]), ignore_index=-1)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(3), rel=1e-6) and (x.grad[2] == 0).all()
    assert math.isnan(torch.nn.functional.cross_entropy(x, torch.tensor([-100] * 4)).item())


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_mse_on_random_shapes(isa, dtype, reduction):
    rng, C = np.random.default_rng(7), kernels(dtype)
    for shape, _ in [*shapes(8, 15), ((3, 5), 0), ((), 0), ((200_003,), 0)]:
        x, y = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
        out = C.mse_loss(x, y, reduction)
        expected = np.asarray(reference.mse_loss(x.astype(np.float64), y.astype(np.float64),
                                                 reduction))
        close(out, expected, dtype)
        g = rng.standard_normal(np.shape(out)).astype(dtype)
        for place in (0, 1):
            close(*derivative(C, "mse_loss", place, g, out, x, y, reduction=reduction), dtype,
                  10.0 / (x.size or 1))


# ---- normalisation -------------------------------------------------------------------------------
def affine(rng, shape, dtype):
    return [(), (rng.standard_normal(shape).astype(dtype),),
            tuple(rng.standard_normal((2, *shape)).astype(dtype))]


@pytest.mark.parametrize("dtype", FLOATS)
def test_layer_norm_on_random_shapes(isa, dtype):
    rng, C = np.random.default_rng(9), kernels(dtype)
    for shape, d in shapes(10, 20, dims=(1, 3), smallest=2):
        ndim = len(shape) - d
        x = (rng.standard_normal(shape) * 3 + 2).astype(dtype)
        g = rng.standard_normal(shape).astype(dtype)
        for wb in affine(rng, shape[d:], dtype):
            attrs = {"ndim": ndim, "eps": 1e-3}
            out = C.layer_norm(x, *wb, **attrs)
            close(out,
                  reference.layer_norm(x.astype(np.float64), *(v.astype(np.float64) for v in wb),
                                       **attrs), dtype, 4.0)
            for place in range(len(wb) + 1):
                close(*derivative(C, "layer_norm", place, g, out, x, *wb, **attrs), dtype,
                      30.0 * (1 + min(place, 1) * len(x)))


@pytest.mark.parametrize("dtype", FLOATS)
def test_batch_norm_on_random_shapes(isa, dtype):
    rng, C = np.random.default_rng(11), kernels(dtype)
    for shape, _ in [*shapes(12, 25, dims=(2, 4), smallest=1), ((33, 300), 0), ((3, 2, 30, 40), 0)]:
        n = math.prod(shape) // shape[1]
        x = (rng.standard_normal(shape) * 3 + 2).astype(dtype)
        g = rng.standard_normal(shape).astype(dtype)
        for wb in affine(rng, shape[1:2], dtype):
            out = C.batch_norm(x, *wb, eps=1e-3)
            close(out,
                  reference.batch_norm(x.astype(np.float64), *(v.astype(np.float64) for v in wb),
                                       eps=1e-3), dtype, 16.0)
            for place in range(len(wb) + 1):
                close(*derivative(C, "batch_norm", place, g, out, x, *wb, eps=1e-3), dtype,
                      100.0 * (n if place else 1))


@pytest.mark.parametrize("dtype", FLOATS)
def test_group_norm_on_random_shapes(isa, dtype):
    rng, C = np.random.default_rng(12), kernels(dtype)
    for shape, group in [((3, 6, 5), 2), ((2, 4), 2), ((40, 8, 3, 3), 4), ((2, 3, 70, 33), 1),
                         ((5, 64, 4), 32), ((0, 2, 3), 1)]:  # fmt: skip
        x = (rng.standard_normal(shape) * 3 + 2).astype(dtype)
        g = rng.standard_normal(shape).astype(dtype)
        for wb in affine(rng, shape[1:2], dtype):
            attrs = {"group": group, "eps": 1e-3}
            out = C.group_norm(x, *wb, **attrs)
            close(out, reference.group_norm(x.astype(np.float64),
                                            *(v.astype(np.float64) for v in wb), **attrs),
                  dtype, 16.0)  # fmt: skip
            for place in range(len(wb) + 1):
                close(*derivative(C, "group_norm", place, g, out, x, *wb, **attrs), dtype,
                      100.0 * (1 + min(place, 1) * x.size))


def test_variance_beside_a_large_mean():
    """Deviations of 1 from a mean of 10,000 keep their digits, as E(x²) - E(x)² would not."""
    x = np.random.default_rng(13).standard_normal((64, 4, 31)).astype(np.float32) + 10_000
    mean, var = kernels(np.float32).moments(x)
    np.testing.assert_allclose(mean, x.astype(np.float64).mean((0, 2)), rtol=2e-7)
    np.testing.assert_allclose(var, x.astype(np.float64).var((0, 2)), rtol=1e-5)


@pytest.mark.parametrize("declines", [False, True])
def test_one_kernel_gives_all_derivatives(monkeypatch, declines):
    """The kernel runs once in a backward step. If it declines, or a graph is wanted, the declared
    derivatives are taken.
    """
    ran = []

    def kernel(self, *arguments, **attrs):
        ran.append(arguments)
        return None if declines else original(self, *arguments, **attrs)

    for op, call in (("batch_norm", lambda x, w, b: F.batch_norm(x, None, None, w, b, True)),
                     ("group_norm", lambda x, w, b: F.group_norm(x, 1, w, b)),
                     ("layer_norm", lambda x, w, b: F.layer_norm(x, (3,), w, b))):  # fmt: skip
        original = getattr(core.Core, f"{op}_vjps")
        expected = gradients(call, create_graph=True)
        monkeypatch.setattr(core.Core, f"{op}_vjps", kernel)
        table = REGISTRY[op].family(3).vjp_kernels
        table.clear()
        try:
            for times in (1, 2):
                for a, b in zip(gradients(call), expected, strict=True):
                    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
                assert len(ran) == times
        finally:
            table.clear()
        ran.clear()


def gradients(call, **how):
    inputs = [torch.tensor(np.random.default_rng(k).standard_normal(s).astype(np.float32),
                           requires_grad=True)
              for k, s in enumerate([(5, 3), (3,), (3,)])]  # fmt: skip
    return [d.detach().numpy()
            for d in torch.autograd.grad((call(*inputs) ** 3).sum(), inputs, **how)]


# ---- embedding -----------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", FLOATS)
def test_embedding_gradients_on_random_shapes(isa, dtype):
    rng, C = np.random.default_rng(16), kernels(dtype)
    for rows, width, *shape in [(1, 1, 5), (5, 3), (7, 300, 2, 9), (100, 64, 31), (3, 17, 40, 50),
                                (4, 2, 0), (2000, 33, 3, 700)]:
        index = rng.integers(0, rows, shape)
        g = rng.standard_normal((*shape, width)).astype(dtype)
        for padding in (None, rows - 1):
            expected = reference.embedding_sum(g.astype(np.float64), index, rows, padding)
            close(C.embedding_sum(g, index, rows, padding), expected, dtype, max(index.size, 1))
            close(C.embedding_sum(g, index.astype(np.int32), rows, padding), expected, dtype,
                  max(index.size, 1))
        close(C.embedding(expected.astype(dtype), index), expected.astype(dtype)[index], dtype)
    with pytest.raises(IndexError):
        C.embedding_sum(g, index + 2000, rows, None)


# ---- layouts, threads, fallbacks -----------------------------------------------------------------
def every_op(C, x, t):
    """A result of each kernel on x (N, C, ...)."""
    g = np.cos(np.arange(x.size)).astype(x.dtype).reshape(x.shape)
    w = np.linspace(1, 2, x.shape[1]).astype(x.dtype)
    one = np.full((), 0.7, x.dtype)
    soft, log = C.softmax(x, 1), C.log_softmax(x, x.ndim - 1)
    nll = {"reduction": "mean", "ignore_index": 2}
    yield from (C.sum(x), C.sum(x, (0, *range(2, x.ndim))), C.mean(x, (0,)),
                C.mean(x, (x.ndim - 1,)), C.amax(x, (1,)), C.amin(x))
    yield from (soft, log, back(C, "softmax", 0, g, soft, x, dim=1),
                back(C, "log_softmax", 0, g, log, x, dim=x.ndim - 1))
    yield from (C.nll_loss(x, t, w, **nll), back(C, "nll_loss", 0, one, one, x, t, w, **nll))
    yield from (C.mse_loss(x, g, "mean"), back(C, "mse_loss", 0, one, one, x, g, reduction="mean"))
    yield from C.moments(x)
    yield C.batch_norm(x, w, w, eps=1e-5)
    yield from (back(C, "batch_norm", i, g, x, x, w, w, eps=1e-5) for i in range(3))
    yield C.group_norm(x, w, w, group=1, eps=1e-5)
    yield from (back(C, "group_norm", i, g, x, x, w, w, group=1, eps=1e-5) for i in range(3))
    yield C.embedding_sum(x, np.arange(x.size // x.shape[-1]).reshape(x.shape[:-1]) % 7, 8, 2)
    v = np.linspace(1, 2, x.shape[-1]).astype(x.dtype)
    norm = {"ndim": 1, "eps": 1e-5}
    yield C.layer_norm(x, v, v, **norm)
    yield from (back(C, "layer_norm", i, g, x, x, v, v, **norm) for i in range(3))


@pytest.mark.parametrize("shape", [(70, 9, 31, 33), (3000, 130), (2, 90_001), (90_001, 2)])
def test_results_do_not_depend_on_the_number_of_threads(shape):
    rng, C = np.random.default_rng(14), kernels(np.float32)
    x = rng.standard_normal(shape).astype(np.float32)
    t = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    before = core.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            core.set_num_threads(threads)
            results.append([r.tobytes() for r in every_op(C, x, t)])
    finally:
        core.set_num_threads(before)
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("dtype", FLOATS)
def test_memory_layouts(dtype):
    """Arrays of any layout, or misaligned, give what contiguous ones give, by C or by numpy."""
    C, plain = kernels(dtype), np.random.default_rng(15).standard_normal((6, 5, 4, 3)).astype(dtype)
    t = np.arange(6 * 4 * 3).reshape(6, 4, 3) % 5
    expected = list(every_op(C, plain, t))
    raw = np.frombuffer(b"\0" + plain.tobytes(), dtype, offset=1).reshape(plain.shape)
    assert not raw.flags.aligned
    wide = np.zeros((12, 5, 8, 3), dtype)[::2, :, ::2]
    wide[...] = plain
    for x in (np.asfortranarray(plain), wide, plain[::-1].copy()[::-1], raw):
        for mine, theirs in zip(every_op(C, x, np.asfortranarray(t)), expected, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4 if dtype == np.float32 else 1e-10,
                                       atol=1e-5)
    same = np.broadcast_to(plain[:1], plain.shape)
    for mine, theirs in zip(every_op(C, same, t), every_op(C, same.copy(), t), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["sum", "mean", "amax", "amin", "prod"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reductions_of_arrays_in_another_order_of_dimensions(name, dtype):
    """They are reduced in the order in which they lie, and answer in rows."""
    x = np.random.default_rng(0).uniform(0.9, 1.1, (7, 11, 5)).astype(dtype)
    for order in itertools.permutations(range(3)):
        turned = torch.from_numpy(x).permute(*order)
        dims = [0, 1, -1] if name == "prod" else [None, 0, 1, -1, (0, 2), (1, 0)]
        for dim, keepdim in itertools.product(dims, (False, True)):
            if dim is None and keepdim:
                continue
            arguments = () if dim is None else (dim, keepdim)
            got = getattr(turned, name)(*arguments)
            expected = getattr(turned.contiguous(), name)(*arguments)
            assert got.is_contiguous() and got.shape == expected.shape
            np.testing.assert_allclose(got, expected, 1e-5 if dtype == np.float32 else 1e-12)
