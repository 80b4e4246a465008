"""Wrong arguments of layers and functions: PyTorch's classes of error, and no crash."""
import numpy as np
import pytest

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")

@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("name", ["conv", "conv_transpose"])
def test_a_convolution_needs_a_kernel(name, n):
    f = getattr(F, f"{name}{n}d")
    for shape in ((4, 4, *[0] * n), (0, 4, *[3] * n)):
        with pytest.raises(RuntimeError):
            f(torch.ones(2, 4, *[5] * n), torch.ones(shape))


def test_sizes_may_be_numbers_of_numpy():
    three = np.int64(3)
    assert nn.Conv2d(1, 2, three)(torch.ones(1, 1, 4, 4)).shape == (1, 2, 2, 2)
    assert nn.AvgPool1d(three)(torch.ones(1, 1, 6)).shape == (1, 1, 2)
    assert nn.LayerNorm(3, bias=None).bias is None and nn.BatchNorm1d(3, affine=None).weight is None


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_recurrent_layers_look_at_types(kind):
    for wrong in ({"bias": None}, {"batch_first": 1}, {"hidden_size": 2.0}, {"input_size": "2"}):
        with pytest.raises(TypeError, match="should be of type"):
            kind(**{"input_size": 2, "hidden_size": 2, **wrong})
    with pytest.raises(ValueError, match="input_size must be greater than zero"):
        kind(0, 2)


X = torch.ones(2, 3, 4)
REFUSED = {
    "whole numbers": (NotImplementedError, lambda: F.adaptive_max_pool1d(X.long(), 2)),
    "one size too many": (RuntimeError, lambda: F.adaptive_avg_pool1d(X, (2, 2))),
    "no size": (TypeError, lambda: F.adaptive_avg_pool1d(X, None)),
    "a flag": (TypeError, lambda: F.avg_pool1d(X, 2, ceil_mode=1)),
    "beta": (TypeError, lambda: F.softplus(X, "1")),
    "complex": (RuntimeError, lambda: F.softplus(X, 1j)),
    "eps": (ValueError, lambda: F.batch_norm(X, None, None, training=True, eps=-1.0)),
    "NaN": (RuntimeError, lambda: F.huber_loss(X, X, delta=float("nan"))),
    "a value": (TypeError, lambda: F.pad(X, (1, 1), value=1j)),
    "a value where none is put": (RuntimeError, lambda: F.pad(X, (1, 1), "reflect", value=1.0)),
    "cut too much": (RuntimeError, lambda: F.pad(X, (-5, 5))),
    "a loss of whole numbers": (RuntimeError, lambda: F.huber_loss(X.long(), X)),
    "a larger weight": (RuntimeError, lambda: F.binary_cross_entropy(X, X, torch.ones(1, 2, 3, 4))),
    "a size of images": (ValueError, lambda: F.interpolate(torch.ones(3), size=[2])),
    "a size that is no number": (
        RuntimeError, lambda: F.interpolate(X, scale_factor=float("nan")),
    ),
    "a size without end": (RuntimeError, lambda: F.interpolate(X, scale_factor=float("inf"))),
    "celu of 0": (RuntimeError, lambda: F.celu(X, 0.0)),
    "a size that is no tuple": (TypeError, lambda: torch.nn.Unflatten(1, 3)),
    "sizes that are no numbers": (TypeError, lambda: torch.nn.Unflatten(1, (2, "a"))),
    "corners": (TypeError, lambda: F.grid_sample(X[None], X[None, ..., :2], align_corners=1)),
    "corners of a map": (TypeError, lambda: F.affine_grid(X[:, :2, :3], (2, 1, 2, 2), "yes")),
    "a mode": (NotImplementedError, lambda: F.interpolate(X, size=2, mode="best")),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(what):
    error, call = REFUSED[what]
    with pytest.raises(error):
        call()


def test_losses_keep_the_dtype_that_they_are_written_into():
    half, single = torch.ones(2, dtype=torch.float16), torch.ones(2)
    assert F.huber_loss(half, single).dtype == torch.float16
    assert F.soft_margin_loss(single, single.double()).dtype == torch.float32
    assert F.binary_cross_entropy_with_logits(single.double(), single).dtype == torch.float32
    assert F.binary_cross_entropy(single, single, single.double()).dtype == torch.float32


def test_what_is_empty_is_computed():
    assert F.cross_entropy(torch.rand(5, 0), torch.rand(5, 0)).isnan()
    for cell in (torch.nn.RNNCell, torch.nn.GRUCell):
        assert cell(5, 0)(torch.rand(3, 5)).shape == (3, 0)
    for mode in ("bilinear", "nearest", "bicubic"):
        out = F.grid_sample(
            torch.rand(0, 3, 4, 5), torch.rand(0, 2, 2, 2), mode=mode, align_corners=False
        )
        assert out.shape == (0, 3, 2, 2)
    for f in (lambda x: F.instance_norm(x, eps=0.0),
              lambda x: torch.batch_norm(x, None, None, None, None, True, 0.1, 0.0, False)):
        assert f(torch.rand(2, 4, 5)).isfinite().all()  # fmt: skip


def test_a_complex_module_is_warned_of():
    with pytest.warns(UserWarning, match="Complex modules"):
        torch.nn.Linear(1, 1).to(torch.cfloat)
