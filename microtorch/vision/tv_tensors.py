"""Tensors that say what they hold: `torchvision.tv_tensors`, which transforms of version 2 heed.

A picture, a mask and boxes of one sample are then turned, cut and flipped alike; colours change in
pictures only. An operation on one gives a plain Tensor, but for `clone`, `to`, `detach` and
`requires_grad_`.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeVar

import microtorch as torch

from ..base.errors import message
from ..base.types import Argument
from ..handles.tensor import Tensor
from .images import Picture, is_pillow

T = TypeVar("T", bound="TVTensor")


class BoundingBoxFormat(Enum):
    """What the four numbers of a box are: corners, a corner and sizes, a middle and sizes."""

    XYXY = "XYXY"
    XYWH = "XYWH"
    CXCYWH = "CXCYWH"


class TVTensor(Tensor):
    """Base class. The subclasses are made of what `torch.as_tensor` takes."""

    __module__ = "microtorch.vision.tv_tensors"
    _ndim = 0  # at least so many dimensions

    def __new__(cls: type[T], data: Picture, *args: Argument, **kwargs: Argument) -> T:
        return cls._made(data, *args, **kwargs)

    @classmethod
    def _made(cls: type[T], data: Picture, **kwargs: Argument) -> T:
        """`dtype`, `device`, `requires_grad`, as of `torch.tensor`."""
        wanted = kwargs.pop("requires_grad", None)
        if is_pillow(data):
            data = torch.vision.transforms.functional.pil_to_tensor(data)
        follows = isinstance(data, Tensor) and data.requires_grad
        plain = torch.as_tensor(data, **kwargs)
        if plain.ndim < cls._ndim:
            if plain.ndim < 2:
                raise ValueError(message(f"{cls.__name__}: got {plain.ndim} dimensions"))
            plain = plain.unsqueeze(0)
        made: T = plain.as_subclass(cls)
        return made.requires_grad_(follows if wanted is None else wanted)

    def _again(self: T, plain: Tensor) -> T:
        """Another tensor as one that says the same."""
        made: T = plain.as_subclass(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def clone(self: T, **kwargs: Argument) -> T:
        return self._again(super().clone(**kwargs))

    def detach(self: T) -> T:
        return self._again(super().detach())

    def requires_grad_(self: T, requires_grad: bool = True) -> T:
        super().requires_grad_(requires_grad)
        return self

    def to(self: T, *args: Argument, **kwargs: Argument) -> T:
        return self._again(super().to(*args, **kwargs))

    def __deepcopy__(self: T, memo: dict[int, Argument]) -> T:
        return self.detach().clone().requires_grad_(self.requires_grad)

    def plain(self) -> Tensor:
        """The same numbers as a Tensor that says nothing."""
        return self.as_subclass(Tensor)


class Image(TVTensor):
    """A picture (..., C, H, W); of (H, W) one channel is made."""

    _ndim = 3

    def __repr__(self) -> str:
        return super().__repr__().removesuffix(")") + ", )"  # as torchvision's does

    __str__ = __repr__


class Video(TVTensor):
    """Pictures one after the other, (..., T, C, H, W)."""

    _ndim = 4


class Mask(TVTensor):
    """A class, or yes and no, for each pixel: (H, W), or (N, H, W) of N objects."""


class BoundingBoxes(TVTensor):
    """Boxes (N, 4) in a picture of `canvas_size` (height, width), written in `format`."""

    format: BoundingBoxFormat
    canvas_size: tuple[int, int]
    clamping_mode: str | None

    @classmethod
    def _made(cls: type[T], data: Picture, **kwargs: Argument) -> T:
        """Also `format`, `canvas_size` and `clamping_mode`."""
        format, canvas = kwargs.pop("format"), kwargs.pop("canvas_size")
        mode = kwargs.pop("clamping_mode", "soft")
        made = super()._made(data, **kwargs)
        if made.ndim not in (1, 2):
            raise ValueError(message(f"Expected a 1D or 2D tensor, got {made.ndim}D"))
        if made.ndim == 1:
            made = made._again(made.plain().unsqueeze(0))
        if isinstance(format, str):
            format = BoundingBoxFormat[format.upper()]
        size = (int(canvas[0]), int(canvas[1]))
        made.__dict__.update(format=format, canvas_size=size, clamping_mode=mode)
        return made

    def __repr__(self) -> str:
        numbers = super().__repr__().removesuffix(")")
        return (
            f"{numbers}, format={self.format}, canvas_size={self.canvas_size}, "
            f"clamping_mode={self.clamping_mode})"
        )

    __str__ = __repr__


def wrap(wrappee: Tensor, *, like: T, **kwargs: Argument) -> T:
    """`wrappee` as what `like` is, with its format and canvas but for those that are given."""
    made = like._again(wrappee)
    made.__dict__.update(kwargs)
    return made
