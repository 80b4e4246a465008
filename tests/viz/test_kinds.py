"""Graphs through ``vmap`` and forward mode: what a node holds there is shown, and run again."""

import re

import numpy as np
import pytest

import microtorch as torch
from microtorch import viz

X = torch.tensor([[1.0, 2.0], [0.5, -1.0], [-0.3, 0.7]])


def batched(w):
    return torch.vmap(lambda x: torch.tanh(x @ w).sum())(X).pow(2).sum()


def forward(w):
    return torch.func.jvp(lambda x: torch.tanh(w @ x), (X[0],), (X[1],))[1].pow(2).sum()


def jacobians(w):
    def one(x):
        return torch.func.jacrev(lambda x: torch.tanh(w @ x))(x).pow(2).sum()

    return torch.vmap(one)(X).sum()


def slopes(w):
    return torch.vmap(lambda x: torch.func.jvp(lambda x: (w @ x).exp(), (x,), (x,))[1])(X).sum()


@pytest.mark.parametrize("program", [batched, forward, jacobians, slopes])
@pytest.mark.parametrize("after", [False, True])
def test_the_trace_is_that_of_the_program(program, after):
    w = torch.tensor([[0.3, -0.8], [0.7, 0.2]], requires_grad=True)
    loss = program(w)
    if after:
        loss.backward(retain_graph=False)
    wanted = w.grad if after else torch.autograd.grad(loss, w, retain_graph=True)[0]
    trace = viz.step(loss, names={"w": w}).trace
    (leaf,) = [n for n in trace.nodes if n.name == "w"]
    np.testing.assert_allclose(leaf.grad.full, wanted.numpy(), rtol=1e-5)
    for n in trace.nodes:
        assert n.value.full is None or np.shape(n.value.full) == tuple(n.shape)
    check, replay = viz.check(loss), viz.trace(loss).replay()
    assert check.ok and len(check.rows) == sum(n.needs for n in trace.nodes) - 1
    ops = sum(bool(n.op) for n in trace.nodes)
    assert f"{ops} of {ops} ops gave the recorded output again" in str(replay)


def test_numbers_that_a_cast_rounds_are_checked_without_rounding():
    lin = torch.nn.Linear(2, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = lin(X)
    check = viz.check(y.float().pow(2).sum())
    assert check.ok and "lin.weight" in str(check)


class Wrong(torch.autograd.Function):
    """Its derivative is half of what it should be."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g


def test_a_gradient_that_is_another_by_convention_is_no_fault():
    table = torch.tensor([[0.3, 1.0], [0.5, -1.0]], requires_grad=True)
    rows = torch.nn.functional.embedding(torch.tensor([0, 1]), table * 1, padding_idx=0)
    found = viz.check(rows.sum())
    assert found.ok and "≠  (meant so: the row of padding_idx" in str(found)
    said = "".join(viz.step(rows.sum()).frames())
    assert "✗" not in said and "≠ meant so" in said
    rows = torch.nn.functional.embedding(torch.tensor([0, 1]), Wrong.apply(table), padding_idx=0)
    found = viz.check(rows.pow(2).sum())
    assert not found.ok and found.worst == "table"


def test_a_checkpoint_is_checked_as_far_as_it_can_be():
    x, w = torch.tensor([0.5, 1.0]), torch.tensor([0.3, 0.2], requires_grad=True)
    again = torch.utils.checkpoint.checkpoint(lambda x: (x * w).tanh(), x, use_reentrant=False)
    assert viz.check((again * w).sum()).ok


def test_a_file_holds_no_addresses():
    a = torch.tensor([[2.0, 1.0], [0.0, 3.0]], requires_grad=True)
    assert not re.search("object at 0x[0-9a-f]{6}", viz.step(a.inverse().sum()).trace.to_json())
