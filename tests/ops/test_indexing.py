"""Reading and writing at indices: which dimensions come first, what is refused, what fits."""

import math

import numpy as np
import pytest

import microtorch as torch
from microtorch import autograd

X = np.arange(24.0).reshape(2, 3, 4)
MASK = np.array([[True, False, True], [False, False, True]])


def number(*shape, start=0.0):
    return torch.tensor(
        np.sin(np.arange(start, start + np.prod(shape, dtype=int))).reshape(shape),
        requires_grad=True,
    )


# an integer selects first; arrays that a slice separates put their dimensions first
INDICES = [
    ((0, slice(None), [0, 1]), X[0][:, [0, 1]]),
    (([0, 1], slice(None), [0, 1]), X[[0, 1], :, [0, 1]]),
    ((slice(None), 1, None, [3, 0]), X[:, 1][:, None][:, :, [3, 0]]),
    ((1, Ellipsis, [2, 0]), X[1][..., [2, 0]]),
    (([1, 0], Ellipsis, [0, 1], [2, 3]), X[[1, 0], [0, 1], [2, 3]]),
    ((MASK, slice(1, 3)), X[MASK][:, 1:3]),
    ((True, 0), X[0][None]),
    ((slice(None), [True, False, True]), X[:, [0, 2]]),
    ((np.array(1), slice(None), np.array([0])), X[1][:, [0]]),
    (([1], [2]), X[[1], [2]]),  # one place, no mesh
    ((slice(None), [1], [[2]]), X[:, [1], [[2]]]),
]


@pytest.mark.parametrize(("index", "expected"), INDICES, ids=[str(i) for i, _ in INDICES])
def test_read_write_and_gradient(index, expected):
    assert np.array_equal(torch.tensor(X)[index].numpy(), expected)
    assert autograd.gradcheck(lambda x: x[index] * x[index], (number(2, 3, 4),))
    assert autograd.gradgradcheck(lambda x: x[index] * x[index], (number(2, 3, 4),))

    def write(x, v):
        out = x * 2
        out[index] = v * v
        return out

    value = number(*expected.shape, start=50)
    assert autograd.gradcheck(write, (number(2, 3, 4), value))
    out = torch.zeros(2, 3, 4)
    out[index] = torch.ones(expected.shape)
    counted = np.zeros(24)
    counted[np.unique(expected.astype(int))] = 1
    assert np.array_equal(out.numpy().reshape(-1), counted)


@pytest.mark.parametrize(
    ("index", "error"),
    [
        (3, IndexError),
        (-3, IndexError),
        ([0, 2], IndexError),
        (1.0, IndexError),
        ("a", TypeError),
        (torch.tensor([0.0]), IndexError),
        (torch.tensor([0], dtype=torch.int16), IndexError),
        (torch.ones(3, dtype=torch.bool), IndexError),
        ((0, 0, 0, 0), IndexError),
        ((torch.tensor([0, 1]), torch.tensor([0, 1, 2])), IndexError),
        (slice(None, None, -1), ValueError),
        (slice(0, 1.5), TypeError),
    ],
    ids=str,
)
def test_wrong_indices_raise_pytorchs_errors(index, error):
    x = torch.zeros(2, 3, 4)
    with pytest.raises(error):
        x[index]
    with pytest.raises(error):
        x[index] = 1.0


# ---- values that do not fit ----------------------------------------------------------------------
WRITES = [
    lambda x, v: x.index_fill(0, torch.tensor([0]), v),
    lambda x, v: x.masked_fill(torch.tensor([True, False, True]), v),
    lambda x, v: x.scatter(0, torch.tensor([0]), v),
    lambda x, v: x.fill_(v),
    lambda x, v: x.__setitem__(0, v),
    lambda x, v: x.__setitem__([0], v),
]  # the last two are infinite in 16 bits, as in PyTorch, which makes a tensor of the number first


