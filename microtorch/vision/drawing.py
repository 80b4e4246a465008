"""Boxes, masks and points drawn into pictures, by Pillow."""

from __future__ import annotations

from collections.abc import Sequence

import microtorch as torch

from ..base.errors import message, warn
from ..handles.tensor import Tensor
from .images import Picture
from .transforms.converting import convert_image_dtype, pil_to_tensor, to_pil_image

RGB = tuple[int, ...]
Colour = str | tuple[int, int, int]
Colours = Colour | list[Colour] | None  # of each thing, or one of all; None: a row of distinct ones


def _check(image: Tensor, name: str) -> None:
    if not isinstance(image, Tensor):
        raise TypeError(message(f"Tensor expected, got {type(image)}"))
    if image.dtype != torch.uint8 and not image.is_floating_point():
        raise ValueError(message(f"The image dtype must be uint8 or float, got {image.dtype}"))
    if image.dim() != 3 or image.size(0) not in (1, 3):
        raise ValueError(
            message(
                "Pass individual images (C, H, W), grayscale or RGB",
                f"{name}: got shape {tuple(image.shape)}",
            )
        )


def _check_rgb(image: Tensor, name: str) -> None:
    _check(image, name)
    if image.size(0) != 3:
        raise ValueError(message("Pass an RGB image. Other Image formats are not supported"))


def colours(given: Colours, count: int) -> list[RGB]:
    """An RGB colour for each of `count` things. ValueError for too few."""
    from PIL import ImageColor

    if given is None:
        return [_distinct(i) for i in range(count)]
    if isinstance(given, list):
        if len(given) < count:
            raise ValueError(
                message(
                    "Number of colors must be equal or larger than the number of objects, but got "
                    f"{len(given)} < {count}."
                )
            )
        several: list[Colour] = given
    elif isinstance(given, str) or (isinstance(given, tuple) and len(given) == 3):
        several = [given] * count
    else:
        raise ValueError(
            message(f"colors must be a tuple or a string, or a list thereof, but got {given}.")
        )
    return [ImageColor.getrgb(c)[:3] if isinstance(c, str) else c for c in several]


def _distinct(i: int) -> RGB:
    """The i-th of a row of colours: multiples of three large numbers."""
    return tuple(i * (2**n - 1) % 255 for n in (25, 15, 21))


def _canvas(image: Tensor) -> Picture:
    """The picture as a Pillow image in colours."""
    if image.size(0) == 1:
        image = image.expand(3, -1, -1)
    return to_pil_image(convert_image_dtype(image, torch.uint8))


def _drawn(picture: Picture, like: Tensor) -> Tensor:
    return convert_image_dtype(pil_to_tensor(picture), like.dtype)


@torch.no_grad()
def draw_bounding_boxes(
    image: Tensor,
    boxes: Tensor,
    labels: Sequence[str | None] | None = None,
    colors: Colours = None,
    fill: bool = False,
    width: int = 1,
    font: str | None = None,
    font_size: int | None = None,
    label_colors: Colours = None,
    label_background_colors: Colours = None,
    fill_labels: bool = False,
) -> Tensor:
    """`image` (3, H, W), uint8 or 0..1, with rectangles (N, 4): left, top, right, bottom.

    `fill`: paint them, half transparent. `labels` stand in the corner at the top left, in their
    box's colour, or in `label_colors`, and with `fill_labels` on a ground. `font`: a file of a
    TrueType font. Returns the image's dtype.
    """
    from PIL import ImageDraw, ImageFont

    _check(image, "draw_bounding_boxes")
    if boxes.dim() != 2 or boxes.size(-1) != 4:
        raise ValueError(message(f"boxes must be (N, 4), but got {tuple(boxes.shape)}"))
    if (boxes[:, 0] > boxes[:, 2]).any() or (boxes[:, 1] > boxes[:, 3]).any():
        raise ValueError(
            message(
                "Boxes need to be in (xmin, ymin, xmax, ymax) format.",
                fix="torchvision.ops.box_convert converts them",
            )
        )
    count = len(boxes)
    if labels is not None and len(labels) != count:
        raise ValueError(
            message(
                f"Number of boxes ({count}) and labels ({len(labels)}) mismatch. Please "
                "specify labels for each box."
            )
        )
    if not count:
        warn("boxes doesn't contain any box. No box was drawn")
        return image
    lines = colours(colors, count)
    words = lines
    if label_colors or fill_labels:  # on a ground of their own colour they were not seen
        words = colours(label_colors or "black", count)
    grounds = colours(label_background_colors, count) if label_background_colors else lines
    if font is None:
        if font_size is not None:
            warn(
                "Argument 'font_size' will be ignored since 'font' is not set.",
            )
        letters = ImageFont.load_default()
    else:
        letters = ImageFont.truetype(font=font, size=font_size or 10)
    picture = _canvas(image)
    draw = ImageDraw.Draw(picture, "RGBA" if fill else None)
    for i, box in enumerate(boxes.to(torch.int64).tolist()):
        inside = (*lines[i], 100) if fill else None
        draw.rectangle(box, width=width, outline=lines[i], fill=inside)
        label = labels[i] if labels is not None else None
        if label is None:
            continue
        corner = (box[0] + width + 1, box[1] + width + 1)
        if fill_labels:
            left, top, right, bottom = draw.textbbox(corner, label, font=letters)
            draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=grounds[i])
        draw.text(corner, label, fill=words[i], font=letters)
    return _drawn(picture, image)


