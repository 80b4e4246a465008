"""Lazy layers: those that find out the number of their inputs when they are first called.

Such a layer starts with uninitialized parameters. Before its first call a hook asks
`initialize_parameters` to give them a shape and initial values; then the layer becomes one of the
ordinary class, `cls_to_become`. Its initial values are those that the ordinary layer would have
drawn at that moment.
"""

from __future__ import annotations

import itertools

from ...autograd import no_grad
from ...base.errors import describe, message
from ...base.types import Argument
from ...create.data import tensor
from ...handles.tensor import Tensor
from ..common_types import DeviceLike, DTypeLike, Size
from ..module import Module
from ..parameter import (
    UninitializedBuffer,
    UninitializedParameter,
    UninitializedTensorMixin,
    is_lazy,
)
from .conv import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    _ConvNd,
)
from .linear import Linear
from .normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    _NormBase,
)


class LazyModuleMixin(Module):
    """To be inherited before a class of layers: its parameters may be uninitialized at first.

    A subclass defines `initialize_parameters(*args, **kwargs)`, which is called with the arguments
    of the first call, and may name a class `cls_to_become`.
    """

    cls_to_become: type[Module] | None = None

    def __init__(self, *args: Argument, **kwargs: Argument) -> None:
        super().__init__(*args, **kwargs)
        self._initialize_hook = self.register_forward_pre_hook(
            self._infer_parameters, with_kwargs=True
        )

    def initialize_parameters(self, *args: Argument, **kwargs: Argument) -> None:
        """Give the parameters their shapes and initial values; a subclass defines it."""
        raise NotImplementedError(
            message(f"initialize_parameters is not implemented for {type(self).__name__}")
        )

    def has_uninitialized_params(self) -> bool:
        """Is there a parameter or a buffer without a shape?"""
        own = itertools.chain(self._parameters.values(), self._buffers.values())
        return any(is_lazy(value) for value in own)

    @staticmethod
    def _infer_parameters(
        module: LazyModuleMixin, args: tuple[Argument, ...], kwargs: dict[str, Argument]
    ) -> None:
        module.initialize_parameters(*args, **kwargs)
        if module.has_uninitialized_params():
            raise RuntimeError(
                message(
                    f"module {type(module).__name__} has not been fully initialized",
                    fix="initialize_parameters has to materialize every parameter and buffer",
                )
            )
        module._initialize_hook.remove()
        del module._initialize_hook
        if module.cls_to_become is not None:
            object.__setattr__(module, "__class__", module.cls_to_become)


# ---------------------------------------------------------------- Linear


class LazyLinear(LazyModuleMixin, Linear):
    """Linear, whose in_features is the last size of its first input."""

    cls_to_become = Linear

    def __init__(
        self,
        out_features: int,
        bias: bool = True,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(0, 0, False)
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_features = out_features
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw new initial values, if the parameters have a shape."""
        if not self.has_uninitialized_params() and self.in_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        if self.has_uninitialized_params():
            with no_grad():
                self.in_features = input.shape[-1]
                _materialize(self.weight, self.out_features, self.in_features)
                _materialize(self.bias, self.out_features)
                self.reset_parameters()
        if self.in_features == 0:  # the parameters were loaded
            if input.shape[-1] != self.weight.shape[-1]:
                raise AssertionError(
                    message(
                        f"The in_features inferred from input: {input.shape[-1]} is not equal to "
                        f"in_features from self.weight: {self.weight.shape[-1]}"
                    )
                )
            self.in_features = input.shape[-1]


def _materialize(parameter: Tensor | None, *shape: int) -> None:
    if isinstance(parameter, UninitializedTensorMixin):
        parameter.materialize(shape)


# ---------------------------------------------------------------- convolutions


class _LazyConv(LazyModuleMixin, _ConvNd):
    """A convolution whose in_channels is the number of channels of its first input."""

    def __init__(
        self,
        out_channels: int,
        kernel_size: Size,
        *settings: Argument,
        bias: bool,
        device: DeviceLike,
        dtype: DTypeLike,
        **named: Argument,
    ) -> None:
        super().__init__(
            0, 0, kernel_size, *settings, bias=False, device=device, dtype=dtype, **named
        )
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_channels = out_channels
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw new initial values, if the parameters have a shape."""
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor, *args: Argument, **kwargs: Argument) -> None:
        if not self.has_uninitialized_params():
            return
        n = self.n
        if input.ndim not in (n + 1, n + 2):
            raise RuntimeError(
                message(
                    f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to "
                    f"{type(self).__name__}, but got input of size: {list(input.shape)}",
                    describe(input),
                )
            )
        self.in_channels = input.shape[-n - 1]
        if self.in_channels % self.groups:
            raise ValueError(
                message(
                    "in_channels must be divisible by groups",
                    f"{type(self).__name__}: in_channels={self.in_channels}, groups={self.groups}",
                )
            )
        first, second = self.out_channels, self.in_channels
        if self.transposed:
            first, second = second, first
        _materialize(self.weight, first, second // self.groups, *self.kernel_size)
        _materialize(self.bias, self.out_channels)
        self.reset_parameters()


class _LazyForward(_LazyConv):
    def __init__(
        self,
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
            out_channels, kernel_size, stride, padding, dilation, groups, bias=bias,
            padding_mode=padding_mode, device=device, dtype=dtype,
        )  # fmt: skip


class _LazyTransposed(_LazyConv):
    def __init__(
        self,
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
            out_channels, kernel_size, stride, padding, output_padding, groups, bias=bias,
            dilation=dilation, padding_mode=padding_mode, device=device, dtype=dtype,
        )  # fmt: skip


class LazyConv1d(_LazyForward, Conv1d):
    """Conv1d, whose in_channels is that of its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyForward, Conv2d):
    """Conv2d, whose in_channels is that of its first input."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyForward, Conv3d):
    """Conv3d, whose in_channels is that of its first input."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyTransposed, ConvTranspose1d):
    """ConvTranspose1d, whose in_channels is that of its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyTransposed, ConvTranspose2d):
    """ConvTranspose2d, whose in_channels is that of its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyTransposed, ConvTranspose3d):
    """ConvTranspose3d, whose in_channels is that of its first input."""

    cls_to_become = ConvTranspose3d


# ---------------------------------------------------------------- norms


class _LazyNorm(LazyModuleMixin, _NormBase):
    """A norm whose num_features is the size of dimension 1 of its first input."""

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, False, device, dtype, bias=False)
        self.affine, self.track_running_stats = affine, track_running_stats
        if affine:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
            if bias:
                self.bias = UninitializedParameter(device=device, dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = tensor(0, device=device)

    def reset_parameters(self) -> None:
        """Weight 1, bias 0 and no batch seen, if the parameters have a shape."""
        if not self.has_uninitialized_params() and self.num_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        if self.has_uninitialized_params():
            self.num_features = input.shape[1]
            for value in (self.weight, self.bias, self.running_mean, self.running_var):
                _materialize(value, self.num_features)
            self.reset_parameters()


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """BatchNorm1d, whose num_features is that of its first input."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """BatchNorm2d, whose num_features is that of its first input."""

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNorm, BatchNorm3d):
    """BatchNorm3d, whose num_features is that of its first input."""

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(_LazyNorm, InstanceNorm1d):
    """InstanceNorm1d, whose num_features is that of its first input."""

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNorm, InstanceNorm2d):
    """InstanceNorm2d, whose num_features is that of its first input."""

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNorm, InstanceNorm3d):
    """InstanceNorm3d, whose num_features is that of its first input."""

    cls_to_become = InstanceNorm3d