@pytest.mark.parametrize("write", WRITES)
def test_a_number_that_its_dtype_does_not_hold_is_refused(write):
    for dtype, value in (
        (torch.int8, 300),
        (torch.uint8, -256),
        (torch.int64, float("nan")),
        (torch.float16, 1e9),
        (torch.float32, 1e300),
    ):
        x = torch.zeros(3, dtype=dtype)
        if dtype is torch.float16 and write in WRITES[-2:]:
            write(x, value)
            assert x.tolist() == [math.inf, 0, 0]
            continue
        with pytest.raises(RuntimeError, match="without overflow"):
            write(x, value)
    write(torch.zeros(3, dtype=torch.int8), 1.7)
    write(torch.zeros(3, dtype=torch.float16), float("inf"))


# ---- along a dimension ---------------------------------------------------------------------------
def test_index_functions():
    x, i = torch.zeros(3, 2), torch.tensor([2, 0, 2])
    source = torch.arange(6.0).reshape(3, 2)
    assert x.index_add(0, i, source, alpha=2).tolist() == [[4, 6], [0, 0], [8, 12]]
    assert x.index_copy(0, i[:2], source[:2]).tolist() == [[2, 3], [0, 0], [0, 1]]
    assert x.index_fill(0, torch.tensor([-1]), 7).tolist() == [[0, 0], [0, 0], [7, 7]]
    reduced = x.index_reduce(0, i, source, "mean", include_self=False)
    assert reduced.tolist() == [[2, 3], [0, 0], [2, 3]]
    assert torch.tensor(1.0).index_add(0, torch.tensor([0]), torch.tensor(3.0)).item() == 4
    assert torch.tensor(1.0).index_select(0, torch.tensor([0])).shape == ()
    value = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    x = number(3)
    x.index_fill(0, torch.tensor([1, 1, -2]), value).sum().backward()
    assert value.grad.item() == 1 and x.grad.tolist() == [1, 0, 1]
    for wrong, error in (
        (lambda: x.index_select(0, torch.tensor([-1])), IndexError),
        (lambda: x.index_add(0, torch.tensor([3]), x[:1]), IndexError),
        (lambda: x.index_add(0, torch.tensor([3]), x[:1]), RuntimeError),  # PyTorch's, of rows
        (lambda: x.index_add(0, torch.tensor([0]), x), RuntimeError),
        (lambda: x.index_add(0, torch.tensor([0]), torch.ones(1)), RuntimeError),
        (lambda: x.index_copy(0, torch.tensor([0, 1]), x[:1]), IndexError),
        (lambda: x.index_select(0, torch.tensor([0.0])), RuntimeError),
        (lambda: x.index_select(0, torch.tensor([[0]])), IndexError),
    ):
        with pytest.raises(error):
            wrong()


# ---- scatter -------------------------------------------------------------------------------------
@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("reduce", ["sum", "mean", "prod", "amax", "amin"])
def test_scatter_reduce(reduce, include_self):
    index = torch.tensor([[0, 1, 1], [2, 1, 0]])
    x, source = number(3, 4), number(2, 3, start=20)

    def run(x, s):
        return x.scatter_reduce(0, index, s, reduce, include_self=include_self)

    function = {"sum": sum, "mean": np.mean, "prod": np.prod, "amax": max, "amin": min}[reduce]
    cells = {at: [x[at].item()] for at in np.ndindex(3, 4)}
    own = {at: include_self for at in cells}
    for r, c in np.ndindex(2, 3):
        at = (int(index[r, c]), c)
        cells[at] = cells[at] if own[at] else []
        cells[at].append(source[r, c].item())
        own[at] = True
    expected = [[function(cells[r, c]) for c in range(4)] for r in range(3)]
    assert np.allclose(run(x, source).detach().numpy(), expected)
    assert autograd.gradcheck(run, (x, source))
    assert autograd.gradgradcheck(run, (x, source))


