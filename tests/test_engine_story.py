"""docs/engine.md and its programs: they do what the page says, and compute what microtorch does."""
import ast
import contextlib
import gc
import io
import random
import re
import runpy
import sys
import textwrap
import weakref

import numpy as np
import pytest
from repository import ROOT

import microtorch as torch
from benchmarks import engine_steps
from benchmarks.cases import compare, measure

FOLDER = ROOT / "docs" / "engine"
PAGE = (ROOT / "docs" / "engine.md").read_text(encoding="utf-8")
PROGRAMS = sorted(FOLDER.glob("step*.py"))
NUMBERS = ["step1_closures", "step2_nodes", "step3_seq"]
ARRAYS = ["step4_arrays", "step5_broadcast", "step6_higher", "step7_inplace", "step8_hot"]
HIGHER, INPLACE = ARRAYS[2:], ARRAYS[3:]


def every(*names):
    """The test once for each of these programs, as a fresh module ``engine``."""
    return pytest.mark.parametrize("engine", names, indirect=True)


@pytest.fixture
def engine(request):
    return engine_steps.load(request.param)


# ---- the page and the programs ------------------------------------------------------------------
def sections():
    """Program -> its part of the page: from the heading that names it to the next."""
    parts = re.split(r"^## ", PAGE, flags=re.M)
    found = {}
    for part in parts:
        named = re.search(r"\((step\d\w+\.py)\)", part.splitlines()[0])
        if named:
            found[named[1]] = part
    return found


