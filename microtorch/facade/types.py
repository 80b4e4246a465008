"""``torch.types``: names for annotations, under which files import them."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ..arrays.device import device
from ..arrays.dtypes import dtype
from ..handles.size import Size
from ..handles.tensor import Tensor

Number: TypeAlias = int | float | bool
Device: TypeAlias = device | str | int | None
FileLike: TypeAlias = object
_int, _float, _bool = int, float, bool
_dtype, _device = dtype, device
_size: TypeAlias = Size | list[int] | tuple[int, ...]
_TensorOrTensors: TypeAlias = Tensor | Sequence[Tensor]

__all__ = ["Device", "FileLike", "Number", "Tensor"]
