"""Why a gradient is None or zero, and crashes: each cause is made on purpose and must be named."""

import html
import re

import pytest
from repository import ran

import microtorch as torch
from microtorch import Scalar, nn, viz
from microtorch.base import errors


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_a_relu_that_is_off():
    net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    with torch.no_grad():
        net[0].bias -= 100
    loss = net(torch.randn(8, 2)).pow(2).mean()
    loss.backward()
    answer = viz.explain_grad(net[0].weight, loss)
    text = str(answer)
    assert text.startswith("net.0.weight.grad is zero: one path leads to it.")
    assert "loss: mean ← **" in text and "linear ← relu ← linear ← net.0.weight" in text
    assert "So it is zero: relu is off for 100 % of its inputs: nothing passes there." in text
    (dead,) = answer.dead
    assert answer.trace.nodes[dead].op == "relu"
    source = answer.draw().source
    yellow = [line for line in source.splitlines() if "#F0E442" in line]
    assert len(yellow) == 1 and f"v{dead} [" in yellow[0], (
        "the relu is outlined in yellow, and nothing else"
    )
    assert source.count('penwidth="2.4"') + source.count("penwidth=2.4") == len(answer.paths[0]) - 1


def test_after_the_step_it_is_too_late():
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)  # holds the weight, too
    loss = net(torch.ones(3, 2)).tanh().pow(2).mean()
    loss.backward()
    assert str(viz.explain_grad(net.weight, loss)).startswith("net.weight.grad is of rms")
    loss = (net(torch.ones(3, 2)) * net.weight.sum()).sum()
    loss.backward()
    optimizer.step()
    first, then = str(viz.explain_grad(net.weight, loss)).splitlines()
    assert first.count("cannot be repeated") == 1 and "overwritten" in first
    assert then == "Ask before optimizer.step(), or compute the loss again."


def test_a_share_of_dead_units_is_counted():
    x = torch.tensor([-1.0, 2.0, -3.0, 4.0], requires_grad=True)
    loss = x.relu().sum()
    loss.backward()
    text = str(viz.explain_grad(x, loss))
    assert (
        "50 % of its elements zero" in text
        and "relu is off for 50 % of its inputs" in text
        and "So it is zero" not in text
    )


@pytest.mark.parametrize("f", ["sigmoid", "tanh"])
def test_saturation(f):
    w = torch.tensor([8.0, -9.0, 0.0, 7.0], requires_grad=True)
    loss = getattr(w, f)().sum()
    loss.backward()
    assert f"{f} is flat (saturated) for 75 % of its inputs" in str(viz.explain_grad(w, loss))


def test_every_path_and_what_cancels():
    a = Scalar(2.0)
    c = a * 3 - a * 3
    c.backward()
    text = str(viz.explain_grad(a, c))
    assert text.count("\n  c: ") == 2 and "what the paths bring cancels out" in text
    b = Scalar(0.0)
    d = a * b
    assert "× b, which is 0: nothing passes" in str(viz.explain_grad(a, d))


def test_before_backward():
    w = torch.ones(2, requires_grad=True)
    loss = (w * 3).sum()  # noqa: F841
    text = str(viz.explain_grad(w))  # the loss is found among the variables
    assert (
        text.startswith("w.grad is None because loss.backward() has not run.")
        and "of rms 3" in text
    )


def cut(w, x, how):
    v = torch.ones(2, requires_grad=True)
    if how == "detach":
        h = (x * w).detach()
    elif how == "no_grad":
        with torch.no_grad():
            h = x * w
    elif how == "argmax":
        h = (x * w).argmax(dim=1, keepdim=True)
    elif how == "item":
        h = (x * w).sum().item()
    elif how == "compare":
        h = (x * w > 0).float()
    elif how == "data":
        h = w.data
    else:
        h = x
    loss = (h * v).sum()
    return viz.explain_grad(w, loss)


@pytest.mark.parametrize(
    "how, words",
    [
        ("detach", "h = (x * w).detach()   (detach() takes the value out of the graph)"),
        ("no_grad", "h = x * w   (runs under no_grad())"),
        ("argmax", "(argmax() gives integers, which have no derivative)"),
        ("item", "(item() gives a Python number)"),
        ("compare", "(a comparison gives truth values, which have no derivative)"),
        ("data", "h = w.data   (.data is the value without its graph)"),
    ],
)
def test_where_it_is_cut(how, words):
    w = torch.randn(2, requires_grad=True)
    answer = cut(w, torch.randn(3, 2), how)
    assert words in str(answer) and "the graph of loss does not contain w" in str(answer)
    picture = html.unescape(answer.draw().source)
    assert "arrowhead=tee" in picture and answer.cut[:20] in picture
    said = re.search(r'cut \[label="(.*?)" ', picture)[1].split("\\n")
    assert " ".join(said[1:]).split() == answer.cut.split() and max(map(len, said)) <= 60


def test_never_used():
    w = torch.randn(2, requires_grad=True)
    v = torch.ones(2, requires_grad=True)
    loss = (v * 2).sum()
    assert "w is never used on the way to loss" in str(viz.explain_grad(w, loss))


