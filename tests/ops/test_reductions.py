"""Reductions, scans, order and statistics: dtypes, edges, errors, gradients of what is composed.

Numbers without a reference beside them were recorded from PyTorch 2.13.
"""

import itertools
import math

import numpy as np
import pytest

import microtorch as torch

# of divisions by 0, whose results inf and nan are what PyTorch's are
pytestmark = pytest.mark.filterwarnings("ignore:(divide by zero|invalid value)")

inf, nan = math.inf, math.nan
INT8 = torch.tensor([100, 100, 3], dtype=torch.int8)


def leaf(*shape, seed=0):
    x = np.random.default_rng(seed).standard_normal(shape)
    return torch.tensor(x, dtype=torch.float64, requires_grad=True)


# ---- dtypes --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "out, value, dtype",
    [
        (lambda: INT8.sum(), 203, torch.int64),
        (lambda: INT8.sum(dtype=torch.int8), -53, torch.int8),
        (lambda: INT8.sum(dtype=float), 203.0, torch.float64),
        (lambda: INT8.prod(dtype=torch.int8), 48, torch.int8),
        (lambda: INT8.cumsum(0, dtype=torch.int8)[1], -56, torch.int8),
        (lambda: INT8.sum(dtype=torch.bool), True, torch.bool),
        (lambda: INT8.float().nansum(dtype=torch.float64), 203.0, torch.float64),
        (lambda: torch.tensor([0, 2], dtype=torch.uint8).any(), 1, torch.uint8),
        (lambda: torch.tensor([0, 2], dtype=torch.uint8).all(0), 0, torch.uint8),
        (lambda: torch.ones(3).norm(dtype=torch.float64), math.sqrt(3), torch.float64),
        (lambda: torch.bucketize(2.5, torch.arange(5), out_int32=True), 3, torch.int32),
    ],
)
def test_dtypes(out, value, dtype):
    t = out()
    assert t.dtype is dtype and t.item() == value


def test_a_dtype_that_cannot_hold_a_mean_or_a_running_sum():
    x = torch.ones(2)
    for f in (x.mean, x.nanmean):
        with pytest.raises(RuntimeError, match="must be either a floating point or complex dtype"):
            f(dtype=torch.int64)
    for f in (x.cumsum, x.cumprod, (x > 0).cumsum):
        with pytest.raises(NotImplementedError, match="Bool"):
            f(0, dtype=torch.bool)


