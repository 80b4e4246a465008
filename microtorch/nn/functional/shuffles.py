"""Channels moved into space and back, or among themselves: reshapes and transpositions only."""

from __future__ import annotations

import math

from ...base.errors import describe, message
from ...engine.record import laid
from ...handles.tensor import Tensor
from ...ops.arguments import owned


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(*, C r², H, W) to (*, C, H r, W r): r² channels become a square (Shi et al. 2016)."""
    r = upscale_factor
    _check("pixel_shuffle", "upscale_factor", input, r)
    *batch, channels, height, width = input.shape
    if channels % (r * r):
        raise RuntimeError(
            message(
                "pixel_shuffle expects its input's 'channel' dimension to be divisible by the "
                f"square of upscale_factor, but input.size(-3)={channels} is not divisible by "
                f"{r * r}",
                f"got {describe(input)}",
            )
        )
    squares = input.reshape(math.prod(batch), channels // (r * r), r, r, height, width)
    out = squares.permute(0, 1, 4, 2, 5, 3)
    return _apart(out.reshape(*batch, channels // (r * r), height * r, width * r), input)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(*, C, H r, W r) to (*, C r², H, W): undoes pixel_shuffle."""
    r = downscale_factor
    _check("pixel_unshuffle", "downscale_factor", input, r)
    *batch, channels, height, width = input.shape
    for name, size, dim in (("height", height, -2), ("width", width, -1)):
        if size % r:
            raise RuntimeError(
                message(
                    f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but "
                    f"input.size({dim})={size} is not divisible by {r}",
                    f"got {describe(input)}",
                )
            )
    squares = input.reshape(math.prod(batch), channels, height // r, r, width // r, r)
    out = squares.permute(0, 1, 3, 5, 2, 4)
    return _apart(out.reshape(*batch, channels * r * r, height // r, width // r), input)


def _apart(out: Tensor, input: Tensor) -> Tensor:
    """``out`` in memory of its own, also where nothing changes places."""
    base = input if input.origin is None else input.origin[0]
    moved = out.origin is None or out.origin[0] is not base
    return owned(out) if moved else out.clone()


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Deal the channels of (N, C, *), which lie group by group, in turn (Zhang et al. 2018)."""
    if input.ndim <= 2:
        raise RuntimeError(
            message(
                "channel_shuffle expects input with > 2 dims, but got input with sizes "
                f"{list(input.shape)}",
                fix="the input is (N, C, ...)",
            )
        )
    if groups <= 0:
        raise RuntimeError(
            message(
                f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
            )
        )
    rows, channels, *space = input.shape
    if channels % groups:
        raise RuntimeError(
            message(
                f"Number of channels must be divisible by groups. Got {channels} channels and "
                f"{groups} groups.",
                f"channel_shuffle: {describe(input)}",
            )
        )
    dealt = input.reshape(rows, groups, channels // groups, *space).transpose(1, 2)
    return laid(owned(dealt.reshape(input.shape)))


def _check(name: str, argument: str, input: Tensor, factor: int) -> None:
    if input.ndim < 3:
        raise RuntimeError(
            message(
                f"{name} expects input to have at least 3 dimensions, but got input with "
                f"{input.ndim} dimension(s)",
                fix="the input is (N, C, H, W), or (C, H, W)",
            )
        )
    if factor <= 0:
        raise RuntimeError(message(f"{name} expects a positive {argument}, but got {factor}"))


native_channel_shuffle = channel_shuffle