@pytest.mark.parametrize("zeros", [[0], [0, 1]])
def test_the_gradient_of_a_product_with_zeros(zeros):
    source, x, index = number(3, start=3).detach(), number(2, start=1), torch.tensor([0, 0, 0])
    source[zeros] = 0.0
    source.requires_grad_()

    def run(x, s):
        return x.scatter_reduce(0, index, s, "prod")

    assert autograd.gradcheck(run, (x, source))
    if len(zeros) == 1:
        assert autograd.gradgradcheck(run, (x, source))
    else:
        with pytest.raises(RuntimeError, match="Double backward is unsupported"):
            autograd.grad(run(x, source).sum(), source, create_graph=True)


def test_scatter_with_a_reduction_and_numbers():
    x, i = torch.tensor([1, 2]), torch.tensor([0, 0])
    with pytest.warns(UserWarning, match="scatter_reduce"):
        assert x.scatter(0, i, torch.tensor([4, 5]), reduce="add").tolist() == [10, 2]
    assert x.scatter(0, i, 3, reduce="multiply").tolist() == [9, 2]
    assert x.scatter(0, i, value=7).tolist() == [7, 2]
    assert x.scatter_reduce(0, i, torch.tensor([-4, -4]), "mean").tolist() == [-3, 2]
    assert torch.tensor(1.0).scatter_add(0, i, torch.tensor([3.0, 2.0])).item() == 6
    with pytest.raises(RuntimeError):
        x.scatter(0, i, torch.tensor([4.0, 5.0]))
    with pytest.raises(RuntimeError):
        torch.zeros(3, 4).gather(0, torch.zeros(2, 5, dtype=torch.int64))


@pytest.mark.parametrize("dtype", [torch.float32, torch.int32])
def test_scatter_of_a_number_looks_at_its_indices(dtype):
    x = torch.zeros(2, 3, dtype=dtype)
    assert x.scatter(1, torch.tensor([[2], [0]]), 1).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert x.t().scatter(-1, torch.tensor([[1], [0], [1]]), 1).tolist() == [[0, 1], [1, 0], [0, 1]]
    assert x.scatter(1, torch.tensor([[1]]), 2).tolist() == [[0, 2, 0], [0, 0, 0]]  # a part of x
    row = torch.tensor([[1]]).expand(2, 3)
    assert x.scatter(0, row, 1).tolist() == [[0, 0, 0], [1, 1, 1]]
    for write in (x.scatter, x.scatter_):
        for wrong in (3, -1):
            with pytest.raises(RuntimeError, match=f"index {wrong} is out of bounds for dim"):
                write(1, torch.tensor([[0], [wrong]]), 1)
        with pytest.raises(RuntimeError, match="same number of dimensions"):
            write(1, torch.tensor([0]), 1)
        with pytest.raises(IndexError):
            write(2, torch.tensor([[0]]), 1)
    assert not x.any() and x._version == 0


