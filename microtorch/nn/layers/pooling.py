"""Pooling layers: one number for each window of an image or sequence, its maximum or its mean.

They have no parameters; each keeps its settings and calls the function of its name.
Inputs are (N, C, H, W) or (C, H, W), for the 1-d layers (N, C, L) or (C, L).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...base.errors import message
from ...base.types import Pooled
from ...handles.tensor import Tensor
from .. import functional as F
from ..common_types import Size
from ..module import Module
from .conv import repeated


class _MaxPoolNd(Module):
    function: Callable[..., Any]
    _shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

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

    def forward(self, input: Tensor) -> Pooled:
        return self.function(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class MaxPool2d(_MaxPoolNd):
    """The largest element of each window; padding counts as -inf.

    `stride` is kernel_size unless given.
    """

    function = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPoolNd):
    """The largest element of each window of volumes (N, C, D, H, W) or (C, D, H, W)."""

    function = staticmethod(F.max_pool3d)


class MaxPool1d(_MaxPoolNd):
    """The largest element of each window of a sequence."""

    function = staticmethod(F.max_pool1d)


class AvgPool2d(Module):
    """The mean of each window; padding is 0 and counted unless `count_include_pad=False`."""

    function: Callable[..., Tensor] = staticmethod(F.avg_pool2d)
    _shown = ("kernel_size", "stride", "padding")

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
        return self.function(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AvgPool3d(AvgPool2d):
    """The mean of each window of volumes (N, C, D, H, W) or (C, D, H, W). See AvgPool2d."""

    function = staticmethod(F.avg_pool3d)


class AvgPool1d(Module):
    """The mean of each window of a sequence."""

    _shown = AvgPool2d._shown

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


class _Adaptive(Module):
    function: Callable[..., Any]
    _shown = ("output_size",)

    def __init__(self, output_size: int | Sequence[int | None] | None) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return self.function(input, self.output_size)


class AdaptiveAvgPool2d(_Adaptive):
    """The means of `output_size` (H', W') windows, whatever the size of the input.

    None keeps a size.
    """

    function = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool1d(_Adaptive):
    """The means of `output_size` windows of a sequence."""

    function = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool3d(_Adaptive):
    """The means of `output_size` (D', H', W') windows of volumes."""

    function = staticmethod(F.adaptive_avg_pool3d)


class _AdaptiveMaxPool(Module):
    """With `return_indices`, a pair: the maxima, and their places (int64)."""

    _shown = ("output_size",)
    function: Callable[..., Pooled]

    def __init__(
        self, output_size: int | Sequence[int | None] | None, return_indices: bool = False
    ) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Pooled:
        return self.function(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The largest elements of `output_size` windows of a sequence."""

    function = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The largest elements of `output_size` (H', W') windows."""

    function = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The largest elements of `output_size` (D', H', W') windows of volumes."""

    function = staticmethod(F.adaptive_max_pool3d)


class _FractionalMaxPoolNd(Module):
    """Maxima of windows whose starts are spread at random (Graham 2014)."""

    n: int
    function: Callable[..., Any]

    def __init__(
        self,
        kernel_size: Size,
        output_size: Size | None = None,
        output_ratio: float | Sequence[float] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.kernel_size = repeated(kernel_size, self.n)
        if min(self.kernel_size) <= 0:
            raise ValueError(
                message(f"kernel_size must be greater than 0, but got {kernel_size}", name)
            )
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else repeated(output_size, self.n)
        self.output_ratio: tuple[float, ...] | None = None
        if output_ratio is not None:
            if isinstance(output_ratio, Sequence):
                self.output_ratio = tuple(output_ratio)
            else:
                self.output_ratio = (output_ratio,) * self.n
        if output_size is None and output_ratio is None:
            raise ValueError(
                message(
                    f"{name} requires specifying either an output size, or a pooling ratio",
                    fix="output_ratio=0.7 makes each side 0.7 times as long",
                )
            )
        if output_size is not None and output_ratio is not None:
            raise ValueError(
                message("only one of output_size and output_ratio may be specified", name)
            )
        if self.output_ratio is not None and not all(0 < r < 1 for r in self.output_ratio):
            raise ValueError(
                message(f"output_ratio must be between 0 and 1 (got {output_ratio})", name)
            )

    def forward(self, input: Tensor) -> Pooled:
        return self.function(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            _random_samples=self._random_samples,
        )


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """(N, C, H, W) to `output_size`, or to `output_ratio` in (0, 1) of its size.

    With `return_indices`, also where the maxima are.
    """

    n, function = 2, staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """FractionalMaxPool2d of volumes (N, C, D, H, W)."""

    n, function = 3, staticmethod(F.fractional_max_pool3d)


class _LPPoolNd(Module):
    """(Σ xᵖ)^(1/p) over each window, with p = `norm_type`."""

    function: Callable[..., Tensor]
    _shown = ("norm_type", "kernel_size", "stride", "ceil_mode")

    def __init__(
        self,
        norm_type: float,
        kernel_size: Size,
        stride: Size | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.norm_type, self.kernel_size = norm_type, kernel_size
        self.stride, self.ceil_mode = stride, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return self.function(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


class LPPool1d(_LPPoolNd):
    """Power averages of sequences (N, C, L) or (C, L)."""

    function = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPoolNd):
    """Power averages of images (N, C, H, W) or (C, H, W)."""

    function = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPoolNd):
    """Power averages of volumes (N, C, D, H, W) or (C, D, H, W)."""

    function = staticmethod(F.lp_pool3d)


class _MaxUnpoolNd(Module):
    """What undoes max pooling as far as can be: maxima at their places, zeros elsewhere."""

    n: int
    function: Callable[..., Tensor]
    _shown = ("kernel_size", "stride", "padding")

    def __init__(
        self, kernel_size: Size, stride: Size | None = None, padding: Size = 0
    ) -> None:
        super().__init__()
        self.kernel_size = repeated(kernel_size, self.n)
        self.stride = self.kernel_size if stride is None else repeated(stride, self.n)
        self.padding = repeated(padding, self.n)

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        """`indices` are those of the pooling layer with return_indices=True."""
        return self.function(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )


class MaxUnpool1d(_MaxUnpoolNd):
    """The partial inverse of MaxPool1d."""

    n, function = 1, staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpoolNd):
    """The partial inverse of MaxPool2d."""

    n, function = 2, staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpoolNd):
    """The partial inverse of MaxPool3d."""

    n, function = 3, staticmethod(F.max_unpool3d)
