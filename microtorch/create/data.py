"""Tensors from numbers, nested lists, numpy arrays, and other tensors."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import dtypes
from ..base.errors import message
from ..engine.operands import COERCE
from ..engine.record import constant
from ..handles.tensor import Tensor
from ..ops.arguments import shape_of
from .finish import export, finish


# ---- from data -----------------------------------------------------------------------------------
@export
def tensor(
    data: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor with a copy of ``data``: a number, nested lists, a numpy array, or a tensor.

    Python floats give the default dtype (float32), ints int64, bools bool; arrays keep their dtype.
    Raises ValueError for lists of unequal length, TypeError for what is not a number.
    """
    if isinstance(data, Tensor) and data.device.type != "cpu":
        t = data.detach().to(dtype=dtype, device=device, copy=True)
        return t.requires_grad_() if requires_grad else t
    return finish(np.array(_array(data, dtype), copy=True), device, requires_grad)


@export
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """As ``tensor``, but shares the memory of a numpy array, and returns a tensor itself, where no
    conversion is needed.
    """
    if isinstance(data, Tensor):
        return data.to(dtype=dtype, device=device)
    return finish(_array(data, dtype), device, False)


asarray = export(as_tensor, "asarray")


@export
def from_numpy(ndarray: Any) -> Tensor:
    """A tensor on the memory of a numpy array."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    dtypes.of(ndarray)
    return constant(ndarray)


def _array(data: Any, dtype: Any) -> Any:
    """``data`` as an array of the dtype asked for, or of the one PyTorch infers."""
    target = None if dtype is None else dtypes.as_numpy(dtype)
    if isinstance(data, Tensor):
        array = data.array
    elif isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
    else:
        array = _from_lists(data)
        if target is None and array.dtype == np.float64 and not _has_float64(data):
            target = dtypes.default_numpy()
    if target is not None and array.dtype != target:
        array = array.astype(target)
    dtypes.of(array)
    return array


def _from_lists(data: Any) -> Any:
    _check_lists(data, 0)
    plain = _plain(data)
    try:
        array = np.asarray(plain)
    except OverflowError:
        raise ValueError(
            message("Overflow when unpacking long long", "an integer does not fit in 64 bits")
        ) from None
    if array.dtype.kind not in "biuf":
        if not array.size and array.dtype == object:
            return array.astype(dtypes.default_numpy())
        if array.dtype.kind == "O" and any(
            isinstance(v, int) and not isinstance(v, bool) for v in array.flat
        ):
            raise ValueError(
                message("Overflow when unpacking long long", "an integer does not fit in 64 bits")
            )
        bad = next(
            (
                v
                for v in np.asarray(plain, object).flat
                if not isinstance(v, (int, float, bool, np.number))
            ),
            data,
        )
        what = "string" if isinstance(bad, str) else type(bad).__name__
        if isinstance(data, str):
            raise TypeError(
                message(
                    "new(): invalid data type 'str'",
                    f"tensor({data!r})"[:120],
                    fix="tensors hold numbers",
                )
            )
        if isinstance(bad, str):
            raise ValueError(
                message(
                    "too many dimensions 'str'",
                    f"tensor({data!r})"[:120],
                    fix="tensors hold numbers",
                )
            )
        raise RuntimeError(
            message(f"Could not infer dtype of {what}", f"found in tensor({data!r})"[:120])
        )
    return (
        array.astype(dtypes.default_numpy())
        if not array.size and array.dtype == np.float64
        else array
    )


def _plain(data: Any) -> Any:
    """Nested lists with tensors and Scalars inside replaced by their numbers."""
    if isinstance(data, (list, tuple)):
        return [_plain(v) for v in data]
    if isinstance(data, Tensor):
        return data.array if data.device.type == "cpu" else data.tolist()
    if type(data) in COERCE:
        return float(data)
    return data


def _has_float64(data: Any) -> bool:
    """Does the data contain a float64 that is not a plain Python float (which is only of the
    default dtype)?
    """
    if isinstance(data, (list, tuple)):
        return any(_has_float64(v) for v in data[:1])
    return (
        type(data) not in COERCE
        and getattr(getattr(data, "array", data), "dtype", None) == np.float64
    )


def _check_lists(data: Any, dim: int) -> int | None:
    """Raise PyTorch's ValueError for ragged nesting; returns the length here."""
    if not isinstance(data, (list, tuple)):
        return None
    lengths = [len(v) if isinstance(v, (list, tuple)) else None for v in data]
    for v, n in zip(data, lengths, strict=True):
        if n != lengths[0] and (n is None or lengths[0] is None):
            raise TypeError(
                message(
                    f"expected a sequence of equal depth at dim {dim + 1}, but got "
                    f"{type(v).__name__}",
                    f"tensor({data!r})"[:120],
                )
            )
        if n != lengths[0]:
            raise ValueError(
                message(
                    f"expected sequence of length {lengths[0]} at dim {dim + 1} (got {n})",
                    f"tensor({data!r})"[:120],
                    fix="every row needs the same length",
                )
            )
    if lengths and lengths[0] is not None:
        for v in data:
            _check_lists(v, dim + 1)
    return len(data)


class LegacyType:
    """``torch.FloatTensor`` and its like:

    PyTorch's old constructors, of data or of sizes; ``isinstance`` works, too.
    """

    def __init__(self, kind: str, d: Any):
        self.__name__, self.dtype = f"{kind}Tensor", d

    def __call__(self, *data: Any) -> Tensor:
        if len(data) == 1 and not isinstance(data[0], int):
            return tensor(data[0], dtype=self.dtype)
        return constant(np.empty(shape_of(data, self.__name__) if data else (0,), self.dtype.numpy))

    def __instancecheck__(self, x: Any) -> bool:
        return isinstance(x, Tensor) and x.dtype is self.dtype

    def __repr__(self) -> str:
        return f"<class 'torch.{self.__name__}'>"


for _name, _kind in dtypes.TORCH_TYPES.items():
    export(LegacyType(_kind, dtypes.FROM_NUMPY[np.dtype(_name)]), f"{_kind}Tensor")