def test_scatter_of_a_number_in_place_is_seen_by_views_and_by_backward():
    x = torch.zeros(2, 3)
    row, version = x[1], x._version
    assert x.scatter_(1, torch.tensor([[2], [0]]), 1.5) is x
    assert row.tolist() == [1.5, 0, 0] and x._version == version + 1
    assert x.t().scatter_(0, torch.tensor([[1, 1]]), 2).tolist() == [[0, 1.5], [2, 2], [1.5, 0]]
    w = torch.ones(2, 3, requires_grad=True)
    product = w * x
    x.scatter_(1, torch.tensor([[0]]), 3.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.sum().backward()


# ---- regions, masks, flat indices ----------------------------------------------------------------
REGIONS = [
    (lambda x, s: x.slice_scatter(s, 1, 1, 3), (3, 2)),
    (lambda x, s: x.select_scatter(s, 0, -1), (4,)),
    (lambda x, s: x.diagonal_scatter(s, 1), (3,)),
    (lambda x, s: x.as_strided_scatter(s, (2, 2), (4, 1), 1), (2, 2)),
    (lambda x, s: x.masked_scatter(torch.tensor([True, False, True, True]), s), (9,)),
    (lambda x, s: x.put(torch.tensor([[3, -1]]), s), (1, 2)),
    (lambda x, s: x.put(torch.tensor([3, 3]), s, accumulate=True), (2,)),
    (lambda x, s: x.index_put((torch.tensor([0, 0]), torch.tensor([1, 1])), s, True), (2,)),
]


@pytest.mark.parametrize(("write", "shape"), REGIONS)
def test_writes_have_their_gradients(write, shape):
    x, source = number(3, 4), number(*shape, start=20)
    before = x.tolist()
    assert autograd.gradcheck(write, (x, source))
    assert autograd.gradgradcheck(lambda x, s: write(x * x, s * s), (x, source))
    assert x.tolist() == before
    if shape != (2,):  # one that does not fit
        with pytest.raises((RuntimeError, IndexError)):
            write(x, number(1))


def test_masked_scatter_and_the_twins_in_place():
    mask = torch.tensor([True, False, True])
    x = torch.zeros(2, 3)
    assert x.masked_scatter_(mask, torch.arange(9.0)) is x
    assert x.tolist() == [[0, 0, 1], [2, 0, 3]]
    assert x.put_(torch.tensor([0]), torch.tensor([9.0])).tolist()[0] == [9, 0, 1]
    assert x.scatter_reduce_(0, torch.tensor([[1, 1, 1]]), x[:1].clone(), "sum") is x
    with pytest.raises(RuntimeError, match="Number of elements of source"):
        x.masked_scatter(mask, torch.ones(1))
    with pytest.raises(RuntimeError):
        x.masked_select(mask.long())
    assert torch.nonzero_static(torch.tensor([1, 0, 2]), size=3).tolist() == [[0], [2], [-1]]
    assert torch.argwhere(torch.tensor(1.0)).shape == (1, 0)
    taken = torch.take_along_dim(torch.tensor([[1.0, 2.0]]), torch.tensor([[-1], [0]]), 1)
    assert taken.tolist() == [[2], [1]]


def test_bytes_as_indices_and_what_is_none():
    x = torch.zeros(2, 2)
    with pytest.warns(UserWarning, match="uint8 is now deprecated"):
        assert x[torch.tensor([1, 0], dtype=torch.uint8)].shape == (1, 2)
    x[torch.tensor(1, dtype=torch.uint8)] = 3  # of no dimensions: all, or nothing
    assert x.tolist() == [[3, 3], [3, 3]]
    with pytest.raises(IndexError, match="must be long"):
        x[torch.tensor([])]
    with pytest.raises(TypeError, match="deleting"):
        del x[0]


def test_scatter_reduce_of_complex_numbers():
    z = torch.tensor([1 + 2j, 2 - 1j, 0.5j], dtype=torch.complex128, requires_grad=True)
    i = torch.tensor([0, 0, 1])
    for reduce in ("prod", "mean"):
        assert autograd.gradcheck(lambda z, r=reduce: z.scatter_reduce(0, i, z * 1j, r), z)
    with pytest.raises(NotImplementedError, match="amax"):
        z.scatter_reduce(0, i, z, "amax")


def test_segments():
    data = torch.arange(6.0).reshape(3, 2)
    lengths = torch.tensor([1, 0, 2])
    expected = {"sum": [[0, 1], [0, 0], [6, 8]], "prod": [[0, 1], [1, 1], [8, 15]],
                "max": [[0, 1], [-math.inf] * 2, [4, 5]], "min": [[0, 1], [math.inf] * 2, [2, 3]],
                }  # fmt: skip
    for reduce, value in expected.items():
        assert torch.segment_reduce(data, reduce, lengths=lengths).tolist() == value
    means = torch.segment_reduce(data, "mean", lengths=lengths, initial=2.0)
    assert means.tolist() == [[2, 3], [2, 2], [4, 5]]
    offsets = torch.tensor([0, 1, 3])
    assert torch.segment_reduce(data, "sum", offsets=offsets).tolist() == [[0, 1], [6, 8]]
    x = torch.tensor([2.0, 2.0, 3.0, 0.0], dtype=torch.float64, requires_grad=True)
    torch.segment_reduce(x, "max", lengths=torch.tensor([2, 2])).sum().backward()
    assert x.grad.tolist() == [0.5, 0.5, 1, 0]
    for wrong in ({}, {"lengths": torch.tensor([1, 1])}, {"lengths": torch.tensor([4, -1])}):
        with pytest.raises(RuntimeError):
            torch.segment_reduce(data, "sum", **wrong)


def test_none_in_a_view_without_elements_that_begins_behind_its_memory():
    x = (torch.ones(1) + torch.ones(1, 3, 0)).view(3, 0)[1:2]
    assert x[None, 0].shape == (1, 0)
    x[None, 0] *= 2


# ---- masks and arrays of numpy's that are not what PyTorch takes them for ------------------------
@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3)])
def test_a_mask_without_elements_has_to_fit_too(shape):
    x = torch.zeros(2, 3)
    for mask in (torch.zeros(shape, dtype=torch.bool), np.zeros(shape, bool)):
        for index in (mask, (None, mask), (Ellipsis, mask)):
            with pytest.raises(IndexError, match="shape of the mask"):
                x[index]
            with pytest.raises(IndexError, match="shape of the mask"):
                x[index] = 1.0
    assert torch.zeros(shape)[torch.zeros(shape, dtype=torch.bool)].shape == (0,)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint16, np.int32, np.uint64])
