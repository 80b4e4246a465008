"""Pooling layers: one number for each window of an image or sequence, its maximum or its mean.

They have no parameters; each keeps its settings and calls the function of its name.
Inputs are (N, C, H, W) or (C, H, W), for the 1-d layers (N, C, L) or (C, L).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...handles.tensor import Tensor
from .. import functional as F
from ..common_types import Size
from ..module import Module
from .conv import repeated


class _MaxPoolNd(Module):
    function: Callable[..., Any]

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return self.function(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool2d(_MaxPoolNd):
    """The largest element of each window; padding counts as -inf.

    `stride` is kernel_size unless given.
    """

    function = staticmethod(F.max_pool2d)


class MaxPool1d(_MaxPoolNd):
    """The largest element of each window of a sequence."""

    function = staticmethod(F.max_pool1d)


class AvgPool2d(Module):
    """The mean of each window; padding is 0 and counted unless `count_include_pad=False`."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(Module):
    """The mean of each window of a sequence."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = repeated(kernel_size, 1)
        self.stride = self.kernel_size if stride is None else repeated(stride, 1)
        self.padding, self.ceil_mode = repeated(padding, 1), ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
        )

    extra_repr = AvgPool2d.extra_repr


class _Adaptive(Module):
    function: Callable[..., Any]

    def __init__(self, output_size: int | Sequence[int | None] | None) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return self.function(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool2d(_Adaptive):
    """The means of `output_size` (H', W') windows, whatever the size of the input.

    None keeps a size.
    """

    function = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool1d(_Adaptive):
    """The means of `output_size` windows of a sequence."""

    function = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveMaxPool2d(_Adaptive):
    """The largest elements of `output_size` (H', W') windows."""

    function = staticmethod(F.adaptive_max_pool2d)
