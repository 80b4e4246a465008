"""The types in the signatures of nn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ..arrays.device import device
from ..arrays.dtypes import dtype

DeviceLike: TypeAlias = device | str | None  # where a tensor shall lie
DTypeLike: TypeAlias = dtype | None  # None: the default floating dtype
Size: TypeAlias = int | Sequence[int]  # of a window: one number for all dimensions, or each