def test_numbers_of_numpys_are_integers(dtype):
    x = torch.tensor(X)
    assert x[dtype(1)].tolist() == X[1].tolist()
    assert x[0, dtype(0), None, dtype(3)].tolist() == [3]
    x[dtype(0), dtype(2)] += 1
    assert x[0, 2].tolist() == (X[0, 2] + 1).tolist() and x[1].tolist() == X[1].tolist()
    if dtype != np.uint8:  # whose arrays are masks
        assert x[:, np.array([2, 0], dtype)].tolist() == x[:, [2, 0]].tolist()


@pytest.mark.parametrize("mask", [MASK[0], MASK])
def test_a_value_drops_its_leading_ones(mask):
    x = torch.zeros(mask.shape)
    x[mask] = torch.full((1, 1, 1), 2.0, requires_grad=True)
    assert x.tolist() == (mask * 2.0).tolist() and x.requires_grad
    x = torch.zeros(mask.shape)
    x[mask] = torch.arange(1.0, mask.sum() + 1).view(1, 1, -1)
    assert x[mask].tolist() == list(range(1, mask.sum() + 1))
    with pytest.raises(RuntimeError, match="shape mismatch"):
        x[mask] = torch.ones(2, 2)


def test_the_imaginary_part_of_what_fills_is_not_dropped():
    x = torch.zeros(3)
    for value in (1j, torch.tensor(1j), torch.tensor(1 + 0j)):
        with pytest.raises(RuntimeError, match="complex"):
            x.index_fill(0, torch.tensor([1]), value)
        with pytest.raises(RuntimeError, match="complex"):
            x.index_fill_(0, torch.tensor([1]), value)


# ---- what nothing is recorded of goes a shorter way ----------------------------------------------
def _recorded(function, x, *given, **named):
    return function(x.clone().requires_grad_(x.is_floating_point()), *given, **named).detach()


