"""Order (ext/order.c), places among others (search.c), products of others (prod.c), sums at places
(along.c) and whole numbers (whole.c), against numpy; long rows also on several threads, with the
same bits.
"""

import numpy as np
import pytest

import microtorch as torch
from microtorch.backends import core
from microtorch.backends.cpu import cpu

pytestmark = pytest.mark.needs("core")
DTYPES = [np.float32, np.float64]
LONG = 40_000  # elements of a row that is cut into parts


def with_threads(make):
    """What ``make()`` returns with one thread, after three have returned the same."""
    before, results = core.get_num_threads(), []
    try:
        for count in (3, 1):
            core.set_num_threads(count)
            results.append(make())
    finally:
        core.set_num_threads(before)
    assert results[0].tobytes() == results[1].tobytes()
    return results[1]


def with_ties(n, dtype, seed=0):
    x = np.random.default_rng(seed).integers(-50, 50, n).astype(dtype) / 4
    x[::97], x[::101], x[::103] = -0.0, np.nan, -np.inf
    return x


def stable(x, descending=False):
    """The stable order of a row in which NaN is the largest."""
    known, unknown = np.where(x == x, x, 0), (x != x).astype(np.int8)
    sign = -1 if descending else 1
    return np.lexsort((np.arange(len(x)), sign * known, sign * unknown))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_best_and_the_nth_of_a_long_row(dtype, isa):
    x = with_ties(LONG, dtype)
    kernels, up, down = cpu.of(x.dtype), stable(x), stable(x, True)
    for k in (1, 5, 64):
        best = with_threads(lambda k=k: kernels.best(x[None], k, True))
        np.testing.assert_array_equal(best[0], down[:k])
        np.testing.assert_array_equal(kernels.best(x[None], k, False)[0], up[:k])
    for k in (0, 7, LONG // 2, LONG - 1):
        found = with_threads(lambda k=k: kernels.nth(x[None], k))
        assert found[0] == up[k]


@pytest.mark.parametrize("dtype", [*DTYPES, np.int64, np.int32, np.int16, np.uint8, np.uint64])
def test_places_among_others(dtype, isa):
    few = [-5, 0, 7, 3, 3, np.nan, -np.inf, -0.0] if dtype in DTYPES else [0, 7, 250, 3, 3, 100]
    x = np.array(few).astype(dtype)
    values, kernels = np.resize(np.concatenate((x, x + x.dtype.type(1))), 38), cpu.of(x.dtype)
    for right in (False, True):
        end = "right" if right else "left"
        for n in range(len(x) + 1):
            row = np.sort(x[:n])
            expected = np.searchsorted(row, values, end)
            np.testing.assert_array_equal(kernels.searched(row, values, right), expected)
        many = np.arange(LONG)[::-1].astype(dtype)  # of narrow dtypes many are equal
        row = np.sort(many)
        places = with_threads(lambda: kernels.searched(row, many, right))  # noqa: B023
        np.testing.assert_array_equal(places, np.searchsorted(row, many, end))
        rows = np.sort(np.stack([x, x[::-1]]), -1)
        for given in (values.reshape(2, -1), values[::-1].reshape(2, -1)[:, ::2]):
            found = kernels.searched(rows, given, right)
            for row, v, places in zip(rows, given, found, strict=True):
                np.testing.assert_array_equal(places, np.searchsorted(row, v, end))
        for n in (0, 1, 3, 40):  # beyond 16 it is numpy's
            among = np.resize(x[:3], n) if n else x[:0]
            for given in (values, values.reshape(2, -1)[:, ::2], values[0].reshape(())):
                found = kernels.member(given, among, right)
                np.testing.assert_array_equal(found, np.isin(given, among, invert=right))
                assert found.dtype == bool and found.shape == given.shape


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_nth_of_short_rows(dtype, isa):
    x = np.stack([with_ties(300, dtype, seed) for seed in range(5)])
    for k in (0, 150, 299):
        expected = [stable(row)[k] for row in x]
        np.testing.assert_array_equal(cpu.of(x.dtype).nth(x, k), expected)
        np.testing.assert_array_equal(cpu.of(x.dtype).nth(x[:, ::-1].copy()[:, ::-1], k), expected)


def test_keys_of_a_long_row_are_ordered_by_all_threads(isa):
    keys = np.random.default_rng(0).integers(-(2**40), 2**40, LONG) // 2**30
    order = with_threads(lambda: cpu.of(np.dtype("float64")).key_order(keys[None]))
    np.testing.assert_array_equal(order[0], np.argsort(keys, kind="stable"))


FACTORS = {
    "near 1": lambda r, n: r.uniform(0.9, 1.1, n),
    "of both signs": lambda r, n: -r.uniform(1, 2, n),
    "of a small product": lambda r, n: r.uniform(0.1, 0.9, n),
    "of a product out of range": lambda r, n: np.where(np.arange(n) < n // 2, 1e-3, 1e3),
    "with a zero": lambda r, n: np.where(np.arange(n) == n // 3, 0, r.uniform(0.9, 1.1, n)),
}  # fmt: skip


@pytest.mark.parametrize("factors", FACTORS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_derivative_of_a_product(dtype, factors, isa):
    """Against the product of all others, by logarithms of long double."""
    for n in (5, 100, LONG // 2):
        x = FACTORS[factors](np.random.default_rng(0), n).astype(dtype)
        kernels, g = cpu.of(x.dtype), np.array([-1.5], dtype)
        got = with_threads(lambda x=x, k=kernels, g=g: k.prod_vjp0(g, g, x[None], 1, False))[0]
        size, negative = np.abs(x).astype(np.longdouble), np.signbit(x).sum()
        logs = np.log(np.where(size == 0, 1, size))
        whole = logs.sum()
        with np.errstate(over="ignore", under="ignore"):
            others = np.exp(whole - logs).astype(np.float64)
            signs = np.where((negative - np.signbit(x)) % 2, -1, 1)
            expected = (-1.5 * others * signs * (x == 0 if (x == 0).any() else 1)).astype(dtype)
        np.testing.assert_allclose(got, expected, rtol=3e-5 if dtype is np.float32 else 1e-9,
                                   atol=1e-44 if dtype is np.float32 else 1e-300)  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_are_added_at_their_places_in_one_order(dtype, isa):
    source = np.random.default_rng(0)
    g, places = source.normal(size=2 * LONG).astype(dtype), source.integers(0, LONG, 2 * LONG)
    kernels, expected = cpu.of(g.dtype), np.zeros(LONG, dtype)
    np.add.at(expected, places, g)
    sums = with_threads(lambda: kernels.scatter_sum(g, places, shape=(LONG,), dim=0))
    np.testing.assert_array_equal(sums, expected)
    put = with_threads(lambda: kernels.place(g, (places,), (LONG,)))
    np.testing.assert_array_equal(put, expected)
    places[LONG] = -1
    expected[:] = 0
    np.add.at(expected, places, g)
    np.testing.assert_array_equal(kernels.place(g, (places,), (LONG,)), expected)
    places[LONG] = LONG
    with pytest.raises(IndexError):
        kernels.place(g, (places,), (LONG,))


def test_whole_numbers_and_masks(isa):
    x = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, 3001)
    x[:4] = -(2**63), 2**63 - 1, 0, -1
    t, few = torch.from_numpy(x), torch.from_numpy(x // 2**40)
    np.testing.assert_array_equal(t.abs(), np.abs(x))
    np.testing.assert_array_equal(few.clamp(-7, 900), np.clip(x // 2**40, -7, 900))
    np.testing.assert_array_equal(few.clamp(5, -5), np.full(x.shape, -5))
    for by in (0, 1, 63):
        np.testing.assert_array_equal(t << by, x << by)
        np.testing.assert_array_equal(t >> by, x >> by)
    masks = torch.from_numpy(np.tile(x > 0, 9))
    np.testing.assert_array_equal(~masks, ~masks.numpy())
    np.testing.assert_array_equal(masks.logical_not(), ~masks.numpy())
    np.testing.assert_array_equal(~t, ~x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_number_everywhere(dtype):
    for n in (4999, 5_000_000 if dtype is np.float32 else 5000):  # which is streamed
        out = cpu.of(np.dtype(dtype)).full((n,), -1.5, np.dtype(dtype))
        assert out.dtype == dtype and out.shape == (n,) and (out == -1.5).all()
