"""What a tensor is: its sizes, its dtype, where and how its elements lie, and the parts of complex
ones.
"""
from __future__ import annotations

from collections.abc import Callable
from math import prod
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..arrays import dtypes
from ..arrays.device import device
from ..backends.core.library import taught
from ..engine.argument_types import check_type
from ..ops.arguments import dim_of_some, tensors_only
from ..ops.surface import FUNCTIONS
from .protocols import Protocols
from .size import Size

if TYPE_CHECKING:
    from ..arrays.memory_format import memory_format
    from ..base.types import Shape, TensorLike
    from .tensor import Tensor

# a Size of an array's sizes, which need no look at each
_sized = cast("Callable[[type[Size], Shape], Size]", tuple.__new__)


class Properties(Protocols):
    """The base of Tensor, above its operators."""

    __slots__ = ()

    @property
    def shape(self) -> Size:
        """Sizes of the dimensions."""
        return _sized(Size, self.array.shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one dimension."""
        shape = self.array.shape
        return _sized(Size, shape) if dim is None else shape[dim_of_some(dim, len(shape), "size")]

    @property
    def ndim(self) -> int:
        return self.array.ndim

    def dim(self) -> int:
        """Number of dimensions."""
        return self.array.ndim

    ndimension = dim

    def numel(self) -> int:
        """Number of elements."""
        return self.array.size

    nelement = numel

    @property
    def dtype(self) -> dtypes.dtype:
        return dtypes.FROM_NUMPY[self.array.dtype]

    @property
    def device(self) -> device:
        return self.node.dev.device

    @property
    def is_cuda(self) -> bool:
        return False

    @property
    def itemsize(self) -> int:
        return self.array.itemsize

    def element_size(self) -> int:
        """Bytes of one element."""
        return self.array.itemsize

    @property
    def nbytes(self) -> int:
        return self.array.nbytes

    def stride(self, dim: int | None = None) -> Any:
        """Steps between neighbours along each dimension (or one), in elements."""
        if self.array.size:
            steps = tuple(s // self.array.itemsize for s in self.array.strides)
        else:  # numpy gives them any; PyTorch counts a dimension of no elements as one
            shape = self.array.shape
            steps = tuple(prod(max(n, 1) for n in shape[i + 1 :]) for i in range(len(shape)))
        return steps if dim is None else steps[dim_of_some(dim, len(steps), "stride")]

    def is_contiguous(self, memory_format: memory_format | None = None) -> bool:
        """Do the elements lie in memory in row-major order (or channels last)?"""
        if memory_format is not None:
            check_type("is_contiguous", "memory_format", "memory_format", memory_format)
            return memory_format.fits(self.array)
        return self.array.flags.c_contiguous

    def data_ptr(self) -> int:
        """Address of the first element."""
        array: Any = self.array
        return array.ctypes.data if type(array) is np.ndarray else array.address

    def is_floating_point(self) -> bool:
        return self.array.dtype.kind in "fV"

    def is_complex(self) -> bool:
        return self.array.dtype.kind == "c"

    @property
    def real(self) -> Tensor:
        """The real parts, a view that may be written; of a real tensor, the tensor itself."""
        return FUNCTIONS["real"](self)

    @real.setter
    def real(self, value: TensorLike) -> None:
        self.real[...] = value

    @property
    def imag(self) -> Tensor:
        """The imaginary parts, a view that may be written. RuntimeError for a real tensor."""
        return FUNCTIONS["imag"](self)

    @imag.setter
    def imag(self, value: TensorLike) -> None:
        self.imag[...] = value

    def is_inference(self) -> bool:
        """False: a tensor made under inference_mode is like any other without gradient."""
        tensors_only("is_inference", self=self)
        return False


_shape = vars(Properties)["shape"]
type.__setattr__(
    Properties, "shape", taught("shape", (Properties, Size, _shape.fget), (), _shape)
)
for _name, _method in vars(Properties).items():  # Python's own errors say Tensor.size()
    if isinstance(_method, FunctionType):
        _method.__qualname__ = f"Tensor.{_name}"
