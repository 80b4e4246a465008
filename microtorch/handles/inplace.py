"""In-place operations.

An in-place op writes into the tensor's memory and then gives its *handle* a new node; the old node
stays what it was. What a write does to views and their bases is in ``views.py``. The ordinary path
of an op knows nothing of all this, and pays nothing for it.

The clock protects what a gradient may still need: a write dates the storage, and backward refuses
values that were written after the node that reads them was made (engine/checks.py). The op's own
input is saved as a copy first.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from ..arrays import dtypes
from ..arrays.dtypes import TORCH_TYPES
from ..backends.table import LARGE, layouts
from ..base import errors
from ..engine.apply import apply
from ..engine.checks import watch
from ..engine.handle import Handle
from ..engine.op import Op
from ..engine.operands import COERCE, NUMBERS, element, lone_element
from ..engine.record import constant, handle, packers
from ..engine.registry import REGISTRY
from ..graph import last_write, mode, storage_of, tick
from ..ops import index as indexing
from ..ops.arguments import as_element
from ..ops.node_names import rename
from ..ops.settled import settled
from ..ops.surface import FUNCTIONS
from .memory import repeats_itself
from .overlaps import (
    check_overlap,
    expanded,
    is_region,
    one_after_another,
    plain_array,
    put_one_by_one,
    same_elements,
)
from .views import lead, rebind, renew_views, without_hooks, write, write_region
from .whole import is_whole, recording, requiring

if TYPE_CHECKING:
    from ..base.types import AnyNumber, Argument, Array, Attrs, DType, Index
    from ..graph import Node
    from .tensor import Tensor


def check_leaf(t: Tensor, name: str) -> None:
    """Raise unless ``t`` may be written while gradients are recorded."""
    if not mode.get().grad:
        return
    base = t if t.origin is None else t.origin[0]
    if t.node.needs and (t.node.op is None or base.node.op is None):
        what = f"{'a' if t.origin is None else 'a view of a'} leaf Variable that requires grad"
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
                "enabled. Given that this use case is ambiguous and error-prone, it is forbidden.",
                f"{name}_ on {errors.describe(t)}, a view of {errors.describe(base)}",
                fix="make the view with gradient enabled, or write under torch.no_grad() as well",
            )
        )


PLAIN = frozenset({int, float, bool, str, type(None)})  # what is read before anything is written
# what makes room in a target for another kind of numbers (kinds/carry.py, once imported)
carrying: list[Callable[[Tensor, Array, str], None]] = []


def apply_inplace(
    op: Op, target: Tensor, others: tuple[Any, ...], attrs: Attrs | None = None, name: str = "",
    apart: bool = False,
) -> Tensor:  # fmt: skip
    """``target = op(target, *others)`` in target's own memory. Returns ``target``.

    ``name``: what the user called, if it is not the op's name. ``apart``: it was made sure that no
    operand shares memory with the target.
    """
    name = name or op.name
    check_leaf(target, name)
    if target.node.needs and is_whole(target) and mode.get().grad:
        with recording(False):
            return apply_inplace(op, target, others, attrs, name, apart)
    if not apart and any([isinstance(x, Handle) for x in others]):
        check_overlap(target.array, others, name)
    with without_hooks(target) as before:
        if before is not target.node:  # what is read of it is what it was
            others = tuple([handle(x.array, before) if x is target else x for x in others])
        outcome = apply(op, (target, *others), attrs)  # apart, so that a failure changes nothing
        if not op.differentiable:
            outcome = _flat(op, outcome, target, others)
        _check_outcome(op, outcome, target, others, attrs, name)
    again = outcome.node.needs and mode.get().grad and _keep(outcome.node, target)
    if before is not target.node and 0 in op.saved_inputs:
        lead(outcome.node, 0, lambda: before)
    store(target, outcome, name)
    if again:
        last_write[0] = tick()  # backward has to look, although the node is newer than the write
    if not op.differentiable and not op.name.startswith("logical"):
        return requiring(target, *others, name=f"{op.name.capitalize()}Backward1")
    return target


def straight(target: Tensor, operands: Iterable[Any], whole: bool = False) -> bool:
    """Is a write to ``target`` one that nothing is recorded of, and that reads nothing it writes?

    That is the common case, at a third of the time: of numbers, and of tensors that lie in other
    memory than the target, or are (unless ``whole``) the target itself.
    """
    a = target.array
    if type(a) is not ndarray or not a.flags.writeable:
        return False
    grad, memory = mode.get().grad, a if a.base is None else a.base
    if (grad and (target.node.needs or target.origin is not None)) or packers:
        return False
    if type(memory) is not ndarray or memory.base is not None:
        return False  # it is lent
    for x in operands:
        if isinstance(x, Handle):
            v = x.array
            if type(v) is not ndarray or (grad and x.node.needs):
                return False
            if v is a:
                if whole:
                    return False
                continue
            own = v if v.base is None else v.base
            if own is memory or type(own) is not ndarray or own.base is not None:
                return False
        elif type(x) not in PLAIN:
            return False
    return True


def put_straight(target: Tensor, out: Array, name: str) -> bool:
    """Write a result straight into ``target``, if it fits; see ``straight``."""
    a = target.array
    if type(out) is not ndarray or out.dtype is not a.dtype or out.shape != a.shape:
        return False
    storage = target.node.storage or storage_of(target.node)
    storage.wrote(name)  # before it is done, as in write()
    a[...] = out
    if storage.views:
        renew_views(target)
    return True


def written_over(kernel: Argument, target: Tensor, other: Handle, name: str) -> bool:
    """Let a ufunc write straight over its first operand, if the second one has its shape and
    neither is large; see ``straight``. Nothing is allocated.
    """
    x, y = target.array, other.array
    if type(kernel) is not np.ufunc or x.shape != y.shape or x.nbytes >= LARGE:
        return False
    storage = target.node.storage or storage_of(target.node)
    storage.wrote(name)  # before it is done, as in write()
    try:
        kernel(x, y, x)
    except RuntimeWarning:
        pass  # it is written (arrays/quiet.py)
    if storage.views:
        renew_views(target)
    return True


def _check_outcome(
    op: Op, outcome: Tensor, target: Tensor, others: tuple[Any, ...], attrs: Attrs | None, name: str
) -> None:
    """Raise unless ``outcome`` can be written into ``target``; carry target to its kind of numbers.
    """
    plain = type(target.array) is np.ndarray
    if op is indexing.index_put_op and plain and repeats_itself(target.array):
        outcome.array = outcome.node.value = put_one_by_one(
            target.array, others[0].array, **attrs or {}
        )
    elif plain and (op is copy_op or op.name in layouts):
        values = one_after_another(target.array, others, lambda *elements: apply(
            op, [constant(x) if isinstance(x, np.ndarray) else x for x in elements], attrs
        ).array)
        if values is not None:
            outcome.array = outcome.node.value = values
    out = outcome.array
    if type(out) is not np.ndarray:
        for carry in carrying:
            carry(target, out, name)
    check_shape(out, target, name, (target, *others))
    check_cast(out.dtype, target, name)


def check_shape(out: Array, target: Tensor, name: str, operands: tuple[Any, ...]) -> None:
    """Raise unless ``out`` has the shape of ``target``, which it is to be written into."""
    if out.shape != target.array.shape:
        given = [errors.describe(x) for x in operands if isinstance(x, Handle)]
        raise errors.ShapeError(
            errors.message(
                f"output with shape {list(target.array.shape)} doesn't match the broadcast shape "
                f"{list(out.shape)}",
                f"{name}_: {', '.join(given)}",
                fix="an in-place result must have the shape of its target; write it out of place",
            )
        )


def store(target: Tensor, outcome: Tensor, name: str) -> Tensor:
    """Write ``outcome``, of target's shape, into target's memory. Target takes its gradient's path.

    Returns ``target``.
    """
    if not (mode.get().grad and (outcome.node.needs or target.node.needs)):
        write(target, outcome.array, name)
        renew_views(target)
        return target
    if outcome.array.dtype != target.array.dtype:
        outcome = apply(REGISTRY["cast"], (outcome,), {"dtype": target.array.dtype})
    rebind(target, outcome, name)
    return target


def _flat(op: Op, outcome: Tensor, target: Tensor, others: tuple[Any, ...]) -> Tensor:
    """What an op without derivative, a comparison, writes into a floating tensor.

    The derivative is 0, and the target stays on the graph. PyTorch leaves the target of logical_and
    and its like the gradient of what was overwritten, which is wrong.
    """
    if target.array.dtype.kind not in "fcV":
        return outcome
    read = [x for x in others if hasattr(x, "node") and not op.name.startswith("logical")]
    written = outcome.to(target.dtype).array
    return settled(op.name, written, target, *read, zero=len(read), written=True)


def _keep(node: Node, target: Tensor) -> bool:
    """Let the node of an in-place op keep a copy of what it overwrites.

    Only of its first operand: to read the target a second time, as ``v *= v`` does, or any part of
    its memory, is refused by backward, as in PyTorch. True if it does.
    """
    if node.saved is None or node.saved is node.inputs:
        return False
    array = target.array
    first, *others = node.saved
    if node.inputs[0] is not target.node:
        node.inputs[0].storage = None  # of another dtype, so a copy already
    elif _overlaps(first, array):
        node.saved = (first.copy(), *others)
    kept = {j for x, js in zip(node.inputs, node.op.watched, strict=False) if x.needs for j in js}
    storage = target.node.storage  # none yet: then nobody shares it
    again = [
        x
        for j, (x, s) in enumerate(zip(node.inputs[1:], others, strict=True), 1)
        if j in kept and (_overlaps(s, array) or (storage and x.storage is storage))
    ]
    if again:
        watch(node, again)
    return bool(again)


def check_cast(d: DType, target: Tensor, name: str) -> None:
    """Raise unless a result of dtype ``d`` may be stored in ``target``."""
    if not dtypes.can_cast(d, target.array.dtype):
        raise RuntimeError(
            errors.message(
                f"result type {type_name(d)} can't be cast to the desired output type "
                f"{type_name(target.array.dtype)}",
                f"{name}_ on {errors.describe(target)}",
                fix="write it out of place, or convert the target first with .to(dtype)",
            )
        )


def _overlaps(saved: Any, array: Array) -> bool:
    return type(saved) is type(array) and np.may_share_memory(saved, array)


def type_name(d: DType) -> str:
    """PyTorch's long name of a dtype: Float, Long ..."""
    return TORCH_TYPES[d.name]


