"""From a tensor to numbers, arrays, other dtypes and other devices: more methods of a Tensor."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..arrays import dtypes
from ..arrays.device import CPU
from ..arrays.device import device as Device
from ..arrays.dtypes import TORCH_TYPES
from ..arrays.memory_format import contiguous_format, preserve_format
from ..base import errors
from ..base.naming import named
from ..engine.argument_types import check_type, flags
from ..engine.basic_ops import place
from ..engine.handle import Handle
from ..engine.record import constant, note_order
from ..engine.registry import REGISTRY
from ..engine.short import single
from ..graph import mode
from ..ops.arguments import tensors_only
from .inplace import DISCARDS
from .methods import bind_methods

if TYPE_CHECKING:
    from ..arrays.memory_format import memory_format
    from ..base.types import Array, DeviceLike, DType, DTypeLike
    from .tensor import Tensor


# ---- out of the tensor world ---------------------------------------------------------------------
def item(self: Tensor) -> Any:
    """The value of a one-element tensor as a Python number."""
    try:
        return self.array.item()
    except ValueError:  # of another size
        pass
    raise RuntimeError(
        errors.message(
            f"a Tensor with {self.array.size} elements cannot be converted to Scalar",
            errors.describe(self),
            fix=".tolist() for all elements, or reduce first: .mean().item()",
        )
    )


def tolist(self: Tensor) -> Any:
    """The elements as nested lists of Python numbers."""
    return self.array.tolist()


def numpy(self: Tensor, *, force: bool = False) -> Array:
    """The elements as a numpy array on the same memory.

    Of a tensor that requires gradient under ``no_grad`` only, where no write is recorded.
    ``force`` also takes them from a tensor that requires gradient, and from a device.
    """
    if force is not False:
        flags("numpy", force=force)
    if self.requires_grad and not force and mode.get().grad:
        raise RuntimeError(
            errors.message(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() "
                "instead."
            )
        )
    array: Any = self.array
    if type(array) is not np.ndarray:
        if not force:
            array.__array__()  # raises, and says what to do
        array = array.get()
    if array.dtype.kind == "V":
        raise TypeError(
            errors.message(
                "Got unsupported ScalarType BFloat16",
                "numpy has no bfloat16",
                fix="x.float().numpy(), or x.view(torch.int16).numpy() for the bits",
            )
        )
    return array


# ---- copies and conversions ----------------------------------------------------------------------
def clone(input: Tensor, *, memory_format: memory_format | None = None) -> Tensor:
    """A copy in memory of its own; gradient flows through."""
    if memory_format in (None, preserve_format):
        return single(REGISTRY["clone"], input, {})
    order = _order(_format("clone", memory_format))
    return note_order(single(REGISTRY["clone"], input, {"order": order}))


def _order(memory_format: memory_format | None) -> Any:
    rows = memory_format in (None, contiguous_format)
    return "C" if rows else memory_format


def _format(name: str, given: Any) -> memory_format:
    """A memory format; TypeError for what is none."""
    check_type(name, "memory_format", "memory_format", given)
    return cast("memory_format", given)


def contiguous(self: Tensor, memory_format: memory_format | None = None) -> Tensor:
    """This tensor if it is laid out row by row (or as asked), else a copy that is."""
    if memory_format is None:
        fits = self.array.flags.c_contiguous
    else:
        fits = _format("contiguous", memory_format).fits(self.array)
    if fits:
        return self
    if memory_format is preserve_format:
        raise RuntimeError(
            errors.message("preserve memory format is unsupported by the contiguous operator")
        )
    return note_order(single(REGISTRY["clone"], self, {"order": _order(memory_format)}))


def to(
    self: Tensor,
    *target: Tensor | DTypeLike | DeviceLike | bool,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    copy: bool = False,
    non_blocking: bool = False,
    memory_format: memory_format | None = None,
    tensor: Tensor | None = None,
) -> Tensor:
    """Converted to a dtype, moved to a device, or both.

    Either is given by position or by keyword, or both as those of another tensor.
    """
    if not copy is non_blocking is False:
        flags("to", copy=copy, non_blocking=non_blocking)
    if target and type(target[0]) in (bool, float, complex):  # as the dtype of such a tensor
        target = (constant(np.array(target[0])), *target[1:])
    for i, x in enumerate(target if tensor is None else (tensor, *target)):
        if isinstance(x, bool):  # the last ones: non_blocking, copy
            options = ("non_blocking", "copy")[: len(target) - i]
            flags("to", **dict(zip(options, target[i:], strict=False)))
            copy = copy or target[i + 1 : i + 2] == (True,)
            break
        if isinstance(x, Handle):
            dtype, device = x.dtype, x.device
        elif isinstance(x, (dtypes.dtype, type)):  # also float, int, bool
            dtype = x
        else:
            device = x
    t = self if device is None else place(self, device)
    if dtype is not None:
        t = _cast(t, dtypes.as_numpy(dtype))
    if memory_format not in (None, preserve_format):
        if not _format("to", memory_format).fits(t.array):
            return t.clone(memory_format=memory_format)
    return t.clone() if copy and t is self else t


def _cast(t: Tensor, d: DType) -> Tensor:
    """``t`` in numpy's dtype ``d``."""
    own = t.array.dtype
    if d == own:
        return t
    if own.kind == "c" and d.kind in "fiu":
        errors.warn(DISCARDS, UserWarning)
    try:
        return single(REGISTRY["cast"], t, {"dtype": d})
    except errors.InplaceError:  # no gradient flows through whole numbers and masks
        if d.kind not in "biu" or type(t.array) is not np.ndarray:
            raise
        return constant(dtypes.converted(t.array, d))


