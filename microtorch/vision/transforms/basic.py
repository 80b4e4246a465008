"""Steps from a picture to the tensor a network takes: kinds of pictures, sizes, numbers.

A transform is anything that can be called with one picture and returns another: a function will do.
The classes here hold parameters and print themselves. They are modules, so that `nn.Sequential`
takes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import ClassVar

import microtorch as torch

from ...arrays import draws
from ...arrays.dtypes import dtype as DTypeOf
from ...base.errors import message, warn
from ...base.types import DType
from ...handles.tensor import Tensor
from ...nn.module import Module
from ..images import Picture, Transform
from . import functional as F
from .modes import Fill, InterpolationMode, Mode, Size, as_mode
from .sizing import square

TWO_DIMENSIONS = "Please provide only two dimensions (h, w) for size."


class Compose:
    """`Compose([f, g])(x)` is `g(f(x))`."""

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = transforms

    def __call__(self, img: Picture) -> Picture:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return "\n".join([f"{type(self).__name__}(", *(f"    {t}" for t in self.transforms), ")"])


class Lambda:
    """A function of the user's as a transform."""

    def __init__(self, lambd: Transform) -> None:
        if not callable(lambd):
            raise TypeError(
                message(
                    f"Argument lambd should be callable, got {type(lambd).__name__!r}",
                    fix="Lambda(lambda img: 1 - img)",
                )
            )
        self.lambd = lambd

    def __call__(self, img: Picture) -> Picture:
        return self.lambd(img)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ToTensor:
    """A picture as a Tensor with the channel first.

    A numpy array (H, W) or (H, W, C), or a PIL image, becomes (C, H, W). uint8 becomes the default
    dtype, divided by 255; other dtypes keep their values, as in torchvision. Digits hold 0 to 16,
    so they end between 0 and 16 / 255; `Normalize(0, 16 / 255)` after it brings them to 0..1.
    """

    def __call__(self, pic: Picture) -> Tensor:
        return F.to_tensor(pic)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class PILToTensor:
    """A Pillow image as a Tensor (C, H, W), its numbers as they are."""

    def __call__(self, pic: Picture) -> Tensor:
        return F.pil_to_tensor(pic)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ToPILImage:
    """A Tensor (C, H, W) or an array (H, W, C) as a Pillow image; `mode` is Pillow's."""

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Picture) -> Picture:
        return F.to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        shown = "" if self.mode is None else f"mode={self.mode}"
        return f"{type(self).__name__}({shown})"


class ConvertImageDtype(Module):
    """Another dtype, with white still white: uint8 255 is float 1."""

    def __init__(self, dtype: DTypeOf) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, image: Tensor) -> Tensor:
        return F.convert_image_dtype(image, self.dtype)


class Normalize(Module):
    """`(x - mean) / std` per channel of a float Tensor (..., C, H, W).

    `mean`, `std`: a number, or one per channel. Raises TypeError for a Tensor of integers,
    ValueError for fewer than three dimensions or a std of 0.
    """

    _shown = ("mean", "std")

    def __init__(
        self, mean: float | Sequence[float], std: float | Sequence[float], inplace: bool = False
    ) -> None:
        super().__init__()
        self.mean, self.std, self.inplace = mean, std, inplace

    def forward(self, tensor: Tensor) -> Tensor:
        return F.normalize(tensor, self.mean, self.std, self.inplace)


class Resize(Module):
    """The picture in another size: (height, width), or an int for its shorter edge."""

    functions: ClassVar[ModuleType] = F  # those of this version of the transforms

    def __init__(
        self,
        size: Size,
        interpolation: Mode = InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        if not isinstance(size, (int, Sequence)):
            raise TypeError(message(f"Size should be int or sequence. Got {type(size)}"))
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ValueError(message("If size is a sequence, it should have 1 or 2 values"))
        self.size = size
        self.max_size = max_size
        self.interpolation = as_mode(interpolation)
        self.antialias = antialias

    def forward(self, img: Picture) -> Picture:
        options = (self.interpolation, self.max_size, self.antialias)
        return self.functions.resize(img, self.size, *options)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(size={self.size}, interpolation={self.interpolation.value}, "
            f"max_size={self.max_size}, antialias={self.antialias})"
        )


class CenterCrop(Module):
    """The middle of the picture: `size` (height, width), or a square."""

    _shown = ("size",)

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = square(size, TWO_DIMENSIONS)

    def forward(self, img: Picture) -> Picture:
        return F.center_crop(img, self.size)


class Pad(Module):
    """More picture around: `padding`, `fill` and `padding_mode` as of `functional.pad`."""

    _shown = ("padding", "fill", "padding_mode")

    def __init__(self, padding: Size, fill: Fill = 0, padding_mode: str = "constant") -> None:
        super().__init__()
        if not isinstance(padding, (int, tuple, list)):
            raise TypeError(message("Got inappropriate padding arg", f"{padding!r}"))
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise ValueError(
                message("Padding mode should be either constant, edge, reflect or symmetric")
            )
        if not isinstance(padding, int) and len(padding) not in (1, 2, 4):
            raise ValueError(
                message(
                    "Padding must be an int or a 1, 2, or 4 element tuple, not a "
                    f"{len(padding)} element tuple"
                )
            )
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def forward(self, img: Picture) -> Picture:
        return F.pad(img, self.padding, self.fill, self.padding_mode)


class Grayscale(Module):
    """The picture in grey, with 1 or 3 channels."""

    _shown = ("num_output_channels",)

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img: Picture) -> Picture:
        return F.rgb_to_grayscale(img, self.num_output_channels)


