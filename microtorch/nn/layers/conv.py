"""Convolutional layers.

One class holds what they share; `functional.conv2d` and its siblings hold the arithmetic. Weights
are (out_channels, in_channels / groups, *kernel), those of transposed layers (in_channels,
out_channels / groups, *kernel). Initial values are drawn as PyTorch draws them: weight, then bias,
uniform in ±1/sqrt(in_channels / groups * kernel elements).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence, Sized
from typing import Any

from ...base.errors import message
from ...create.filled import empty
from ...handles.tensor import Tensor
from ...ops.conv import same
from .. import functional as F
from .. import init
from ..common_types import DeviceLike, DTypeLike, Size
from ..module import Module
from ..parameter import Parameter

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


def repeated(value: Size, n: int) -> tuple[int, ...]:
    """`value` as n numbers."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * n


class _ConvNd(Module):
    """What the layers share; `n` is the number of dimensions that the window slides along.

    A subclass of a user's own gives a `kernel_size` of n numbers, and defines `forward`.
    """

    n: int
    transposed = False
    _derived = ("transposed", "_reversed_padding_repeated_twice")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size,
        padding: str | Size,
        dilation: Size,
        transposed: bool,
        output_padding: Size,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        if not hasattr(type(self), "n"):
            self.n = len(kernel_size) if isinstance(kernel_size, Sized) else 1
        if transposed != self.transposed:
            self.transposed = transposed
        if groups <= 0:
            raise ValueError(
                message(
                    "groups must be a positive integer",
                    f"{type(self).__name__}: {groups=}",
                    fix="1 connects all channels",
                )
            )
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(
                    message(
                        f"{name} must be divisible by groups",
                        f"{type(self).__name__}: {name}={channels}, {groups=}",
                    )
                )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride = repeated(kernel_size, self.n), repeated(stride, self.n)
        self.dilation, self.output_padding = (
            repeated(dilation, self.n),
            repeated(output_padding, self.n),
        )
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(
                    message(
                        f"Invalid padding string {padding!r}, should be one of {{'same', 'valid'}}",
                        f"{type(self).__name__}: {padding=}",
                        fix="'same' keeps the size, 'valid' adds nothing; or a number",
                    )
                )
            if padding == "same" and any(s != 1 for s in self.stride):
                raise ValueError(
                    message(
                        "padding='same' is not supported for strided convolutions",
                        f"{type(self).__name__}: stride={self.stride}",
                        fix="padding=kernel_size // 2",
                    )
                )
        if padding_mode not in PADDING_MODES:
            raise ValueError(
                message(
                    f"padding_mode must be one of {set(PADDING_MODES)}, "
                    f"but got padding_mode='{padding_mode}'",
                    f"{type(self).__name__}",
                )
            )
        self.padding: str | tuple[int, ...]
        self.padding = padding if isinstance(padding, str) else repeated(padding, self.n)
        self.padding_mode = padding_mode
        first, second = (
            (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        )
        shape = (first, second // groups, *self.kernel_size)
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty((out_channels,), device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        fan_in = math.prod(self.weight.shape[1:])
        if self.bias is not None and fan_in:
            init.uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    @property
    def _reversed_padding_repeated_twice(self) -> tuple[int, ...]:
        """The padding as `F.pad` takes it: (before, after) of the last dimension first."""
        if self.padding == "same":
            pairs = same(self.kernel_size, self.dilation)
        elif isinstance(self.padding, str):
            pairs = ((0, 0),) * self.n
        else:
            pairs = tuple((p, p) for p in self.padding)
        return tuple([n for pair in reversed(pairs) for n in pair])

    def padded(self, input: Tensor) -> tuple[Tensor, Any]:
        """The input, and the padding that is left to do: a mode other than zeros is done here."""
        if self.padding_mode == "zeros":
            return input, self.padding
        return F.pad(input, self._reversed_padding_repeated_twice, self.padding_mode), 0

    def extra_repr(self) -> str:
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        if self.padding != (0,) * self.n:
            text += f", padding={self.padding}"
        if self.dilation != (1,) * self.n:
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * self.n:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        return text + (
            f", padding_mode={self.padding_mode}" if self.padding_mode != "zeros" else ""
        )


class _Forward(_ConvNd):
    """Conv1d, Conv2d and Conv3d."""

    function: Callable[..., Tensor]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: str | Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            False,
            0,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """With another weight, as layers that standardise theirs call it."""
        input, padding = self.padded(input)
        return self.function(
            input, weight, bias, self.stride, padding, self.dilation, self.groups
        )


class Conv2d(_Forward):
    """Slide `out_channels` filters over images.

    (N, in_channels, H, W) to (N, out_channels, H', W'), where
    H' = (H + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1. Sizes are one int or a
    pair; `padding` also "valid" (none) or "same" (H' = H); `padding_mode` says what is put around
    the image.
    """

    n, function = 2, staticmethod(F.conv2d)


class Conv3d(_Forward):
    """Slide `out_channels` filters over volumes. See Conv2d.

    (N, in_channels, D, H, W) to (N, out_channels, D', H', W').
    """

    n, function = 3, staticmethod(F.conv3d)


class Conv1d(_Forward):
    """Slide `out_channels` filters over sequences. See Conv2d.

    (N, in_channels, L) to (N, out_channels, L').
    """

    n, function = 1, staticmethod(F.conv1d)


class _ConvTransposeNd(_ConvNd):
    """What the transposed layers share."""

    function: Callable[..., Tensor]
    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size,
        padding: Size,
        dilation: Size,
        transposed: bool,
        output_padding: Size,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(
                message(
                    f'Only "zeros" padding mode is supported for {type(self).__name__}',
                    f"{padding_mode=}",
                )
            )
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            transposed,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        extra = (
            self.output_padding if output_size is None else self._extra(input, tuple(output_size))
        )
        return self.function(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            extra,
            self.groups,
            self.dilation,
        )

    def _extra(self, input: Tensor, size: tuple[int, ...]) -> tuple[int, ...]:
        """The output padding that gives `size`, one of those that Conv2d maps to the input's."""
        sizes = input.shape[-self.n :]
        assert not isinstance(self.padding, str)  # "same" is for Conv1d and Conv2d
        spans = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        least = [
            (m - 1) * s - 2 * p + span + 1
            for m, s, p, span in zip(sizes, self.stride, self.padding, spans, strict=True)
        ]
        size = size[-self.n :]
        if any(not low <= n < low + s for n, low, s in zip(size, least, self.stride, strict=True)):
            most = [low + s - 1 for low, s in zip(least, self.stride, strict=True)]
            raise ValueError(
                message(
                    f"requested an output size of {list(size)}, but valid sizes range from "
                    f"{least} to {most} (for an input of {list(sizes)})",
                    f"{type(self).__name__}: stride={self.stride}",
                )
            )
        return tuple(n - low for n, low in zip(size, least, strict=True))


class _Transposed(_ConvTransposeNd):
    """ConvTranspose1d, ConvTranspose2d and ConvTranspose3d."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            True,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )


class ConvTranspose2d(_Transposed):
    """The transpose of Conv2d: (N, in_channels, H, W) to (N, out_channels, H', W').

    Larger where stride > 1:
    H' = (H - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1.
    """

    n, function = 2, staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_Transposed):
    """The transpose of Conv3d: (N, in_channels, D, H, W) to (N, out_channels, D', H', W')."""

    n, function = 3, staticmethod(F.conv_transpose3d)


class ConvTranspose1d(_Transposed):
    """The transpose of Conv1d: (N, in_channels, L) to (N, out_channels, L')."""

    n, function = 1, staticmethod(F.conv_transpose1d)
