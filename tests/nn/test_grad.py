"""torch.nn.grad: a convolution's gradients as functions, beside autograd and finite differences."""
import numpy as np
import pytest

import microtorch as torch
from microtorch.nn import grad

OPTIONS = [((1, 0, 1, 1), 4), ((2, 1, 1, 2), 2), ((2, 1, 2, 1), 4)]


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize(("options", "channels"), OPTIONS)
def test_both_gradients_of_a_convolution_and_their_own_gradients(n, options, channels):
    r = np.random.default_rng(0)
    x = torch.tensor(r.normal(size=(1, 4, *[4 + n % 2] * n)), requires_grad=True)
    w = torch.tensor(r.normal(size=(2, channels, *[2] * n)), requires_grad=True)
    y = getattr(torch.nn.functional, f"conv{n}d")(x, w, None, *options)
    g = torch.tensor(r.normal(size=y.shape), requires_grad=True)
    by_input, by_weight = (getattr(grad, f"conv{n}d_{what}") for what in ("input", "weight"))
    got = by_input(x.shape, w, g, *options), by_weight(x, w.shape, g, *options)
    for ours, autograds in zip(got, torch.autograd.grad(y, (x, w), g), strict=True):
        torch.testing.assert_close(ours, autograds)
    if n < 3:
        assert torch.autograd.gradcheck(lambda w, g: by_input(x.shape, w, g, *options), (w, g))
        assert torch.autograd.gradcheck(lambda x, g: by_weight(x, w.shape, g, *options), (x, g))


def test_without_gradients_nothing_is_recorded():
    ones = torch.ones(1, 1, 2, 2)
    with torch.no_grad():
        made = torch.nn.grad.conv2d_input((1, 1, 3, 3), ones, ones)
    assert made.tolist() == [[[[1, 2, 1], [2, 4, 2], [1, 2, 1]]]] and not made.requires_grad