def test_every_program_has_its_section_in_order():
    assert list(sections()) == [path.name for path in PROGRAMS]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_what_the_page_quotes_stands_in_the_program(path):
    program = path.read_text(encoding="utf-8")
    quotes = re.findall(r"^```python\n(.*?)^```", sections()[path.name], re.S | re.M)
    assert quotes
    for quote in quotes:
        indented = (textwrap.indent(quote, " " * depth) for depth in (0, 4, 8))
        assert any(f"\n{text}" in program for text in indented), f"not in {path.name}:\n{quote}"


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_programs_print_what_the_page_says(path, monkeypatch):
    command = f"    $ python docs/engine/{path.name}\n"
    shown = re.search(re.escape(command) + r"((?:    .*\n)+)", sections()[path.name])[1]
    monkeypatch.syspath_prepend(str(FOLDER))
    sys.modules.pop("step7_inplace", None)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(path), run_name="__main__")
    assert printed.getvalue() == textwrap.dedent(shown)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_programs_need_numpy_alone(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            root = name.partition(".")[0]
            assert root in {"numpy", "step7_inplace"} or root in sys.stdlib_module_names, name


def test_files_of_the_package_that_the_page_names_exist():
    if not (ROOT / "microtorch" / "engine").is_dir():
        pytest.skip("the package's engine is one file here; the page names the files of the folder")
    for name in set(re.findall(r"`(microtorch/[\w/]+\.py)`", PAGE)):
        assert (ROOT / name).exists(), name


# ---- the benchmark ------------------------------------------------------------------------------
def test_contestants_agree():
    for case in engine_steps.cases():
        compare(case)


def test_the_command_prints_the_table_of_the_page(capsys, monkeypatch):
    monkeypatch.setattr(engine_steps, "restart_clean", lambda *a: None)
    monkeypatch.setattr(engine_steps, "measure", lambda case, seconds: measure(case, 0))
    assert engine_steps.main([]) == 0
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    start = PAGE.index(printed[0])  # the heading, with what is measured
    shown = PAGE[start : PAGE.index("\n\n", start)].splitlines()
    rows = [[line.split("|")[1].strip() for line in table] for table in (printed, shown)]
    assert [r for r in rows[0] if r != "torch"] == [r for r in rows[1] if r != "torch"]


# ---- numbers: steps 1 to 3 ----------------------------------------------------------------------
def sum_of(values):
    out = values[0]
    for v in values[1:]:
        out = out + v
    return out


def scalar_program(choose, x, w):
    values = [x, w]
    for _ in range(12):
        kind, a, b = choose.choice("+*t"), choose.choice(values), choose.choice(values)
        values.append(a + b if kind == "+" else a * b if kind == "*" else a.tanh())
    return sum_of([v.tanh() for v in values])


@every(*NUMBERS)
@pytest.mark.parametrize("seed", range(10))
def test_numbers_and_gradients_are_microtorchs(engine, seed):
    make = getattr(engine, "Value", None) or engine.Node
    x, w = make(0.7), make(-1.3)
    y = scalar_program(random.Random(seed), x, w)
    s, t = torch.Scalar(0.7), torch.Scalar(-1.3)
    expected = scalar_program(random.Random(seed), s, t)
    expected.backward()
    if hasattr(y, "backward"):
        y.backward()
        value, found = y.data, (x.grad, w.grad)
    else:
        grads = engine.backward(y)
        value, found = y.value, (grads[x], grads[w])
    assert value == pytest.approx(expected.data, rel=1e-12)
    assert found == pytest.approx((s.grad, t.grad), rel=1e-12)


def chain(make, length):
    y, w = make(0.5), make(0.9)
    for _ in range(length):
        y = y * w
    return y


@contextlib.contextmanager
def no_collector():
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_closures_are_cycles_that_only_the_collector_frees():
    Value = engine_steps.load("step1_closures").Value
    with no_collector():
        y = chain(Value, 3)
        inner = weakref.ref(y.parents[0])
        y.backward()
        del y
        assert inner() is not None
        gc.collect()
        assert inner() is None


@every(*NUMBERS[1:], *ARRAYS)
def test_nodes_are_freed_by_counting_references(engine):
    with no_collector():
        if hasattr(engine, "Tensor"):
            y = chain(lambda v: engine.Tensor([v], needs=True), 3)
            inner = weakref.ref(y.node.inputs[0])
            engine.backward(y, [1.0])
        else:
            y = chain(engine.Node, 3)
            inner = weakref.ref(y.inputs[0])
            engine.backward(y)
        del y
        assert inner() is None


def test_recursion_ends_where_python_says():
    closures, nodes = (engine_steps.load(name) for name in NUMBERS[:2])
    with pytest.raises(RecursionError):
        chain(closures.Value, 3000).backward()
    with pytest.raises(RecursionError):
        nodes.backward(chain(nodes.Node, 3000))


@every("step1_closures")
def test_a_second_backward_of_closures_counts_twice(engine):
    """The inner gradients are still there: the page says so."""
    x = engine.Value(3.0)
    y = x * x * x
    y.backward()
    assert x.grad == 27.0
    x.grad = 0.0
    y.backward()
    assert x.grad == 45.0  # not 27


@every("step2_nodes", "step3_seq")
def test_backward_of_nodes_may_be_repeated_and_nested(engine):
    x = engine.Node(3.0)
    y = x * x * x

    def nested(g, out, a, b):
        assert engine.backward(y)[x] == 27.0
        return g * b

    z = engine.Op("nested", lambda a, b: a * b, nested, lambda g, out, a, b: g * a)(y, x)
    assert engine.backward(z)[x] == engine.backward(z)[x] == 108.0

    def broken(g, out, a, b):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        engine.backward(engine.Op("broken", lambda a, b: a, broken, broken)(y, x))
    assert engine.backward(z)[x] == 108.0


@every("step3_seq")
def test_seq_is_a_topological_order(engine):
    choose = random.Random(0)
    y = scalar_program(choose, engine.Node(0.5), engine.Node(0.2))
    order = engine.in_order(y)
    place = {node: i for i, node in enumerate(order)}
    assert len(place) == len(order)
    assert all(place[x] < place[node] for node in order for x in node.inputs)


# ---- arrays: steps 4 to 8 -----------------------------------------------------------------------
def leaves(shapes, seed):
    made = np.random.default_rng(seed)
    return [made.uniform(-1, 1, shape) for shape in shapes]


def array_program(choose, values):
    values = list(values)
    for _ in range(10):
        kind, a, b = choose.choice("+*t"), choose.choice(values), choose.choice(values)
        values.append(a + b if kind == "+" else a * b if kind == "*" else a.tanh())
    return sum_of([v.sum() for v in values])


def both(engine, arrays, program):
    """(value, gradients) of a program, by one of ours and by microtorch."""
    ours = [engine.Tensor(a, needs=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, expected = program(ours), program(theirs)
    grads = engine.backward(y)
    expected.backward()
    found = [grads[x.node] if x.node in grads else None for x in ours]
    wanted = [None if t.grad is None else t.grad.numpy() for t in theirs]
    return (y.value, found), (expected.item(), wanted)


def assert_same(found, expected):
    assert np.allclose(found[0], expected[0], rtol=1e-10)
    for a, b in zip(found[1], expected[1], strict=True):
        if a is None or b is None:
            assert a is None and b is None
        else:
            assert a.shape == b.shape and np.allclose(a, b, rtol=1e-10)


@every(*ARRAYS)
@pytest.mark.parametrize("seed", range(5))
def test_arrays_and_gradients_are_microtorchs(engine, seed):
    arrays = leaves([(3, 3)] * 2, seed)
    assert_same(*both(engine, arrays, lambda v: array_program(random.Random(seed), v)))
    assert_same(*both(engine, arrays, lambda v: ((v[0] @ v[1]).tanh() @ v[0]).sum()))


@every(*ARRAYS[1:])
@pytest.mark.parametrize("seed", range(10))
def test_broadcasting_is_microtorchs(engine, seed):
    arrays = leaves([(2, 3), (3,), (), (2, 1), (1, 1, 3)], seed)
    assert_same(*both(engine, arrays, lambda v: array_program(random.Random(seed), v)))


@every("step4_arrays")
def test_without_step_5_a_broadcast_gradient_has_the_wrong_shape(engine):
    bias = engine.Tensor([1.0, 2.0], needs=True)
    grads = engine.backward((engine.Tensor(np.ones((3, 2))) + bias).sum())
    assert grads[bias.node].shape == (3, 2)


@every(*ARRAYS)
def test_only_what_is_read_is_saved(engine):
    data, w = engine.Tensor(np.ones((2, 2))), engine.Tensor(np.ones((2, 2)), needs=True)
    product = data @ w  # the gradient of w reads data; nobody reads w
    _, x, y = product.node.saved
    assert x is data.value and y is w.node
    assert all(not isinstance(s, np.ndarray) for s in (w + w).node.saved)
    out, x = w.tanh().node.saved
    assert isinstance(out, np.ndarray) and x is w.node
    assert (data + data).node.op is None and (data + data).node.inputs == ()


@every(*ARRAYS)
def test_saved_values_are_freed_unless_retained(engine):
    x = engine.Tensor(3.0, needs=True)
    y = x * x
    for _ in range(2):
        assert engine.backward(y, retain=True)[x.node] == 6.0
    engine.backward(y)
    assert y.node.saved is None
    with pytest.raises(RuntimeError, match="mul has been through backward"):
        engine.backward(y)
    assert engine.backward(x * x)[x.node] == 6.0  # another graph on the same leaf is none the worse


@every(*ARRAYS)
def test_a_value_that_nobody_reads_is_freed_in_the_forward_pass(engine):
    x, w = engine.Tensor(np.ones((2, 2))), engine.Tensor(np.ones((2, 2)), needs=True)
    with no_collector():
        inner = x @ w + w
        value = weakref.ref(inner.value)
        hidden = inner.tanh()
        del inner
        assert value() is None and hidden.node.inputs[0].shape == (2, 2)


@every(*ARRAYS)
def test_a_saved_value_dies_with_backward(engine):
    x = engine.Tensor(np.ones(5), needs=True)
    hidden = x.tanh()
    loss = (hidden * hidden).sum()
    value = weakref.ref(hidden.value)
    with no_collector():
        del hidden
        assert value() is not None
        engine.backward(loss)
        assert value() is None


# ---- derivatives of derivatives: steps 6 to 8 ---------------------------------------------------
@every(*HIGHER)
@pytest.mark.parametrize("seed", range(5))
def test_second_derivatives_are_microtorchs(engine, seed):
    arrays = leaves([(2, 3), (3,), (2, 1)], seed)

    def first(v):
        return array_program(random.Random(seed), v) + (v[0] * v[1] * v[2]).tanh().sum()

    ours = [engine.Tensor(a, needs=True) for a in arrays]
    grads = engine.backward(first(ours), create_graph=True)
    again = engine.backward(sum_of([(grads[x.node] * grads[x.node]).sum() for x in ours]))
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    given = torch.autograd.grad(first(theirs), theirs, create_graph=True)
    expected = torch.autograd.grad(sum_of([(g * g).sum() for g in given]), theirs)
    for x, g, e in zip(ours, given, expected, strict=True):
        assert np.allclose(grads[x.node].value, g.detach().numpy(), rtol=1e-10)
        assert np.allclose(again[x.node], e.numpy(), rtol=1e-10)


@every(*HIGHER)
def test_higher_derivatives_of_a_matrix_product(engine):
    a, b = leaves([(2, 3), (3, 2)], 0)
    x, w = engine.Tensor(a, needs=True), engine.Tensor(b, needs=True)
    s, t = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    y, expected = ((x @ w).tanh() @ x).sum(), ((s @ t).tanh() @ s).sum()
    for _ in range(3):
        y = engine.backward(y, create_graph=True)[x.node].tanh().sum()
        (g,) = torch.autograd.grad(expected, s, create_graph=True)
        expected = g.tanh().sum()
        assert np.allclose(y.value, expected.item(), rtol=1e-10)


# ---- views and in-place writes: steps 7 and 8 ---------------------------------------------------
INDICES = [0, 1, slice(1, None), (slice(None), 1), (0, slice(0, 2)), (1, 2), slice(None, None, 2)]


def inplace_program(choose, x):
    """Random views, writes and reads of ``x * 2``. What is read before a write may be stale."""
    y = x * 2.0
    handles, read = [y], []
    for _ in range(choose.randint(2, 8)):
        t = choose.choice(handles)
        kind = choose.choice(["view", "mul", "add", "tanh", "set", "other", "read", "linear"])
        if kind == "view":
            index = choose.choice(INDICES)
            if len(t.shape) == 2:
                handles.append(t[index])
        elif kind == "mul":
            t.mul_(choose.choice([1.5, -0.5]))
        elif kind == "add":
            t.add_(x.sum() * 0.1)
        elif kind == "tanh":
            t.tanh_()
        elif kind == "set" and len(t.shape) == 2:
            t[choose.choice(INDICES)] = x.sum() * 0.3
        elif kind == "other":
            t.mul_(choose.choice(handles).sum())
        elif kind == "read":
            read.append((t * t).sum())
        else:
            read.append((t * 3.0).sum())
    return sum_of([*read, *(t.sum() for t in handles)])


@every(*INPLACE)
def test_writes_are_microtorchs(engine):
    """Values, gradients, and which programs are refused because a saved value was overwritten."""
    refused = 0
    for seed in range(300):
        (a,) = leaves([(3, 4)], seed)
        x, t = engine.Tensor(a, needs=True), torch.tensor(a, requires_grad=True)
        y, expected = (inplace_program(random.Random(seed), v) for v in (x, t))
        assert np.allclose(y.value, expected.item(), rtol=1e-10), seed
        try:
            expected.backward()
        except RuntimeError:
            refused += 1
            with pytest.raises(RuntimeError, match="overwritten since"):
                engine.backward(y)
        else:
            assert np.allclose(engine.backward(y)[x.node], t.grad.numpy(), rtol=1e-10), seed
    assert 20 < refused < 250


@every(*INPLACE)
def test_second_derivatives_through_a_write(engine):
    def program(x):
        y = x * x
        y[0].mul_(x[1])
        y.tanh_()
        return (y * y).sum()

    (a,) = leaves([(2, 3)], 0)
    x, t = engine.Tensor(a, needs=True), torch.tensor(a, requires_grad=True)
    g = engine.backward(program(x), create_graph=True)[x.node]
    again = engine.backward((g * g).sum())[x.node]
    (e,) = torch.autograd.grad(program(t), t, create_graph=True)
    (expected,) = torch.autograd.grad((e * e).sum(), t)
    assert np.allclose(again, expected.numpy(), rtol=1e-10)


@every(*INPLACE)
def test_what_a_recorded_derivative_saved_is_protected_too(engine):
    x = engine.Tensor([1.0, 2.0], needs=True)
    w = x * 1.0
    g = engine.backward((w * w * w).sum(), create_graph=True)[x.node]
    w.mul_(2.0)
    with pytest.raises(RuntimeError, match="overwritten since"):
        engine.backward(g.sum())


@every(*INPLACE)
def test_only_views_share_memory(engine):
    general = getattr(engine, "general", engine)
    x = engine.Tensor(np.ones((2, 2)), needs=True)
    row, _ = x[0], x.sum()
    assert row.storage is x.storage and np.shares_memory(row.value, x.value)
    for y in (general.transpose(x), general.expand(x, shape=(2, 2)), general.region(x, path=(0,))):
        assert y.storage is not x.storage and not np.shares_memory(y.value, x.value)


@every(*INPLACE)
def test_a_recorded_derivative_never_reads_what_was_overwritten(engine):
    """Its gradient is the right one, or it is refused: also where numpy gave a view, as for x.T."""
    (a,) = leaves([(3, 3)], 0)
    programs = [
        lambda w: (w @ w).tanh().sum(),
        lambda w: ((w + 1.0) @ w).tanh().sum(),
        lambda w: (w.sum() * w.tanh()).sum(),
        lambda w: (w[0] * w).tanh().sum(),
    ]
    for program in programs:
        found = []
        for written in (False, True):
            x = engine.Tensor(a, needs=True)
            w = x * 1.0
            g = engine.backward(program(w), create_graph=True)[x.node].sum()
            if written:
                w.mul_(2.0)
            with contextlib.suppress(RuntimeError):
                found.append(engine.backward(g)[x.node])
        assert len(found) > 0 and all(np.allclose(f, found[0]) for f in found)


@every(*INPLACE)
def test_writes_that_are_refused(engine):
    x = engine.Tensor(np.ones((2, 2)), needs=True)
    for target in (x, x[0]):
        with pytest.raises(RuntimeError, match="overwrite a leaf"):
            target.mul_(2.0)
    y = x * 1.0
    with pytest.raises(ValueError, match="does not fit"):
        y[0].add_(x)
    assert (y.value == 1).all() and y.storage.written == 0
    buffer = engine.Tensor(np.zeros((2, 2)))  # a constant may be filled with what needs gradient
    buffer[1] = x[0] * 3.0
    assert engine.backward(buffer.sum())[x.node].tolist() == [[3, 3], [0, 0]]


# ---- step 8 is step 7 ---------------------------------------------------------------------------
def graph(engine, root):
    """The graph below a handle as plain data, to compare."""
    order = engine.in_order(root.node)
    place = {node: i for i, node in enumerate(order)}

    def plain(s):
        return s.tolist() if isinstance(s, np.ndarray) else s and place.get(s, "constant")

    return [
        (n.op and n.op.name, n.shape, [plain(x) for x in n.inputs], n.attrs or {},
         [plain(s) for s in n.saved], [m is not None for m in n.memory] or [False] * len(n.saved))
        for n in order
    ]


def with_numbers(choose, values):
    y = array_program(choose, values)
    return y * 2.0 + 0.0 + -0.0 + 3 + 2.0 * y * True


def test_the_hot_paths_record_what_the_general_text_records():
    general, hot = engine_steps.load("step7_inplace"), engine_steps.load("step8_hot")
    for seed in range(20):
        arrays = leaves([(2, 3), (3,), (), (2, 1)], seed)
        found = []
        for engine in (general, hot):
            values = [engine.Tensor(a, needs=i != 1) for i, a in enumerate(arrays)]
            y = with_numbers(random.Random(seed), [*values, values[0][1]])
            recorded = graph(engine, y)
            grads = engine.backward(y)
            gradients = [grads[v.node].tolist() for v in values if v.node in grads]
            found.append((y.value.tolist(), recorded, gradients))
        assert found[0] == found[1]
