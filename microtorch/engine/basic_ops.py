"""The ops that the engine itself needs: cast, clone, transfer."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arrays.device import device
from ..arrays.dtypes import F32, F64
from ..backends import backend_for, host
from .op import Op
from .record import record

if TYPE_CHECKING:
    from ..base.types import Array, Backend, DeviceLike, Namespace
    from ..handles.tensor import Tensor


def _cast(F: Namespace, x: Array, dtype: Any) -> Array:
    """``x`` in another dtype; float64 becomes one of 16 bits by way of float32, as in PyTorch."""
    dtype = getattr(dtype, "numpy", dtype)
    if dtype.itemsize == 2 and dtype.kind in "fV" and x.dtype == F64:
        x = x.astype(F32)
    return x.astype(dtype)


cast = Op(
    "cast",
    _cast,
    vjps=(lambda F, g, out, x, dtype: F.cast(g, dtype=x.dtype),),
    rule=("g, in the input's dtype",),
    torch_name="ToCopy",
)

# order "K": in the memory layout of x, as elementwise ops; "C": row-major, for contiguous()
clone = Op(
    "clone",
    lambda F, x, order="K": x.copy(order),
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
    where = where if isinstance(where, device) else device(where)
    here = t.node.dev.device
    if where.type == here.type and (where.index is None or where.index == here.index):
        return t
    return transfer(t, backend_for(where, t.array.dtype))
