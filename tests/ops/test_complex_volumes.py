"""Convolutions of complex volumes: made of those of the parts, with their derivatives."""

import numpy as np
import pytest

import microtorch as torch
import microtorch.nn.functional as F

rng = np.random.default_rng(0)


def c(*shape):
    a = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    return torch.tensor(a, requires_grad=True)


@pytest.mark.parametrize("f", [F.conv3d, F.conv_transpose3d])
def test_convolution(f):
    x, w, b = c(1, 2, 2, 3, 2), c(2, 2, 2, 2, 1), c(2)
    out = f(x, w, b)
    real = f(x.real, w.real) - f(x.imag, w.imag)
    imag = f(x.real, w.imag) + f(x.imag, w.real)
    torch.testing.assert_close(out, torch.complex(real, imag) + b.reshape(2, 1, 1, 1))
    assert torch.autograd.gradcheck(f, (x, w, b))
    assert torch.autograd.gradgradcheck(f, (x, w, b), atol=1e-4)
