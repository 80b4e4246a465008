"""Every op of the registry, and random programs, compiled: to the bit what the function does."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from ops.running import CASES, seed, tensors
from ops.samples import SAMPLES
from test_programs import Writer

import microtorch
from microtorch import autograd
from microtorch.engine.registry import REGISTRY
from microtorch.static import build
from microtorch.static.agreement import alike
from microtorch.static.entry import Entry
from microtorch.static.loops import compiled as c_of

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def value_and_gradients(function, xs):
    out = function(*xs)
    wanted = [x for x in xs if x.requires_grad]
    grads = []
    if out.requires_grad:
        grads = autograd.grad(out, wanted, seed(out), allow_unused=True)
    found = [None if g is None else g.detach() for g in (out, *grads)]
    # and how they lie: as an op that is given them sees it
    lies = [None if g is None else np.array((g * 1).stride()) for g in found]
    return [*lies, *[None if g is None else g.numpy().copy() for g in found]]


def equal(a, b):
    return (a is None and b is None) or (
        a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
    )


def needs_compiler():
    try:
        build.compiler()
    except build.CompilerError as error:
        pytest.skip(str(error))


def turned(x):
    """The same numbers with the last two dimensions in the other order in memory."""
    same = x.detach().mT.contiguous().mT if x.dim() > 1 else x.detach()
    return same.requires_grad_(x.requires_grad)


# the ops that no sample makes C, as the documentation lists them
DOCUMENT = (Path(__file__).parents[2] / "docs" / "static-graph.md").read_text(encoding="utf-8")
TABLE = DOCUMENT.partition("**What stays Python's call.**")[2].partition("**Rounds.**")[0]
STAYS = {op for line in TABLE.splitlines() if line.startswith("|") for op in line.split("`")[1::2]}
BECOMES: dict[str, list[bool]] = {}  # C, for each sample of an op


def becomes_c(compiled, name):
    """Is an op's own step C in an exported program?"""
    if compiled.reason or compiled.entry.whole is None:
        return True
    return name not in {s.name for s in compiled.entry.whole.unwritten}


# F.embedding(sparse=True) is the op "embedding" while it is recorded: tests/sparse
PARTS = 6
RECORDED = [c for c in CASES if c.values[0] != "embedding_rows"]


@pytest.mark.parametrize(("name", "i"), RECORDED)
def test_an_op(name, i):
    sample, op = SAMPLES[name][i], REGISTRY[name]
    compiled = microtorch.compile(lambda *xs: op(*xs, **sample.attrs), backend="eager")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for n in range(4):
            inputs = [x * (1 - 0.01 * n) if x.dtype.kind == "f" else x for x in sample.inputs]
            xs = tensors(inputs, "float32", sample.data)
            ys = tensors(inputs, "float32", sample.data)
            want = value_and_gradients(lambda *xs: op(*xs, **sample.attrs), xs)
            got = value_and_gradients(compiled, ys)
            assert all(map(equal, want, got)), n
    seen = BECOMES.setdefault(name, [])
    seen.append(becomes_c(compiled, name))
    if len(seen) == len(SAMPLES[name]):
        assert any(seen) is (name not in STAYS), "docs/static-graph.md: What stays Python's call"
    if compiled.reason:  # no op is left to run as it is written, but those that return a view
        assert "returns a view" in compiled.reason
        out = op(*xs, **sample.attrs).detach().numpy()
        assert not out.size or any(np.may_share_memory(out, x.detach().numpy()) for x in xs)


@pytest.mark.parametrize(("name", "i"), RECORDED)
def test_an_op_on_other_dtypes_and_operands_that_lie_otherwise(name, i):
    """While it is recorded, and from the program: results lie as the function's do."""
    sample, op = SAMPLES[name][i], REGISTRY[name]
    compiled = microtorch.compile(function := lambda *xs: op(*xs, **sample.attrs), backend="eager")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for dtype in ["float64"] * 4 + ["complex128"] * 3:
            found = []
            for f in (function, compiled):
                x, *others = tensors(sample.inputs, dtype, sample.data)
                try:
                    found.append(value_and_gradients(f, [turned(x), *others]))
                except (RuntimeError, TypeError) as e:
                    found.append([np.array(str(e))])
            assert all(map(equal, *found)), dtype


