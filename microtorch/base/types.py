"""The nouns of the package as type aliases. Only annotations use them.

``Array`` is spelled as numpy's array. Arrays of a device (``backends/opencl/array.py``) have the
same members, and pass for it.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import EllipsisType, FrameType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from ..arrays.device import device
    from ..arrays.dtypes import dtype
    from ..backends.reference import Reference
    from ..engine.op import Op
    from ..graph import Node
    from ..handles.scalar import Scalar
    from ..handles.tensor import Tensor

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
DType: TypeAlias = "np.dtype[Any]"  # numpy's; a user's torch.float32 is arrays.dtypes.dtype
Backend: TypeAlias = "Reference"  # the kernels of one kind of memory; OpenCL's class passes for it
# an array of any memory: numpy's, a device's, or of some kind of numbers (kinds/)
AnyArray: TypeAlias = Any
Tree: TypeAlias = Any  # a value, or nested tuples, lists and dicts of values
Kernel: TypeAlias = Callable[..., Any]  # (*arrays, **attrs) -> Array
Vjp: TypeAlias = Callable[..., Any]  # (F, g, out, *inputs, **attrs) -> Contribution
Attrs: TypeAlias = dict[str, Any]  # an op's static arguments by name: dim, shape, index ...
Setting: TypeAlias = Any  # the value of one of them, where a function takes any
Argument: TypeAlias = Any  # what a user's function is called with, which is passed on

Slices: TypeAlias = list[tuple[slice, ...]]  # per input, the part that is read

Number: TypeAlias = "bool | int | float"
AnyNumber: TypeAlias = "Number | complex"
Shape: TypeAlias = tuple[int, ...]
Dim: TypeAlias = int
Dims: TypeAlias = "int | Sequence[int] | None"  # None: all
Pair: TypeAlias = "int | Sequence[int]"  # one number for both directions of an image, or each
Pooled: TypeAlias = "Tensor | tuple[Tensor, Tensor]"  # maxima, and perhaps their places
Padding: TypeAlias = "Pair | str"  # "same", "valid", or numbers
IndexItem: TypeAlias = "Tensor | Array | Sequence[Any] | slice | int | bool | EllipsisType | None"
Index: TypeAlias = "IndexItem | tuple[IndexItem, ...]"

TensorLike: TypeAlias = "Tensor | Scalar | Array | AnyNumber"  # what an operator takes
DTypeLike: TypeAlias = "dtype | type[bool] | type[int] | type[float] | type[complex]"
DeviceLike: TypeAlias = "device | str | int"
Root: TypeAlias = "Tensor | Scalar"  # what backward starts from, and whose gradient is asked
Scalars: TypeAlias = "Scalar | list[Any]"  # nested lists of Scalars in a tensor's shape

# What travels backward: an array or a float; under create_graph=True a Tensor or a Scalar.
Gradient: TypeAlias = Any
Operand: TypeAlias = Any  # an op's input or result as a vjp gets it; its node, if unread
Contribution: TypeAlias = Any  # a Gradient, or None where an input takes none
Hook: TypeAlias = Callable[..., Any]
Observer: TypeAlias = Callable[["Node", Gradient, list[Contribution]], None]
Chain: TypeAlias = "Iterable[tuple[Op, Attrs | None]]"  # view ops from a base to a view

Frame: TypeAlias = FrameType
Static: TypeAlias = Mapping[str, Any]  # names of static arguments and their defaults


class Namespace(Protocol):
    """``F``, the ops by name: a backend on arrays, or what records them on Tensors."""

    def __getattr__(self, name: str, /) -> Callable[..., Any]: ...
