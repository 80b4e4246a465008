"""What PyTorch lets one ask a tensor that has one answer here, and odd ways to fill one.

All tensors are dense, strided and not quantised, and lie on the CPU or on an OpenCL device.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..arrays.layout import layout, strided
from ..arrays.memory_format import memory_format
from ..base.errors import describe, message
from ..base.naming import named
from ..engine.calling import reading
from ..engine.handle import Handle
from ..graph import mode
from ..ops import surface
from ..ops.arguments import tensors_only
from .inplace import check_leaf
from .memory import check_locked
from .methods import Methods, bind_methods
from .views import write

if TYPE_CHECKING:
    from ..arrays.dtypes import dtype
    from ..base.types import Array, DeviceLike, Number
    from .tensor import Tensor

T = TypeVar("T", bound="Tensor")
ABSENT_KINDS = (
    "is_ipu", "is_maia", "is_meta", "is_mkldnn", "is_mps", "is_mtia", "is_nested", "is_quantized",
    "is_sparse", "is_sparse_csr", "is_vulkan", "is_xla", "is_xpu",
)  # fmt: skip


def _constant(name: str, value: object) -> property:
    return property(lambda self: value, doc=f"{name}: {value} for every tensor here.")


def _is_cpu(self: Tensor) -> bool:
    """Does it lie on the CPU?"""
    return self.device.type == "cpu"


def _layout(self: Tensor) -> layout:
    """torch.strided: here there is no other."""
    return strided


def get_device(self: Tensor) -> int:
    """The number of the device; -1 for the CPU."""
    return -1 if self.device.index is None else self.device.index


def is_pinned(self: Tensor, device: DeviceLike | None = None) -> bool:
    """False: memory is never pinned."""
    return False


def is_nonzero(self: Tensor) -> bool:
    """Is the one element not 0? RuntimeError if there are more or none."""
    return bool(self)


def is_distributed(self: Tensor) -> bool:
    """False."""
    tensors_only("is_distributed", self=self)
    return False


def pin_memory(self: Tensor, device: DeviceLike | None = None) -> Tensor:
    """This tensor: pinning is for copies to CUDA devices."""
    return self


def is_signed(self: Tensor) -> bool:
    """Can its dtype hold negative numbers?"""
    return self.dtype.is_signed


def is_same_size(self: Tensor, other: Tensor) -> bool:
    """Have both the same shape?"""
    return self.array.shape == other.array.shape


def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Do both show the same elements of the same memory, in the same order?"""
    a, b = self.array, tensor.array
    return (
        a.shape == b.shape
        and a.strides == b.strides
        and self.data_ptr() == tensor.data_ptr()
        and a.dtype == b.dtype
    )


def dim_order(
    self: Tensor, *, ambiguity_check: bool | list[memory_format] = False
) -> tuple[int, ...]:
    """The dimensions from the one of the largest stride to that of the smallest.

    ``ambiguity_check`` raises RuntimeError where another order would fit the memory as well: a
    dimension has size 1, or two have one stride. Given memory formats, where not one alone fits.
    """
    formats = [] if isinstance(ambiguity_check, bool) else ambiguity_check
    if not (isinstance(formats, list) and all(isinstance(f, memory_format) for f in formats)):
        what = "The ambiguity_check argument must be a bool or a list of memory formats."
        raise TypeError(message(what))
    strides = self.array.strides
    several = 1 in self.array.shape or len(set(strides)) < len(strides)
    fits = [self.is_contiguous(memory_format=f) for f in formats]
    if ambiguity_check is not False and (0 in strides or (several and sum(fits) != 1)):
        raise RuntimeError(
            message(
                "The tensor does not have unique dim order, or cannot map to exact one of the "
                "given memory formats."
            )
        )
    return tuple(int(i) for i in np.argsort([-s for s in self.array.strides], kind="stable"))


def as_subclass(self: Tensor, cls: type[T]) -> T:
    """This tensor as one of the class ``cls``, on the same memory; gradient flows through.

    Raises TypeError for a class that is no subclass of Tensor.
    """
    if not (isinstance(cls, type) and issubclass(cls, Handle)):
        raise TypeError(message(f"as_subclass: {cls!r} is not a subclass of torch.Tensor"))
    view = surface.METHODS["view_as"](self, self) if self.node.needs else self.detach()
    out = object.__new__(cls)
    out.array, out.node, out.origin = view.array, view.node, view.origin
    return out


