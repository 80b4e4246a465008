"""Normalisation layers: batch, layer, group, instance and RMS norm.

All scale with `weight` (starts at 1) and shift with `bias` (starts at 0). BatchNorm also keeps
running statistics, buffers that are part of the state dict: in training it uses the batch's own
statistics and moves the running ones, in evaluation it uses the running ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...base.errors import message, warn
from ...create.data import tensor
from ...create.filled import empty, ones, zeros
from ...engine.whole import writers
from ...handles.tensor import Tensor
from .. import functional as F
from .. import init
from ..common_types import DeviceLike, DTypeLike
from ..module import Module
from ..parameter import Parameter

if TYPE_CHECKING:
    from ...base.types import Argument


class _Affine(Module):
    """A layer that may have a `weight` and a `bias` of one shape."""

    weight: Parameter | None
    bias: Parameter | None

    def _make(
        self,
        shape: tuple[int, ...],
        weight: bool,
        bias: bool | None,
        device: DeviceLike,
        dtype: DTypeLike,
    ) -> None:
        """Make those that are wanted; the others are None, and with bias=None there is no bias."""
        for name, wanted in (("weight", weight), ("bias", bias)):
            if wanted is not None:
                value = Parameter(empty(shape, device=device, dtype=dtype)) if wanted else None
                self.register_parameter(name, value)

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class _NormBase(_Affine):
    """A weight and a bias for each channel, and running statistics, if wanted."""

    _version = 2

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self._make((num_features,), bool(affine), bool(affine and bias), device, dtype)
        kept = track_running_stats
        self.register_buffer(
            "running_mean", zeros(num_features, device=device, dtype=dtype) if kept else None
        )
        self.register_buffer(
            "running_var", ones(num_features, device=device, dtype=dtype) if kept else None
        )
        self.register_buffer("num_batches_tracked", tensor(0) if kept else None)
        self.reset_parameters()

    def _load_from_state_dict(
        self, state_dict: dict[str, Argument], prefix: str, local_metadata: Mapping[str, Argument],
        *rest: Argument,
    ) -> None:  # fmt: skip
        """Version 1 did not count batches: the count is left as it is."""
        key = prefix + "num_batches_tracked"
        if (local_metadata.get("version") or 1) < 2 and self.track_running_stats:
            state_dict.setdefault(key, self.num_batches_tracked)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, no batch seen."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0, and reset_running_stats()."""
        self.reset_running_stats()
        super().reset_parameters()

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_NormBase):
    """Statistics of each channel (dim 1) over all other dims (Ioffe and Szegedy 2015).

    `momentum` None: the running statistics are the plain average over all batches so far.
    Without `track_running_stats` the batch's own statistics serve in evaluation, too.
    """

    ranks: tuple[int, ...]

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim not in self.ranks:
            expected = " or ".join(f"{n}D" for n in self.ranks)
            raise ValueError(
                message(
                    f"expected {expected} input (got {input.ndim}D input)",
                    f"layer: {self!r}, input {tuple(input.shape)}",
                    fix="BatchNorm1d takes (N, C) and (N, C, L), BatchNorm2d (N, C, H, W), "
                    "BatchNorm3d (N, C, D, H, W)",
                )
            )

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                count = self.num_batches_tracked
                momentum = 1.0 / (count.double() if writers else float(count))
        own = self.training or self.running_mean is None
        keep = not self.training or self.track_running_stats
        return F.batch_norm(
            input,
            self.running_mean if keep else None,
            self.running_var if keep else None,
            self.weight,
            self.bias,
            own,
            momentum,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    """Batch norm of (N, C) or (N, C, L)."""

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch norm of images (N, C, H, W)."""

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch norm of volumes (N, C, D, H, W)."""

    ranks = (5,)


class LayerNorm(_Affine):
    """Normalise the last dims, of sizes `normalized_shape`, of each example (Ba et al. 2016)."""

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        shape = (
            (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        )
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        wanted = bool(elementwise_affine)
        self._make(shape, wanted, wanted and bool(bias), device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(_Affine):
    """x / sqrt(mean(x²) + eps) * weight over the last dims (Zhang and Sennrich 2019).

    eps None: the dtype's.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        shape = (
            (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        )
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        self._make(shape, bool(elementwise_affine), None, device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(_Affine):
    """Normalise each example over groups of channels (Wu and He 2018).

    The input is (N, num_channels, ...).
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(
                message(
                    f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})",
                    fix=f"GroupNorm(1, {num_channels}) takes all channels together",
                )
            )
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = eps, affine
        self._make((num_channels,), bool(affine), bool(affine and bias), device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class _InstanceNorm(_NormBase):
    """Normalise each channel of each example over its places (Ulyanov et al. 2016).

    With `track_running_stats`, the means of the examples' statistics are kept, and serve in
    evaluation.
    """

    _version = 2

    rank: int

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (self.rank, self.rank - 1):
            raise ValueError(
                message(
                    f"expected {self.rank - 1}D or {self.rank}D input (got {input.ndim}D input)",
                    f"layer: {self!r}, input {tuple(input.shape)}",
                )
            )
        dim = input.ndim - self.rank + 1
        if input.shape[dim] != self.num_features:
            if self.affine:
                raise ValueError(
                    message(
                        f"expected input's size at dim={dim} to match num_features "
                        f"({self.num_features}), but got: {input.shape[dim]}.",
                        f"layer: {self!r}, input {tuple(input.shape)}",
                    )
                )
            warn(
                f"input's size at dim={dim} does not match num_features. You can silence this "
                "warning by not passing in num_features, which is not used because affine=False",
            )
        batched = input.ndim == self.rank
        output = F.instance_norm(
            input if batched else input.unsqueeze(0),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return output if batched else output.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """Instance norm of (N, C, L) or (C, L)."""

    rank = 3


class InstanceNorm2d(_InstanceNorm):
    """Instance norm of images (N, C, H, W) or (C, H, W)."""

    rank = 4


class InstanceNorm3d(_InstanceNorm):
    """Instance norm of volumes (N, C, D, H, W) or (C, D, H, W)."""

    rank = 5
