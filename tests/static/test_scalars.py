"""Steps of Scalars, rolled up into loops: the same numbers as the function's, to the bit."""

import itertools
import math
import random
import shutil
import struct
import subprocess
import warnings

import numpy as np
import pytest

import microtorch as torch
from microtorch import Scalar
from microtorch.static import build
from microtorch.static.scalars import entry, reroll

try:
    build.compiler()
    BACKENDS = ["eager", "inductor"]
except build.CompilerError:
    BACKENDS = ["eager"]


@pytest.fixture(autouse=True)
def quickly_compiled(monkeypatch, own_cache):
    quick = ("-std=gnu99", "-O1", "-ffp-contract=off", "-fPIC", "-shared", "-w")
    monkeypatch.setattr(build, "FLAGS", quick)


def bits(x):
    """All that can be seen of a result, as something to compare."""
    if isinstance(x, (list, tuple)):
        return [bits(y) for y in x]
    if isinstance(x, Scalar):
        return ("Scalar", bits(x.data), bits(x.grad), x.requires_grad)
    return x if x is None else "nan" if x != x else struct.pack("d", x)


def both(make, *calls, backend="inductor", programs=1):
    """make() -> (function, its Scalars): as it is written, and compiled; equal at each call."""
    seen = []
    for compiled in (False, True):
        f, scalars = make()
        f = torch.compile(f, backend=backend) if compiled else f
        seen.append([
            (bits(f(*call())), bits([(s.data, s.grad) for s in scalars])) for call in calls
        ])  # fmt: skip
    assert seen[0] == seen[1]
    assert not f.reason and f.count == programs
    return f


def refused(f, why, *calls):
    f = torch.compile(f)
    with pytest.warns(UserWarning, match="runs as it is written"):
        for call in calls or [()] * 3:
            f(*call)
    assert why in f.reason, f.reason


def program(f):
    return next(reversed(f.entries.values()))[-1][0].program


NO = [lambda: ()] * 5


def moons(points):
    """micrograd's demo: 2-16-16-1, hinge loss, weight decay, SGD, of Scalars."""
    rng = random.Random(0)
    sizes = [2, 16, 16, 1]
    layers = [
        [([Scalar(rng.uniform(-1, 1)) for _ in range(n)], Scalar(0.0)) for _ in range(m)]
        for n, m in itertools.pairwise(sizes)
    ]
    parameters = [p for layer in layers for w, b in layer for p in [*w, b]]
    data = [[rng.gauss(0, 1), rng.gauss(0, 1)] for _ in range(points)]
    signs = [1.0 if x + y > 0 else -1.0 for x, y in data]

    def model(x):
        for layer in layers:
            x = [sum((wi * xi for wi, xi in zip(w, x, strict=True)), b) for w, b in layer]
            if layer is not layers[-1]:
                x = [a.relu() for a in x]
        return x[0]

    def step():
        scores = [model([Scalar(v) for v in row]) for row in data]
        losses = [(1 + -yi * score).relu() for yi, score in zip(signs, scores, strict=True)]
        loss = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in parameters)
        for p in parameters:
            p.grad = 0.0
        loss.backward()
        for p in parameters:
            p.data -= 0.1 * p.grad
        return loss

    return step, parameters


def test_the_moons_demo_is_a_page_of_loops():
    f = both(lambda: moons(6), *NO, backend=BACKENDS[-1])
    made = program(f)
    assert len(made.nodes) > 5000 and made.size < 40
    text = made.text.source
    assert text.count("\n") < 250
    assert "+= p[17 * j + k + 48] * " in text and "for (int i = 5; i >= 0; i--)" in text


