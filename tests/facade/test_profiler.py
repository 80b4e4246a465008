"""torch.profiler: kernels, derivatives, modules and named blocks, as a table and as a trace."""
import gzip
import json
import threading

import pytest
from microtorch.profiler import ProfilerActivity, profile, record_function, schedule

import microtorch as torch
from microtorch import nn


def counts(p):
    return {e.key: e.count for e in p.key_averages()}


def test_a_row_for_each_kernel_derivative_module_and_named_block():
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True, profile_memory=True) as p:
        with record_function("step"):
            net(torch.ones(4, 2)).sum().backward()
            optimizer.step()
    rows = {e.key: e for e in p.key_averages()}
    once = dict.fromkeys(("step", "Sequential", "Linear", "Tanh", "linear", "tanh", "sum"), 1)
    assert once.items() <= counts(p).items()
    assert {"linear backward", "tanh backward", "sgd_step"} <= set(rows)
    assert rows["Sequential"].cpu_time_total >= rows["Linear"].cpu_time_total
    assert rows["step"].self_cpu_time_total < rows["step"].cpu_time_total
    assert rows["tanh"].self_cpu_memory_usage == rows["Tanh"].cpu_memory_usage == 4 * 4 * 3
    by_shape = {(e.key, e.input_shapes) for e in p.key_averages(group_by_input_shape=True)}
    assert ("linear", ((4, 2), (3, 2), (3,))) in by_shape
    text = p.key_averages().table(sort_by="cuda_time_total", row_limit=2)
    assert "step" in text and "Linear" not in text and "Self CPU time total" in text
    assert str(p) == p.table() and "CPU time avg" in str(p) and "# of Calls" in str(p)
    total = p.key_averages().total_average()
    assert total.cpu_time_total == pytest.approx(rows["step"].cpu_time_total)
    with pytest.raises(ValueError, match=r"sort by 'colour'(.|\n)*expected one of count"):
        p.table(sort_by="colour")


def test_nothing_is_seen_afterwards_and_the_backends_are_as_before():
    x = torch.ones(3)
    kind = type(x.node.dev)
    with profile() as p:
        x + x
        assert type(x.node.dev) is not kind
    x + x
    assert counts(p) == {"add": 1} and type(x.node.dev) is kind
    with pytest.raises(ZeroDivisionError), profile() as p, record_function("half"):
        raise ZeroDivisionError
    assert counts(p) == {"half": 1} and type(x.node.dev) is kind
    with profile(False) as p:
        x + x
    assert not p.events()


def test_what_cannot_be_a_schedule_leaves_nothing_running():
    with pytest.raises(TypeError, match="schedule must be a function"):
        profile(schedule=3)
    with pytest.raises(AssertionError, match="Invalid profiler schedule"):
        schedule(wait=1, warmup=1, active=0)
    kind = type(torch.ones(1).node.dev)
    with pytest.raises(ZeroDivisionError), profile(schedule=lambda step: 1 // step):
        pass
    assert type(torch.ones(1).node.dev) is kind
    assert nn.Linear(1, 1)(torch.ones(1, 1)).shape == (1, 1)


def test_profiles_in_each_other_and_threads():
    x = torch.ones(3)
    with profile() as outer:
        with profile() as inner, record_function("inside"):
            x + x
        thread = threading.Thread(target=lambda: x * x)
        thread.start()
        thread.join()
    assert counts(inner) == {"add": 1, "inside": 1}
    assert counts(outer) == {"add": 1, "mul": 1, "inside": 1}
    assert len({e.thread for e in outer.events()}) == 2


@pytest.mark.parametrize("first", ["compile", "profile"])
def test_beside_a_recording(first):
    def f(x):
        return (x * 2).sum()

    compiled, x = torch.compile(f), torch.ones(3)
    if first == "compile":
        with profile() as p:
            assert [compiled(x).item() for _ in range(4)] == [6] * 4
    else:
        p = profile()

        def g(x):
            with p:
                return f(x)

        compiled = torch.compile(g)
        with pytest.warns(UserWarning, match="it changes a Python value"):
            compiled(x), compiled(x), compiled(x)
        assert [compiled(x).item() for _ in range(4)] == [6] * 4
    assert (x * 2).tolist() == [2, 2, 2]


def test_a_schedule_records_groups_of_steps():
    net, ready = nn.Linear(1, 1), []
    plan = schedule(wait=1, warmup=1, active=2, repeat=2)
    with profile(schedule=plan, on_trace_ready=lambda p: ready.append(counts(p))) as p:
        for _ in range(10):
            net(torch.ones(1, 1))
            p.step()
    assert ready == [{"linear": 2, "Linear": 2, "ProfilerStep*": 2, "full": 2}] * 2
    names = [e.name for e in p.events() if e.name.startswith("Profiler")]
    assert names == ["ProfilerStep#6", "ProfilerStep#7"]


@pytest.mark.parametrize(("steps", "ready"), [(4, [4]), (5, [4]), (6, [4, 6]), (8, [4, 8])])
def test_a_trace_is_ready_after_its_last_step_and_where_the_block_ends_within(steps, ready):
    seen, plan = [], schedule(wait=1, warmup=1, active=2)
    with profile(schedule=plan, on_trace_ready=lambda p: seen.append(p.step_num)) as p:
        for _ in range(steps):
            p.step()
    assert seen == ready


@pytest.mark.parametrize("name", ["trace.json", "trace.json.gz"])
def test_a_trace_for_a_browser(tmp_path, name):
    with profile(record_shapes=True, with_stack=True) as p:
        nn.Linear(2, 1)(torch.ones(1, 2))
    p.export_chrome_trace(str(tmp_path / name))
    read = gzip.open if name.endswith("gz") else open
    with read(tmp_path / name, "rt") as file:
        rows = {row["name"]: row for row in json.load(file)["traceEvents"]}
    inner, outer = rows["linear"], rows["Linear"]
    assert outer["ts"] <= inner["ts"] and inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"]
    assert inner["args"]["Input Dims"] == [[1, 2], [1, 2], [1]]
    assert "test_profiler.py" in inner["args"]["line"]


def test_traces_for_tensorboard(tmp_path):
    with profile(on_trace_ready=torch.profiler.tensorboard_trace_handler(tmp_path / "logs")):
        torch.ones(1) + 1
    (file,) = (tmp_path / "logs").iterdir()
    assert file.name.endswith(".pt.trace.json")


@pytest.mark.parametrize("n", [4, 20_000])
def test_in_place_operations_are_rows_of_their_ops(n):
    """Also large ones, which C writes straight over the tensor."""
    x, y = torch.ones(n), torch.ones(n)
    for name, run in {
        "add": lambda: x.add_(y), "mul": lambda: x.mul_(2.0), "exp": lambda: x.exp_(),
        "add_scaled": lambda: x.add_(y, alpha=2.0), "addcmul": lambda: x.addcmul_(y, y),
    }.items():  # fmt: skip
        with profile() as p:
            run()
        assert {row.key: row.count for row in p.key_averages()} == {name: 1}
