"""Calculus on samples: differences, derivatives by differences, integrals by trapezoids."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base.errors import describe, message
from .arguments import dim_of, dims_of
from .surface import FUNCTIONS, public

if TYPE_CHECKING:
    from ..base.types import Dims, Number
    from ..handles.tensor import Tensor


def part(x: Tensor, dim: int, start: int | None, stop: int | None) -> Tensor:
    """``x[start:stop]`` along ``dim``."""
    return x[(slice(None),) * dim + (slice(start, stop),)]


# ---- differences ---------------------------------------------------------------------------------
@public()
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The differences of neighbours along ``dim``, taken ``n`` times; of bools, where they differ.
    """
    if not input.array.ndim:
        raise RuntimeError(message("diff expects input to be at least one-dimensional"))
    if n < 0:
        raise RuntimeError(message(f"order must be non-negative but got {n}"))
    around = [t for t in (prepend, input, append) if t is not None]
    if n == 0 and len(around) == 1:  # nor is dim looked at
        return input.clone()
    d = dim_of(dim, input.array.ndim, "diff")
    for t in around:
        if [*t.array.shape[:d], *t.array.shape[d + 1 :]] != [
            *input.array.shape[:d], *input.array.shape[d + 1 :]
        ] or t.array.ndim != input.array.ndim:  # fmt: skip
            raise RuntimeError(
                message(
                    "diff expects the shape of tensor to prepend or append to match that of input "
                    "except along the differencing dimension",
                    f"input {describe(input)}, prepend or append {describe(t)}, dim {dim}",
                )
            )
    if n == 0:  # nothing is put before or behind it, then
        return input.clone()
    x = FUNCTIONS["cat"](around, d) if len(around) > 1 else input
    for _ in range(min(n, x.array.shape[d])):
        later, earlier = part(x, d, 1, None), part(x, d, None, -1)
        x = later.logical_xor(earlier) if x.array.dtype.kind == "b" else later - earlier
    return x


# ---- derivatives ---------------------------------------------------------------------------------
@public(method=False)
def gradient(
    input: Tensor, *, spacing: Any = None, dim: Dims = None, edge_order: int = 1
) -> tuple[Tensor, ...]:
    """The derivative along each dimension by second-order differences, one-sided at the edges.

    ``spacing``: the distance between samples, one for all dimensions or one for each; or for each
    the coordinates of the samples, as a tensor. Source: Fornberg 1988.
    """
    ndim = input.array.ndim
    if input.array.dtype.name == "uint8":
        raise RuntimeError(message("torch.gradient does not support uint8 input.", fix="x.int()"))
    dims = tuple(range(ndim)) if dim is None else dims_of(dim, ndim, "gradient")
    spacing = 1 if spacing is None else spacing
    steps = list(spacing) if isinstance(spacing, (list, tuple)) else [spacing] * len(dims)
    if hasattr(spacing, "node"):
        raise TypeError(message("gradient(): spacing must be a number or a list", fix="[spacing]"))
    if len(steps) != len(dims):
        raise RuntimeError(
            message(
                "torch.gradient expected spacing to be unspecified, a scalar, or a list of length "
                f"{len(dims)}, one for each dimension, but got a list of length {len(steps)}"
            )
        )
    if edge_order not in (1, 2):
        raise RuntimeError(message("torch.gradient only supports edge_order=1 and edge_order=2."))
    for d in dims:
        if input.array.shape[d] < edge_order + 1:
            raise RuntimeError(
                message(
                    "torch.gradient expected each dimension size to be at least edge_order+1",
                    f"edge_order={edge_order}, dim {d} of {describe(input)}",
                )
            )
    return tuple([
        _at(input, d, h, edge_order) if hasattr(h, "node") else _even(input, d, h, edge_order)
        for d, h in zip(dims, steps, strict=True)
    ])  # fmt: skip


def _even(x: Tensor, d: int, h: Number, edge_order: int) -> Tensor:
    """The derivative of samples that lie ``h`` apart."""
    def at(i: int) -> Tensor:
        return part(x, d, i, i + 1 or None)

    if edge_order == 1:
        first, last = at(1) - at(0), at(-1) - at(-2)
    else:
        first = -1.5 * at(0) + 2 * at(1) - 0.5 * at(2)
        last = 0.5 * at(-3) - 2 * at(-2) + 1.5 * at(-1)
    middle = (part(x, d, 2, None) - part(x, d, None, -2)) / 2
    return FUNCTIONS["cat"]([first, middle, last], d) / h