@pytest.mark.parametrize("part", range(PARTS))
def test_what_is_c_computes_what_was_recorded(part, monkeypatch):
    """All that an exported program would compute in C, compared with the arrays of a recording."""
    needs_compiler()
    chosen = [c.values[:2] for c in RECORDED[part::PARTS]]
    given = [[turned(x) for x in tensors(SAMPLES[name][i].inputs, "float32", SAMPLES[name][i].data)]
             for name, i in chosen]  # fmt: skip
    arrays: dict[int, np.ndarray] = {}
    planned = Entry.plan_whole
    monkeypatch.setattr(Entry, "plan_whole", lambda e, a: (arrays.update(a), planned(e, a)))

    def every(*flat):
        rest, found = iter(flat), []
        for (name, i), own in zip(chosen, given, strict=True):
            xs = [next(rest).detach().requires_grad_(x.requires_grad) for x in own]
            out = REGISTRY[name](*xs, **SAMPLES[name][i].attrs)
            found.append(out.detach().clone())
            if out.requires_grad:
                wanted = [x for x in xs if x.requires_grad]
                grads = autograd.grad(out, wanted, out.detach().cos(), allow_unused=True)
                found += [g.clone() for g in grads if g is not None]
        return found

    compiled = microtorch.compile(every, backend="eager")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(3):
            compiled(*[x for xs in given for x in xs])
    assert not compiled.reason
    p, whole = compiled.entry.program, compiled.entry.whole
    for name, loops in c_of(p, [whole], {})[1].items():
        (region,) = [r for r in whole.regions if r.name == name]
        outs = [np.zeros(shape, dtype) for shape, dtype in loops.shapes]
        takes = [arrays[n] if n in arrays else p.constant(n) for n in region.takes]
        assert loops.run(takes, outs)
        for n, got in zip(region.gives, outs, strict=True):
            made = [s.step.name for s in region.steps if n in s.step.gives()]
            assert alike([got], [arrays[n]], takes), made


def test_an_op_that_has_run_on_another_device_is_recorded_too():
    """The kernels that an op has looked up are no state of the program."""
    pytest.importorskip("pyopencl")
    f = microtorch.compile(lambda x: (x * x).sum(), backend="eager")
    x = microtorch.ones(3)
    f(x), f(x)
    y = microtorch.ones(3, device="opencl")
    (y * y).sum()
    assert f(x).item() == 3 and f.count == 1 and not f.reason
    g = microtorch.compile(lambda x, op=REGISTRY["mul"]: op(x, x).sum(), backend="eager")
    assert [g(x).item() for _ in range(3)] == [3, 3, 3] and not g.reason


@pytest.mark.parametrize("number", range(40))
def test_a_random_program(number):
    lines = Writer(number).lines
    names = sorted({w for line in lines for w in [line.split(" = ")[0]] if w[1:].isdigit()})
    text = ["def f(a, b, c, d, k):", *[f"    {line}" for line in lines]]
    text += ["    loss = (a * b).sum() + d"]
    text += [f"    loss = loss + ({n} * {1 + 0.1 * i}).sum()" for i, n in enumerate(names)]
    clones = ", ".join(f"{n}.clone()" for n in names)
    text += ["    loss.backward()", f"    return [loss, {clones}]"]
    scope = {"torch": microtorch}
    exec("\n".join(text), scope)
    f = scope["f"]
    compiled = microtorch.compile(f, backend="eager")

    def run(function, n):
        shapes = {"a": (2, 3), "b": (3,), "c": (3, 2), "d": ()}
        rng = np.random.default_rng(n)
        xs = [microtorch.tensor(rng.standard_normal(s)) for s in shapes.values()]
        xs = [x.requires_grad_() for x in xs]
        k = microtorch.tensor(rng.standard_normal((2, 3)))
        try:
            out = [x.detach().numpy().copy() for x in function(*xs, k)]
        except RuntimeError as e:
            return [np.array(type(e).__name__)]
        grads = [None if x.grad is None else x.grad.numpy().copy() for x in xs]
        return [*out, *grads, *[x.detach().numpy().copy() for x in (*xs, k)]]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for n in range(5):
            want, got = run(f, n), run(compiled, n)
            assert len(want) == len(got) and all(map(equal, want, got)), (n, compiled.reason)
    assert compiled.count <= 1
