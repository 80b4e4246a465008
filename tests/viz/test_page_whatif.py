"""What-if on an element of a tensor: the page recomputes random programs as Python does."""

import numpy as np
import pytest
from browser import Browser
from microtorch.viz.showing.html import page

import microtorch as torch
from microtorch import nn, viz
from microtorch.nn import functional as F

pytestmark = pytest.mark.needs("browser", "dot")


@pytest.fixture(scope="module")
def chromium():
    b = Browser(1280, 800)
    yield b
    b.close()


def steps_of(draw):
    """A random program on a matrix of 3 rows: functions from (tensor, weights) to a tensor."""
    unary = [
        lambda t: t.tanh(), lambda t: t.sigmoid(), lambda t: F.gelu(t), lambda t: (t * t + 1).log(),
        lambda t: t.softmax(-1), lambda t: t.log_softmax(0), lambda t: F.layer_norm(t, (4,)),
        lambda t: t - t.mean(0), lambda t: t / (1 + t.abs().sum(-1, keepdim=True)),
        lambda t: F.leaky_relu(t, 0.2), lambda t: torch.cat([t[:, 2:], t[:, :2]], 1),
        lambda t: t.T.reshape(3, 4), lambda t: F.relu(t), lambda t: t.exp() / 3,
        lambda t: t * t.std(),
    ]  # fmt: skip
    return [unary[k] for k in draw.choice(len(unary), 3, replace=False)]


def losses(k, t):
    return [
        lambda: F.mse_loss(t, torch.ones(3, 4)),
        lambda: F.cross_entropy(t, torch.tensor([0, 3, 1])),
        lambda: (t**2).sum(),
        lambda: F.smooth_l1_loss(t, torch.zeros(3, 4)),
        lambda: t.norm(),
        lambda: F.binary_cross_entropy(t.sigmoid(), torch.full_like(t, 0.25), reduction="sum"),
    ][k]()


@pytest.mark.parametrize("seed", range(8))
def test_random_programs(seed, chromium, tmp_path):
    draw = np.random.default_rng(seed)
    x, w, b = draw.standard_normal((3, 2)), draw.standard_normal((2, 4)), draw.standard_normal(4)
    chain, loss = steps_of(draw), seed % 6

    def run(x, w, b):
        leaves = {
            k: torch.tensor(v, requires_grad=True) for k, v in {"x": x, "w": w, "b": b}.items()
        }
        t = leaves["x"] @ leaves["w"] + leaves["b"]
        for f in chain:
            t = f(t)
        return losses(loss, t), leaves

    root, leaves = run(x, w, b)
    path = tmp_path / "p.html"
    path.write_text(page(viz.step(root, names=leaves).trace), encoding="utf-8")
    chromium.open(path)
    w[1, 2], x[0, 1] = 0.75, -1.5
    root, leaves = run(x, w, b)
    root.backward()
    node = "N.findIndex(n => n.n === '{}')"
    for name, k, value in (("w", 6, 0.75), ("x", 1, -1.5)):
        i = chromium.js(node.format(name))
        assert chromium.js(f"hurdle({i})") == ""
        a = chromium.js(f"elements(N[{i}].v)")
        a[k] = value
        chromium.js(f"(changed.set({i}, {a}), 1)")
    chromium.js("(recompute(), render(), 1)")
    assert chromium.js("now.V[D.root]") == pytest.approx(float(root), rel=1e-5)
    for name, t in leaves.items():
        got = chromium.js(f"now.G[{node.format(name)}].f.flat()")
        assert got == pytest.approx(t.grad.numpy().ravel(), rel=1e-4, abs=1e-6), name
    # each contribution is checked by a difference, and no step breaks
    found = chromium.js("S.map((s, k) => (go(k), s.k === 'c' ? now.measured(k)[2] : 0))")
    assert max(found) < 1e-4
    assert chromium.log("browser") == []


def test_an_element_is_typed_over(chromium, tmp_path):
    torch.manual_seed(0)
    net = nn.Linear(2, 2)
    x = torch.tensor([[1.0, 2.0]])
    path = viz.step(F.mse_loss(net(x), torch.zeros(1, 2))).save(tmp_path / "p.html")
    chromium.open(path)
    chromium.keys("w")
    chromium.js("(leaf = N.findIndex(n => n.n === 'x'), panel(), 1)")
    chromium.js("document.querySelectorAll('#side td')[1].click()")
    chromium.keys("-3")
    with torch.no_grad():
        wanted = float(F.mse_loss(net(torch.tensor([[1.0, -3.0]])), torch.zeros(1, 2)))
    assert chromium.js("now.V[D.root]") == pytest.approx(wanted, rel=1e-5)
    assert chromium.text("#badge") == "what if x[0, 1] = −3"
    # the cells in the picture of what has changed are the program's, and go; no box goes with them
    look = "(e => e && getComputedStyle(e).visibility)(groups.get(N.find(n => n.n === '{}').box)"
    cells = [chromium.js(look.format(n) + ".querySelector('.thumb'))") for n in ("x", "net.bias")]
    assert cells == ["hidden", "visible"]
    assert chromium.js(look.format("x") + ".querySelector('path, polygon'))") == "visible"
    chromium.click("#side > button:last-child")
    assert chromium.js("now === start") and chromium.text("#badge") == ""
    assert chromium.log("browser") == []


def test_through_a_layer_that_loops(chromium, tmp_path):
    torch.manual_seed(0)
    layer, x = nn.LSTM(2, 2), torch.randn(3, 1, 2)
    trace = viz.step(layer(x)[0][-1].square().sum()).trace
    steps = [s for s in trace.steps if s.kind == "contribution"]
    assert all(s.check and s.check.ok for s in steps if s.final)
    (parts,) = [n for n in trace.nodes if n.op == "steps"]
    assert parts.shape == [3, 1, 8] and parts.value == trace.nodes[parts.inputs[0]].value
    path = tmp_path / "p.html"
    path.write_text(page(trace), encoding="utf-8")
    chromium.open(path)
    chromium.keys("w")
    i = chromium.js("N.findIndex(n => n.n === 'layer.weight_ih_l0')")
    assert chromium.js("[...N.keys()].filter(i => !N[i].op).map(barred).join('')") == ""
    chromium.js(f"(leaf = {i}, panel(), document.querySelector('#side td').click(), 1)")
    chromium.keys("1.5")
    with torch.no_grad():
        layer.weight_ih_l0[0, 0] = 1.5
        wanted = float(layer(x)[0][-1].square().sum())
    assert chromium.js("single(now.V[D.root])") == pytest.approx(wanted, rel=1e-5)
    some = "S.map((s, k) => k % 9 ? 1 : (go(k), s.k === 'c' ? now.measured(k)[3] : 1))"
    assert all(chromium.js(some)) and chromium.log("browser") == []


def test_what_cannot_be_recomputed_says_why(chromium, tmp_path):
    x = torch.randn(4, 4, requires_grad=True)
    path = viz.step(x.sort(1)[0].square().sum()).save(tmp_path / "p.html")
    chromium.open(path)
    chromium.keys("w")
    assert "sort" in chromium.text("#side .why")
    assert "by the values of the moment" in chromium.text("#side .why")
    big = torch.randn(40, 40, requires_grad=True)
    path = viz.step((big @ big).sum()).save(tmp_path / "q.html")
    chromium.open(path)
    chromium.keys("w")
    assert "too large" in chromium.text("#side .why")
    assert chromium.log("browser") == []
