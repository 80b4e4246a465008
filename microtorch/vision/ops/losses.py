"""Losses of detection."""

from __future__ import annotations

from microtorch import nn

from ...base.errors import message
from ...handles.tensor import Tensor
from .boxes import apart, frame, shared, unlike


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
    return _reduced(loss, reduction)


def generalized_box_iou_loss(
    boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7
) -> Tensor:
    """1 - ``generalized_box_iou`` of box i and box i, for (N, 4) and (N, 4)."""
    (both, either), around = shared(boxes1, boxes2), frame(boxes1, boxes2).prod(-1)
    iou = both / (either + eps) - (around - either) / (around + eps)
    return _reduced(1 - iou, reduction)


def distance_box_iou_loss(
    boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7
) -> Tensor:
    """1 - ``distance_box_iou`` of box i and box i, for (N, 4) and (N, 4)."""
    both, either = shared(boxes1, boxes2)
    return _reduced(1 - both / (either + eps) + apart(boxes1, boxes2, eps), reduction)


def complete_box_iou_loss(
    boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7
) -> Tensor:
    """1 - ``complete_box_iou`` of box i and box i, for (N, 4) and (N, 4)."""
    both, either = shared(boxes1, boxes2)
    iou = both / (either + eps)
    loss = 1 - iou + apart(boxes1, boxes2, eps) + unlike(boxes1, boxes2, iou, eps)
    return _reduced(loss, reduction)


def _reduced(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return loss
    if reduction in ("mean", "sum"):  # of no boxes: 0
        return loss.mean() if reduction == "mean" and loss.numel() else loss.sum()
    raise ValueError(
        message(f"Invalid Value for arg 'reduction': '{reduction} \n Supported reduction modes: "
                "'none', 'mean', 'sum'")
    )  # fmt: skip
