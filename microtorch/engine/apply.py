"""How an op runs."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..arrays.quiet import unlooking
from ..base import errors
from . import autocast
from .handle import NotDense, Unmet
from .operands import as_tensors
from .promotion import promoted
from .record import record
from .views import link_view

if TYPE_CHECKING:
    from ..base.types import Array, Attrs, Backend, DType
    from ..handles.tensor import Tensor
    from .op import Op


def apply(op: Op, inputs: Sequence[Any], attrs: Attrs | None = None) -> Tensor:
    """Run ``op`` on Tensors, or on what may stand for one; record it if a gradient flows."""
    try:
        tensors = as_tensors(op, inputs)
        if op.name in autocast.OPS:
            tensors = autocast.operands(tensors, op.name)
        if op.family is not None:  # an op of any number of inputs: its declaration for so many
            op = op.family(len(tensors))
        elif op.of_masks is not None:
            op = op.of_masks(op, tensors)
        tensors, target = promoted(op, tensors)
        dev = tensors[op.unpromoted].node.dev
        for x in tensors:
            if x.node.dev.device is not dev.device:
                tensors, dev = brought_together(op, tensors, attrs)
                break
    except NotDense as met:
        return cast("Tensor", met.tensor.in_op(op, inputs, attrs or {}))
    try:
        out = compute(op, dev, tensors, attrs, target)
    except Unmet:  # an attribute, such as an index, is of another kind of numbers
        tensors, dev = brought_together(op, tensors, attrs)
        out = compute(op, dev, tensors, attrs, target)
    t = record(op, tensors, out, dev.of(out.dtype), attrs)
    if op.view:
        link_view(t, tensors[0], op, attrs)
    return t


# how operands of several kinds of numbers become those of one (kinds/level.py, once imported)
meeting: list[Callable[[Op, Sequence[Tensor], Attrs | None], Sequence[Tensor] | None]] = []


def brought_together(
    op: Op, tensors: Sequence[Tensor], attrs: Attrs | None
) -> tuple[Sequence[Tensor], Backend]:
    """Operands that differ in device, or in kind, and the backend that computes with them all."""
    for meet in meeting:
        tensors = meet(op, tensors, attrs) or tensors
    highest = max(tensors, key=lambda x: _levels(x.array))
    if _levels(highest.array):
        return tensors, highest.node.dev
    return tensors, common_device(op, tensors)


def _levels(array: Array) -> int:
    """How many kinds of numbers an array is made of, one in the other."""
    value: Array | None = getattr(array, "value", None)
    return 0 if value is None else 1 + _levels(value)


def common_device(op: Op, tensors: Sequence[Tensor]) -> Backend:
    """The backend of the operands. Raises DeviceError if they lie on different devices."""
    dev = tensors[0].node.dev
    for x in tensors:
        if x.node.dev.device is not dev.device:
            places = [f"{errors.describe(t)} on {t.node.dev.device}" for t in tensors]
            raise errors.DeviceError(
                errors.message(
                    "Expected all tensors to be on the same device, but found at least two devices",
                    f"{op.name}: {', '.join(places)}",
                    fix="move one with .to(device) or .cpu()",
                )
            )
    return dev


def compute(
    op: Op, dev: Backend, tensors: Sequence[Tensor], attrs: Attrs | None, target: DType | None
) -> Array:
    """The kernel of ``op`` on the operands' arrays; the result is of dtype ``target`` if given."""
    try:
        if attrs is None:
            out = op.kernels[dev](*[x.array for x in tensors])
        else:
            out = op.kernels[dev](*[x.array for x in tensors], **attrs)
        if type(out) is not np.ndarray:
            out = dev.array(out)
        if target is not None and out.dtype != target:
            out = out.astype(target)  # numpy widens small types in a few ufuncs; PyTorch never does
    except Unmet:
        raise
    except RuntimeWarning:  # see arrays/quiet.py
        return unlooking(compute, op, dev, tensors, attrs, target)
    except errors.FAILED as e:
        raise op.explain(op, tensors, attrs or {}, e) from None
    return out
