"""The steps of the chain rule: tables, finite differences, and the stepper in a terminal."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from microtorch.viz.reading import numbers
from microtorch.viz.reading.loops import loop, opening
from microtorch.viz.showing import terminal
from ops.samples import SAMPLES

import microtorch as torch
from microtorch import Scalar, nn, viz
from microtorch.backends import core
from microtorch.engine.op import REGISTRY

ROOT = str(Path(__file__).parents[2])


def neuron():
    x1 = Scalar(2.0, requires_grad=False)
    x2 = Scalar(0.0, requires_grad=False)
    w1 = Scalar(-3.0)
    w2 = Scalar(1.0)
    b = Scalar(6.8813735870195432)
    p1 = w1 * x1
    p2 = w2 * x2
    s = p1 + p2
    n = s + b
    o = n.tanh()
    return o


def mlp():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
    return net, nn.MSELoss()(net(torch.randn(32, 2)), torch.randn(32, 1))


TABLE = """\
    forward: values ↓    value  │  backward: gradients ↑     gradient
────────────────────────────────┼────────────────────────────────────
 1  x1  data            2.0000  │
 2  x2  data                 0  │
 3  w1  parameter      −3.0000  │  ∂o/∂w1 = ∂o/∂p1 · x1        1.0000
 4  w2  parameter       1.0000  │  ∂o/∂w2 = ∂o/∂p2 · x2             0
 5  b  parameter        6.8814  │  ∂o/∂b = ∂o/∂n               0.5000
 6  p1 = w1 × x1       −6.0000  │  ∂o/∂p1 = ∂o/∂s              0.5000
 7  p2 = w2 × x2             0  │  ∂o/∂p2 = ∂o/∂s              0.5000
 8  s = p1 + p2        −6.0000  │  ∂o/∂s = ∂o/∂n               0.5000
 9  n = s + b           0.8814  │  ∂o/∂n = ∂o/∂o · (1 − o²)    0.5000
