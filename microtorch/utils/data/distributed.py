"""DistributedSampler: the part of a dataset that one process of several reads."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Sized

from ...arrays.draws import randperm
from ...arrays.generator import Generator
from ...base.errors import message
from .sampler import Sampler


class DistributedSampler(Sampler):
    """Every `num_replicas`-th index, beginning with `rank`, of one common order.

    With `shuffle` the order is a permutation from `seed` + epoch: call `set_epoch` before each
    pass. All processes get equally many: the first indices are read twice, or with `drop_last` the
    last are left out. By default the number of processes and the rank are those of
    torch.distributed.
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            size, own = _process()
            num_replicas = size if num_replicas is None else num_replicas
            rank = own if rank is None else rank
        if not 0 <= rank < num_replicas:
            raise ValueError(
                message(
                    f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]"
                )
            )
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        self.shuffle = shuffle
        self.seed = seed
        size = len(dataset)
        if drop_last and size % num_replicas:
            self.num_samples = math.ceil((size - num_replicas) / num_replicas)
        else:
            self.num_samples = math.ceil(size / num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        size = len(self.dataset)
        if self.shuffle:
            generator = Generator().manual_seed(self.seed + self.epoch)
            indices = randperm(size, generator=generator).tolist()
        else:
            indices = list(range(size))
        if not self.drop_last and indices:
            indices = (indices * math.ceil(self.total_size / len(indices)))[: self.total_size]
        return iter(indices[: self.total_size][self.rank :: self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Another order for this epoch, the same one in all processes."""
        self.epoch = epoch


def _process() -> tuple[int, int]:
    """(number of processes, rank) of torch.distributed; RuntimeError where it is not running."""
    try:
        # by its name: it stands above this module, and knows it
        distributed = importlib.import_module("microtorch.distributed")
    except ModuleNotFoundError:
        raise RuntimeError(
            message(
                "Requires distributed package to be available",
                fix="DistributedSampler(dataset, num_replicas=..., rank=...)",
            )
        ) from None
    return distributed.get_world_size(), distributed.get_rank()
