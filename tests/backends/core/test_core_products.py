"""ext/matmul.c against numpy: shapes around the edges of tiles and blocks, layouts and batches, on
every instruction set and with several threads."""
import ctypes
import itertools
import mmap
import sys
import threading

import numpy as np
import pytest
from repository import python

import microtorch as torch
from microtorch.arrays.dtypes import F32, F64
from microtorch.backends.core import library, products
from microtorch.backends.core.library import Kernels
from microtorch.backends.reference import Reference
from microtorch.backends.table import definition

pytestmark = pytest.mark.needs("core")
DTYPES = [F32, F64]


def random(shape, dtype, layout="C", seed=0):
    """Random numbers of one shape, in memory as ``layout`` says."""
    rng = np.random.default_rng(seed + sum(shape))
    *batch, r, c = shape
    if layout == "C":
        return rng.standard_normal(shape).astype(dtype)
    if layout == "F":
        return rng.standard_normal((*batch, c, r)).astype(dtype).swapaxes(-1, -2)
    if layout == "reversed":
        return rng.standard_normal(shape).astype(dtype)[..., ::-1, ::-1]
    if layout == "strided":
        return rng.standard_normal((*batch, 2 * r + 1, 3 * c + 1)).astype(dtype)[..., 1::2, 1::3]
    if layout == "repeated":  # one row, for all
        return np.broadcast_to(rng.standard_normal((*batch, 1, c)).astype(dtype), shape)
    assert layout == "rows apart"
    return rng.standard_normal((*batch, r, c + 5)).astype(dtype)[..., 2 : c + 2]


def by_c(x, y, bias=None):
    """The C product of matrices, or of batches with equally many dimensions; C must not decline."""
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    outer, inner = (1, 1, *batch)[-2:]
    (m, k), n = x.shape[-2:], y.shape[-1]
    around = np.full(int(np.prod(batch)) * m * n + 32, 7, x.dtype)  # what is written outside shows
    out = around[16:-16].reshape(*batch, m, n)
    assert Kernels(x.dtype).matmul(outer, inner, m, k, n, x, y, bias, out) == 1
    assert (around[:16] == 7).all() and (around[-16:] == 7).all()
    return out


def assert_product(out, x, y, bias=0.0):
    """Each element is within the rounding of k products and additions; none may be left out."""
    wide = np.float64 if x.dtype == np.float32 else np.longdouble
    exact = np.matmul(x.astype(wide), y.astype(wide)) + bias
    size = np.matmul(abs(x.astype(wide)), abs(y.astype(wide))) + abs(bias)
    assert out.dtype == x.dtype and out.shape == exact.shape
    assert (abs(out - exact) <= (x.shape[-1] + 2) * np.finfo(x.dtype).eps * size).all()


# around tiles (6 or 12 rows; 4 to 32 columns), parts of k (800), a block (240 or 480 rows, 1024
# columns)
SMALL = list(itertools.product([1, 2, 5, 6, 7, 12, 13, 29], [1, 2, 3, 17, 33],
                               [1, 3, 4, 5, 8, 9, 16, 17, 31, 32, 33, 67]))
LARGE = [(64, 800, 64), (13, 801, 37), (7, 1700, 65), (2, 3, 1027), (61, 30, 1057), (245, 40, 290),
         (485, 5, 300)]