10  o = tanh(n)         0.7071  │  ∂o/∂o = 1                   1.0000"""


def test_the_table_of_a_neuron():
    assert str(viz.trace(neuron())) == TABLE


def test_the_table_is_the_same_after_backward_and_touches_no_gradient():
    o = neuron()
    o.backward()
    assert str(viz.trace(o)) == TABLE
    assert o.grad == 1.0
    fresh = neuron()
    viz.trace(fresh)
    assert fresh.grad is None


def test_the_table_is_no_wider_than_the_terminal(monkeypatch):
    w, h = torch.tensor([[0.5, 0.1], [-0.2, 0.3]], requires_grad=True), torch.zeros(1, 2)
    for _ in range(20):
        h = torch.tanh(h @ w + 1)
    table = viz.trace(h.sum())
    for columns in (80, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        lines = str(table).split("\n")
        assert max(map(len, lines)) <= columns
        assert sum("… 15" in line for line in lines) == 1
    assert any("[" in line for line in lines)  # there is room for matrices


def test_table_as_markdown_and_latex():
    table = viz.trace(neuron())
    assert "| 9 | n = s + b | 0.8814 | ∂o/∂n = ∂o/∂o · (1 − o²) | 0.5000 |" in table.to_markdown()
    latex = table.to_latex()
    assert r"$\partial o/\partial n=\partial o/\partial o\cdot (1-o^{2})$" in latex
    assert r"$p_{1}=w_{1}\times x_{1}$" in latex
    evil = Scalar(1.0, label=r"\input{x}_&%$#")
    text = viz.trace(evil * 2).to_latex()
    assert r"\input" not in text and r"\&\%\$\#" in text


def test_one_step_per_leaf_op_and_contribution():
    steps = viz.step(neuron()).trace.steps
    assert [s.phase for s in steps] == ["forward"] * 10 + ["backward"] * 8
    assert steps[10].kind == "seed"
    assert [s.name for s in steps[11:]] == ["n", "s", "b", "p1", "p2", "w2", "w1"]
    first = steps[11]
    assert first.rule == "∂o/∂n += ∂o/∂o · (1 − o²)"
    assert first.numbers == "+= 1.0000 · (1 − 0.7071²)"
    assert first.sum == "0 + 0.5000 = 0.5000"
    assert first.local == pytest.approx(0.5)
    assert steps[16].remark == "x2 is 0, so moving w2 changes nothing here."


def test_contributions_add_up_visibly():
    a, b = Scalar(2.0), Scalar(-3.0)
    c = a * b + a
    steps = [s for s in viz.step(c).trace.steps if s.kind == "contribution" and s.name == "a"]
    assert [s.sum for s in steps] == ["0 + 1.0000 = 1.0000", "1.0000 + (−3.0000) = −2.0000"]
    assert [s.final for s in steps] == [False, True]
    assert "2 times" in steps[1].remark


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda x, y: x / y, ["∂z/∂x += ∂z/∂z / y", "∂z/∂y += −∂z/∂z · x / y / y"]),
        (lambda x, y: x - y, ["∂z/∂x += ∂z/∂z", "∂z/∂y += −∂z/∂z"]),
        (lambda x, y: (x * y).exp(), ["∂z/∂(x·y) += ∂z/∂z · z"]),
        (lambda x, y: (x * y).sigmoid(), ["∂z/∂(x·y) += ∂z/∂z · z · (1 − z)"]),
    ],
)
def test_rules_are_written_with_the_users_names(make, rule):
    x, y = Scalar(1.5), Scalar(0.5)
    z = make(x, y)
    steps = [s for s in viz.step(z, names={"z": z}).trace.steps if s.kind == "contribution"]
    assert [s.rule for s in steps][: len(rule)] == rule


def test_no_letter_of_a_rule_is_left():
    """Rules are told in the names of the program, also where they are no formula."""
    k = torch.ones(2, 3, requires_grad=True)
    a_name_of_more_than_24_letters = k.t() @ k
    loss = a_name_of_more_than_24_letters.mT.sum()
    steps = viz.step(loss).trace.steps
    assert [s.rule for s in steps if s.kind == "contribution"][1:] == [
        "∂loss/∂a_name_of_more_than_24_letters += ∂loss/∂v₃ᵀ",
        "∂loss/∂v₁ += ∂loss/∂a_name_of_more_than_24_letters @ kᵀ",
        "∂loss/∂k += v₁ᵀ @ ∂loss/∂a_name_of_more_than_24_letters",
        "∂loss/∂k += ∂loss/∂v₁ᵀ",
    ]


def test_every_gradient_agrees_with_its_finite_difference():
    for root in (neuron(), mlp()[1]):
        checked = viz.check(root)
        assert checked.ok and all(r.error < 1e-6 for _, r in checked.rows)
        assert len(checked.rows) >= 6


def test_a_wrong_derivative_is_found(capsys):
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, noise):
            print("forward")
            return x * 2 + (torch.rand(2) if noise else 0)

        @staticmethod
        def backward(ctx, g):
            return g * 3, None

    x = torch.ones(2, requires_grad=True)
    checked = viz.check(Wrong.apply(x, False).square().sum())
    assert not checked.ok and checked.worst == "x"
    assert capsys.readouterr().out == "forward\n"  # what it prints is the user's own run alone
    # one that draws random numbers is not run again: what comes after it is checked, what
    # comes before is left out
    rows = dict(viz.check((Wrong.apply(x * 2, True) ** 2).sum()).rows)
    assert rows and all(r.ok for r in rows.values()) and "x" not in rows


def test_gradients_of_factors_complex_numbers_and_nothing_are_checked():
    A = torch.tensor([[4.0, 1.0], [1.0, 3.0]], requires_grad=True)
    L = torch.linalg
    found = [L.solve(A, A[0]), L.inv(A), L.eigh(A)[0], L.svdvals(A), L.cholesky(A), L.qr(A)[1]]
    found += [L.lu_factor(A)[0], L.pinv(A), L.lstsq(A, A)[0], L.det(A)]
    for y in found:
        rows = dict(viz.check((y * y.detach().cos()).sum()).rows)
        assert rows["A"].ok, y
    assert viz.intervene(L.inv(A).sum(), {"A": lambda a: a * 2}).new == L.inv(A * 2).sum()
    z = torch.tensor([1 + 2j, 0.5 - 1j], requires_grad=True)
    rows = dict(viz.check(((z * z.conj() + z * (2 - 1j)).abs() ** 2).sum()).rows)
    assert rows["z"].ok
    x = torch.randn(3, 2, requires_grad=True)
    assert "x" in dict(viz.check(x[3:].sum() + (x * x).sum()).rows)  # a row of none


def test_at_a_kink_a_gradient_between_the_slopes_of_both_sides_is_right():
    a = torch.Scalar(0.0)
    (row,) = [c for name, c in viz.check(a.relu() * 2).rows if name == "a"]
    assert row.ok and row.what.startswith("at a kink") and (row.analytic, row.finite) == (0, 1)
    equal = torch.zeros(1, 1, 16, 16, requires_grad=True)  # too large to move each element
    pooled = torch.nn.functional.max_pool2d(equal.relu(), 2)
    checked = viz.check((pooled * torch.randn(1, 1, 8, 8)).sum())
    assert checked.ok and any("kink" in c.what for _, c in checked.rows)

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.relu()

        @staticmethod
        def backward(ctx, g):
            return 3 * g

    for x in (torch.zeros(2), torch.ones(2)):
        assert not viz.check(Wrong.apply(x.requires_grad_()).sum()).ok


def test_a_planted_bug_is_found(monkeypatch):
    from microtorch.engine.op import REGISTRY

    op = REGISTRY["tanh"]
    x = Scalar(0.5)
    y = x.tanh()
    monkeypatch.setattr(op, "scalar_derivatives", (lambda F, g, out, x: g * (1 + out * out),))
    checked = viz.check(y)
    assert not checked.ok and checked.worst == "x" and "✗" in str(checked)


def test_tensor_steps_have_shapes_and_sizes():
    net, loss = mlp()
    steps = viz.step(loss).trace.steps
    weights = [s for s in steps if s.kind == "contribution" and s.name.endswith("weight")]
    assert [s.rule.partition(" += ")[2] for s in weights] == [
        "∂loss/∂v₈ᵀ @ v₇",
        "∂loss/∂v₆ᵀ @ x",
    ] or len(weights) == 2
    assert all(s.check.ok for s in weights)
    assert all(p.grad is None for p in net.parameters())


def test_steps_are_json():
    for root in (neuron(), mlp()[1]):
        data = json.loads(viz.step(root).trace.to_json())
        assert len(data["steps"]) > 10


def test_an_op_of_several_outputs_can_be_stepped():
    """A recurrent layer's gradient is one array per output; a step shows the size of all."""
    torch.manual_seed(0)
    out, _ = nn.LSTM(2, 3)(torch.randn(4, 1, 2))
    loss = out.pow(2).sum()
    trace = viz.step(loss).trace
    (output,) = [n.id for n in trace.nodes if n.op == "output"][:1]
    (several,) = [s for s in trace.steps if s.kind == "contribution" and s.sender == output]
    assert (
        several.sum == f"contribution: {numbers.rms(several.array.rms)}"
        and several.array.rms > 0
    )


