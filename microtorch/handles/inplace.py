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
from ..backends.core.library import taught
from ..backends.table import LARGE, layouts
from ..base import errors
from ..engine.apply import apply
from ..engine.checks import watch
from ..engine.handle import Handle
from ..engine.op import Op
from ..engine.operands import numbers_of
from ..engine.record import constant, handle, packers
from ..engine.registry import REGISTRY
from ..graph import last_write, mode, storage_of, tick
from ..ops import index as indexing
from ..ops.settled import settled
from . import in_turn
from .overlaps import check_overlap, recorded_array
from .views import lead, rebind, renew_views, without_hooks, write
from .whole import is_whole, recording, requiring

if TYPE_CHECKING:
    from ..base.types import Argument, Array, Attrs, DType
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
carrying: list[Callable[[Tensor, Tensor, str], None]] = []


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
        renewed = before is not target.node
        if renewed:  # what is read of it is what it was
            others = tuple([handle(x.array, before) if x is target else x for x in others])
        given = target
        if 0 in op.saved_inputs and (packers or _of_kinds(target, *others)):
            given = handle(target.array.copy(), target.node)  # hooks, or a level, may keep it
        outcome = apply(op, (given, *others), attrs)  # apart, so that a failure changes nothing
        if not op.differentiable:
            outcome = _flat(op, outcome, target, others)
        _check_outcome(op, outcome, target, others, attrs, name)
    again = outcome.node.needs and mode.get().grad and _keep(outcome.node, target)
    if renewed and 0 in op.saved_inputs:
        lead(outcome.node, 0, lambda: before)
    store(target, outcome, name)
    if again:
        last_write[0] = tick()  # backward has to look, although the node is newer than the write
    if not op.differentiable and not op.name.startswith("logical"):
        return requiring(target, *others, name=f"{op.name.capitalize()}Backward1")
    return target


def written_straight(target: Tensor, operands: Iterable[Any], whole: bool = False) -> bool:
    """Is a write to ``target`` one that nothing is recorded of, and that reads nothing it writes?

    That is the common case, at a third of the time: of numbers, and of tensors that lie in other
    memory than the target, or are (unless ``whole``) the target itself.
    """
    a = target.array
    if type(a) is not ndarray or not a.flags.writeable:
        return False
    grad, memory = mode.get().grad, a if a.base is None else a.base
    if (grad and target.node.needs) or packers:
        return False
    if grad and target.origin is not None and target.origin[0].node.needs:
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


straight: Callable[..., bool] = taught(
    "straight", (Handle, mode.get, packers, written_straight), (), written_straight
)


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


def _over(ufunc: np.ufunc) -> Callable[..., Array]:
    return lambda out, *operands: ufunc(*operands, out)


# ops of whole numbers of one dtype, whose results have it, too
OF_WHOLE = {
    "add": _over(np.add), "sub": _over(np.subtract), "mul": _over(np.multiply),
}  # fmt: skip


def computed_over(
    into: Argument, target: Tensor, others: tuple[Any, ...], attrs: Attrs, op: Op, name: str
) -> bool:
    """Write an op's result straight over its first operand, if that is large; see ``straight``.

    C does it (``into``, if not None), or numpy of whole numbers. Nothing is allocated, and nothing
    is written twice.
    """
    x, dev = target.array, target.node.dev
    if x.nbytes < LARGE:
        return False
    whole = into is None and x.dtype.kind in "iu"
    if whole:
        into = OF_WHOLE.get(op.name)
    if into is None:
        return False
    given = []
    for other in others:
        if type(other) is float or type(other) is int:
            other = numbers_of(op)(other, target)
        if not isinstance(other, Handle) or other.node.dev is not dev:
            return False
        given.append(other.array)
    if whole and any([y.dtype != x.dtype for y in given]):
        return False
    return dated(target, name, into, x, x, *given, **attrs)


def dated(
    target: Tensor, name: str, write: Callable[..., Any], *given: Any, **options: Any
) -> bool:
    """Let ``write`` write into the memory of ``target``; see ``straight``.

    It is False, or raises for operands of a wrong shape or type, if it did not.
    """
    storage = target.node.storage or storage_of(target.node)
    before = storage.date()
    storage.wrote(name)  # before it is done, as in write()
    done = False
    try:
        done = write(*given, **options) is not False
    except (TypeError, ValueError):
        pass
    finally:
        if not done:
            storage.take_back(*before)
    if done and storage.views:
        renew_views(target)
    return done


def _check_outcome(
    op: Op, outcome: Tensor, target: Tensor, others: tuple[Any, ...], attrs: Attrs | None, name: str
) -> None:
    """Raise unless ``outcome`` can be written into ``target``; carry target to its kind of numbers.
    """
    plain = type(recorded_array(target.array)) is np.ndarray
    values = None
    if plain and op is indexing.index_put_op:
        values = in_turn.index_put(target.array, others[0].array, **attrs or {})
    elif plain and (name == "copy" or op.name in layouts):
        values = in_turn.one_after_another(target.array, others, lambda *elements: apply(
            op, [constant(x) if isinstance(x, np.ndarray) else x for x in elements], attrs
        ).array)
    if values is not None:
        outcome.array = outcome.node.value = values
    out = outcome.array
    if type(out) is not np.ndarray:
        for carry in carrying:
            carry(target, outcome, name)
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


def _of_kinds(*operands: Any) -> bool:
    """Are there batches or dual numbers among the operands? Then all become such, as views."""
    return any([hasattr(getattr(x, "array", None), "level") for x in operands])


def _overlaps(saved: Any, array: Array) -> bool:
    return type(saved) is type(array) and np.may_share_memory(saved, array)


def type_name(d: DType) -> str:
    """PyTorch's long name of a dtype: Float, Long ..."""
    return TORCH_TYPES[d.name]


# ---- copies --------------------------------------------------------------------------------------
DISCARDS = "Casting complex values to real discards the imaginary part"
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