# ---- values --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "out, expected",
    [
        (lambda: torch.tensor([1.0, nan, 3.0]).median(), nan),
        (lambda: torch.tensor([1.0, nan, 3.0]).nanmedian(), 1.0),
        (lambda: torch.tensor([]).median(), nan),
        (lambda: torch.tensor([1.0, nan, 3.0]).nanmean(), 2.0),
        (lambda: torch.tensor([inf, -inf]).nansum(), nan),
        (lambda: torch.tensor([1.0, nan, 2.0]).kthvalue(3).values, nan),
        (lambda: torch.tensor([2, 1, 1, 2, 3]).mode().values, 1),
        (lambda: torch.tensor([2, 1, 1, 2, 3]).mode().indices, 2),
        (lambda: torch.tensor([1.0, nan, 3.0]).topk(2).values, [nan, 3.0]),
        (lambda: torch.tensor([3.0, 3.0, 1.0]).cummax(0).indices, [0, 1, 1]),
        (lambda: torch.tensor([1.0, nan, 0.0]).cummin(0).values, [1.0, nan, nan]),
        (lambda: torch.tensor([-inf, -inf, 0.0]).logcumsumexp(0), [-inf, -inf, 0.0]),
        (lambda: torch.tensor([1000.0, 1000.0]).logcumsumexp(0), [1000.0, 1000.0 + math.log(2)]),
        (lambda: torch.tensor([nan, nan, 3.0]).unique(), [3.0, nan, nan]),
        (lambda: torch.unique_consecutive(torch.tensor([1, 1, 2, 1])), [1, 2, 1]),
        (lambda: torch.histc(torch.tensor([1.0, 2.0, 1.0]), 4, 0, 3), [0.0, 2.0, 1.0, 0.0]),
        (lambda: torch.histc(torch.tensor([1.0, 1.0]), 4), [0.0, 0.0, 2.0, 0.0]),
        (lambda: torch.tensor([1.0, nan, 2.0]).histogram(2, range=(0.0, 2.0))[0], [0.0, 2.0]),
        (lambda: torch.tensor([True, True, False]).diff(), [False, True]),
        (lambda: torch.tensor([0.0, 1.0, nan]).quantile(0.5), nan),
        (lambda: torch.tensor([0.0, 1.0, nan]).nanquantile(0.5), 0.5),
        (lambda: torch.tensor([4.0, 2.0, 3.0]).quantile(torch.tensor([0.25, 1.0])), [2.5, 4.0]),
        (lambda: torch.trapezoid(torch.tensor([1, 5, 10])), 10.5),
        (lambda: torch.trapezoid(torch.tensor([200, 100, 250, 30], dtype=torch.uint8)), 465.0),
        (lambda: torch.tensor([-1e30, 0.0, 1e30]).std() / 1e30, 1.0),  # squares leave float32
        (lambda: torch.tensor([[-1e-30, 0.0, 1e-30]]).std(1) * 1e30, [1.0]),
        (lambda: torch.stack(torch.unravel_index(torch.tensor([5, 7]), (3, 4))), [[1, 1], [1, 3]]),
        (lambda: torch.ones(2, 2).logsumexp((), keepdim=True), [[1 + math.log(4)]]),
        (lambda: torch.unravel_index(torch.tensor([7], dtype=torch.int8), (3, 200))[1], [7]),
        (lambda: torch.tensor([4.0, 1.0, 1.0, 16.0]).log2().diff(n=2), [2.0, 4.0]),
        (lambda: torch.ones(3).var(correction=5), nan),
        # squares that no double holds
        (lambda: torch.tensor([1e200] * 3, dtype=torch.float64).var(), 0.0),
        (lambda: torch.std_mean(torch.tensor([1.0, 3.0]), correction=0)[0], 1.0),
    ],
)
@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
@pytest.mark.filterwarnings("ignore::RuntimeWarning:microtorch")
def test_values(out, expected):
    np.testing.assert_allclose(out().numpy(), np.array(expected), rtol=1e-6)


@pytest.mark.parametrize("how, expected", [
    ("linear", 1.8), ("lower", 1.0), ("higher", 3.0), ("midpoint", 2.0), ("nearest", 1.0),
])  # fmt: skip
def test_quantiles_between_two_elements(how, expected):
    x = torch.tensor([[3.0, 1.0]], dtype=torch.float64)
    assert x.quantile(0.4, dim=1, interpolation=how).tolist() == pytest.approx([expected])
    assert x.quantile(0.4, dim=1, keepdim=True, interpolation=how).shape == (1, 1)
    many = x.quantile(torch.tensor([0.4, 0.4, 1.0]).double(), dim=1, interpolation=how)
    assert many.shape == (3, 1) and many[0].item() == pytest.approx(expected)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "int64", "uint8"])
def test_long_rows_are_sorted_stably(dtype, descending):
    rng = np.random.default_rng(1)
    x = rng.integers(0, 50, (2, 1500)).astype(dtype)
    if x.dtype.kind == "f":
        x = np.where(x < 10, -x, x)
        x[0, ::7] = nan
        x[1, ::9], x[1, ::5] = -0.0, -inf
    values, indices = torch.tensor(x).sort(1, descending)
    if descending:
        expected = x.shape[1] - 1 - np.argsort(x[:, ::-1], 1, kind="stable")[:, ::-1]
    else:
        expected = np.argsort(x, 1, kind="stable")
    np.testing.assert_array_equal(indices.numpy(), expected)
    np.testing.assert_array_equal(values.numpy(), np.take_along_axis(x, expected, 1))


