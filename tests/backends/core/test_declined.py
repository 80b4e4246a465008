"""Where C's loop declines an array, numpy's kernel runs: for every op of the formula table."""

import math

import numpy as np
import pytest

import microtorch as torch


@pytest.mark.parametrize("name", ["erf", "erfc", "exp", "tanh", "sigmoid"])
def test_arrays_that_are_not_contiguous(name):
    whole = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    op = getattr(torch, name)
    for x in (whole.t(), whole[:, ::2], whole[:, :1].expand(4, 3)):
        np.testing.assert_allclose(op(x).numpy(), op(x.contiguous()).numpy(), rtol=1e-6)


def test_erf_against_the_standard_library():
    x = torch.linspace(-3, 3, 24, dtype=torch.float64).reshape(4, 6).t()
    wanted = np.vectorize(math.erf)(x.numpy())
    np.testing.assert_allclose(torch.erf(x).numpy(), wanted, rtol=1e-14)
