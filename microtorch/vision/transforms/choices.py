"""Transforms of transforms: one of them, all of them or none, in a random order."""

from __future__ import annotations

import random
from collections.abc import Sequence

import microtorch as torch

from ...base.errors import message
from ...nn.module import Module
from ..images import Picture, Transform


class RandomTransforms:
    """Base class of a list of transforms of which chance decides."""

    def __init__(self, transforms: Sequence[Transform]) -> None:
        if not isinstance(transforms, Sequence):
            raise TypeError(message("Argument transforms should be a sequence"))
        self.transforms = transforms

    def __call__(self, *pictures: Picture) -> Picture:
        raise NotImplementedError

    def __repr__(self) -> str:
        return "\n".join([f"{type(self).__name__}(", *(f"    {t}" for t in self.transforms), ")"])


class RandomApply(Module):
    """All of `transforms`, one after the other, with probability `p`; otherwise none."""

    def __init__(self, transforms: Sequence[Transform] | Module, p: float = 0.5) -> None:
        super().__init__()
        self.transforms = transforms
        self.p = p

    def forward(self, img: Picture) -> Picture:
        if bool(self.p < torch.rand(1)):
            return img
        steps: Picture = self.transforms
        for transform in steps:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        steps: Picture = self.transforms
        lines = [f"{type(self).__name__}(", f"    p={self.p}", *(f"    {t}" for t in steps), ")"]
        return "\n".join(lines)


class RandomOrder(RandomTransforms):
    """All of `transforms`, in an order that Python's `random` shuffles."""

    def __call__(self, *pictures: Picture) -> Picture:
        (img,) = pictures
        order = list(range(len(self.transforms)))
        random.shuffle(order)
        for i in order:
            img = self.transforms[i](img)
        return img


class RandomChoice(RandomTransforms):
    """One of `transforms`, by Python's `random`; `p`: their weights."""

    def __init__(self, transforms: Sequence[Transform], p: Sequence[float] | None = None) -> None:
        super().__init__(transforms)
        if p is not None and not isinstance(p, Sequence):
            raise TypeError(message("Argument p should be a sequence"))
        self.p = p

    def __call__(self, *pictures: Picture) -> Picture:
        return random.choices(self.transforms, weights=self.p)[0](*pictures)

    def __repr__(self) -> str:
        return f"{super().__repr__()}(p={self.p})"