def random_step(seed):
    """A step of nested loops, sums, lists and ops at random; its Scalars."""
    rng = random.Random(seed)
    scalars = [Scalar(rng.uniform(-1, 1)) for _ in range(rng.randint(2, 20))]
    data = [rng.uniform(-1, 1) for _ in range(20)]
    lines, names, lists = [], ["p[0]"], []

    def index(counters):
        terms = [f"{rng.choice([1, 1, 2, 3, -1])} * {c}" for c in counters if rng.random() < 0.7]
        return " + ".join([*terms, str(rng.randint(0, 5))])

    def atom(counters):
        kind = rng.choice("pppddlnnnc")
        if kind == "l" and lists:
            name = rng.choice(lists)
            return f"{name}[({index(counters)}) % len({name})]"
        if kind in "pd":
            return f"{kind}[({index(counters)}) % len({kind})]"
        return repr(rng.choice([0.5, 2.0, -1.0])) if kind == "c" else rng.choice(names)

    def value(counters):
        a, b = atom(counters), atom(counters)
        ops = "tanh relu exp sigmoid sin abs square softplus gelu erf atan round".split()
        return rng.choice([
            f"S({a}).{rng.choice(ops)}()", f"S({a}) + {b}", f"S({a}) + {b}", f"S({a}) * {b}",
            f"S({a}) - {b}", f"S({a}) / (S({b}).square() + 0.5)", f"S({a}).maximum(S({b}))",
            f"(S({a}).abs() + 0.1) ** {rng.choice([2, 0.5, 3, -1])}", f"S({a}).remainder(S({b}))",
        ])  # fmt: skip

    def block(counters):
        tab = "    " * (1 + len(counters))
        for _ in range(rng.randint(1, 4)):
            name = f"v{len(lines)}"
            kind = rng.random() if len(counters) < 3 else 1
            if kind > 0.5:
                lines.append(f"{tab}{name} = {value(counters)}")
                names.append(name)
                continue
            c = "ijk"[len(counters)]
            start = "[]" if kind < 0.2 else atom(counters)
            lines.append(f"{tab}{name} = {start}")
            lines.append(f"{tab}for {c} in range({rng.choice([2, 3, 5, 7])}):")
            inside = len(names), len(lists)
            block([*counters, c])
            new = value([*counters, c])
            lines.append(tab + "    " + (
                f"{name}.append({new})" if kind < 0.2 else f"{name} = {name} + {new}"
                if kind < 0.4 else f"{name} = (S({name}) * {atom([*counters, c])}).tanh()"
            ))  # fmt: skip
            del names[inside[0] :], lists[inside[1] :]
            (lists if kind < 0.2 else names).append(name)

    block([])
    lines += ["    loss = S(0.0)", *[f"    loss = loss + S({n}).tanh()" for n in names],
              *[f"    loss = loss + sum(S(q) for q in {n}).tanh()" for n in lists],
              *["    for q in p: q.grad = None"] * rng.randint(0, 1), "    loss.backward()",
              *["    sum(q * q for q in p).backward()"] * rng.randint(0, 1),
              "    for q in p:", "        if q.grad is not None: q.data -= 0.01 * q.grad",
              rng.choice(["    return loss", "    return loss.data, [p[0], 2 * loss.data]"])]

    def as_scalar(x):
        return x if type(x) is Scalar else Scalar(float(x), requires_grad=False)

    known = {"p": scalars, "d": data, "S": as_scalar}
    exec("def step():\n" + "\n".join(lines), known)
    return known["step"], scalars


@pytest.mark.parametrize("seed", range(4))
def test_random_steps(seed):
    for backend in BACKENDS:
        f = both(lambda: random_step(seed), *NO, backend=backend)
    made = program(f)
    rolled = {k: v for part in made.parts for k, v in reroll.unrolled(part).items()}
    lists = [reroll.chains(made.nodes, far) for far in (False, True)]
    assert any(  # the loops are the list
        all(repr(rolled[t]._replace(site=i.site)) == repr(i) for t, i in enumerate(written))
        for written in lists
    )


def test_loops_are_found_in_time_too():
    w, u = Scalar(0.3), Scalar(0.4)

    def step():
        h = 0.0
        for t in range(50):
            h = (w * h + u * (0.1 * t)).tanh()
        w.grad = u.grad = None
        h.backward()
        return h

    f = both(lambda: (step, [w, u]), *NO, backend=BACKENDS[-1])
    assert program(f).size < 20


