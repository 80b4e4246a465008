"""PyTorch's constructors of its early days: ``x.new``, ``torch.FloatTensor`` and its like."""
from __future__ import annotations

from typing import TYPE_CHECKING, Union, cast

from ..arrays import dtypes
from ..base.errors import message
from ..handles.size import sizes_or_data
from ..handles.tensor import Tensor
from ..ops.surface import FUNCTIONS, METHODS
from .data import copied
from .finish import export

if TYPE_CHECKING:
    from collections.abc import Sequence


def same(x: Tensor, d: dtypes.dtype) -> Tensor:
    """A view of ``x``, which the gradient goes through; TypeError unless its dtype is ``d``."""
    if x.dtype is not d:
        kind = dtypes.TORCH_TYPES[d.numpy.name]
        what = f"expected torch.{kind}Tensor (got {x.type()})"
        raise TypeError(message(what, fix=f"x.to({d})"))
    return x.as_subclass(Tensor)


def new(self: Tensor, *data: int | Sequence[int], **given: object) -> Tensor:
    """Of sizes, without initial values; of a list or array, a copy; of a tensor, a view of it."""
    shape, source = sizes_or_data(data, given)
    if isinstance(source, Tensor):
        return same(source, self.dtype)
    return copied(source, self.dtype, self.device) if shape is None else self.new_empty(shape)


METHODS["new"] = new


class LegacyType:
    """A constructor, of data or of sizes; ``isinstance`` works as well."""

    def __init__(self, kind: str, d: dtypes.dtype):
        self.__name__, self.dtype = f"{kind}Tensor", d

    def __call__(self, *data: int | Sequence[int], **given: object) -> Tensor:
        shape, source = sizes_or_data(data, given)
        if isinstance(source, Tensor):
            return same(source, self.dtype)
        if shape is None:
            return copied(source, self.dtype, None)
        return cast("Tensor", FUNCTIONS["empty"](shape, dtype=self.dtype, device="cpu"))

    def __instancecheck__(self, x: object) -> bool:
        return isinstance(x, Tensor) and x.dtype is self.dtype

    def __or__(self, other: object) -> object:
        """``torch.LongTensor | None``, as annotations have it."""
        return Union[self, other]  # noqa: UP007  that operator is made here

    def __ror__(self, other: object) -> object:
        return Union[other, self]  # noqa: UP007

    def __repr__(self) -> str:
        return f"<class 'torch.{self.__name__}'>"


for _name, _kind in dtypes.TORCH_TYPES.items():
    if not _kind.startswith("Complex"):  # PyTorch has no such constructors
        export(LegacyType(_kind, getattr(dtypes, _name)), f"{_kind}Tensor")
