"""Boxes in pictures, (N, 4): x1, y1, x2, y2, the corners with the smallest and largest values."""

from __future__ import annotations

import math

import numpy as np

import microtorch as torch

from ...base.errors import message
from ...handles.tensor import Tensor

FORMATS = ("xyxy", "xywh", "cxcywh")


def box_area(boxes: Tensor) -> Tensor:
    """The areas, (N,)."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """From one way to write a box to another: "xyxy", "xywh", or "cxcywh" with the centre.

    Raises ValueError for another word.
    """
    if in_fmt not in FORMATS or out_fmt not in FORMATS:
        raise ValueError(
            message(
                "Unsupported Bounding Box Conversions for given in_fmt "
                f"{in_fmt!r} and out_fmt {out_fmt!r}",
                f"known are {', '.join(FORMATS)}",
            )
        )
    if in_fmt == out_fmt:
        return boxes.clone()
    a, b, c, d = boxes.unbind(-1)
    if in_fmt == "xywh":
        a, b, c, d = a, b, a + c, b + d
    elif in_fmt == "cxcywh":
        a, b, c, d = a - 0.5 * c, b - 0.5 * d, a + 0.5 * c, b + 0.5 * d
    if out_fmt == "xywh":
        a, b, c, d = a, b, c - a, d - b
    elif out_fmt == "cxcywh":
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    return torch.stack((a, b, c, d), dim=-1)


# ---- what two boxes share ------------------------------------------------------------------------
# a and b broadcast: pair by pair, or ``_each(boxes1, boxes2)`` for each with each, (N, M)
def _each(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    return boxes1[..., :, None, :], boxes2[..., None, :, :]


def shared(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The areas that are in both boxes, and in either."""
    low, high = torch.max(a[..., :2], b[..., :2]), torch.min(a[..., 2:], b[..., 2:])
    both = (high - low).clamp(min=0).prod(-1)
    return both, box_area(a) + box_area(b) - both


def frame(a: Tensor, b: Tensor) -> Tensor:
    """The sides of the smallest box around both."""
    low, high = torch.min(a[..., :2], b[..., :2]), torch.max(a[..., 2:], b[..., 2:])
    return (high - low).clamp(min=0)


def apart(a: Tensor, b: Tensor, eps: float) -> Tensor:
    """How far the centres are apart, squared, as a share of their frame's diagonal, squared."""
    centres = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    return centres.square().sum(-1) / (frame(a, b).square().sum(-1) + eps)


def unlike(a: Tensor, b: Tensor, iou: Tensor, eps: float) -> Tensor:
    """How much width : height differs, weighted more where the boxes share more already."""
    wide, high = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    angles = torch.atan(wide[..., 0] / wide[..., 1]) - torch.atan(high[..., 0] / high[..., 1])
    v = 4 / math.pi**2 * angles.square()
    with torch.no_grad():
        weight = v / (1 - iou + v + eps)
    return weight * v


def _box_inter_union(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    return shared(*_each(boxes1, boxes2))


def box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """What two boxes share, divided by what they cover together, for each pair: (N, M)."""
    both, either = _box_inter_union(boxes1, boxes2)
    return both / either


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """``box_iou``, less the share of their common frame that neither covers: (N, M).

    H. Rezatofighi et al., Generalized Intersection over Union, 2019.
    """
    a, b = _each(boxes1, boxes2)
    (both, either), around = shared(a, b), frame(a, b).prod(-1)
    return both / either - (around - either) / around


def distance_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """``box_iou``, less how far the centres are apart: (N, M).

    Z. Zheng et al., Distance-IoU Loss, 2020, as ``complete_box_iou``.
    """
    return box_iou(boxes1, boxes2) - apart(*_each(boxes1, boxes2), eps)


def complete_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """``distance_box_iou``, less how much the boxes' proportions differ: (N, M)."""
    iou, (a, b) = box_iou(boxes1, boxes2), _each(boxes1, boxes2)
    return iou - apart(a, b, eps) - unlike(a, b, iou, eps)


# ---- choosing boxes ------------------------------------------------------------------------------
def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The parts of the boxes within a picture of ``size`` (height, width)."""
    height, width = size
    x, y = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return torch.stack((x, y), dim=-1).reshape(boxes.shape)


def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """The indices of boxes none of whose sides is below ``min_size``."""
    wide = boxes[:, 2] - boxes[:, 0] >= min_size
    high = boxes[:, 3] - boxes[:, 1] >= min_size
    return torch.where(wide & high)[0]


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """The indices of boxes that are kept, best score first.

    From the best to the worst, a box goes where it shares more than ``iou_threshold`` with one that
    is kept.
    """
    order = np.argsort(-scores.detach().numpy(), kind="stable")
    corners = boxes.detach().numpy()[order]
    x1, y1, x2, y2 = corners.T
    areas = (x2 - x1) * (y2 - y1)
    gone = np.zeros(len(order), bool)
    kept = []
    for i in range(len(order)):
        if gone[i]:
            continue
        kept.append(order[i])
        width = np.minimum(x2[i], x2[i + 1 :]) - np.maximum(x1[i], x1[i + 1 :])
        height = np.minimum(y2[i], y2[i + 1 :]) - np.maximum(y1[i], y1[i + 1 :])
        both = width.clip(0) * height.clip(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            gone[i + 1 :] |= both / (areas[i] + areas[i + 1 :] - both) > iou_threshold
    return torch.tensor(np.array(kept, np.int64), device=boxes.device)


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """``nms`` among the boxes of each category ``idxs`` by itself."""
    if boxes.numel() == 0:
        return torch.empty(0, dtype=torch.int64, device=boxes.device)
    apart = idxs.to(boxes.dtype) * (boxes.max() + 1)  # boxes of two categories do not meet
    return nms(boxes + apart[:, None], scores, iou_threshold)


def masks_to_boxes(masks: Tensor) -> Tensor:
    """The frame of what is not zero in each mask (N, H, W): (N, 4)."""
    found = np.zeros((len(masks), 4), np.float32)
    for i, mask in enumerate(masks.numpy()):
        y, x = np.nonzero(mask)
        if len(x):
            found[i] = x.min(), y.min(), x.max(), y.max()
    return torch.tensor(found, device=masks.device)
