"""Two operands that are not floats of one dtype, before they go the general way.

What hot.py hands on is mostly this: whole numbers, or whole numbers beside floats (``a + b``,
``step * 0.5``), of which no gradient is asked. That they need no promotion, or which one, is plain;
everything else is for ``apply``.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy import ndarray

from ..arrays.dtypes import F32, F64
from ..backends import cpu
from ..backends.table import HotTable
from ..base.naming import named
from .record import constant_of, note_order

if TYPE_CHECKING:
    from ..base.types import Argument, Array, Backend
    from ..graph import Node
    from ..handles.tensor import Tensor
    from .op import Op

WHOLE = frozenset(map(np.dtype, ("uint8", "int8", "int16", "int32", "int64")))


def unlike(op: Op, written: Callable[..., Tensor], numbers: bool) -> Callable[..., Tensor]:
    """``written``, which first tries whole numbers of one dtype, or int64 ones and an int, and
    whole numbers beside floats.

    ``pow``, which looks at its exponent, is returned as it is.
    """
    kernels, kinds = op.kernels, getattr(op.check, "kinds", "" if op.check else "buif")
    whole = op.result == "same" and "i" in kinds and "u" in kinds
    if op.name == "pow" or op.of_masks is not None or op.result not in ("same", "float"):
        return written

    def method(input: Argument, other: Argument) -> Tensor:
        try:
            x, a = input.array, input.node
            if HotTable.aside or a.needs:
                return written(input, other)
            if numbers and type(other) is int and -1 << 62 < other < 1 << 62:
                y, b = np.array(other), a
            else:
                y, b = other.array, other.node
            d = x.dtype
            if not whole or d is not y.dtype or d not in WHOLE or not a.dev is b.dev is cpu:
                made = with_floats(op, kinds, x, a.dev, y, b)
                return written(input, other) if made is None else made
            if b.needs:
                return written(input, other)
            value = kernels[cpu](x, y)
        except (
            AttributeError, MemoryError, RuntimeError, RuntimeWarning, ValueError
        ):  # fmt: skip
            return written(input, other)  # the general way says why
        if type(value) is not ndarray:
            value = cpu.array(value)
        if value.dtype is not d:
            return written(input, other)
        return note_order(constant_of(value, cpu))

    return named(method, written.__name__)


def with_floats(
    op: Op, kinds: str, x: Array, dev: Backend, y: Array, other: Node
) -> Tensor | None:
    """The op on whole numbers, or masks, and floats: in the dtype of these, whatever the shapes.

    None for all else. ``dev``: of ``x``; ``other``: the node of ``y``; ``kinds``: of numbers that
    the op takes.
    """
    if other.needs or type(x) is not ndarray or type(y) is not ndarray:
        return None
    first, dev = dev is cpu, other.dev if dev is cpu else dev
    whole, floats, d = x if first else y, y if first else x, dev.dtype
    if floats.dtype is not d or (d is not F32 and d is not F64) or "f" not in kinds:
        return None
    if whole.dtype.kind not in "bui" or whole.dtype.kind not in kinds:
        return None
    whole = cpu.cast(whole, d)
    value = op.kernels[dev](*((whole, y) if first else (x, whole)))
    if type(value) is not ndarray:
        value = dev.array(value)
    return note_order(constant_of(value, dev))
