"""Stacked and chained datasets, subsets, the distributed sampler, PyTorch's paths."""

import importlib

import pytest
from small_data import Count, lists

import microtorch as torch
from microtorch.utils.data import (
    ChainDataset,
    ConcatDataset,
    DataLoader,
    DistributedSampler,
    StackDataset,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
)


def test_stack_dataset():
    a, b = TensorDataset(torch.arange(4)), list("wxyz")
    pairs = StackDataset(a, b)
    assert pairs[2] == (a[2], "y") and len(pairs) == 4
    named = StackDataset(number=[1, 2, 3], letter="abc")
    assert named[1] == {"number": 2, "letter": "b"}
    batch = next(iter(DataLoader(named, batch_size=2)))
    assert batch["number"].tolist() == [1, 2] and batch["letter"] == ["a", "b"]
    assert StackDataset(Subset("abcd", [3, 1]), [5, 6]).__getitems__([1, 0]) == [("b", 6), ("d", 5)]
    for arguments, named, words in (
        (([1],), {"a": [1]}, "both types are given"),
        ((), {}, "At least one dataset"),
        (([1], [1, 2]), {}, "Size mismatch"),
    ):
        with pytest.raises(ValueError, match=words):
            StackDataset(*arguments, **named)


def test_chain_dataset():
    chain = ChainDataset([Count(), Count()])
    assert list(chain) == [0, 1, 2, 3, 4] * 2 and list(Count() + Count()) == list(chain)
    assert lists(DataLoader(chain, batch_size=7)) == [[0, 1, 2, 3, 4, 0, 1], [2, 3, 4]]
    with pytest.raises(TypeError):
        len(chain)
    with pytest.raises(AssertionError, match="only supports IterableDataset"):
        list(ChainDataset([[1, 2]]))
    assert isinstance(TensorDataset(torch.ones(1)) + TensorDataset(torch.ones(1)), ConcatDataset)


def test_subset():
    class Half(Subset):
        def __getitem__(self, index):
            return super().__getitem__(index) / 2

    with pytest.raises(NotImplementedError, match="overrides __getitem__ but not __getitems__"):
        Half([1, 2], [0])

    class Both(Half):
        def __getitems__(self, indices):
            return [self[i] for i in indices]

    assert lists(DataLoader(Both(torch.arange(4.0), [3, 1]), 2)) == [[1.5, 0.5]]
    data = TensorDataset(torch.arange(6).reshape(3, 2))
    assert next(iter(DataLoader(Subset(data, [2, 0]), 2)))[0].tolist() == [[4, 5], [0, 1]]

    class Negative(TensorDataset):
        def __getitem__(self, index):
            return tuple(-t for t in super().__getitem__(index))

    negative = Negative(torch.arange(6).reshape(3, 2))
    for source in (negative, Subset(negative, [2, 0])):
        assert (next(iter(DataLoader(source, 2)))[0] <= 0).all()


@pytest.mark.parametrize(
    "options, expected",
    [  # PyTorch 2.13, 11 samples for 4 processes
        ({}, [[10, 5, 9], [0, 8, 7], [4, 2, 6], [3, 1, 10]]),
        ({"seed": 3}, [[9, 4, 1], [0, 5, 10], [3, 2, 7], [6, 8, 9]]),
        ({"drop_last": True}, [[10, 5], [0, 8], [4, 2], [3, 1]]),
        ({"shuffle": False}, [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 0]]),
    ],
)
def test_distributed_sampler(options, expected):
    parts = [DistributedSampler(range(11), 4, rank, **options) for rank in range(4)]
    assert [list(part) for part in parts] == expected and len(parts[0]) == len(expected[0])


def test_distributed_sampler_epochs_and_errors():
    sampler = DistributedSampler(range(11), 4, 1)
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert [list(DistributedSampler(range(2), 5, r, shuffle=False)) for r in (1, 4)] == [[1], [0]]
    with pytest.raises(ValueError, match="Invalid rank 4"):
        DistributedSampler(range(11), 4, 4)


def test_samplers_take_generators():
    generator = torch.Generator().manual_seed(0)
    made = list(WeightedRandomSampler([0.1, 0.9, 0.5], 5, generator=generator))
    assert len(made) == 5 and set(made) <= {0, 1, 2}


@pytest.mark.parametrize(
    "path, name",
    [
        ("dataloader", "DataLoader"),
        ("dataloader", "default_collate"),
        ("dataset", "random_split"),
        ("sampler", "BatchSampler"),
        ("distributed", "DistributedSampler"),
        ("_utils.collate", "default_collate"),
        ("_utils.worker", "get_worker_info"),
    ],
)
def test_pytorchs_paths(path, name):
    module = importlib.import_module(f"microtorch.utils.data.{path}")
    assert getattr(module, name) is getattr(torch.utils.data, name)


def test_classes_take_a_type():
    class Numbers(torch.utils.data.Dataset[int]):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return index

    assert lists(DataLoader[int](Numbers(), 2)) == [[0, 1]]
    assert torch.utils.data.Sampler[int].__origin__ is torch.utils.data.Sampler


def test_a_stream_longer_than_it_said():
    class Says(Count):
        def __len__(self):
            return 3

    loader = DataLoader(Says(), batch_size=1)
    assert len(list(loader)) == 5 and len(loader) == 3
    with pytest.warns(UserWarning, match="was reported to be 3"):
        assert len(list(loader)) == 5