def _make_subclass(cls: type[Tensor], data: Tensor, require_grad: bool = False) -> Tensor:
    """A leaf of the class ``cls`` on the memory of ``data``."""
    leaf = as_subclass(data.detach(), cls)
    leaf.requires_grad_(require_grad)
    return leaf


# ---- filling -------------------------------------------------------------------------------------
def fill_diagonal_(self: Tensor, fill_value: Number, wrap: bool = False) -> Tensor:
    """Set the main diagonal, where all indices are equal; ``wrap`` begins anew below the matrix.

    RuntimeError for a tensor of fewer than 2 dimensions, or of more with unequal sizes.
    """
    shape = self.array.shape
    if len(shape) < 2:
        raise RuntimeError(
            message("dimensions must larger than 1", f"fill_diagonal_ of {describe(self)}")
        )
    if len(shape) > 2 and len(set(shape)) > 1:
        raise RuntimeError(
            message("all dimensions of input must be of equal length", describe(self))
        )
    steps = range(0, shape[0], shape[1] + 1) if wrap and len(shape) == 2 else range(1)
    for start in steps:
        block = self[start:] if start else self
        for _ in shape[1:]:
            block = block.diagonal(dim1=0, dim2=-1)
        block.fill_(fill_value)
    return self


def apply_(self: Tensor, callable: Callable[[Any], Number]) -> Tensor:
    """Replace each element by what a Python function makes of it. Slow; outside autograd."""
    return _mapped("apply", self, callable)


def map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Number]) -> Tensor:
    """Replace each element by callable(element, element of ``tensor``), with broadcasting."""
    return _mapped("map", self, callable, tensor)


def map2_(
    self: Tensor, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], Number]
) -> Tensor:
    """Replace each element by callable(element, element of x, element of y)."""
    return _mapped("map2", self, callable, x, y)


def _mapped(
    name: str, self: Tensor, function: Callable[..., Number], *others: Tensor
) -> Tensor:
    if self.node.needs or (mode.get().grad and any(t.node.needs for t in others)):
        raise RuntimeError(
            message(
                f"Can't call {name}_() on Variable that requires grad. Use "
                f"var.detach().{name}_() instead."
            )
        )
    check_leaf(self, name)
    check_locked(self.array, name)
    source: Array = self.array
    expand, shape = surface.METHODS["expand"], source.shape
    columns = [expand(t.detach(), *shape).array.ravel().tolist() for t in others]
    values = [function(*v) for v in zip(source.ravel().tolist(), *columns, strict=True)]
    for v in values:
        if isinstance(v, str) or not hasattr(v, "__float__"):
            what = f"must be real number, not {type(v).__name__}"
            raise TypeError(message(what, f"returned by the function given to {name}_()"))
    write(self, np.array(values, source.dtype).reshape(source.shape), name)
    return self


def to_dense(
    self: Tensor, dtype: dtype | None = None, *, masked_grad: bool | None = None
) -> Tensor:
    """This tensor, which is dense; of a sparse one, all its elements."""
    return self if dtype is None else self.to(dtype)


def _of_sparse(name: str, kind: str = "sparse coordinate tensor") -> Callable[[Tensor], Tensor]:
    def method(self: Tensor) -> Tensor:
        raise RuntimeError(
            message(f"{name} expected {kind} layout but got Strided", fix="x.to_sparse()")
        )

    return named(method, name, "Of sparse tensors; see torch.sparse.")


METHODS = (
    get_device, is_nonzero, is_pinned, is_distributed, pin_memory,
    is_signed, is_same_size, is_set_to, dim_order, as_subclass, fill_diagonal_, apply_, map_, map2_,
)  # fmt: skip
bind_methods({f.__name__: reading(f, out=False) for f in (*METHODS, to_dense)})
bind_methods({name: _of_sparse(name) for name in ("coalesce", "is_coalesced")})
bind_methods({name: _of_sparse(name, "sparse tensor") for name in ("indices", "values")})
ATTRIBUTES: dict[str, property | staticmethod[..., Any]] = {
    "_make_subclass": staticmethod(_make_subclass),
    **{name: _constant(name, False) for name in ABSENT_KINDS},
    "is_cpu": property(_is_cpu),
    "layout": property(_layout),
}
for _name, _attribute in ATTRIBUTES.items():
    setattr(Methods, _name, _attribute)
