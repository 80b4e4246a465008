"""Convolution and pooling in the page: windows, kernels as tiles, and what-if through them."""

import itertools

import numpy as np
import pytest
from microtorch.viz.showing.html import page

import microtorch as torch
from microtorch import viz
from microtorch.nn import functional as F

pytestmark = pytest.mark.needs("browser", "dot")
WINDOW = 1920, 1080
MEDIA = {"prefers-reduced-motion": "reduce"}
SHOWN = """(() => {
  const grid = document.querySelector("#result-grid"), marks = {};
  for (const t of document.querySelectorAll(".windows .array")) {
    const name = t.querySelector("b").textContent;
    marks[name] = [...t.querySelectorAll("td.meets")].map(e => +e.dataset.k);
  }
  return [+grid.querySelector(".chosen").dataset.k, grid.querySelector(".chosen").title, marks,
          document.querySelectorAll(".windows td.pad").length,
          document.querySelector("#written .sum").textContent,
          document.querySelectorAll("#explain .error").length];
})()"""


def number(text):
    return float(text.rpartition("=")[2].replace("≈", "").replace("−", "-"))


def show(b, loss, names, path):
    """The page of a loss, and its trace."""
    made = viz.step(loss, names=names).trace
    path.write_text(page(made), encoding="utf-8")
    b.open(path)
    return made


def test_the_window_of_each_cell(chromium, tmp_path):
    """Stride 2, padding 1, three channels: what meets, against the sum written out in numpy."""
    torch.manual_seed(0)
    x, w = torch.randn(1, 3, 5, 5), torch.randn(2, 3, 3, 3, requires_grad=True)
    y = F.conv2d(x, w, stride=2, padding=1)
    made = show(chromium, (y * y).sum(), {"x": x, "w": w, "y": y}, tmp_path / "p.html")
    chromium.js("(go(S.findIndex(s => s.k === 'op' && N[s.n].op === 'conv2d')), 1)")
    X, W, Y = x.numpy(), w.detach().numpy(), y.detach().numpy()
    X = np.pad(X, ((0, 0), (0, 0), (1, 1), (1, 1)))
    for k, (_, o, r, c) in enumerate(np.ndindex(Y.shape)):
        chromium.js(f"(channel = 1, choose({k}), 1)")
        chosen, title, marks, pads, total, errors = chromium.js(SHOWN)
        inside = [
            (2 * r + u - 1, 2 * c + v - 1, u, v)
            for u, v in itertools.product(range(3), repeat=2)
            if 0 <= 2 * r + u - 1 < 5 and 0 <= 2 * c + v - 1 < 5
        ]
        assert marks["x"] == [25 + 5 * a + b for a, b, _, _ in inside]
        assert marks["w"] == [27 * o + 9 + 3 * u + v for _, _, u, v in inside]
        assert chosen == k and errors == 0
        assert pads == 49 - 25
        brute = (X[0, :, 2 * r : 2 * r + 3, 2 * c : 2 * c + 3] * W[o]).sum()
        assert number(title) == pytest.approx(brute, rel=1e-2)
        assert number(total) == pytest.approx(brute, rel=1e-2, abs=0.006)
    # backward to the kernel: each element is asked for by key, and its sum is the gradient
    w.grad = None
    (y * y).sum().backward()
    chromium.js("(go(S.findIndex(s => s.k === 'c' && N[s.n].n === 'w')), 1)")
    chromium.keys("e", "home")
    for k, wanted in enumerate(w.grad.numpy().ravel()):
        chosen, title, _, _, total, errors = chromium.js(SHOWN)
        assert chosen == k and errors == 0
        assert number(title) == pytest.approx(wanted, rel=1e-2)
        assert number(total) == pytest.approx(wanted, rel=1e-2, abs=0.006)
        chromium.keys("right")
    assert made.nodes[made.root].number == pytest.approx((Y * Y).sum().item(), rel=1e-6)
    assert chromium.log("browser") == []


def test_the_frame_lies_on_the_window(chromium, tmp_path):
    x, w = torch.randn(1, 1, 6, 6), torch.randn(1, 1, 3, 3, requires_grad=True)
    y = F.conv2d(x, w, dilation=2)
    show(chromium, y.sum(), {"x": x, "w": w}, tmp_path / "p.html")
    chromium.js("(go(S.findIndex(s => s.k === 'op' && N[s.n].op === 'conv2d')), choose(3), 1)")
    inside = """(() => {
      const f = document.querySelector(".frame").getBoundingClientRect(), out = [];
      for (const e of document.querySelectorAll(".windows .array:first-child td")) {
        const r = e.getBoundingClientRect(), x = r.x + r.width / 2, y = r.y + r.height / 2;
        if (x > f.x && x < f.right && y > f.y && y < f.bottom) out.push(+e.dataset.k);
      }
      return out;
    })()"""
    assert chromium.js(inside) == [6 * r + c for r in range(1, 6) for c in range(1, 6)]


