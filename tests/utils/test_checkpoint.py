"""torch.utils.checkpoint: derivatives, memory, random numbers, mixed precision.

tests/scripts/recomputed.py compares with what PyTorch prints.
"""

import gc
import weakref

import pytest

import microtorch as torch
from microtorch import nn
from microtorch.autograd import gradcheck, gradgradcheck
from microtorch.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential


def test_derivatives_of_any_order():
    w = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    empty = torch.zeros(0, 3, dtype=torch.float64, requires_grad=True)

    def outside(x, w):
        y = w * 2  # not an argument of the checkpoint, and no leaf
        return checkpoint(lambda v: torch.tanh(v @ y) * v, x, use_reentrant=False)

    for args in ((x, w), (empty, w)):
        assert gradcheck(outside, args) and gradgradcheck(outside, args)

    def nested(x, w):
        return checkpoint(outside, outside(x, w), w, use_reentrant=False)

    assert gradcheck(nested, (x, w)) and gradgradcheck(nested, (x, w))
    (g,) = torch.autograd.grad(nested(x, w).sum(), x, create_graph=True)
    (plain,) = torch.autograd.grad((lambda v: torch.tanh(v @ (w * 2)) * v)(
        torch.tanh(x @ (w * 2)) * x).sum(), x, create_graph=True)  # fmt: skip
    assert torch.allclose(g, plain)


def test_a_weight_used_inside_and_outside():
    w = torch.tensor(2.0, requires_grad=True)
    y = w * 3
    z = checkpoint(lambda v: v * w * y, y, use_reentrant=False)  # 9 w³
    (z + w).backward()
    assert w.grad.item() == 27 * 4 + 1  # 27 w² + 1


def test_backward_twice():
    x = torch.tensor(0.5, requires_grad=True)
    y = checkpoint(torch.exp, x, use_reentrant=False)
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == pytest.approx(2 * 1.6487212)
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_what_is_computed_inside_is_not_kept():
    kept = []

    def block(x):
        y = torch.exp(x)
        kept.append(weakref.ref(y.node))
        return torch.sin(y)

    x = torch.randn(100, requires_grad=True)
    gc.disable()
    try:
        for way in (True, False):
            y = checkpoint(block, x, use_reentrant=way)
            assert kept.pop()() is None
            y.sum().backward()
            assert kept.pop()() is None
    finally:
        gc.enable()
    assert torch.allclose(x.grad, 2 * torch.cos(x.exp()) * x.exp())


def test_a_long_chain_costs_no_more_than_its_length():
    calls = []

    def block(x):
        calls.append(1)
        return torch.sin(x)

    y = torch.ones(2, requires_grad=True)
    for _ in range(50):
        y = checkpoint(block, y, use_reentrant=False)
    y.sum().backward()
    assert len(calls) == 100


def test_random_numbers():
    drop = nn.Dropout(0.5)
    x = torch.ones(1000, requires_grad=True)
    for way in (True, False):
        x.grad = None
        y = checkpoint(drop, x, use_reentrant=way)
        torch.rand(3)
        state = torch.get_rng_state()
        y.sum().backward()
        assert torch.equal(x.grad, y.detach())  # the same elements dropped
        assert torch.equal(torch.get_rng_state(), state)
    x.grad = None
    y = checkpoint(drop, x, use_reentrant=False, preserve_rng_state=False)
    y.sum().backward()
    assert not torch.equal(x.grad, y.detach())


def test_mixed_precision_is_that_of_the_first_run():
    layer = nn.Linear(4, 4)
    seen = []

    def block(x):
        y = layer(x)
        seen.append(y.dtype)
        return y

    with torch.autocast("cpu", dtype=torch.bfloat16):
        layer(torch.ones(1, 4))  # its cast is stored in the region
        y = checkpoint(block, torch.ones(1, 4), use_reentrant=False)
    y.float().sum().backward()
    assert seen == [torch.bfloat16] * 2 and layer.weight.grad.dtype is torch.float32
    assert layer.weight.grad.tolist() == [[1.0] * 4] * 4


def test_a_second_run_that_differs_is_noticed():
    x = torch.ones(3, requires_grad=True)
    other = torch.ones(3, requires_grad=True)
    lengths = iter([3, 2])
    y = checkpoint(lambda v: v[: next(lengths)] * 1, x, use_reentrant=False)
    with pytest.raises(CheckpointError, match="different metadata"):
        y.sum().backward()
    factors = iter([x * 1, other * 2])
    y = checkpoint(lambda v: v * next(factors), x, use_reentrant=False)
    with pytest.raises(CheckpointError, match="the first run did not read"):
        y.sum().backward()


def test_sequential_pieces():
    net = nn.Sequential(*[nn.Linear(3, 3) for _ in range(5)])
    x = torch.ones(2, 3, requires_grad=True)
    expected = torch.autograd.grad(net(x).pow(2).sum(), x)[0]
    for segments in (1, 2, 5):
        y = checkpoint_sequential(net, segments, x, use_reentrant=False)
        assert torch.allclose(torch.autograd.grad(y.pow(2).sum(), x)[0], expected)
    with pytest.warns(UserWarning, match="use_reentrant parameter should be passed"):
        checkpoint(torch.sin, x)
    with pytest.raises(ValueError, match="determinism_check"):
        checkpoint(torch.sin, x, use_reentrant=False, determinism_check="all")


def test_a_second_run_of_other_operations_is_noticed():
    runs = []

    def changing(x):
        runs.append(None)
        return x.sin().exp() if len(runs) % 2 else x.sin()

    x = torch.ones(2, requires_grad=True)
    with pytest.raises(CheckpointError, match="first: sin, exp"):
        checkpoint(changing, x, use_reentrant=False).sum().backward()
    checkpoint(changing, x, use_reentrant=False, determinism_check="none").sum().backward()
