"""From a tensor to numbers, arrays, other dtypes and other devices."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes
from ..arrays.dtypes import TORCH_TYPES
from ..base import errors
from ..engine.basic_ops import place
from ..engine.handle import Handle
from ..engine.hot import single
from ..engine.registry import REGISTRY
from .methods import Methods

if TYPE_CHECKING:
    from .tensor import Tensor


class Conversions(Methods):
    """The methods of a Tensor that copy and convert it."""

    __slots__ = ()

    # ---- out of the tensor world -----------------------------------------------------------------
    def item(self) -> Any:
        """The value of a one-element tensor as a Python number."""
        if self.array.size != 1:
            raise RuntimeError(
                errors.message(
                    f"a Tensor with {self.array.size} elements cannot be converted to Scalar",
                    errors.describe(self),
                    fix=".tolist() for all elements, or reduce first: .mean().item()",
                )
            )
        return self.array.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self.array.tolist()

    def numpy(self, *, force: bool = False) -> Any:
        """The elements as a numpy array on the same memory."""
        if self.node.needs and not force:
            raise RuntimeError(
                errors.message(
                    "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() "
                    "instead."
                )
            )
        if type(self.array) is not np.ndarray:
            if not force:
                self.array.__array__()  # raises, and says what to do
            return self.array.get()
        return self.array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = self.numpy()
        return array if dtype is None else array.astype(dtype)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.array.dtype.kind not in "iub" or self.array.size != 1:
            raise TypeError(
                errors.message(
                    "only integer tensors of a single element can be converted to an index"
                )
            )
        return int(self.item())

    # ---- copies and conversions ------------------------------------------------------------------
    def clone(self) -> Tensor:
        """A copy in memory of its own; gradient flows through."""
        return single(REGISTRY["clone"], self, {})

    def contiguous(self) -> Tensor:
        """This tensor if it is laid out row by row, else such a copy."""
        return (
            self
            if self.array.flags.c_contiguous
            else single(REGISTRY["clone"], self, {"order": "C"})
        )

    def to(
        self,
        *target: Any,
        dtype: Any = None,
        device: Any = None,
        copy: bool = False,
        non_blocking: bool = False,
    ) -> Tensor:
        """Converted to a dtype and/or moved to a device, given by position or keyword, or as
        another tensor has them.
        """
        for x in target:
            if isinstance(x, Handle):
                dtype, device = x.dtype, x.device
            elif isinstance(x, dtypes.dtype) or x in (float, int, bool):
                dtype = x
            elif isinstance(x, bool):
                continue
            else:
                device = x
        t = self if device is None else place(self, device)
        if dtype is not None:
            d = dtypes.as_numpy(dtype)
            if d != t.array.dtype:
                return single(REGISTRY["cast"], t, {"dtype": d})
        return t.clone() if copy and t is self else t

    def type(self, dtype: Any = None) -> Any:
        """The type's name ('torch.FloatTensor'), or a conversion."""
        if dtype is None:
            return f"torch.{TORCH_TYPES[self.array.dtype.name]}Tensor"
        if isinstance(dtype, str):
            names = {f"torch.{v}Tensor": k for k, v in TORCH_TYPES.items()}
            dtype = dtypes.FROM_NUMPY[np.dtype(names[dtype])]
        return self.to(dtype)

    def type_as(self, other: Tensor) -> Tensor:
        """Converted to other's dtype."""
        return self.to(other.dtype)

    def cpu(self) -> Tensor:
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Tensor:
        return self.to("cuda" if device is None else device)

    def float(self) -> Tensor:
        return self.to(dtypes.float32)

    def double(self) -> Tensor:
        return self.to(dtypes.float64)

    def half(self) -> Tensor:
        return self.to(dtypes.float16)

    def long(self) -> Tensor:
        return self.to(dtypes.int64)

    def int(self) -> Tensor:
        return self.to(dtypes.int32)

    def short(self) -> Tensor:
        return self.to(dtypes.int16)

    def bool(self) -> Tensor:
        return self.to(dtypes.bool)

    def byte(self) -> Tensor:
        return self.to(dtypes.uint8)
