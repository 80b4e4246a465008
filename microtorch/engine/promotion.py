"""The dtype in which an op computes: PyTorch's promotion of its operands.

The rules: https://pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from ..arrays import dtypes
from ..graph import mode, storage_of
from .record import check_whole, constant_of
from .registry import REGISTRY
from .short import single

if TYPE_CHECKING:
    from ..base.types import DType
    from ..handles.tensor import Tensor
    from .op import Op


# x * 0.1 of 16-bit x is rounded once, and 0.1 is not, whether it is a number or one in a tensor
EXACT = frozenset({"mul", "div", "floor_divide", "div_floor", "div_trunc"})


def promoted(op: Op, tensors: Sequence[Tensor]) -> tuple[Sequence[Tensor], DType | None]:
    """The operands in the dtype that ``op`` computes in, and the dtype of its result.

    The casts are visible ops, which carry gradients back. None as the result's dtype: whatever the
    kernel returns.
    """
    if op.result == "keep":
        return tensors, None
    if op.check is not None:
        op.check(op, tensors)
    given = [dtype_of(t) for t in tensors]
    target = _common(op, tensors, given)
    out = []
    for i, t in enumerate(tensors):
        d = given[i]
        if i >= op.unpromoted and d is not target and d != target:
            source = t.node
            if not op.differentiable or not source.needs:  # then nobody sees the cast
                dev = source.dev.of(target)
                exact = i == 1 and dev.halves and op.name in EXACT and not t.array.ndim
                kept = dtypes.F32 if exact else target
                array = REGISTRY["cast"].kernels[source.dev](t.array, dtype=kept)
                t = constant_of(array, dev)
                if op.differentiable:
                    t.node.storage = storage_of(source)
                out.append(t)
                continue
            if source.needs and target.kind not in "fcV" and mode.get().grad:
                check_whole(op, (source,))
            t = single(REGISTRY["cast"], t, {"dtype": target})
            # what is saved is the operand itself, in PyTorch: a write to it is a write to this
            t.node.storage = storage_of(source)
        out.append(t)
    # of complex numbers, some results are real
    return out, target if op.result in ("same", "float") and target.kind != "c" else None


def dtype_of(t: Tensor) -> DType:
    """The dtype that ``t`` counts as: of an exact number, that of the tensor beside it."""
    d, dev = t.array.dtype, t.node.dev
    return dev.dtype if d is dtypes.F32 and dev.halves else d


_promote = lru_cache(1024)(dtypes.promote)


def common_dtype(op: Op, tensors: Sequence[Tensor]) -> DType:
    """The dtype in which ``op`` computes on these operands."""
    return _common(op, tensors, [dtype_of(t) for t in tensors])


def _common(op: Op, tensors: Sequence[Tensor], given: Sequence[DType]) -> DType:
    first = op.unpromoted
    target = given[first]
    for d in given[first:] if first else given:
        if d is not target and d != target:
            if op.result == "match":
                raise op.explain(op, tensors, {}, TypeError("dtypes differ"))
            pairs = [(d, 2 if tensors[i].array.ndim else 1) for i, d in enumerate(given)]
            target = _promote(tuple(pairs[first:]))
            break
    if op.result == "float" and target.kind not in "fcV":
        return dtypes.default_numpy()
    return target
