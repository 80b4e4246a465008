"""Samplers; orders recorded from PyTorch 2.13 (CPU)."""

import pytest

import microtorch as torch
from microtorch.utils.data import (
    RandomSampler,
    WeightedRandomSampler,
)


def test_random_sampler():
    torch.manual_seed(3)
    drawn = list(RandomSampler(range(10), replacement=True, num_samples=40))
    assert drawn[:10] == [7, 8, 5, 1, 8, 6, 2, 2, 3, 9] and drawn[-8:] == [3, 3, 7, 4, 3, 6, 0, 9]
    assert torch.rand(1).item() == pytest.approx(0.28584248, rel=1e-7)
    torch.manual_seed(3)
    assert list(RandomSampler(range(4), num_samples=10)) == [3, 1, 0, 2, 3, 0, 2, 1, 0, 1]
    generator = torch.Generator().manual_seed(5)
    assert list(RandomSampler(range(4), generator=generator, num_samples=8)) == [
        3,
        1,
        0,
        2,
        1,
        3,
        2,
        0,
    ]


def test_weighted_sampler():
    torch.manual_seed(5)
    assert list(WeightedRandomSampler([0.1, 0.5, 0.4], 8)) == [2, 1, 1, 1, 1, 2, 1, 2]
    assert list(WeightedRandomSampler([0.1, 0.5, 0.4], 3, replacement=False)) == [2, 1, 0]
