"""Batches of pictures mixed with one another, and their labels with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import microtorch as torch
from microtorch.nn import functional as F

from ....base.errors import message
from ....distributions import Beta
from ....handles.tensor import Tensor
from ...images import Picture, is_pillow
from ...tv_tensors import BoundingBoxes, Mask, TVTensor, wrap
from .. import functional
from .structured import Sample, Transform, leaves, pictures_of, replaced

Getter = Callable[[Sample], Tensor] | str | None
Box = tuple[int, int, int, int]  # left, top, right, bottom


def labels_of(sample: Sample) -> Tensor:
    """The labels of a batch: a Tensor beside the pictures, or the value of a key with "label"."""
    inside = sample[1] if isinstance(sample, (tuple, list)) else sample
    if isinstance(inside, Tensor):
        return inside
    if not isinstance(inside, Mapping):
        raise ValueError(
            message(
                "When using the default labels_getter, the input passed to forward must be a "
                "dictionary or a two-tuple whose second item is a dictionary or a tensor, but got "
                f"{inside} instead."
            )
        )
    named = [name for name in inside if "label" in str(name).lower()]
    exact = [name for name in named if str(name).lower() in ("label", "labels")]
    if not named:
        raise ValueError(
            message("Could not infer where the labels are in the sample", fix="labels_getter=...")
        )
    found: Tensor = inside[(exact or named)[0]]
    return found


class _Mixing(Transform):
    """What MixUp and CutMix share: a batch, its labels, and the part that is kept.

    The part is drawn from Beta(alpha, alpha). Labels are classes (N,), of which there are
    `num_classes`, or probabilities (N, classes); they become probabilities.
    """

    def __init__(
        self, *, alpha: float = 1.0, num_classes: int | None = None,
        labels_getter: Getter = "default",
    ) -> None:  # fmt: skip
        super().__init__()
        self.alpha, self.num_classes = float(alpha), num_classes
        self._labels_getter = labels_of if labels_getter == "default" else labels_getter
        self._part = Beta(torch.tensor([self.alpha]), torch.tensor([self.alpha]))

    def forward(self, *inputs: Sample) -> Sample:
        sample: Sample = inputs if len(inputs) > 1 else inputs[0]
        name = type(self).__name__
        if any(is_pillow(x) or isinstance(x, (BoundingBoxes, Mask)) for x in leaves(sample)):
            raise ValueError(
                message(f"{name}() does not support PIL images, bounding boxes and masks.",
                        fix="give it a batch of the loader: (images, labels)")
            )  # fmt: skip
        labels = self._labels_getter(sample) if callable(self._labels_getter) else None
        if not isinstance(labels, Tensor):
            raise ValueError(message(f"The labels must be a tensor, but got {type(labels)}"))
        if labels.ndim not in (1, 2):
            raise ValueError(
                message(f"labels should be index based with shape (batch_size,) or probability "
                        f"based with shape (batch_size, num_classes), but got shape "
                        f"{tuple(labels.shape)} instead.")
            )  # fmt: skip
        if labels.ndim == 1 and self.num_classes is None:
            raise ValueError(
                message(f"{name}: num_classes must be passed if the labels are index-based (1D)")
            )
        if labels.ndim == 2 and self.num_classes not in (None, labels.shape[1]):
            raise ValueError(
                message("When passing 2D labels, the number of elements in last dimension must "
                        f"match num_classes: {labels.shape[1]} != {self.num_classes}. You can Leave"
                        " num_classes to None.")
            )  # fmt: skip
        batches = [x for x in pictures_of(sample) if x is not labels]
        for batch in batches:
            if batch.ndim < 4 or len(batch) != len(labels):
                raise ValueError(
                    message(
                        f"{name} takes batches of as many pictures as there are labels: "
                        f"{tuple(batch.shape)} and {tuple(labels.shape)}"
                    )
                )
        kept, mix = self._drawn(batches)
        for batch in batches:
            made = mix(batch)
            if isinstance(batch, TVTensor):
                made = wrap(made, like=batch)
            sample = replaced(sample, batch, made)
        return replaced(sample, labels, self._mixed_labels(labels, kept))

    def _drawn(self, batches: list[Picture]) -> tuple[float, Callable[[Picture], Picture]]:
        """The part that is kept, and what mixes a batch with itself moved on by one."""
        raise NotImplementedError

    def _mixed_labels(self, labels: Tensor, kept: float) -> Tensor:
        if labels.ndim == 1:
            labels = F.one_hot(labels, self.num_classes or -1)
        labels = labels if labels.is_floating_point() else labels.float()
        return _blend(labels, kept)


def _blend(x: Tensor, kept: float) -> Tensor:
    return x.roll(1, 0).mul_(1.0 - kept).add_(x.mul(kept))


class MixUp(_Mixing):
    """Each picture of a batch added to the one before it (Zhang et al. 2018), with their labels."""

    def _drawn(self, batches: list[Picture]) -> tuple[float, Callable[[Picture], Picture]]:
        kept = float(self._part.sample(()))
        return kept, lambda batch: _blend(batch, kept)


class CutMix(_Mixing):
    """A rectangle of each picture from the one before it (Yun et al. 2019); labels by areas."""

    def _drawn(self, batches: list[Picture]) -> tuple[float, Callable[[Picture], Picture]]:
        half = 0.5 * math.sqrt(1.0 - float(self._part.sample(())))
        _, height, width = functional.get_dimensions(batches[0])
        x, y = int(torch.randint(width, (1,))), int(torch.randint(height, (1,)))
        wide, tall = int(half * width), int(half * height)
        left, top = max(x - wide, 0), max(y - tall, 0)
        right, bottom = min(x + wide, width), min(y + tall, height)
        area = (right - left) * (bottom - top)

        def mix(batch: Picture) -> Picture:
            made, place = batch.clone(), (..., slice(top, bottom), slice(left, right))
            made[place] = batch.roll(1, 0)[place]
            return made

        return float(1.0 - area / (width * height)), mix
