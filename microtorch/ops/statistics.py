"""Statistics of samples: quantiles, covariance and correlation, histograms."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..arrays.draw_checks import are_chances
from ..arrays.dtypes import TORCH_TYPES
from ..arrays.rounding import spaced
from ..base.errors import describe, message, warn
from ..base.naming import return_type_text
from ..engine.argument_types import is_int
from ..engine.handle import Handle
from ..engine.record import constant
from ..engine.whole import on_arrays, whole
from .arguments import dim_of, owned
from .order import sort
from .settled import settled
from .surface import FUNCTIONS, METHODS, public

if TYPE_CHECKING:
    from ..base.types import Argument, Array, DType, Number, Operand, Shape
    from ..handles.tensor import Tensor


# ---- quantiles -----------------------------------------------------------------------------------
INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")
ROUNDED = {"lower": np.floor, "higher": np.ceil, "nearest": np.rint}


@public()
def quantile(
    input: Tensor, q: Tensor | float, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear",
) -> Tensor:  # fmt: skip
    """The quantiles ``q`` (0 <= q <= 1, a number or a 1-d tensor) along ``dim``; NaN if one is NaN.

    ``interpolation``: what to take between two neighbours.
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation)


@public()
def nanquantile(
    input: Tensor, q: Tensor | float, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear",
) -> Tensor:  # fmt: skip
    """The quantiles of the elements that are not NaN."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation)


def _quantile(
    name: str, input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str
) -> Tensor:
    x = input.array
    tensor = hasattr(q, "node")
    places = q.detach().array if tensor else input.node.dev.array(np.asarray(q, x.dtype))
    for wrong, what in (
        (not x.size, "input tensor must be non-empty"),
        (places.ndim > 1, f"q must be a scalar or 1D tensor but got {describe(places)}"),
        (x.dtype.kind not in "fV" or x.dtype.itemsize < 4,
         "input tensor must be either float or double dtype"),
        (places.dtype != x.dtype, "q tensor must be same dtype as the input tensor"),
        (tensor and not are_chances(places),
         "q values must be in the range [0, 1]"),
        (not tensor and not 0 <= q <= 1,
         f"q must be in the range [0, 1] but got {'' if tensor else q}"),
        (interpolation not in INTERPOLATIONS,
         "interpolation must be one of linear, lower, higher, midpoint or nearest, but got "
         f"{interpolation}"),
    ):  # fmt: skip
        if wrong:
            raise RuntimeError(message(f"{name}() {what}", describe(input)))
    if dim is None or not x.ndim:
        d = dim_of(dim or 0, x.ndim, name)
        kept = [1] * x.ndim
        rows = input.reshape(-1)
    else:
        d = dim_of(dim, x.ndim, name)
        kept = [1 if i == d else n for i, n in enumerate(x.shape)]
        rows = input.movedim(d, -1)
    ranks, last = _ranks(rows.array, places, name == "nanquantile")
    ranks = ROUNDED.get(interpolation, np.positive)(ranks)
    dev, values, floor = input.node.dev, sort(rows, -1).values, np.floor(ranks)
    low, high = (constant(r.astype(np.int64), dev) for r in (floor, np.ceil(ranks)))
    if interpolation == "midpoint":
        weight = constant(np.full_like(ranks, 0.5), dev)
    elif tensor and interpolation == "linear":
        # the rank as a function of q: its derivative is how many elements a rank further lies
        weight = constant(ranks - floor - places.reshape(-1) * last, dev) + q.reshape(-1) * last
    else:
        weight = constant(ranks - floor, dev)
    out = METHODS["lerp"](values.gather(-1, low), values.gather(-1, high), weight).movedim(-1, 0)
    if keepdim or dim is None:
        out = out.reshape((len(out.array), *(kept if keepdim else ())))
    return owned(out if places.ndim else out.squeeze(0))


def _ranks(x: Array, q: Array, without_nan: bool) -> tuple[Array, Array]:
    """For each row of ``x`` and each q, the rank of the quantile; and for each row the last rank.

    A row with a NaN, which is sorted to the end, has that place for its quantile.
    """
    n = x.shape[-1]
    known = (x == x).sum(-1, keepdims=True)
    last = np.maximum(known - 1 if without_nan else np.full_like(known, n - 1), 0).astype(x.dtype)
    ranks = q.reshape(-1) * last
    return ranks if without_nan else np.where(known < n, x.dtype.type(n - 1), ranks), last


# ---- covariance ----------------------------------------------------------------------------------
@public()
def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The covariance matrix of variables (rows) over observations (columns).

    ``fweights``: how often each observation counts. ``aweights``: how important it is.
    """
    _check_variables("cov", input)
    if input.array.dtype.kind == "b":
        raise RuntimeError(message("cov(): bool dtype is not supported for input", fix="x.float()"))
    x = input if input.array.ndim == 2 else input.reshape(1, -1)
    n = x.array.shape[1]
    _check_weights("fweights", fweights, n, "iu", "integral")
    _check_weights("aweights", aweights, n, "f", "floating point")
    given = [w for w in (fweights, aweights) if w is not None]
    total: Any = n
    if given:
        w = given[0] if len(given) == 1 else given[0] * given[1]
        total = w.sum()
        if total == 0:
            raise RuntimeError(message("cov(): weights sum to zero, can't be normalized"))
    norm: Any = total - correction
    if aweights is not None and correction:
        norm = total - correction * (w * aweights).sum() / total
    if norm <= 0:
        warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number "
            "of observations."
        )
        norm = norm * 0  # fewer observations than the correction: the result is inf or nan
    centred = x - ((x * w if given else x).sum(1) / total).unsqueeze(1)
    product = centred @ (centred * w if given else centred).mH
    return (product / norm).squeeze()