def test_a_cut_inside_a_module():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.head = nn.Linear(2, 3), nn.Linear(3, 1)

        def forward(self, x):
            h = self.encoder(x).detach()
            return self.head(h)

    net = Net()
    loss = net(torch.randn(4, 2)).sum()
    text = str(viz.explain_grad(net.encoder.weight, loss))
    assert "net.encoder.weight.grad is None" in text and "h = self.encoder(x).detach()" in text
    assert "h = self.encoder" not in str(viz.explain_grad(net.head.weight, loss))


def test_reasons_of_the_tensor_itself():
    w = torch.randn(2, requires_grad=True)
    h = w * 2
    loss = h.sum()
    assert "h.retain_grad()" in str(viz.explain_grad(h, loss))
    x = torch.randn(2)
    assert "requires_grad is False" in str(viz.explain_grad(x, loss))
    n = torch.arange(3)
    assert "only floating-point tensors" in str(viz.explain_grad(n, loss))
    y = torch.randn(2, requires_grad=True) * 1
    y += 1
    assert "In-place" in str(viz.explain_grad(y, loss)) or "in-place" in str(
        viz.explain_grad(y, loss)
    )
    with pytest.raises(TypeError, match="one parameter at a time"):
        viz.explain_grad(nn.Linear(2, 1), loss)
    assert w.grad is None


# ---- crashes -------------------------------------------------------------------------------------
def crash_of(f):
    try:
        f()
    except Exception as error:
        return viz.draw_error(error), error
    raise AssertionError("it did not fail")


def words_of(graph):
    return [html.unescape(w) for w in re.findall(r">([^<>]+)<", graph.source)]


def test_the_shapes_that_disagree():
    a = torch.randn(32, 2, requires_grad=True)
    W = torch.randn(3, 16, requires_grad=True)

    def forward():
        h = a * 2
        return h @ W

    graph, _ = crash_of(forward)
    words = words_of(graph)
    assert "matmul raised RuntimeError" in words and "32×2 @ 3×16" in words
    assert any("2 ≠ 3" in w for w in words)
    assert {n.name for n in graph.trace.nodes if n.name} == {"a", "h", "W"}
    failed = graph.trace.nodes[-1]
    assert [graph.trace.nodes[i].name for i in failed.inputs] == ["h", "W"]
    assert a.grad is None and W.grad is None


@pytest.mark.parametrize(
    "f, op, shapes",
    [
        (lambda a, b: a + b, "add", "2×3 + 4×3"),
        (lambda a, b: torch.cat([a, b], dim=1), "cat", "2×3, 4×3"),
        (lambda a, b: a.reshape(4, 4), "reshape", "2×3"),
        (lambda a, b: nn.Linear(5, 1)(a), "Linear", "2×3, 1×5, 1"),
    ],
)
def test_other_ops(f, op, shapes):
    graph, error = crash_of(lambda: f(torch.randn(2, 3, requires_grad=True), torch.randn(4, 3)))
    words = words_of(graph)
    assert f"{op} raised {type(error).__name__}" in words and shapes in words


def test_a_crash_within_modules_shows_what_was_done_before():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(4, 1))
    x = torch.randn(5, 2)
    graph, _ = crash_of(lambda: net(x))
    assert [n.op for n in graph.trace.nodes if n.op] == ["linear", "relu", "Linear"]


def test_without_a_crash():
    with pytest.raises(ValueError, match="no exception has been raised"):
        viz.draw_error()
    with pytest.raises(ValueError, match="no tensor is in the traceback"):
        viz.draw_error(KeyError("x"))
    with pytest.raises(TypeError, match="takes an exception, but got int"):
        viz.draw_error(3)


@pytest.mark.needs("dot")
def test_the_hook_draws_what_ended_the_program(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import microtorch as torch\nfrom microtorch import viz\nviz.draw_errors('boom.svg')\n"
        "a = torch.ones(2, 3, requires_grad=True)\nb = a * 2\nc = b @ a\n"
    )
    done = ran(script, cwd=tmp_path)
    assert done.returncode == 1 and "RuntimeError: mat1" in done.stderr
    assert "boom.svg" in done.stderr.splitlines()[-1]
    assert "2×3 @ 2×3" in html.unescape((tmp_path / "boom.svg").read_text(encoding="utf-8"))


def test_the_error_of_a_bad_option_is_its_own():
    a = torch.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match="theme"):
        crash = None
        try:
            a.reshape(3)
        except errors.ShapeError as error:
            crash = error
        viz.draw_error(crash, theme="neon")


class GivesNothing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a):
        return a * 2

    @staticmethod
    def backward(ctx, g):
        return None


def test_a_function_that_returns_no_gradient_and_a_tensor_without_elements():
    a, b = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    loss = (GivesNothing.apply(a) * b).sum()
    loss.backward()
    said = str(viz.explain_grad(a, loss))
    assert "none brought any" in said and "GivesNothing lets nothing pass to a" in said
    assert "has not run" not in said
    empty = torch.zeros(0, 3, requires_grad=True)
    loss = empty.sum() + b.sum()
    loss.backward()
    said = str(viz.explain_grad(empty, loss))
    assert "no elements" in said and "nan" not in said.lower()


def test_a_gradient_of_another_loss_is_said_to_be_that():
    x = torch.ones(2, requires_grad=True)
    (x * 2).sum().backward()
    for loss in (torch.tensor(1.0), (torch.ones(2, requires_grad=True) * 3).sum()):
        text = str(viz.explain_grad(x, loss))
        assert text.startswith("x.grad comes from an earlier backward(): the ")
