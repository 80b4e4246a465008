"""Datasets; orders recorded from PyTorch 2.13 (CPU)."""

import pytest

import microtorch as torch
from microtorch.utils.data import (
    ConcatDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    random_split,
)


def test_datasets():
    data = TensorDataset(torch.arange(3), torch.ones(3, 2))
    x, y = data[1]
    assert (x.item(), y.tolist(), len(data)) == (1, [1.0, 1.0], 3)
    assert [sample.tolist() for sample in data[0:2]] == [[0, 1], [[1.0, 1.0], [1.0, 1.0]]]
    subset = Subset(data, [2, 0])
    assert len(subset) == 2 and subset[0][0].item() == 2
    both = ConcatDataset([[1], [2, 3]])
    assert len(both) == 3 and [both[i] for i in range(3)] == [1, 2, 3] and both[-1] == 3
    assert len(data + data) == 6
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        random_split(range(2), [0.1, 0.1, 0.8])


def test_subsets_and_splits():
    torch.manual_seed(4)
    assert list(SubsetRandomSampler([3, 5, 7, 9])) == [7, 5, 9, 3]
    parts = random_split(range(10), [0.5, 0.3, 0.2])
    assert [list(part) for part in parts] == [[3, 4, 2, 5, 8], [7, 0, 1], [6, 9]]
    assert [list(part) for part in random_split(range(7), [3, 4])] == [[5, 2, 1], [6, 3, 4, 0]]
    parts = random_split(range(10), [5, 5], generator=torch.Generator().manual_seed(1))
    assert [list(part) for part in parts] == [[5, 6, 1, 2, 0], [8, 9, 3, 7, 4]]
    assert [len(part) for part in random_split(range(10), [0.33, 0.33, 0.34])] == [4, 3, 3]
