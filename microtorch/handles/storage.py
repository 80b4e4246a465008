"""The memory below a tensor, in a row: ``x.storage()`` and ``x.untyped_storage()``.

Lessons on strides show with it that ``x``, ``x.t()`` and ``x[1]`` are one block of memory, seen in
several ways. PyTorch's ``torch.storage``.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..arrays import dtypes
from ..base import errors
from ..engine.record import constant
from ..graph import storage_of
from .memory import on_cpu, owner, unlocked
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

    @overload
    def __getitem__(self, index: int) -> Number: ...
    @overload
    def __getitem__(self, index: slice) -> UntypedStorage: ...
    def __getitem__(self, index: int | slice) -> Number | UntypedStorage:
        """One byte, or some as a storage of the same memory."""
        if not isinstance(index, slice):
            return self._row[index].item()
        if index.step not in (None, 1):
            what = f"Trying to slice with a step of {index.step}, but only a step of 1 is supported"
            raise RuntimeError(errors.message(what, fix="storage.tolist()[::2]"))
        return UntypedStorage(self._tensor, self._row.array[index])

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

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            raise RuntimeError(
                errors.message(
                    "slices are only supported in UntypedStorage.__getitem__",
                    fix="x.storage().tolist()[1:3]; or x.untyped_storage()[4:12], in bytes",
                )
            )
        return super().__getitem__(index)

    def _about(self) -> str:
        return f"dtype={self.dtype}, {super()._about()}"


def _bytes(x: Tensor) -> Array:
    """The memory that ``x`` looks at, from the first element of its owner to the last."""
    array = on_cpu(x.array)
    if array is None:
        raise NotImplementedError(
            errors.message(
                f"storage() shows memory of the CPU, and this tensor is on {x.device}",
                fix="x.cpu().storage(), which is a copy",
            )
        )
    whole = owner(array)
    size = whole.itemsize
    last = sum((n - 1) * stride for n, stride in zip(whole.shape, whole.strides, strict=True))
    row = as_strided(whole, (last // size + 1 if whole.size else 0,), (size,))
    return unlocked(row).view(np.uint8)


def storage(self: Tensor) -> TypedStorage:
    """The memory of this tensor, in a row, which views of it share.

    As numbers of this tensor's dtype, whatever the dtype of the memory's owner; bytes that remain
    at the end do not count.
    """
    errors.warn(
        "TypedStorage is deprecated. It will be removed in the future: use tensor.untyped_storage()"
        " instead of tensor.storage()"
    )
    row, size = _bytes(self), self.array.itemsize
    return TypedStorage(self, row[: len(row) // size * size].view(self.array.dtype))


def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory of this tensor, as bytes."""
    return UntypedStorage(self, _bytes(self))


bind_methods({f.__name__: f for f in (storage, untyped_storage)})
