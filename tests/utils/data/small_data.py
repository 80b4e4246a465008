"""Small datasets that the tests share."""

import microtorch as torch
from microtorch.utils.data import (
    Dataset,
    IterableDataset,
)


class Count(IterableDataset):
    def __iter__(self):
        return iter(range(5))


class Squares(Dataset):
    def __getitem__(self, index):
        return torch.tensor(float(index)), index * index

    def __len__(self):
        return 5


def lists(batches):
    return [batch.tolist() for batch in batches]
