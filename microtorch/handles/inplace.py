"""In-place operations and views.

An in-place op writes into the tensor's memory and then rebinds the *handle* to a new node; the old
node stays what it was. If the handle is a view, the write reaches its base through the shared
memory, so the base's node becomes

    CopySlices(old base, new value of the region)

and every live view of that base is derived anew from it. All of this is apart from the ordinary
path, which pays nothing.

What a gradient may still need is protected by the clock: the write dates the storage, and backward
refuses values that were written after the node that reads them was made (engine.stale_error). The
op's own input is saved as a copy first.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes
from ..arrays.dtypes import TORCH_TYPES
from ..base import errors
from ..base.naming import named
from ..engine.apply import apply
from ..engine.op import Op
from ..engine.operands import COERCE
from ..engine.record import constant
from ..engine.registry import REGISTRY
from ..graph import mode
from ..notation import formulas
from ..ops import index as indexing
from ..ops.elementwise import ALIASES
from ..ops.surface import METHODS
from .views import rebind, write

if TYPE_CHECKING:
    from ..base.types import Attrs
    from .tensor import Tensor


def check_leaf(t: Any, name: str) -> None:
    """Raise unless ``t`` may be written under gradient recording."""
    if not mode.get().grad:
        return
    base = t if t.origin is None else t.origin[0]
    if any(x.node.needs and x.node.op is None for x in (t, base)):
        what = (
            "a leaf Variable that requires grad"
            if t.origin is None
            else "a view of a leaf Variable that requires grad"
        )
        raise errors.InplaceError(
            errors.message(
                f"{what} is being used in an in-place operation.",
                f"{name}_ on {errors.describe(t)}",
                fix="update it under torch.no_grad(), or write x = x + ... instead",
            )
        )
    # the write would change base without base's gradient knowing
    if base.node.needs and not t.node.needs:
        raise errors.InplaceError(
            errors.message(
                "A view was created in no_grad mode and is being modified inplace with grad mode "
                "enabled. Given that this "
                "use case is ambiguous and error-prone, it is forbidden.",
                f"{name}_ on {errors.describe(t)}, a view of {errors.describe(base)}",
                fix="make the view with gradient enabled, or write under torch.no_grad() as well",
            )
        )


def apply_inplace(
    op: Op, target: Tensor, others: tuple[Any, ...], attrs: Attrs | None = None
) -> Tensor:
    """``target = op(target, *others)`` in target's own memory. Returns ``target``."""
    check_leaf(target, op.name)
    with_grad = mode.get()
    # computed apart, so that a failure changes nothing
    outcome = apply(op, (target, *others), attrs)
    out, array = outcome.array, target.array
    if out.shape != array.shape:
        raise errors.ShapeError(
            errors.message(
                f"output with shape {list(array.shape)} doesn't match the broadcast shape "
                f"{list(out.shape)}",
                f"{op.name}_: {', '.join(map(errors.describe, (target, *others)))}",
                fix="an in-place result must have the shape of its target; write it out of place",
            )
        )
    check_cast(out.dtype, target, op.name)
    if not (with_grad.grad and (outcome.node.needs or target.node.needs)):
        write(target, out, op.name)
        return target
    if outcome.array.dtype != array.dtype:
        outcome = apply(REGISTRY["cast"], (outcome,), {"dtype": array.dtype})
    node = outcome.node
    # the node's own input is about to be overwritten: keep a copy
    if node.needs and node.saved is not node.inputs:
        node.saved = tuple([s.copy() if _overlaps(s, array) else s for s in node.saved])
    rebind(target, outcome, op.name)
    return target


def check_cast(d: Any, target: Any, name: str) -> None:
    """Raise unless a result of dtype ``d`` may be stored in ``target``."""
    if not dtypes.can_cast(d, target.array.dtype):
        raise RuntimeError(
            errors.message(
                f"result type {_long(d)} can't be cast to the desired output type "
                f"{_long(target.array.dtype)}",
                f"{name}_ on {errors.describe(target)}",
                fix="write it out of place, or convert the target first with .to(dtype)",
            )
        )


def _overlaps(saved: Any, array: Any) -> bool:
    return type(saved) is type(array) and np.may_share_memory(saved, array)


def _long(d: Any) -> str:
    return TORCH_TYPES[d.name]


# ---- the public methods --------------------------------------------------------------------------
def _method(op: Op) -> Callable[..., Any]:
    def method(self: Any, *others: Any, **attrs: Any) -> Any:
        return apply_inplace(op, self, others, attrs or None)

    return named(
        method, f"{op.name}_", f"In-place {op.name}: the result replaces this tensor's elements."
    )


copy_op = Op(
    "copy",
    lambda F, x, source: np.broadcast_to(source, x.shape).astype(x.dtype),
    vjps=(
        lambda F, g, out, x, source: F.zero(g),
        lambda F, g, out, x, source: F.cast(g, dtype=source.dtype),
    ),
    rule=("0: it was overwritten", "g"),
    torch_name="CopyBackwards",
)


