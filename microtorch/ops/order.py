"""Elements picked by their order: extremes, medians, modes, sorting, topk.

Which order, and how it is found: ops/row_order.py.
"""
from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..arrays.dtypes import F32, I64
from ..backends import defines
from ..backends.reference import Reference
from ..base.errors import describe, message
from ..base.naming import named, return_type_text
from ..engine.argument_types import is_int
from ..engine.checks import watch
from ..engine.op import Op
from ..engine.record import constant, constant_of, has_order, laid, note_order
from ..engine.registry import REGISTRY
from ..engine.short import kept_dtype, single
from ..engine.whole import on_arrays
from .arguments import dim_of, refuse_complex, rows
from .reduce import extreme_vjp, not_empty
from .row_order import FEW, from_last, last, order, ranked
from .surface import FUNCTIONS, public

if TYPE_CHECKING:
    from ..base.types import Array, Gradient, Namespace, Operand
    from ..handles.tensor import Tensor


# ---- elements picked by their index --------------------------------------------------------------
def _pick(F: Namespace, x: Array, index: Array, dim: int, squeeze: bool) -> Array:
    out: Array = F.gather(x, index, dim=dim)
    return out.squeeze(dim) if squeeze and x.ndim else out


def _pick_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, index: Array, dim: int, squeeze: bool
) -> Gradient:
    if x.ndim and g.ndim != len(index.shape):
        g = F.reshape(g, shape=index.shape)
    return F.scatter_sum(g, index, shape=x.shape, dim=dim)


def _pick_op(name: str) -> Op:
    rule = ("g at the picked place, 0 elsewhere",)
    return Op(name, _pick, vjps=(_pick_vjp, None), saves=("y", ""), rule=rule)


NAMES = "max min median nanmedian mode kthvalue sort topk cummax cummin".split()
PICKS = {name: _pick_op(name) for name in NAMES}
WHOLE = ("cummax", "cummin")  # their derivatives keep the input, too, in PyTorch


class Picked(NamedTuple):
    """PyTorch's named pair (torch.return_types): the elements, and where they were."""

    values: Tensor
    indices: Tensor

    def __getattr__(self, name: str) -> Any:
        kind = type(self).__name__
        what = f"'{kind}' object has no attribute '{name}'"
        if name.startswith("__"):
            raise AttributeError(what)
        raise AttributeError(f"{what}: along a dimension it is a pair, .values and .indices")

    def __repr__(self) -> str:
        return return_type_text(self)


_MODULE = "microtorch.return_types"  # where pickle finds them
PAIRS = {n: type(n, (Picked,), {"__slots__": (), "__module__": _MODULE}) for n in PICKS}


def picked(name: str, input: Tensor, index: Array, dim: int, squeeze: bool) -> Picked:
    """(values, indices) of ``input`` at ``index`` (an int array of the same rank) along ``dim``."""
    dev, node = input.node.dev, input.node
    if not node.needs and type(index) is np.ndarray and type(input.array) is np.ndarray:
        x, found = input.array, None
        if index.ndim == 1 and index.size <= FEW and x.dtype.kind != "c":  # whose op refuses them
            found = x[index]  # in half the time
        elif index.ndim:
            found = dev.gathered(x, index, dim)
        if found is not None:
            if squeeze:
                found, index = found.squeeze(dim), index.squeeze(dim)
            taken = constant_of(found, dev), constant_of(index, dev.of(I64))
            few: Picked = tuple.__new__(PAIRS[name], taken)
            return few
    at = constant(index, dev)
    values = kept_dtype(PICKS[name], {"dim": dim, "squeeze": squeeze}, input, at)
    places = constant(index.squeeze(dim), dev) if squeeze and index.ndim else at
    if values.node.op is not None:
        watch(values.node, (places.node, input.node) if name in WHOLE else (places.node,))
    pair: Picked = PAIRS[name](values, places)
    return pair


