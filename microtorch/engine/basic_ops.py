"""The ops that the engine itself needs: cast, clone, transfer."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.device import device
from ..arrays.dtypes import converted, dtype
from ..arrays.memory_format import memory_format
from ..arrays.memory_order import laid_out
from ..backends import backend_for, host
from ..backends.reference import Reference
from .op import Op
from .record import record

if TYPE_CHECKING:
    from ..base.types import Array, Backend, DeviceLike, DType, Namespace, Operand
    from ..handles.tensor import Tensor

def as_type(d: dtype | DType) -> DType:
    """numpy's type for a dtype, or for one of numpy's."""
    return d.numpy if isinstance(d, dtype) else d


def _copy(F: Namespace, x: Array, order: Operand = "K") -> Array:
    if type(x) is np.ndarray and type(order) is memory_format:
        out = order.made(x.shape, lambda shape: np.empty(shape, x.dtype))
    elif order == "K" and (0 in x.strides or 1 in x.shape):
        return laid_out(x, x.dtype)
    elif type(x) is not np.ndarray or x.nbytes < LARGE:
        return x.copy(order)
    else:
        out = np.empty_like(x, order=order)
    Reference.fill(out, x)
    return out


LARGE = 1 << 17  # bytes that are worth two threads
cast = Op(
    "cast",
    lambda F, x, dtype: converted(x, as_type(dtype)),
    vjps=(lambda F, g, out, x, dtype: F.cast(g, dtype=x.dtype),),
    rule=("g, in the input's dtype",),
    torch_name="ToCopy",
)

# order "K": in the memory layout of x, as elementwise ops; "C": row-major, for contiguous(); or
# channels_last
clone = Op(
    "clone",
    _copy,
    vjps=(lambda F, g, out, x, order="K": g,),
    rule=("g",),
)


def _moved(F: Namespace, g: Any, device: device) -> Array | Tensor:
    """A gradient, array or Tensor, on another device."""
    if hasattr(g, "node"):
        return transfer(g, backend_for(device, g.array.dtype))
    return backend_for(device, g.dtype).array(host(g))


transfer_op = Op(
    "transfer",
    _moved,
    vjps=(lambda F, g, out, x, device: _moved(F, g, x.dev.device),),
    rule=("g, on the input's device",),
    torch_name="ToCopy",
)


def transfer(t: Tensor, dev: Backend) -> Tensor:
    """``t`` in the memory of ``dev``: a copy, whose gradient is copied back.

    Not by ``apply``, because input and output have different backends.
    """
    return record(transfer_op, [t], dev.array(host(t.array)), dev, {"device": dev.device})


def place(t: Tensor, where: DeviceLike) -> Tensor:
    """``t`` on device ``where``. Raises RuntimeError for a device that is not there."""
    here = t.node.dev.device
    if where is here or (type(where) is str and where == here.type):
        return t
    where = where if isinstance(where, device) else device(where)
    if where.type == here.type and (where.index is None or where.index == here.index):
        return t
    return transfer(t, backend_for(where, t.array.dtype))
