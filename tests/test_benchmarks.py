"""The benchmarks: each case runs, and its contestants agree. No test here depends on speed."""
import json

import numpy as np
import pytest
from repository import ran

import microtorch as torch
from benchmarks import (
    channels,
    closures,
    convolution,
    courses,
    large,
    processes,
    registry,
    report,
    scalars,
    static,
    tiny,
    training,
)  # fmt: skip
from benchmarks.__main__ import clean
from benchmarks.cases import Case, Disagreement, Result, as_arrays, compare, measure

CASES = [*tiny.CASES, *scalars.CASES, *training.CASES, *large.CASES, *convolution.CASES,
         *static.CASES]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_contestants_agree(case, monkeypatch):
    monkeypatch.setattr(static, "SCALAR_POINTS", 4)
    compare(case)


@pytest.mark.parametrize("way", channels.WAYS)
def test_the_ways_of_a_convolution(way):
    step = channels.step_of("2x4x6x5 8x2x3x3 padding=1 stride=2 groups=2", way)(torch)
    shape = {"forward": (2, 8, 3, 3), "images": (2, 4, 6, 5), "weight": (8, 2, 3, 3)}[way]
    assert step().shape == step().shape == shape


def test_case_names_are_distinct():
    names = [case.name for case in CASES]
    groups = {*processes.GROUPS, *(case.group for case in CASES)}
    assert len(set(names)) == len(names) and not groups & set(names)


def test_a_disagreement_stops_the_run():
    def case(other):
        builders = {"microtorch": lambda: lambda: 1.0, "numpy": lambda: lambda: other}
        return Case("wrong", "", builders)

    with pytest.raises(Disagreement, match=r"wrong: numpy computes .*1\.001"):
        measure(case(np.float64(1.001)), seconds=0)
    # another shape, another number of results, no number
    for other in (np.ones(2), (1.0, 1.0), float("nan")):
        with pytest.raises(Disagreement):
            compare(case(other))


def test_steps_are_counted_and_figures_are_per_operation():
    calls = {"microtorch": 0, "numpy": 0}

    def builder(who):
        def step():
            calls[who] += 1
            return 1.0

        return lambda: step

    case = Case("x", "", {who: builder(who) for who in calls}, operations=1000)
    result = measure(case, seconds=0)
    assert min(calls.values()) > 100  # a turn lasts a millisecond
    assert all(0 < figure < 1e-6 for figure in result.figures.values())


def test_what_is_measured_is_what_is_claimed():
    """The case ``add`` records a node, and the user's line, here that of the benchmark."""
    for build in (tiny.dropped("+"), tiny.kept("+")):
        out = build(torch)()
        assert out.requires_grad and out.grad_fn.where().file == "<benchmark>"
    assert not tiny.add_plain(torch)().requires_grad
    y, gradient = tiny.chain(torch)()
    assert len(torch.graph.reachable([y.grad_fn])) == 101
    assert np.allclose(gradient.numpy(), tiny.B**50)


def test_the_hand_written_step_is_gradient_descent():
    """numpy by hand and microtorch with its optimizer have the same loss at every step."""
    sizes, batches = (5, 4, 3), training.made_up(6, 5, 3)
    by_hand, model = training.by_hand(sizes, batches)(), training.trainer(sizes, batches)(torch)
    losses = [(by_hand(), model().item()) for _ in range(20)]
    assert np.allclose(*zip(*losses, strict=True), rtol=1e-5) and losses[-1][0] < losses[0][0]


def test_closures_differentiate():
    x, w = closures.Value(0.5), closures.Value(-0.3)
    out = (x * w + 1.0 - x).tanh() * 2.0 + (-w).relu()
    out.backward()
    y, v = torch.Scalar(0.5), torch.Scalar(-0.3)
    expected = (y * v + 1.0 - y).tanh() * 2.0 + (-v).relu()
    expected.backward()
    assert np.allclose([out.data, x.grad, w.grad], [expected.data, y.grad, v.grad])


