"""What-if on an element of a tensor: the page recomputes random programs as Python does."""

import numpy as np
import pytest
from microtorch.viz.showing.html import page

import microtorch as torch
from microtorch import nn, viz
from microtorch.nn import functional as F

pytestmark = pytest.mark.needs("browser", "dot")


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


@pytest.mark.parametrize("seed", range(6))
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
    assert chromium.js("now.V[D.root]") == pytest.approx(root.item(), rel=1e-5)
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
        wanted = F.mse_loss(net(torch.tensor([[1.0, -3.0]])), torch.zeros(1, 2)).item()
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
        wanted = layer(x)[0][-1].square().sum().item()
    assert chromium.js("single(now.V[D.root])") == pytest.approx(wanted, rel=1e-5)
    some = "S.map((s, k) => k % 9 ? 1 : (go(k), s.k === 'c' ? now.measured(k)[3] : 1))"
    assert all(chromium.js(some)) and chromium.log("browser") == []


def spectra(z, x):
    y = torch.fft.irfft(torch.fft.rfft(x) * z, 4)
    return (z / (z.abs() + 1)).tanh().real.sum() + z.angle().sum() + y.pow(3).sum()


def halves(a, b):
    return (a @ b).tanh().float().pow(2).sum() + torch.vmap(lambda r: (r * r).sum())(b).sum()


def matrices(m, b):
    s = m + m.T
    q, r = torch.linalg.qr(m)
    solved = torch.linalg.solve(m, b).sum() + torch.linalg.inv(m).pow(2).sum()
    factors = torch.linalg.cholesky(m @ m.T).sum() + r.pow(3).sum() + q.pow(4).sum()
    values = torch.linalg.eigh(s)[1].pow(4).sum() + torch.linalg.svdvals(m).pow(3).sum()
    return solved + factors + values + torch.logdet(m) + torch.linalg.matrix_exp(m / 4).sum()


def picks(m, b):
    y = m.clone()
    y[1:] = m[:2] * b
    rolled = (y.roll(1, 0) * y.flip(1)).sum() + torch.cat([y, m], 1)[:, 2:5].pow(3).sum()
    best = m.sort(1)[0] @ b + m.max(0)[0] + m.amax(1) + m.cummax(1)[0].sum() + m.median()
    return rolled + best.pow(2).sum() + F.embedding(torch.tensor([1, 1, 2]), m).pow(3).sum()


def specials(m, b):
    x, p, three = m.abs() + 0.2, b.sigmoid(), torch.tensor(3.0, dtype=m.dtype)
    y = x.lgamma() + x.digamma() + torch.polygamma(2, x) + torch.special.zeta(three, b.abs() + 1)
    bessel = torch.special.i0(m) + torch.special.i0e(m) * torch.special.i1(b)
    normal = torch.special.ndtri(p) + torch.erfinv(b / 4) + torch.special.log_ndtr(m - 2)
    rest = torch.special.erfcx(m) + torch.special.gammainc(three, b.abs())
    return (y + bessel + normal + rest + torch.special.gammaincc(three, b.abs())).sum()


def choices(m, b):
    volume = (m[:, :, None] * b)[None, None]
    pools = F.max_pool3d(volume, 2, stride=1, padding=1).pow(2).sum()
    pools = pools + F.adaptive_max_pool2d(volume[0], 2).pow(3).sum()
    log_probs = torch.stack([m, m * b, m.T, m + b]).log_softmax(-1)
    lengths = torch.tensor([4, 3, 4]), torch.tensor([2, 1, 2])
    said = F.ctc_loss(log_probs, torch.tensor([[1, 2], [2, 0], [1, 1]]), *lengths)
    most = m.round(decimals=1).mode(0)[0] @ b + m.copysign(b).sum() + m.frexp()[0].sum()
    return pools + said + most + torch.linalg.lu(m)[2].pow(2).sum()


def curvature(m, b):
    image = torch.cat([m, m * b], 0)[None, None]
    (g,) = torch.autograd.grad(F.conv2d(image, m[None, None]).pow(3).sum(), m, create_graph=True)
    return g.pow(2).sum() * 1e-3


def moving(m, b):
    f = lambda m: (m @ b).softmax(-1).pow(2).sum() + (m / (1 + m * m)).tanh().sum()  # noqa: E731
    out, tangent = torch.func.jvp(f, (m,), (torch.ones_like(m),))
    return out * tangent