def _check_variables(name: str, input: Tensor) -> None:
    if input.array.ndim > 2:
        what = f"{name}(): expected input to have two or fewer dimensions but got an input with "
        raise RuntimeError(message(f"{what}{input.array.ndim} dimensions"))


def _check_weights(name: str, w: Tensor | None, n: int, kinds: str, kind: str) -> None:
    if w is None:
        return
    for wrong, what in (
        (w.array.ndim > 1, f"expected {name} to have one or fewer dimensions"),
        (w.array.dtype.kind not in kinds, f"expected {name} to have {kind} dtype"),
        (w.array.size != n, f"expected {name} to have the same numel as there are observations"),
        (bool((w.array < 0).any()), f"{name} cannot be negative"),
    ):
        if wrong:
            raise RuntimeError(message(f"cov(): {what}", f"{describe(w)}, {n} observations"))


@public()
def corrcoef(input: Tensor) -> Tensor:
    """The correlation coefficients of variables (rows): their covariances over the deviations."""
    _check_variables("corrcoef", input)
    c = cov(input)
    if not c.array.ndim:
        return c / c
    deviation = c.diagonal().real.sqrt()
    r = c / deviation.unsqueeze(1) / deviation
    if r.is_complex():
        return FUNCTIONS["complex"](r.real.clamp(-1, 1), r.imag.clamp(-1, 1))
    return r.clamp(-1, 1)


# ---- counts --------------------------------------------------------------------------------------
@public()
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each non-negative integer occurs (or the sum of its weights)."""
    x = input.array
    if x.dtype.kind not in "iu":
        kind = TORCH_TYPES[x.dtype.name]
        what = f"\"bincount_cpu\" not implemented for '{kind}'"
        raise NotImplementedError(message(what, fix="x.long()"))
    if x.ndim != 1 or (x < 0).any():
        what = "bincount only supports 1-d non-negative integral inputs."
        raise RuntimeError(message(what, describe(input)))
    if minlength < 0:
        raise RuntimeError(message("minlength should be >= 0", f"minlength={minlength}"))
    if weights is None:
        return constant(np.bincount(x, None, minlength).astype(np.int64), input.node.dev)
    if weights.array.shape != x.shape:
        what = "weights should be 1-d and have the same length as input"
        raise RuntimeError(message(what, f"input {describe(input)}, weights {describe(weights)}"))
    if not x.size:
        return constant(np.zeros(minlength, np.int64), input.node.dev)
    out = np.bincount(x, weights.array, minlength)
    d = weights.array.dtype if weights.array.dtype == np.float32 else np.float64
    return settled("bincount", out.astype(d), weights)


class histogram(NamedTuple):
    """PyTorch's named pair: how many samples fell between each two edges."""

    hist: Tensor
    bin_edges: Any

    def __repr__(self) -> str:
        return return_type_text(self)


class histogramdd(histogram):
    """The pair of a histogram of several dimensions, with one tensor of edges for each."""

    __slots__ = ()


def _histogram(
    input: Tensor, bins: Tensor | int = 100, *, range: Sequence[float] | None = None,
    weight: Tensor | None = None, density: bool = False,
) -> histogram:  # fmt: skip
    _check_histogram("histogram", input, range, 2, weight, input.array.shape)
    hist, edges = whole("histogram", _counted, input.detach(), bins, weight, range=range,
                        density=density)  # fmt: skip
    return histogram(settled("histogram", hist.array, input, *_tensors(weight, bins)), edges)


