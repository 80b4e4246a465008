"""Two tensors that show one memory, at some calls: a program must not take them for two, nor two
for one."""

import warnings
from functools import partial

import numpy as np
import pytest

import microtorch as torch


@pytest.mark.parametrize("place", [2, 3])
def test_how_arguments_lie_in_one_memory(place):
    """Where they lie apart, the numbers of one may be written before those of the other are read;
    and over one another a write may be refused."""

    def moved(x, y):
        x.copy_(y * 2)
        return x + y

    def refused(x, y):
        return x.add_(y)

    for f in (moved, refused):
        found = []
        for g in (f, torch.compile(f)):
            z, out = torch.arange(16.0), []
            for at in [8] * 5 + [10, 8, place, place, place, place, 8]:
                try:
                    out.append(g(z[:4], z[at : at + 4]).tolist())
                except RuntimeError as e:
                    out.append(str(e).splitlines()[0])
                out.append(z.tolist())
            found.append(out)
        assert found[0] == found[1]
        assert g.count


@pytest.mark.parametrize("first", [4, 2])
def test_a_program_of_arguments_that_lie_over_one_another(first):
    """What the first lifted one held before the call is what both are given back."""

    def f(x, y):
        x.add_(1)
        w = y * 2
        x.mul_(3)
        return w + y

    found = []
    for g in (f, torch.compile(f, fullgraph=True)):
        z = torch.arange(16.0)
        found.append([(g(z[:4], z[at : at + 4]).tolist(), z.tolist()) for at in [first] * 6])
    assert found[0] == found[1] and g.count == 1


def with_detached(held, x):
    return x * held["u"] + held["v"] * 2


def written(held, x):
    return x.add_(1) * 2 + held["u"]


def two_gradients(held, x):
    a, b = held["a"], held["b"]
    ((x * a).sum() + (x * b * 2).sum()).backward()
    return x * 1


def new(_):
    return {"u": torch.full((3,), 2.0), "v": torch.ones(3)}


def twins(_):
    u = torch.full((3,), 2.0)
    return {"u": u, "v": u.detach()}


def graded(a, b):
    def made(held):
        parts = [held.get(k, torch.ones(3)).detach().requires_grad_() for k in "ab"]
        flat = torch.zeros(8)
        parts[0].grad = flat[a : a + 3]
        parts[1].grad = parts[0].grad if b == a else flat[b : b + 3]
        return held | {"a": parts[0], "b": parts[1]}

    return made


def shared_gradient(held):
    made = graded(0, 4)(held)
    made["b"].grad = made["a"].grad.detach()
    return made


def only_gradients(make):
    """The same tensors, with other gradients."""

    def made(held):
        if "a" not in held:
            return make(held)
        other = make({})
        held["a"].grad, held["b"].grad = other["a"].grad, other["b"].grad
        return held

    return made


CHANGES = {
    "a tensor outside, and one cut from it": (with_detached, twins, lambda h: h | {
        "v": h["v"].set_(torch.ones(3))}),
    "and the other way round": (with_detached, new, lambda h: h | {"v": h["v"].set_(h["u"])}),
    "gradients side by side, and over one another": (
        two_gradients, only_gradients(graded(0, 3)), only_gradients(graded(0, 2))),
    "and then one": (two_gradients, only_gradients(graded(0, 3)), only_gradients(graded(0, 0))),
    "one, and then side by side": (
        two_gradients, only_gradients(graded(0, 0)), only_gradients(graded(0, 3))),
    "two tensors of one gradient's memory": (
        two_gradients, only_gradients(shared_gradient), only_gradients(graded(0, 3))),
}  # fmt: skip


@pytest.mark.parametrize("backend", ["inductor", "eager"])
@pytest.mark.parametrize("name", CHANGES)
def test_tensors_that_come_to_share_memory_or_no_longer_do(name, backend):
    f, before, after = CHANGES[name]
    found = []
    for wrap in (lambda f: f, lambda f: torch.compile(f, backend=backend)):
        held, out = {}, []
        step = wrap(partial(f, held))
        for change in (before, *[None] * 5, after, None, None, None, before, None):
            if change is not None:
                held.update(change(held))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                out.append(step(torch.arange(3.0)).tolist())
            out += [t.tolist() for t in held.values()]
            out += [t.grad.tolist() for t in held.values() if t.grad is not None]
        found.append(out)
    assert found[0] == found[1]


READ = {
    "the weight first": lambda w, u, x: (w * x).sin() * u,
    "what is cut from it first": lambda w, u, x: (u * x + w).sin(),
    "writes through it": lambda w, u, x: (u.add_(x), w * 2 + u)[1],
}