LARGE += [(150, 130, 280), (770, 9, 300)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_shapes(isa, dtype):
    for m, k, n in SMALL + LARGE:
        x, y = random((m, k), dtype), random((k, n), dtype)
        assert_product(by_c(x, y), x, y)


LAYOUTS = ("C", "F", "reversed", "strided", "repeated", "rows apart")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("left", LAYOUTS)
@pytest.mark.parametrize("right", LAYOUTS)
def test_layouts(isa, dtype, left, right):
    for m, k, n in [(1, 1, 1), (1, 9, 40), (40, 9, 1), (9, 1, 9), (13, 40, 70), (120, 35, 290)]:
        x, y = random((m, k), dtype, left), random((k, n), dtype, right, 1)
        assert_product(by_c(x, y), x, y)


@pytest.mark.parametrize("dtype", DTYPES)
def test_transposes_are_read_by_strides(isa, dtype):
    """x @ w.T and g.T @ x, as in a layer, around the sizes of squares transposed in registers."""
    for m, k, n in itertools.product([6, 12, 16, 150], [7, 8, 15, 16, 17, 33],
                                     [8, 15, 16, 33, 300]):
        x, w = random((m, k), dtype), random((n, k), dtype, seed=1)
        assert_product(by_c(x, w.T), x, w.T)
        g = random((k, m), dtype)
        y = random((k, n), dtype)
        assert_product(by_c(g.T, y), g.T, y)


@pytest.mark.parametrize("dtype", DTYPES)
def test_layers_with_wide_weights(isa, dtype, threads):
    """Sizes for which the transposed product is computed (few rows, a wide w.T, a long k)."""
    for m, k, n in [(16, 32, 32), (16, 40, 67), (31, 70, 62), (32, 801, 75), (64, 784, 500),
                    (30, 60, 997), (33, 1601, 70)]:
        x, w, b = random((m, k), dtype), random((n, k), dtype, seed=1), random((1, n), dtype)[0]
        outs = []
        for count in (1, 2):
            threads(count)
            outs.append(by_c(x, w.T, b))
        assert_product(outs[0], x, w.T, b)
        assert_product(by_c(x, w.T), x, w.T)
        assert (outs[0] == outs[1]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_bias_is_added_to_each_row(isa, dtype):
    for m, k, n in [(1, 1, 1), (5, 7, 33), (64, 600, 10), (30, 0, 5), (120, 35, 2070)]:
        x, y, b = random((m, k), dtype), random((k, n), dtype), random((1, n), dtype)[0]
        assert_product(by_c(x, y, b), x, y, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_without_elements(isa, dtype):
    for m, k, n in [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0), (200, 0, 300)]:
        out = by_c(random((m, k), dtype), random((k, n), dtype))
        assert out.shape == (m, n) and (out == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_batches_broadcast(isa, dtype, threads):
    shapes = [((7, 3, 4), (7, 4, 5)), ((7, 3, 4), (4, 5)), ((3, 4), (7, 4, 5)),
              ((2, 1, 3, 4), (5, 4, 6)),
              ((2, 3, 20, 40), (2, 3, 40, 33)),
              ((9, 1, 4, 4), (1, 9, 4, 4)), ((0, 3, 4), (0, 4, 5)),
              ((3, 0, 4, 4), (1, 4, 4))]  # fmt: skip
    for a, b in shapes:
        for layout in ("C", "F", "strided"):
            x, y = random(a, dtype, layout), random(b, dtype, layout)
            threads(1)
            out = by_c(x, y)
            assert_product(out, x, y)
            threads(2)
            assert (by_c(x, y) == out).all()
    # (batch, head, time, feature), as attention has them
    heads = random((2, 7, 3, 8), dtype).transpose(0, 2, 1, 3)
    assert_product(by_c(heads, heads.swapaxes(2, 3)), heads, heads.swapaxes(2, 3))


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_number_of_threads_gives_the_same_bits(isa, dtype, threads):
    for m, k, n in [(64, 784, 100), (300, 300, 300), (13, 2000, 600), (1500, 20, 40),
                    (33, 1200, 33), (500, 64, 784)]:
        for left, right in ("CC", "CF", "FC"):
            x, y = random((m, k), dtype, left), random((k, n), dtype, right)
            results = []
            for count in (1, 2, 3):
                threads(count)
                results.append(by_c(x, y))
            assert (results[0] == results[1]).all() and (results[0] == results[2]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_and_infinity_are_where_numpy_has_them(isa, dtype):
    """0 * inf is NaN: no product with 0 is left out, and none with a panel's padding is
    included."""
    for m, k, n in [(7, 5, 11), (64, 40, 70), (130, 30, 290)]:
        for left, right in itertools.product("CF", "CF"):
            x, y = random((m, k), dtype, left).copy("K"), random((k, n), dtype, right).copy("K")
            x[:, 1] = 0
            x[0, 0], x[1, 2], x[m - 1, k - 1] = np.inf, np.nan, -np.inf
            y[1, 3], y[2, n - 1], y[0, 0] = np.inf, -np.inf, np.nan
            with np.errstate(all="ignore"):
                expected = x @ y
            out = by_c(x, y)
            assert (np.isnan(out) == np.isnan(expected)).all()
            finite = ~np.isnan(expected)
            np.testing.assert_allclose(out[finite], expected[finite], rtol=1e-4, atol=1e-4)


def test_unaligned_arrays_are_declined():
    memory = np.zeros(4 * 9 + 1, np.uint8)
    odd = memory[1:].view(np.float32).reshape(3, 3)
    even, out = np.ones((3, 3), np.float32), np.empty((3, 3), np.float32)
    assert not odd.flags.aligned
    assert Kernels(F32).matmul(1, 1, 3, 3, 3, odd, even, None, out) == 0
    assert (Reference.by_dtype[F32].matmul(odd, even) == 0).all()


def test_what_is_not_as_declared_is_declined():
    x, y, out = random((5, 7), F32), random((7, 6), F32), np.zeros((5, 6), np.float32)
    call = Kernels(F32).matmul
    assert call(1, 1, 5, 7, 6, x, y, None, out) == 1
    frozen = out.copy()
    frozen.flags.writeable = False
    for bad in [(x.astype(F64), y, out), (x, y.astype(F64), out), (x, y, out.astype(F64)),
                (x.T, y, out), (x, y.T, out),
                (x, y, out[:4]), (x, y, frozen), (x, y, np.zeros((6, 5), np.float32).T),
                (x[0], y, out),
                (x[None, None, None], y, out), ([1], y, out), (x, y, x[:, :6])]:  # fmt: skip
        assert call(1, 1, 5, 7, 6, *bad[:2], None, bad[2]) == 0
    shared = np.zeros((9, 9), np.float32)
    assert call(1, 1, 9, 9, 9, shared, shared, None, shared) == 0
    assert call(1, 1, 9, 9, 9, shared.T, shared[::-1, ::-1], None, shared) == 0
    view = np.lib.stride_tricks.as_strided(np.zeros(20, np.uint8).view(np.float32), (2, 2), (6, 4))
    assert call(1, 1, 2, 2, 2, view, view, None, np.zeros((2, 2), np.float32)) == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mprotect")
@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_outside_an_array_is_read(isa, dtype):
    """Operands at the end and at the beginning of memory: to read beyond would end the process."""
    page = mmap.PAGESIZE
    libc = ctypes.CDLL(None, use_errno=True)
    kept = []

    def fenced(array, at_end):
        """A copy with the same strides (C or F), between two pages that must not be touched."""
        pages = -(-array.nbytes // page)
        memory = mmap.mmap(-1, (pages + 2) * page)
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        kept.append((memory, address, pages))
        for fence in (address, address + (pages + 1) * page):
            assert libc.mprotect(ctypes.c_void_p(fence), ctypes.c_size_t(page), 0) == 0
        offset = page + (pages * page - array.nbytes if at_end else 0)
        order = "C" if array.flags.c_contiguous else "F"
        copy = np.ndarray(array.shape, array.dtype, memory, offset, order=order)
        copy[...] = array
        return copy

    for m, k, n in [(13, 19, 37), (7, 33, 33), (1, 17, 50), (120, 37, 290)]:
        for left, right, at_end in itertools.product("CF", "CF", (False, True)):
            x = fenced(random((m, k), dtype, left), at_end)
            y = fenced(random((k, n), dtype, right), at_end)
            assert_product(by_c(x, y), x, y)
            del x, y
    for memory, address, pages in kept:
        libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t((pages + 2) * page),
                      mmap.PROT_READ | mmap.PROT_WRITE)
        del memory


WITHOUT_MEMORY = """
import resource
import numpy as np
from microtorch.backends.core.library import Kernels
x, y = np.ones((3, 512), np.float32), np.arange(2048 * 512, dtype=np.float32).reshape(2048, 512).T
b, out = np.arange(2048, dtype=np.float32), np.empty((3, 2048), np.float32)
expected = x @ y + b
kernels = Kernels(x.dtype)
kernels.matmul  # looked up while there is memory
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limit = used + (1 << 20)  # the packed copy of y takes 4 MiB
resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
assert kernels.matmul(1, 1, 3, 512, 2048, x, y, b, out) == 1
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
np.testing.assert_allclose(out, expected, rtol=1e-4)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc and RLIMIT_AS")
def test_without_memory_for_packed_copies_the_product_is_still_right():
    assert not python("-c", WITHOUT_MEMORY)


def test_several_python_threads_multiply_at_once(threads):
    threads(2)
    x, y = random((150, 200), F32), random((200, 290), F32)
    expected, wrong = by_c(x, y), []

    def work():
        for _ in range(20):
            if not (by_c(x, y) == expected).all():
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert not wrong


# ---- the ops -------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_backend_agrees_with_the_definition(dtype):
    """For every number of dimensions, on both sides of the size from which on C is used."""
    F = Reference.by_dtype[dtype]
    pairs = [((3, 4), (4, 5)), ((30, 40), (40, 50)), ((40,), (40, 50)), ((30, 40), (40,)),
             ((40,), (40,)), ((6, 30, 40), (40, 50)),
             ((60, 70), (70, 80)), ((30, 40), (6, 40, 50)), ((2, 3, 30, 40), (3, 40, 50)),
             ((2, 1, 2, 30, 40), (3, 1, 40, 50)),
             ((6, 30, 40), (40,)), ((30, 0), (0, 50))]  # fmt: skip
    for a, b in pairs:
        x, y = (np.random.default_rng(0).standard_normal(s).astype(dtype) for s in (a, b))
        out, expected = F.matmul(x, y), definition("matmul")(Reference(), x, y)
        assert out.dtype == dtype and out.shape == expected.shape
        np.testing.assert_allclose(out, expected, rtol=1e-3 if dtype == F32 else 1e-11, atol=1e-4)
    for shape in [(3, 4), (64, 40), (5, 7, 40), (40,), (0, 40), (2, 900), (2, 3, 900)]:
        for bias in (True, False):
            x, w = random((1, *shape), dtype)[0], random((50, shape[-1]), dtype)
            args = (x, w, random((1, 50), dtype)[0]) if bias else (x, w)
            out, expected = F.linear(*args), definition("linear")(Reference(), *args)
            assert out.dtype == dtype and out.shape == expected.shape
            np.testing.assert_allclose(out, expected, rtol=1e-3 if dtype == F32 else 1e-11,
                                       atol=1e-4)


def linear(x, y):
    return torch.nn.functional.linear(x, y.mT, y[0] * y[1])


@pytest.mark.parametrize("operation", [torch.matmul, linear])
def test_derivatives_of_products_in_c(operation, monkeypatch):
    monkeypatch.setattr(products, "LEAST", 0)
    monkeypatch.setattr(products, "worthwhile", lambda m, k, n: True)
    x, y = (torch.tensor(random(s, F64), requires_grad=True) for s in ((7, 5), (5, 6)))
    assert torch.autograd.gradcheck(operation, (x, y))
    assert torch.autograd.gradgradcheck(operation, (x, y))


def test_shapes_that_do_not_fit_raise_as_before():
    big = torch.ones(64, 64)
    batch = torch.ones(3, 64, 64)
    for operands in [(big, torch.ones(63, 64)), (batch, torch.ones(4, 64, 64)),
                     (batch, torch.ones(63, 64))]:
        with pytest.raises(RuntimeError):
            torch.matmul(*operands)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        torch.nn.functional.linear(big, torch.ones(64, 63))
    with pytest.raises(RuntimeError):
        torch.nn.functional.linear(big, torch.ones(64, 64), torch.ones(63))


# ---- the steps of docs/c-core.md -----------------------------------------------------------------
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("step", products.STEPS)
def test_every_step_multiplies(isa, dtype, step):
    for m, k, n in [(0, 3, 4), (3, 0, 4), (3, 4, 0), (1, 1, 1), (5, 7, 6), (13, 140, 1030),
                    (30, 600, 70)]:
        x, y = random((m, k), dtype), random((k, n), dtype)
        assert_product(products.matmul_step(step, x, y), x, y)


def test_a_step_says_what_it_takes():
    x = np.ones((2, 3), np.float32)
    with pytest.raises(ValueError, match="no step 'slow'; there are: ijp"):
        products.matmul_step("slow", x, x.T)
    with pytest.raises(ValueError, match=r"got \(2, 3\) and \(2, 3\)"):
        products.matmul_step("ijp", x, x)
    with pytest.raises(TypeError, match="float32 and float64"):
        products.matmul_step("ijp", x, x.T.astype(F64))
    with pytest.raises(TypeError, match="int64"):
        products.matmul_step("ijp", x.astype(np.int64), x.T)


# ---- processors ----------------------------------------------------------------------------------
@pytest.fixture(params=[0, 1])
def copies(request):
    """Both answers to whether matrices are copied early, on whatever processor this is."""
    library.lib.use_copies(request.param)
    yield request.param
    library.lib.use_copies(-1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("off", [0, 1])
@pytest.mark.parametrize(
    ("m", "k", "n"), [(5, 40, 70), (60, 300, 64), (200, 130, 96), (64, 1030, 300), (130, 700, 1040)]
)
def test_products_are_right_whatever_is_copied(copies, dtype, off, m, k, n):
    def laid(rows, columns, seed):
        """On a line, or one number off."""
        room = np.empty(rows * columns + 128, dtype)
        start = -room.ctypes.data % 64 // dtype.itemsize + off
        inside = room[start : start + rows * columns].reshape(rows, columns)
        inside[:] = random((rows, columns), dtype, seed=seed)
        return inside

    x, y, xt = laid(m, k, 1), laid(k, n, 2), laid(k, m, 3).T
    tolerance = {"rtol": 1e-4, "atol": 1e-3} if dtype == F32 else {"rtol": 1e-11, "atol": 1e-10}
    np.testing.assert_allclose(by_c(x, y), x @ y, **tolerance)
    np.testing.assert_allclose(by_c(xt, y), xt @ y, **tolerance)