def _tensors(*given: Argument) -> list[Argument]:
    return [x for x in given if isinstance(x, Handle)]


def _counted(
    input: Tensor, bins: Tensor | int, weight: Tensor | None, range: Sequence[float] | None,
    density: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    x, dev = input.array, input.node.dev
    edges = _edges("histogram", input, x.reshape(-1), bins, range, 0)
    w = None if weight is None else weight.array.reshape(-1)
    hist = _count(x.reshape(-1, 1), [edges], w, density, equal=not hasattr(bins, "node"))
    return constant(hist, dev), constant(edges, dev)


def _histogramdd(
    input: Tensor, bins: int | Sequence[int] | Sequence[Tensor],
    range: Sequence[float] | None = None, weight: Tensor | None = None, density: bool = False,
) -> histogramdd:  # fmt: skip
    x = input.array
    if x.ndim < 2:
        what = "torch.histogramdd: input tensor should have at least 2 dimensions"
        raise RuntimeError(message(what, describe(input)))
    n = x.shape[-1]
    each: Sequence[Any] = [bins] * n if isinstance(bins, int) else bins
    if len(each) != n:
        what = "histogramdd: The size of bins must be equal to the innermost dimension of the input"
        raise RuntimeError(message(what, f"{len(each)} bins, input {describe(input)}"))
    _check_histogram("histogramdd", input, range, 2 * n, weight, x.shape[:-1])
    hist, edges = whole("histogramdd", _counted_dd, input.detach(), list(each), weight,
                        range=range, density=density)  # fmt: skip
    known = settled("histogramdd", hist.array, input, *_tensors(weight, *each))
    return histogramdd(known, edges)


def _check_histogram(
    name: str, input: Tensor, range: Sequence[float] | None, ends: int, weight: Tensor | None,
    shape: Shape,
) -> None:  # fmt: skip
    if range is not None and len(range) != ends:
        what = f"torch.{name}: range should have {ends} elements, but got {len(range)}"
        raise RuntimeError(message(what))
    if weight is None:
        return
    if weight.array.shape != shape:
        raise _wrong_weight(input, weight)
    if weight.array.dtype != input.array.dtype:
        what = f"torch.{name}: if weight tensor is provided it should have the same dtype as input"
        raise RuntimeError(message(what, f"input {describe(input)}, weight {describe(weight)}"))


def _counted_dd(
    input: Tensor, each: Sequence[Any], weight: Tensor | None, range: Sequence[float] | None,
    density: bool,
) -> tuple[Tensor, tuple[Tensor, ...]]:  # fmt: skip
    points = input.array.reshape(-1, input.array.shape[-1])
    edges = [
        _edges("histogramdd", input, points[:, i], b, range and range[2 * i : 2 * i + 2], i)
        for i, b in enumerate(each)
    ]
    w, dev = None if weight is None else weight.array.reshape(-1), input.node.dev
    equal = not any(hasattr(b, "node") for b in each)
    hist = constant(_count(points, edges, w, density, equal), dev)
    return hist, tuple(constant(e, dev) for e in edges)


_histogram.__name__, _histogramdd.__name__ = "histogram", "histogramdd"
_histogram.__doc__ = "(counts, edges) of the values in ``bins``: a number, or a tensor of edges."
_histogramdd.__doc__ = "(counts, edges) of the points in the last dimension of ``input``."
public()(_histogram)
public(method=False)(_histogramdd)


@public()
def histc(input: Tensor, bins: int = 100, min: Number = 0, max: Number = 0) -> Tensor:
    """Counts in ``bins`` equal intervals from ``min`` to ``max``, or over all values if these are
    equal.
    """
    if not is_int(bins):
        kind = type(bins).__name__
        raise TypeError(message(f"histc(): argument 'bins' (position 2) must be int, not {kind}"))
    limits = None if min == max else (min, max)
    if limits is not None and not min < max and math.isfinite(min + max):
        raise RuntimeError(message("torch.histc: max must be larger than min", f"{min}, {max}"))
    if limits is None and min and not input.array.size:
        limits = (min - 0.5, max + 0.5)
    counts: Array = on_arrays("histc", _histc, input.array, bins=bins, limits=limits)
    return constant(counts, getattr(counts, "dev", input.node.dev))


def _histc(x: Array, bins: int, limits: Sequence[float] | None) -> Array:
    """The last bin includes ``max``. A place follows from the width of the bins, rounded: the edges
    are not looked at. Of 16-bit numbers each step is rounded to them, as in PyTorch.
    """
    x = x.reshape(-1)
    first, last = map(x.dtype.type, _ends("histc", x, x, bins, limits, 0))
    inside = (x >= first) & (x <= last)
    if np.count_nonzero(inside) < x.size:
        x = x[inside]
    place = ((x - first) * x.dtype.type(bins) / (last - first)).astype(np.int64)
    counted = np.bincount(np.minimum(place, bins - 1, out=place), None, bins)
    return counted.astype(x.dtype)


def _edges(
    name: str, input: Operand, x: Array, bins: Any, range: Sequence[float] | None, i: int
) -> Array:
    """The edges of the bins of dimension ``i``, whose values are ``x``."""
    d = _binned(name, input, x)
    if hasattr(bins, "node"):
        edges: Array = bins.array
        if edges.ndim != 1 or not edges.size:
            what = "torch.histogramdd: bins tensor should have one dimension and an edge"
            raise RuntimeError(message(what, f"got {describe(edges)} for dimension {i}"))
        if edges.dtype != d:
            what = "torch.histogramdd: input tensor and bins tensors should have the same dtype"
            raise RuntimeError(message(what, f"input {describe(input)}, bins {describe(edges)}"))
        return edges.copy()
    return spaced(*_ends(name, input, x, bins, range, i), bins + 1, d)


def _binned(name: str, input: Operand, x: Array) -> DType:
    """The dtype of values that are counted in bins. NotImplementedError for one that has none."""
    d = np.asarray(x).dtype  # of a batch, which has other edges for each sample, this is refused
    if d.kind not in "fV" or (d.itemsize < 4 and name != "histc"):
        kernel = "histogram_cpu" if name == "histc" else "histogramdd"
        what = f"\"{kernel}\" not implemented for '{TORCH_TYPES[d.name]}'"
        raise NotImplementedError(message(what, describe(input), fix="x.float()"))
    return d


def _ends(
    name: str, input: Operand, x: Array, bins: int, range: Sequence[float] | None, i: int
) -> tuple[float, float]:
    """The first and the last edge of ``bins`` equal bins of dimension ``i``."""
    _binned(name, input, x)
    if bins <= 0:
        what = f"torch.histogram(): bins must be > 0, but got {bins} for dimension {i}"
        raise RuntimeError(message(what))
    low, high = range if range is not None else (x.min(), x.max()) if x.size else (0, 1)
    if not (math.isfinite(low) and math.isfinite(high)):
        what = f"torch.{name}: dimension {i}'s range [{low}, {high}] is not finite"
        raise RuntimeError(message(what))
    if low > high:
        what = f"torch.{name}: min should not exceed max, but got min {low} max {high}"
        raise RuntimeError(message(what, f"dimension {i}"))
    if low == high:
        low, high = low - 0.5, high + 0.5
    return low, high


def _count(
    points: Array, edges: list[Array], weight: Array | None, density: bool, equal: bool
) -> Array:
    """How many of ``points`` (n, dimensions), or what weight of them, fell into each bin.

    The last bin of a dimension includes its right edge. The bin of a value is looked for among the
    edges; of ``equal`` bins it is computed from their width, and the edges are looked at as well.
    """
    inside, places = np.ones(len(points), bool), []
    for x, e in zip(points.T, edges, strict=True):
        inside &= (x >= e[0]) & (x <= e[-1])
        if not equal:
            place = np.searchsorted(e, x, "right") - 1
        else:
            known = np.where(inside, x, e[0])
            place = ((known - e[0]) * x.dtype.type(len(e) - 1) / (e[-1] - e[0])).astype(np.int64)
            # the quotient may round to the wrong side of an edge
            place = np.minimum(place, len(e) - 2)
            place += (known >= e[place + 1]).astype(np.int64) - (known < e[place])
        places.append(np.minimum(place, len(e) - 2))
    shape = tuple(len(e) - 1 for e in edges)
    chosen = tuple(p[inside] for p in places)
    if 0 in shape:
        return np.zeros(shape, points.dtype)
    flat = np.ravel_multi_index(chosen, shape)
    counted = np.bincount(flat, None if weight is None else weight[inside], math.prod(shape))
    hist = counted.reshape(shape).astype(points.dtype)
    if density:
        hist = hist / hist.sum()
        for i, e in enumerate(edges):
            hist = hist / np.diff(e).reshape([-1 if i == j else 1 for j in range(len(edges))])
    return hist


def _wrong_weight(input: Tensor, weight: Tensor) -> Exception:
    return RuntimeError(
        message(
            "torch.histogramdd: if weight tensor is provided it should have the same shape as the "
            "input tensor excluding its innermost dimension",
            f"input {describe(input)}, weight {describe(weight)}",
        )
    )
