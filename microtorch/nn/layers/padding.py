"""Padding as layers: borders of zeros, of a constant, mirrored, repeated, or continued.

`padding` is one number for every side, or (left, right), then (top, bottom), then (front, back).
The number in a class's name counts the dimensions that it pads, which are the last ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from ...base.errors import describe, message
from ...handles.tensor import Tensor
from .. import functional as F
from ..module import Module


class _PadNd(Module):
    """What all share: the border's widths, of `_dims` dimensions."""

    _dims: ClassVar[int]
    _mode: ClassVar[str]

    def __init__(self, padding: int | Iterable[int]) -> None:
        super().__init__()
        sides = 2 * self._dims
        self.padding = tuple(padding) if isinstance(padding, Iterable) else (padding,) * sides

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPadNd(_PadNd):
    """A border of `value`."""

    def __init__(self, padding: int | Iterable[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPadNd(_ConstantPadNd):
    """A border of zeros."""

    def __init__(self, padding: int | Iterable[int]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _CircularPadNd(_PadNd):
    """A border that continues at the other end."""

    _mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        least = self._dims + 1
        if input.ndim not in (least, least + 1):
            raise ValueError(
                message(
                    f"expected {least}D or {least + 1}D input (got {input.ndim}D input)",
                    f"{self!r}: input {describe(input)}",
                    fix="the input is (N, C, ...), or (C, ...) without a batch",
                )
            )
        return super().forward(input)


class ConstantPad1d(_ConstantPadNd):
    """A border of `value` around the last dimension."""

    _dims = 1


class ConstantPad2d(_ConstantPadNd):
    """A border of `value` around the last two dimensions."""

    _dims = 2


class ConstantPad3d(_ConstantPadNd):
    """A border of `value` around the last three dimensions."""

    _dims = 3


class ZeroPad1d(_ZeroPadNd, ConstantPad1d):
    """A border of zeros around the last dimension."""


class ZeroPad2d(_ZeroPadNd, ConstantPad2d):
    """A border of zeros around the last two dimensions."""


class ZeroPad3d(_ZeroPadNd, ConstantPad3d):
    """A border of zeros around the last three dimensions."""


class ReflectionPad1d(_PadNd):
    """(N, C, L) mirrored at its ends, which are not repeated."""

    _dims = 1
    _mode = "reflect"


class ReflectionPad2d(_PadNd):
    """(N, C, H, W) mirrored at its edges, which are not repeated."""

    _dims = 2
    _mode = "reflect"


class ReflectionPad3d(_PadNd):
    """(N, C, D, H, W) mirrored at its faces, which are not repeated."""

    _dims = 3
    _mode = "reflect"


class ReplicationPad1d(_PadNd):
    """(N, C, L) with its ends repeated."""

    _dims = 1
    _mode = "replicate"


class ReplicationPad2d(_PadNd):
    """(N, C, H, W) with its edges repeated."""

    _dims = 2
    _mode = "replicate"


class ReplicationPad3d(_PadNd):
    """(N, C, D, H, W) with its faces repeated."""

    _dims = 3
    _mode = "replicate"


class CircularPad1d(_CircularPadNd):
    """(N, C, L) continued at the other end."""

    _dims = 1


class CircularPad2d(_CircularPadNd):
    """(N, C, H, W) continued at the opposite edge."""

    _dims = 2


class CircularPad3d(_CircularPadNd):
    """(N, C, D, H, W) continued at the opposite face."""

    _dims = 3
