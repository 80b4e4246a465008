"""The transforms of version 2: those of version 1 on samples, and the new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import microtorch as torch

from ....arrays.dtypes import dtype as DTypeOf
from ....base.errors import message
from ....handles.tensor import Tensor
from ...images import Picture, is_pillow
from ...images import Transform as OneTransform
from ...tv_tensors import TVTensor
from .. import augment, basic, random_colour, random_geometry
from ..basic import TWO_DIMENSIONS
from ..sizing import square
from . import functional
from .structured import AROUND, Sample, Transform, structured

# how these draw, and what they do to floats
_VERSION_2: dict[str, Any] = {"newer": True, "functions": functional}

AugMix = structured(augment.AugMix, **_VERSION_2)
AutoAugment = structured(augment.AutoAugment, **_VERSION_2)
CenterCrop = structured(basic.CenterCrop)
ColorJitter = structured(random_colour.ColorJitter)
ConvertImageDtype = structured(basic.ConvertImageDtype)
ElasticTransform = structured(random_geometry.ElasticTransform)
FiveCrop = structured(basic.FiveCrop)
GaussianBlur = structured(random_colour.GaussianBlur)
Grayscale = structured(basic.Grayscale)
LinearTransformation = structured(basic.LinearTransformation)
Normalize = structured(basic.Normalize)
Pad = structured(basic.Pad)
RandAugment = structured(augment.RandAugment, **_VERSION_2)
RandomAdjustSharpness = structured(random_colour.RandomAdjustSharpness)
RandomAffine = structured(random_geometry.RandomAffine)
RandomAutocontrast = structured(random_colour.RandomAutocontrast)
RandomEqualize = structured(random_colour.RandomEqualize, functions=functional)
RandomErasing = structured(random_colour.RandomErasing, tensors_only=True)
RandomGrayscale = structured(random_colour.RandomGrayscale)
RandomHorizontalFlip = structured(random_geometry.RandomHorizontalFlip)
RandomInvert = structured(random_colour.RandomInvert)
RandomPerspective = structured(random_geometry.RandomPerspective)
RandomPosterize = structured(random_colour.RandomPosterize, functions=functional)
RandomResizedCrop = structured(random_geometry.RandomResizedCrop, functions=functional)
RandomRotation = structured(random_geometry.RandomRotation)
RandomSolarize = structured(random_colour.RandomSolarize)
RandomVerticalFlip = structured(random_geometry.RandomVerticalFlip)
Resize = structured(basic.Resize, functions=functional)
TenCrop = structured(basic.TenCrop)
TrivialAugmentWide = structured(augment.TrivialAugmentWide, **_VERSION_2)


class RandomCrop(Transform):
    """A part of `size` anywhere in the picture, after `padding` (and more `pad_if_needed`).

    Unlike version 1 it draws nothing for a direction in which the picture fits.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: float | Sequence[float] = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.size = square(size, TWO_DIMENSIONS)
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    def one(self, picture: Picture) -> Picture:
        padding = self.padding or 0
        sides = [padding] if isinstance(padding, int) else list(padding)
        sides = sides * (4 // len(sides))
        _, height, width = functional.get_dimensions(picture)
        tall, wide = self.size
        height, width = height + sides[1] + sides[3], width + sides[0] + sides[2]
        if self.pad_if_needed:
            more_h, more_w = max(tall - height, 0), max(wide - width, 0)
            sides = [sides[0] + more_w, sides[1] + more_h, sides[2] + more_w, sides[3] + more_h]
            height, width = height + 2 * more_h, width + 2 * more_w
        if height < tall or width < wide:
            padded = "padded " if self.padding is not None else ""
            raise ValueError(
                message(
                    f"Required crop size {(tall, wide)} is larger than {padded}input image size "
                    f"{(height, width)}.",
                    fix="pad_if_needed=True",
                )
            )
        top = int(torch.randint(0, height - tall + 1, ())) if height > tall else 0
        left = int(torch.randint(0, width - wide + 1, ())) if width > wide else 0
        if any(sides):
            picture = functional.pad(picture, sides, self.fill, self.padding_mode)
        return functional.crop(picture, top, left, tall, wide)


class ToImage(Transform):
    """A Pillow image, an array or a Tensor as a `tv_tensors.Image`, its numbers as they are."""

    def one(self, picture: Picture) -> Tensor:
        return picture if isinstance(picture, TVTensor) else functional.to_image(picture)


class PILToTensor(Transform):
    """A Pillow image as a Tensor (C, H, W), its numbers as they are."""

    def one(self, picture: Picture) -> Picture:
        return functional.pil_to_tensor(picture) if is_pillow(picture) else picture


class ToTensor(Transform):
    """`ToImage` and `ToDtype(torch.float32, scale=True)` in one: a picture as numbers 0..1."""

    def one(self, picture: Picture) -> Picture:
        return picture if isinstance(picture, Tensor) else functional.to_tensor(picture)


class ToPILImage(Transform):
    """A Tensor or an array as a Pillow image; `mode` is Pillow's."""

    def __init__(self, mode: str | None = None) -> None:
        super().__init__()
        self.mode = mode

    def one(self, picture: Picture) -> Picture:
        if is_pillow(picture) or isinstance(picture, AROUND):
            return picture
        return functional.to_pil_image(picture, self.mode)


class ToPureTensor(Transform):
    """What `tv_tensors` mark, as plain Tensors."""

    def one(self, picture: Picture) -> Picture:
        return picture.plain() if isinstance(picture, TVTensor) else picture


class ToDtype(Transform):
    """The picture in another dtype; with `scale` white stays white: uint8 255 is float 1."""

    def __init__(
        self, dtype: DTypeOf | Mapping[type | str, DTypeOf | None], scale: bool = False
    ) -> None:
        super().__init__()
        if not isinstance(dtype, (DTypeOf, Mapping)):
            raise ValueError(
                message(f"dtype must be a dict or a torch.dtype, got {type(dtype)} instead")
            )
        self.dtype = dtype
        self.scale = scale

    def one(self, picture: Picture) -> Picture:
        given, kind = self.dtype, type(picture) if isinstance(picture, TVTensor) else Tensor
        wanted = given.get(kind, given.get("others")) if isinstance(given, Mapping) else given
        if isinstance(picture, AROUND):  # which hold no colours that could be scaled
            change = isinstance(given, Mapping) and wanted is not None
            return picture.to(wanted) if change else picture
        if not isinstance(picture, Tensor) or wanted is None:
            return picture
        return functional.to_dtype(picture, wanted, self.scale)


class RGB(Transform):
    """A grey picture with three equal channels; a coloured one as it is."""

    def one(self, picture: Picture) -> Picture:
        return functional.grayscale_to_rgb(picture)


class Identity(Transform):
    """Nothing is changed."""

    def one(self, picture: Picture) -> Picture:
        return picture


class GaussianNoise(Transform):
    """Normal noise added to a float Tensor, cut to 0..1 unless `clip` is False."""

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        super().__init__()
        if sigma < 0:
            raise ValueError(message(f"sigma shouldn't be negative. Got {sigma}"))
        self.mean, self.sigma, self.clip = mean, sigma, clip

    def one(self, picture: Picture) -> Picture:
        return functional.gaussian_noise(picture, self.mean, self.sigma, self.clip)


class UniformTemporalSubsample(Transform):
    """`num_samples` pictures of a film (..., T, C, H, W), at even distances."""

    def __init__(self, num_samples: int) -> None:
        super().__init__()
        self.num_samples = num_samples

    def one(self, picture: Picture) -> Picture:
        return functional.uniform_temporal_subsample(picture, self.num_samples)


class Lambda(Transform):
    """A function of the user's, on each thing in a sample of one of the `types`."""

    def __init__(self, lambd: OneTransform, *types: type) -> None:
        super().__init__()
        self.lambd = lambd
        self.types = types or (object,)

    def forward(self, *inputs: Sample) -> Sample:
        sample: Sample = inputs if len(inputs) > 1 else inputs[0]
        return self._through(sample)

    def _through(self, sample: Sample) -> Sample:
        if isinstance(sample, (tuple, list)):
            return type(sample)(self._through(part) for part in sample)
        if isinstance(sample, dict):
            return {name: self._through(part) for name, part in sample.items()}
        return self.lambd(sample) if isinstance(sample, self.types) else sample

    def __repr__(self) -> str:
        name = getattr(self.lambd, "__name__", type(self.lambd).__name__)
        return f"Lambda({name}, types={[kind.__name__ for kind in self.types]})"