# ---- copies --------------------------------------------------------------------------------------
copy_op = Op(
    "copy",
    lambda F, x, source: dtypes.converted(
        source if source.shape == x.shape else np.broadcast_to(source, x.shape), x.dtype
    ),
    vjps=(
        lambda F, g, out, x, source: F.zero(g),
        lambda F, g, out, x, source: F.cast(g, dtype=source.dtype),
    ),
    rule=("0: it was overwritten", "g"),
    torch_name="CopyBackwards",
)
copy_op.node.__name__ = copy_op.node.__qualname__ = "CopyBackwards"


def copy_(self: Tensor, other: Tensor, non_blocking: bool = False) -> Tensor:
    """Copy the elements of ``other`` (broadcast, converted to this dtype) into this tensor."""
    if not isinstance(other, Handle):
        return copied_into(self, other, "copy")
    if straight(self, (other,)) and put_straight(self, other.array, "copy"):
        return self
    # elements copied to themselves may also be expanded ones: each gets its own value
    return copied_into(self, other, "fill" if same_elements(self.array, other.array) else "copy")


def copied_into(self: Tensor, src: Tensor, name: str, apart: bool = False) -> Tensor:
    if hasattr(src, "node") and src.node.dev.device is not self.node.dev.device:
        src = src.to(self.node.dev.device)
    try:
        return apply_inplace(copy_op, self, (src,), None, name, apart)
    except ValueError:
        raise errors.broadcast_error(f"{name}_", [self, src]) from None