def _at(x: Tensor, d: int, places: Tensor, edge_order: int) -> Tensor:
    """The derivative of samples at ``places``."""
    if places.array.shape != (x.array.shape[d],):
        what = (
            "torch.gradient expected each element of spacing to have one dimension, with a "
            "coordinate for each sample"
        )
        raise RuntimeError(message(what, f"got {describe(places)} for dim {d} of {describe(x)}"))
    h = diff(places).reshape((-1,) + (1,) * (x.array.ndim - 1 - d))

    def at(t: Tensor, i: int, dim: int = d) -> Tensor:
        return part(t, dim, i, i + 1 or None)

    p, q = part(h, 0, None, -1), part(h, 0, 1, None)
    left, here, right = part(x, d, None, -2), part(x, d, 1, -1), part(x, d, 2, None)
    middle = -q / (p * (p + q)) * left + (q - p) / (p * q) * here + p / (q * (p + q)) * right
    if edge_order == 1:
        first, last = (at(x, 1) - at(x, 0)) / h[0], (at(x, -1) - at(x, -2)) / h[-1]
    else:
        p, q = h[0], h[1]
        first = (
            -(2 * p + q) / (p * (p + q)) * at(x, 0)
            + (p + q) / (p * q) * at(x, 1)
            - p / (q * (p + q)) * at(x, 2)
        )
        p, q = h[-2], h[-1]
        last = (
            q / (p * (p + q)) * at(x, -3)
            - (p + q) / (p * q) * at(x, -2)
            + (p + 2 * q) / (q * (p + q)) * at(x, -1)
        )
    return FUNCTIONS["cat"]([first, middle, last], d)


# ---- integrals -----------------------------------------------------------------------------------
@public(method=False, aliases=("trapz",))
def trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: Number | None = None, dim: int = -1
) -> Tensor:
    """The integral of the samples ``y`` along ``dim`` by the trapezoidal rule.

    Samples lie ``dx`` (1) apart, or at the places ``x``.
    """
    if x is None and y.array.dtype.kind in "iu":
        y = y.long()  # PyTorch adds up all samples, in int64, less half of the ends
    d = _along("trapezoid", y, x, dx, dim)
    if x is None and y.array.shape[d]:  # every sample counts whole, but the two at the ends
        ends = (y.select(d, 0) + y.select(d, -1)) * 0.5
        return (y.sum(d) - ends) * (1 if dx is None else dx)
    areas = _areas("trapezoid", y, x, dx, d)
    areas = areas if y.array.shape[d] else areas.detach()  # a constant in PyTorch
    return areas.sum(d)


@public(method=False)
def cumulative_trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: Number | None = None, dim: int = -1
) -> Tensor:
    """The integrals from the first sample to each later one, as ``trapezoid``."""
    d = _along("cumulative_trapezoid", y, x, dx, dim)
    return _areas("cumulative_trapezoid", y, x, dx, d).cumsum(d)


def _along(name: str, y: Tensor, x: Tensor | None, dx: Number | None, dim: int) -> int:
    """The dimension, of operands that may be integrated."""
    if not y.array.ndim:
        raise IndexError(message(f"Dimension specified as {dim} but tensor has no dimensions"))
    d = dim_of(dim, y.array.ndim, name)
    if any(t is not None and t.array.dtype.kind == "b" for t in (y, x)):
        what = f"{name}: received a bool input for `x` or `y`, but bool is not supported"
        raise RuntimeError(message(what, fix="y.float()"))
    if x is None and isinstance(dx, complex):
        raise RuntimeError(message(f"{name}: Currently, we only support dx as a real number."))
    if x is not None and dx is not None:
        raise TypeError(message(f"{name}(): takes x or dx, not both"))
    return d


def _areas(name: str, y: Tensor, x: Tensor | None, dx: Number | None, d: int) -> Tensor:
    """The area of each trapezoid along ``d``."""
    ndim = y.array.ndim
    both = part(y, d, None, -1) + part(y, d, 1, None)
    if x is None:
        return both * ((1 if dx is None else dx) / 2)
    if x.array.ndim == 1:
        if len(x.array) != y.array.shape[d]:
            what = f"{name}: There must be one `x` value for each sample point"
            raise RuntimeError(message(what, f"y {describe(y)}, x {describe(x)}, dim {d}"))
        x = x.reshape((-1,) + (1,) * (ndim - 1 - d))
    elif x.array.ndim < ndim:
        x = x.reshape((1,) * (ndim - x.array.ndim) + x.array.shape)
    along = d - ndim + x.array.ndim if x.array.ndim < ndim else d
    return both * diff(x, dim=along) / 2
