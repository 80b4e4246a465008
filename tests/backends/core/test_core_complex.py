"""Complex numbers: what C computes of them, and what goes by their parts, beside numpy."""
import math

import numpy as np
import pytest

import microtorch as torch
from microtorch.backends.cpu import cpu

DTYPES = [np.complex64, np.complex128]
LAYOUTS = {
    "rows": lambda a: a, "transposed": lambda a: a.t(), "gaps": lambda a: a[:, ::2],
    "expanded": lambda a: a[:1].expand(5, a.shape[1]), "backwards": lambda a: a.flip(1)[:, 1:],
    "empty": lambda a: a[:0], "one": lambda a: a[3, 4],
}  # fmt: skip
PROGRAMS = {
    "reciprocal": lambda x: 1 / x,
    "neg": lambda x: -x,
    "sum": lambda x: x.sum(),
    "sum of rows": lambda x: x.sum(-1),
    "sum of columns": lambda x: x.sum(0),
    "mean": lambda x: x.mean(),
    "cumsum": lambda x: x.cumsum(-1),
    "cumsum of columns": lambda x: x.cumsum(0),
    "prod": lambda x: x.prod(-1),
}


def numbers(dtype, shape=(67, 131), seed=0):
    source = np.random.default_rng(seed)
    size, turn = source.uniform(0.9, 1.1, shape), source.uniform(0, 2 * np.pi, shape)
    return (size * np.exp(1j * turn)).astype(dtype)


