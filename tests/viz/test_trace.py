"""A trace is data: what is made from its JSON text equals what is made from the living trace."""

import json
import math
from importlib.util import find_spec

import pytest
from microtorch.viz.asking.changes import Difference
from microtorch.viz.asking.explain import Explanation
from microtorch.viz.asking.zooming import Zoom
from microtorch.viz.drawing import animate
from microtorch.viz.drawing.dot import Drawing
from microtorch.viz.drawing.options import Options
from microtorch.viz.drawing.picture import Graph
from microtorch.viz.reading.spelling import spell_small_ops
from microtorch.viz.reading.trace import Trace
from microtorch.viz.showing import terminal
from microtorch.viz.showing.html import page
from microtorch.viz.showing.stepper import Stepper
from microtorch.viz.telling.table import Table
from microtorch.viz.telling.words import display_names
from repository import python

import microtorch as torch
from microtorch import Scalar, nn, viz

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:microtorch")


def neuron():
    x, w, b = Scalar(2.0, requires_grad=False), Scalar(-3.0), Scalar(6.88)
    n = w * x + b
    o = n.tanh() * 2.0
    return o


def network():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))
    x, target = torch.randn(4, 2), torch.tensor([0, 1, 1, 0])
    loss = nn.functional.cross_entropy(net(x), target)
    return loss


def folded():
    torch.manual_seed(0)
    layers = [layer for _ in range(12) for layer in (nn.Linear(4, 4), nn.Sigmoid())]
    return nn.Sequential(*layers)(torch.randn(3, 4)).pow(2).mean()


def loop():
    x = Scalar(1.0)
    for _ in range(80):
        x = x * 0.99 + 0.01
    return x


def special():
    w = torch.tensor([0.0, float("inf"), 1e-30], requires_grad=True)
    return (w.log() * w).sum()


MAKE = {f.__name__: f for f in (neuron, network, folded, loop, special)}


def written(trace, folder, name):
    """The trace through a file."""
    path = folder / f"{name}.json"
    spell_small_ops(trace, display_names(trace))
    path.write_text(trace.to_json(), encoding="utf-8")
    return path


def outputs(trace, folder, films):
    """Every output of a trace: name -> text or bytes."""
    out = {
        f"screens {size}": "\n".join(terminal.frames(trace, *size, True))
        for size in ((80, 24), (60, 12))
    }
    out["users"] = [terminal.users(trace, t.id) for t in trace.nodes]
    looks = (
        {},
        {"theme": "dark", "legend": True},
        {"grads": "edges"},
        {"depth": 0},
        {"ops": "separate"},
    )
    for look in looks:
        graph = Graph(trace, Drawing(trace, Options(**look)).digraph)
        out[f"draw {look}"] = graph.source
    out["json"] = graph.pipe("json")
    table = Table(trace)
    out["table"] = str(table) + table.to_markdown() + table.to_latex()
    made = Stepper(trace, {"seed": 7})
    for suffix in ("txt", "md", "tex", "json", *films):
        path = folder / f"out.{suffix}"
        made.save(path)
        out[suffix] = path.read_bytes()
    if films:
        out["page"] = page(trace)
        out["quiz"] = page(trace, made.quiz)
        out["notebook"] = made._repr_mimebundle_()
    for i, arithmetic in (trace.arithmetic or {}).items():
        z = Zoom(trace, i, arithmetic, None, None, display_names(trace)[trace.root])
        out[f"zoom {i}"] = z.text + repr(z) + z.digraph("dark").source
    told = Explanation(["a line"], trace, "w")
    told.paths, told.dead, told.target = (
        [[trace.root, trace.nodes[-1].inputs[0]]],
        {trace.root: "off"},
        0,
    )
    out["explained"] = told.text + told.draw().source
    difference = Difference(trace, trace)
    out["difference"] = str(difference) + difference.draw().source
    return out