def fill_(self: Tensor, value: Tensor | AnyNumber) -> Tensor:
    """Set every element to ``value``."""
    if not isinstance(value, Handle):
        if _stored(self, (), value):
            return self
        copied_into(self, _of_dtype(value, self), "fill", apart=True)
        return rename(self, "FillBackward2") if self.node.op is copy_op else self
    if value.array.ndim:
        raise RuntimeError(
            errors.message(
                "fill_ only supports 0-dimension value tensor but got tensor with "
                f"{value.array.ndim} dimensions."
            )
        )
    shares = type(value.array) is np.ndarray and np.may_share_memory(value.array, self.array)
    copied_into(self, value.clone() if shares else value, "copy", apart=True)
    if self.node.op is copy_op:
        rename(self, "FillBackward3")
    return requiring(self, value, name="FillBackward3")


def zero_(self: Tensor) -> Tensor:
    """Set every element to 0."""
    a, node = self.array, self.node
    if type(a) is np.ndarray and not node.needs and self.origin is None and a.flags.writeable:
        storage = storage_of(node)
        storage.wrote("fill")  # before it is done, as in write()
        a.fill(0)
        if storage.views:
            renew_views(self)
        return self
    fill_(self, 0)
    return rename(self, "ZeroBackward0") if self.node.op is copy_op else self


