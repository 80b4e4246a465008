"""What all functions that make tensors share: how they are exported, and their options."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..arrays import dtypes
from ..backends import home
from ..engine.record import constant
from ..ops.surface import FUNCTIONS

if TYPE_CHECKING:
    from ..base.types import Array, DeviceLike, DType, DTypeLike
    from ..handles.tensor import Tensor

F = TypeVar("F", bound=Callable[..., Any])


def export(f: F, name: str = "") -> F:
    """Export a function as ``microtorch.<name>``; a decorator, too."""
    FUNCTIONS[name or f.__name__] = f
    return f


def chosen(dtype: DTypeLike | None, otherwise: DType | None = None) -> DType:
    """numpy's dtype for the ``dtype`` a user gave; for None, ``otherwise`` or the default one."""
    if dtype is not None:
        return dtypes.as_numpy(dtype)
    return dtypes.default_numpy() if otherwise is None else otherwise


def finish(array: Array, device: DeviceLike | None, requires_grad: bool) -> Tensor:
    """The tensor on an array, which is copied if it does not lie in the device's memory."""
    t = constant(array, home(device, array.dtype))
    return t.requires_grad_() if requires_grad else t
