"""DataLoader: batches from a dataset.

For each pass: the sampler gives indices, the batch sampler groups them, the dataset's samples are
collected and put together by `collate_fn`. With `num_workers` this happens in other processes
(processes.py, worker.py), which send the batches back in order.

Same seed, same batches as PyTorch: starting a pass draws one int64 from the loader's generator
(the seed PyTorch hands to workers, drawn even without any), and RandomSampler draws its own seed
when the first index is asked for.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import repeat
from multiprocessing.context import BaseContext

from ...arrays.generator import Generator
from ...base.errors import message, warn
from .collate import default_collate, default_convert
from .dataset import IterableDataset
from .fetching import MapFetcher, StreamFetcher
from .nouns import Batch, Collate, Data, Fetcher, Indices
from .processes import Crew
from .sampler import BatchSampler, RandomSampler, SequentialSampler, draw_seed
from .typed import Typed

_FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


class DataLoader(Typed):
    """Iterate over `dataset` in batches of `batch_size`; batch_size=None gives single samples.

    `shuffle`: a new random order in each pass, from `generator` or the default one. `drop_last`:
    leave out a last batch that is too small. `sampler`: your own order of indices, instead of
    shuffle. `batch_sampler`: your own batches of indices, instead of all of these. `collate_fn`:
    list of samples -> batch.

    `num_workers`: so many processes load, each `prefetch_factor` (2) batches ahead; 0: this one
    does. `worker_init_fn(id)` is called in each when it starts, `multiprocessing_context` ("fork",
    "spawn") says how it starts, `persistent_workers` keeps them from one pass to the next. After
    `timeout` seconds without a batch (0: never) RuntimeError. What a worker raises is raised here,
    with its traceback. `in_order=False` gives batches as they come. Pinned memory is accepted and
    has no effect.

    Raises ValueError for arguments that exclude each other.
    """

    _said: int | None = None  # the length of a stream, once it was asked for

    def __init__(
        self,
        dataset: Data,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Indices] | None = None,
        batch_sampler: Iterable[Indices] | None = None,
        num_workers: int = 0,
        collate_fn: Collate | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], object] | None = None,
        multiprocessing_context: str | BaseContext | None = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        _warn_of_many(num_workers)
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
            source: Data = dataset if self._iterable else sampler
            batch_sampler = BatchSampler(source, batch_size, drop_last)
        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler: Data = sampler  # sized or not, None for a stream
        self.batch_sampler: Data = batch_sampler
        self.drop_last = drop_last
        self.generator = generator
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = _context(multiprocessing_context, num_workers)
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate
        self.collate_fn = collate_fn
        self._iterator: Batches | None = None
        self._ready = True

    def __setattr__(self, name: str, value: object) -> None:
        if name in _FIXED and "_ready" in self.__dict__:
            raise ValueError(
                message(
                    f"{name} attribute should not be set after DataLoader is initialized",
                    fix="make a new DataLoader",
                )
            )
        super().__setattr__(name, value)

    def __iter__(self) -> Batches:
        if self.persistent_workers and self.num_workers:
            if self._iterator is None or self._iterator.stopped:
                self._iterator = Batches(self)
            else:
                self._iterator.again(self)
            return self._iterator
        return Batches(self)

    def __len__(self) -> int:
        """The number of batches; TypeError for a stream without a length."""
        if self._iterable:
            self._said = len(self.dataset)
        if self.batch_sampler is not None:
            return len(self.batch_sampler)
        return len(self.dataset if self._iterable else self.sampler)

    def _fetcher(self) -> Callable[[], Fetcher]:
        """What makes a fetcher. Called where batches are loaded, which may be another process."""
        if self._iterable:
            size, drop = self.batch_size, self.drop_last
            return partial(StreamFetcher, self.dataset, self.collate_fn, size, drop)
        batched = self.batch_sampler is not None
        return partial(MapFetcher, self.dataset, self.collate_fn, batched)

    def _indices(self) -> Iterator[Indices]:
        """What is fetched: indices one by one or in lists; of a stream only how often."""
        if self._iterable:
            return repeat(None)
        return iter(self.sampler if self.batch_sampler is None else self.batch_sampler)


class Batches:
    """One pass over a DataLoader: what `iter(loader)` gives."""

    def __init__(self, loader: DataLoader) -> None:
        # Drawn now, not when the first batch is asked for, and also where there are no workers.
        seed = draw_seed(loader.generator)
        if loader.pin_memory:
            warn(
                "'pin_memory' argument is set as true but no accelerator is found, then device "
                "pinned memory won't be used."
            )
        self._crew: Crew | None = None
        if loader.timeout and not loader.num_workers:
            raise AssertionError(
                message(
                    "a DataLoader without workers requires timeout == 0",
                    f"DataLoader: num_workers=0, timeout={loader.timeout}",
                    fix="leave timeout out: nobody is waited for, or give num_workers=1",
                )
            )
        if loader.num_workers:
            self._crew = Crew(
                loader.num_workers,
                seed,
                loader.dataset,
                loader._fetcher(),
                loader.worker_init_fn,
                loader.multiprocessing_context,
                2 if loader.prefetch_factor is None else loader.prefetch_factor,
                loader.timeout,
                loader.in_order,
            )
        # no reference to the loader, which with persistent workers has one to this
        self._sized: Data = loader.batch_sampler
        if self._sized is None:
            self._sized = loader.dataset if loader._iterable else loader.sampler
        self._keeps_workers = loader.persistent_workers
        self._stream = repr(loader.dataset) if loader._said is not None else ""
        self.again(loader)

    def again(self, loader: DataLoader) -> None:
        """Begin the pass anew."""
        self._said, self._given = loader._said, 0
        self._indices = loader._indices()
        if self._crew is not None:
            self._crew.begin(self._indices)
        else:
            self._fetch = loader._fetcher()()

    @property
    def stopped(self) -> bool:
        """Have the workers been stopped, because one has died or Ctrl-C was pressed?"""
        return self._crew is not None and self._crew.stopped

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> Batch:
        batch = self._next()
        if self._said is not None:
            self._given += 1
            if self._given > self._said:
                warn(
                    f"Length of IterableDataset {self._stream} was reported to be {self._said} "
                    f"(when accessing len(dataloader)), but {self._given} samples have been "
                    "fetched. With workers: let each read a part of its own (get_worker_info).",
                )
        return batch

    def _next(self) -> Batch:
        if self._crew is None:
            return self._fetch(next(self._indices))
        try:
            return self._crew.take()
        except StopIteration:
            if not self._keeps_workers:
                self._crew.stop()
            raise

    def __len__(self) -> int:
        return len(self._sized)

    def __getattr__(self, name: str) -> object:
        what = f"'{type(self).__name__}' object has no attribute '{name}'"
        if name == "next":  # programs of Python 2's days have it
            what += "\n  fix: next(iterator)"
        raise AttributeError(what, name=name, obj=self)


def _excluded(what: str) -> ValueError:
    return ValueError(message(what, fix="give one of them"))


def _warn_of_many(num_workers: int) -> None:
    """Warn of more workers than processors that this process may use."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if here is None or num_workers > here:
        warn(
            f"This DataLoader will create {num_workers} worker processes in total. Our suggested "
            f"max number of worker in current system is {here}, which is smaller than what this "
            "DataLoader is going to create. Please be aware that excessive worker creation might "
            "get DataLoader running slow or even freeze, lower the worker number to avoid "
            "potential slowness/freeze if necessary."
        )


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
    if prefetch_factor is not None and prefetch_factor <= 0:
        raise ValueError(
            message(
                "prefetch_factor option should be non-negative, and not 0",
                f"DataLoader: {prefetch_factor=}",
            )
        )


def _context(given: str | BaseContext | None, num_workers: int) -> BaseContext | None:
    if given is None:
        return None
    if num_workers == 0:
        raise ValueError(
            message(
                "multiprocessing_context can only be used with multi-process loading "
                f"(num_workers > 0), but got num_workers={num_workers}"
            )
        )
    if isinstance(given, BaseContext):
        return given
    known = multiprocessing.get_all_start_methods()
    if not isinstance(given, str):
        raise TypeError(
            message(
                "multiprocessing_context option should be a valid context object or a string "
                f"specifying the start method, but got multiprocessing_context={given!r}"
            )
        )
    if given not in known:
        raise ValueError(
            message(
                "multiprocessing_context option should specify a valid start method in "
                f"{known!r}, but got multiprocessing_context={given!r}"
            )
        )
    return multiprocessing.get_context(given)


def _check_stream(shuffle: bool | None, sampler: Data, batch_sampler: Data) -> None:
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
