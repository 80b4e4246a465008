"""The memory below a tensor, in a row: ``x.storage()`` and ``x.untyped_storage()``.

Lessons on strides show with it that ``x``, ``x.t()`` and ``x[1]`` are one block of memory, seen in
several ways. PyTorch's ``torch.storage``.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import dtypes
from ..base import errors
from ..engine.record import constant
from ..graph import storage_of
from .memory import owner, unlocked
from .methods import bind_methods

if TYPE_CHECKING:
    from ..arrays.device import device
    from ..base.types import Array, Number
    from .tensor import Tensor


class UntypedStorage:
    """The bytes of a tensor's memory, all of them, in the order in which they lie there."""

    __slots__ = ("_row", "_tensor")

    def __init__(self, tensor: Tensor, array: Array) -> None:
        self._tensor, self._row = tensor, constant(array)
        self._row.node.storage = storage_of(tensor.node)

    @property
    def device(self) -> device:
        return self._tensor.device

    def __len__(self) -> int:
        return self._row.array.size

    def size(self) -> int:
        return self._row.array.size

    def nbytes(self) -> int:
        return int(self._row.array.nbytes)

    def element_size(self) -> int:
        return self._row.element_size()

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + self.nbytes()

    def data_ptr(self) -> int:
        return self._row.data_ptr()

    def __getitem__(self, index: int) -> Number:
        return self._row[index].item()

    def __setitem__(self, index: int | slice, value: Number) -> None:
        self._row[index] = value

    def fill_(self, value: Number) -> UntypedStorage:
        """Give all of them one value."""
        self[:] = value
        return self

    def __iter__(self) -> Iterator[Number]:
        return iter(self.tolist())

    def tolist(self) -> list[Number]:
        return self._row.tolist()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.data_ptr() == other.data_ptr()

    __hash__ = object.__hash__

    def _about(self) -> str:
        return f"device={self.device}"

    def __repr__(self) -> str:
        about = f"torch.storage.{type(self).__name__}({self._about()})"
        return " " + "\n ".join(map(str, self)) + f"\n[{about} of size {len(self)}]"


class TypedStorage(UntypedStorage):
    """The elements that a tensor's memory has room for, as numbers of the tensor's dtype."""

    __slots__ = ()

    @property
    def dtype(self) -> dtypes.dtype:
        return self._tensor.dtype

    def type(self) -> str:
        """PyTorch's older name of it: ``"torch.FloatStorage"``."""
        return self._tensor.type().replace("Tensor", "Storage")

    def untyped(self) -> UntypedStorage:
        return untyped_storage(self._tensor)

    def __getitem__(self, index: int) -> Number:
        if isinstance(index, slice):
            raise RuntimeError(
                errors.message(
                    "slices are only supported in UntypedStorage.__getitem__",
                    fix="x.storage().tolist()[1:3]",
                )
            )
        return super().__getitem__(index)

    def _about(self) -> str:
        return f"dtype={self.dtype}, {super()._about()}"


def _row(x: Tensor) -> Array:
    """The memory that ``x`` looks at, as one row."""
    array = x.array
    if type(array) is not np.ndarray:
        raise NotImplementedError(
            errors.message(
                f"storage() shows memory of the CPU, and this tensor is on {x.device}",
                fix="x.cpu().storage(), which is a copy",
            )
        )
    whole = owner(array)
    if not whole.flags.forc or whole.dtype != array.dtype:
        whole = array  # lent by another library in a form of its own
    row = unlocked(whole.reshape(-1, order="A" if whole.flags.forc else "C"))
    return row.view(array.dtype)  # numpy's interface does not know bfloat16


def storage(self: Tensor) -> TypedStorage:
    """The memory of this tensor, in a row, which views of it share."""
    return TypedStorage(self, _row(self))


def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory of this tensor, as bytes."""
    return UntypedStorage(self, _row(self).view(np.uint8))


bind_methods({f.__name__: f for f in (storage, untyped_storage)})
