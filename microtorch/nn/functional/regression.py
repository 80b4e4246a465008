"""Losses for regression: how far numbers are from their targets.

mse_loss is an op of its own; the others are composed of ops.
"""

from __future__ import annotations

from ...arrays import dtypes
from ...base.errors import message, warn
from ...handles.tensor import Tensor
from ...ops.arguments import not_floating
from ...ops.loss import mse_loss as mse_loss_op
from ...ops.shape import broadcast_tensors
from ...ops.surface import FUNCTIONS
from .reduction import check_weight, legacy_reduction, put_into, reduce_loss, weighted

_smooth_l1, _huber = FUNCTIONS["smooth_l1"], FUNCTIONS["huber"]


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """(input - target)². Warns when the two shapes differ."""
    input, target = _same_sizes(input, target)
    _floating("mse_cpu", input, target)
    reduction = legacy_reduction(size_average, reduce, reduction)
    if weight is None:
        return mse_loss_op(input, target, reduction)
    return weighted((input - target).square(), weight, input, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """|input - target|. Warns when the two shapes differ."""
    input, target = _same_sizes(input, target)
    reduction = legacy_reduction(size_average, reduce, reduction)
    return weighted((input - target).abs(), weight, input, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """d²/2beta where d = |input - target| < beta, else d - beta/2 (Girshick 2015).

    beta = 0 is l1_loss.
    """
    input, target = _same_sizes(input, target)
    if beta < 0:
        raise RuntimeError(
            message(
                f"smooth_l1_loss does not support negative values for beta. Got {beta}.",
                fix="beta=1.0; 0 is l1_loss",
            )
        )
    input, target = _floating("smooth_l1_cpu", input, target)
    if beta > 0:
        distance = _smooth_l1(input, target, beta=float(beta))
    else:
        distance = (input - target).abs()
    return reduce_loss(distance, legacy_reduction(size_average, reduce, reduction))


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """d²/2 where d = |input - target| <= delta, else delta * (d - delta/2) (Huber 1964)."""
    input, target = _same_sizes(input, target)
    if not delta > 0:
        raise RuntimeError(
            message(
                f"huber_loss does not support non-positive values for delta. Got {delta}.",
                fix="delta=1.0",
            )
        )
    x, target = _floating("huber_cpu", input, target)
    loss = put_into(_huber(x, target, delta=float(delta)), input)
    if weight is not None:
        check_weight(weight, input)
        loss = loss * weight  # its "mean" divides by the number of elements, as PyTorch's does
    return reduce_loss(loss, reduction)


def _same_sizes(input: Tensor, target: Tensor) -> tuple[Tensor, ...]:
    """Both in their common shape, with PyTorch's warning before (N, 1) and (N,) quietly become
    (N, N).
    """
    if input.shape == target.shape:
        return input, target
    warn(
        f"Using a target size ({target.shape}) that is different to the input size "
        f"({input.shape}). This will likely lead to incorrect results due to broadcasting. "
        "Please ensure they have the same size.",
    )
    return broadcast_tensors(input, target)


def _floating(kernel: str, input: Tensor, target: Tensor) -> tuple[Tensor, ...]:
    """Both, masks and integers in the dtype of the other; NotImplementedError if none is floating.

    PyTorch names the ``kernel`` that it misses for the common dtype.
    """
    both = input, target
    if all(t.array.dtype.kind in "fV" for t in both):
        return both
    common = dtypes.promote([(t.array.dtype, 2 if t.array.ndim else 1) for t in both])
    both = input.to(dtypes.FROM_NUMPY[common]), target.to(dtypes.FROM_NUMPY[common])
    if common.kind not in "fV":
        raise not_floating(kernel, both[0])
    return both