def test_counts_along_several_dimensions_and_the_largest_of_one_number():
    x = torch.tensor([[1, 0], [1, 1]])
    assert x.count_nonzero(0, 1).item() == 3 and x.count_nonzero(0).tolist() == [2, 1]
    assert torch.count_nonzero(x, (0, 1)).item() == 3 and torch.count_nonzero(x, dim=1).sum() == 3
    for function in (torch.count_nonzero, torch.squeeze):  # one by one they are the method's
        with pytest.raises(TypeError):
            function(x, 0, 1)
    for k in (0, 1):  # PyTorch does not look at k
        values, indices = torch.tensor(3.0).topk(k)
        assert values.item() == 3.0 and indices.item() == 0


@pytest.mark.parametrize("largest", [False, True])
def test_topk_of_a_long_row(largest):
    x = np.random.default_rng(2).integers(0, 300, 3000).astype("float32")
    x[5] = nan
    values, indices = torch.tensor(x).topk(20, largest=largest)
    ordered = np.sort(x)
    expected = ordered[::-1][:20] if largest else ordered[:20]
    np.testing.assert_array_equal(values.numpy(), expected)
    np.testing.assert_array_equal(x[indices.numpy()], expected)
    assert len(set(indices.tolist())) == 20


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_nan_is_the_largest_in_every_dtype(dtype):
    rng = np.random.default_rng(3)
    x = torch.tensor(np.where(rng.random((50, 50)) < 0.2, nan, rng.normal(size=(50, 50)).round(1)))
    x = x.to(getattr(torch, dtype))

    def check(picked, expected):
        np.testing.assert_array_equal(picked.double().numpy(), expected.double().numpy())

    for dim, largest in itertools.product((0, 1), (False, True)):
        ordered = x.double().sort(dim, largest).values
        for k in range(1, 6):
            values, indices = x.topk(k, dim, largest)
            check(values, ordered.narrow(dim, 0, k))
            check(x.gather(dim, indices), values)
        flat = x.reshape(-1)
        check(flat.topk(40, 0, largest).values, flat.double().sort(0, largest).values[:40])
        check(x[:12].sort(0, largest).values, x[:12].double().sort(0, largest).values)
    check(flat.kthvalue(2400).values, flat.double().kthvalue(2400).values)
    ordered = x[0].sort().values
    check(torch.searchsorted(ordered, x[1]), torch.searchsorted(ordered.double(), x[1].double()))


def test_unique_says_where_and_how_often():
    x = np.random.default_rng(3).integers(0, 20, (40, 60))
    out, inverse, counts = torch.tensor(x).unique(return_inverse=True, return_counts=True)
    np.testing.assert_array_equal(out.numpy()[inverse.numpy()], x)
    np.testing.assert_array_equal(counts.numpy(), np.unique(x, return_counts=True)[1])


def test_histograms_add_up_weights():
    x = np.random.default_rng(4).standard_normal((200, 2))
    w = np.random.default_rng(5).random(200)
    hist, edges = torch.histogramdd(
        torch.tensor(x), [4, 5], range=[-2.0, 2.0, -1.0, 3.0], weight=torch.tensor(w), density=True
    )
    expected, *_ = np.histogramdd(x, (4, 5), [(-2, 2), (-1, 3)], weights=w, density=True)
    np.testing.assert_allclose(hist.numpy(), expected)
    assert [len(e) for e in edges] == [5, 6]


@pytest.mark.parametrize("given", [{}, {"fweights": True}, {"aweights": True}, {"correction": 0}])
def test_covariance_is_numpys(given):
    x = np.random.default_rng(6).standard_normal((3, 8))
    f, a = np.arange(8) + 1, np.linspace(0.1, 2, 8)
    weights = {k: w for k, w in (("fweights", f), ("aweights", a)) if k in given}
    ours = torch.tensor(x).cov(
        correction=given.get("correction", 1), **{k: torch.tensor(w) for k, w in weights.items()}
    )
    np.testing.assert_allclose(ours.numpy(), np.cov(x, ddof=given.get("correction", 1), **weights))
    np.testing.assert_allclose(torch.corrcoef(torch.tensor(x)).numpy(), np.corrcoef(x))


