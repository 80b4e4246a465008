"""``torchvision.ops``: layers that models share, and boxes in pictures."""

from __future__ import annotations

from ...base.errors import message, unknown
from .boxes import (
    batched_nms,
    box_area,
    box_convert,
    box_iou,
    clip_boxes_to_image,
    complete_box_iou,
    distance_box_iou,
    generalized_box_iou,
    masks_to_boxes,
    nms,
    remove_small_boxes,
)
from .layers import (
    MLP,
    Conv2dNormActivation,
    Conv3dNormActivation,
    FrozenBatchNorm2d,
    Permute,
    SqueezeExcitation,
    StochasticDepth,
    stochastic_depth,
)
from .losses import (
    complete_box_iou_loss,
    distance_box_iou_loss,
    generalized_box_iou_loss,
    sigmoid_focal_loss,
)

__all__ = [
    "MLP", "Conv2dNormActivation", "Conv3dNormActivation", "FrozenBatchNorm2d", "Permute",
    "SqueezeExcitation", "StochasticDepth", "batched_nms", "box_area", "box_convert", "box_iou",
    "clip_boxes_to_image", "complete_box_iou", "complete_box_iou_loss", "distance_box_iou",
    "distance_box_iou_loss", "generalized_box_iou", "generalized_box_iou_loss", "masks_to_boxes",
    "nms", "remove_small_boxes",
    "sigmoid_focal_loss", "stochastic_depth",
]  # fmt: skip
_ABSENT = ("RoI", "PS", "roi", "ps_", "Deform", "deform", "FeaturePyramid", "MultiScale", "Drop")


def __getattr__(name: str) -> object:
    if name.startswith(_ABSENT):
        what = f"ops.{name} is part of torchvision, but not of microtorch"
        raise AttributeError(message(what, fix="there are no detection models here"))
    raise unknown("module 'torchvision.ops'", name, __all__)
