"""Linear and bilinear maps."""

from __future__ import annotations

from typing import Any

from ...base.errors import describe, message
from ...handles.tensor import Tensor
from ...ops.products import linear
from .classification import cross_entropy

__all__ = ["bilinear", "linear", "linear_cross_entropy"]


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y_k = x1 @ weight[k] @ x2 + bias_k.

    Shapes: x1 (*, in1), x2 (*, in2), weight (out, in1, in2), bias (out,), y (*, out).
    """
    sizes = (input1.shape[-1], input2.shape[-1])
    if input1.shape[:-1] != input2.shape[:-1] or sizes != tuple(weight.shape[1:]):
        raise RuntimeError(
            message(
                "bilinear(): input and weight shapes do not fit",
                f"input1 {tuple(input1.shape)}, input2 {tuple(input2.shape)}, "
                f"weight {tuple(weight.shape)}",
                fix=f"expected input1 (*, {weight.shape[1]}) and input2 (*, {weight.shape[2]}) "
                "with the same *",
            )
        )
    # (*, 1, 1, in1) @ (out, in1, in2) -> (*, out, 1, in2), times (*, 1, in2, 1) -> (*, out, 1, 1)
    rows = input1.unsqueeze(-2).unsqueeze(-2) @ weight
    output = (rows @ input2.unsqueeze(-2).unsqueeze(-1)).squeeze(-1).squeeze(-1)
    return output if bias is None else output + bias


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """cross_entropy(linear(input, linear_weight, linear_bias), target).

    ``input`` (N, in) or (in,), ``linear_weight`` (C, in), or (C, d1, ..., in) for targets
    (N, d1, ...). ``options``, which in PyTorch save memory, change nothing here.
    """
    wrong = ""
    if input.ndim not in (1, 2):
        wrong = f"expected input with dimensionality 1 or 2, got {input.ndim}"
    elif linear_weight.ndim < 2:
        wrong = (
            f"expected linear_weight with dimensionality at least 2, got {linear_weight.ndim}"
        )
    elif input.shape[-1] != linear_weight.shape[-1]:
        wrong = (
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{input.shape[-1]} and {linear_weight.shape[-1]}, respectively"
        )
    elif linear_bias is not None and linear_bias.shape != linear_weight.shape[:-1]:
        wrong = (
            f"expected linear_bias shape {tuple(linear_weight.shape[:-1])}, got "
            f"{tuple(linear_bias.shape)}"
        )
    elif linear_weight.ndim > 2 and input.ndim == 1:
        wrong = (
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} "
            "requires batched input"
        )
    elif ignore_index is not None and target.shape == input.shape[:-1] + linear_weight.shape[:-1]:
        wrong = "ignore_index cannot be specified when target contains probabilities"
    if wrong:
        raise RuntimeError(
            message(wrong, f"input {describe(input)}, linear_weight {describe(linear_weight)}")
        )
    scores = input @ linear_weight.reshape(-1, linear_weight.shape[-1]).mT
    scores = scores.reshape(*input.shape[:-1], *linear_weight.shape[:-1])
    if linear_bias is not None:
        scores = scores + linear_bias
    return cross_entropy(
        scores, target, weight, reduction=reduction, label_smoothing=label_smoothing,
        ignore_index=-100 if ignore_index is None else ignore_index,
    )  # fmt: skip