@pytest.mark.parametrize("edge_order", [1, 2])
def test_gradient_is_numpys(edge_order):
    x, places = np.random.default_rng(7).standard_normal((4, 5)), np.array([0.0, 1, 3, 4, 8])
    both = torch.gradient(torch.tensor(x), spacing=[2.0, 3.0], edge_order=edge_order)
    for ours, theirs in zip(both, np.gradient(x, 2.0, 3.0, edge_order=edge_order), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs)
    (at,) = torch.gradient(
        torch.tensor(x), spacing=[torch.tensor(places)], dim=1, edge_order=edge_order
    )
    np.testing.assert_allclose(at.numpy(), np.gradient(x, places, axis=1, edge_order=edge_order))


@pytest.mark.parametrize("d", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("number", [0.7, np.float64(0.7), torch.tensor(0.7, dtype=torch.float64)])
def test_a_number_is_found_among_floats_in_their_dtype(d, number):
    x = torch.tensor([0.1, 0.7, 0.9]).to(d)
    if d is torch.float64:
        x = torch.tensor([0.1, 0.7, 0.9], dtype=d)
    assert torch.isin(x, number).tolist() == [False, True, False]
    assert torch.isin(number, x).item()
    for right in (False, True):
        assert torch.searchsorted(x, number, right=right).item() == 1 + right
        assert torch.bucketize(number, x, right=right).item() == 1 + right


def test_histc_multiplies_before_it_divides():
    x = torch.tensor([0.2, 0.3])  # 0.2 is an edge of [0, 0.3] in three bins, as float32s are
    assert torch.histc(x, 3, 0, 0.3).tolist() == [0, 0, 2]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_histc_of_16_bits_rounds_each_step_to_them(dtype):
    edges = torch.linspace(0, 1, 11).to(dtype)  # each of which begins its bin, in numbers of dtype
    assert torch.histc(edges, 10, 0, 1).tolist() == [1] * 9 + [2]
    assert torch.histc(edges, 10).tolist() == [1] * 9 + [2]
    assert torch.histc(torch.ones(3000).to(dtype), 1).item() == torch.tensor(3000.0).to(dtype)


def test_histc_leaves_out_what_lies_outside():
    x = torch.tensor([-1.0, 0.0, 1.0, 2.0, 3.0, 3.0, 3.5, nan])
    assert torch.histc(x, 3, 0, 3).tolist() == [1, 1, 3]
    assert torch.histc(x[:0], 2).tolist() == [0, 0]
    assert torch.histc(x.double(), 1, 2, 3).dtype is torch.float64


@pytest.mark.parametrize("n, m", [(0, 3), (3, 0), (9, 2), (300, 2), (9, 40)])
@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.float32])
def test_isin_of_few_and_of_many(n, m, kind):
    rng = np.random.default_rng(n + m)
    x, among = rng.integers(0, 60, (n, 2)).astype(kind), rng.integers(0, 60, m).astype(kind)
    if kind is np.float32:
        x[: n // 2], among[: m // 2] = nan, nan
    for invert in (False, True):
        ours = torch.isin(torch.tensor(x), torch.tensor(among), invert=invert)
        np.testing.assert_array_equal(ours.numpy(), np.isin(x, among, invert=invert))


@pytest.mark.parametrize("n", [1, 4, 5, 64, 65])
def test_a_median_of_all_is_that_along_the_only_dimension(n):
    x = torch.tensor(np.random.default_rng(n).integers(0, 9, n).astype(np.float32))
    for f in (torch.median, torch.nanmedian):
        y = x.clone()
        assert f(y).item() == f(y, 0).values.item()
        y[n // 2] = nan
        np.testing.assert_array_equal(f(y).numpy(), f(y, 0).values.numpy())


def test_integers_are_found_among_floats_as_floats():
    big = 2**24 + 1  # no float32
    x = torch.tensor([1.0, 2.0**24])
    assert torch.isin(x, big).tolist() == [False, True]
    assert torch.isin(torch.tensor([big]), x).item()
    assert torch.searchsorted(x, big).item() == 1
    assert not torch.isin(torch.tensor([big]), 2**24).item()  # integers as they are


def test_searchsorted_by_rows_and_by_a_sorter():
    rows = np.sort(np.random.default_rng(8).integers(0, 9, (2, 3, 7)), -1)
    values = np.random.default_rng(9).integers(0, 9, (2, 3, 4))
    for side in ("left", "right"):
        ours = torch.searchsorted(torch.tensor(rows), torch.tensor(values), side=side).numpy()
        for i in np.ndindex(2, 3):
            np.testing.assert_array_equal(ours[i], np.searchsorted(rows[i], values[i], side))
    mixed = torch.tensor([3, 1, 2])
    assert torch.searchsorted(mixed, torch.tensor([2]), sorter=mixed.argsort()).item() == 1


# ---- gradients -----------------------------------------------------------------------------------
DIFFERENTIABLE = {
    "nanmean": lambda x: x.nanmean(1),
    "var": lambda x: x.var(1, correction=0.5),
    "std_mean": lambda x: torch.std_mean(x, 0),
    "aminmax": lambda x: tuple(x.aminmax(dim=0)),
    "median": lambda x: x.median(),
    "mode": lambda x: x.mode(1).values,
    "cummax": lambda x: x.cummax(1).values,
    "quantile": lambda x: x.quantile(0.3, 1),
    "of q": lambda x: torch.arange(5).double().quantile(x.sigmoid().reshape(-1)),
    "cov": lambda x: x.cov(),
    "corrcoef": lambda x: x.corrcoef(),
    "trapezoid": lambda x: torch.trapezoid(x, x.exp(), dim=0),
    "cumulative_trapezoid": lambda x: torch.cumulative_trapezoid(x, dx=0.3),
    "diff": lambda x: x.diff(2, 1, prepend=x[:, :1] * 2),
    "gradient": lambda x: torch.gradient(x, edge_order=2),
    "renorm": lambda x: x.renorm(3, 1, 0.5),
    "dist": lambda x: torch.dist(x, torch.arange(4), 3),
    "cumprod with zeros": lambda x: (x * torch.tensor([1.0, 0, 1, 0])).cumprod(1),
    "norm": lambda x: x.norm(1.7, 1),
}


@pytest.mark.parametrize("f", DIFFERENTIABLE.values(), ids=list(DIFFERENTIABLE))
def test_derivatives_of_first_and_second_order(f):
    x = leaf(3, 4)
    assert torch.autograd.gradcheck(f, x)
    assert torch.autograd.gradgradcheck(f, x)


@pytest.mark.parametrize("p", [0.5, 1, 1.5, 2, 3, inf, -inf, -1])
def test_norms_have_a_subgradient_at_zero(p):
    x = torch.zeros(3, requires_grad=True)
    torch.linalg.vector_norm(x, p).backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


def test_a_norm_has_no_second_derivative_at_zero():
    x = torch.tensor([0.0, 1.0, 2.0], requires_grad=True)
    (g,) = torch.autograd.grad(x.norm(1.5), x, create_graph=True)
    (gg,) = torch.autograd.grad((g * torch.tensor([1.0, 2.0, 3.0])).sum(), x)
    np.testing.assert_allclose(gg.numpy(), [nan, 0.1181, -0.0590], atol=1e-4)


def test_equal_medians_and_extremes_share_the_gradient():
    for f in (torch.median, torch.nanmedian, torch.max, torch.amax):
        x = torch.tensor([2.0, 2.0, 2.0], requires_grad=True)
        f(x).backward()
        np.testing.assert_allclose(x.grad.numpy(), [1 / 3] * 3, rtol=1e-6)


WHOLE = (torch.max, torch.min, torch.median)
OVER_DIMS = {
    "amax": torch.amax, "amin": torch.amin, "amax 0": lambda x: x.amax(0),
    "amin keeps": lambda x: x.amin(-1, True), "aminmax": lambda x: x.aminmax()[0],
}  # fmt: skip


def test_the_gradient_of_an_extreme_that_is_not_a_number():
    """PyTorch's: max() and its like find the NaN; amax and amin divide by how many are equal."""
    for f in WHOLE:
        x = torch.tensor([1.0, nan, 2.0, nan], requires_grad=True)
        f(x).backward()
        assert x.grad.tolist() == [0, 0.5, 0, 0.5]
    for f in OVER_DIMS.values():
        x = torch.tensor([1.0, nan, 2.0], requires_grad=True)
        f(x).sum().backward()
        assert x.grad.isnan().all()
    x = torch.tensor([[1.0, nan], [3.0, 4.0]], requires_grad=True)
    x.amax(0).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[0, nan], [1, nan]])


