"""The stepper and the questions after backward: what was freed, what was there before."""

import gc
import weakref

import numpy as np
import pytest

import microtorch as torch
from microtorch import nn, viz


class Power(torch.autograd.Function):
    """Two outputs, an argument that is no tensor, and attributes on ctx."""

    @staticmethod
    def forward(ctx, x, k):
        ctx.save_for_backward(x)
        ctx.k = k
        return x * x * k, x * k

    @staticmethod
    def backward(ctx, g, h):
        (x,) = ctx.saved_tensors
        return 2 * g * x * ctx.k + h * ctx.k, None


class Noise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        mask = torch.rand(x.shape)
        ctx.save_for_backward(mask)
        return x * mask

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


def recurrent(cls):
    layer = cls(2, 3)
    out, _ = layer(torch.randn(4, 1, 2))
    return (out**2).sum()


def custom():
    x = torch.randn(300, requires_grad=True)
    a, b = Power.apply(x, 3.0)
    return (a * b).sum()


def numbers(stepper):
    return [
        (s.name, s.contribution, s.array and s.array.rms) for s in stepper.trace.steps
        if s.kind == "contribution"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "loss",
    [lambda: recurrent(nn.RNN), lambda: recurrent(nn.LSTM), lambda: recurrent(nn.GRU), custom],
    ids=["RNN", "LSTM", "GRU", "custom"],
)
def test_steps_after_backward_are_those_before(loss):
    torch.manual_seed(0)
    loss = loss()
    before = numbers(viz.step(loss))
    assert before
    loss.backward()
    assert numbers(viz.step(loss)) == before


def test_a_forward_that_draws_random_numbers_is_not_run_again_in_silence():
    x = torch.ones(300, requires_grad=True)
    loss = Noise.apply(x).sum()
    assert len(viz.step(loss)) > 1
    loss.backward()
    state = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="draws random numbers"):
        viz.step(loss)
    assert torch.get_rng_state().equal(state)


def test_a_tuple_a_list_or_a_dict_of_results_is_one_graph():
    x = torch.ones(2, requires_grad=True)
    y1, y2 = x * 2, x.exp()
    for results in ((y1, y2), [y1, y2], {"a": y1, "b": {"c": y2}}):
        g = viz.draw(results)
        ops = {n.op: n.role for n in g.trace.nodes if n.op}
        assert ops == {"mul": "loss", "exp": "loss"}
        assert viz.make_dot(results).source.count("->") == g.source.count("->") == 2


def test_save_of_a_dot_follows_the_suffix(tmp_path):
    loss = (torch.ones(2, requires_grad=True) * 2).sum()
    path = viz.make_dot(loss).save(tmp_path / "x.svg")
    with open(path) as file:
        assert "<svg" in file.read()
    with open(viz.make_dot(loss).save("x.gv", directory=tmp_path)) as file:
        assert file.read().startswith("digraph")


def test_a_drawn_graph_keeps_no_tensors():
    x = torch.randn(1000, requires_grad=True)
    y = (x * 2).relu()
    graph = viz.draw(y.sum())
    array = weakref.ref(y.array)
    del x, y
    gc.collect()
    assert array() is None and "relu" in graph.source


def test_explain_grad_names_the_forgotten_zero_grad():
    w = torch.tensor(2.0, requires_grad=True)
    for _ in range(2):
        loss = w * 1.5
        loss.backward()
    text = viz.explain_grad(w).text
    assert "loss gives 1.5000 of it; the rest, 1.5000, is left from an earlier" in text
    assert "zero_grad" in text
    w.grad = None
    loss = w * 1.5
    loss.backward()
    assert "earlier" not in viz.explain_grad(w).text


def test_explain_grad_of_a_clipped_gradient_speaks_of_no_earlier_backward():
    w = torch.full((2,), 2.0, requires_grad=True)
    loss = (w * w).sum()
    loss.backward()
    nn.utils.clip_grad_norm_([w], 1.0)
    text = viz.explain_grad(w).text
    assert "changed since" in text and "earlier" not in text


def test_the_name_that_was_given_to_a_new_tensor():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()
    w = w - 0.1 * w.grad
    (w * w).sum().backward()
    with pytest.warns(UserWarning, match="not a leaf Tensor"):
        assert w.grad is None
    text = viz.explain_grad(w).text
    assert "gave the name w to a new tensor" in text
    assert "with torch.no_grad(): w -= lr * w.grad" in text


def test_reading_grad_warns_only_where_none_will_come():
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    y.retain_grad()
    assert x.grad is None and y.grad is None and (x * 2).detach().grad is None
    y.sum().backward()
    np.testing.assert_array_equal(y.grad.numpy(), [1, 1])


def test_the_stepper_begins_with_what_grad_held():
    w = torch.tensor(2.0, requires_grad=True)
    v = torch.tensor([1.0, 2.0], requires_grad=True)
    (w * 1.5 + v.sum()).backward()
    loss = w * 1.5 + (v * v).sum()
    for backward_ran in (False, True):
        steps = viz.step(loss).trace.steps
        left = {s.name: s.text for s in steps if s.kind == "left"}
        assert "w.grad holds 1.5000, left from an earlier backward" in left["w"], backward_ran
        assert set(left) == {"w", "v"}
        (last,) = (s for s in steps if s.kind == "contribution" and s.name == "w")
        assert (last.old, last.contribution, last.new) == (1.5, 1.5, 3.0)
        assert last.check.ok and "zero_grad" in last.remark
        if not backward_ran:
            loss.backward()
    assert w.grad.item() == 3.0
    w.grad = v.grad = None
    assert not any(s.kind == "left" for s in viz.step(loss).trace.steps)
    assert "left from an earlier backward" not in "".join(viz.step(loss).frames())
