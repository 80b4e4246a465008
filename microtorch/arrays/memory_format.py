"""PyTorch's memory layouts: ``channels_last`` puts the channels of each pixel side by side."""
from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import message
from .layout import Constant

if TYPE_CHECKING:
    from ..base.types import Array, Shape


class memory_format(Constant):
    """A memory layout, as in ``x.contiguous(memory_format=torch.channels_last)``."""

    __slots__ = ()

    def made(self, shape: Shape, make: Callable[[Shape], Array]) -> Array:
        """An array of ``shape`` in this layout: what ``make`` makes, in rows, of its shape there.

        RuntimeError unless ``channels_last`` is asked of 4 dimensions, channels_last_3d of 5.
        """
        if not self.name.startswith("channels_last"):
            return make(shape)
        if len(shape) != self.rank:
            raise RuntimeError(
                message(f"required rank {self.rank} tensor to use {self.name} format")
            )
        return np.moveaxis(make((shape[0], *shape[2:], shape[1])), -1, 1)

    def fits(self, x: Array) -> bool:
        """Does an array lie in this layout?"""
        if not self.name.startswith("channels_last"):
            return x.flags.c_contiguous
        if x.ndim != self.rank:
            return False
        return x.transpose((0, *range(2, x.ndim), 1)).flags.c_contiguous

    @property
    def rank(self) -> int:
        return 5 if self.name == "channels_last_3d" else 4


def is_channels_last(x: Array) -> bool:
    """Do the elements of (N, C, *) images lie pixel by pixel, with the channels side by side?

    PyTorch's answer where sizes of 1 leave it open, and where there are gaps.
    """
    # the first comparison of _is_last, which most images fail, saves its look-up
    steps = x.strides
    return len(steps) in (4, 5) and 0 < steps[1] <= steps[-1] and _is_last(x.shape, steps)


@lru_cache(1024)
def _is_last(shape: Shape, strides: Shape) -> bool:
    least = 0
    for d in (1, *reversed(range(2, len(shape))), 0):
        if not shape[d] or strides[d] < least or (d == 0 and least == strides[1]):
            return False
        least = strides[d] * shape[d]
    return True


contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
NAMES = (
    "memory_format", "contiguous_format", "preserve_format", "channels_last", "channels_last_3d",
)  # fmt: skip
