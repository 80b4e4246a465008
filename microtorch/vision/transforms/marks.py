"""What functions of pictures do to masks and to boxes (`torchvision.tv_tensors`).

A mask is bent as its picture is, by the nearest pixel; boxes are their corners, moved; where only
colours change, both stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps

import numpy as np

import microtorch as torch

from ...base.errors import message
from ...base.types import Argument, Array
from ...handles.tensor import Tensor
from .. import tv_tensors
from ..images import Picture
from ..tv_tensors import BoundingBoxes, BoundingBoxFormat, Mask, TVTensor
from . import resampling
from .modes import InterpolationMode

Function = Callable[..., Picture]
BOXES: dict[str, Function] = {}  # by the name of the function of pictures


def of_marks(function: Function) -> Function:
    """A decorator: the function of pictures also takes what `tv_tensors` has."""
    name, parameters = function.__name__, function.__code__.co_varnames
    at = parameters.index("interpolation") - 1 if "interpolation" in parameters else None

    @wraps(function)
    def call(img: Picture, *args: Argument, **kwargs: Argument) -> Picture:
        if not isinstance(img, TVTensor):
            return function(img, *args, **kwargs)
        if isinstance(img, BoundingBoxes):
            return BOXES[name](img, *args, **kwargs) if name in BOXES else img
        if isinstance(img, Mask):
            if name not in BOXES:
                return img
            if at is not None:  # classes are not averaged
                args, kwargs = _nearest(at, args, kwargs)
            flat = img.plain() if img.ndim > 2 else img.plain().unsqueeze(0)
            made = function(flat, *args, **kwargs)
            return img._again(made if img.ndim > 2 else made[0])
        return img._again(function(img.plain(), *args, **kwargs))

    return call


def _nearest(at: int, args: Argument, kwargs: Argument) -> tuple[Argument, Argument]:
    """The arguments with the nearest pixel as their interpolation, the `at`-th of them."""
    if len(args) > at:
        return (*args[:at], InterpolationMode.NEAREST, *args[at + 1 :]), kwargs
    return args, {**kwargs, "interpolation": InterpolationMode.NEAREST}


def _boxes(rule: Function) -> Function:
    """Enter the rule for boxes of the function of this name."""
    BOXES[rule.__name__] = rule
    return rule


# ---- boxes ---------------------------------------------------------------------------------------
def corners(boxes: Tensor, format: BoundingBoxFormat) -> Tensor:
    """(N, 4) in floats: x and y of the corner at the top left, and at the bottom right."""
    x = boxes.as_subclass(Tensor)
    x = x if x.is_floating_point() else x.to(torch.float32)
    a, b, c, d = x.unbind(-1)
    if format is BoundingBoxFormat.XYWH:
        c, d = a + c, b + d
    elif format is BoundingBoxFormat.CXCYWH:
        a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
    return torch.stack([a, b, c, d], -1)


def written(xyxy: Tensor, format: BoundingBoxFormat, like: Tensor) -> Tensor:
    """Corners in another format, in the dtype of `like`."""
    a, b, c, d = xyxy.unbind(-1)
    if format is BoundingBoxFormat.XYWH:
        c, d = c - a, d - b
    elif format is BoundingBoxFormat.CXCYWH:
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    return torch.stack([a, b, c, d], -1).to(like.dtype)


def clamped(xyxy: Tensor, canvas: Sequence[int]) -> Tensor:
    """Corners within a picture (height, width)."""
    most = torch.tensor([canvas[1], canvas[0]] * 2, dtype=xyxy.dtype)
    return torch.minimum(xyxy.clamp(min=0), most)


def _on(boxes: BoundingBoxes, xyxy: Tensor, canvas: Sequence[int], clamp: bool) -> BoundingBoxes:
    """The boxes, at other corners, on another canvas."""
    if clamp:
        xyxy = clamped(xyxy, canvas)
    made = written(xyxy, boxes.format, boxes)
    return tv_tensors.wrap(made, like=boxes, canvas_size=(int(canvas[0]), int(canvas[1])))


def _scaled(boxes: BoundingBoxes, x: Sequence[float], more: Sequence[float]) -> Tensor:
    """Corners times (x, y) plus (x, y)."""
    xyxy = corners(boxes, boxes.format)
    factor = torch.tensor([*x] * 2, dtype=xyxy.dtype)
    return xyxy * factor + torch.tensor([*more] * 2, dtype=xyxy.dtype)


@_boxes
def hflip(img: BoundingBoxes) -> BoundingBoxes:
    xyxy = _scaled(img, (-1, 1), (img.canvas_size[1], 0))[:, [2, 1, 0, 3]]
    return _on(img, xyxy, img.canvas_size, False)


@_boxes
def vflip(img: BoundingBoxes) -> BoundingBoxes:
    xyxy = _scaled(img, (1, -1), (0, img.canvas_size[0]))[:, [0, 3, 2, 1]]
    return _on(img, xyxy, img.canvas_size, False)


@_boxes
def crop(img: BoundingBoxes, top: int, left: int, height: int, width: int) -> BoundingBoxes:
    return _on(img, _scaled(img, (1, 1), (-left, -top)), (height, width), True)


@_boxes
def pad(
    img: BoundingBoxes, padding: Argument, fill: Argument = 0, padding_mode: str = "constant"
) -> BoundingBoxes:
    if padding_mode != "constant":
        raise ValueError(
            message(f"Padding mode '{padding_mode}' is not supported with bounding boxes")
        )
    sides = [padding] if isinstance(padding, int) else list(padding)
    left, top, right, bottom = sides * (4 // len(sides))
    height, width = img.canvas_size
    canvas = (height + top + bottom, width + left + right)
    return _on(img, _scaled(img, (1, 1), (left, top)), canvas, True)


@_boxes
def resize(
    img: BoundingBoxes, size: Argument, interpolation: Argument = None, max_size: int | None = None,
    antialias: Argument = True,
) -> BoundingBoxes:  # fmt: skip
    height, width = img.canvas_size
    tall, wide = torch.vision.transforms.sizing.resized(height, width, size, max_size)
    return _on(img, _scaled(img, (wide / width, tall / height), (0, 0)), (tall, wide), False)


def _bent(img: BoundingBoxes, move: Callable[[Array], Array], canvas: Sequence[int]) -> Tensor:
    """The boxes around the four corners of each, after `move` of points (n, 2)."""
    xyxy = corners(img, img.format).numpy()
    points = xyxy[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)
    moved = move(points).reshape(-1, 4, 2)
    around = np.concatenate([moved.min(1), moved.max(1)], 1).astype(xyxy.dtype)
    return torch.from_numpy(around)


def _forward(
    img: BoundingBoxes, angle: float, translate: Argument, scale: float, shear: Argument,
    center: Argument,
) -> Array:  # fmt: skip
    """(2, 3): where a point of the picture goes."""
    height, width = img.canvas_size
    middle = [width * 0.5, height * 0.5] if center is None else center
    back = resampling.inverse_affine_matrix(middle, angle, translate, scale, shear)
    whole = np.array([*back, 0, 0, 1.0]).reshape(3, 3)
    return np.linalg.inv(whole)[:2]


@_boxes
def affine(
    img: BoundingBoxes, angle: float, translate: Argument, scale: float, shear: Argument,
    interpolation: Argument = None, fill: Argument = None, center: Argument = None,
) -> BoundingBoxes:  # fmt: skip
    both = [shear, 0.0] if isinstance(shear, (int, float)) else list(shear) * (2 // len(shear))
    matrix = _forward(img, angle, translate, scale, both, center)
    moved = _bent(img, lambda p: p @ matrix[:, :2].T + matrix[:, 2], img.canvas_size)
    return _on(img, moved, img.canvas_size, True)


@_boxes
def rotate(
    img: BoundingBoxes, angle: float, interpolation: Argument = None, expand: bool = False,
    center: Argument = None, fill: Argument = None,
) -> BoundingBoxes:  # fmt: skip
    matrix = _forward(img, -angle, (0, 0), 1.0, (0.0, 0.0), None if expand else center)
    height, width = img.canvas_size
    canvas, less = (height, width), np.zeros(2)
    if expand:
        ends = np.array([[0, 0], [0, height], [width, height], [width, 0]]) @ matrix[:, :2].T
        less = (ends + matrix[:, 2]).min(0)
        wide, tall = resampling.rotated_size(matrix.reshape(-1).tolist(), width, height)
        canvas = (tall, wide)
    moved = _bent(img, lambda p: p @ matrix[:, :2].T + matrix[:, 2] - less, canvas)
    return _on(img, moved, canvas, True)


@_boxes
def perspective(
    img: BoundingBoxes, startpoints: Argument, endpoints: Argument, interpolation: Argument = None,
    fill: Argument = None,
) -> BoundingBoxes:  # fmt: skip
    c = np.array([*resampling.perspective_coefficients(endpoints, startpoints), 1.0]).reshape(3, 3)

    def move(points: Array) -> Array:
        made = points @ c[:, :2].T + c[:, 2]
        return made[:, :2] / made[:, 2:]

    return _on(img, _bent(img, move, img.canvas_size), img.canvas_size, True)


@_boxes
def elastic_transform(img: BoundingBoxes, *args: Argument, **kwargs: Argument) -> BoundingBoxes:
    raise NotImplementedError(
        message("ElasticTransform moves no boxes here", fix="masks are moved: tv_tensors.Mask")
    )