def _publish_pick(
    name: str, choose: Callable[[Array, int], Array], whole: Callable[[Tensor], Tensor],
    binary: str | None = None,
) -> None:  # fmt: skip
    """Publish max and its like.

    ``choose(x, d)``: the index of the picked element along d, which keeps its dimension.
    ``whole(x)``: the pick of all elements. ``binary``: the function of two tensors.
    """

    def pick(
        input: Tensor, dim: int | Tensor | None = None, keepdim: bool = False, *,
        other: Tensor | None = None,
    ) -> Any:  # fmt: skip
        second = other if other is not None else dim
        if keepdim and (dim is None or other is not None):
            raise TypeError(
                message(
                    f"{name}() received an invalid combination of arguments: keepdim without dim",
                    fix=f"x.a{name}(keepdim=True)" if binary else "dim=...",
                )
            )
        if keepdim and dim is not None and is_int(dim):
            dim = int(dim)
        elif hasattr(second, "node"):
            if binary is None or keepdim:
                raise TypeError(message(f"{name}(): argument 'dim' must be int, not Tensor"))
            return FUNCTIONS[binary](input, second)
        if binary is None and input.array.dtype.kind == "b":
            raise no_bools(f"{name}_cpu", input)
        return whole(input) if dim is None else along(name, input, dim, keepdim, choose)

    doc = f"The {name} of all elements, or (values, indices) along ``dim``"
    public()(named(pick, name, doc + (f"; with a second tensor, {binary}." if binary else ".")))


def along(
    name: str, input: Tensor, dim: Any, keepdim: bool, choose: Callable[[Array, int], Array]
) -> Picked:
    """What ``choose(x, d)`` picks along ``dim``."""
    x, d = input.array, dim_of(dim, input.array.ndim, name)
    if x.ndim:
        not_empty(input, name, (d,))
        index = choose(x, d)
        if index.dtype is not I64:
            index = index.astype(np.int64)
    else:
        index = np.zeros((), np.int64)
    return picked(name, input, index, d, not keepdim)


def no_bools(kernel: str, x: Tensor) -> Exception:
    what = f"\"{kernel}\" not implemented for 'Bool'"
    return NotImplementedError(message(what, describe(x), fix="x.int()"))


def _extreme_of_all(name: str) -> Callable[[Tensor], Tensor]:
    op = REGISTRY[f"a{name}"]

    def extreme(input: Tensor) -> Tensor:
        not_empty(input, name)
        return single(op, input, {"dim": None, "keepdim": False}, None, False)

    return extreme


def _place_of(name: str) -> Callable[[Array, int], Array]:
    """np.argmax or np.argmin, keeping the dimension; numpy's own option takes 1 us."""

    of_any = getattr(np, name)

    def place(x: Array, d: int) -> Array:
        if type(x) is not np.ndarray:
            found: Array = of_any(x, d, keepdims=True)
            return found
        if x.dtype.itemsize == 2 and x.dtype.kind in "fV":  # which numpy compares one by one
            x = Reference.by_dtype[F32].widen(x)
        index = getattr(x, name)(d)
        return index.reshape(*x.shape[:d], 1, *x.shape[d + 1 :])

    return place


_publish_pick("max", _place_of("argmax"), _extreme_of_all("max"), "maximum")
_publish_pick("min", _place_of("argmin"), _extreme_of_all("min"), "minimum")


class aminmax(NamedTuple):
    """PyTorch's named pair of extremes."""

    min: Tensor
    max: Tensor

    def __repr__(self) -> str:
        return return_type_text(self)


def _aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> aminmax:
    d = None if dim is None else dim_of(dim, input.array.ndim, "aminmax")
    n = input.array.size if d is None or not input.array.ndim else input.array.shape[d]
    if not n:
        what = "aminmax(): cannot compute aminmax over an empty dimension as the operation has no "
        raise (RuntimeError if d is None else IndexError)(
            message(what + "identity.", describe(input))
        )
    over = () if dim is None else dim
    return aminmax(FUNCTIONS["amin"](input, over, keepdim), FUNCTIONS["amax"](input, over, keepdim))


public()(named(_aminmax, "aminmax", "(min, max) over ``dim``; equal ones share the gradient."))