class FiveCrop(Module):
    """A tuple of the four corners and the middle: `size` (height, width), or squares."""

    _shown = ("size",)

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = square(size, TWO_DIMENSIONS)

    def forward(self, img: Picture) -> tuple[Picture, ...]:
        return F.five_crop(img, self.size)


class TenCrop(Module):
    """`FiveCrop` of the picture and of its mirror image."""

    _shown = ("size", "vertical_flip")

    def __init__(self, size: Size, vertical_flip: bool = False) -> None:
        super().__init__()
        self.size = square(size, TWO_DIMENSIONS)
        self.vertical_flip = vertical_flip

    def forward(self, img: Picture) -> tuple[Picture, ...]:
        return F.ten_crop(img, self.size, self.vertical_flip)


class LinearTransformation(Module):
    """`(x - mean) @ matrix` of the flattened picture, as for whitening.

    `transformation_matrix` is (D, D), `mean_vector` (D,), D the number of values of a picture.
    """

    def __init__(self, transformation_matrix: Tensor, mean_vector: Tensor) -> None:
        super().__init__()
        if transformation_matrix.size(0) != transformation_matrix.size(1):
            raise ValueError(
                message(
                    "transformation_matrix should be square. Got "
                    f"{list(transformation_matrix.size())} rectangular matrix."
                )
            )
        if mean_vector.size(0) != transformation_matrix.size(0):
            raise ValueError(
                message(
                    f"mean_vector should have the same length {mean_vector.size(0)} as any one of "
                    f"the dimensions of the transformation_matrix "
                    f"[{tuple(transformation_matrix.size())}]"
                )
            )
        self.transformation_matrix = transformation_matrix
        self.mean_vector = mean_vector

    def forward(self, tensor: Tensor) -> Tensor:
        shape = tensor.shape
        count = shape[-3] * shape[-2] * shape[-1]
        if count != self.transformation_matrix.shape[0]:
            raise ValueError(
                message(
                    "Input tensor and transformation matrix have incompatible shape."
                    f"[{shape[-3]} x {shape[-2]} x {shape[-1]}] != "
                    f"{self.transformation_matrix.shape[0]}"
                )
            )
        flat = tensor.reshape(-1, count) - self.mean_vector
        return torch.mm(flat, self.transformation_matrix).reshape(shape)


# Draws as torch.rand(1), uniform_ and torch.randint make them, without a Tensor around the number.


def _kind() -> DType:
    return torch.get_default_dtype().numpy


def at_random(p: float) -> bool:
    """True with probability `p`; one number of the default generator."""
    kind = _kind()
    return bool(draws.uniform((1,), kind)[0] < kind.type(p))


def uniform(low: float, high: float) -> float:
    """A number between, one draw of the default generator in the default dtype."""
    return float(draws.uniform((1,), _kind(), float(low), float(high))[0])


def integer(low: int, high: int) -> int:
    """low <= n < high, one draw of the default generator."""
    return int(draws.randint((1,), low, high)[0])


def check_range(scale: Sequence[float], ratio: Sequence[float]) -> None:
    if not isinstance(scale, Sequence):
        raise TypeError(message("Scale should be a sequence"))
    if not isinstance(ratio, Sequence):
        raise TypeError(message("Ratio should be a sequence"))
    if scale[0] > scale[1] or ratio[0] > ratio[1]:
        warn("Scale and ratio should be of kind (min, max)")
