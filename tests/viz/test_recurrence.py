"""Pictures of recurrence: the weights that all passes share are seen, inner names are not."""

import pytest
from microtorch.viz.drawing.dot import Drawing
from microtorch.viz.drawing.options import Options

import microtorch as torch
from microtorch import nn, viz


def dot(root):
    return Drawing(viz.step(root).trace, Options()).digraph.source


def test_a_loop_shows_the_weight_that_its_passes_share():
    w = torch.full((2, 2), 0.1, requires_grad=True)
    h = torch.zeros(1, 2)
    for _ in range(100):
        h = torch.tanh(h @ w + 1)
    text = dot(h.sum())
    assert "<B>w</B>" in text and "100 iterations" in text and "100 tanh" in text
    assert text.count("->") == 2  # w to the loop, and the loop to the sum


def test_a_loop_with_a_weight_per_pass_keeps_them_inside():
    ws = [torch.full((2,), 0.1, requires_grad=True) for _ in range(70)]
    h = torch.zeros(2)
    for w in ws:
        h = h * w
    text = dot(h.sum())
    assert "leaves inside" in text and text.count("->") == 1


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.out = nn.LSTMCell(2, 3), nn.Linear(3, 1)

    def forward(self, xs):
        h, c = torch.zeros(1, 3), torch.zeros(1, 3)
        for x in xs:
            h, c = self.cell(x, (h, c))
        return self.out(h)


def test_a_cell_keeps_its_parameters_when_its_calls_fold():
    net = Reader()
    text = dot(net(torch.randn(8, 1, 2)).sum())
    assert "× 8" in text and "shared by all" in text
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        assert name in text
    assert "12×2" in text and "12×3" in text


def test_states_are_numbered_and_inner_names_do_not_show():
    rnn = nn.LSTM(2, 3)
    o, _ = rnn(torch.randn(4, 1, 2))
    trace = viz.step((o**2).sum()).trace
    said = [getattr(s, k, "") for s in trace.steps for k in ("text", "rule", "remark")]
    said += [n.op + n.symbol + "".join(n.rules) for n in trace.nodes]
    assert any("steps" in words for words in said)
    assert "_Steps" not in dot((o**2).sum()) + str(viz.trace((o**2).sum())) + "".join(said)
    w = torch.full((2, 2), 0.1, requires_grad=True)
    h = torch.zeros(1, 2)
    for _ in range(3):
        h = torch.tanh(h @ w)
    shown = " ".join(viz.step(h.sum()).frames())
    assert "h₁" in shown and "h₂" in shown and "h₃" in shown


def test_a_long_loop_is_named_where_the_graph_is_too_large():
    w = torch.full((2, 2), 0.1, requires_grad=True)
    h = torch.zeros(1, 2)
    for _ in range(3500):
        h = torch.tanh(h @ w + 1)
    with pytest.raises(viz.GraphTooLarge, match=r"ran 3,500 times: .* range\(5\)"):
        viz.step(h.sum())
    kept = []
    for _ in range(500):
        h = torch.tanh(h.detach() @ w)
        kept.append(h)
    with pytest.raises(viz.GraphTooLarge, match=r"ran 500 times"):
        viz.draw(kept)


def test_a_loop_whose_passes_call_modules_folds():
    f = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2))
    x = torch.tensor([[1.0, 0.0]])
    for _ in range(5):
        k1 = f(x)
        k2 = f(x + 0.05 * k1)
        k3 = f(x + 0.05 * k2)
        x = x + 0.1 * (k1 + 4 * k2 + k3) / 6
    source = dot(x.sum())
    assert "5 iterations" in source and source.count("->") < 8
    assert "f.0.weight" in source or "4×2" in source  # the weights that all passes share
