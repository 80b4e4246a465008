"""Tensors made with strides of the caller's choice, and two older ways to make tensors."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.dtypes import get_default_dtype
from ..base.errors import message, warn
from ..engine.argument_types import check_type
from ..ops.arguments import shape_of
from ..ops.surface import METHODS
from .counted import arange
from .data import tensor
from .finish import chosen, export, finish

if TYPE_CHECKING:
    from ..base.types import DeviceLike, DTypeLike, Number
    from ..handles.tensor import Tensor


@export
def empty_strided(
    size: Sequence[int],
    stride: Sequence[int],
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of ``size`` whose dimensions step through memory by ``stride``, in elements.

    Its elements are whatever the memory held.
    """
    shape, steps = shape_of((size,), "empty_strided"), shape_of((stride,), "empty_strided")
    if len(shape) != len(steps):
        raise RuntimeError(
            message(
                f"mismatch in length of strides and shape. Got {len(shape)} sizes and "
                f"{len(steps)} strides"
            )
        )
    if any(n < 0 for n in (*shape, *steps)):
        raise RuntimeError(
            message(f"negative sizes and strides are not possible: {list(shape)}, {list(steps)}")
        )
    d = chosen(dtype)
    last = sum((n - 1) * s for n, s in zip(shape, steps, strict=True)) if 0 not in shape else -1
    memory = np.empty(last + 1, d)
    array: np.ndarray[Any, Any] = np.ndarray(shape, d, memory, 0, [s * d.itemsize for s in steps])
    return finish(array, device, requires_grad)


@export
def empty_permuted(
    size: Sequence[int],
    physical_layout: Sequence[int],
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of ``size``, dense in memory, its dimensions in the order ``physical_layout``."""
    shape, order = shape_of((size,), "empty_permuted"), list(physical_layout)
    if len(order) != len(shape):
        raise RuntimeError(
            message(
                "Number of dimensions in size does not match the length of the physical_layout; "
                f"i.e. len(size) = {len(shape)} is not equal to len(physical_layout) = "
                f"{len(order)}"
            )
        )
    for dim in order:
        if not 0 <= dim < len(shape):
            raise RuntimeError(
                message(
                    f"Dimension out of range (expected to be between 0 and {len(shape) - 1}, but "
                    f"got {dim} at index {order.index(dim)}). NB: negative dims not currently "
                    "supported"
                )
            )
        if order.count(dim) > 1:
            raise RuntimeError(message(f"Duplicate dim not allowed: {order}"))
    steps, step = [0] * len(shape), 1
    for dim in reversed(order):
        steps[dim], step = step, step * max(shape[dim], 1)
    return empty_strided(
        shape, steps, dtype=dtype, device=device, requires_grad=requires_grad
    )


def new_empty_strided(
    self: Tensor, size: Sequence[int], stride: Sequence[int], **options: Any
) -> Tensor:
    """empty_strided() in this tensor's dtype and device, unless ``options`` name others."""
    return empty_strided(size, stride, **{"dtype": self.dtype, "device": self.device, **options})


METHODS["new_empty_strided"] = new_empty_strided


@export
def scalar_tensor(
    s: Tensor | Number,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of 0 dimensions, of the default dtype unless given."""
    check_type("scalar_tensor", "s", "Number", s)
    value = s.item() if hasattr(s, "item") else s
    return tensor(
        value, dtype=dtype or get_default_dtype(), device=device, requires_grad=requires_grad
    )


@export
def range(
    start: Tensor | Number = 0,
    end: Tensor | Number | None = None,
    step: Tensor | Number = 1,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """start, start + step, ... up to and with ``end``, of the default dtype. Deprecated."""
    warn(
        "torch.range is deprecated and will be removed in a future release because its behavior "
        "is inconsistent with Python's range builtin. Instead, use torch.arange, which produces "
        "values in [start, end).",
    )
    if end is None:
        start, end = 0, start
    start, end, step = (v.item() if hasattr(v, "item") else v for v in (start, end, step))
    d = chosen(dtype)
    count = int((end - start) / step) + 1
    if step == 0 or count < 1:
        arange(start, end, step)  # raises, and says what is wrong
    values = start + np.arange(max(count, 0)) * step
    return finish(values.astype(d), device, requires_grad)
