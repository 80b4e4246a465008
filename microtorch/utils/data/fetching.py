"""From the indices that a sampler gives to a batch: what a DataLoader does in whichever process."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from .collate import default_collate
from .nouns import Batch, Collate, Data, Indices


@dataclass
class MapFetcher:
    """Batches of a dataset with an index. `batched`: indices come in lists."""

    dataset: Data
    collate: Collate
    batched: bool

    def __post_init__(self) -> None:
        # Rows picked at once, not one by one and stacked again: the same batch, much faster.
        self._whole = None
        if self.batched and self.collate is default_collate:
            self._whole = getattr(self.dataset, "batch_of", None)

    def __call__(self, indices: Indices) -> Batch:
        if self._whole is not None:
            batch = self._whole(indices)
            if batch is not None:
                return batch
            self._whole = None
        if not self.batched:
            return self.collate(self.dataset[indices])
        if hasattr(self.dataset, "__getitems__"):
            return self.collate(self.dataset.__getitems__(indices))
        return self.collate([self.dataset[index] for index in indices])


class StreamFetcher:
    """Batches of a stream; StopIteration at its end."""

    def __init__(
        self, dataset: Data, collate: Collate, batch_size: int | None, drop_last: bool
    ) -> None:
        self._samples = iter(dataset)
        self._collate, self._size, self._drop_last = collate, batch_size, drop_last

    def __call__(self, indices: Indices) -> Batch:
        if self._size is None:
            return self._collate(next(self._samples))
        batch = list(islice(self._samples, self._size))
        if not batch or (len(batch) < self._size and self._drop_last):
            raise StopIteration
        return self._collate(batch)