@pytest.mark.parametrize("value", [0.0, 0.5, nan])
def test_an_extreme_that_is_gone_when_backward_looks_for_it(value):
    for f in WHOLE:
        x = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
        y = f(x)
        x.data.fill_(value)
        y.backward()
        assert x.grad.tolist() == [0, 0, 0]
    for f in OVER_DIMS.values():
        x = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
        y = f(x)
        x.data.fill_(value)
        y.sum().backward()
        assert x.grad.isnan().all()


def test_variance_without_degrees_of_freedom():
    x = torch.tensor([1.0, 1.0, 4.0], requires_grad=True)
    with pytest.warns(UserWarning, match="degrees of freedom is <= 0"):
        x.var(correction=3).backward()
    assert x.grad.tolist() == [inf, inf, inf]
    for dtype in (torch.float32, torch.float16):
        one = torch.tensor([3.0], dtype=dtype, requires_grad=True)
        with pytest.warns(UserWarning, match="degrees of freedom is <= 0"):
            one.std().backward()
        assert one.grad.isnan().all() and one.grad.dtype == one.dtype


def test_logcumsumexp_of_nothing_but_minus_infinity():
    x = torch.tensor([-inf, -inf, 1.0, -800.0], requires_grad=True)
    x.logcumsumexp(0).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 2.0, 0.0]
    assert torch.zeros(0, 2, dtype=torch.complex64).logcumsumexp(0).shape == (0, 2)