def test_arguments_are_scalars_that_change():
    def make():
        w = Scalar(2.0)

        def step(x, y, rate):
            loss = (w * x - y.data) ** 2
            w.grad = None
            loss.backward()
            w.data -= rate * w.grad
            return [loss, w, x]

        return step, [w]

    given = [
        lambda i=i: (Scalar(0.1 * i), Scalar(1.0, requires_grad=False), 0.1) for i in range(6)
    ]
    f = both(make, *given, backend=BACKENDS[-1])
    x = Scalar(1.0)
    loss, _, same = f(x, Scalar(1.0, requires_grad=False), 0.1)
    assert same is x and x.grad is not None and loss.requires_grad
    with pytest.raises(RuntimeError, match="backward"):
        loss.backward()


def test_gradients_that_add_up_and_data_of_the_middle():
    def make():
        a, b = Scalar(1.5), Scalar(-0.5)

        def step():
            c = a * b
            d = c * c.data + a.detach() * b
            d.backward()
            c.backward()
            a.data = a.data + d.data * c.grad / 100
            return c.grad, d, a * 2 if a.grad is None else 0.5

        return step, [a, b]

    for backend in BACKENDS:
        both(make, *NO, backend=backend)


def test_guards():
    class Model:
        def __init__(self):
            self.w, self.rate = [Scalar(0.1 * i) for i in range(6)], 0.1

        def step(self):
            loss = sum(w * w for w in self.w)
            for w in self.w:
                w.grad = 0
            loss.backward()
            for w in self.w:
                w.data -= self.rate * w.grad
            return loss.data

    models = []

    def make():
        models.append(Model())
        return lambda: models[-1].step(), models[-1].w

    def change():
        models[-1].rate = 0.2
        return ()

    def replace():
        models[-1].w[2] = Scalar(3.0)
        return ()

    calls = [*NO, change, *[lambda: ()] * 3, replace, *[lambda: ()] * 4]
    both(make, *calls, backend=BACKENDS[-1], programs=3)


