"""Order: extremes with their places, sorting, topk, quantiles, unique, counting."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base.errors import DTypeError, describe, message
from ..base.naming import named
from ..engine.apply import apply
from ..engine.hot import single
from ..engine.op import Op
from ..engine.record import constant
from ..engine.registry import REGISTRY
from .arguments import dim_of, rows
from .reduce import not_empty
from .surface import FUNCTIONS, public

if TYPE_CHECKING:
    from ..base.types import Array, Gradient, Namespace, Operand
    from ..handles.tensor import Tensor


# ---- elements picked by their index --------------------------------------------------------------
def _pick(F: Namespace, x: Array, index: Array, dim: int, squeeze: bool) -> Array:
    out = np.take_along_axis(x, index, dim) if x.ndim else x.reshape(1)[index]
    return out.squeeze(dim) if squeeze and x.ndim else rows(out)


def _pick_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, index: Array, dim: int, squeeze: bool
) -> Gradient:
    if x.ndim and g.ndim != len(index.shape):
        g = F.reshape(g, shape=index.shape)
    return F.scatter_sum(g, index, shape=x.shape, dim=dim)


def _pick_op(name: str) -> Op:
    rule = ("g at the picked place, 0 elsewhere",)
    return Op(name, _pick, vjps=(_pick_vjp, None), saves=("y", ""), rule=rule)


PICKS = {n: _pick_op(n) for n in ("max", "min", "median", "sort", "topk", "kthvalue", "mode")}


class Picked(NamedTuple):
    """PyTorch's named pair (torch.return_types): the elements, and where they were."""

    values: Tensor
    indices: Tensor

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"torch.return_types.{name}(\nvalues={self.values!r},\nindices={self.indices!r})"


_PAIRS = {name: type(name, (Picked,), {"__slots__": ()}) for name in PICKS}


def picked(name: str, input: Tensor, index: Array, dim: int, squeeze: bool) -> Picked:
    """(values, indices) of ``input`` at ``index`` (an int array of the same rank) along ``dim``."""
    dev = input.node.dev
    values = apply(PICKS[name], (input, constant(index, dev)), {"dim": dim, "squeeze": squeeze})
    places = index.squeeze(dim) if squeeze and index.ndim else index
    pair: Picked = _PAIRS[name](values, constant(places, dev))
    return pair


def _publish_pick(
    name: str, choose: Callable[[Array, int], Array], binary: str | None = None
) -> None:
    """``choose(x, d)``: the index of the picked element along d, which keeps its dimension."""

    def pick(input: Tensor, dim: int | Tensor | None = None, keepdim: bool = False) -> Any:
        if hasattr(dim, "node"):
            if binary is None:
                raise TypeError(message(f"{name}(): argument 'dim' must be int, not Tensor"))
            return FUNCTIONS[binary](input, dim)
        if dim is None:
            not_empty(input, name)
            if name == "median":
                return pick(input.reshape(-1), 0).values
            return single(REGISTRY[f"a{name}"], input, {"dim": None, "keepdim": False})
        x, d = input.array, dim_of(dim, input.array.ndim, name)
        index = choose(x, d).astype(np.int64) if x.ndim else np.zeros((), np.int64)
        return picked(name, input, index, d, not keepdim)

    doc = f"The {name} of all elements, or (values, indices) along ``dim``"
    public()(named(pick, name, doc + (f"; with a second tensor, {binary}." if binary else ".")))


