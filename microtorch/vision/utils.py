"""Pictures side by side and into files, as in `torchvision.utils`."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import IO

import numpy as np

import microtorch as torch

from ..base.errors import message
from ..handles.tensor import Tensor
from .drawing import draw_bounding_boxes, draw_keypoints, draw_segmentation_masks
from .images import from_array

__all__ = [
    "draw_bounding_boxes", "draw_keypoints", "draw_segmentation_masks", "make_grid", "save_image",
]  # fmt: skip


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
