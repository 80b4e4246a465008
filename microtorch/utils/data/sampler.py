"""Samplers: the order in which a DataLoader visits the samples.

A sampler is an iterable of indices, a batch sampler one of lists of indices. Random ones draw from
`generator`; without one, each pass over RandomSampler seeds a generator of its own with one draw
from the default generator, so that a pass costs the default generator one number whatever the size
of the data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any, cast

from ...arrays.draws import multinomial, randint, random, randperm
from ...arrays.generator import Generator
from ...base.errors import message
from ...create.data import tensor
from ...handles.tensor import Tensor
from .typed import Typed


def _positive(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(
            message(f"{name} should be a positive integer value, but got {name}={value}")
        )


def _boolean(name: str, value: Any, error: type[Exception]) -> None:
    if not isinstance(value, bool):
        raise error(message(f"{name} should be a boolean value, but got {name}={value}"))


class Sampler(Typed):
    """Base class: define `__iter__`, and `__len__` where it is known."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__")


class SequentialSampler(Sampler):
    """0, 1, 2, ..."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """A random permutation, or with replacement=True, `num_samples` independent draws."""

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        _boolean("replacement", replacement, TypeError)
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        _positive("num_samples", self.num_samples)

    @property
    def num_samples(self) -> int:
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        size = len(self.data_source)
        generator = self.generator
        if generator is None:
            generator = Generator().manual_seed(draw_seed(None))
        wanted = self.num_samples
        if self.replacement:
            # In blocks of 32, as PyTorch draws them; the last block may be empty.
            for start in range(0, wanted - wanted % 32 + 1, 32):
                block = min(32, wanted - start)
                yield from randint((block,), 0, size, generator=generator).tolist()
        else:
            for _ in range(wanted // size):
                yield from randperm(size, generator=generator).tolist()
            # Drawn even if nothing of it is needed: `generator` must end where PyTorch's does.
            yield from randperm(size, generator=generator).tolist()[: wanted % size]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """The given indices in random order, without replacement."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for i in randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """`num_samples` indices, each drawn in proportion to its weight."""

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        _positive("num_samples", num_samples)
        _boolean("replacement", replacement, ValueError)
        given = weights if isinstance(weights, Tensor) else tensor(list(weights), device="cpu")
        self.weights = given.double()
        if self.weights.ndim != 1:
            raise ValueError(
                message(
                    "weights should be a 1d sequence but given weights have shape "
                    f"{tuple(self.weights.shape)}",
                    fix="one weight for each sample",
                )
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        weights = self.weights.detach().cpu().numpy()
        yield from multinomial(weights, self.num_samples, self.replacement, self.generator).tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of `batch_size` indices of `sampler`.

    drop_last=True leaves out a shorter last one.
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        _positive("batch_size", batch_size)
        _boolean("drop_last", drop_last, ValueError)
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(islice(indices, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield batch

    def __len__(self) -> int:
        size = len(cast("Sized", self.sampler))  # TypeError if it has none
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)


def draw_seed(generator: Generator | None) -> int:
    """One int64 from `generator` (None: the default one), over its whole range."""
    return int(random((), generator=generator))
