"""Poolings that are made of others: power averages, fractional maxima, and unpooling."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ...base.errors import describe, message
from ...create.filled import rand
from ...handles.tensor import Tensor
from ...ops.max_pool import fractional, max_pool3d, max_unpool, with_indices
from ...ops.pool import avg_pool1d, avg_pool2d, avg_pool3d, max_pool1d, max_pool2d
from ..common_types import Size

if TYPE_CHECKING:
    from ...base.types import Pooled


# ---- power averages ------------------------------------------------------------------------------
def _lp_pool(
    n: int,
    mean: Callable[..., Tensor],
    largest: Callable[..., Pooled],
    input: Tensor,
    norm_type: float | Tensor,
    kernel_size: Size,
    stride: Size | None,
    ceil_mode: bool,
) -> Tensor:
    """(Σ xᵖ)^(1/p) over each window: the mean of xᵖ, times the window's size, where it is > 0."""
    if math.isinf(norm_type):
        sign = math.copysign(1, norm_type)
        most = largest(input.abs() * sign, kernel_size, stride, 0, 1, ceil_mode)
        assert isinstance(most, Tensor)
        return most * sign
    count = kernel_size**n if isinstance(kernel_size, int) else math.prod(kernel_size)
    out = mean(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return (out.sign() * out.abs().relu()).mul(count).pow(1.0 / norm_type)


def lp_pool1d(
    input: Tensor,
    norm_type: float | Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """(Σ xᵖ)^(1/p) over each window of (N, C, L) or (C, L), with p = `norm_type`.

    p = 1 is a sum, p = inf the largest absolute value. `stride` is kernel_size unless given.
    """
    return _lp_pool(1, avg_pool1d, max_pool1d, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor,
    norm_type: float | Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """lp_pool1d of images (N, C, H, W) or (C, H, W)."""
    return _lp_pool(2, avg_pool2d, max_pool2d, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor,
    norm_type: float | Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """lp_pool1d of volumes (N, C, D, H, W) or (C, D, H, W)."""
    return _lp_pool(3, avg_pool3d, max_pool3d, input, norm_type, kernel_size, stride, ceil_mode)


# ---- fractional maxima ---------------------------------------------------------------------------
Ratio = float | Sequence[float]


def _fractional(
    n: int,
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None,
    output_ratio: Ratio | None,
    return_indices: bool,
    samples: Tensor | None,
) -> Pooled:
    name = f"fractional_max_pool{n}d"
    if output_size is None and output_ratio is None:
        raise ValueError(
            message(
                f"{name} requires specifying either an output_size or an output_ratio",
                fix="output_ratio=0.7 makes each side 0.7 times as long",
            )
        )
    if output_size is None:
        ratios = [output_ratio] * n if isinstance(output_ratio, (int, float)) else output_ratio
        assert ratios is not None
        if len(ratios) != n:
            raise ValueError(
                message(f"{name} requires output_ratio to be a single number or {n} numbers.")
            )
        sizes = [int(m * r) for m, r in zip(input.shape[-n:], ratios, strict=True)]
    else:
        sizes = [output_size] * n if isinstance(output_size, int) else list(output_size)
    if samples is None:
        batch = 1 if input.ndim == n + 1 else input.shape[0]
        shape = (batch, input.shape[-n - 1], n)
        samples = rand(shape, dtype=input.dtype, device=input.device)
    return fractional(n, input, kernel_size, sizes, samples, return_indices)


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Pooled:
    """The largest of windows of `kernel_size`, whose starts are spread at random (Graham 2014).

    (N, C, H, W) to `output_size` (H', W'), or to `output_ratio` in (0, 1) of its size.
    `_random_samples` (N, C, 2) stands for what is drawn.
    """
    return _fractional(
        2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples
    )


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Pooled:
    """fractional_max_pool2d of volumes (N, C, D, H, W); `_random_samples` is (N, C, 3)."""
    return _fractional(
        3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples
    )


fractional_max_pool2d_with_indices = with_indices(fractional_max_pool2d)
fractional_max_pool3d_with_indices = with_indices(fractional_max_pool3d)


# ---- unpooling -----------------------------------------------------------------------------------
def _unpool(
    n: int,
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    output_size: Sequence[int] | None,
) -> Tensor:
    def each(value: Size) -> tuple[int, ...]:
        return tuple(value) if isinstance(value, Iterable) else (value,) * n

    kernel = each(kernel_size)
    steps, around = kernel if stride is None else each(stride), each(padding)
    if min(steps) <= 0 and n == 3:  # as PyTorch, which asks this of volumes only
        raise RuntimeError(
            message(f"strides should be greater than zero, but got stride: {list(steps)}")
        )
    sides = range(-len(kernel), 0)  # one number too few is an IndexError, as in PyTorch
    default = [
        (input.shape[d] - 1) * steps[i] + kernel[i] - 2 * around[i] for i, d in enumerate(sides)
    ]
    if output_size is None:
        return max_unpool(n, input, indices, tuple(default))
    size = tuple(output_size)[2:] if len(output_size) == n + 2 else tuple(output_size)
    if len(size) != n:
        raise ValueError(
            message(
                "output_size should be a sequence containing "
                f"{n} or {n + 2} elements, but it has a length of '{len(output_size)}'",
                f"max_unpool{n}d of {describe(input)}",
            )
        )
    for d, (given, middle, s) in enumerate(zip(size, default, steps, strict=False)):
        if not middle - s < given < middle + s:
            raise ValueError(
                message(
                    f'invalid output_size "{size}" (dim {d} must be between {middle - s} and '
                    f"{middle + s})",
                    f"max_unpool{n}d of {describe(input)}, kernel_size={kernel_size}",
                )
            )
    return max_unpool(n, input, indices, size)


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Undo max_pool1d as far as can be: maxima at their places, zeros elsewhere.

    `indices` (int64) are what max_pool1d returns with `return_indices`. `output_size` chooses
    among the sizes that pooling makes equal.
    """
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """max_unpool1d of images (N, C, H, W) or (C, H, W)."""
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """max_unpool1d of volumes (N, C, D, H, W) or (C, D, H, W)."""
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)