FUNCTIONS.update(fill_=fill_, zero_=zero_)  # PyTorch has them as functions, too


INDICES = frozenset({dtypes.BOOL, dtypes.I64})
watchers = [0]  # how many want to be asked before memory is written (func/captured.py)


def _stored(t: Tensor, index: Any, value: Any) -> bool:
    """``setitem`` in the common case, at a fifth of the time; False where it is another.

    That is: no gradient flows; a number that the dtype holds is written where an index of integers
    and slices, a mask or a tensor of indices says, or a tensor of the same dtype with memory of its
    own where the former says.
    """
    a, node = t.array, t.node
    if type(a) is not np.ndarray or node.needs or watchers[0]:
        return False
    if t.origin is not None and t.origin[0].node.needs:
        return False
    place: Argument
    if isinstance(index, Handle):
        place, integers, writer = index.array, 0, "index_put"
        if type(place) is not np.ndarray or place.dtype not in INDICES:
            return False
        if not place.ndim or not place.size:  # numpy takes any mask without elements
            return False
    elif (found := indexing.basic(index, a.ndim)) is not None:
        (place, integers), writer = found, "fill"
    else:
        return False
    if type(value) is float or type(value) is int:
        if a.dtype.kind != "f" or a.itemsize < 4 or not -9e18 < value < 9e18:
            return False
    elif isinstance(value, Handle) and writer == "fill":
        v = value.array
        if type(v) is not np.ndarray or v.dtype is not a.dtype or value.node.needs:
            return False
        if v.base is not None or v is a or v is a.base or v.ndim > a.ndim - integers:
            return False
        writer = "copy" if v.ndim else "fill"
        value = v
    else:
        return False
    storage = storage_of(node)
    try:
        a[place] = value
    except (IndexError, ValueError):  # nothing was written: the general case says what is wrong
        return False
    storage.wrote(writer)
    if storage.views:
        renew_views(t)
    return True


def _bound(t: Tensor, index: Argument, value: Argument) -> bool:
    """``setitem`` in the common case with a gradient, at a third of the time; False where it is
    another.

    That is: a tensor with memory of its own fills a part of one that is neither a view nor a leaf
    with gradient, and of which there are no other views.
    """
    if not isinstance(value, Handle) or t.origin is not None or not mode.get().grad:
        return False
    a, v, node = t.array, value.array, t.node
    if type(a) is not np.ndarray or type(v) is not np.ndarray or v.dtype is not a.dtype:
        return False
    if v.base is not None or v is a or v is a.base or not a.flags.writeable or packers:
        return False
    if node.hooks is not None or (node.op is None if node.needs else not value.node.needs):
        return False
    found = indexing.basic(index, a.ndim)
    if found is None:
        return False
    if node.storage is not None and any([view() is not None for view in node.storage.views]):
        return False
    place, integers = found
    try:
        region = a[place]
    except (IndexError, ValueError, TypeError):
        return False
    if region.size == a.size or region.shape != v.shape:
        return False
    op = indexing.select_op if integers else indexing.slice_op
    write_region(t, region, (op, {"index": place}), copy_op, value)
    return True


