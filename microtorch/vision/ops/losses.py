"""Losses of detection."""

from __future__ import annotations

from microtorch import nn

from ...base.errors import message
from ...handles.tensor import Tensor


def sigmoid_focal_loss(
    inputs: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0,
    reduction: str = "none",
) -> Tensor:  # fmt: skip
    """Binary cross entropy of logits, where what is known already counts little.

    (1 - p)^gamma times the cross entropy, p the probability of the right answer; ``alpha`` weighs
    the ones and 1 - alpha the zeros, unless it is negative. T.-Y. Lin et al., Focal Loss for Dense
    Object Detection, 2017. Raises ValueError for another ``reduction``, or an alpha above 1.
    """
    if not (0 <= alpha <= 1) and alpha != -1:
        raise ValueError(message(f"Invalid alpha value: {alpha}. alpha must be in [0,1] or -1"))
    p = inputs.sigmoid()
    entropy = nn.functional.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    loss = entropy * (1 - (p * targets + (1 - p) * (1 - targets))) ** gamma
    if alpha >= 0:
        loss = loss * (alpha * targets + (1 - alpha) * (1 - targets))
    if reduction == "none":
        return loss
    if reduction in ("mean", "sum"):
        return loss.mean() if reduction == "mean" else loss.sum()
    raise ValueError(
        message(f"Invalid Value for arg 'reduction': '{reduction} \n Supported reduction modes: "
                "'none', 'mean', 'sum'")
    )  # fmt: skip