@pytest.mark.needs("dot")
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("name", MAKE)
def test_every_output_is_made_from_the_file_alone(name, backward, tmp_path):
    root = MAKE[name]()
    if backward:
        root.backward()
    trace = viz.step(root).trace
    path = written(trace, tmp_path, name)
    small = len(trace.steps) < 60
    films = ["svg", *(["gif"] if find_spec("PIL") else [])] if small else []
    living = outputs(trace, tmp_path, films)
    read = Trace.from_json(path.read_text(encoding="utf-8"))
    assert read.computation is None and read.to_json() == path.read_text(encoding="utf-8")
    del root, trace
    again = outputs(read, tmp_path, films)
    assert living.keys() == again.keys()
    for kind, made in living.items():
        assert again[kind] == made, kind
    if name == "network":
        assert sum(kind.startswith("zoom") for kind in living) >= 4


ALONE = """
import sys
from microtorch.viz.reading.trace import Trace
from microtorch.viz.drawing.dot import Drawing
from microtorch.viz.drawing.options import Options
from microtorch.viz.telling.table import Table
from microtorch.viz.showing.terminal import frames
from microtorch import engine, ops
def no(*a, **k): raise AssertionError("the graph was asked")
engine.run = ops.apply = no
trace = Trace.from_json(open({path!r}, encoding="utf-8").read())
out = Drawing(trace, Options()).digraph.source + str(Table(trace)) + chr(10).join(frames(trace))
sys.stdout.buffer.write(out.encode())
"""


def test_another_process_that_never_saw_the_program(tmp_path):
    trace = viz.step(network()).trace
    path = written(trace, tmp_path, "network")
    told = python("-c", ALONE.format(path=str(path)), cwd=tmp_path)
    drawn = Drawing(trace, Options()).digraph.source
    screens = "\n".join(terminal.frames(trace))
    assert told == drawn + str(Table(trace)) + screens


def test_a_film_of_a_file_has_the_frames_of_the_living(tmp_path):
    trace = viz.step(network()).trace
    read = Trace.from_json(trace.to_json())
    assert [s.digraph.source for s in animate.stills(read)] == [
        s.digraph.source for s in animate.stills(trace)
    ]


def test_numbers_that_json_lacks_come_back():
    trace = viz.step(special()).trace
    read = Trace.from_json(trace.to_json())
    (w,) = [n for n in read.nodes if n.name == "w"]
    assert w.value.full == [0.0, math.inf, pytest.approx(1e-30)] and math.isnan(
        read.nodes[-1].number
    )
    named = viz.step(Scalar(1.0, label="inf") * 2).trace
    assert Trace.from_json(named.to_json()).nodes[0].name == "inf"
    json.loads(trace.to_json(), parse_constant=lambda word: pytest.fail(word))


def test_what_is_no_trace_is_refused():
    for text in ("", "[]", "{}", '{"schema": 1}'):
        with pytest.raises(ValueError, match=r"Trace\.from_json\(\)"):
            Trace.from_json(text)


def test_a_kept_trace_holds_no_graph():
    w = torch.ones(2, requires_grad=True)
    with viz.record() as rec:
        (w * 2).sum().backward()
    assert rec[0].trace.computation is None and rec[0].trace.nodes


def test_what_was_chosen_by_a_value_is_linked_to_it():
    x = torch.tensor([[1.0, -2.0], [0.5, 3.0]], requires_grad=True)
    best = x.argmax(1)
    mask = x > 0
    weights = torch.ones(2, 2)
    taken = x.gather(1, best[:, None]).sum() + (x * mask).sum() + x[mask].sum()
    trace = viz.step(taken + (x * weights).sum()).trace
    assert {(o.why.split(" ")[0], trace.nodes[o.of].name) for o in trace.origins} == {
        ("argmax", "x"), ("a", "x")}  # fmt: skip
    linked = [trace.nodes[o.node] for o in trace.origins]
    assert [n.op for n in linked] == ["", "", "index"]  # of the last what stands in brackets
