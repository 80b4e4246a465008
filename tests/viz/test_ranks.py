"""Several processes in one picture: each one's graph, and the all-reduce between them."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from microtorch.viz.drawing.dot import Drawing
from microtorch.viz.drawing.options import Options
from microtorch.viz.showing.html import page
from microtorch.viz.telling.together import side_by_side
from repository import ROOT

import microtorch as torch
from microtorch import nn, viz


@pytest.fixture(scope="module")
def stepper(tmp_path_factory):
    """What the program behind the documentation's picture draws, read from its JSON.

    The command, after the program has left its process group, and the program itself draw the same.
    """
    folder = tmp_path_factory.mktemp("ranks")
    file, own = folder / "steps.json", folder / "own.json"
    command = [sys.executable, "-m", "microtorch.distributed.run", "--nproc_per_node", "2", "-m"]
    program = str(ROOT / "docs" / "pictures" / "two_ranks.py")
    done = subprocess.run(
        [*command, "microtorch", "step", program, "-o", str(file), "--", str(own)],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout == f"{file}\n", done.stderr  # one rank speaks
    traces = [json.loads(path.read_text(encoding="utf-8")) for path in (file, own)]
    assert [len(t["steps"]) for t in traces] == [len(traces[0]["steps"])] * 2
    assert traces[0]["roots"] == traces[1]["roots"] and len(traces[0]["roots"]) == 2
    return viz.Stepper(viz.Trace.from_json(file.read_text(encoding="utf-8")))


def alone():
    """The same computation in one process: the loss of each half, and the module."""
    torch.manual_seed(0)
    net = nn.Linear(2, 1)
    data = torch.randn(4, 2)
    parts = (data[::2], data[1::2])
    return [nn.functional.mse_loss(net(x), x.sum(1, keepdim=True)) for x in parts], net


@pytest.mark.needs("mpi")
def test_the_average_is_that_of_the_losses(stepper):
    losses, net = alone()
    (sum(losses) / 2).backward()
    trace = stepper.trace
    assert [trace.nodes[i].number for i in trace.roots.values()] == pytest.approx(
        [loss.item() for loss in losses], rel=1e-6
    )
    averages = {n.name: n.grad.full for n in trace.nodes if n.role == "average"}
    assert list(averages) == ["net.module.weight", "net.module.bias"]
    for name, found in averages.items():
        wanted = net.get_parameter(name.removeprefix("net.module.")).grad
        assert np.allclose(found, wanted.numpy(), rtol=1e-6)
    # .grad held the average when the steps were made; nothing is said to be left
    assert not [s for s in trace.steps if s.kind == "left"]
    # old + share = new, of each rank, once both have the whole gradient
    shares = [s for s in trace.steps if s.kind == "reduce"]
    assert [trace.nodes[s.sender].rank for s in shares] == [0, 1, 0, 1]
    for s in shares:
        before = trace.steps[: trace.steps.index(s)]
        done = {t.node for t in before if t.kind == "contribution" and t.final}
        assert set(trace.nodes[s.node].inputs) <= done
    first, second = [s for s in shares if s.name == "net.module.bias"]
    assert second.old == first.new
    assert second.new == pytest.approx(first.new + second.contribution)


@pytest.mark.needs("mpi")
def test_the_ranks_stand_side_by_side(stepper):
    trace = stepper.trace
    dot = Drawing(trace, Options()).digraph.source
    assert dot.index('label="rank 0"') < dot.index('label="rank 1"')
    for n in trace.nodes:
        if n.role == "average":
            assert all(f"v{i} -> v{n.id} " in dot for i in n.inputs)
            assert {trace.nodes[i].rank for i in n.inputs} == {0, 1}
    names = {s.name for s in trace.steps}
    assert {"loss⁽⁰⁾", "loss⁽¹⁾", "net.module.bias⁽¹⁾", "net.module.bias"} <= names
    last = stepper.frames(100, 30)[-1]
    assert "average += ∂loss⁽¹⁾/∂net.module.bias⁽¹⁾ / 2" in last and "mean of all ranks" in last
    assert viz.Trace.from_json(trace.to_json()) == trace


def test_collapsed_boxes_share_one_all_reduce():
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    trace = viz.step(net(torch.ones(1, 2)).sum()).trace
    shares = {n.id: np.ones(n.shape) for n in trace.nodes if n.role == "parameter"}
    both = side_by_side([trace, trace], [shares, shares])
    for depth, averages in ((None, 4), (1, 2), (0, 1)):
        dot = Drawing(both, Options(depth=depth)).digraph.source
        assert dot.count("all-reduce") == averages, depth
    assert "4 parameters" in dot


@pytest.mark.needs("mpi", "dot", "browser")
def test_the_page_changes_the_data_of_one_rank(stepper, tmp_path, chromium):
    file = tmp_path / "page.html"
    file.write_text(page(stepper.trace), encoding="utf-8")
    chromium.open(file)
    i = chromium.js("N.findIndex(n => n.n === 'x⁽¹⁾')")
    chromium.js(f"(changed.set({i}, elements(N[{i}].v).map(v => 2 * v)), recompute(), 1)")
    losses = chromium.js("D.tops.map(i => now.V[i])")
    found = chromium.js("now.G[N.findIndex(n => n.n === 'net.module.weight')].f.flat()")
    chromium.js("S.map((s, k) => go(k)).length")  # every step can be shown
    assert "All-reduce: rank 1" in chromium.text("#explain h2") and not chromium.log("browser")
    (first, _), net = alone()
    torch.manual_seed(0)
    nn.Linear(2, 1)
    x = torch.randn(4, 2)[1::2]
    second = nn.functional.mse_loss(net(2 * x), x.sum(1, keepdim=True))
    assert losses == pytest.approx([first.item(), second.item()], rel=1e-5)
    ((first + second) / 2).backward()
    assert found == pytest.approx(net.weight.grad.numpy().ravel(), rel=1e-4)
