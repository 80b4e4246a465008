"""Zoom: a tensor op as scalar arithmetic. The scalars must say what the tensors say."""

import re

import numpy as np
import pytest
from microtorch.viz.reading.take import take
from microtorch.viz.reading.trace import GraphTooLarge

import microtorch as torch
from microtorch import Scalar, graph, nn, viz
from microtorch.base import errors


@pytest.fixture
def w():
    torch.manual_seed(0)
    return torch.randn(3, 4, requires_grad=True)


X = [[2.0, -2.6, 0.4], [-0.6, -0.5, -0.2]]
OPS = {
    "matmul": lambda w: torch.tensor(X) @ w,
    "linear": lambda w: nn.functional.linear(
        torch.randn(2, 4), w, torch.ones(3, requires_grad=True)
    ),
    "sum": lambda w: w.sum(dim=0),
    "mean": lambda w: w.mean(),
    "broadcast": lambda w: w + torch.randn(4, requires_grad=True),
    "column": lambda w: w * torch.randn(3, 1, requires_grad=True),
    "softmax": lambda w: torch.softmax(w, dim=1),
    "log_softmax": lambda w: torch.log_softmax(w, dim=0),
    "tanh": lambda w: w.tanh(),
    "twice": lambda w: w * w,
    "transpose": lambda w: w.t(),
    "power": lambda w: w**2,
    "mse_loss": lambda w: nn.functional.mse_loss(w, torch.zeros(3, 4)),
    "conv2d": lambda w: nn.functional.conv2d(
        torch.randn(1, 1, 4, 5), w[:2, :2].reshape(1, 1, 2, 2)
    ),
}


@pytest.mark.parametrize("name", OPS)
def test_the_scalars_say_what_the_tensors_say(name, w):
    """Every cell has the value of its element, and its gradient is that of backward."""
    y = OPS[name](w)
    loss = (y * torch.randn(y.shape)).sum() + (y * y).sum()
    z = viz.expand(y, loss=loss)
    for place, cell in z.output.each():
        assert z.value(cell) == pytest.approx(y.detach().numpy()[place], rel=1e-5, abs=1e-6)
    assert z.gradients
    for d in z.gradients:
        leaf = y.node.inputs[[x.name for x in z.inputs].index(d.operand.name)]
        contribution = viz_contribution(loss, y.node, d.operand.name, z)
        np.testing.assert_allclose(d.values, contribution, rtol=2e-4, atol=1e-5, err_msg=str(leaf))
        if d.expression is not None:
            assert d.value == pytest.approx(z.value(d.expression))


def viz_contribution(loss, node, name, z):
    """What backward sends from the op to one operand, from the trace of the loss."""
    found = take(loss, "expand", gradients=True).computation
    position = [x.name for x in z.inputs].index(name)
    return np.asarray(found.backward.contributions[found.nodes.index(node), position])


def test_matmul_in_words():
    x = torch.tensor(X)
    W = torch.tensor(
        [[-2.0, -0.2, -0.9, 3.3], [0.2, -0.4, -0.3, -0.7], [-1.1, -0.4, 0.5, -0.2]],
        requires_grad=True,
    )
    m = x @ W
    assert str(viz.expand(m, (1, 2))).splitlines()[2:] == [
        "FORWARD",
        "  m[1, 2] = x[1, 0]·W[0, 2] + x[1, 1]·W[1, 2] + x[1, 2]·W[2, 2]",
        "          = (−0.6)·(−0.9) + (−0.5)·(−0.3) + (−0.2)·0.5",
        "          = 0.59",
        "",
        "BACKWARD   (no loss was given: ∂L/∂m is 1 everywhere)",
        "  ∂L/∂W[1, 2] = ∂L/∂m[0, 2]·x[0, 1] + ∂L/∂m[1, 2]·x[1, 1]",
        "              = 1·(−2.6) + 1·(−0.5)",
        "              = −3.1",
    ]


def test_broadcasting_is_copies_whose_gradients_add_up():
    m = torch.tensor(X, requires_grad=True)
    b = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = m + b
    loss = (y * torch.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])).sum()
    z = viz.expand(y, (1, 1), loss=loss)
    of_m, of_b = z.gradients
    assert (of_m.copies, of_b.copies) == (0, 2) and of_b.value == 22
    assert of_b.reads["g"] == {(0, 1), (1, 1)}
    assert (
        "  ∂loss/∂b[1] = ∂loss/∂y[0, 1] + ∂loss/∂y[1, 1]\n"
        "              = 2 + 20\n              = 22" in z.text
    )
    assert "b[1] was copied 2 times by broadcasting: the gradients of its copies add up." in z.text
    dot = z.digraph().source
    assert "BROADCAST" in dot and dot.count("ROUNDED,DASHED") == 3, (
        "the second row does not exist in memory"
    )