def type_(
    self: Tensor, dtype: DTypeLike | str | None = None, non_blocking: bool = False, *,
    memory_format: memory_format | None = None,
) -> Any:  # fmt: skip
    """The type's name ('torch.FloatTensor'); given one, or a dtype, the tensor converted to it.

    A type may be given as its name, or as PyTorch's old class ``torch.FloatTensor``;
    ``torch.Tensor`` is that of the default dtype.
    """
    flags("type", non_blocking=non_blocking)
    if dtype is None:
        return f"torch.{TORCH_TYPES[self.array.dtype.name]}Tensor"
    if dtype == "torch.Tensor" or (isinstance(dtype, type) and issubclass(dtype, Handle)):
        dtype = dtypes.get_default_dtype()
    if isinstance(dtype, (str, type)) and ".cuda." in f"{getattr(dtype, '__module__', '')}.{dtype}":
        return cuda(self)  # torch.cuda.FloatTensor: it says why not
    if isinstance(dtype, str):
        names = {f"torch.{v}Tensor": k for k, v in TORCH_TYPES.items()}
        if dtype not in names:
            known = errors.nearest(dtype, names)
            raise ValueError(errors.message(f"invalid type: '{dtype}'.{known}"))
        return self.to(dtype=getattr(dtypes, names[dtype]))
    is_tensor = isinstance(dtype, Handle)
    own = dtype if is_tensor else getattr(dtype, "dtype", dtype)  # an old class has it
    if not isinstance(own, (dtypes.dtype, type)):
        what = f"dtype must be a type, str, or dtype object, not {type(dtype).__name__}"
        raise TypeError(errors.message(what, fix="x.type_as(other)" if is_tensor else ""))
    return self.to(dtype=own)


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """Converted to other's dtype."""
    tensors_only("type_as", other=other)
    return self.to(other.dtype)


def cpu(self: Tensor, memory_format: memory_format | None = None) -> Tensor:
    """On the CPU."""
    if memory_format is None:
        return place(self, CPU)
    return self.to(CPU, memory_format=memory_format)


def cuda(
    self: Tensor,
    device: DeviceLike | None = None,
    non_blocking: bool = False,
    memory_format: memory_format | None = None,
) -> Tensor:
    """Raises RuntimeError, which is an AssertionError, too: microtorch has no CUDA backend."""
    where = Device("cuda" if device is None else device)
    if where.type != "cuda":
        raise errors.DeviceError(
            errors.message("Invalid device, must be cuda device", f"device: {where}")
        )
    return self.to(where)


def _to_dtype(name: str, dtype: dtypes.dtype) -> Callable[..., Tensor]:
    def method(self: Tensor, memory_format: memory_format | None = None) -> Tensor:
        if memory_format is None:
            return _cast(self, dtype.numpy) if type(self).to is to else self.to(dtype)
        return self.to(dtype, memory_format=memory_format)

    return named(method, name, f"Converted to {dtype}.")


bind_methods({"type": type_})
bind_methods(
    {f.__name__: f for f in (item, tolist, numpy, clone, contiguous, to, type_as, cpu, cuda)}
)
for _name, _dtype in {
    "float": dtypes.float32, "double": dtypes.float64, "half": dtypes.float16,
    "bfloat16": dtypes.bfloat16,
    "long": dtypes.int64, "int": dtypes.int32, "short": dtypes.int16,
    "bool": dtypes.bool, "byte": dtypes.uint8, "char": dtypes.int8, "cfloat": dtypes.complex64,
    "cdouble": dtypes.complex128,
}.items():  # fmt: skip
    bind_methods({_name: _to_dtype(_name, _dtype)})