def test_a_graph_whose_leaves_changed_cannot_be_stepped():
    net, loss = mlp()
    loss.backward()
    assert viz.step(loss)  # after backward: recomputed
    torch.optim.SGD(net.parameters(), lr=0.1).step()
    with pytest.raises(
        RuntimeError, match=r"overwritten[^\n]*\n.*\n?.*fix: .*compute the loss again"
    ):
        viz.step(loss)


@pytest.mark.filterwarnings("ignore::RuntimeWarning:microtorch")
@pytest.mark.parametrize("name", list(SAMPLES))
def test_every_op_can_be_drawn_and_stepped_before_and_after_backward(name):
    for sample in SAMPLES[name]:
        floats = [x.dtype.kind == "f" for x in sample.inputs]
        xs = [
            torch.tensor(x).requires_grad_(f and i not in sample.data)
            for i, (x, f) in enumerate(zip(sample.inputs, floats, strict=True))
        ]
        out = REGISTRY[name](*xs, **sample.attrs)
        if not out.requires_grad or not out.numel() or "not implemented" in REGISTRY[name].rule:
            continue
        loss = (out * out).sum()
        leaves = [x for x in xs if x.requires_grad]
        before = viz.step(loss)
        assert all(s.check.ok for s in before.trace.steps if getattr(s, "check", None)), name
        assert all(x.grad is None for x in leaves)
        loss.backward()
        graph = viz.draw(loss)
        assert not graph.trace.note, name
        for n in graph.trace.nodes:
            assert n.grad_state in ("known", "none") or not n.op, (name, n)
        after = viz.step(loss)
        assert [getattr(s, "sum", "") for s in after.trace.steps] == [
            getattr(s, "sum", "") for s in before.trace.steps
        ]


# ---- terminal ------------------------------------------------------------------------------------
FRAME = """\
 step 12/18  BACKWARD   test_steps.py:{line}   o = n.tanh()
 #  FORWARD: values ↓                           │ BACKWARD: gradients ↑
────────────────────────────────────────────────┼───────────────────────────────
  1  x1  data                            2.0000 │
  2  x2  data                                 0 │
  3  w1  parameter                      −3.0000 │ ∂o/∂w1                       –
  4  w2  parameter                       1.0000 │ ∂o/∂w2                       –
  5  b  parameter                        6.8814 │ ∂o/∂b                        –
  6  p1 = w1 × x1                       −6.0000 │ ∂o/∂p1                       –
  7  p2 = w2 × x2                             0 │ ∂o/∂p2                       –
  8  s = p1 + p2                        −6.0000 │ ∂o/∂s                        –
▶ 9  n = s + b                           0.8814 │ ∂o/∂n      0 + 0.5000 = 0.5000
·10  o = tanh(n)                         0.7071 │ ∂o/∂o                   1.0000

 ∂o/∂n += ∂o/∂o · (1 − o²) = 1.0000 · (1 − 0.7071²) = 0.5000
 finite difference 0.500000 ✓
←/→ step   b backward   q quiz   g users of n   c in C   / find   x quit"""


