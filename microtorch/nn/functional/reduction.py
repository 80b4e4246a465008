"""What the losses share: the reduction of elements to one number, weights, checks.

`reduction="none"` keeps the elements of a loss, `"sum"` adds them, `"mean"` divides that by their
number.
"""

from __future__ import annotations

from ...base.errors import ShapeError, describe, message, warn
from ...handles.inplace import check_cast
from ...handles.tensor import Tensor
from ...ops.loss import check_reduction as check_reduction


def reduce_loss(loss: Tensor, reduction: str) -> Tensor:
    """Apply "mean", "sum" or "none"; ValueError for anything else."""
    check_reduction(reduction)
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss


def put_into(result: Tensor, place: Tensor) -> Tensor:
    """``result``, which PyTorch writes into a tensor like ``place``: in its dtype.

    RuntimeError if it does not fit in.
    """
    if result.shape != place.shape:
        raise ShapeError(
            message(
                f"output with shape {list(place.shape)} doesn't match the broadcast shape "
                f"{list(result.shape)}",
                fix="give input, target and weight one shape",
            )
        )
    check_cast(result.array.dtype, place, "loss")
    return result.to(place.dtype)


def legacy_reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction that PyTorch's old pair of flags stands for, with its warning.

    `reduction` if both are None.
    """
    if size_average is None and reduce is None:
        if reduction == "elementwise_mean":
            warn(
                "reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead."
            )
            return "mean"
        return reduction
    for given in (size_average, reduce):
        if isinstance(given, Tensor) and given.numel() != 1:
            raise RuntimeError(
                message(
                    "Boolean value of Tensor with more than one value is ambiguous",
                    f"{describe(given)} given where a loss is made",
                    fix="make the loss, then call it: criterion = nn.MSELoss(); "
                    "criterion(input, target)",
                )
            )
    average, reduced = (True if flag is None else flag for flag in (size_average, reduce))
    chosen = "none" if not reduced else "mean" if average else "sum"
    warn(
        "size_average and reduce args will be deprecated, please use "
        f"reduction='{chosen}' instead.",
    )
    return chosen


def weighted(loss: Tensor, weight: Tensor | None, input: Tensor, reduction: str) -> Tensor:
    """Reduce an elementwise loss; with weights, its "mean" is their weighted mean."""
    if weight is None:
        return reduce_loss(loss, reduction)
    check_weight(weight, input)
    if reduction == "mean":
        return (loss * weight).sum() / weight.sum()
    return reduce_loss(loss * weight, reduction)


def check_weight(weight: Tensor, input: Tensor) -> None:
    if weight.shape != input.shape:
        raise ValueError(
            message(
                "Weights and input must have the same size.",
                f"weight {tuple(weight.shape)}, input {tuple(input.shape)}",
                fix="weight.expand_as(input)",
            )
        )


def both(input: Tensor, target: Tensor) -> str:
    """Both operands, as a message shows them."""
    return f"input {describe(input)}, target {describe(target)}"
