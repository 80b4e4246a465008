"""Order: extremes with their places, sorting, topk, quantiles, unique, counting."""
from __future__ import annotations

import math
from collections import namedtuple
from typing import Any

import numpy as np

from ..base.errors import DTypeError, describe, message
from ..engine.apply import apply
from ..engine.hot import single
from ..engine.op import Op
from ..engine.record import constant
from ..engine.registry import REGISTRY
from .arguments import dim_of, rows
from .reduce import not_empty
from .surface import FUNCTIONS, public


def _pick(F: Any, x: Any, index: Any, dim: int, squeeze: bool) -> Any:
    out = np.take_along_axis(x, index, dim) if x.ndim else x.reshape(1)[index]
    return out.squeeze(dim) if squeeze and x.ndim else rows(out)


def _pick_vjp(F: Any, g: Any, out: Any, x: Any, index: Any, dim: int, squeeze: bool) -> Any:
    if x.ndim and g.ndim != len(index.shape):
        g = F.reshape(g, shape=index.shape)
    return F.scatter_sum(g, index, shape=x.shape, dim=dim)


PICKS = {
    name: Op(
        name,
        _pick,
        vjps=(_pick_vjp, None),
        saves=("y", ""),
        rule=("g at the picked place, 0 elsewhere",),
    )
    for name in ("max", "min", "median", "sort", "topk", "kthvalue", "mode")
}


def result_type(name: str) -> Any:
    """PyTorch's named pair of values and indices (torch.return_types)."""
    pair = namedtuple(name, ["values", "indices"])

    class Pair(pair):  # type: ignore[misc, valid-type]
        __slots__ = ()

        def __repr__(self) -> str:
            return f"torch.return_types.{name}(\nvalues={self.values!r},\nindices={self.indices!r})"

    Pair.__name__ = Pair.__qualname__ = name
    return Pair


_PAIRS = {name: result_type(name) for name in PICKS}


def picked(name: str, input: Any, index: Any, dim: int, squeeze: bool) -> Any:
    """(values, indices) of ``input`` at ``index`` (an int array of the same rank) along ``dim``."""
    place = constant(index, input.node.dev)
    values = apply(PICKS[name], (input, place), {"dim": dim, "squeeze": squeeze})
    return _PAIRS[name](
        values, constant(index.squeeze(dim) if squeeze and index.ndim else index, input.node.dev)
    )


def _along(name: str, choose: Any, binary: str | None) -> None:
    def along(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
        if hasattr(dim, "node"):
            if binary is None:
                raise TypeError(message(f"{name}(): argument 'dim' must be int, not Tensor"))
            return FUNCTIONS[binary](input, dim)
        if dim is None:
            not_empty(input, name)
            if name == "median":
                return along(input.reshape(-1), 0).values
            return single(REGISTRY[f"a{name}"], input, {"dim": None, "keepdim": False})
        d = dim_of(dim, input.array.ndim, name)
        index = (
            choose(input.array, d).astype(np.int64) if input.array.ndim else np.zeros((), np.int64)
        )
        return picked(name, input, index, d, not keepdim)

    along.__name__ = name
    along.__doc__ = f"The {name} of all elements, or (values, indices) along ``dim``" + (
        f"; with a second tensor, {binary}." if binary else "."
    )
    public()(along)


def _median_index(x: Any, d: int) -> Any:
    return np.take(np.argsort(x, d, kind="stable"), [(x.shape[d] - 1) // 2], d)


_along("max", lambda x, d: np.argmax(x, d, keepdims=True), "maximum")


_along("min", lambda x, d: np.argmin(x, d, keepdims=True), "minimum")


_along("median", _median_index, None)


def _argument(name: str, choose: Any) -> None:
    def argument(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        not_empty(input, name)
        d = None if dim is None else dim_of(dim, input.array.ndim, name)
        out = choose(input.array, axis=d if input.array.ndim else None, keepdims=keepdim)
        return constant(out.astype(np.int64, copy=False), input.node.dev)

    argument.__name__ = name
    which = "largest" if name == "argmax" else "smallest"
    argument.__doc__ = f"The index of the {which} element (of the flattened tensor if dim is None)."
    public()(argument)


_argument("argmax", np.argmax)


_argument("argmin", np.argmin)


# ---- order ---------------------------------------------------------------------------------------
def _order(x: Any, d: int, descending: bool) -> Any:
    """Stable order along ``d``; NaN counts as the largest, as in PyTorch."""
    if not descending:
        return np.argsort(x, d, kind="stable")
    return x.shape[d] - 1 - np.flip(np.argsort(np.flip(x, d), d, kind="stable"), d)


@public()
def sort(input: Any, dim: int = -1, descending: bool = False, *, stable: bool = True) -> Any:
    """(values, indices) in order along ``dim``; equal elements keep their order."""
    if not input.array.ndim:
        return picked("sort", input, np.zeros((), np.int64), 0, False)
    d = dim_of(dim, input.array.ndim, "sort")
    return picked("sort", input, _order(input.array, d, descending), d, False)


@public()
def argsort(input: Any, dim: int = -1, descending: bool = False, *, stable: bool = True) -> Any:
    """The indices that sort along ``dim``."""
    return sort(input, dim, descending).indices


@public()
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """(values, indices) of the ``k`` largest (smallest) elements along ``dim``, in order."""
    d = dim_of(dim, input.array.ndim, "topk")
    if not 0 <= k <= (input.array.shape[d] if input.array.ndim else 1):
        raise RuntimeError(
            message("selected index k out of range", f"topk(k={k}, dim={dim}) of {describe(input)}")
        )
    order = _order(input.array, d, largest) if input.array.ndim else np.zeros(1, np.int64)
    return picked("topk", input, np.take(order, np.arange(k), d), d, False)


@public()
def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """(value, index) of the k-th smallest element along ``dim`` (k counts from 1)."""
    d = dim_of(dim, input.array.ndim, "kthvalue")
    if not 1 <= k <= input.array.shape[d]:
        raise RuntimeError(
            message(
                "kthvalue(): selected number k out of range for dimension",
                f"k={k} of {describe(input)}",
            )
        )
    return picked(
        "kthvalue", input, np.take(_order(input.array, d, False), [k - 1], d), d, not keepdim
    )


@public()
def unique(
    input: Any,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The distinct elements in order, and on request the inverse index and the counts."""
    out = np.unique(
        input.array, return_inverse=return_inverse, return_counts=return_counts, axis=dim
    )
    if not isinstance(out, tuple):
        return constant(out, input.node.dev)
    return tuple(constant(o, input.node.dev) for o in out)


@public()
def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Any:
    """How often each non-negative integer occurs (or the sum of its weights)."""
    if input.array.dtype.kind not in "iu" or input.array.ndim != 1 or (input.array < 0).any():
        raise RuntimeError(
            message("bincount only supports 1-d non-negative integral inputs.", describe(input))
        )
    return constant(
        np.bincount(input.array, None if weights is None else weights.array, minlength),
        input.node.dev,
    )


@public()
def quantile(input: Any, q: Any, dim: int | None = None, keepdim: bool = False) -> Any:
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
    out = values.select(dim, low) + (place - low) * (
        values.select(dim, high) - values.select(dim, low)
    )
    return out.unsqueeze(dim) if keepdim else out
