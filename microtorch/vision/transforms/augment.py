"""Augmentation by whole policies: AutoAugment, RandAugment, TrivialAugmentWide and AugMix.

Each draws operations from a table and their magnitudes from a range that is cut into bins. The
numbers are torchvision's for a seed, for version 1 here and, where a class says so, for version 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import ModuleType
from typing import ClassVar

import microtorch as torch

from ...base.errors import message
from ...handles.tensor import Tensor
from ...nn.module import Module
from ..images import Picture
from . import functional as F
from .basic import integer
from .modes import Fill, InterpolationMode, Mode, as_mode
from .policies import AutoAugmentPolicy, pairs

Space = dict[str, tuple["Tensor | None", bool]]  # magnitudes (None: it has none); may be negative


def space(
    bins: int,
    size: tuple[int, int],
    shear: float = 0.3,
    move: float | None = 150.0 / 331.0,
    turn: float = 30.0,
    factor: float = 0.9,
    bits: int = 8,
    steps: int = 4,
) -> Space:
    """The operations and their magnitudes, from weak to strong, for a picture (height, width).

    `move`: the largest translation as a share of the side, None for 32 pixels. Posterize goes from
    `bits` bits down by `steps`.
    """
    height, width = size
    far = [32.0, 32.0] if move is None else [move * width, move * height]
    up_to = {
        "ShearX": shear,
        "ShearY": shear,
        "TranslateX": far[0],
        "TranslateY": far[1],
        "Rotate": turn,
        "Brightness": factor,
        "Color": factor,
        "Contrast": factor,
        "Sharpness": factor,
    }
    made: Space = {"Identity": (None, False)}
    made |= {name: (torch.linspace(0.0, high, bins), True) for name, high in up_to.items()}
    fewer = torch.arange(bins) / ((bins - 1) / steps)
    made["Posterize"] = (bits - fewer.round().int(), False)
    made["Solarize"] = (torch.linspace(255.0, 0.0, bins), False)
    made |= {name: (None, False) for name in ("AutoContrast", "Equalize", "Invert")}
    return made


class Augment(Module):
    """Base class: one operation on a picture, and how chance decides about it."""

    newer: ClassVar[bool] = False  # version 2 of the transforms, which draws signs otherwise
    functions: ClassVar[ModuleType] = F  # and is made of functions of its own

    def __init__(self, interpolation: Mode, fill: Fill) -> None:
        super().__init__()
        self.interpolation = as_mode(interpolation)
        self.fill = fill

    def negative(self) -> bool:
        """Is a magnitude that may be negative so?"""
        return bool(torch.rand(()) <= 0.5) if self.newer else bool(integer(0, 2))

    def drawn(self, operation: str, known: Space, bin: int) -> float:
        """The magnitude of this number, with a sign that chance gives."""
        magnitudes, signed = known[operation]
        if magnitudes is None:
            return 0.0
        size = float(magnitudes[bin])
        return -size if signed and self.negative() else size

    def filled(self, img: Picture) -> Fill:
        """`fill` as the operations of this kind of picture take it."""
        if self.fill is None or not isinstance(img, Tensor) or self.newer:
            return self.fill
        if isinstance(self.fill, (int, float)):
            return [float(self.fill)] * F.get_dimensions(img)[0]
        return [float(value) for value in self.fill]

    def done(self, img: Picture, operation: str, by: float) -> Picture:
        """The picture after one operation of magnitude `by`."""
        mode, fill = self.interpolation, self.filled(img)
        match operation:
            case "Identity":
                return img
            case "ShearX" | "ShearY":
                angle = math.degrees(math.atan(by))
                shear = [angle, 0.0] if operation == "ShearX" else [0.0, angle]
                return F.affine(img, 0.0, [0, 0], 1.0, shear, mode, fill, [0, 0])
            case "TranslateX" | "TranslateY":
                moved = [int(by), 0] if operation == "TranslateX" else [0, int(by)]
                return F.affine(img, 0.0, moved, 1.0, [0.0, 0.0], mode, fill)
            case "Rotate":
                return F.rotate(img, by, mode, fill=fill)
            case "Brightness":
                return F.adjust_brightness(img, 1.0 + by)
            case "Color":
                return F.adjust_saturation(img, 1.0 + by)
            case "Contrast":
                return F.adjust_contrast(img, 1.0 + by)
            case "Sharpness":
                return F.adjust_sharpness(img, 1.0 + by)
            case "Posterize":
                return self.functions.posterize(img, int(by))
            case "Solarize":
                if self.newer and isinstance(img, Tensor) and img.is_floating_point():
                    by /= 255.0
                return F.solarize(img, by)
            case "AutoContrast":
                return F.autocontrast(img)
            case "Equalize":
                return self.functions.equalize(img)
            case "Invert":
                return F.invert(img)
        raise ValueError(message(f"The provided operator {operation} is not recognized."))


class AutoAugment(Augment):
    """A random one of the pairs of steps of `policy` (E. Cubuk et al. 2019), on bytes."""

    _shown = ("policy", "fill")

    def __init__(
        self,
        policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET,
        interpolation: Mode = InterpolationMode.NEAREST,
        fill: Fill = None,
    ) -> None:
        super().__init__(interpolation, fill)
        if not isinstance(policy, AutoAugmentPolicy):
            raise ValueError(message(f"The provided policy {policy} is not recognized."))
        self.policy = policy
        self._policies = pairs(policy)

    @staticmethod
    def get_params(transform_num: int) -> tuple[int, Tensor, Tensor]:
        """The number of the pair; two numbers to compare the probabilities with; two signs."""
        return integer(0, transform_num), torch.rand(2), torch.randint(2, (2,))

    def chosen(self, known: Space) -> Iterator[tuple[str, float]]:
        """The operations of a pair that are done, and their magnitudes."""
        if self.newer:
            for operation, probability, bin in self._policies[integer(0, len(self._policies))]:
                if bool(torch.rand(()) <= probability):
                    yield operation, self.drawn(operation, known, bin or 0)
            return
        number, drawn, signs = self.get_params(len(self._policies))
        for i, (operation, probability, bin) in enumerate(self._policies[number]):
            if bool(drawn[i] <= probability):
                magnitudes, signed = known[operation]
                by = 0.0 if magnitudes is None else float(magnitudes[bin])
                yield operation, -by if signed and signs[i] == 0 else by

    def forward(self, img: Picture) -> Picture:
        _, height, width = F.get_dimensions(img)
        for operation, by in self.chosen(space(10, (height, width))):
            img = self.done(img, operation, by)
        return img


class RandAugment(Augment):
    """`num_ops` random operations, all of one `magnitude` (E. Cubuk et al. 2020), on bytes."""

    _shown = ("num_ops", "magnitude", "num_magnitude_bins", "interpolation", "fill")

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: Mode = InterpolationMode.NEAREST,
        fill: Fill = None,
    ) -> None:
        super().__init__(interpolation, fill)
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins

    def forward(self, img: Picture) -> Picture:
        _, height, width = F.get_dimensions(img)
        known = space(self.num_magnitude_bins, (height, width))
        del known["Invert"]
        for _ in range(self.num_ops):
            operation = list(known)[integer(0, len(known))]
            img = self.done(img, operation, self.drawn(operation, known, self.magnitude))
        return img


class TrivialAugmentWide(Augment):
    """One random operation of a random magnitude (S. Müller, F. Hutter 2021), on bytes."""

    _shown = ("num_magnitude_bins", "interpolation", "fill")

    def __init__(
        self,
        num_magnitude_bins: int = 31,
        interpolation: Mode = InterpolationMode.NEAREST,
        fill: Fill = None,
    ) -> None:
        super().__init__(interpolation, fill)
        self.num_magnitude_bins = num_magnitude_bins

    def forward(self, img: Picture) -> Picture:
        bins = self.num_magnitude_bins
        known = space(bins, (0, 0), 0.99, None, 135.0, 0.99, 8, 6)
        del known["Invert"]
        operation = list(known)[integer(0, len(known))]
        bin = 0 if known[operation][0] is None else integer(0, bins)
        return self.done(img, operation, self.drawn(operation, known, bin))


MIXED = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Posterize", "Solarize",
         "AutoContrast", "Equalize", "Brightness", "Color", "Contrast", "Sharpness")  # fmt: skip


class AugMix(Augment):
    """A random mixture of the picture and of chains of operations (D. Hendrycks et al. 2020).

    `mixture_width` chains of `chain_depth` operations (-1: 1 to 3 of them), of the weakest
    `severity` of 10 magnitudes; `alpha`: of the Dirichlet distribution of the weights. Without
    `all_ops` brightness, colour, contrast and sharpness stay.
    """

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: Mode = InterpolationMode.BILINEAR,
        fill: Fill = None,
    ) -> None:
        super().__init__(interpolation, fill)
        if not 1 <= severity <= 10:
            raise ValueError(
                message(f"The severity must be between [1, 10]. Got {severity} instead.")
            )
        self.severity = severity
        self.mixture_width = mixture_width
        self.chain_depth = chain_depth
        self.alpha = alpha
        self.all_ops = all_ops

    def forward(self, img: Picture) -> Picture:
        _, height, width = F.get_dimensions(img)
        full = space(10, (height, width), move=1.0 / 3.0, bits=4)
        known = {name: full[name] for name in (MIXED if self.all_ops else MIXED[:9])}
        picture = img if isinstance(img, Tensor) else F.pil_to_tensor(img)
        batch = picture.view((1,) * (4 - picture.ndim) + tuple(picture.shape))
        each = (batch.shape[0],) + (1,) * (batch.ndim - 1)
        kept = _shares([self.alpha, self.alpha], batch.shape[0])
        shares = _shares([self.alpha] * self.mixture_width, batch.shape[0]) * kept[:, 1:]
        mix = kept[:, 0].view(each) * batch
        for i in range(self.mixture_width):
            changed = batch
            for _ in range(self.chain_depth if self.chain_depth > 0 else integer(1, 4)):
                operation = list(known)[integer(0, len(known))]
                bin = 0 if known[operation][0] is None else integer(0, self.severity)
                changed = self.done(changed, operation, self.drawn(operation, known, bin))
            mix = mix + shares[:, i].view(each) * changed
        mixed = mix.view(picture.shape).to(picture.dtype)
        return mixed if isinstance(img, Tensor) else F.to_pil_image(mixed)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(severity={self.severity}, mixture_width={self.mixture_width}, "
            f"chain_depth={self.chain_depth}, alpha={self.alpha}, all_ops={self.all_ops}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )


def _shares(alphas: list[float], count: int) -> Tensor:
    """(count, len(alphas)): shares of one, from a Dirichlet distribution."""
    return torch.distributions.Dirichlet(torch.tensor(alphas)).sample((count,))