def test_fresh_processes():
    for result in processes.imports(rounds=1):
        assert result.figures["microtorch"] > 0 and "numpy" in result.figures
    contestants = {"microtorch": processes.DEEP_TENSOR["microtorch"]}
    seconds, megabytes = processes.deep("deep", "", contestants, rounds=1, length=50)
    assert seconds.unit == "s" and megabytes.unit == "MB"
    setup, work = contestants["microtorch"]
    wrong = {"microtorch": (setup, work.replace("y * w", "y * w * w"))}
    with pytest.raises(Disagreement):
        processes.deep("deep", "", wrong, rounds=1, length=10_000)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        processes.ask("1 / 0")


def test_the_table():
    results = [
        Result("a", "fast", {"microtorch": 5e-7, "torch": 1e-6}, ("torch", 0.75)),
        Result("b", "slow", {"microtorch": 2.5e-3, "torch": 1e-3, "numpy": 12.0}, ("torch", 0.7)),
        Result("c", "alone", {"microtorch": 30.2}, ("torch", 0.7), unit="MB", threads=2),
    ]
    assert [r.reached for r in results] == [True, False, None]
    lines = report.markdown(results).splitlines()
    assert len({len(line) for line in lines}) == 1 and all(line.startswith("| ") for line in lines)
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == [
        "fast", "500 ns", "1.00 µs", "", "0.50 x torch", "<= 0.75 x torch reached",
    ]  # fmt: skip
    assert "2.50 ms" in lines[3] and "12.0 s" in lines[3] and "MISSED" in lines[3]
    assert "alone (2 threads)" in lines[4] and "30 MB" in lines[4]
    assert lines[4].rstrip(" |").endswith("<= 0.7 x torch")
    assert json.loads(report.as_json(report.machine(), results))["results"][1]["reached"] is False


def test_the_environment_is_cleaned():
    dirty = {
        "HOME": "/", "OMP_NUM_THREADS": "8",
        "OPENBLAS_CORETYPE": "Haswell", "MKL_DEBUG_CPU_TYPE": "5",
    }  # fmt: skip
    threads = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    assert clean(dirty, threads=2) == {"HOME": "/", **threads}
    assert clean(clean(dirty, 2), 2) == clean(dirty, 2)  # a second start changes nothing


def test_the_command(tmp_path):
    """As a user runs it, with a setting in the environment that must be dropped."""

    def run(*arguments):
        return ran("-m", "benchmarks", *arguments, OPENBLAS_CORETYPE="Haswell")

    file = tmp_path / "figures.json"
    done = run("mul", "scalar", "--seconds", "0", "--json", str(file))
    assert done.returncode == 0, done.stderr
    assert "a * b, 4x4" in done.stdout and "numpy " + np.__version__ in done.stdout
    written = json.loads(file.read_text(encoding="utf-8"))
    assert [r["name"] for r in written["results"]] == ["mul", "scalar"]
    assert written["machine"]["versions"]["microtorch"] == torch.version.MICROTORCH
    done = run("nothing")
    assert done.returncode == 2 and "no group or case 'nothing'" in done.stderr


def test_as_arrays():
    number = torch.Scalar(2.0)
    shown = as_arrays((torch.ones(2, requires_grad=True), [3.0, number], np.float32(1)))
    assert [a.tolist() for a in shown] == [[1.0, 1.0], 3.0, 2.0, 1.0]


def test_the_walk_over_all_functions(capsys):
    texts = registry.programs()
    assert all(registry.expression(text, torch) for text in texts.values())
    rows = list(registry.measured(["tanh", "sort rows", "isfinite"], 0))
    directions = [(name, direction) for name, direction, _ in rows]
    both = ("forward", "both ways")
    expected = [(name, d) for name in ("tanh", "sort rows", "isfinite") for d in both]
    assert sorted(directions) == sorted(expected[:-1])  # an index has no gradient
    assert all(seconds > 0 for _, _, times in rows for seconds in times)
    assert registry.main(["tanh"]) == 0 and "both ways" in capsys.readouterr().out
    for kind in registry.KINDS:
        found = list(registry.measured(["tanh"], 0, 1000, kind))
        assert len(found) == (1 if kind in registry.WHOLE else 2), kind


def test_statements_of_courses(capsys):
    for row in courses.ROWS.values():
        courses.step(*row, torch, 1)()
    assert courses.main(["triu"]) == 0 and "triu" in capsys.readouterr().out
