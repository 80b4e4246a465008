"""The lens of the stepper's page: real matrices, what meets in a cell, windows, the quiz, links."""

import base64
import os
import re

import numpy as np
import pytest

import microtorch as torch
from microtorch import viz
from microtorch.nn import functional as F

pytestmark = pytest.mark.needs("browser", "dot")


def mlp():
    torch.manual_seed(1)
    x = torch.tensor([[1.0, -0.5], [0.4, 2.0], [-1.2, 0.8]])
    W = torch.randn(2, 4, requires_grad=True)
    b = torch.randn(4, requires_grad=True)
    y = torch.ones(3, 4)
    z = x @ W + b
    h = z.tanh()
    loss = F.mse_loss(h, y)
    return loss


def wide():
    big = torch.linspace(-1, 1, 200).reshape(10, 20).requires_grad_()
    return (big * big).sum()


def large():
    """Tensors of more than 1,024 elements; those of the last are more than a page keeps."""
    torch.manual_seed(2)
    X, V = torch.randn(48, 60), torch.randn(60, 40, requires_grad=True)
    left_out = torch.randn(48 * 40, 40)
    return (F.relu(X @ V).reshape(1, -1) @ left_out).mean()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lens")
    made = {"mlp": mlp(), "wide": wide(), "large": large()}
    return {k: viz.step(v).save(folder / f"{k}.html") for k, v in made.items()}


@pytest.fixture
def show(pages, chromium):
    def open_page(name, hash="", size=(1920, 1080)):
        chromium.size(*size)
        chromium.open(pages[name], hash)
        return chromium

    yield open_page
    assert chromium.log("browser") == []


def go_to(b, kind, name):
    """The first step of a kind at the node of this name, and its number."""
    k = b.js(f"S.findIndex(s => s.k === '{kind}' && N[s.n].n === '{name}')")
    b.js(f"(go({k}), stop_gliding(), fit(), 1)")
    return k


def cells(b, selector):
    found = b.js(f"[...document.querySelectorAll('{selector}')].map(e => e.textContent)")
    return [float(c.replace("−", "-")) for c in found]


def test_row_and_column_meet_in_the_chosen_cell(show):
    trace = viz.step(mlp()).trace
    values = {n.name: np.array(n.value.full) for n in trace.nodes if n.name and n.value.full}
    x, W = values["x"], values["W"]
    b = show("mlp")
    go_to(b, "op", b.js("N.find(n => n.op === 'matmul').n"))
    b.keys("e", "home")
    for y in range(3):
        for k in range(4):
            meeting = cells(b, "#explain td.meets")
            assert meeting == pytest.approx([*x[y], *W[:, k]], rel=1e-2)
            assert cells(b, "#explain td.chosen") == pytest.approx([x[y] @ W[:, k]], rel=1e-2)
            b.keys("right")
    b.keys("escape", "right")
    assert b.js("at") == 1 + b.js("S.findIndex(s => s.k === 'op' && N[s.n].op === 'matmul')")


def test_the_gradient_of_a_matrix_cell_by_cell(show):
    trace = viz.step(mlp()).trace
    W = next(n for n in trace.nodes if n.name == "W")
    b = show("mlp")
    go_to(b, "c", "W")
    b.keys("e", "home")
    for wanted in np.ravel(W.grad.full):
        assert cells(b, "#explain td.chosen") == pytest.approx([wanted], rel=1e-2)
        total = b.js("document.querySelector('#written .sum').textContent").removeprefix("= ")
        assert float(total.replace("−", "-")) == pytest.approx(wanted, rel=1e-2)
        label = b.js("document.activeElement.getAttribute('aria-label')")
        assert label.startswith("∂loss/∂W[") and label.endswith(total)
        b.keys("right")


def test_a_large_matrix_shows_a_window_that_moves(show):
    b = show("wide")
    go_to(b, "leaf", "big")
    big = np.linspace(-1, 1, 200).reshape(10, 20)

    def window():
        span = b.js("span")
        words = b.text("#explain .moves")
        rows, columns = map(int, re.search(r"\[(\d+):\d+, (\d+):\d+\]", words).groups())
        wanted = big[rows : rows + span, columns : columns + span].ravel()
        assert cells(b, "#explain td") == pytest.approx(wanted, rel=1e-2, abs=1e-9)
        return rows, columns

    start = window()
    b.click("#explain [aria-label='window right']")
    b.click("#explain [aria-label='window down']")
    rows, columns = window()
    assert rows > start[0] or columns > start[1]
    for _ in range(6):
        b.js("document.querySelector(\"[aria-label='window right']\").click()")
    assert window()[1] == 20 - b.js("span")