def _median_index(x: Array, d: int) -> Array:
    return np.take(np.argsort(x, d, kind="stable"), [(x.shape[d] - 1) // 2], d)


_publish_pick("max", lambda x, d: np.argmax(x, d, keepdims=True), "maximum")
_publish_pick("min", lambda x, d: np.argmin(x, d, keepdims=True), "minimum")
_publish_pick("median", _median_index)


def _publish_argument(name: str, which: str, choose: Callable[..., Any]) -> None:
    def argument(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
        not_empty(input, name)
        d = None if dim is None else dim_of(dim, input.array.ndim, name)
        out = choose(input.array, axis=d if input.array.ndim else None, keepdims=keepdim)
        return constant(out.astype(np.int64, copy=False), input.node.dev)

    doc = f"The index of the {which} element (of the flattened tensor if dim is None)."
    public()(named(argument, name, doc))


_publish_argument("argmax", "largest", np.argmax)
_publish_argument("argmin", "smallest", np.argmin)


# ---- order ---------------------------------------------------------------------------------------
def _order(x: Array, d: int, descending: bool) -> Array:
    """Stable order along ``d``; NaN counts as the largest, as in PyTorch."""
    if not descending:
        return np.argsort(x, d, kind="stable")
    return x.shape[d] - 1 - np.flip(np.argsort(np.flip(x, d), d, kind="stable"), d)


@public()
def sort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = True) -> Picked:
    """(values, indices) in order along ``dim``; equal elements keep their order."""
    if not input.array.ndim:
        return picked("sort", input, np.zeros((), np.int64), 0, False)
    d = dim_of(dim, input.array.ndim, "sort")
    return picked("sort", input, _order(input.array, d, descending), d, False)


@public()
def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = True
) -> Tensor:
    """The indices that sort along ``dim``."""
    return sort(input, dim, descending).indices


@public()
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Picked:
    """(values, indices) of the ``k`` largest (smallest) elements along ``dim``, in order."""
    d = dim_of(dim, input.array.ndim, "topk")
    if not 0 <= k <= (input.array.shape[d] if input.array.ndim else 1):
        raise RuntimeError(
            message("selected index k out of range", f"topk(k={k}, dim={dim}) of {describe(input)}")
        )
    order = _order(input.array, d, largest) if input.array.ndim else np.zeros(1, np.int64)
    return picked("topk", input, np.take(order, np.arange(k), d), d, False)


@public()
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Picked:
    """(value, index) of the k-th smallest element along ``dim`` (k counts from 1)."""
    d = dim_of(dim, input.array.ndim, "kthvalue")
    if not 1 <= k <= input.array.shape[d]:
        raise RuntimeError(
            message(
                "kthvalue(): selected number k out of range for dimension",
                f"k={k} of {describe(input)}",
            )
        )
    index = np.take(_order(input.array, d, False), [k - 1], d)
    return picked("kthvalue", input, index, d, not keepdim)


@public()
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Tensor | tuple[Tensor, ...]:
    """The distinct elements in order, and on request the inverse index and the counts."""
    wanted: dict[str, Any] = {"return_inverse": return_inverse, "return_counts": return_counts}
    out = np.unique(input.array, axis=dim, **wanted)
    if not isinstance(out, tuple):
        return constant(out, input.node.dev)
    return tuple(constant(o, input.node.dev) for o in out)


@public()
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each non-negative integer occurs (or the sum of its weights)."""
    if input.array.dtype.kind not in "iu" or input.array.ndim != 1 or (input.array < 0).any():
        raise RuntimeError(
            message("bincount only supports 1-d non-negative integral inputs.", describe(input))
        )
    counted = None if weights is None else weights.array
    return constant(np.bincount(input.array, counted, minlength), input.node.dev)


@public()
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False
) -> Tensor:
    """The q-th quantile (0 <= q <= 1) along ``dim``, by linear interpolation between neighbours."""
    if hasattr(q, "array"):
        if q.array.ndim:
            raise DTypeError(
                message(
                    "quantile() takes one q at a time here",
                    fix="torch.stack([x.quantile(v) for v in q])",
                )
            )
        q = q.item()
    if not 0 <= q <= 1:
        raise RuntimeError(message("quantile() q values must be in the range [0, 1]", f"got {q}"))
    if dim is None:
        input, dim = input.reshape(-1), 0
    values = sort(input, dim).values
    place = q * (values.array.shape[dim] - 1)
    low, high = math.floor(place), math.ceil(place)
    left, right = values.select(dim, low), values.select(dim, high)
    out = left + (place - low) * (right - left)
    return out.unsqueeze(dim) if keepdim else out
