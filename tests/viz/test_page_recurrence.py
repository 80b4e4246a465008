"""A recurrence in the page: one box with a loop, or its passes; and the finder of passes."""

import numpy as np
import pytest
from microtorch.viz.showing.html import page
from microtorch.viz.telling.words import display_names

import microtorch as torch
from microtorch import nn, viz

WINDOW = 1920, 1080


def loop(passes):
    """h = tanh(x @ U + h @ W), some times."""
    torch.manual_seed(0)
    W, U = torch.randn(3, 3, requires_grad=True), torch.randn(2, 3, requires_grad=True)
    h = torch.zeros(1, 3)
    for x in torch.randn(passes, 1, 2):
        h = torch.tanh(x @ U + h @ W)
    return (h * h).sum(), W


def found(loss):
    t = viz.trace(loss).trace
    names = display_names(t)
    return [
        (
            len(r.passes),
            [[names[i] for i in s.nodes] for s in r.states],
            [names[i] for i in r.shared],
        )
        for r in t.recurrences
    ]


def test_passes_of_a_loop_and_the_names_of_its_states():
    loss, _ = loop(4)
    assert found(loss) == [(4, [["h₁", "h₂", "h₃", "h₄"]], ["W", "U"])]
    assert "h₀" in display_names(viz.trace(loss).trace)


def test_a_cell_of_a_module_and_a_layer_that_loops_inside():
    cell = nn.LSTMCell(2, 2)
    h, c = torch.zeros(1, 2), torch.zeros(1, 2)
    for x in torch.randn(3, 1, 2):
        h, c = cell(x, (h, c))
    ((times, states, shared),) = found((h * h).sum())
    assert times == 3 and states == [["c₁", "c₂", "c₃"], ["h₁", "h₂", "h₃"]]
    assert len(shared) == 4
    out, _ = nn.RNN(2, 3)(torch.randn(5, 1, 2))
    assert found(out.sum())[0][:2] == (5, [["h₁", "h₂", "h₃", "h₄", "h₅"]])


def test_what_is_no_recurrence():
    x = torch.randn(2, 3)
    deep = nn.Sequential(*(m for _ in range(5) for m in (nn.Linear(3, 3), nn.Tanh())))
    assert found(deep(x).sum()) == []  # each layer has its own weights
    w = torch.randn(3, requires_grad=True)
    assert found(torch.stack([(w * k).sum() for k in range(5)]).sum()) == []  # nothing is handed on


def test_a_trace_from_a_file_knows_its_recurrences():
    trace = viz.step(loop(3)[0]).trace
    again = viz.Trace.from_json(trace.to_json())
    assert again.recurrences == trace.recurrences and trace.recurrences


def numbers(b, selector):
    words = b.js(f"[...document.querySelectorAll('{selector}')].map(e => e.title)")
    return [float(w.replace("−", "-")) for w in words]


@pytest.mark.needs("browser", "dot")
def test_rolled_unrolled_and_the_graph(chromium, tmp_path):
    loss, W = loop(4)
    trace = viz.step(loss).trace
    (tmp_path / "p.html").write_text(page(trace), encoding="utf-8")
    b = chromium
    b.open(tmp_path / "p.html")
    b.keys("end")
    assert b.text("#roll .head").startswith("ROLLED") and b.js(
        "$('roll').textContent.includes('W')"
    )
    states = trace.recurrences[0].states[0].nodes
    for row, i in zip(range(1, 5), states, strict=True):
        cells = b.js(
            f"[...document.querySelectorAll('#roll .fade tr')[{row}].cells].map(c => c.textContent)"
        )
        assert float(cells[1]) == pytest.approx(trace.nodes[i].value.rms, rel=1e-2)
        assert float(cells[3].replace("−", "-")) == pytest.approx(trace.nodes[i].grad.rms, rel=1e-2)
    b.keys("u")
    assert b.text("#roll .head").startswith("UNROLLED")
    assert b.js("document.querySelectorAll('#roll .pass').length") == 4
    shown = numbers(b, "#roll .pass .cell .plane:not(.blank) td")
    wanted = [
        v for i in states for x in (trace.nodes[i].value, trace.nodes[i].grad) for v in x.full[0]
    ]
    assert shown == pytest.approx(wanted, rel=1e-2)
    parts = np.reshape(numbers(b, "#roll .share td"), (4, 3, 3))
    loss.backward()
    assert parts.sum(0) == pytest.approx(W.grad.numpy(), rel=2e-2, abs=1e-2)
    assert numbers(b, "#roll .sum td") == pytest.approx(W.grad.numpy().ravel(), rel=1e-2)
    # the keys go from pass to pass, at the same place of the cell
    b.js(f"(go(S.findIndex(s => s.k === 'op' && s.n === {states[1]})), 1)")
    b.keys("]")
    assert b.js("S[at].n") == states[2]
    b.keys("[", "[")
    assert b.js("S[at].n") == states[0]
    assert b.js("document.querySelector('#roll .pass.here .term').textContent") == "x₁"
    # nothing is shown before it is computed
    assert b.js("document.querySelectorAll('#roll .pass .blank').length") == 4 * 3 - 1
    b.keys("u")
    assert b.js("$('roll').className") == "closed"
    assert b.log("browser") == []


@pytest.mark.needs("browser", "dot")
def test_on_a_telephone_the_loop_stands_above_its_numbers(chromium, tmp_path):
    viz.step(loop(4)[0]).save(tmp_path / "p.html")
    chromium.size(390, 844)
    try:
        chromium.open(tmp_path / "p.html")
        chromium.keys("right")
        inside = """[...document.querySelectorAll('#roll .two > svg, #roll .fade td')].every(
            e => e.getBoundingClientRect().right <= innerWidth)"""
        assert chromium.text("#roll .fade") and chromium.js(inside)
    finally:
        chromium.size(*WINDOW)


@pytest.mark.needs("browser", "dot")
def test_of_many_passes_the_ends_and_the_active_one(chromium, tmp_path):
    (tmp_path / "p.html").write_text(page(viz.step(loop(30)[0]).trace), encoding="utf-8")
    chromium.open(tmp_path / "p.html")
    chromium.keys("u")
    assert chromium.js("document.querySelectorAll('#roll .pass').length") == 4
    assert "26 passes" in chromium.text("#roll")
    chromium.js("(go(S.findIndex(s => s.k === 'op' && N[s.n].n === 'h₁₅')), 1)")
    assert chromium.js("document.querySelectorAll('#roll .pass').length") == 5
    assert chromium.log("browser") == []