def setitem(t: Tensor, index: Index, value: Any) -> None:
    """``t[index] = value``: through a view for a basic index, else the in-place index_put."""
    if _stored(t, index, value) or _bound(t, index, value):
        return
    parsed, advanced = indexing.parse(index, t.array.shape)
    is_tensor = isinstance(value, Handle)
    if not hasattr(value, "node"):
        if type(value) in COERCE:
            value = COERCE[type(value)](value)
        elif type(value) is int and not -(2**63) <= value < 2**63:
            raise ValueError(errors.message("Overflow when unpacking long long", f"{value}"))
        else:
            value = _of_dtype(value, t, lone_element)
    if advanced and (indexing.integers_apart(parsed) or _part_of_expanded(t, parsed)):
        basic, arrays = indexing.integers_first(parsed)
        setitem(indexing.getitem(t, basic), arrays, value)
        return
    if advanced:
        given = value
        if value.array.dtype != t.array.dtype:
            at = [p for p in parsed if hasattr(p, "dtype")]
            fills = value.array.size == 1 and len(at) == 1 and at[0].dtype == np.bool_
            if is_tensor and not fills:
                raise RuntimeError(
                    errors.message(
                        "Index put requires the source and destination dtypes match, got "
                        f"{type_name(t.array.dtype)} for the destination and "
                        f"{type_name(value.array.dtype)} for the source.",
                        fix="x[index] = value.to(x.dtype)",
                    )
                )
            value = as_element(value, t) if fills else value.to(t.dtype)
        masks = [p.dtype is dtypes.BOOL for p in parsed if hasattr(p, "dtype")]
        if value.array.size == 1 and masks == [True]:
            indexing.refuse_bytes(index)
            value = value.clone()  # one number, read before it is written
        basic = indexing.integers_first(parsed)[0]
        whole = value.array.shape[:1] != (1,) and indexing.is_whole(
            basic if Ellipsis in basic else (*basic, Ellipsis), t.array.shape
        )
        check_overlap(t.array[basic], (value,), "index_put", whole=t if whole else True)
        if value.array.ndim > 1 and value.array.shape[0] == 1:  # numpy's masks do not drop it
            first = next((d for d, n in enumerate(value.array.shape) if n != 1), value.array.ndim)
            value = value.reshape(value.array.shape[first:])
        try:
            apply_inplace(indexing.index_put_op, t, (value,), {"index": parsed}, apart=True)
        except IndexError:
            parsed = indexing.of_nothing(parsed, t.array.shape)
            apply_inplace(indexing.index_put_op, t, (value,), {"index": parsed}, apart=True)
        if t.node.needs:
            indexing.keep_index(t, index)
        requiring(t, given, name="IndexPutBackward0")
        return
    check_leaf(t, "copy")
    region = t if indexing.is_whole(parsed, t.array.shape) else indexing.getitem(t, index)
    shape = region.array.shape
    if not value.array.ndim and shape:
        fill_(region, value)
        return
    source = expanded(plain_array(value.array), shape)
    if source is None:
        raise errors.ShapeError(
            errors.message(
                f"expand(torch.{value.array.dtype.name}{{{list(value.array.shape)}}}, "
                f"size={list(shape)}): the value does not fit the region it is assigned to",
                f"{errors.describe(t)}{indexing._text(parsed)} is {tuple(shape)}, the value is "
                f"{tuple(value.array.shape)}",
            )
        )
    one = is_region(source, t.array, parsed, region.array)
    if not one:
        check_overlap(region.array, (value,), "copy", whole=True, read=source)
    # numpy and PyTorch drop leading 1s here
    if value.array.ndim > len(shape):
        value = value.reshape(value.array.shape[value.array.ndim - len(shape) :])
    copied_into(region, value, "fill" if one else "copy", apart=True)


def _part_of_expanded(t: Tensor, parsed: tuple[Any, ...]) -> bool:
    """Do integers and slices pick a part of a tensor that shows its elements several times?

    The part may show each of them once, as a row of an expanded row does.
    """
    if type(t.array) is not np.ndarray or not repeats_itself(t.array):
        return False
    basic = indexing.integers_first(parsed)[0]
    whole = basic if Ellipsis in basic else (*basic, Ellipsis)
    return not indexing.is_whole(whole, t.array.shape)


def _of_dtype(
    value: Any, like: Tensor, make: Callable[[AnyNumber, DType], Array] = element
) -> Tensor:
    """Numbers as a Tensor of the dtype of ``like``, on its device."""
    d = like.array.dtype
    number = type(value) in NUMBERS or isinstance(value, complex)
    if not number and not isinstance(value, (int, float, np.generic)):
        raise TypeError(
            errors.message(
                f"can't assign a {type(value).__name__} to a torch.{type_name(d)}Tensor",
                f"the tensor is {errors.describe(like)}",
                fix="torch.tensor(value)",
            )
        )
    array = make(value, d) if number else dtypes.converted(np.asarray(value), d)
    return constant(array, like.node.dev)