copy_op.node.__name__ = copy_op.node.__qualname__ = "CopyBackwards"


def copy_(self: Any, src: Any, non_blocking: bool = False) -> Any:
    """Copy the elements of ``src`` (broadcast, converted to this dtype) into this tensor."""
    if hasattr(src, "node") and src.node.dev.device is not self.node.dev.device:
        src = src.to(self.node.dev.device)
    try:
        return apply_inplace(copy_op, self, (src,))
    except ValueError:
        raise errors.broadcast_error("copy_", [self, src]) from None


def fill_(self: Any, value: Any) -> Any:
    """Set every element to ``value``."""
    return copy_(
        self,
        value
        if hasattr(value, "node")
        else constant(np.asarray(value).astype(self.array.dtype), self.node.dev),
    )


def setitem(t: Any, index: Any, value: Any) -> None:
    """``t[index] = value``: through a view for a basic index, else the in-place index_put."""
    parsed, advanced = indexing.parse(index, t.array.shape)
    if not hasattr(value, "node"):
        if type(value) in COERCE:
            value = COERCE[type(value)](value)
        else:
            value = constant(np.asarray(value).astype(t.array.dtype), t.node.dev)
    if advanced:
        if value.array.dtype != t.array.dtype:
            value = value.to(t.dtype)
        apply_inplace(indexing.index_put_op, t, (value,), {"index": parsed})
        return
    check_leaf(t, "copy")
    region = indexing.getitem(t, index) if parsed else t
    shape = region.array.shape
    extra = value.array.ndim - len(shape)
    # numpy and PyTorch drop leading 1s here
    if extra > 0 and all(n == 1 for n in value.array.shape[:extra]):
        value = value.reshape(value.array.shape[extra:])
    try:
        np.broadcast_shapes(shape, value.array.shape)
        ok = np.broadcast_shapes(shape, value.array.shape) == shape
    except ValueError:
        ok = False
    if not ok:
        raise errors.ShapeError(
            errors.message(
                f"expand(torch.{value.array.dtype.name}{{{list(value.array.shape)}}}, "
                f"size={list(shape)}): the value does not "
                "fit the region it is assigned to",
                f"{errors.describe(t)}{indexing._text(parsed)} is {tuple(shape)}, the value is "
                f"{tuple(value.array.shape)}",
            )
        )
    copy_(region, value)


def inplace_methods() -> dict[str, Callable[..., Any]]:
    """The in-place twin of every elementwise op, and the ones that exist only in place."""
    out: dict[str, Callable[..., Any]] = {}
    for name in [
        *formulas.TABLE,
        "floor_divide",
        "logical_and",
        "logical_or",
        "logical_xor",
        "logical_not",
        "bitwise_and",
        "bitwise_or",
        "bitwise_xor",
        "bitwise_not",
        *formulas.COMPARISONS,
    ]:
        if name != "where":
            f = _method(REGISTRY[name])
            for alias in (name, *ALIASES.get(name, ())):
                out[f"{alias}_"] = f

    def composed(name: str) -> Callable[..., Any]:
        """In-place form of a function made of several ops: compute apart, then copy."""
        function = METHODS[name]

        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            check_leaf(self, name)
            # on a copy, for what its derivative reads of the old value is about to be overwritten
            result = function(self.clone() if self.node.needs else self, *args, **kwargs)
            check_cast(result.array.dtype, self, name)
            return copy_(self, result)

        return named(method, f"{name}_", f"In-place {name}.")

    for name in (
        "clamp",
        "clip",
        "round",
        "masked_fill",
        "nan_to_num",
        "addcmul",
        "addcdiv",
        "lerp",
        "scatter",
        "scatter_add",
        "index_add",
        "index_copy",
        "index_fill",
        "index_put",
        "cumsum",
        "cumprod",
        "tril",
        "triu",
        "addmm",
    ):
        out[f"{name}_"] = composed(name)
    for name in ("add", "sub", "div"):
        out[f"{name}_"] = _with_options(name, REGISTRY[name], composed(name))
    out["subtract_"], out["divide_"], out["true_divide_"] = out["sub_"], out["div_"], out["div_"]
    out.update(copy_=copy_, fill_=fill_, zero_=lambda self: fill_(self, 0))
    for sign, name in {
        "iadd": "add",
        "isub": "sub",
        "imul": "mul",
        "itruediv": "div",
        "ipow": "pow",
        "imod": "remainder",
        "ifloordiv": "floor_divide",
        "iand": "bitwise_and",
        "ior": "bitwise_or",
        "ixor": "bitwise_xor",
    }.items():
        out[f"__{sign}__"] = out[f"{name}_"]
    return out


def _with_options(name: str, op: Op, composed: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, other: Any, **options: Any) -> Any:
        return composed(self, other, **options) if options else apply_inplace(op, self, (other,))

    return named(method, f"{name}_", f"In-place {name}.")