def test_a_frame_is_golden_text():
    line = neuron.__code__.co_firstlineno + 10
    assert viz.step(neuron()).frames()[11] == FRAME.format(line=line)


@pytest.mark.parametrize("size", [(80, 24), (60, 12), (100, 40)])
def test_frames_fit_the_screen(size):
    width, height = size
    for root in (neuron(), mlp()[1]):
        for text in viz.step(root).frames(width, height):
            lines = text.split("\n")
            assert len(lines) <= height and max(map(len, lines)) <= width


def test_the_result_of_a_long_line_is_not_cut_off():
    a, b = Scalar(2.0), Scalar(-3.0)
    for text in viz.step((a * b + a).tanh() + a**2 / b).frames(80, 24):
        assert "…" not in text.split("\n", 1)[1]
    narrow = "\n".join(viz.step(a**2 / b).frames(60, 24))
    assert "/ b / b\n   = −1.0000" in narrow and "/ (−3.0000) = −0.4444\n" in narrow
    low = "\n".join(viz.step(a**2 / b).frames(60, 20))
    assert "/ b / b\n   = −1.0000" in low  # there is room, as the graph is small


def test_values_and_gradients_appear_when_they_are_computed():
    frames = viz.step(neuron()).frames()
    assert frames[0].count("?") == 9 and "0.7071" not in frames[0]
    assert frames[9].count("?") == 0 and "0.5000" not in frames[9]
    assert "1.0000" in frames[17].split("w1  parameter")[1].split("\n")[0]


def test_names_cannot_control_the_terminal():
    a = Scalar(1.0, label="\x1b[2J[red]evil[/red]")
    for text in viz.step(a * 2).frames():
        assert "\x1b" not in text and "[red]" in text


def test_answers_of_the_quiz():
    assert [terminal.answer(s) for s in ("0.5", " 1/2", "−3", "0,5", "x", "1/0", "")] == [
        0.5,
        0.5,
        -3,
        0.5,
        None,
        None,
        None,
    ]


def test_without_a_terminal_every_frame_is_printed(capsys, monkeypatch):
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO())
    viz.step(neuron()).run()
    out = capsys.readouterr().out
    assert out.count(" step ") >= 18 and "\x1b" not in out
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")  # cannot clear its screen
    viz.step(neuron()).run()
    assert capsys.readouterr().out == out


@pytest.mark.parametrize("width", [40, 80])
def test_every_screen_says_how_to_leave(width, monkeypatch, capsys):
    a_name_that_is_as_long_as_a_line = Scalar(2.0)
    trace = viz.step(a_name_that_is_as_long_as_a_line * 3 * 3 * 3).trace
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((width, 24)))
    pressed = iter("bgc?q1\rq1\x03/nothing\rq1\rq\x1b/\x1bx")
    terminal._loop(trace, lambda: next(pressed))
    assert next(pressed, None) is None
    for screen in capsys.readouterr().out.split("\x1b[2J\x1b[H")[1:]:
        said, *asked = screen.rstrip("\r\n").split("\r\x1b[2K")
        assert said.endswith("   x quit") or "any key: back" in said
        assert all(
            len(question.partition("\x1b")[0]) < width and "(Esc: back)" in question
            for question in asked
        )


def test_a_loop_that_reads_one_leaf_can_be_laid_out(tmp_path):
    """Without a bound on its search Graphviz takes minutes for the places of these edges."""
    w, h = Scalar(0.9), Scalar(1.0)
    for _ in range(50):
        h = (w * h).tanh()
    assert viz.step(h).save(tmp_path / "loop.html")


