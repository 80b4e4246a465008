"""Pictures side by side and into files, as in `torchvision.utils`."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import IO, cast

import numpy as np

import microtorch as torch

from ..base.errors import message
from ..handles.tensor import Tensor
from .images import from_array
from .transforms.converting import to_pil_image

Colour = str | tuple[int, int, int]


@torch.no_grad()
def make_grid(
    tensor: Tensor | Sequence[Tensor],
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Pictures (N, C, H, W), or a list of them, in one picture with `nrow` in a row.

    Grey ones become coloured. `normalize` brings them to 0..1 from `value_range`, by default from
    their smallest and largest value, with `scale_each` each by itself. `padding` pixels of
    `pad_value` lie between them. TypeError for anything else.
    """
    if not isinstance(tensor, Tensor):
        if not isinstance(tensor, (list, tuple)) or not all(isinstance(t, Tensor) for t in tensor):
            raise TypeError(message(f"tensor or list of tensors expected, got {type(tensor)}"))
        tensor = torch.stack(list(tensor), dim=0)
    if tensor.dim() == 2:
        tensor = tensor.unsqueeze(0)
    if tensor.dim() == 3:
        tensor = tensor.unsqueeze(0)
    if tensor.dim() != 4:
        raise ValueError(message(f"make_grid takes (N, C, H, W), but got {tuple(tensor.shape)}"))
    if tensor.size(1) == 1:
        tensor = torch.cat((tensor, tensor, tensor), 1)
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise TypeError(
                message(
                    "value_range has to be a tuple (min, max) if specified. min and max are numbers"
                )
            )
        parts = list(tensor) if scale_each else [tensor]
        scaled = [_normalized(part, value_range) for part in parts]
        tensor = torch.stack(scaled) if scale_each else scaled[0]
    count, channels, height, width = tensor.shape
    if count == 1:
        return tensor.squeeze(0)
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    height, width = height + padding, width + padding
    shape = (channels, height * rows + padding, width * columns + padding)
    grid = torch.full(shape, pad_value, dtype=tensor.dtype, device=tensor.device)
    for i in range(count):
        top, left = i // columns * height + padding, i % columns * width + padding
        grid[:, top : top + height - padding, left : left + width - padding] = tensor[i]
    return grid


def _normalized(part: Tensor, value_range: tuple[float, float] | None) -> Tensor:
    low, high = value_range or (float(part.min()), float(part.max()))
    return (part.clamp(min=low, max=high) - low) / max(high - low, 1e-5)


@torch.no_grad()
def save_image(
    tensor: Tensor | Sequence[Tensor],
    fp: str | os.PathLike[str] | IO[bytes],
    format: str | None = None,
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> None:
    """`make_grid` of pictures 0..1 into a file; `format` by default from the name's suffix."""
    grid = make_grid(tensor, nrow, padding, normalize, value_range, scale_each, pad_value)
    bytes_ = (grid.float() * 255 + 0.5).clamp(0, 255).permute(1, 2, 0).to(torch.uint8).cpu()
    from_array(np.ascontiguousarray(bytes_.numpy()), "save_image").save(fp, format=format)


@torch.no_grad()
def draw_bounding_boxes(
    image: Tensor,
    boxes: Tensor,
    labels: Sequence[str | None] | None = None,
    colors: Colour | Sequence[Colour] | None = None,
    fill: bool = False,
    width: int = 1,
) -> Tensor:
    """`image` (3, H, W), uint8 or 0..1, with rectangles (N, 4): left, top, right, bottom.

    `colors`: one, or one for each; by default a row of distinct ones. Returns the image's dtype.
    """
    from PIL import ImageDraw

    if image.dim() != 3 or image.size(0) not in (1, 3):
        raise ValueError(message("Pass an RGB or grayscale image (C, H, W)",
                                 f"got shape {tuple(image.shape)}"))  # fmt: skip
    if boxes.dim() != 2 or boxes.size(-1) != 4:
        raise ValueError(message(f"boxes must be (N, 4), but got {tuple(boxes.shape)}"))
    if labels is not None and len(labels) != len(boxes):
        raise ValueError(
            message(
                f"Number of boxes ({len(boxes)}) and labels ({len(labels)}) mismatch. Please "
                "specify labels for each box."
            )
        )
    palette: list[Colour] = list(ROW)
    if isinstance(colors, str):
        palette = [colors]
    elif isinstance(colors, tuple) and isinstance(colors[0], int):
        palette = [cast("tuple[int, int, int]", colors)]
    elif colors is not None:
        palette = list(cast("Sequence[Colour]", colors))
    picture = to_pil_image(image).convert("RGB")
    draw = ImageDraw.Draw(picture, "RGBA" if fill else "RGB")
    for i, box in enumerate(boxes.tolist()):
        colour = palette[i % len(palette)]
        inside = (*_rgb(colour), 100) if fill else None
        draw.rectangle(box, width=width, outline=colour, fill=inside)
        if labels is not None and labels[i] is not None:
            draw.text((box[0] + width + 1, box[1] + width + 1), labels[i], fill=colour)
    made = torch.from_numpy(np.array(picture).transpose(2, 0, 1).copy())
    return made if image.dtype == torch.uint8 else (made / 255).to(image.dtype)


ROW = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000")


def _rgb(colour: Colour) -> tuple[int, ...]:
    from PIL import ImageColor

    return ImageColor.getrgb(colour)[:3] if isinstance(colour, str) else colour
