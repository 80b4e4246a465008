"""What no guard sees is refused, and what one could miss is seen: the order of a dict, say."""

import abc
import collections
import collections.abc
import contextvars
import enum
import functools
import gc
import inspect
import itertools
import queue
import random
import sys
import threading
import time
import types
import uuid
import weakref
from datetime import datetime
from time import perf_counter as clock

import numpy as np
import pytest

import microtorch as torch
from microtorch.static.same import Rows


class Plain:
    n = 2.0


class Number(int):
    n = 2.0


class Counts:
    """Whose attributes may be asked for by the function only."""

    asked = 0

    def __getattr__(self, name):
        if name != "n":
            raise AttributeError(name)
        vars(self)["asked"] = self.asked + 1
        return 2.0


class Mode(enum.IntEnum):
    ONE, TWO = 1, 2


Base = abc.ABCMeta("Base", (), {})
ONE, OTHER = Plain(), torch.ones(2)
WORLD = {}


def reordered(d):
    key, value = next(iter(d.items()))
    del d[key]
    d[key] = value


def told():
    Base.register(type("New", (), {}))
    Base.register(Plain)


def told_elsewhere():
    collections.abc.Sequence.register(type("New", (), {}))
    collections.abc.Sequence.register(Plain)


@functools.cache
def cached():
    return WORLD["factor"]


@functools.lru_cache(4)
def cached_few(k):
    return WORLD["factor"]


def first_of(x):
    return 1.0 if next(iter(WORLD["dict"])) == "a" else 3.0


def place_of_name():
    return [*vars(WORLD["plain"])].index("p")


def forgot(function):
    def change():
        WORLD["factor"] = 5.0
        function.cache_clear()

    return change


def renewed():
    WORLD["set"].clear()
    WORLD["set"].update((0, 8))


def imported(x):
    try:
        import module_of_this_test as m
    except ImportError:
        return x * 3
    return x * m.n


def change_number():
    WORLD["number"].n = 5.0


# a function, and what changes its answer
CHANGES = {
    "the order of a dict": (lambda x: x * first_of(x), lambda: reordered(WORLD["dict"])),
    "the order of attributes": (
        lambda x: x * (1 if next(iter(vars(WORLD["plain"]))) == "p" else 3),
        lambda: reordered(vars(WORLD["plain"])),
    ),
    "the order of a namespace": (
        lambda x: x * (1 if next(iter(vars(WORLD["space"]))) == "p" else 3),
        lambda: reordered(vars(WORLD["space"])),
    ),
    "the order of attributes that are named": (
        lambda x: x * (WORLD["plain"].q + WORLD["plain"].p + place_of_name()),
        lambda: reordered(vars(WORLD["plain"])),
    ),
    "the order of a set": (
        lambda x: x * next(iter(WORLD["set"])), renewed,
    ),
    "an abstract class": (lambda x: x * (2 if isinstance(ONE, Base) else 3), told),
    "an abstract class of Python's": (
        lambda x: x * (2 if isinstance(ONE, collections.abc.Sequence) else 3), told_elsewhere,
    ),
    "a cache": (lambda x: x * cached(), forgot(cached)),
    "a cache with a limit": (lambda x: x * cached_few(1), forgot(cached_few)),
    "a module that could not be imported": (
        imported, lambda: sys.modules.update(module_of_this_test=types.SimpleNamespace(n=5.0)),
    ),
    "an attribute of a number": (lambda x: x * WORLD["number"].n, change_number),
    "an object in an array": (
        lambda x: x * WORLD["array"][0].n, lambda: setattr(WORLD["array"][0], "n", 5.0),
    ),
    "how an array lies": (
        lambda x: x * (2 if WORLD["array"].flags.writeable else 3),
        lambda: WORLD["array"].setflags(write=False),
    ),
    "a method of a list": (lambda x: x * WORLD["get"](0), lambda: WORLD["list"].insert(0, 7.0)),
}  # fmt: skip


@pytest.fixture
def world():
    held = [1.0, 2.0]
    WORLD.update(
        dict={"a": 1.0, "b": 2.0}, set={8, 0}, plain=Plain(), factor=2.0, number=Number(3),
        array=np.array([Plain()], object), list=held, get=held.__getitem__,
        space=types.SimpleNamespace(p=1, q=2),
    )  # fmt: skip
    vars(WORLD["plain"]).update(p=1, q=2)
    cached.cache_clear(), cached_few.cache_clear()
    yield
    WORLD.clear()
    sys.modules.pop("module_of_this_test", None)


