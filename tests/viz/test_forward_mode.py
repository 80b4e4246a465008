"""Forward mode in the stepper: tangents equal to func.jvp's, and derivatives of derivatives."""

import numpy as np
import pytest
from microtorch.viz.drawing import render
from microtorch.viz.reading.trace import Push

import microtorch as torch
from microtorch import func, nn, viz
from microtorch.base import errors
from microtorch.nn import functional as F


def pushes(stepper):
    return [s for s in stepper.trace.steps if isinstance(s, Push)]


IMAGE = torch.arange(32.0).reshape(1, 2, 4, 4).sin()
TABLE = torch.arange(6.0).reshape(3, 2).cos()
PROGRAMS = {
    "chain": lambda w: (w.tanh() * w + w.exp()).sigmoid().sum(),
    "products": lambda w: ((TABLE @ w.T) @ w).pow(3).mean(),
    "loss": lambda w: F.cross_entropy(TABLE @ w.T, torch.tensor([0, 2, 1])),
    "convolution": lambda w: F.max_pool2d(F.conv2d(IMAGE, w.reshape(1, 2, 1, 3)).relu(), 2).sum(),
    "attention": lambda w: F.scaled_dot_product_attention(w @ w.T, w @ w.T, w.sin() @ w.T).sum(),
    "norm and views": lambda w: (F.layer_norm(w, (2,))[1:].T.reshape(-1) * w.flatten()[:4]).sum(),
    "matrix result": lambda w: torch.cat([w, w * 2]).cumsum(0).log_softmax(1),
    "choice": lambda w: torch.where(w > 0.3, w * w, w.abs()).norm() + w.max() - w.std(),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_tangents_are_those_of_jvp(name):
    f, w = PROGRAMS[name], torch.linspace(-0.9, 1.1, 6).reshape(3, 2).requires_grad_()
    towards = torch.tensor([[1.0, -2.0], [0.5, 0.0], [0.3, 1.5]])
    out = f(w)
    steps = viz.step(out, mode="forward", wrt=w, direction=towards)
    _, wanted = func.jvp(f, (w.detach(),), (towards,))
    last = pushes(steps)[-1]
    got = last.contribution if last.array is None else last.array.full
    assert np.asarray(got) == pytest.approx(wanted.numpy(), rel=1e-6, abs=1e-7)
    assert w.grad is None and last.node == steps.trace.root
    assert all(s.check.ok for s in pushes(steps)), [s.rule for s in pushes(steps)]
    for s in pushes(steps):  # the terms of the operands add up
        if s.array is None and s.terms:
            assert sum(t.number for t in s.terms.values()) == pytest.approx(s.contribution)
    again = viz.Stepper(viz.Trace.from_json(steps.trace.to_json()))
    assert again.frames() == steps.frames()


def test_scalars_in_the_terminal_and_in_the_table():
    x, w, b = torch.Scalar(2.0), torch.Scalar(-0.5), torch.Scalar(0.3)
    n = x * w + b
    o = n.tanh()
    screen = viz.step(o, mode="forward", wrt=w).frames()[-1]
    assert "TANGENTS ↓: ∂/∂w" in screen and "finite difference 1.269479 ✓" in screen
    assert "∂o/∂w = ∂n/∂w · (1 − o²) = 2.0000 · (1 − (−0.60437)²) = 1.2695" in screen
    rows = str(viz.trace(o, mode="forward", wrt="x")).splitlines()
    assert rows[0].split() == "forward: values ↓ value │ and their tangents ↓ tangent".split()
    assert "∂(x·w)/∂x = ∂x/∂x · w" in rows[5] and rows[-1].endswith("−0.3174")
    assert rows[3].endswith("−0.5000  │"), "w stands still"


def test_one_element_and_what_is_refused():
    w = torch.ones(2, 2, requires_grad=True)
    v = torch.ones(2, requires_grad=True)
    y = (w @ v).sum()
    steps = viz.step(y, mode="forward", wrt="w", direction=(0, 1))
    assert steps.trace.seed == "∂w/∂ε = 1 for w[0, 1], else 0"
    assert steps.trace.nodes[-1].grad.number == 1.0
    for given, said in [
        ({}, "say wrt=, one of"),
        ({"wrt": y}, "no leaf"),
        ({"wrt": torch.ones(2)}, "took no part"),
        ({"wrt": 1.5}, "a Tensor, a Scalar or a name"),
        ({"wrt": w, "direction": torch.ones(3)}, r"shape \(3,\), and w has \(2, 2\)"),
        ({"wrt": w, "direction": (2, 0)}, r"w has shape \(2, 2\)"),
    ]:
        with pytest.raises(ValueError, match=said):
            viz.step(y, mode="forward", **given)
    with pytest.raises(ValueError, match="'reverse'"):
        viz.step(y, mode="backwards")
    with pytest.raises(ValueError, match="mode='forward'"):
        viz.trace(y, wrt=w)


def test_a_custom_function_needs_its_jvp():
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            ctx.save_for_forward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            return 3 * ctx.saved_tensors[0] ** 2 * g

    class Known(Cube):
        @staticmethod
        def jvp(ctx, t):
            return 3 * ctx.saved_tensors[0] ** 2 * t

    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = (Known.apply(x) * x).sum()
    assert viz.step(y, mode="forward").trace.nodes[-1].grad.number == pytest.approx(36.0)
    with pytest.raises(errors.GraphError, match="give its Function a jvp"):
        viz.step(Cube.apply(x).sum(), mode="forward")


@pytest.mark.needs("browser", "dot")
def test_the_page_shows_values_with_tangents_and_computes_them_again(tmp_path, chromium):
    a, w = torch.Scalar(1.5), torch.Scalar(-0.4)
    o = (a * w).tanh() * w + w.exp()
    viz.step(o, mode="forward", wrt=w).save(tmp_path / "p.html")
    net = nn.Linear(2, 1)
    loss = F.mse_loss(net(torch.ones(3, 2)).tanh(), torch.zeros(3, 1))
    steps = viz.step(loss, mode="forward", wrt=net.weight)
    steps.save(tmp_path / "t.html")
    chromium.open(tmp_path / "p.html")
    chromium.keys("end")

    def shown(a, w):
        slope = np.tanh(a * w) + w * a / np.cosh(a * w) ** 2 + np.exp(w)
        return f"+ {slope:.4f} ε" if slope > 0 else f"+ (−{-slope:.4f}) ε"

    assert chromium.text("#phase") == "FORWARD MODE"
    assert shown(1.5, -0.4) in chromium.text("#explain .sum")
    assert "✓" in chromium.text("#check")
    chromium.keys("w")
    chromium.js("""(e => { e.value = '2'; e.dispatchEvent(new Event('input')); })(
        document.querySelector('[data-leaf="0"]'))""")
    assert shown(2.0, -0.4) in chromium.text("#explain .sum")
    assert "✓" in chromium.text("#check") and not chromium.log("browser")
    chromium.open(tmp_path / "t.html")
    for k in range(len(steps.trace.steps)):
        assert chromium.js("!!document.querySelector('#explain h2').textContent"), k
        chromium.keys("q" if k == 2 else "right")
    assert not chromium.log("browser")
    assert not chromium.js("document.getElementById('b-paths').checkVisibility()")


# ---- the second order ----------------------------------------------------------------------------
def test_a_derivative_is_framed_and_says_what_its_choices_are(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    x = torch.tensor([0.5, -1.0], requires_grad=True)
    loss = (x**3).sum() + (x.relu() * x).sum()
    (g,) = torch.autograd.grad(loss, x, create_graph=True)
    table = viz.trace((g * g).sum())
    text = str(table)
    assert "where(" not in text and "(0 if 0 else" not in text and "torch.autograd" not in text
    assert "0 where mask, else" in text and "by a choice that read" in text
    frames = {m.path for m in table.trace.modules}
    assert frames == {"grad(loss, x)"}
    inside = [t for t in table.trace.nodes if t.module is not None]
    assert all(t.op for t in inside) and len(inside) >= 5
    first = [t.op for t in table.trace.nodes if t.op and t.module is None]
    assert first[0] == "relu" and first[-2:] == ["mul", "sum"]


def of_a_jvp():
    x, w = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    return func.jvp(lambda x: (x * w).tanh().sum(), (x,), (torch.ones(3),))[1], 1


def of_a_jvp_through_a_module():
    net = nn.Linear(3, 1)
    return func.jvp(net, (torch.ones(3),), (torch.ones(3),))[1].sum(), 1


def of_steps_of_descent():
    x, w = torch.ones(3), torch.ones(1, requires_grad=True)
    v = w
    for _ in range(3):
        (g,) = torch.autograd.grad(((v * x) ** 2).mean(), v, create_graph=True)
        v = v - 0.1 * g
    return (v * x).sum(), 3


@pytest.mark.needs("dot")
@pytest.mark.parametrize("make", [of_a_jvp, of_a_jvp_through_a_module, of_steps_of_descent])
def test_no_arrow_goes_back_into_the_frame_of_a_derivative(make):
    root, frames = make()
    graph = viz.draw(root, rankdir="LR")
    assert graph.source.count("subgraph cluster") == frames
    rows = [r.split(" ") for r in render.render(graph.source, "plain").decode().splitlines()]
    at = {r[1]: float(r[2]) for r in rows if r[0] == "node"}
    arrows = [(r[1], r[2]) for r in rows if r[0] == "edge"]
    assert len(arrows) >= 5 and all(at[a] <= at[b] for a, b in arrows)


def test_a_power_of_a_derivative_records_no_choice():
    a = torch.Scalar(2.0)
    (g,) = torch.autograd.grad(a**3, [a], create_graph=True)
    assert "∂g/∂a = " in str(viz.trace(g)) and "if" not in str(viz.trace(g))
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    (g,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(g.sum(), x, create_graph=True)
    assert second.tolist() == [6.0, -12.0]
    assert torch.autograd.grad(second.sum(), x)[0].tolist() == [6.0, 6.0]
    (g,) = torch.autograd.grad((x**0).sum(), x, create_graph=True)
    assert g.tolist() == [0.0, 0.0]


def test_an_earlier_stepper_in_a_variable_names_nothing():
    x, w = torch.Scalar(2.0), torch.Scalar(-0.5)
    n = (x * w) * w * w
    kept = viz.step(n)
    assert "computation" not in str(viz.trace(n)) and len(kept) > 4


def test_through_an_op_of_several_results():
    a = torch.tensor([[4.0, 1.0], [0.5, 3.0]], requires_grad=True)
    trace = viz.step(torch.linalg.slogdet(a)[1], mode="forward", wrt=a).trace
    (wanted,) = torch.autograd.grad(torch.logdet(a), a)
    assert trace.nodes[-1].grad.number == pytest.approx(wanted.sum().item(), rel=1e-5)

def test_inside_of_vmap_and_of_jvp():
    w = torch.tensor([[1.0, 0.2], [-0.3, 0.7]], dtype=torch.float64, requires_grad=True)
    x = torch.tensor([[0.3, -0.1], [0.8, 0.4]], dtype=torch.float64)

    def curved(m):
        return torch.vmap(lambda row: (row @ m).tanh().max())(x).sum()

    def pushed(m):
        return torch.func.jacfwd(lambda m: (m @ x).sin().sum(1))(m).pow(2).sum()

    way = torch.tensor([[0.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    for f in (curved, pushed):
        trace = viz.step(f(w), mode="forward", wrt=w, direction=(0, 1)).trace
        _, wanted = func.jvp(f, (w.detach(),), (way,))
        assert trace.steps[-1].contribution == pytest.approx(float(wanted))
        assert all(s.check.ok for s in trace.steps if getattr(s, "check", None))