def test_what_cannot_be_repeated_runs_as_it_is_written():
    a, b, kept, count = Scalar(2.0), Scalar(0.5), [], [0.0]
    refused(lambda: (a * b).data > 0, "a condition such as")
    refused(lambda: math.exp(a.data), "float(x)")
    refused(lambda: (a.data // 1) * b.data, "floordiv")
    refused(lambda: f"{a.data:.3f}", "printing")
    refused(lambda: a.value * b.data, "x.value")
    refused(lambda: a * b, "no backward() has gone")
    refused(lambda: torch.ones(2) * a.data, "is combined with a Tensor", *[()] * 4)
    refused(lambda: Scalar.stack([a, b]), "would lead to Scalars", *[()] * 4)
    refused(lambda: (torch.ones(2).scalars()[0] * a), "no backward() has gone", *[()] * 4)
    refused(lambda: kept.append(torch.ones(2).scalars()[0] * a), "list", *[()] * 8)
    refused(lambda: torch.autograd.grad(a * b, a), "only x.backward() is recorded")
    refused(lambda: (a * b).backward(create_graph=True), "only x.backward() is recorded")
    refused(lambda x: x.data, "graph", *[(a * b,)] * 3)

    def keep():
        kept[:] = [a * b]

    refused(keep, "list")
    holder = type("Holder", (), {})()

    def put():
        holder.__dict__["x"] = a * b
        (a * b).backward()

    refused(put, "")

    def counting():
        count[0] += 1.0
        return a.data * count[0]

    refused(counting, "changes")


def test_an_exception_leaves_scalars_as_they_were():
    a, before = Scalar(2.0), dict(vars(Scalar))
    calls = []

    def f():
        calls.append(1)
        (a * 2).backward()
        if len(calls) == 2:
            raise KeyError("in the middle")
        return a.data

    compiled = torch.compile(f)
    compiled()
    with pytest.raises(KeyError, match="middle"):
        compiled()
    assert dict(vars(Scalar)) == before and type(a.data) is float and a.grad == 4.0


def test_a_program_without_loops_stays_with_the_interpreter(monkeypatch):
    monkeypatch.setattr(entry, "MOST_STATEMENTS", 3)
    a = Scalar(0.5)
    f = torch.compile(lambda: ((a * 2).tanh() * a + 1).data)
    with pytest.warns(UserWarning, match="no loops were found") if len(BACKENDS) > 1 else (
        warnings.catch_warnings()
    ):  # fmt: skip
        first = [f() for _ in range(5)]
    assert len(set(first)) == 1 and f.count == 1 and "tanh" in f.code


@pytest.mark.skipif(len(BACKENDS) < 2, reason="no C compiler")
def test_the_compiler_is_not_trusted(monkeypatch):
    real = entry.library
    monkeypatch.setattr(entry, "library", lambda text, names, more: real(
        text.replace("tanh(", "sinh("), names))  # fmt: skip
    a = Scalar(0.5)
    f = torch.compile(lambda: (a * 2).tanh().data)
    with pytest.warns(UserWarning, match="compiled C differs"):
        assert len({f() for _ in range(5)}) == 1
    assert not f.reason


def regression():
    w, b = Scalar(0.5), Scalar(0.1)
    x = torch.linspace(-1, 1, 20)

    def step(y):
        loss = ((torch.tanh(x * w + b) - y) ** 2).mean()
        w.grad = b.grad = None
        loss.backward()
        w.data -= 0.5 * w.grad
        b.data = b.data - 0.5 * b.grad
        return loss, w.data

    return step, lambda i: (torch.sin(x) * (1 + 0.1 * i),), lambda: [w, b]


def both_ways():
    torch.manual_seed(0)
    ws, net = [Scalar(0.1 * i) for i in range(3)], torch.nn.Linear(3, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def step(x, k):
        h = x * Scalar.stack([(w * 2 + k).tanh() * w.exp() for w in ws])
        e = h.mean(0).scalars()
        total = e[0] * e[1] + e[2].relu() + k
        loss = (net(h) ** 2).mean() + Scalar.stack([total]).sum()
        optimizer.zero_grad()
        for w in ws:
            w.grad = 0.0
        loss.backward()
        optimizer.step()
        for w in ws:
            w.data = w.data - 0.1 * w.grad
        return loss, total, [ws[0], k.grad]

    return (
        step, lambda i: (torch.sin(torch.arange(12.0) * (i + 1)).reshape(4, 3), Scalar(0.1 * i)),
        lambda: [*ws, *net.parameters()],
    )  # fmt: skip


@pytest.mark.parametrize("make", [regression, both_ways])
@pytest.mark.parametrize("backend", BACKENDS)
def test_scalars_and_tensors_in_one_program(make, backend, tmp_path):
    def numbers(x):
        if isinstance(x, (tuple, list)):
            return [n for y in x for n in numbers(y)]
        if isinstance(x, Scalar):
            return [x.data, math.nan if x.grad is None else x.grad]
        return x.detach().flatten().tolist() if isinstance(x, torch.Tensor) else [x]

    found = []
    for wrap in (lambda f: f, lambda f: torch.compile(f, backend=backend)):
        function, arguments, state = make()
        function = wrap(function)
        found.append([numbers([function(*arguments(i)), state()]) for i in range(8)])
    assert function.count == 1 and not function.reason
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-7)
    assert type(Scalar(1.0).tanh().data) is float and (Scalar(2.0) * 3).data == 6.0
    step, arguments, state = make()
    step = torch.compile(step, backend=backend)
    for _ in range(6):
        step(*arguments(0))
    if make is both_ways:
        with pytest.raises(RuntimeError, match="returns a Scalar that was there before"):
            step.export(tmp_path)
    elif shutil.which("cc"):
        step.export(tmp_path, steps=3)
        ran = subprocess.run("make -s check", shell=True, cwd=tmp_path, capture_output=True)
        assert ran.stdout == b"the same numbers\n", ran
        printed = [float(x) for x in (tmp_path / "expected.txt").read_text().split()]
        copies = [s.data for s in state()]
        want = [x for _ in range(3) for x in numbers(step(*arguments(0)))]
        np.testing.assert_allclose(printed, [x for x in want if x == x], rtol=1e-4)
        for s, x in zip(state(), copies, strict=True):
            s.data = x
    state()[0].data = 0.7  # from outside
    other, _, others = make()
    for s, t in zip(others(), state(), strict=True):
        if isinstance(s, Scalar):
            s.data, s.grad = t.data, t.grad
        else:
            s.data.copy_(t)
    np.testing.assert_allclose(
        numbers(step(*arguments(7))), numbers(other(*arguments(7))), rtol=1e-5, atol=1e-7
    )
