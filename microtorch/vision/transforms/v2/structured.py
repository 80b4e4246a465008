"""Transforms of samples: a picture, or a picture among labels in tuples, lists and dicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum

import numpy as np

from ....base.errors import message
from ....create.random import get_rng_state, set_rng_state
from ....handles.tensor import Tensor
from ....nn.module import Module
from ...images import Picture, is_pillow
from ...tv_tensors import BoundingBoxes, Mask, TVTensor
from ..converting import pil_to_tensor, to_pil_image
from ..modes import InterpolationMode

Sample = Picture  # a picture, or tuples, lists and dicts of what a dataset gives
AROUND = (BoundingBoxes, Mask)  # what belongs to a picture
Sequence_ = list[Callable[..., Sample]] | tuple[Callable[..., Sample], ...]


def leaves(sample: Sample) -> Iterator[Picture]:
    """What is in a sample, depth first."""
    if isinstance(sample, (tuple, list)):
        for part in sample:
            yield from leaves(part)
    elif isinstance(sample, dict):
        for part in sample.values():
            yield from leaves(part)
    else:
        yield sample


def replaced(sample: Sample, old: Picture, new: Picture) -> Sample:
    """The sample with `new` in the place of `old`."""
    if sample is old:
        return new
    if isinstance(sample, (tuple, list)):
        parts = [replaced(part, old, new) for part in sample]
        return type(sample)(*parts) if hasattr(sample, "_fields") else type(sample)(parts)
    if isinstance(sample, dict):
        return {name: replaced(part, old, new) for name, part in sample.items()}
    return sample


def pictures_of(sample: Sample) -> list[Picture]:
    """What a transform changes: Pillow images and what is marked by `tv_tensors`, each once.

    A sample without any picture so marked has one in its first plain Tensor, or else array.
    """
    found = list({id(x): x for x in leaves(sample)}.values())
    chosen = [x for x in found if is_pillow(x) or isinstance(x, TVTensor)]
    if any(not isinstance(x, AROUND) for x in chosen):
        return chosen
    tensors = [x for x in found if isinstance(x, Tensor) and not isinstance(x, TVTensor)]
    if tensors:
        return [x for x in found if x is tensors[0] or isinstance(x, TVTensor)]
    arrays = [x for x in found if isinstance(x, np.ndarray) and x.ndim >= 2]
    return chosen + arrays[:1]


# what torchvision keeps as a list, and prints as one
LISTS = {
    "GaussianBlur": ("sigma",), "Normalize": ("mean", "std"), "Pad": ("padding",),
    "Resize": ("size",),
}  # fmt: skip


class Transform(Module):
    """Base class of v2 transforms: `transform(picture, params)` with what `make_params` drew.

    A subclass that has a `forward` of one picture, as those of v1 have, needs neither.
    """

    def make_params(self, flat_inputs: list[Picture]) -> dict[str, object]:
        """Override to draw random numbers, once for a sample."""
        return {}

    def transform(self, inpt: Picture, params: dict[str, object]) -> Picture:
        """Override to change one picture."""
        raise NotImplementedError(f"{type(self).__name__} does not define transform")

    def one(self, picture: Picture) -> Picture:
        """The picture changed."""
        return self.transform(picture, self.make_params([picture]))

    def forward(self, *inputs: Sample) -> Sample:
        sample: Sample = inputs if len(inputs) > 1 else inputs[0]
        found = pictures_of(sample)
        if len(found) == 1:
            return replaced(sample, found[0], self.one(found[0]))
        before, after = get_rng_state(), None
        for part in found:  # each meets the same random numbers
            set_rng_state(before)
            sample = replaced(sample, part, self.one(part))
            if after is None and not isinstance(part, AROUND):
                after = get_rng_state()
        if after is not None:
            set_rng_state(after)
        return sample

    def extra_repr(self) -> str:
        kinds = (bool, int, float, str, tuple, list, Enum)
        shown = {
            name: value
            for name, value in self.__dict__.items()
            if not name.startswith("_") and name != "training" and isinstance(value, kinds)
        }
        values = {k: v.value if isinstance(v, InterpolationMode) else v for k, v in shown.items()}
        for name in LISTS.get(type(self).__name__, ()):
            if isinstance(value := values[name], tuple) or name == "size":
                values[name] = list(value) if isinstance(value, (tuple, list)) else [value]
        return ", ".join(f"{name}={value}" for name, value in values.items())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"


def structured(
    single: type[Module], tensors_only: bool = False, **members: object
) -> type[Module]:
    """The v2 class of a v1 class: the same numbers, for a picture in a sample.

    `tensors_only`: the v1 class takes no Pillow image, so one goes through a Tensor and back.
    `members`: what else the class has.
    """

    def one(self: Module, picture: Picture) -> Picture:
        if isinstance(picture, AROUND):
            if "newer" in members or single.__name__ in ("FiveCrop", "TenCrop"):
                kind, name = type(picture).__name__, type(self).__name__
                raise TypeError(message(f"Inputs of type {kind} are not supported by {name}()"))
            if tensors_only:
                return picture
        if tensors_only and isinstance(picture, TVTensor):
            return picture._again(single.forward(self, picture.plain()))
        if tensors_only and is_pillow(picture):
            return to_pil_image(single.forward(self, pil_to_tensor(picture)), picture.mode)
        return single.forward(self, picture)

    module = __name__.rpartition(".")[0]
    members |= {"one": one, "__doc__": single.__doc__, "__module__": module}
    return type(single.__name__, (Transform, single), members)


class Container(Transform):
    """Base class of transforms of transforms."""

    def __init__(self, transforms: Sequence_) -> None:
        super().__init__()
        if not isinstance(transforms, (list, tuple)):
            raise TypeError(message("Argument transforms should be a sequence of callables"))
        if not transforms:
            raise ValueError(message("Pass at least one transform"))
        self.transforms = transforms

    def through(self, steps: Sequence_, inputs: tuple[Sample, ...]) -> Sample:
        """All `steps`, one after the other."""
        several = len(inputs) > 1
        sample: Sample = inputs if several else inputs[0]
        for step in steps:
            sample = step(*sample) if several else step(sample)
        return sample

    def __repr__(self) -> str:
        lines = "\n".join(f"    {t}" for t in self.transforms).split("\n")
        name = type(self).__name__
        if len(lines) == 1:
            return f"{name}({lines[0]})"
        return "\n  ".join([f"{name}(", *lines]) + "\n)"