def test_saved_steps(tmp_path):
    stepper = viz.step(neuron())
    for suffix, words in {
        "txt": "step 18/18",
        "json": '"schema": 2',
        "md": "| 10 |",
        "tex": r"\toprule",
    }.items():
        path = stepper.save(tmp_path / f"steps.{suffix}")
        with open(path, encoding="utf-8") as file:
            assert words in file.read()
    with pytest.raises(ValueError, match=r"\.txt"):
        stepper.save(tmp_path / "steps.doc")


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from microtorch import Scalar, viz
x = Scalar(2.0)
y = x * x
viz.step(y).run()
print("done")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are a Unix thing")
def test_in_a_real_pseudo_terminal(tmp_path):
    import fcntl
    import pty
    import select
    import struct
    import termios

    path = tmp_path / "square.py"
    path.write_text(SCRIPT.format(root=ROOT), encoding="utf-8")
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, str(path)], stdin=child, stdout=child, stderr=child, env=env
    )
    os.close(child)
    seen = ""

    def until(words):
        nonlocal seen
        seen = ""
        while words not in seen:
            assert select.select([parent], [], [], 20)[0], f"waiting for {words!r}, saw {seen!r}"
            seen += os.read(parent, 65536).decode()

    try:
        until("step 1/5")
        os.write(parent, b"\x1b[C")
        until("step 2/5")
        os.write(parent, b"b")
        until("step 3/5")
        os.write(parent, b"\x1b[D")
        until("step 2/5")
        os.write(parent, b"q2\r")
        until("right: x receives 2.0000")
        os.write(parent, b"g")
        until("x is used by: y = x × x")
        os.write(parent, b"c")
        until("Scalars are numbers of Python: no loop runs")
        os.write(parent, b"x")
        until("done")
        assert process.wait(10) == 0
    finally:
        process.kill()
        os.close(parent)


# ---- the loop in C -------------------------------------------------------------------------------
def loops_of(x):
    """What the stepper says of each step's loop, by op or by op and operand."""
    trace = viz.step(x).trace
    out = {}
    for step in trace.steps:
        op = trace.nodes[step.origin].op
        name = {"op": op, "contribution": f"{op}_vjp{getattr(step, 'position', '')}"}.get(
            step.kind, step.kind
        )
        out[name] = loop(trace, step)
    return out


@pytest.mark.needs("core")
def test_each_step_shows_what_it_runs_in_c():
    x = torch.ones(3, 4, requires_grad=True)
    found = loops_of((x.exp().softmax(1).tanh() * 2).roll(1, 0).sum())
    for name in ("softmax", "softmax_vjp0", "sum"):
        assert found[name] == (f"{name} in C", core.source(name))
    assert found["tanh_vjp0"][1].startswith("/* tanh: g * (1 - out * out) */")
    assert "elements and more; numpy runs for fewer" in found["exp"][0]
    none = "the C core has no loop of its own for roll: numpy runs it"
    assert found["roll"] == (none, "")
    vjp = found["roll_vjp0"]
    assert vjp[1] == "" and "this derivative" in vjp[0]
    assert found["leaf"] == ("nothing is computed in this step", "")
    linear = loops_of(torch.nn.functional.linear(x, torch.ones(2, 4, requires_grad=True)).sum())
    assert linear["linear_vjp1"] == ("this derivative calls matmul; in C:", core.source("matmul"))
    assert (
        "double" in loops_of(torch.ones(2, dtype=torch.float64, requires_grad=True).sum())["sum"][1]
    )
    half = loops_of(torch.ones(2, dtype=torch.float16, requires_grad=True).sum())["sum"]
    assert half == (
        "numpy runs sum: the C core has loops for float32 and float64, and this is float16",
        "",
    )
    assert all(text == "" for _, text in loops_of(neuron()).values())


def test_without_the_core_the_reason_is_shown(monkeypatch):
    monkeypatch.setattr(core.library, "lib", None)
    monkeypatch.setattr(core.library, "reason", "not built")
    assert loops_of(torch.ones(2, requires_grad=True).sum())["sum"] == (
        "numpy runs sum: not built",
        "",
    )


@pytest.mark.needs("core")
def test_a_long_text_is_read_by_screens(monkeypatch, capsys):
    x = torch.ones(2, 3, requires_grad=True)
    trace = viz.step((x @ x.T).sum()).trace
    monkeypatch.setattr(os, "get_terminal_size", lambda: os.terminal_size((80, 24)))
    step = next(s for s in trace.steps if s.kind == "op" and trace.nodes[s.node].op == "matmul")
    keys = iter(["right", "pagedown", "q"])
    assert terminal._read(*loop(trace, step), lambda: next(keys)) == loop(trace, step)[0]
    shown = capsys.readouterr().out.split("\x1b[2J")
    assert len(shown) == 4 and all("   → on" in line for line in shown[1:])
    text = core.source("matmul").splitlines()
    first = opening("\n".join(text))
    assert all(
        shown[k].splitlines()[0].removeprefix("\x1b[H")[:70] == text[first + 22 * (k - 1)][:70]
        for k in (1, 2, 3)
    )