@pytest.mark.parametrize("backend", ["eager", "inductor"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_guard_sees(name, backend, world):
    function, change = CHANGES[name]
    compiled, x = torch.compile(function, backend=backend), torch.ones(2)
    for part in range(2):
        for _ in range(4):
            assert torch.equal(compiled(x), function(x)), part
        change() if not part else None
    assert compiled.count == 2 and not compiled.reason


@pytest.mark.parametrize("backend", ["eager", "inductor"])
@pytest.mark.parametrize("function", [
    lambda x: x * (2 if x is OTHER else 3),
    lambda x: x * {OTHER: 2.0}.get(x, 3.0),
])  # fmt: skip
@pytest.mark.parametrize("first", [True, False])
def test_an_argument_that_the_function_knows(function, first, backend):
    compiled = torch.compile(function, backend=backend)
    for known in (first, not first, first):
        for _ in range(4):
            x = OTHER if known else torch.ones(2)
            assert torch.equal(compiled(x), function(x))
    assert compiled.count == 2 and not compiled.reason


def test_numbers_of_a_users_class_and_enums_are_arguments():
    compiled = torch.compile(lambda x, k: x * (k.n if type(k) is Number else k), backend="eager")
    numbers = [Number(3), Number(3), Mode.ONE, Mode.TWO]
    numbers[1].n = 5.0
    for k, want in zip(numbers, (2.0, 5.0, 1.0, 2.0), strict=True):
        for _ in range(3):
            assert compiled(torch.ones(2), k).tolist() == [want, want]
    assert compiled.count == 4


def test_to_be_watched_asks_no_getattr_of_the_users():
    counts = Counts()
    compiled = torch.compile(lambda x: x * counts.n, backend="eager")
    with pytest.warns(UserWarning, match="it changes a Python value, 'asked'"):
        for n in range(5):
            compiled(torch.ones(2))
            assert counts.asked == n + 1


def depth(n):
    try:
        return 1 + depth(n + 1)
    except RecursionError:
        return 0


held = Plain()
refers, lock, steps = weakref.ref(held), threading.Lock(), itertools.count()
place, set_going = id, np.random.seed
values, context = queue.SimpleQueue(), contextvars.ContextVar("context", default=1)

ASKS = {
    "reads the clock": [
        lambda: time.time() > 0, lambda: clock() > 0, lambda: datetime.now().year > 0,
    ],
    "draws numbers of its own": [
        lambda: uuid.uuid4().int > 0, lambda: np.random.default_rng().random() < 2,
        lambda: random.Random().random() < 2,
    ],
    "asks what other threads do": [
        lambda: threading.current_thread().name == "", lambda: threading.active_count() > 0,
        lambda: threading.get_ident() > 0, lambda: lock.locked(),
    ],
    "which what is outside of it decides": [lambda: depth(0) > 100],
    "reads who calls": [lambda: len(inspect.stack()) > 0],
    "asks of Python's collector": [lambda: gc.get_count()[0] >= 0],
    "reads a setting": [lambda: sys.getrefcount(held) > 0],
    "counts the calls": [lambda: cached.cache_info().hits >= 0],
    "asks where memory lies": [lambda: OTHER.storage_offset() == 0, lambda: OTHER.is_shared()],
    "sets random numbers going": [
        lambda: random.seed(1) or random.random() < 2, lambda: set_going(2),
        lambda: np.random.set_state(np.random.get_state()),
    ],
    "asks for files": [lambda: np.loadtxt(["1 2"]).sum() > 9],
    "which runs a text": [lambda: eval("held.n") > 9],
    "asks where objects lie": [
        lambda: id(held) % 7 == 0, lambda: hash(held) % 7 == 0, lambda: place(held) % 7 == 0,
    ],
    "a weak reference": [lambda: refers() is None],
    "cannot be watched": [
        lambda: next(steps) < 0, lambda: values.empty(), lambda: context.get() == 1,
    ],
}  # fmt: skip


@pytest.mark.parametrize(("why", "ask"), [(k, f) for k, fs in ASKS.items() for f in fs])
def test_what_no_guard_sees_is_refused(why, ask):
    compiled = torch.compile(lambda x: x * (2 if ask() else 3), backend="eager")
    with pytest.warns(UserWarning, match=why):
        for _ in range(4):
            compiled(torch.ones(2))
    assert compiled.count == 0


def now(x):
    return x * 2


def test_a_name_of_the_users_own_is_no_question():
    net = torch.nn.Dropout()
    net.input = net.id = 1
    compiled = torch.compile(lambda x: net.eval()(now(x) + net.id * net.input), backend="eager")
    for _ in range(4):
        assert compiled(torch.ones(2)).tolist() == [3, 3]
    assert compiled.count == 1


def test_the_kind_of_an_arguments_graph_is_not_read():
    w = torch.ones(2, requires_grad=True)
    compiled = torch.compile(lambda x: x * (2 if "Mul" in x.grad_fn.name() else 3))
    with pytest.warns(UserWarning, match="reads grad_fn of an argument"):
        for y in (w * 1, w * 1, w * 1, w * 1, w + 0):
            compiled(y)
    assert compiled(w + 0).tolist() == [3, 3]


def test_c_compares_the_order_of_dicts_and_sets():
    class Ordered(collections.OrderedDict):
        pass

    for made in (dict.fromkeys("ab"), Ordered.fromkeys("ab"), {8, 0}):
        rows = Rows()
        rows.order(made, tuple(made))
        same, elements = rows.made(), [*made]
        assert same() and same()
        if isinstance(made, collections.OrderedDict):
            made.move_to_end("a")
        elif isinstance(made, set):
            made.add("more")
        else:
            made["a"] = made.pop("a")
        assert not same() and [*made] != elements
        made.clear()
        assert not same()