def test_which_cells_meet():
    """The cells framed for W[1, 2] are a column of x and a column of the gradient."""
    x, W = torch.tensor(X), torch.ones(3, 4, requires_grad=True)
    m = x @ W
    (d,) = viz.expand(m, (1, 2), at={"W": (1, 2)}).gradients
    assert (
        d.reads["x"] == {(0, 1), (1, 1)} and d.reads["g"] == {(0, 2), (1, 2)} and d.place == (1, 2)
    )


def test_it_is_an_ordinary_graph_of_scalars(w):
    x = torch.tensor(X)
    m = x @ w
    loss = m.pow(2).mean()
    z = viz.expand(m, (1, 2), loss=loss)
    names = {n.name for n in viz.draw(z).trace.nodes if n.name}
    assert names == {
        "m[1, 2]",
        *(f"x[1, {k}]" for k in range(3)),
        *(f"w[{k}, 2]" for k in range(3)),
    }
    assert viz.check(z).ok
    whole = viz.expand(m, loss=loss)
    stepper = viz.step(whole)
    last = {s.name: s.new for s in stepper.trace.steps if s.kind == "contribution"}
    loss.backward()
    for (i, j), g in np.ndenumerate(w.grad.numpy()):
        assert last[f"w[{i}, {j}]"] == pytest.approx(g, rel=1e-4)


def test_a_large_op_shows_one_element():
    layer = nn.Linear(64, 128)
    x = torch.randn(8, 64)
    h = layer(x)
    z = viz.expand(h, (1, 2))
    assert not z.whole and "1,024 elements" in z.text and "… 54 more …" in z.text
    assert z.value(z.cell) == pytest.approx(h.detach().numpy()[1, 2], rel=1e-4)
    assert len(graph.in_order([z.root], constants=True)) < 300
    grid = z.digraph().source
    assert "columns 1 to 8 of 128" in grid
    y = (h * 2.0).tanh()
    assert float(viz.expand(y, (7, 127)).root) == pytest.approx(
        y.detach().numpy()[7, 127], rel=1e-4
    )
    big = torch.randn(400, 400, requires_grad=True) @ torch.randn(400, 400)
    assert float(viz.expand(big, (3, 399)).root) == pytest.approx(
        big.detach().numpy()[3, 399], rel=1e-3
    )
    with pytest.raises(GraphTooLarge, match="smaller tensor"):
        viz.expand(torch.randn(400, 400, requires_grad=True).softmax(1))


@pytest.mark.needs("dot")
@pytest.mark.parametrize("name", OPS)
def test_every_zoom_can_be_drawn(name, w, tmp_path):
    z = viz.expand(OPS[name](w))
    path = z.save(tmp_path / "zoom.svg")
    with open(path, encoding="utf-8") as file:
        words = [html for html in re.findall(r">([^<>]+)</text>", file.read())]
    assert words[0] == "FORWARD" and "BACKWARD" in words
    assert z.save(tmp_path / "zoom.txt", theme="dark").endswith("zoom.txt")


def test_nothing_of_the_user_is_touched(w):
    y = torch.softmax(w, dim=1)
    y.retain_grad()
    loss = y.pow(2).sum()
    viz.expand(y, loss=loss).digraph("dark")
    assert w.grad is None and y.grad is None
    loss.backward()
    before = w.grad.clone()
    text = viz.expand(y).text
    assert "no loss was given" not in text, "the gradient that was kept is used"
    assert (w.grad == before).all()


def test_names_are_inert():
    x = torch.ones(2, requires_grad=True)
    source = viz.expand(x * 2.0, names={'<script>"&': x}).digraph().source
    assert "<script>" not in source and "&lt;script&gt;" in source


def test_an_element_that_is_passed_on_keeps_its_own_name(w):
    y = w.t()
    assert viz.expand(y, (0, 1)).forward_lines()[0] == "y[0, 1] = w[1, 0]"


def test_cells_that_no_scalar_made_are_numbers(w):
    """tril puts plain zeros into its result: the page of such an op once failed."""
    y = w.tril()
    assert viz.expand(y, (0, 1)).forward_lines() == ["y[0, 1] = 0"]
    assert viz.expand(y, (1, 0)).forward_lines()[0] == "y[1, 0] = w[1, 0]"


def test_what_cannot_be_expanded(w):
    with pytest.raises(TypeError, match="takes a Tensor, but got a Scalar"):
        viz.expand(Scalar(1.0) * 2)
    with pytest.raises(TypeError, match="but got list"):
        viz.expand([w])
    with pytest.raises(errors.GraphError, match="is a leaf"):
        viz.expand(w)
    y = w * 2.0
    with pytest.raises(IndexError, match=r"y has shape \(3, 4\)"):
        viz.expand(y, (3, 0))
    with pytest.raises(ValueError, match="does not depend"):
        viz.expand(y, loss=w.sum())
    with pytest.raises(ValueError, match=r"use one of \.svg"):
        viz.expand(y).save("zoom.gif")
