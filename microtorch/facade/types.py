"""``torch.types``: what annotations in PyTorch's programs are written with."""
from __future__ import annotations

import os
from collections.abc import Sequence
from typing import IO, TypeAlias

from ..arrays.device import device as _device
from ..arrays.dtypes import dtype as _dtype  # noqa: F401  for programs, too
from ..arrays.layout import layout as _layout  # noqa: F401
from ..handles.size import Size
from ..handles.storage import TypedStorage as Storage
from ..handles.tensor import Tensor

Number: TypeAlias = int | float | bool
Device: TypeAlias = _device | str | int | None
FileLike: TypeAlias = str | os.PathLike[str] | IO[bytes]
IntLikeType: TypeAlias = int
FloatLikeType: TypeAlias = float
BoolLikeType: TypeAlias = bool
_Number = (int, float, bool)  # of isinstance
_bool, _bytes, _complex, _float, _int, _str = bool, bytes, complex, float, int, str
_size: TypeAlias = Size | list[int] | tuple[int, ...]
_TensorOrTensors: TypeAlias = Tensor | Sequence[Tensor]
_TensorOrOptionalTensors: TypeAlias = Tensor | Sequence[Tensor | None]

__all__ = ["Device", "FileLike", "Number", "Storage"]
