"""Tensors from numbers, nested lists, numpy arrays, and other tensors."""
from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..arrays import dtypes
from ..arrays.dtypes import F32
from ..base.errors import message, warn
from ..engine.operands import COERCE
from ..engine.record import constant
from ..handles.protocols import warn_of_a_number
from ..handles.tensor import Tensor
from ..ops.surface import FUNCTIONS, METHODS
from .finish import export, finish

if TYPE_CHECKING:
    from ..base.types import Array, DeviceLike, DType, DTypeLike, Tree


READ_ONLY = (
    "The given {0} is not writable, and PyTorch does not support non-writable tensors. This means "
    "you can write to the underlying (supposedly non-writable) {1} using the tensor. You may want "
    "to copy the {1} to protect its data or make it writable before converting it to a tensor."
)


@export
def tensor(
    data: Any,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor with a copy of ``data``: a number, nested lists, a numpy array, or a tensor.

    Python floats give the default dtype (float32), ints int64, bools bool; arrays keep their dtype.
    Raises ValueError for lists of unequal length, TypeError for what is not a number.
    """
    if dtype is None and (array := _alike(data)) is not None:
        return finish(array, device, requires_grad)
    if isinstance(data, Tensor):
        warn_of_a_copy("torch.tensor(sourceTensor)")
    return copied(data, dtype, device, requires_grad, pin_memory)


def new_tensor(self: Tensor, data: Any, **options: Any) -> Tensor:
    """tensor() in this tensor's dtype and device, unless ``options`` name others."""
    if isinstance(data, Tensor):
        warn_of_a_copy("tensor.new_tensor(sourceTensor)")
    return copied(data, **{"dtype": self.dtype, "device": self.device, **options})


METHODS["new_tensor"] = new_tensor


def copied(
    data: Any, dtype: DTypeLike | None, device: DeviceLike | None, requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """``tensor``, which says nothing where ``data`` is a tensor."""
    if isinstance(data, Tensor) and data.device.type != "cpu":
        t = data.detach().to(dtype=dtype, device=device, copy=True)
        return t.requires_grad_() if requires_grad else t
    return finish(np.array(_array(data, dtype), copy=True), device, requires_grad)


def warn_of_a_copy(call: str) -> None:
    """Of a constructor that is given a tensor: what it makes knows nothing of its graph."""
    warn(
        "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() "
        f"or sourceTensor.detach().clone().requires_grad_(True), rather than {call}."
    )


@export
def as_tensor(
    data: Any, dtype: DTypeLike | None = None, device: DeviceLike | None = None
) -> Tensor:
    """As ``tensor``, but without a copy where no conversion is needed.

    A tensor is then returned as it is, and the memory of a numpy array is shared.
    """
    if isinstance(data, Tensor):
        return data.to(dtype=dtype, device=device)
    array = _array(data, dtype)
    if not array.flags.writeable:
        warn(READ_ONLY.format("NumPy array", "array"))
    return finish(array, device, False)


@export
def asarray(
    obj: Any,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    copy: bool | None = None,
    requires_grad: bool | None = None,
) -> Tensor:
    """As ``as_tensor``, which gives a tensor back as it is; ``copy=True`` copies, False never.

    ``requires_grad=False`` gives a tensor cut from the graph, True lets it require gradient; not
    said, it stays what it is. Raises ValueError where ``copy=False`` and a copy is needed.
    """
    if isinstance(obj, (bytes, bytearray, memoryview)):  # elements of the dtype lie in it
        d = dtypes.FROM_NUMPY[dtypes.default_numpy()] if dtype is None else dtype
        t = FUNCTIONS["frombuffer"](obj, dtype=d).to(device=device)
    else:
        t = as_tensor(obj, dtype, device)
    shares = getattr(obj, "array", obj) is t.array or _same_memory(obj, t)
    if copy is False and not shares:
        what = "arbitrary sequence or convert without a copy"
        if isinstance(obj, Tensor) and obj.dtype is not t.dtype:
            what = f"tensor with dtype {obj.dtype} into dtype {t.dtype}"
        if isinstance(obj, np.generic):
            raise RuntimeError(message("can't alias NumPy scalars. Either remove copy=False or "
                                       "transform it in a ndarray."))
        raise ValueError(message(f"can't alias {what}"))
    if copy and shares:
        t = t.clone()
    if requires_grad is False and t.node.needs:
        return t.detach()  # PyTorch stops the gradient of obj itself, where that is a leaf
    return t.requires_grad_() if requires_grad and not t.node.needs else t


def _same_memory(obj: object, t: Tensor) -> bool:
    """Does a tensor lie in a buffer of Python's, such as a memoryview?"""
    if type(t.array) is not np.ndarray or isinstance(obj, (Tensor, list, tuple)):
        return False
    try:
        memory = np.frombuffer(cast("Any", obj), np.uint8)
    except (TypeError, ValueError, BufferError):  # it has none
        return False
    return np.may_share_memory(memory, t.array)


@export
def from_numpy(ndarray: Array) -> Tensor:
    """A tensor on the memory of a numpy array."""
    if not isinstance(ndarray, np.ndarray):
        what = f"expected np.ndarray (got {type(ndarray).__name__})"
        raise TypeError(message(what, fix="torch.tensor(data)"))
    if ndarray.dtype is not F32:  # which needs no look into the table
        dtypes.of(ndarray)
    if not ndarray.flags.carray:  # contiguous and writable
        _check_strides(ndarray)
        if not ndarray.flags.writeable:
            warn(READ_ONLY.format("NumPy array", "array"))
    return constant(ndarray)


def _check_strides(array: Array) -> None:
    if min(array.strides, default=0) < 0:
        raise ValueError(
            message(
                "At least one stride in the given numpy array is negative, and tensors with "
                "negative strides are not currently supported. (You can probably work around this "
                "by making a copy of your array with array.copy().)"
            )
        )
    if any(step % array.itemsize for step in array.strides):
        raise ValueError(
            message(
                "given numpy array strides not a multiple of the element byte size. Copy the numpy "
                "array to reallocate the memory."
            )
        )


# ---- numbers and nested lists --------------------------------------------------------------------
def _alike(data: Tree) -> Array | None:
    """The array of a float or int, of a list of such, or of a list of such lists: the common case.

    None for anything else.
    """
    kinds = {*map(type, data)} if type(data) is list else {type(data)}
    if kinds == LISTS:
        kinds = {*map(type, chain.from_iterable(data))}
    if kinds != FLOATS and kinds != INTS:
        return None
    try:
        array = np.array(data)
    except ValueError:  # lists of unequal lengths
        return None
    if kinds == INTS:  # of one beyond 64 bits, numpy makes floats
        return array if array.dtype is dtypes.I64 else None
    d = dtypes.default_numpy()
    return array.astype(d, copy=False) if d.itemsize > 2 else None


def _array(data: Any, dtype: DTypeLike | None) -> Array:
    """``data`` as an array of the dtype asked for, or of the one that PyTorch infers."""
    target = None if dtype is None else dtypes.as_numpy(dtype)
    if isinstance(data, Tensor):
        array = data.array
    elif isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
        _check_strides(array)
        if array.dtype.kind in "OSUMm":  # of which numpy would make numbers
            raise dtypes.unsupported(array.dtype)
    else:
        array = _from_lists(data, target)
        if target is not None and array.dtype.kind == "c" and target.kind in "fViu":
            what = "must be real number, not complex"
            raise TypeError(message(what, f"tensor({data!r})"[:120], fix="dtype=torch.complex64"))
        if target is not None and not _all_fit(array, target):
            raise RuntimeError(
                message(
                    f"value cannot be converted to type {target.name} without overflow",
                    f"tensor({data!r})"[:120],
                )
            )
        if target is None and array.dtype.kind in "fc" and array.size:
            target = _inferred(data)
            if target.kind in "iu":  # numpy reads integers beyond 64 bits as floats
                raise _overflow()
    if target is not None and array.dtype != target:
        array = dtypes.converted(array, target)
    dtypes.of(array)
    return array


def _all_fit(array: Array, d: DType) -> bool:
    """Do the elements fit in an integer type? (In a floating one, large ones become infinity.)"""
    if d.kind not in "iu" or not array.size:
        return True
    return dtypes.fits(array.min(), d) and dtypes.fits(array.max(), d)


def _from_lists(data: Any, target: DType | None) -> Array:
    _check_lists(data, 0, target)
    plain = _plain(data, target is not None and target.kind in "iub")
    try:
        array = np.asarray(plain)
    except ValueError:  # an array beside a list that is less deep
        what = "expected a sequence of equal depth"
        raise TypeError(message(what, f"tensor({data!r})"[:120])) from None
    if not array.size and array.dtype in (np.float64, object):
        of_arrays = isinstance(next(iter(data), None), np.ndarray)  # which have a dtype
        return array if of_arrays else array.astype(dtypes.default_numpy())
    beyond = array.dtype.kind == "u" and array.dtype.itemsize == 8  # integers above int64
    if array.dtype.kind == "f" and target is not None and target.kind in "iu":
        beyond = bool(np.isfinite(array).all() and np.abs(array).max() >= 2**53)  # not exact
    if array.dtype.kind in "biufc" and not beyond:
        return array
    flat = np.asarray(plain, object)
    if bad := [v for v in flat.flat if not isinstance(v, ANY_NUMBER)]:
        raise _no_number(data, bad[0], target)
    try:
        return flat.astype(WIDEST[(target or _inferred(data)).kind])
    except OverflowError:
        raise _overflow() from None


SEQUENCES = (list, tuple, range, deque)
ANY_NUMBER = (int, float, complex, np.number, np.bool_)
# kind of a dtype -> what holds Python's integers for it, of any size where it rounds
WIDEST = {"b": np.bool_, "i": np.int64, "u": np.uint64, "f": np.float64, "V": np.float64,
          "c": np.complex128}  # fmt: skip


def _no_number(data: Any, bad: object, target: DType | None) -> Exception:
    """PyTorch's error for data with ``bad`` in it: with a dtype there is none to infer."""
    given, kind, fix = f"found in tensor({data!r})"[:120], type(bad).__name__, _mend(data, bad)
    if isinstance(data, str) or (isinstance(bad, str) and isinstance(_first(data), str)):
        if data is not bad:
            return ValueError(message("too many dimensions 'str'", given, fix=fix))
        return TypeError(message(f"new(): invalid data type '{kind}'", given, fix=fix))
    if target is not None:
        what = f"must be real number, not {kind}"
        if target.kind in "iub":
            what = f"'{kind}' object cannot be interpreted as an integer"
        return TypeError(message(what, given, fix=fix))
    if isinstance(bad, (str, bytes)):
        return TypeError(message(f"new(): invalid data type '{kind}'", given, fix=fix))
    return RuntimeError(message(f"Could not infer dtype of {kind}", given, fix=fix))


def _mend(data: Any, bad: object, fix: str = "tensors hold numbers") -> str:
    """``fix``, or what else to do about ``bad`` in ``data``: gymnasium's reset() gives a pair."""
    if isinstance(data, tuple) and isinstance(bad, dict):
        return "take the first of the two: observation, info = env.reset()"
    return fix


def _first(data: object) -> object:
    while isinstance(data, SEQUENCES) and data:
        data = data[0]
    return data


def _overflow() -> ValueError:
    return ValueError(
        message("Overflow when unpacking long long", "an integer does not fit in 64 bits")
    )


def _plain(data: Any, whole: bool) -> Any:
    """Nested lists in which numbers stand for tensors and Scalars.

    ``whole``: for a tensor of whole numbers. TypeError then for a floating tensor in a list.
    """
    if isinstance(data, SEQUENCES):
        return [_plain(v, whole) for v in data]
    if isinstance(data, Tensor):  # in a list, that is: it stands for its one number
        if data.array.size != 1:
            raise ValueError(
                message(
                    "only one element tensors can be converted to Python scalars",
                    f"a list has {data.array.size} elements in one place",
                    fix="torch.stack(list)",
                )
            )
        if whole:
            operator.index(data)
        warn_of_a_number(data)
        if data.device.type != "cpu" or data.array.dtype.kind == "V":
            return data.item()
        return data.array.reshape(())
    if type(data) in COERCE:
        return float(data)
    return data


FLOATS, INTS, LISTS = {float}, {int}, {list}
PLAIN: dict[type, Callable[[], DType]] = {
    bool: lambda: dtypes.BOOL, int: lambda: dtypes.I64, float: dtypes.default_numpy,
    complex: lambda: dtypes.complex_type(dtypes.default_numpy()),
}  # fmt: skip


def _inferred(data: Tree) -> DType:
    """The dtype of nested lists of numbers: Python's floats, and Scalars, are of the default one.
    """
    found: set[DType] = set()
    _gather(data, found)
    return dtypes.promote([(d, 2) for d in found])


def _gather(data: Tree, found: set[DType]) -> None:
    if isinstance(data, SEQUENCES):
        kinds = set(map(type, data))
        if kinds <= PLAIN.keys():
            found.update([PLAIN[k]() for k in kinds])
        else:
            for v in data:
                _gather(v, found)
    elif type(data) in COERCE:
        found.add(dtypes.default_numpy())
    else:
        d = getattr(getattr(data, "array", data), "dtype", None)
        kind = next((k for k in PLAIN if isinstance(data, k)), float)
        found.add(PLAIN[kind]() if d is None else d)


def _nested(v: object) -> bool:
    return isinstance(v, SEQUENCES) or (isinstance(v, np.ndarray) and v.ndim > 0)


def _has_dtype(v: object) -> bool:
    return isinstance(v, (*ANY_NUMBER, np.ndarray, Tensor)) or type(v) in COERCE


def _check_lists(data: Any, dim: int, target: DType | None) -> None:
    """Raise PyTorch's error for lists of unequal lengths, or of unequal depth."""
    if not _nested(data) or (isinstance(data, np.ndarray) and data.dtype != object):
        return  # an array of numbers needs no look at its elements
    kinds = set(map(type, data))
    if kinds <= PLAIN.keys():
        return
    sized = (dict, set) if target is not None and _nested(data[0]) else ()  # as PyTorch's have
    lengths = [len(v) if _nested(v) or isinstance(v, sized) else None for v in data]
    for v, n in zip(data, lengths, strict=True):
        if n != lengths[0] and (n is None or lengths[0] is None):
            if bad := [x for x in (v, data[0]) if not _nested(x) and not _has_dtype(x)]:
                # PyTorch asks for a dtype, where none is given, before it asks for sizes
                raise _no_number(data, bad[0], target)
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
                    fix=_mend(data, v, "every row needs the same length"),
                )
            )
    if lengths and lengths[0] is not None and not isinstance(data, np.ndarray):
        if np.ndarray in kinds:
            if lengths[0]:
                warn(
                    "Creating a tensor from a list of numpy.ndarrays is extremely slow in PyTorch. "
                    "Please consider converting the list to a single numpy.ndarray with "
                    "numpy.array() before converting to a tensor."
                )
            shapes = {v.shape if isinstance(v, np.ndarray) else None for v in data}
            data = data if len(shapes) == 1 else [list(v) for v in data]
        for v in data:
            _check_lists(v, dim + 1, target)