def test_no_panel_is_cut_off_and_texts_are_large(chromium, tmp_path):
    torch.manual_seed(0)
    x, w = torch.rand(1, 2, 8, 8), torch.randn(4, 2, 3, 3, requires_grad=True)
    y = F.max_pool2d(F.conv2d(x, w, padding=1).relu(), 2)
    show(chromium, (y * y).sum(), {"x": x, "w": w}, tmp_path / "p.html")
    fits = """(() => {
      const box = document.querySelector("#explain"), seen = box.getBoundingClientRect();
      const cells = [...box.querySelectorAll(".windows td, .windows p")]
        .filter(e => e.checkVisibility());
      const inside = r => r.right <= seen.right && r.x >= seen.x;
      return [cells.every(e => inside(e.getBoundingClientRect())),
        Math.min(...cells.filter(e => e.textContent && !e.closest(".heat"))
          .map(e => parseFloat(getComputedStyle(e).fontSize)))];
    })()"""
    for size, presenter in itertools.product([(1920, 1080), (1024, 768)], (False, True)):
        chromium.size(*size)
        chromium.js(f"(root.classList.toggle('presenter', {str(presenter).lower()}), 1)")
        for step in range(chromium.js("S.length")):
            if chromium.js(f"(go({step}), !!document.querySelector('.windows'))"):
                inside, smallest = chromium.js(fits)
                assert inside, (size, presenter, step)
                assert smallest >= (20 if presenter and size[0] == 1920 else 14)
    chromium.size(1920, 1080)
    assert chromium.log("browser") == []


def nets(draw):
    """Small convolutional programs of (x, w), up to 1,024 elements in a tensor."""
    pools = [
        lambda t: F.max_pool2d(t, 2), lambda t: F.avg_pool2d(t, 2, 1, 1),
        lambda t: F.max_pool2d(t, 3, 2, 1), lambda t: t.transpose(2, 3) * 0.5,
        lambda t: F.avg_pool2d(t, 3, 2, 1, count_include_pad=False, ceil_mode=True),
        lambda t: F.conv_transpose2d(t, torch.ones(4, 2, 2, 2, dtype=t.dtype) / 3, None, 2, 1),
    ]  # fmt: skip
    places = [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "padding": 2}, {"groups": 2}]
    return pools[int(draw.integers(len(pools)))], places[int(draw.integers(len(places)))]


@pytest.mark.parametrize("seed", range(4))
def test_what_if_through_windows(seed, chromium, tmp_path):
    draw = np.random.default_rng(seed)
    pool, place = nets(draw)
    x = draw.standard_normal((2, 2, 8, 8))
    w = draw.standard_normal((4, 2 // place.get("groups", 1), 3, 3))
    b = draw.standard_normal(4)

    def run(x, w, b):
        leaves = {k: torch.tensor(v, requires_grad=True) for k, v in (("x", x), ("w", w), ("b", b))}
        t = pool(F.conv2d(leaves["x"], leaves["w"], leaves["b"], **place).relu()).flatten(1)
        t = t @ torch.linspace(-1, 1, 2 * t.shape[1], dtype=torch.float64).reshape(-1, 2)
        return F.cross_entropy(t, torch.tensor([1, 0])), leaves

    root, leaves = run(x, w, b)
    show(chromium, root, leaves, tmp_path / "p.html")
    w[1, 0, 1, 2], x[0, 1, 3, 4] = 0.75, -1.5
    root, leaves = run(x, w, b)
    root.backward()
    node = "N.findIndex(n => n.n === '{}')"
    for name, k, value in (("w", 9 * w.shape[1] + 5, 0.75), ("x", 64 + 28, -1.5)):
        i = chromium.js(node.format(name))
        assert chromium.js(f"hurdle({i})") == ""
        chromium.js(f"(a => (a[{k}] = {value}, changed.set({i}, a), 1))(elements(N[{i}].v))")
    chromium.js("(recompute(), render(), 1)")
    assert chromium.js("now.V[D.root]") == pytest.approx(root.item(), rel=1e-5)
    for name, t in leaves.items():
        got = chromium.js(f"now.G[{node.format(name)}].f.flat(9)")
        assert got == pytest.approx(t.grad.numpy().ravel(), rel=1e-4, abs=1e-6), name
    # each lens opens on the new numbers, and what it multiplies is what the page computed
    wrong = chromium.js("S.map((s, k) => (go(k), document.querySelectorAll('.error').length))")
    assert sum(wrong) == 0 and chromium.log("browser") == []
