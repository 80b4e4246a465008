"""Views by strides: ``as_strided``, and ``unfold``, the windows along one dimension.

Their derivative needs no strides. Each element of such a view stands at a place that is known
beforehand; so the gradient is zeros with ``g`` *added* at these places, for windows may overlap.
"""
from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.memory_order import overlaps_itself
from ..base.errors import MissingKernel, describe, message
from ..engine.calling import reading
from ..engine.op import Op
from ..engine.short import single
from .arguments import dim_of, shape_of
from .surface import METHODS, public

if TYPE_CHECKING:
    from ..base.types import Array, Gradient, Namespace, Operand, Shape
    from ..handles.tensor import Tensor


# ---- memory --------------------------------------------------------------------------------------
def owner(x: Array) -> Array:
    """The array that holds the memory of ``x``."""
    while isinstance(x.base, np.ndarray):
        x = x.base
    return x


def at_strides(x: Array, shape: Shape, strides: Shape, offset: int) -> Array:
    """A view of x's memory, from ``offset`` bytes behind its first element.

    It has numpy's ``base``, which its stride tricks hide, and lies within the memory of ``owner``:
    numpy raises where it does not. Where it may show an element twice it is locked, as numpy locks
    an expanded array: to write it is a matter of its own (handles/in_turn.py).
    """
    memory = owner(x)
    if not memory.flags.c_contiguous:  # a buffer is read row by row
        memory = memory.transpose(np.argsort([-s for s in memory.strides], kind="stable"))
    if memory is not x:
        offset += x.ctypes.data - memory.ctypes.data
    if 0 in shape:
        offset = 0  # numpy looks whether even that of nothing lies within the memory
    view: Array = np.ndarray(shape, x.dtype, memory, offset, strides)
    view.flags.writeable = x.flags.writeable and not overlaps_itself(view)
    return view


def positions(shape: Shape, strides: Shape, offset: int = 0) -> Array:
    """Where each element of an array of these strides lies, counted in elements."""
    at: Array = np.array(offset)
    for d, (n, step) in enumerate(zip(reversed(shape), reversed(strides), strict=True)):
        at = (np.arange(n) * step).reshape((n,) + (1,) * d) + at  # it grows from the last dimension
    return at


def reach(shape: Shape, strides: Shape, offset: int = 0) -> tuple[int, int]:
    """The first of ``positions`` and the last; 0 and -1 if there are none."""
    if 0 in shape:
        return 0, -1
    ends = [(n - 1) * step for n, step in zip(shape, strides, strict=True)]
    return offset + sum([min(e, 0) for e in ends]), offset + sum([max(e, 0) for e in ends])


def even_step(shape: Shape, strides: Shape) -> int | None:
    """How far apart neighbours lie, if it is the same everywhere in row-major order; else None."""
    dims = [(n, s) for n, s in zip(shape, strides, strict=True) if n != 1]
    if any([a[1] != n * s for a, (n, s) in itertools.pairwise(dims)]):
        return None
    return dims[-1][1] if dims and dims[-1][1] > 0 else None


def gapless(shape: Shape) -> Shape:
    """The strides of an array in row-major order."""
    return tuple([math.prod(shape[d + 1 :]) for d in range(len(shape))])


# ---- as_strided ----------------------------------------------------------------------------------
def _as_strided(
    F: Namespace, x: Array, size: Shape, stride: Shape, offset: int, own: Shape
) -> Array:
    if type(x) is not np.ndarray:
        raise MissingKernel(
            message("as_strided: a device's memory is not read by strides", fix="x.cpu()")
        )
    width = x.itemsize
    if x.strides != tuple(s * width for s in own) and x.size:  # a value that has moved
        laid = np.empty(positions(x.shape, own).max() + 1, x.dtype)
        image = at_strides(laid, x.shape, tuple(s * width for s in own), 0)
        image[...] = x
        x = image
    return at_strides(x, size, tuple(s * width for s in stride), offset * width)


def _as_strided_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand,
    size: Shape, stride: Shape, offset: int, own: Shape,
) -> Gradient:  # fmt: skip
    if 0 in size:
        g = F.zero(g)  # nothing was read, and PyTorch's 0 is a constant
    (low, high), (least, most) = reach(size, stride, offset), reach(x.shape, own)
    first = min(0, low, least)
    length, read = max(0, high, most) + 1 - first, positions(size, stride, offset - first)
    memory = F.place(g, index=(read,), shape=(length,))
    if own == gapless(x.shape):
        if length > most + 1:
            memory = F.getitem(memory, index=(slice(-first, most + 1 - first),))
        return F.reshape(memory, shape=x.shape)
    held = positions(x.shape, own, -first)
    count = np.bincount(held.reshape(-1), minlength=length)
    if held.size and count.max() > 1:  # of an expanded input, whose copies share one element
        memory = F.div(memory, np.maximum(count, 1).astype(getattr(g.dtype, "numpy", g.dtype)))
    return F.getitem(memory, index=(held,))


as_strided_op = Op(
    "as_strided",
    _as_strided,
    vjps=(_as_strided_vjp,),
    rule=("g, added where it was read",),
    view=True,
)


