"""A tensor that requires gradient where a number is expected: no gradient is dropped in silence.

It is kept, or refused, or there is a warning that it ends here, each where PyTorch does so.
"""
import math

import numpy as np
import pytest

import microtorch as torch
from microtorch import nn

F = nn.functional
IMAGE = torch.ones(1, 1, 4, 4)
X = torch.tensor([[1.0, -2.0], [3.0, 4.0]])


@pytest.fixture
def p():
    return torch.tensor(1.0, requires_grad=True)


NUMBERS = {  # of Python and numpy
    "float": float,
    "complex": complex,
    "math": math.exp,
    "numpy's scalar": np.float64,
    "in a list": lambda p: torch.tensor([p, 1.0]),
    "in a nested list": lambda p: torch.as_tensor([[p], [p]]),
    "in a list for a Tensor": lambda p: torch.Tensor([p, p]),
    "in a list for new_tensor": lambda p: X.new_tensor([p, p]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_made_of_it_is_warned_of(p, name):
    with pytest.warns(UserWarning, match="requires_grad=True to a scalar"):
        NUMBERS[name](p)
    NUMBERS[name](p.detach())  # in which nothing ends


def test_asking_for_the_value_is_no_reason_to_warn(p):
    assert (p.item(), int(p), bool(p), f"{p:.2f}", p.tolist()) == (1.0, 1, True, "1.00", 1.0)


REFUSED = {
    # numbers
    "scalar_tensor": (TypeError, lambda p: torch.scalar_tensor(p)),
    "full": (RuntimeError, lambda p: np.full(2, p.numpy())),
    "fftfreq": (TypeError, lambda p: torch.fft.fftfreq(4, d=p)),
    "interpolate": (TypeError, lambda p: F.interpolate(IMAGE, scale_factor=p)),
    "interpolate, in a list": (TypeError, lambda p: F.interpolate(IMAGE, scale_factor=[p, p])),
    "trunc_normal_": (TypeError, lambda p: nn.init.trunc_normal_(torch.ones(2), p)),
    "trunc_normal_'s std": (TypeError, lambda p: nn.init.trunc_normal_(torch.ones(2), 0.0, p)),
    "leaky_relu": (TypeError, lambda p: F.leaky_relu(X, p)),
    "alpha": (TypeError, lambda p: torch.add(X, X, alpha=p)),
    "value": (TypeError, lambda p: F.pad(X, (1, 1), value=p)),
    # sizes and indices
    "multi_margin_loss": (
        TypeError, lambda p: F.multi_margin_loss(X, torch.tensor([0, 1]), p=p)
    ),
    "padding": (TypeError, lambda p: F.conv2d(IMAGE, IMAGE, padding=p)),
    "stride, in a list": (TypeError, lambda p: F.conv2d(IMAGE, IMAGE, stride=(p, 1))),
    "max_pool2d": (TypeError, lambda p: F.max_pool2d(IMAGE, p)),
    "avg_pool2d": (TypeError, lambda p: F.avg_pool2d(IMAGE, (p, p))),
    "adaptive_avg_pool2d": (TypeError, lambda p: F.adaptive_avg_pool2d(IMAGE, p)),
    "unfold": (TypeError, lambda p: F.unfold(IMAGE, p)),
    "affine_grid": (TypeError, lambda p: F.affine_grid(torch.ones(1, 2, 3), (1, 1, p, 2), False)),
    "whole numbers": (TypeError, lambda p: torch.tensor([p, p], dtype=torch.int64)),
    "whole numbers of a type": (TypeError, lambda p: torch.LongTensor([p])),
    "an index": (TypeError, lambda p: [1, 2][p]),
    "a size": (TypeError, lambda p: torch.zeros(p, 2)),
    # memory
    "numpy": (RuntimeError, lambda p: np.asarray(p)),
    "dlpack": (BufferError, lambda p: torch.from_dlpack(p)),
    "apply_": (RuntimeError, lambda p: p.apply_(abs)),
    # what is only differentiable for others of its arguments
    "pinv": (RuntimeError, lambda p: torch.linalg.pinv(X, rtol=p)),
    "batch_norm": (
        RuntimeError, lambda p: F.batch_norm(X, torch.zeros(2) + p, torch.ones(2), training=True)
    ),
    "batch_norm, fixed": (RuntimeError, lambda p: F.batch_norm(X, torch.zeros(2), p + X[0].abs())),
    "nll_loss": (
        RuntimeError, lambda p: F.nll_loss(X, torch.tensor([0, 1]), weight=p.expand(2))
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_keep_its_gradient_refuses_it(p, name):
    error, call = REFUSED[name]
    with pytest.raises(error):
        call(p)


def test_integer_tensors_still_stand_for_sizes():
    two = torch.tensor(2)
    assert F.interpolate(IMAGE, size=[two, two]).shape == (1, 1, 2, 2)
    assert F.max_pool2d(IMAGE, two).shape == F.avg_pool2d(IMAGE, (two, 2)).shape == (1, 1, 2, 2)
    assert torch.tensor([two, 3, torch.tensor(True)], dtype=torch.int64).tolist() == [2, 3, 1]


@pytest.mark.parametrize("place", ["input", "weight", "bins"])
def test_counts_have_no_derivative(place):
    values = {"input": torch.rand(4), "weight": torch.rand(4), "bins": torch.tensor([0.0, 0.5, 1])}
    values[place].requires_grad_()
    counts = torch.histogram(values["input"], values["bins"], weight=values["weight"]).hist
    with pytest.raises((RuntimeError, NotImplementedError), match="derivative"):
        counts.sum().backward()


def test_counts_of_points_have_no_derivative():
    counts = torch.histogramdd(torch.rand(4, 2, requires_grad=True), [2, 2]).hist
    with pytest.raises((RuntimeError, NotImplementedError), match="derivative"):
        counts.sum().backward()


KEPT = {
    "LambdaLR": lambda o, p: torch.optim.lr_scheduler.LambdaLR(o, lambda epoch: p * 0.5),
    "MultiplicativeLR": lambda o, p: torch.optim.lr_scheduler.MultiplicativeLR(o, lambda e: p * 2),
    "StepLR": lambda o, p: torch.optim.lr_scheduler.StepLR(o, 1, gamma=p * 0.5),
    "ExponentialLR": lambda o, p: torch.optim.lr_scheduler.ExponentialLR(o, p * 0.5),
}


@pytest.mark.parametrize("name", KEPT)
def test_a_scheduled_rate_keeps_its_gradient(p, name):
    q = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([q], lr=1.0)
    scheduler = KEPT[name](optimizer, p)
    for _ in range(2):
        q.grad = torch.ones(2)
        optimizer.step()
        scheduler.step()
    torch.as_tensor(optimizer.param_groups[0]["lr"]).backward()
    assert p.grad > 0
