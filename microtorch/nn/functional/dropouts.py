"""Dropout: of single elements, and of whole channels."""

from __future__ import annotations

from collections.abc import Sequence

from ...base.errors import describe, message
from ...handles.tensor import Tensor
from ...utils.kernels import dropout_noise


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set elements to 0 with probability `p`, scale the others by 1 / (1 - p).

    The identity unless `training`. The mask is drawn from the default generator as PyTorch
    draws it.
    """
    return _dropped(input, input.shape, p, inplace) if _acts(input, p, training) else input


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Set whole channels of (N, C, L) or (C, L) to 0 with probability `p`, scale the others."""
    acts = _acts(input, p, training)
    _check_dims("dropout1d", 1, input)
    if not acts:
        return input
    if input.ndim == 2:  # a sample without a batch
        return dropout1d(input.unsqueeze(0), p, training, inplace).squeeze(0)
    return _dropped(input, _channels(input), p, inplace)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Set whole channels of (N, C, H, W) to 0 with probability `p`, scale the others.

    Tompson et al. 2015. 3-d input is taken as (N, C, L), as PyTorch does.
    """
    acts = _acts(input, p, training)
    _check_dims("dropout2d", 2, input)
    return _dropped(input, _channels(input), p, inplace) if acts else input


def _acts(input: Tensor, p: float, training: bool) -> bool:
    """Does dropout do anything here? ValueError for a `p` that is no probability."""
    if not 0.0 <= p <= 1.0:
        raise ValueError(
            message(
                f"dropout probability has to be between 0 and 1, but got {p}",
                fix="p=0.1 drops a tenth of the elements",
            )
        )
    return training and p != 0 and input.numel() != 0


def _dropped(input: Tensor, shape: Sequence[int], p: float, inplace: bool) -> Tensor:
    """`input` times noise of `shape`, which broadcasts against it."""
    noise = dropout_noise(input, shape, p)
    return input.mul_(noise) if inplace else input * noise


def _channels(input: Tensor) -> tuple[int, ...]:
    """The shape of one number for each channel of (N, C, ...)."""
    return (*input.shape[:2], *[1] * (input.ndim - 2))


def _check_dims(name: str, n: int, input: Tensor) -> None:
    if input.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            message(
                f"{name}: Expected {n + 1}D or {n + 2}D input, but received a {input.ndim}D input.",
                f"it drops whole channels: the input is (N, C, ...), but got {describe(input)}",
                fix="dropout drops single elements",
            )
        )