# ---- errors --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "wrong, error, text",
    [
        (lambda: torch.zeros(0, 3).max(0), IndexError, "non-zero size"),
        (lambda: torch.zeros(0).max(), RuntimeError, "Expected reduction dim"),
        (lambda: torch.zeros(0, 3).amax(), RuntimeError, "Expected reduction dim"),
        (lambda: torch.zeros(0, 3).amin(0), IndexError, "non-zero size"),
        (lambda: torch.zeros(0).argmax(), IndexError, "Expected reduction dim"),
        (lambda: torch.zeros(0).aminmax(), RuntimeError, "no identity"),
        (lambda: torch.zeros(0).norm(inf), RuntimeError, "identity"),
        (lambda: torch.ones(3).mean(dtype=torch.int32), RuntimeError, "Optional dtype"),
        (lambda: torch.ones(3).kthvalue(4), RuntimeError, "out of range"),
        (lambda: torch.ones(3, dtype=torch.bool).median(), NotImplementedError, "median_cpu"),
        (lambda: torch.ones(3, dtype=torch.bool).topk(1), RuntimeError, "bool"),
        (lambda: torch.ones(3).quantile(1.5), RuntimeError, "in the range"),
        (lambda: torch.ones(3).long().quantile(0.5), RuntimeError, "float or double"),
        (lambda: torch.ones(3).quantile(0.5, interpolation="x"), RuntimeError, "must be one of"),
        (lambda: torch.ones(2, 2, 2).cov(), RuntimeError, "two or fewer"),
        (lambda: torch.trapezoid(torch.ones(3), torch.ones(4)), RuntimeError, "one `x` value"),
        (lambda: torch.diff(torch.tensor(1.0)), RuntimeError, "one-dimensional"),
        (lambda: torch.gradient(torch.ones(3), edge_order=3), RuntimeError, "edge_order"),
        (lambda: torch.ones(3).histc(3, 2, 1), RuntimeError, "max must be larger"),
        (lambda: torch.ones(3).logcumsumexp(1), IndexError, "Dimension out of range"),
        (lambda: torch.searchsorted(torch.ones(3), torch.ones(2), side="x"), RuntimeError, "side"),
        (lambda: torch.unravel_index(torch.ones(1), (2,)), TypeError, "integer"),
        (lambda: torch.bincount(torch.ones(3)), NotImplementedError, "bincount_cpu"),
        (lambda: torch.ones(3).renorm(2, 0, 1), RuntimeError, "at least 2"),
        (lambda: torch.ones(3, 3).renorm(math.nan, 0, 1), RuntimeError, "non-positive-norm"),
        (lambda: torch.ones(3, 3).renorm(2, 0, math.nan), RuntimeError, "maxnorm to be >= 0"),
    ],
)
def test_errors(wrong, error, text):
    with pytest.raises(error, match=text):
        wrong()


