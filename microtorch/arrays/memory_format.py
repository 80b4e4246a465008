"""PyTorch's names for memory layouts.

They are accepted where PyTorch takes them. The elements stay row by row: ``channels_last`` changes
no value, only the order in memory, which is numpy's affair here.
"""
from __future__ import annotations


class memory_format:
    """A memory layout, as in ``x.contiguous(memory_format=torch.channels_last)``."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
NAMES = (
    "memory_format", "contiguous_format", "preserve_format", "channels_last", "channels_last_3d",
)  # fmt: skip
