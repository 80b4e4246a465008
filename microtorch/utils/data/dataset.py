"""Datasets: what a DataLoader reads from.

A map-style dataset answers `dataset[i]` and `len(dataset)`; any list does. An iterable one only
answers `iter(dataset)`, for data that comes as a stream.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import cast

from ...arrays.draws import randperm
from ...arrays.generator import Generator
from ...base.errors import NoTensor, describe, message, warn
from ...handles.tensor import Tensor
from .nouns import Data, Index, Sample
from .typed import Typed


class Dataset(Typed):
    """Base class of map-style datasets: define `__getitem__` and `__len__`."""

    def __getitem__(self, index: Index) -> Sample:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Dataset) -> Dataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """Base class of datasets that are streams: define `__iter__`.

    With several workers each has a copy: `get_worker_info()` says which part is its own.
    """

    def __add__(self, other: Dataset) -> Dataset:
        return ChainDataset([self, other])

    def __iter__(self) -> Iterator[Sample]:
        raise NotImplementedError("Subclasses of IterableDataset should implement __iter__.")


class TensorDataset(Dataset):
    """Tensors of equal first dimension; sample i is the tuple of their rows i."""

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            raise AssertionError(
                message("TensorDataset needs at least one tensor", fix="TensorDataset(x, y)")
            )
        for tensor in tensors:
            if not isinstance(tensor, Tensor):
                what = f"TensorDataset() takes Tensors, but got {describe(tensor)}"
                raise NoTensor(message(what, fix="torch.tensor(...) makes a tensor of it"))
        sizes = [len(tensor) for tensor in tensors]
        if len(set(sizes)) > 1:
            raise AssertionError(
                message(
                    "Size mismatch between tensors",
                    f"their first dimensions are {sizes}, but must be equal",
                    fix="one row of each tensor for each sample",
                )
            )
        self.tensors = tensors

    def __getitem__(self, index: Index) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])

    def batch_of(self, indices: list[int]) -> list[Tensor] | None:
        """What default_collate makes of these samples, picked at once; None: collate them."""
        if type(self).__getitem__ is not TensorDataset.__getitem__:
            return None
        rows = list(indices)  # a tuple would be an index of several dimensions
        if rows and isinstance(rows[0], (list, tuple)):  # of a sampler that gives lists
            return None
        return [tensor[rows] for tensor in self.tensors]


class StackDataset(Dataset):
    """Several datasets side by side: sample i is the tuple, or the dict, of their samples i."""

    def __init__(self, *args: Data, **kwargs: Data) -> None:
        if args and kwargs:
            raise ValueError(
                message(
                    "Supported either ``tuple``- (via ``args``) or ``dict``- (via ``kwargs``) like "
                    "input/output, but both types are given."
                )
            )
        if not args and not kwargs:
            raise ValueError(message("At least one dataset should be passed"))
        self.datasets: tuple[Data, ...] | dict[str, Data] = args or kwargs
        sizes = [len(dataset) for dataset in args or kwargs.values()]
        if len(set(sizes)) > 1:
            raise ValueError(message("Size mismatch between datasets", f"their lengths: {sizes}"))
        self._length = sizes[0]

    def __getitem__(self, index: Index) -> Sample:
        if isinstance(self.datasets, dict):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __getitems__(self, indices: list[int]) -> list[Sample]:
        named = isinstance(self.datasets, dict)
        sets = self.datasets.values() if isinstance(self.datasets, dict) else self.datasets
        columns = [_items(dataset, indices) for dataset in sets]
        for column in columns:
            if len(column) != len(indices):
                raise ValueError(
                    message(
                        "Nested dataset's output size mismatch. "
                        f"Expected {len(indices)}, got {len(column)}"
                    )
                )
        rows = zip(*columns, strict=True)
        return [dict(zip(self.datasets, row, strict=True)) if named else row for row in rows]

    def __len__(self) -> int:
        return self._length


def _items(dataset: Data, indices: list[int]) -> list[Sample]:
    """The samples at `indices`, at once where the dataset can."""
    if callable(getattr(dataset, "__getitems__", None)):
        return dataset.__getitems__(indices)
    return [dataset[index] for index in indices]


class ChainDataset(IterableDataset):
    """Several streams one after the other."""

    def __init__(self, datasets: Iterable[Data]) -> None:
        self.datasets = datasets

    def _streams(self) -> Iterator[Sample]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError(
                    message("ChainDataset only supports IterableDataset", fix="ConcatDataset")
                )
            yield dataset

    def __iter__(self) -> Iterator[Sample]:
        for stream in self._streams():
            yield from stream

    def __len__(self) -> int:
        return sum(len(stream) for stream in self._streams())


class Subset(Dataset):
    """The samples of `dataset` at `indices`, in that order."""

    def __init__(self, dataset: Data, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices
        own = type(self)
        if own.__getitem__ is not Subset.__getitem__ and own.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(
                message(
                    f"{own.__name__} overrides __getitem__ but not __getitems__.",
                    "a DataLoader asks a Subset for all samples of a batch at once",
                    fix="def __getitems__(self, indices): return [self[i] for i in indices]",
                )
            )

    def __getitem__(self, index: Index) -> Sample:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: list[int]) -> list[Sample]:
        return _items(self.dataset, [self.indices[i] for i in indices])

    def batch_of(self, indices: list[int]) -> list[Tensor] | None:
        """`batch_of` of the whole dataset, where it has one."""
        whole = getattr(self.dataset, "batch_of", None)
        if whole is None or type(self).__getitems__ is not Subset.__getitems__:
            return None
        return whole([self.indices[i] for i in indices])

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset):
    """Several datasets one after the other; `datasets`, `cumulative_sizes`."""

    def __init__(self, datasets: Iterable[Data]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError(
                message("datasets should not be an empty iterable", fix="ConcatDataset([a, b])")
            )
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError(
                message(
                    "ConcatDataset does not support IterableDataset",
                    "a stream has no index",
                    fix="ChainDataset([a, b])",
                )
            )
        self.cumulative_sizes = self.cumsum(self.datasets)

    @staticmethod
    def cumsum(sequence: Iterable[Data]) -> list[int]:
        """The sums of the lengths so far."""
        return list(accumulate(map(len, sequence)))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Sample:
        if index < 0:
            if -index > len(self):
                raise ValueError(
                    message(
                        "absolute value of index should not exceed dataset length",
                        f"index {index}, {len(self)} samples",
                    )
                )
            index += len(self)
        if index >= len(self):
            raise IndexError(message(f"index {index} is out of range for {len(self)} samples"))
        part = bisect.bisect_right(self.cumulative_sizes, index)
        start = self.cumulative_sizes[part - 1] if part else 0
        return self.datasets[part][index - start]


def random_split(
    dataset: Data, lengths: Sequence[int | float], generator: Generator | None = None
) -> list[Subset]:
    """Split into Subsets by one random permutation.

    `lengths` are numbers of samples, or fractions that sum to 1. Fractions are rounded down; what
    is left over goes one by one to the splits in order.
    """
    total = len(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        for number, fraction in enumerate(lengths):
            if not 0 <= fraction <= 1:
                raise ValueError(
                    message(
                        f"Fraction at index {number} is not between 0 and 1",
                        f"random_split: {lengths}",
                    )
                )
        sizes = [math.floor(total * fraction) for fraction in lengths]
        for number in range(total - sum(sizes)):
            sizes[number % len(sizes)] += 1
        for number, size in enumerate(sizes):
            if size == 0:
                warn(
                    f"Length of split at index {number} is 0. "
                    "This might result in an empty dataset.",
                )
    else:
        sizes = cast("list[int]", list(lengths))
    if sum(sizes) != total:
        raise ValueError(
            message(
                "Sum of input lengths does not equal the length of the input dataset!",
                f"{lengths} sums to {sum(sizes)}, the dataset has {total} samples",
                fix="fractions such as [0.8, 0.2] fit any length",
            )
        )
    order = randperm(total, generator=generator).tolist()
    ends = list(accumulate(sizes))
    return [Subset(dataset, order[end - size : end]) for end, size in zip(ends, sizes, strict=True)]