def steps(x: Array) -> Shape:
    """The strides of ``x`` in elements."""
    return tuple([s // x.itemsize for s in x.strides])


def storage_offset(input: Tensor) -> int:
    """How many elements of its storage lie before the first element of this tensor."""
    x = input.array
    if type(x) is not np.ndarray:
        return getattr(x, "storage_offset", 0)  # of a recording's
    if x.base is None:
        return 0
    return (x.ctypes.data - owner(x).ctypes.data) // x.itemsize


METHODS["storage_offset"] = storage_offset_of = storage_offset


@public()
def as_strided(
    input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """A view of the storage of ``input``: element (i, j) is at ``offset + i * s0 + j * s1`` in it.

    The offset is the input's own if not given. RuntimeError for elements that are not the input's
    or its base's.
    """
    size, stride = shape_of((size,), "as_strided"), shape_of((stride,), "as_strided")
    own = storage_offset_of(input)
    start = own if storage_offset is None else storage_offset
    base = input if input.origin is None else input.origin[0]
    base_at = own if base is input else storage_offset_of(base)
    _check_strides(base, size, stride, start, base_at)

    def attrs(t: Tensor, at: int) -> dict[str, Any]:
        return {"size": size, "stride": stride, "offset": start - at, "own": steps(t.array)}

    # a base without gradient passes none on; what x shows of it then does, as in PyTorch
    lost = input.node.needs and not base.node.needs
    if base is input or not (lost or _among(input, size, stride, start - own)):
        return single(as_strided_op, base, attrs(base, base_at))
    out = single(as_strided_op, input, attrs(input, own))
    # from the base on, whose elements lie without gaps: so the same values give the same view
    out.origin = (base, ((as_strided_op, attrs(base, base_at)),))
    return out


def _among(x: Tensor, size: Shape, stride: Shape, offset: int) -> bool:
    """Are all elements of such a view elements of ``x``?"""
    if 0 in size:  # it has none
        return True
    flags = x.array.flags
    if flags.c_contiguous or flags.f_contiguous:  # its elements lie without gaps
        last = offset + sum([(n - 1) * s for n, s in zip(size, stride, strict=True)])
        return offset >= 0 and last < x.array.size
    if (step := even_step(x.array.shape, steps(x.array))) is not None:
        low, high = reach(size, stride, offset)
        if low < 0 or high > (x.array.size - 1) * step:
            return False
        taken = [s for n, s in zip(size, stride, strict=True) if n > 1]
        return all([at % step == 0 for at in (offset, *taken)])
    own = positions(x.array.shape, steps(x.array))
    first, last = int(own.min()), int(own.max())
    low, high = reach(size, stride, offset)
    if low < first or high > last:
        return False
    held = np.zeros(last - first + 1, bool)
    held[own - first] = True
    return bool(held[positions(size, stride, offset - first)].all())


def _check_strides(base: Tensor, size: Shape, stride: Shape, start: int, own: int) -> None:
    """Raise unless the elements at ``start`` are the base's, which begin at ``own``."""
    if len(size) != len(stride):
        raise RuntimeError(
            message("mismatch in length of strides and shape", f"size {size}, stride {stride}")
        )
    if min(size, default=0) < 0 or min(stride, default=0) < 0:
        raise RuntimeError(
            message(
                "as_strided: Negative strides are not supported at the moment, "
                f"got strides: {list(stride)}, sizes: {list(size)}"
            )
        )
    if start < 0:
        raise RuntimeError(message(f"Tensor: invalid storage offset {start}"))
    if not _among(base, size, stride, start - own):
        raise RuntimeError(
            message(
                f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {start} "
                "are out of bounds for storage",
                f"as_strided of {describe(base)} with strides {base.stride()}",
                fix="the elements must be those of the tensor, or of the tensor it is a view of",
            )
        )


# ---- windows -------------------------------------------------------------------------------------
def _windows(n: int, size: int, step: int) -> Array:
    """The index of each element of each window along a dimension of ``n``."""
    return np.arange(0, n - size + 1, step)[:, None] + np.arange(size)


def _unfold(F: Namespace, x: Array, dim: int, size: int, step: int) -> Array:
    if type(x) is not np.ndarray:  # a copy: a device's memory is not read by strides
        place: Any = (*(slice(None),) * dim, _windows(x.shape[dim], size, step))
        taken: Array = x[place]
        return taken.transpose((*range(dim + 1), *range(dim + 2, x.ndim + 1), dim + 1))
    shape, strides = list(x.shape), list(x.strides)
    shape[dim] = (x.shape[dim] - size) // step + 1
    strides[dim] *= step
    return at_strides(x, (*shape, size), (*strides, x.strides[dim]), 0)


def _unfold_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, dim: int, size: int, step: int
) -> Gradient:
    n = len(x.shape)
    back = F.permute(g, dims=(*range(dim + 1), n, *range(dim + 1, n)))
    place = (*(slice(None),) * dim, _windows(x.shape[dim], size, step))
    return F.place(back, index=place, shape=x.shape)


unfold_op = Op(
    "unfold_dimension",  # nn.functional.unfold is another
    _unfold,
    vjps=(_unfold_vjp,),
    rule=("g, added over the windows",),
    torch_name="Unfold",
    view=True,
)


def unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """A view of the windows of ``size`` along a dimension, at every ``step``.

    The elements of a window are the last dimension.
    """
    d = dim_of(dimension, self.array.ndim, "unfold")
    x = self if self.array.ndim else self.reshape(1)
    n = x.array.shape[d]
    if size < 0:
        raise RuntimeError(message(f"size is {size} but must be >= 0"))
    if size > n:
        raise RuntimeError(
            message(f"maximum size for tensor at dimension {d} is {n} but size is {size}")
        )
    if step <= 0:
        raise RuntimeError(message(f"step is {step} but must be > 0"))
    out = single(unfold_op, x, {"dim": d, "size": size, "step": step})
    return out if self.array.ndim else out.reshape(size)


METHODS["unfold"] = reading(unfold, out=False)
