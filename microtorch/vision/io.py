"""Pictures in files as Tensors of bytes, `torchvision.io`, read and written by Pillow."""

from __future__ import annotations

import io
import os
from enum import Enum

import numpy as np

import microtorch as torch

from ..base.errors import message
from ..handles.tensor import Tensor
from .images import Picture, pillow
from .transforms.converting import pil_to_tensor, to_pil_image

Path = str | os.PathLike[str]


class ImageReadMode(Enum):
    """What a file's colours become: as they are, or grey, with or without transparency."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4


__path__: list[str] = []  # a package to Python, below which torchvision.io.image is found
MODES = {"GRAY": "L", "GRAY_ALPHA": "LA", "RGB": "RGB", "RGB_ALPHA": "RGBA", "RGBA": "RGBA"}


def _tensor(picture: Picture, mode: ImageReadMode | str) -> Tensor:
    name = mode.name if isinstance(mode, ImageReadMode) else mode.upper()
    if name not in (*MODES, "UNCHANGED"):
        raise ValueError(
            message(f"unknown mode {mode!r}", f"there are UNCHANGED, {', '.join(MODES)}")
        )
    if name != "UNCHANGED":
        picture = picture.convert(MODES[name])
    elif picture.mode == "P":
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    elif picture.mode == "1":
        picture = picture.convert("L")
    return pil_to_tensor(picture).contiguous()


def read_file(path: Path) -> Tensor:
    """The bytes of a file, (N,) uint8."""
    with open(path, "rb") as file:
        return torch.from_numpy(np.frombuffer(file.read(), np.uint8).copy())


def write_file(filename: Path, data: Tensor) -> None:
    """Write the bytes `data`, (N,) uint8."""
    with open(filename, "wb") as file:
        file.write(data.numpy().tobytes())


def decode_image(
    input: Tensor | Path,
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    apply_exif_orientation: bool = False,
) -> Tensor:
    """The picture in the bytes `input`, or in a file of this name: (C, H, W), uint8 mostly.

    Any kind of file that Pillow reads. RuntimeError where it is not one.
    """
    data = read_file(input) if isinstance(input, (str, os.PathLike)) else input
    image = pillow("decode_image")
    try:
        picture = image.open(io.BytesIO(data.numpy().tobytes()))
        picture.load()
    except Exception as error:  # a damaged file can make Pillow raise almost anything
        raise RuntimeError(message(f"not a picture that Pillow can read: {error}")) from error
    if apply_exif_orientation:
        from PIL import ImageOps

        picture = ImageOps.exif_transpose(picture)
    return _tensor(picture, mode)


def read_image(
    path: Path,
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    apply_exif_orientation: bool = False,
) -> Tensor:
    """The picture in a file: (C, H, W), uint8 mostly."""
    return decode_image(read_file(path), mode, apply_exif_orientation)


decode_png = decode_jpeg = decode_image


def _encode(input: Tensor, format: str, **options: int) -> Tensor:
    if input.dtype != torch.uint8 or input.dim() != 3 or input.size(0) not in (1, 3):
        raise RuntimeError(
            message(
                f"encode_{format.lower()} takes uint8 (1 or 3, H, W), but got {input.dtype} "
                f"{tuple(input.shape)}",
                fix="(x * 255).to(torch.uint8) of a picture 0..1",
            )
        )
    file = io.BytesIO()
    to_pil_image(input).save(file, format, **options)
    return torch.from_numpy(np.frombuffer(file.getvalue(), np.uint8).copy())


def encode_png(input: Tensor, compression_level: int = 6) -> Tensor:
    """The bytes of a PNG file of `input` (1 or 3, H, W) uint8."""
    return _encode(input, "PNG", compress_level=compression_level)


def encode_jpeg(input: Tensor, quality: int = 75) -> Tensor:
    """The bytes of a JPEG file of `input` (1 or 3, H, W) uint8."""
    return _encode(input, "JPEG", quality=quality)


def write_png(input: Tensor, filename: Path, compression_level: int = 6) -> None:
    """Write `input` (1 or 3, H, W) uint8 as a PNG file."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input: Tensor, filename: Path, quality: int = 75) -> None:
    """Write `input` (1 or 3, H, W) uint8 as a JPEG file."""
    write_file(filename, encode_jpeg(input, quality))
