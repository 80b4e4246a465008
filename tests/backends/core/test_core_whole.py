"""Whole numbers and masks in C (ext/whole.c; along.c and extremes.c for int64), beside numpy."""

import numpy as np
import pytest

import microtorch as torch
from microtorch import backends
from microtorch.backends import core

pytestmark = pytest.mark.needs("core")
DTYPES = ["int64", "int32", "int16", "int8", "uint8", "bool"]
N = 61
PROGRAMS = {
    "gather": "m.gather(1, k)", "gather rows": "m.gather(0, k)", "take": "m.take(k)",
    "scatter": "m.scatter(1, k, n)", "scatter_add": "m.scatter_add(0, k, n)",
    "scatter_reduce prod": "m.scatter_reduce(1, k, n, 'prod')",
    "scatter_reduce amax": "m.scatter_reduce(0, k, n, 'amax', include_self=False)",
    "scatter_reduce amin": "m.scatter_reduce(1, k, n, 'amin')",
    "index_add": "m.index_add(0, k[0], n)", "index_reduce": "m.index_reduce(0, k[0], n, 'prod')",
    "index_put": "m.index_put((k[0],), n, accumulate=True)",
    "cummax": "m.cummax(1)[1]", "cummin": "m.cummin(0)[1]", "long cummax": "m.ravel().cummax(0)[1]",
    "topk": "m.topk(3)[0]", "lowest": "m.topk(3, largest=False)[0]",
    "flip": "m.flip(1)", "flip both": "m.flip(0, 1)", "flip transposed": "m.t().flip(0)",
    "bool": "m.bool()", "matmul": "m @ n", "transposed": "m @ n.t()", "bmm": "m[None] @ n[None]",
    "linear": "F.linear(m, n)", "batch": "m.view(N, 1, N) @ n[None]",
    "gaps": "m[:, ::2] @ n[::2, :41]", "clamp": "m.clamp(3, 40)", "absolute": "m.abs()",
    "einsum": "t.einsum('ij,kj->ki', m, n)", "einsum of few": "t.einsum('ij,kj,i->k', m, n, m[0])",
    "cumsum": "m.long().cumsum(1)", "cumsum down": "m.cumsum(0)", "relu": "m.relu()",
    "relu6": "F.relu6(m)", "dot": "m.ravel() @ n.ravel()", "vector": "m @ n[0]",
    "batch of vectors": "m.view(1, N, N) @ n[:, 0]", "column": "m @ n[:, :1]",
    "tril": "m.tril(2)", "triu of a transpose": "m.t().triu()", "of few": "(m % 5) @ (n % 7)",
    "threshold": "F.threshold(m, 3, 40)", "cut": "F.threshold(m, 3, 0)",
    "maximum": "t.clamp(m, min=3)", "minimum": "t.clamp(m, max=3)", "trace": "m.trace()",
    "index_reduce amax": "m.index_reduce(1, k[0], n, 'amax')",
    "index_reduce amin": "m.index_reduce(0, k[0], n, 'amin', include_self=False)",
    "cat": "t.cat([m, n, m[:0]])", "stack": "t.stack([m, n], -1)",
    "conv": "F.conv2d(m[None, None], n[None, None, :3, :5], n[0, :1], stride=2, padding=1)",
    "conv of few": "F.conv1d(m[:, None] % 5, n[:3, None, :4] % 7)",
    "conv_transpose": "F.conv_transpose2d(m[None, None], n[None, None, :3, :5], n[0, :1])",
    "pad": "F.pad(m, (2, 3))", "scatter a number": "m.scatter(0, k, 1)",
}  # fmt: skip
NOT_OF_MASKS = {
    "matmul", "transposed", "bmm", "linear", "batch", "gaps", "clamp", "absolute", "topk", "lowest",
    "relu", "relu6", "einsum", "einsum of few", "dot", "vector", "batch of vectors", "column",
    "of few", "threshold", "cut", "maximum", "minimum", "trace", "conv",
    "conv of few", "conv_transpose",
}  # fmt: skip


def operands(dtype):
    """Numbers of the whole range: sums and products of them overflow."""
    source, kind = np.random.default_rng(0), np.dtype(dtype)

    def numbers():
        if kind.kind == "b":
            return torch.from_numpy(source.integers(0, 2, (N, N)).astype(bool))
        limits = np.iinfo(kind)
        x = source.integers(limits.min, limits.max, (N, N), dtype=kind, endpoint=True)
        x[::5], x[:, 7] = source.integers(0, 5, x[::5].shape), limits.min
        return torch.from_numpy(x)

    k = torch.from_numpy(source.integers(0, N, (N, N)))
    return {"t": torch, "F": torch.nn.functional, "N": N, "m": numbers(), "n": numbers(), "k": k}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_whole_numbers_of_every_width(name, dtype, isa):
    if dtype == "bool" and name in NOT_OF_MASKS:
        pytest.skip("not for masks")
    names = operands(dtype)
    got = eval(PROGRAMS[name], names)
    backends.use("reference")
    try:
        expected = eval(PROGRAMS[name], names)
    finally:
        backends.use("core")
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got.numpy(), expected.numpy())


def test_numbers_that_float64_does_not_hold_keep_their_order():
    x = torch.full((2000,), 2**60)
    x[1234] += 1
    assert x.topk(1).indices.tolist() == [1234]
    assert (x.round() == x).all() and x.round().dtype == torch.int64


@pytest.mark.parametrize("threads", [1, 2])
def test_a_long_running_extreme(threads, isa):
    """Of several threads each has a part: what comes first in one may be less than those before.
    """
    before = core.get_num_threads()
    core.set_num_threads(threads)
    try:
        source = np.random.default_rng(0)
        n = 80_011
        rows = {
            "random": source.normal(size=n), "rising": np.arange(n), "falling": -np.arange(n),
            "equal": np.zeros(n), "ties": source.integers(0, 4, n), 
            "hill": -np.abs(np.arange(n) - n / 3),
            "infinite": np.where(np.arange(n) % 97, -np.inf, np.inf),
            "unknown": np.where(np.arange(n) == n // 2, np.nan, source.normal(size=n)),
        }  # fmt: skip
        for name, row in rows.items():
            for dtype in (np.float32, np.float64, np.int64):
                if dtype is np.int64 and not np.isfinite(row).all():
                    continue
                x = (row * 1000 if dtype is np.int64 else row).astype(dtype)
                for function, extreme in (("cummax", np.maximum), ("cummin", np.minimum)):
                    values, index = getattr(torch, function)(torch.from_numpy(x), 0)
                    wanted = extreme.accumulate(x)
                    np.testing.assert_array_equal(values, wanted, f"{name} {function}")
                    taken = (x == wanted) | (x != x)
                    last = np.maximum.accumulate(np.where(taken, np.arange(n), 0))
                    np.testing.assert_array_equal(index, last, f"{name} {function}")
    finally:
        core.set_num_threads(before)
