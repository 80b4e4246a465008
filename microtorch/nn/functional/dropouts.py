"""Dropout: of single elements, and of whole channels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...base.errors import describe, message, warn
from ...handles.tensor import Tensor
from ...utils.kernels import dropout_noise


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set elements to 0 with probability `p`, scale the others by 1 / (1 - p).

    The identity unless `training`. The mask is drawn from the default generator as PyTorch
    draws it.
    """
    if _drops_nothing(input, p, training):
        return input
    noise = dropout_noise(input, input.shape, p)
    return input.mul_(noise) if inplace else input * noise


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Set whole channels of (N, C, L) or (C, L) to 0 with probability `p`, scale the others."""
    return _of_channels("dropout1d", 1, input, p, training, inplace)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Set whole channels of (N, C, H, W) to 0 with probability `p`, scale the others.

    Tompson et al. 2015. 3-d input is taken as (N, C, L), as PyTorch does.
    """
    if input.ndim == 3:
        warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout "
            "behavior is desired - input is interpreted as shape (N, C, L). dropout1d says so."
        )
    return _of_channels("dropout2d", 2, input, p, training, inplace)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Set whole channels of (N, C, D, H, W) or (C, D, H, W) to 0 with probability `p`."""
    return _of_channels("dropout3d", 3, input, p, training, inplace)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout that keeps mean 0 and variance 1: for SELU networks (Klambauer et al. 2017).

    An element is set to -1.758, the limit of SELU, instead of 0; then all are scaled and shifted.
    """
    return _alpha_dropout(input, input.shape, p, training, inplace)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """alpha_dropout of whole channels of (N, C, ...)."""
    if training and p and input.ndim < 2 and input.numel():
        raise RuntimeError(
            message(
                "Feature dropout requires at least 2 dimensions in the input",
                f"feature_alpha_dropout: {describe(input)}",
                fix="alpha_dropout drops single elements",
            )
        )
    shape = (*input.shape[:2], *[1] * (input.ndim - 2))
    return _alpha_dropout(input, shape, p, training, inplace)


def _alpha_dropout(
    input: Tensor, shape: Sequence[int], p: float, training: bool, inplace: bool
) -> Tensor:
    if _drops_nothing(input, p, training):
        return input
    if p == 1:
        return input.mul_(0.0) if inplace else input * 0.0
    limit = 1.7580993408473766  # SELU's scale times its alpha
    scale = 1 / math.sqrt((limit * limit * p + 1) * (1 - p))
    kept = (dropout_noise(input, shape, p) != 0).to(input.dtype)
    shift = (kept - 1) * (limit * scale) + limit * scale * p
    kept = kept * scale
    return input.mul_(kept).add_(shift) if inplace else input * kept + shift


def _of_channels(
    name: str, n: int, input: Tensor, p: float, training: bool, inplace: bool
) -> Tensor:
    """Dropout with one draw for each channel of (N, C, ...); n: how many dims a channel has.

    What has other than n + 2 dims is (C, ...), except for dropout2d, which never asks.
    """
    if _drops_nothing(input, p, training):
        return input
    if n > 1 and input.ndim not in (n + 1, n + 2) and input.ndim > 1:
        warn(
            f"{name}: Received a {input.ndim}-D input to {name}, which is deprecated and will "
            "result in an error in a future release. To retain the behavior and silence this "
            "warning, please use dropout instead.",
        )
    elif input.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            message(
                f"{name}: Expected {n + 1}D or {n + 2}D input, but received a {input.ndim}D input.",
                f"it drops whole channels: the input is (N, C, ...), but got {describe(input)}",
                fix="dropout drops single elements",
            )
        )
    alone = n != 2 and input.ndim != n + 2
    x = input.unsqueeze(0) if alone else input
    noise = dropout_noise(x, (*x.shape[:2], *[1] * (x.ndim - 2)), p)
    out = x.mul_(noise) if inplace else x * noise
    return out.squeeze(0) if alone else out


def _drops_nothing(input: Tensor, p: float, training: bool) -> bool:
    """Does the input stay as it is? ValueError for what is no probability."""
    if not 0.0 <= p <= 1.0:
        raise ValueError(
            message(
                f"dropout probability has to be between 0 and 1, but got {p}",
                fix="p=0.1 drops a tenth of the elements",
            )
        )
    return not training or p == 0 or input.numel() == 0