def near(found, true, dtype, units=64):
    assert found.dtype == dtype and found.shape == np.shape(true)
    error = np.abs(found - true) / np.maximum(np.abs(true), 1)
    assert np.max(error, initial=0) <= units * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_values(name, layout, dtype):
    x = LAYOUTS[layout](torch.from_numpy(numbers(dtype)))
    found = (x.reciprocal() if name == "reciprocal" else PROGRAMS[name](x)).numpy()
    wide = x.numpy().astype(np.complex128)
    if layout == "one" and name not in ("reciprocal", "neg"):
        near(found, wide, dtype)  # of one number each is that number; numpy knows no dimension
    elif layout == "empty" and name == "mean":
        assert np.isnan(found)
    else:
        near(found, PROGRAMS[name](wide), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_reciprocals_neither_overflow_nor_lose_digits(dtype, isa):
    source, top = np.random.default_rng(1), np.log10(np.finfo(dtype).max) - 2
    z = 10.0 ** source.uniform(-top, top, (2, 5000)) * source.choice([-1, 1], (2, 5000))
    z = (z[0] + 1j * z[1]).astype(dtype)
    found = torch.from_numpy(z).reciprocal().numpy()
    true = np.array([1 / complex(v) for v in z])
    assert (np.abs(found - true) <= 4 * np.finfo(dtype).eps * np.abs(true)).all()


@pytest.mark.parametrize("n", [1, 100])
@pytest.mark.parametrize("dtype", DTYPES)
def test_reciprocals_at_the_ends(dtype, n):
    inf, nan = math.inf, math.nan
    z = np.array([0, complex(inf, 0), complex(0, -inf), complex(nan, 1), complex(-0.0, -2)], dtype)
    found = torch.from_numpy(np.repeat(z, n)).reciprocal().numpy()[:: n or 1]
    assert found[0].real == inf and np.isnan(found[0].imag)
    assert (np.abs(found[1:3]) == 0).all() and np.isnan(found[3]) and found[4] == 0.5j
    assert np.signbit(found[4].real)


@pytest.mark.parametrize("dtype", DTYPES)
def test_lerp_from_the_nearer_end(dtype):
    x, y, z = (numbers(dtype, (7, 300), seed) for seed in range(3))
    z[::2] *= 0.3
    a, b, c = map(torch.from_numpy, (x, y, z))
    wide = x + z.astype(np.complex128) * (y - x)
    near(torch.lerp(a, b, c).numpy(), wide, dtype)
    near(torch.lerp(a.t(), b.t(), c.t()).numpy(), wide.T, dtype)
    near(torch.lerp(a, b, c[0]).numpy(), x + z[0].astype(np.complex128) * (y - x), dtype)
    near(torch.lerp(a, b, 0.75).numpy(), x + 0.75 * (y - x), dtype)
    assert torch.lerp(a, b, torch.ones_like(a)).equal(b) and torch.lerp(a, b, c * 0).equal(a)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_only_moves(dtype):
    x, y = numbers(dtype), numbers(dtype, seed=1)
    x[0, :3] = [complex(-0.0, math.nan), complex(math.inf, -0.0), 0]
    index = np.random.default_rng(2).permuted(np.tile(np.arange(131), (67, 1)), axis=1)
    a, b, k = map(torch.from_numpy, (x, y, index))

    def same(found, expected):
        assert found.dtype == expected.dtype
        assert found.tobytes() == np.ascontiguousarray(expected).tobytes()

    same(a.gather(1, k).numpy(), np.take_along_axis(x, index, 1))
    put = x.copy()
    np.put_along_axis(put, index, y, 1)
    same(a.scatter(1, k, b).numpy(), put)
    same(a.tril(2).numpy(), np.where(np.tri(67, 131, 2, bool), x, 0))
    same(torch.stack([a, b], -1).numpy(), np.stack([x, y], -1))
    same(a.t().contiguous().numpy(), x.T)
    sums = np.zeros_like(x)
    np.add.at(sums, (np.arange(67)[:, None], index // 2), y)
    near((a * 0).nan_to_num().scatter_add(1, k // 2, b).numpy(), sums, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_at_places(dtype, isa, threads):
    """Of one long row each thread has a part of the places."""
    threads(3)
    for shape in ((1, 1 << 17), (67, 131)):
        x = numbers(dtype, shape)
        index = np.random.default_rng(0).integers(0, 40, shape)
        sums = np.zeros((shape[0], 40), dtype)
        np.add.at(sums, (np.arange(shape[0])[:, None], index), x)
        for given in (x, np.repeat(x, 2, 1)[:, ::2]):
            found = cpu.of(x.dtype).scatter_sum(given, index, sums.shape, 1)
            np.testing.assert_array_equal(found, sums)
        index[0, 5] = 40
        kernels = cpu.of(x.real.dtype)
        assert not kernels.summed_pairs(x, index, np.empty_like(sums))


@pytest.mark.parametrize("n", [63, 64, 200, 1031])
def test_a_long_logcumsumexp_in_segments(n):
    x = numbers(np.complex128, (3, n)) * 4
    true = np.cumsum(np.exp(x), 1)
    for a in (torch.from_numpy(x), torch.from_numpy(x.T.copy()).t()):
        np.testing.assert_allclose(np.exp(a.logcumsumexp(1).numpy()), true, 1e-9)
    real = torch.from_numpy(x.real[0].copy())
    found = torch.cat([real, real, real * math.inf, real]).logcumsumexp(0)
    expected = np.log(np.cumsum(np.exp(np.concatenate([x.real[0], x.real[0]]))))
    np.testing.assert_allclose(found[: 2 * n].numpy(), expected, 1e-12)
    # minus infinity adds nothing, and nothing is more than infinity
    first = int((real > 0).nonzero()[0])
    assert found[2 * n + first :].eq(math.inf).all()


def test_gradients_go_the_same_ways():
    x = torch.from_numpy(numbers(np.complex128, (4, 9))).requires_grad_()
    y = torch.from_numpy(numbers(np.complex128, (4, 9), 1)).requires_grad_()
    k = torch.arange(36).view(4, 9).flip(1) % 9
    for f in (
        lambda x, y: x.reciprocal(), lambda x, y: x.lerp(y, y / 3), lambda x, y: x.prod(1),
        lambda x, y: x.cumsum(0) * y, lambda x, y: x.gather(1, k) * y.mean(1, keepdim=True),
        lambda x, y: x.scatter_add(1, k // 2, y), lambda x, y: x.triu() + y.sum((0, 1)),
    ):  # fmt: skip
        assert torch.autograd.gradcheck(f, (x, y))