# vectors that are a run of neighbours but for a border that repeats some of it, and some others
RUNS = [
    [*range(10, 14), *range(14), *range(10)], [0, 0, 0, *range(14), 13, 13],
    [3, 2, 1, *range(14), 12], [5, 6, 7, 8, 8], [3, 1, 2, 0], [9], [2, 3, 4, 0, 1], [], [5] * 40,
    [-1, 0, 1, 2], [0, -1, 1, 2],
]  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.complex64, torch.int32])
def test_a_mesh_of_runs_is_read_as_numpy_does_and_its_gradient_added_up(dtype):
    x = torch.arange(2 * 14 * 14).reshape(2, 14, 14).to(dtype)
    for rows, columns in zip(RUNS, [*RUNS[3:], *RUNS[:3]], strict=True):
        mesh = (slice(None), np.array(rows, np.int64)[:, None], np.array(columns, np.int64))
        for index in (mesh, (slice(None), mesh[2])):
            assert np.array_equal(x[index].numpy(), x.numpy()[index])
            if dtype is torch.int32:
                continue
            leaf = (x / 392).requires_grad_()
            read = leaf[index]
            g = np.asarray(np.arange(read.numel()).reshape(read.shape) % 7, x.numpy().dtype)
            read.backward(torch.tensor(g))
            expected = np.zeros_like(x.numpy())
            np.add.at(expected, index, g)
            assert np.array_equal(leaf.grad.numpy(), expected)
    with pytest.raises(IndexError):
        x[:, np.arange(14)[:, None], np.arange(5, 15)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.int64])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_short_ways_of_indices_along_a_dimension(dtype, dim):
    x = (torch.arange(20).reshape(4, 5) % 7).to(dtype)
    for layout in (x, x.t().contiguous().t(), x[:, ::2], x[:0]):
        size = layout.shape[dim]
        for places in ([0, 2, 0], [], [size - 1], [-1], [size], [0] * 20):
            i = torch.tensor(places, dtype=torch.int64)
            shape = list(layout.shape)
            shape[dim] = len(places)
            src = torch.ones(shape, dtype=dtype)
            k = i.reshape((-1, 1) if dim == 0 else (1, -1)).expand(shape)
            for function, given in (
                (torch.index_add, (dim, i, src)), (torch.scatter_add, (dim, k, src)),
                (torch.scatter_add, (dim, k.contiguous(), src)),
                (torch.take_along_dim, (k.contiguous(), dim)), (torch.take_along_dim, (k, dim)),
            ):  # fmt: skip
                try:
                    expected = _recorded(function, layout, *given)
                except (IndexError, RuntimeError) as error:
                    with pytest.raises(type(error)) as caught:
                        function(layout, *given)
                    assert str(caught.value).splitlines()[0] == str(error).splitlines()[0]
                    if (twin := getattr(layout.clone(), f"{function.__name__}_", None)) is not None:
                        with pytest.raises(type(error)):
                            twin(*given)
                        assert torch.equal(twin.__self__, layout)  # nothing was written
                    continue
                found = function(layout, *given)
                assert torch.equal(found, expected) and found.stride() == expected.stride()
                assert found.dtype is dtype and found.is_leaf
                if (twin := getattr(layout.clone(), f"{function.__name__}_", None)) is not None:
                    before = twin.__self__._version
                    assert torch.equal(twin(*given), expected)
                    assert twin.__self__._version == before + 1


def test_what_an_index_does_not_fit_is_said_as_before():
    x, i = torch.ones(3, 2), torch.tensor([0])
    for wrong in (
        lambda: x.index_add(0, i, torch.ones(1, 3)), lambda: x.index_add(2, i, x[:1]),
        lambda: x.index_add(0, i[None], x[:1]), lambda: x.index_add(0, i, x[:1].double()),
        lambda: x.scatter_add(0, i, x[0]), lambda: x.scatter_add(0, i[None], x[:1].double()),
        lambda: x.scatter_add(0, torch.zeros(1, 3).long(), torch.ones(1, 3)),
        lambda: torch.take_along_dim(x, i, 0), lambda: torch.take_along_dim(x, i.int()[None], 0),
    ):  # fmt: skip
        with pytest.raises((RuntimeError, IndexError)):
            wrong()
    big = x.scatter_add(0, torch.zeros(1, 1).long(), torch.ones(2, 2))  # a part of src is read
    assert big[0].tolist() == [2.0, 1.0]


def test_what_is_read_at_lists_lies_in_rows_in_dimensions_of_one_element_too():
    x = torch.arange(6.0).reshape(3, 2)
    for y in (x[2:, [0, 1]], x[1:2, [1, 1]], x[[2]], x[[2], None]):
        assert y.stride() == y.clone().stride()
    y = x[2:, [0, 1]]
    y[0, None, :] = y  # to itself, element by element
    assert y.tolist() == [[4, 5]]
