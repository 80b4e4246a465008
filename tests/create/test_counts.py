"""Poisson and binomial numbers: PyTorch's for the seed, and their means and variances."""

import numpy as np
import pytest

import microtorch as torch


def test_pytorchs_numbers():
    torch.manual_seed(5)
    rates = torch.tensor([1.0, 20.0, 0.0, 3.0, 100.0])
    assert torch.poisson(rates).tolist() == [1, 18, 0, 5, 96]
    torch.manual_seed(5)
    counts, p = torch.tensor([10.0, 200.0, 5.0]), torch.tensor([0.3, 0.4, 0.9])
    assert torch.binomial(counts, p).tolist() == [3, 75, 5]


@pytest.mark.parametrize("rate", [0.7, 9.5, 10.5, 60.0])
def test_poisson_moments(rate):
    g = torch.Generator().manual_seed(1)
    x = torch.poisson(torch.full((4000,), rate, dtype=torch.float64), g).numpy()
    error = 5 * np.sqrt(rate / 4000)
    assert abs(x.mean() - rate) < error and abs(x.var() / rate - 1) < 0.15


@pytest.mark.parametrize("count, p", [(6, 0.3), (200, 0.5), (200, 0.9), (40, 0.02)])
def test_binomial_moments(count, p):
    torch.manual_seed(2)
    x = torch.binomial(torch.full((4000,), float(count)), torch.tensor(p)).numpy()
    variance = count * p * (1 - p)
    assert abs(x.mean() - count * p) < 5 * np.sqrt(variance / 4000)
    assert abs(x.var() / variance - 1) < 0.2 and x.min() >= 0 and x.max() <= count


def test_edges_and_errors():
    counts, p = torch.tensor([3.0, 3.0, 0.0]), torch.tensor([0.0, 1.0, 0.5])
    assert torch.binomial(counts, p).tolist() == [0, 3, 0]
    assert torch.poisson(torch.zeros(0)).shape == (0,)
    assert torch.poisson(torch.ones(2, 3, dtype=torch.float64)).dtype is torch.float64
    with pytest.raises(RuntimeError):
        torch.poisson(torch.tensor([-1.0]))
    with pytest.raises(NotImplementedError):
        torch.poisson(torch.tensor([1]))
    with pytest.raises(RuntimeError):
        torch.binomial(torch.ones(1), torch.ones(1).double())