# ---- medians and modes ---------------------------------------------------------------------------
def _median_index(x: Array, d: int) -> Array:
    """The lower of the two middle elements; a NaN where there is one."""
    index = ranked(x, (x.shape[d] - 1) // 2, d)
    if x.dtype.kind not in "fV":
        return index
    unknown = np.isnan(x)
    if type(unknown) is np.ndarray and not np.count_nonzero(unknown):
        return index
    first = np.argmax(unknown, d, keepdims=True)
    return np.where(unknown.any(d, keepdims=True), first, index)


def _nanmedian_index(x: Array, d: int) -> Array:
    known = (x == x).sum(d, keepdims=True)
    if known.size == 1:
        return ranked(x, max(int(known.item()) - 1, 0) // 2, d)
    return rows(np.take_along_axis(order(x, d), np.maximum(known - 1, 0) // 2, d))


def _nanmedian(x: Array, d: int) -> Array:
    index: Array = on_arrays("nanmedian", _nanmedian_index, x, d=d)
    return index


MEDIANS = {"median": _median_index, "nanmedian": _nanmedian}


def _median_of_all(F: Namespace, x: Array, name: str) -> Array:
    if not x.size:
        return np.asarray(math.nan).astype(x.dtype)
    flat = x.reshape(-1)
    if type(flat) is np.ndarray and flat.size <= FEW and flat.dtype.kind == "f":
        places = order(flat, 0)
        if (last_one := flat[places[-1]]) == last_one:  # no NaN, which would be the last
            return np.asarray(flat[places[(flat.size - 1) // 2]])
    return flat[MEDIANS[name](flat, 0)].reshape(())


median_op = Op(
    "median_of_all",
    _median_of_all,
    vjps=(lambda F, g, out, x, name: extreme_vjp(F, g, out, x, None, False),),
    saves=("x out",),
    ties=False,
    rule=("g where x is the median, shared among equals",),
    torch_name="Median",
)

for _name, _choose in MEDIANS.items():
    _whole = functools.partial(lambda x, name: single(median_op, x, {"name": name}), name=_name)
    _publish_pick(_name, _choose, _whole)


def _mode_index(x: Array, d: int) -> Array:
    """The last place of the element that occurs most often; of several, the smallest."""
    places = np.moveaxis(order(x, d), d, -1)
    values = np.take_along_axis(np.moveaxis(x, d, -1), places, -1)
    n = x.shape[d]
    ends = np.ones(values.shape, bool)
    ends[..., :-1] = values[..., 1:] != values[..., :-1]
    begins = np.ones(values.shape, bool)
    begins[..., 1:] = ends[..., :-1]
    begin = np.maximum.accumulate(np.where(begins, np.arange(n), 0), -1)
    length = np.where(ends, np.arange(n) - begin, -1)
    last = np.argmax(length, -1, keepdims=True)
    return np.moveaxis(np.take_along_axis(places, last, -1), -1, d)


@public()
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Picked:
    """(values, indices) of the element that occurs most often along ``dim``; ties: the smallest."""
    return along("mode", input, dim, keepdim, lambda x, d: on_arrays("mode", _mode_index, x, d=d))


def _publish_argument(name: str, which: str, choose: Callable[..., Any]) -> None:
    def argument(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
        if input.array.dtype.kind == "b":
            raise RuntimeError(message(f"{name}(): does not support bool input", fix="x.int()"))
        refuse_complex(name, input)
        d = None if dim is None else dim_of(dim, input.array.ndim, name)
        not_empty(input, name, () if d is None else (d,), IndexError)
        x, dev, axis = input.array, input.node.dev, d if input.array.ndim else None
        if type(x) is np.ndarray and not keepdim:  # numpy's function takes longer to call it
            out = np.asarray(getattr(x, name)(axis))
        else:
            out = dev.array(choose(x, axis=axis, keepdims=keepdim))
        return constant(out if out.dtype is I64 else out.astype(np.int64), dev)

    doc = f"The index of the {which} element (of the flattened tensor if dim is None)."
    public()(named(argument, name, doc))


_publish_argument("argmax", "largest", np.argmax)
_publish_argument("argmin", "smallest", np.argmin)


# ---- running extremes ----------------------------------------------------------------------------
@defines
def running_extreme(F: Namespace, x: Array, dim: int, smallest: bool) -> Array:
    """Where the largest (smallest) element up to each place lies.

    Of equal ones the last; after a NaN only another one.
    """
    places = np.arange(x.shape[dim]).reshape([-1 if i == dim else 1 for i in range(x.ndim)])
    extreme = (np.minimum if smallest else np.maximum).accumulate(x, dim)
    return np.maximum.accumulate(np.where((x == extreme) | (x != x), places, 0), dim)


def _publish_running(name: str, which: str) -> None:
    def running(input: Tensor, dim: int) -> Picked:
        x, d = input.array, dim_of(dim, input.array.ndim, name)
        if not x.ndim or not x.size:
            return picked(name, input, np.zeros(x.shape, np.int64), d, False)
        index = input.node.dev.running_extreme(x, d, name == "cummin")
        return picked(name, input, index, d, False)

    doc = f"(values, indices) of the {which} element up to each place along ``dim``."
    public()(named(running, name, doc))


_publish_running("cummax", "largest")
_publish_running("cummin", "smallest")


# ---- sorting -------------------------------------------------------------------------------------
@public()
def sort(
    input: Tensor, dim: int = -1, descending: bool = False, stable: bool | None = None
) -> Picked:
    """(values, indices) in order along ``dim``; equal elements keep their order."""
    if input.array.dtype.kind == "c":
        what = "Sort currently does not support complex dtypes on CPU"
        raise RuntimeError(message(what, describe(input), fix="sort x.abs() or x.real"))
    d = dim_of(dim, input.array.ndim, "sort")
    if not input.array.ndim:
        return picked("sort", input, np.zeros((), np.int64), 0, False)
    x, dev = input.array, input.node.dev
    index, steps = order(x, d, descending), has_order(input) and x.strides
    if steps and not (x.flags.c_contiguous and index.flags.c_contiguous):
        index = dev.of(I64).laid(index, steps)
    pair = picked("sort", input, index, d, False)
    if steps and not x.flags.c_contiguous:
        laid(pair.values, steps)
        note_order(pair.indices)
    return pair


@public()
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices that sort along ``dim``."""
    return sort(input, dim, descending).indices


@public()
def msort(input: Tensor) -> Tensor:
    """The elements in order along the first dimension."""
    return sort(input, 0).values


@public()
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Picked:
    """(values, indices) of the ``k`` largest (smallest) elements along ``dim``, in order."""
    x, d = input.array, dim_of(dim, input.array.ndim, "topk")
    if not 0 <= k <= (x.shape[d] if x.ndim else 1):
        raise RuntimeError(
            message(
                "selected index k out of range",
                f"topk(k={k}, dim={dim}) of {describe(input)}",
                fix=f"k=min({k}, {x.shape[d]})" if k > 0 < x.ndim else "",
            )
        )
    if x.dtype.kind == "b":
        raise RuntimeError(message("topk does not support bool dtypes on CPU", fix="x.int()"))
    if not x.ndim:
        return picked("topk", input, np.zeros((), np.int64), 0, False)  # whatever k is
    if not 0 < k < x.shape[d] // 8 and type(x) is not np.ndarray:
        index = order(x, d, largest)[(slice(None),) * d + (slice(k),)]
        return picked("topk", input, rows(index), d, False)
    index = input.node.dev.best(last(x, d), k, largest)
    return picked("topk", input, rows(from_last(index, d)), d, False)


@public()
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Picked:
    """(value, index) of the k-th smallest element along ``dim`` (k counts from 1)."""
    x, d = input.array, dim_of(dim, input.array.ndim, "kthvalue")
    not_empty(input, "kthvalue", (d,))
    if not 1 <= k <= (x.shape[d] if x.ndim else 1):
        what = f"kthvalue(): selected number k out of range for dimension {d}"
        raise RuntimeError(message(what, f"k={k} of {describe(input)}"))
    if x.dtype.kind == "b":
        raise no_bools("kthvalue_cpu", input)
    return along("kthvalue", input, d, keepdim, lambda x, d: ranked(x, k - 1, d))