def test_unique_of_slices_without_elements():
    assert torch.zeros(0, 3).unique(dim=0).shape == (0, 3)
    for x in (torch.zeros(3, 0), torch.zeros(0, 0)):
        with pytest.raises(RuntimeError, match="unique cannot be applied"):
            x.unique(dim=0)
    assert torch.bincount(torch.zeros(0, dtype=torch.int64), torch.zeros(0)).dtype == torch.int64


def test_the_product_of_one_number_keeps_what_pytorchs_keeps():
    x = torch.tensor(2.0, requires_grad=True)
    for args in ((), (0, True)):
        y = x.prod(*args)
        assert type(y.grad_fn).__name__ == "ProdBackward0"
        y.backward()
        with pytest.raises(RuntimeError, match="a second time"):
            y.backward()
        y = x.prod(*args)
        y.add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.backward()
    assert x.grad == 2


def test_a_dimension_of_a_number_is_named_once():
    x = torch.tensor(2.0)
    for f in (torch.sum, torch.amax, torch.mean, torch.any, torch.nansum):
        assert f(x, (0,)).dim() == f(x, (-1,)).dim() == 0
        with pytest.raises(RuntimeError, match="dim 0 appears multiple times"):
            f(x, (0, -1))


@pytest.mark.parametrize("p", [2, 1, "fro", "nuc"])
def test_the_dtype_of_a_norm_holds_the_input(p):
    """A part of a number, as an imaginary one, is not lost silently."""
    x, z = torch.ones(2, 2), torch.ones(2, 2) * 1j
    assert torch.norm(x, p, (0, 1), dtype=torch.float64).dtype is torch.float64
    assert torch.norm(z, p, (0, 1), dtype=torch.complex128).dtype is torch.float64
    for given, dtype, text in (
        (z, torch.float32, "should be complex for complex inputs, but got Float"),
        (x, torch.complex64, "should be real for real inputs, but got ComplexFloat"),
        (x, torch.int64, "should be floating point or complex, but got Long"),
        (x, torch.bfloat16, r"\(Float\) should be convertible without narrowing"),
    ):
        with pytest.raises(RuntimeError, match=text):
            torch.norm(given, p, (0, 1), dtype=dtype)


def test_a_nan_is_the_extreme_and_has_no_sign():
    for f in (
        lambda x: torch.linalg.vector_norm(x, inf),
        lambda x: torch.linalg.vector_norm(x, -inf, dim=0),
    ):
        x = torch.tensor([1.0, nan, -3.0], requires_grad=True)
        f(x).backward()
        assert x.grad.tolist() == [0, 0, 0]
    z = torch.tensor([complex(nan, nan), 2j], requires_grad=True)
    torch.linalg.vector_norm(z, inf).backward()
    assert z.grad[1] == 0 and z.grad[0] != z.grad[0]


def test_search_among_what_has_no_order_here():
    x, mask = torch.tensor([1.0, 2.0]), torch.tensor([False, True])
    for sequence, value in ((x, 1j), (x, torch.tensor(1j)), (mask, mask), (mask, True)):
        with pytest.raises(NotImplementedError, match="searchsorted_out_cpu"):
            torch.searchsorted(sequence, value)
        with pytest.raises(NotImplementedError, match="searchsorted_out_cpu"):
            torch.bucketize(value, sequence)
    assert torch.searchsorted(torch.tensor([0, 1]), mask).tolist() == [0, 1]
