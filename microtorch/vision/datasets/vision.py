"""What the datasets of pictures have in common: a root, transforms, a printed form."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ...base.errors import message
from ...base.types import Array
from ...create.data import from_numpy
from ...handles.tensor import Tensor
from ...utils.data.dataset import Dataset
from ..images import Picture, Transform, from_array
from ..transforms.whole import reads_arrays, whole

Sample: TypeAlias = "tuple[Picture, Picture]"  # a picture and its target, as transforms left them


class StandardTransform:
    """`transform` for the picture, `target_transform` for the target."""

    def __init__(
        self, transform: Transform | None = None, target_transform: Transform | None = None
    ) -> None:
        self.transform = transform
        self.target_transform = target_transform

    def __call__(self, input: Picture, target: Picture) -> Sample:
        if self.transform is not None:
            input = self.transform(input)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return input, target

    def __repr__(self) -> str:
        lines = [type(self).__name__]
        named = {"Transform: ": self.transform, "Target transform: ": self.target_transform}
        for head, transform in named.items():
            if transform is not None:
                first, *rest = repr(transform).splitlines()
                lines += [head + first, *(" " * len(head) + line for line in rest)]
        return "\n".join(lines)


class VisionDataset(Dataset):
    """Base class of datasets of pictures: define `__getitem__` and `__len__`.

    `transforms` takes picture and target together; `transform` and `target_transform` take one of
    them each. Give the one or the others: ValueError for both.
    """

    _repr_indent = 4

    def __init__(
        self,
        root: str | Path | None = None,
        transforms: Transform | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        separate = transform is not None or target_transform is not None
        if transforms is not None and separate:
            raise ValueError(
                message(
                    "Only transforms or transform/target_transform can be passed as argument",
                    fix="leave one of them out",
                )
            )
        self.transform = transform
        self.target_transform = target_transform
        self.transforms: Callable[..., Sample] | None = transforms
        if separate:
            self.transforms = StandardTransform(transform, target_transform)

    def transformed(self, image: Picture, target: Picture) -> Sample:
        """Both, as the transforms leave them."""
        together: Callable[[Picture, Picture], Sample] | None = self.transforms
        return (image, target) if together is None else together(image, target)

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} does not define __len__")

    def __repr__(self) -> str:
        body = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            body.append(f"Root location: {self.root}")
        body += self.extra_repr().splitlines()
        if getattr(self, "transforms", None) is not None:
            body.append(repr(self.transforms))  # of which only the first line is indented
        indent = " " * self._repr_indent
        return "\n".join([f"Dataset {type(self).__name__}", *(indent + line for line in body)])

    def extra_repr(self) -> str:
        """Lines about a class's own arguments."""
        return ""


class InMemory(VisionDataset):
    """Base class of datasets whose pictures are one array of bytes, `data`.

    `_pictures()` gives it as (N, H, W[, C]), `_labels()` the labels. A picture becomes a Pillow
    image where its transform may want one, as in torchvision. A transform that begins with ToTensor
    gives the same numbers from the array itself, and a batch of them is computed at once.
    """

    data: Any  # an array, or a Tensor

    def _pictures(self) -> Array:
        pictures: Array = self.data
        return pictures

    def _labels(self) -> Tensor | Array | Sequence[int]:
        raise NotImplementedError

    def _target(self, index: int) -> Picture:
        return int(self._labels()[index])

    def _targets(self, indices: Sequence[int]) -> Array:
        return labels_at(self._labels(), indices)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> Sample:
        image, target = self._pictures()[index], self._target(index)
        if self.transform is None:
            image = from_array(image, f"{type(self).__name__} without ToTensor()")
        elif reads_arrays(self.transform):
            image = self.transform(image)
        else:
            image = self.transform(from_array(image, f"{type(self.transform).__name__}"))
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def batch_of(self, indices: Sequence[int]) -> list[Tensor] | None:
        """What default_collate makes of these samples, computed at once; None: collate them.

        Only where the class's own `__getitem__` and transforms without chance are in use.
        """
        if type(self).__getitem__ is not InMemory.__getitem__ or self.target_transform is not None:
            return None
        together = whole(self.transform)
        if together is None:
            return None
        return [together(self._pictures()[list(indices)]), from_numpy(self._targets(indices))]


class Planes(InMemory):
    """Base class of those with a `split`, `data` (N, C, H, W) and `labels` (N,), numpy arrays."""

    data: Array
    labels: Array
    split: str

    def _pictures(self) -> Array:
        return self.data.transpose(0, 2, 3, 1)

    def _labels(self) -> Array:
        return self.labels

    def extra_repr(self) -> str:
        return f"Split: {self.split}"


def not_found(*details: str, fix: str = "") -> RuntimeError:
    """The error of a dataset whose files are not there, or are damaged."""
    what = "Dataset not found or corrupted. You can use download=True to download it"
    return RuntimeError(message(what, *details, fix=fix))


def labels_at(targets: Tensor | Array | Sequence[int], indices: Sequence[int]) -> Array:
    """The labels of these samples, int64."""
    if isinstance(targets, Tensor):
        targets = targets.numpy()
    if isinstance(targets, np.ndarray):
        return targets[list(indices)].astype(np.int64)
    return np.array([targets[i] for i in indices], np.int64)