def test_products_of_large_matrices_are_asked_cell_by_cell(show, pages):
    trace = viz.Trace.from_json(viz.step(large()).trace.to_json())  # packed there, too
    packed = {n.name: n.value.packed for n in trace.nodes if n.value.packed}
    assert set(packed) >= {"X", "V"} and "left_out" not in packed
    X, V = (np.frombuffer(base64.b64decode(packed[k]), "<f4") for k in "XV")
    product = X.reshape(48, 60).astype(float) @ V.reshape(60, 40)
    assert os.path.getsize(pages["large"]) < 600_000
    b = show("large")
    k = b.js("S.findIndex(s => s.k === 'op' && N[s.n].op === 'matmul')")
    b.js(f"(go({k}), choose(40 * 7 + 31), 1)")
    assert "[7, 31] = Σ of 60 products" in b.text("#written")
    total = float(b.text("#written .sum").replace("−", "-").lstrip("= "))
    assert total == pytest.approx(product[7, 31], abs=6e-3)
    assert cells(b, "#result-grid .chosen") == pytest.approx([product[7, 31]], rel=1e-2)
    meets = b.js("[...document.querySelectorAll('#explain td.meets')].length")
    assert meets == 2 * b.js("span"), "the row and the column are in view"
    g = next(n.grad for n in trace.nodes if n.name == "V")
    k = b.js("S.findIndex(s => s.k === 'c' && N[s.n].n === 'V')")
    b.js(f"(go({k}), choose(0), 1)")
    grad = np.frombuffer(base64.b64decode(g.packed), "<f4")
    assert cells(b, "#result-grid .chosen") == pytest.approx([grad[0]], rel=1e-2)
    assert "✗" not in b.text("#explain")


def test_the_lens_scrolls_as_little_as_it_can(show):
    for size in ((1920, 1080), (1024, 768)):
        b = show("mlp", size=size)
        for step in range(b.js("S.length")):
            b.js(f"(go({step}), 1)")
            assert b.js("$('explain').scrollHeight <= $('explain').clientHeight + 1"), (size, step)


def test_quiz_on_an_element(show):
    grad = viz.step(mlp()).trace
    W = np.array(next(n for n in grad.nodes if n.name == "W").grad.full)
    b = show("mlp")
    b.keys("q")
    go_to(b, "c", "W")
    b.js("choose(4)")  # [1, 0]
    truth = W[1, 0]
    printed = f"{truth:.3g}".replace("-", "−")
    everything = "document.body.innerText + [...document.querySelectorAll('[aria-label]')]"
    everything += ".map(e => e.getAttribute('aria-label')).join()"
    assert b.text("#explain td.chosen") == "?" and "W[1, 0]" in b.text(".ask label")
    assert printed not in b.js(everything)
    b.js("document.querySelector('.ask input').focus()")
    b.keys(f"{-truth:.4f}", "enter")
    assert "not quite" in b.text("#explain") and b.text("#explain td.chosen") == "?"
    assert "·" in b.text("#written") and printed not in b.js(everything)
    b.keys(f"{truth:.4f}".replace(".", ",").replace("-", "−"), "enter")
    assert "right" in b.text("#explain .said") and b.text("#explain td.chosen") == printed


def test_a_term_is_lit_everywhere(show):
    b = show("mlp")
    go_to(b, "c", "W")
    lamps = "[...document.querySelectorAll('.lamp')].map(e => e.id || e.textContent)"
    assert b.js(lamps) == []
    wanted = None
    for place in ("#source mark .term.parameter", "#explain h2 .term.parameter",
                  "#explain .array .term.parameter", "#svg .n.parameter .line"):  # fmt: skip
        b.js("document.querySelector(arguments[0])"
             ".dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))", place)  # fmt: skip
        found = b.js(lamps)
        wanted = wanted or found
        assert found == wanted and any("W" in t for t in found), place
        node = b.js("N.findIndex(n => n.n === 'W')")
        assert f"v{node}" in found
        b.js("$('b-next').dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))")
        assert b.js(lamps) == []


def test_a_line_goes_to_its_step_and_a_node_to_its_line(show):
    b = show("mlp")
    lines = b.js("D.files[0].lines.map(l => l[1].trim())")
    k = lines.index("h = z.tanh()")
    b.click(f"#source li:nth-child({k + 1}) i")
    assert b.text("#explain h2").startswith("h = tanh(z)")
    assert b.text("#source li.here span").strip() == "h = z.tanh()"
    b.js("(clicked(N.find(n => n.n === 'y').box), 1)")
    assert "y" in b.text("#source li.here")


def test_a_normalisation_is_told_in_its_own_words(chromium, tmp_path):
    x = torch.linspace(-1, 2, 24).reshape(2, 3, 4).square().requires_grad_()
    w = torch.tensor([1.0, 2.0, -1.0], requires_grad=True)
    y = F.batch_norm(x, None, None, w, w * 0.5, training=True).pow(3)
    loss = (y * F.layer_norm(x, (4,)) * F.group_norm(x, 1, w)).sum()
    path = viz.step(loss).save(tmp_path / "page.html")
    chromium.open(path, painted=False)
    told = chromium.js("""S.flatMap((s, k) => {
      go(k);
      const about = zoomed();
      if (!about || !/_norm/.test(N[about.i].op)) return [];
      const own = flat(s.k === "c" ? s.A : now.V[s.n]);
      return Array.from({ length: about.list.length }, (_, e) => {
        const lines = about.list.at(e)[0];
        return [lines[0], lines.at(-1).split("= ").at(-1), short(own[e])];
      });
    })""")
    assert len(told) == 24 * 6 + 3 * 3  # forward and backward of all, and the weights
    for line, said, true in told:
        a, b = (float(v.replace("−", "-")) for v in (said, true))
        assert a == pytest.approx(b, rel=6e-3, abs=2e-6), line
