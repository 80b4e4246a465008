"""Transforms of transforms, on samples."""

from __future__ import annotations

from collections.abc import Sequence

import microtorch as torch

from ....base.errors import message
from ....nn.module import Module
from ..basic import at_random
from .structured import Container, Sample, Sequence_, Transform


class Compose(Container):
    """One transform after the other."""

    def forward(self, *inputs: Sample) -> Sample:
        return self.through(self.transforms, inputs)


class RandomApply(Container):
    """All of `transforms` with probability `p`; otherwise none."""

    def __init__(self, transforms: Sequence_, p: float = 0.5) -> None:
        if not 0.0 <= p <= 1.0:
            raise ValueError(
                message("`p` should be a floating point value in the interval [0.0, 1.0].")
            )
        super().__init__(list(transforms) if isinstance(transforms, Module) else transforms)
        self.p = p

    def forward(self, *inputs: Sample) -> Sample:
        return self.through(self.transforms if at_random(self.p) else (), inputs)


class RandomChoice(Container):
    """One of `transforms`; `p`: their weights."""

    def __init__(self, transforms: Sequence_, p: Sequence[float] | None = None) -> None:
        super().__init__(transforms)
        weights = [1.0] * len(transforms) if p is None else list(p)
        if len(weights) != len(transforms):
            raise ValueError(
                message(
                    "Length of p doesn't match the number of transforms: "
                    f"{len(weights)} != {len(transforms)}"
                )
            )
        self.p = [weight / sum(weights) for weight in weights]

    def forward(self, *inputs: Sample) -> Sample:
        chosen = int(torch.multinomial(torch.tensor(self.p), 1))
        return self.transforms[chosen](*inputs)

    def __repr__(self) -> str:
        return Transform.__repr__(self)


class RandomOrder(Container):
    """All of `transforms`, in a random order."""

    def forward(self, *inputs: Sample) -> Sample:
        order = torch.randperm(len(self.transforms)).tolist()
        return self.through([self.transforms[i] for i in order], inputs)

    def __repr__(self) -> str:
        return Transform.__repr__(self)
