"""Boxes in pictures, (N, 4): x1, y1, x2, y2, the corners with the smallest and largest values."""

from __future__ import annotations

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


def _shared(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    """The areas that are in both boxes, and in either, for each pair: (N, M)."""
    low = torch.max(boxes1[..., :, None, :2], boxes2[..., None, :, :2])
    high = torch.min(boxes1[..., :, None, 2:], boxes2[..., None, :, 2:])
    sides = (high - low).clamp(min=0)
    both = sides[..., 0] * sides[..., 1]
    return both, box_area(boxes1)[..., :, None] + box_area(boxes2)[..., None, :] - both


def box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """What two boxes share, divided by what they cover together, for each pair: (N, M)."""
    both, either = _shared(boxes1, boxes2)
    return both / either


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """``box_iou``, less the share of their common frame that neither covers: (N, M).

    H. Rezatofighi et al., Generalized Intersection over Union, 2019.
    """
    both, either = _shared(boxes1, boxes2)
    low = torch.min(boxes1[..., :, None, :2], boxes2[..., None, :, :2])
    high = torch.max(boxes1[..., :, None, 2:], boxes2[..., None, :, 2:])
    sides = (high - low).clamp(min=0)
    frame = sides[..., 0] * sides[..., 1]
    return both / either - (frame - either) / frame


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