@torch.no_grad()
def draw_segmentation_masks(
    image: Tensor, masks: Tensor, alpha: float = 0.8, colors: Colours = None
) -> Tensor:
    """`image` (3, H, W) with what bool `masks` (N, H, W) cover in colours, `alpha` of them.

    What several masks cover becomes black.
    """
    _check_rgb(image, "draw_segmentation_masks")
    masks = masks[None] if masks.ndim == 2 else masks
    if masks.ndim != 3:
        raise ValueError(message(f"masks must be of shape (H, W) or (N, H, W), got {masks.ndim}D"))
    if masks.dtype != torch.bool:
        raise ValueError(message(f"The masks must be of dtype bool. Got {masks.dtype}"))
    if masks.shape[-2:] != image.shape[-2:]:
        raise ValueError(message("The image and the masks must have the same height and width"))
    if not len(masks):
        warn("masks doesn't contain any mask. No mask was drawn")
        return image
    painted = image.clone()
    for mask, colour in zip(masks, colours(colors, len(masks)), strict=False):
        value = torch.tensor(colour, dtype=torch.uint8)[:, None]
        painted[:, mask] = convert_image_dtype(value, image.dtype)
    painted[:, masks.sum(0) > 1] = 0  # where several lie, as in torchvision
    return (image * (1 - alpha) + painted * alpha).to(image.dtype)


@torch.no_grad()
def draw_keypoints(
    image: Tensor,
    keypoints: Tensor,
    connectivity: Sequence[tuple[int, int]] | None = None,
    colors: Colour | None = None,
    radius: int = 2,
    width: int = 3,
    visibility: Tensor | None = None,
) -> Tensor:
    """`image` (3, H, W) with points (N, K, 2), x and y, as discs, and with lines between them.

    `connectivity`: which points of each of the N are joined. `visibility` (N, K): which are drawn.
    """
    from PIL import ImageDraw

    _check_rgb(image, "draw_keypoints")
    if keypoints.ndim != 3 or keypoints.size(-1) != 2:
        raise ValueError(
            message(f"keypoints must be of shape (N, K, 2), got {tuple(keypoints.shape)}")
        )
    if visibility is None:
        visibility = torch.ones(keypoints.shape[:-1], dtype=torch.bool)
    if visibility.ndim == 3:
        visibility = visibility.squeeze(-1)
    if visibility.shape != keypoints.shape[:-1]:
        raise ValueError(
            message(
                "keypoints and visibility must have the same dimensionality for num_instances and "
                f"K, got {tuple(keypoints.shape)} and {tuple(visibility.shape)}"
            )
        )
    picture = _canvas(image)
    draw = ImageDraw.Draw(picture)
    seen = visibility.to(torch.bool).tolist()
    for points, shown in zip(keypoints.to(torch.int64).tolist(), seen, strict=True):
        for (x, y), is_shown in zip(points, shown, strict=True):
            if is_shown:
                around = (x - radius, y - radius, x + radius, y + radius)
                draw.ellipse(around, fill=colors, outline=None, width=0)
        for start, end in connectivity or ():
            if shown[start] and shown[end]:
                draw.line((*points[start], *points[end]), width=width)
    return _drawn(picture, image)
