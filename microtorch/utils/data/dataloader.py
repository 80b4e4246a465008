"""DataLoader: batches from a dataset.

For each pass: the sampler gives indices, the batch sampler groups them, the dataset's samples are
collected and put together by `collate_fn`. Loading happens in this process; `num_workers` is
accepted, because scripts set it, and answered by one warning.

Same seed, same batches as PyTorch: starting a pass draws one int64 from the loader's generator
(the seed PyTorch hands to workers, drawn even without any), and RandomSampler draws its own seed
when the first index is asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from ...arrays.generator import Generator
from ...base.errors import message
from .collate import default_collate, default_convert
from .dataset import IterableDataset, TensorDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler, draw_seed

_FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset")
_warned: set[str] = set()


class DataLoader:
    """Iterate over `dataset` in batches of `batch_size`; batch_size=None gives single samples.

    `shuffle`: a new random order in each pass, from `generator` or the default one. `drop_last`:
    leave out a last batch that is too small. `sampler`: your own order of indices, instead of
    shuffle. `batch_sampler`: your own batches of indices, instead of all of these. `collate_fn`:
    list of samples -> batch. The arguments about workers and pinned memory have no effect beyond
    a warning for num_workers > 0.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        self._iterable = isinstance(dataset, IterableDataset)
        if self._iterable:
            _check_stream(shuffle, sampler, batch_sampler)
        if sampler is not None and shuffle:
            raise _excluded("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise _excluded(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, "
                    "sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise _excluded(
                "batch_size=None option disables auto-batching and is mutually exclusive with "
                "drop_last"
            )
        if sampler is None and not self._iterable:
            if shuffle:
                sampler = RandomSampler(dataset, generator=generator)
            else:
                sampler = SequentialSampler(dataset)
        if batch_size is not None:
            # For a stream only its checks and its arithmetic of lengths are used.
            source: Any = dataset if self._iterable else sampler
            batch_sampler = BatchSampler(source, batch_size, drop_last)
        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler: Any = sampler  # sized or not, None for a stream
        self.batch_sampler: Any = batch_sampler
        self.drop_last = drop_last
        self.generator = generator
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.prefetch_factor = prefetch_factor
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate
        self.collate_fn = collate_fn
        self._ready = True

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and "_ready" in self.__dict__:
            raise ValueError(
                message(
                    f"{name} attribute should not be set after DataLoader is initialized",
                    fix="make a new DataLoader",
                )
            )
        super().__setattr__(name, value)

    def __iter__(self) -> Iterator[Any]:
        # Not a generator itself: the seed must be drawn now, not when the first batch is asked for.
        draw_seed(self.generator)
        return self._stream() if self._iterable else self._batches()

    def __len__(self) -> int:
        """The number of batches; TypeError for a stream without a length."""
        if self.batch_sampler is not None:
            return len(self.batch_sampler)
        return len(self.dataset if self._iterable else self.sampler)

    def _batches(self) -> Iterator[Any]:
        dataset, collate = self.dataset, self.collate_fn
        if self.batch_sampler is None:
            for index in self.sampler:
                yield collate(dataset[index])
        elif type(dataset) is TensorDataset and collate is default_collate:
            # Rows picked at once, not one by one and stacked again: the same batch, much faster
            for indices in self.batch_sampler:
                yield [tensor[indices] for tensor in dataset.tensors]
        elif hasattr(dataset, "__getitems__"):
            for indices in self.batch_sampler:
                yield collate(dataset.__getitems__(indices))
        else:
            for indices in self.batch_sampler:
                yield collate([dataset[index] for index in indices])

    def _stream(self) -> Iterator[Any]:
        samples = iter(self.dataset)
        if self.batch_size is None:
            for sample in samples:
                yield self.collate_fn(sample)
            return
        while batch := list(islice(samples, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield self.collate_fn(batch)


def _excluded(what: str) -> ValueError:
    return ValueError(message(what, fix="give one of them"))


def _check_workers(
    num_workers: int, timeout: float, prefetch_factor: int | None, persistent: bool
) -> None:
    if num_workers < 0:
        raise ValueError(
            message(
                "num_workers option should be non-negative; "
                "use num_workers=0 to disable multiprocessing.",
                f"DataLoader: {num_workers=}",
            )
        )
    if timeout < 0:
        raise ValueError(
            message("timeout option should be non-negative", f"DataLoader: {timeout=}")
        )
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            message(
                "prefetch_factor option could only be specified in multiprocessing. "
                "Let num_workers > 0 to enable multiprocessing, "
                "otherwise set prefetch_factor to None.",
                f"DataLoader: {num_workers=}, {prefetch_factor=}",
            )
        )
    if num_workers == 0 and persistent:
        raise ValueError(
            message("persistent_workers option needs num_workers > 0", fix="leave it out")
        )
    if num_workers > 0 and "num_workers" not in _warned:
        _warned.add("num_workers")
        warnings.warn(
            f"DataLoader(num_workers={num_workers}): microtorch loads in the main process; "
            "the batches are the same",
            stacklevel=3,
        )


def _check_stream(shuffle: bool | None, sampler: Any, batch_sampler: Any) -> None:
    options = {"shuffle": shuffle or None, "sampler": sampler, "batch_sampler": batch_sampler}
    for name, value in options.items():
        if value is not None:
            raise ValueError(
                message(
                    f"DataLoader with IterableDataset: expected unspecified {name} option, "
                    f"but got {name}={value}",
                    fix="a stream comes in its own order; shuffle it in __iter__",
                )
            )