@pytest.mark.parametrize("f", READ.values(), ids=READ)
def test_a_weight_and_what_is_cut_from_it_are_one(f):
    """Its gradient is the weight's, and an optimizer's write is seen in both, and dated."""
    def seen(wrap):
        w = torch.arange(3.0).requires_grad_()
        u, optimizer, found = w.detach(), torch.optim.SGD([w], lr=0.1), []

        def step(x):
            optimizer.zero_grad()
            loss = f(w, u, x).sum()
            loss.backward()
            optimizer.step()
            return loss.detach()

        step = wrap(step)
        for i in range(9):
            if i == 6:
                w.data = torch.full((3,), 2.0)  # from now on they are two
            before = w._version
            found.append((step(torch.full((3,), i / 10)).tolist(), w.tolist(), u.tolist()))
            found.append((w.grad.tolist(), w._version > before, w._version == u._version, u.grad))
        return found, step

    (wanted, _), (found, compiled) = (
        seen(w) for w in (lambda g: g, partial(torch.compile, backend="eager"))
    )
    assert found == wanted and compiled.count and not compiled.reason


@pytest.mark.parametrize("backend", ["inductor", "eager"])
@pytest.mark.parametrize("shared", [slice(5), slice(5, 9), slice(2, 6)])
def test_an_argument_that_is_cut_from_a_tensor_outside(shared, backend):
    found = []
    for wrap in (lambda f: f, lambda f: torch.compile(f, backend=backend)):
        held, out = new(None), []
        step = wrap(partial(written, held))
        for i in range(10):
            x = held["u"].detach() if i in range(10)[shared] else torch.zeros(3)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                out.append((step(x).tolist(), held["u"].tolist()))
        found.append(out)
    assert found[0] == found[1]


class Interface:
    """Memory as numpy's interface describes it, and no more."""

    def __init__(self, array):
        self.array, self.__array_interface__ = array, array.__array_interface__


LENT = {
    "a bytearray": lambda z: partial(torch.frombuffer, bytearray(z.tobytes()), dtype=torch.float32),
    "an array's, and lent": lambda z: iter(
        [torch.from_numpy(z), torch.frombuffer(z, dtype=torch.float32)] * 20).__next__,
    "windows": lambda z: lambda: torch.from_numpy(np.lib.stride_tricks.as_strided(z, (16,), (4,))),
    "the interface": lambda z: lambda: torch.from_numpy(np.asarray(Interface(z))),
    "dlpack": lambda z: lambda: torch.from_numpy(np.from_dlpack(z)),
}  # fmt: skip


@pytest.mark.parametrize("start", [2, 8])
@pytest.mark.parametrize("name", LENT)
def test_memory_that_is_lent_twice(name, start):
    """No array owns it, so that addresses say whether it is one. ``start``: where the second part
    begins while the program is made; the first has four elements."""

    def f(x, y):
        x.add_(1)
        w = y * 2
        x.mul_(3)
        return w + y

    def arguments(g, show):
        at = [start] * 5 + [2, 8, 3, 2, start]
        parts = [(show()[:4], show()[i : i + 4]) for i in at]
        return [(g(x, y).tolist(), x.tolist(), y.tolist()) for x, y in parts]

    def outside(g, show):
        x, y, z = show()[:4], show()[start : start + 4], torch.arange(4.0)
        h = torch.compile(lambda x: f(x, y)) if g is not f else partial(f, y=y)
        return [(h(a).tolist(), a.tolist(), y.tolist()) for a in [z] * 5 + [x] * 4 + [z]]

    def both(g, show):
        x, y = show()[:4], show()[start : start + 4]
        h = torch.compile(lambda: f(x, y)) if g is not f else lambda: f(x, y)
        return [(h().tolist(), x.tolist(), y.tolist()) for _ in range(6)]

    for run in (arguments, outside, both):
        found = []
        for g in (f, torch.compile(f)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found.append(run(g, LENT[name](np.arange(16, dtype=np.float32))))
        assert found[0] == found[1]


def test_lent_memory_that_lies_apart_has_a_program():
    show = LENT["a bytearray"](np.arange(16, dtype=np.float32))
    w, x, y = show()[:4].requires_grad_(), show()[4:8], show()[8:12]
    optimizer = torch.optim.SGD([w], lr=0.1)

    @partial(torch.compile, fullgraph=True)
    def step(x):
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()
        return w.sum()

    for _ in range(4):
        for a in (x, y, torch.ones(8)[:4]):
            step(a)
    assert step.count == 1
    assert w.tolist() == pytest.approx([-5.2, -5.0, -4.8, -4.6])


CUT = {
    "a column": lambda x, held: x.clone()[:, -1].as_strided((2,), (1,)),
    "of a tensor outside": lambda x, held: held[:, -1].as_strided((2,), (1,)),
    "of an argument": lambda x, held: x.as_strided((2,), (1,)),
    "from the beginning of the memory": lambda x, held: x[1:].as_strided((2,), (1,), 2),
}


@pytest.mark.parametrize("cut", CUT.values(), ids=CUT)
def test_where_a_view_by_strides_begins(cut):
    """Where an argument lies in another's memory is another matter at each call."""
    held = torch.arange(8.0).reshape(2, 4)
    g = torch.compile(lambda x: cut(x, held) * 2, backend="eager")
    for whole in [False] * 4 + [True] * 2 + [*range(1, 4)]:
        z = torch.arange(12.0) + 100 * whole
        x = torch.ones(3, 4) if whole is False else z[whole : whole + 8].reshape(2, 4)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert g(x).tolist() == (cut(x, held) * 2).tolist()