@pytest.mark.parametrize(
    "program, kind", [(spectra, "float64"), (halves, "float16"), (halves, "bfloat16"),
                      (matrices, "float64"), (picks, "float64"), (specials, "float64"),
                      (choices, "float64"), (curvature, "float64"), (moving, "float64")],
)  # fmt: skip
def test_numbers_of_every_kind(program, kind, chromium, tmp_path):
    draw, kind = np.random.default_rng(5), getattr(torch, kind)
    first = {
        spectra: [draw.standard_normal(3) + 1j * draw.standard_normal(3), draw.standard_normal(4)],
        halves: [draw.standard_normal((2, 3)), draw.standard_normal((3, 2))],
    }.get(program, [np.eye(3) * 2 + draw.standard_normal((3, 3)) / 2, draw.standard_normal(3)])

    def run(arrays):
        leaves = [torch.tensor(a) for a in arrays]
        leaves = [x if x.is_complex() else x.to(kind) for x in leaves]
        return program(*[x.requires_grad_() for x in leaves]), leaves

    def reals(x):
        x = torch.view_as_real(x) if x.is_complex() else x
        return x.detach().double().numpy().ravel()

    root, leaves = run(first)
    names = dict(zip("ab", leaves, strict=True))
    path = tmp_path / "p.html"
    path.write_text(page(viz.step(root, names=names).trace), encoding="utf-8")
    chromium.open(path, painted=False)
    first[0].flat[-2] += 0.4
    first[1].flat[0] -= 0.3
    root, leaves = run(first)
    root.backward()
    for name, x in zip("ab", leaves, strict=True):
        i = chromium.js(f"N.findIndex(n => n.n === '{name}')")
        assert chromium.js(f"barred({i})") == ""
        chromium.js(f"(changed.set({i}, {reals(x).tolist()}), 1)")
    chromium.js("(recompute(), render(), 1)")
    close = {torch.float16: 4e-3, torch.bfloat16: 3e-2}.get(kind, 1e-5)
    assert chromium.js("single(now.V[D.root])") == pytest.approx(root.item(), rel=close)
    for name, x in zip("ab", leaves, strict=True):
        got = chromium.js(
            "(i => is_complex(i) ? [now.G[i].f].flat(9).flatMap(parts) : elements(now.G[i]))"
            f"(N.findIndex(n => n.n === '{name}'))"
        )
        wanted = reals(x.grad)
        np.testing.assert_allclose(got, wanted, atol=close * max(1, abs(wanted).max()))
    unequal = "S.filter((s, k) => k % 3 === 0 && s.k === 'c' && (go(k), !now.measured(k)?.[3]))"
    assert chromium.js(f"{unequal}.length") == 0 and chromium.log("browser") == []


def test_special_functions_have_twelve_digits(chromium, tmp_path):
    known = pytest.importorskip("scipy.special")
    small = viz.step(torch.ones(1, requires_grad=True).lgamma().sum())
    chromium.open(small.save(tmp_path / "p.html"))
    places = [[v] for v in (-7.3, -0.3, 0.01, 0.24, 0.77, 1.5, 3.7, 12.5, 29.9, 30.1, 300.0)]
    shares = [[v] for v in (1e-300, 1e-5, 0.1, 0.3, 0.5, 0.975, 1 - 1e-9)]
    pairs = [[a, x] for a in (0.1, 1, 2.3, 50) for x in (0.01, 0.5, 2, 49, 300)]
    asked = {name: places for name in "digamma erfcx log_ndtr i0 i0e i1 i1e".split()}
    asked |= {"lgamma": places, "ndtri": shares, "erfinv": [[-0.99999], [-0.2], [1e-5], [0.9]]}
    asked |= {"igamma": pairs, "igammac": pairs, "zeta": [[1.1, 0.1], [2, 1], [3.5, 30]]}
    asked |= {"polygamma": [[n, x] for n in (1, 2, 4) for x in (0.1, 0.9, 3, 40)]}
    own = {"lgamma": "gammaln", "digamma": "psi", "igamma": "gammainc", "igammac": "gammaincc"}
    for name, points in asked.items():
        got = chromium.js(f"arguments[0].map(x => {name}(...x))", points)
        wanted = [float(getattr(known, own.get(name, name))(*x)) for x in points]
        finite = [(a, b) for a, b in zip(got, wanted, strict=True) if np.isfinite(b)]
        assert all(abs(a - b) <= 1e-12 * abs(b) for a, b in finite), name


def test_another_place_that_is_picked_is_told(chromium, tmp_path):
    x = torch.tensor([1.0, 3.0, 2.0], requires_grad=True)
    chromium.open(viz.step(x.max(0)[0] * 2).save(tmp_path / "p.html"))
    chromium.keys("w")
    assert chromium.text("#choice") == ""
    chromium.keys("7")
    assert chromium.js("single(now.V[D.root])") == 14
    assert "now picks other places" in chromium.text("#choice")


def test_what_cannot_be_recomputed_says_why(chromium, tmp_path):
    x = torch.randn(4, 4, requires_grad=True)
    pooled = F.fractional_max_pool2d(x[None], 2, output_size=2)
    path = viz.step(pooled.square().sum()).save(tmp_path / "p.html")
    chromium.open(path)
    chromium.keys("w")
    assert "fractional_max_pool2d" in chromium.text("#side .why")
    assert "drew its windows at random" in chromium.text("#side .why")
    big = torch.randn(40, 40, requires_grad=True)
    path = viz.step((big @ big).sum()).save(tmp_path / "q.html")
    chromium.open(path)
    chromium.keys("w")
    assert "too large" in chromium.text("#side .why")
    assert chromium.log("browser") == []
