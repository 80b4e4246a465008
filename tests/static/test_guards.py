"""What a compiled function may read of Python, and change: other values are another program."""

import collections
import copy
import dataclasses
import decimal
import io
import math
import os
import pathlib
import pickle
import random
import sys
import types
import warnings
from functools import partial

import numpy as np
import pytest

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F

user_module = types.ModuleType("user_module")
user_module.VALUE = 2.0
user_module.inner = types.ModuleType("user_module.inner")
user_module.inner.f = lambda x: x


class Box:
    n = 2.0


class Descriptor:
    def __get__(self, instance, owner):
        return WORLD["factor"]


class Holder:
    found = Descriptor()

    def __call__(self, x):
        return x * WORLD["factor"]


WORLD = {"factor": 2.0, "more": collections.OrderedDict(a=1.0), "box": Box(), "holder": Holder(),
         "weight": torch.ones(2)}  # fmt: skip
WORLD["weight"].share = 2.0


def tagged(x):
    return x * tagged.n


tagged.n = 2.0


class OfClasses(type):
    def __len__(cls):
        return int(cls.n)

    @property
    def twice(cls):
        return cls.n * 2


class Hidden(metaclass=OfClasses):
    n, one = 2.0, None

    def __class_getitem__(cls, i):
        return cls.n * i

    def __new__(cls):
        cls.one = cls.one or object.__new__(cls)
        return cls.one


class Settings(dict):
    extra = 2.0

    def __getattr__(self, name):
        return self[name] * self.extra


class Other:
    n = 5.0


class Between:
    pass


class Heir(Between):
    pass


def twice(*, by=2.0):
    return by * 2


WORLD["settings"] = Settings(a=1.0)
WORLD["objects"] = {Box()}
WORLD["keys"] = {Box(): 1}
WORLD["default"] = collections.defaultdict(lambda: WORLD["factor"])


def imports(x):
    import user_module as m

    return x * m.VALUE


def appears(x):
    return x * (LATER if "LATER" in names() else 1.0)


def names():
    return [k for k in ("LATER",) if hasattr(user_module, k)]


LATER = 3.0

CHANGES = {
    "an attribute of a function": (tagged, lambda v: setattr(tagged, "n", v)),
    "an attribute of a tensor": (
        lambda x: x * WORLD["weight"].share, lambda v: setattr(WORLD["weight"], "share", v),
    ),
    "a module that is imported inside": (imports, lambda v: setattr(user_module, "VALUE", v)),
    "a name that is computed": (
        lambda x: x * getattr(user_module, "VAL" + "UE"),
        lambda v: setattr(user_module, "VALUE", v),
    ),
    "a name that appears": (
        appears, lambda v: vars(user_module).update(LATER=1) if v != 2 else
        vars(user_module).pop("LATER", None),
    ),
    "an ordered dict that grows": (
        lambda x: x * len(WORLD["more"]), lambda v: WORLD["more"].update({str(v): 1.0}),
    ),
    "a global that a descriptor reads": (
        lambda x: x * WORLD["holder"].found, lambda v: WORLD.update(factor=v),
    ),
    "a global that a call of an object reads": (
        lambda x: WORLD["holder"](x), lambda v: WORLD.update(factor=v),
    ),
    "an attribute that a metaclass reads": (
        lambda x: x * len(Hidden) * Hidden.twice, lambda v: setattr(Hidden, "n", v),
    ),
    "a class in brackets": (lambda x: x * Hidden[1], lambda v: setattr(Hidden, "n", v)),
    "the only object of a class": (
        lambda x: x * Hidden().k, lambda v: setattr(Hidden(), "k", v),
    ),
    "a default that is named": (
        lambda x: x * twice(), lambda v: setattr(twice, "__kwdefaults__", {"by": v}),
    ),
    "the code of a function": (
        lambda x: x * twice(),
        lambda v: setattr(twice, "__code__", twice.__code__.replace(co_consts=(None, v))),
    ),
    "a class of a list's or a dict's kind": (
        lambda x: x * WORLD["settings"].a, lambda v: setattr(Settings, "extra", v),
    ),
    "what a dict makes of a name that it lacks": (
        lambda x: x * WORLD["default"].pop("a", WORLD["default"]["a"]),
        lambda v: WORLD.update(factor=v),
    ),
    "the bases of a class": (
        lambda x: x * getattr(Heir(), "n", 1.0),
        lambda v: setattr(Heir, "__bases__", (Between if v == 2 else Other,)),
    ),
    "an object in a set": (
        lambda x: x * sum(o.n for o in WORLD["objects"]),
        lambda v: [setattr(o, "n", v) for o in WORLD["objects"]],
    ),
    "an object that is a key": (
        lambda x: x * sum(o.n for o in WORLD["keys"]),
        lambda v: [setattr(o, "n", v) for o in WORLD["keys"]],
    ),
    "a flag of the library": (
        lambda x: x * (2 if torch.backends.cudnn.benchmark else 3),
        lambda v: setattr(torch.backends.cudnn, "benchmark", v != 2),
    ),
    "and one in it": (
        lambda x: x * (2 if torch.backends.cuda.matmul.allow_tf32 else 3),
        lambda v: setattr(torch.backends.cuda.matmul, "allow_tf32", v != 2),
    ),
    "a module that makes its names": (
        lambda x: x * user_module.inner.any,
        lambda v: setattr(user_module.inner, "__getattr__", lambda name: WORLD["factor"])
        or WORLD.update(factor=v),
    ),
    "an attribute that a class is given": (
        lambda x: x * getattr(WORLD["box"], "extra", 1.0),
        lambda v: setattr(Box, "extra", v) if v != 2 else vars(Box).get("extra"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_value_that_changes_makes_another_program(name, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "user_module", user_module)
    function, change = CHANGES[name]
    compiled, x = torch.compile(function, backend="eager"), torch.ones(2)
    try:
        for value in (2.0, 5.0):
            change(value)
            for _ in range(4):
                assert torch.equal(compiled(x), function(x)), value
        assert compiled.count == 2 and not compiled.reason
    finally:
        change(2.0)
        vars(user_module).pop("LATER", None)


class Raises:
    def __getattribute__(self, name):
        return {"k": 2.0}[name]


def test_objects_whose_state_is_hidden_are_refused():
    """In C, or by what they answer."""
    for held, read in (
        (io.StringIO("2"), lambda x: x * (WORLD["held"].seek(0) + len(WORLD["held"].read()))),
        (Raises(), lambda x: x * WORLD["held"].k),
        (0, lambda x: x * len(sys._getframe(1).f_code.co_name)),
    ):
        WORLD["held"] = held
        f = torch.compile(read, backend="eager")
        with pytest.warns(UserWarning, match="cannot be watched|it can reach an object that raises "
                          "KeyError|'_getframe', which reads who calls"):  # fmt: skip
            for _ in range(4):
                f(torch.ones(2))
    del WORLD["held"]


@pytest.mark.parametrize("ask", [
    lambda: len(torch.nn.Module.__subclasses__()), lambda: pathlib.Path("here").exists(),
    lambda: os.path.isdir("here"), lambda: len(os.getcwd()), lambda: decimal.getcontext().prec,
    lambda: sys.getrecursionlimit(),
])  # fmt: skip
def test_what_the_world_answers_is_asked_at_each_call(ask):
    f = torch.compile(lambda x: x * ask(), backend="eager")
    with pytest.warns(UserWarning, match="which (asks|reads a setting|changes with)"):
        for _ in range(3):
            assert torch.equal(f(torch.ones(2)), torch.full((2,), float(ask())))
    assert f.count == 0


@pytest.mark.parametrize("draw", [random.random, np.random.rand, partial(random.choice, [1, 2])])
def test_a_choice_by_other_random_numbers_is_not_written_down(draw):
    """Teacher forcing: two calls may well choose the same."""
    random.seed(0), np.random.seed(0)
    for x in (torch.ones(2), torch.Scalar(1.0)):
        f = torch.compile(lambda x: x * (2 if draw() > 3 else 3), backend="eager")
        with pytest.warns(UserWarning, match="random numbers of Python or numpy"):
            for _ in range(5):
                f(x)


class Trainer:
    """As many are written: the step is one of several methods."""

    extra = 1.0

    def __init__(self):
        self.model = nn.Linear(3, 2)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.schedule = torch.optim.lr_scheduler.StepLR(self.optimizer, 2)
        self.epoch, self.losses, self.best = 0, [], None
        self.settings = types.SimpleNamespace(factor=2.0)

    def factor(self):
        return self.settings.factor * self.extra

    def step(self, x):
        self.optimizer.zero_grad()
        loss = self.model(x).square().mean() * self.factor()
        loss.backward()
        self.optimizer.step()
        return loss

    def fit(self, x, n):
        for self.epoch in range(n):
            self.losses.append(self.step(x).item())
            self.best = min(self.losses)
            self.schedule.step()


def test_of_an_object_that_counts_what_the_function_names():
    found = []
    for wrap in (lambda f: f, lambda f: torch.compile(f, backend="eager")):
        torch.manual_seed(0)
        trainer, x = Trainer(), torch.randn(4, 3)
        trainer.step = step = wrap(trainer.step)
        trainer.fit(x, 8)
        trainer.settings.factor = 3.0
        trainer.fit(x, 4)
        trainer.extra = 0.5  # hides what the class has
        trainer.fit(x, 4)
        trainer.factor = lambda: 7.0
        trainer.fit(x, 4)
        found.append(trainer.losses)
    assert found[0] == pytest.approx(found[1], rel=1e-5) and step.count == 4 and not step.reason


class Named:
    def __init__(self):
        self.n, self.more = 2.0, 0

    def by_getattr(self, x):
        return x * getattr(self, "".join("n"))

    def by_dict(self, x):
        return x * vars(self)["n"]

    def by_match(self, x):
        match self:
            case Named(n=found):
                return x * found

    def by_format(self, x):
        return x * float("{0.n}".format(self))  # noqa: UP030, UP032

    def by_copy(self, x):
        return x * copy.copy(self).n


class Renamed(Named):
    def __repr__(self):
        return str(self.n)

    def by_repr(self, x):
        return x * float(f"{self}")


@pytest.mark.parametrize("way", ["getattr", "dict", "match", "format", "copy", "repr"])
def test_a_name_that_no_text_has_is_watched(way):
    thing, x = Renamed(), torch.ones(2)
    compiled = torch.compile(getattr(thing, f"by_{way}"))
    for n in (2.0, 5.0):
        thing.n = n
        for _ in range(4):
            assert compiled(x).tolist() == [n, n]
    assert compiled.count == 2


@pytest.mark.parametrize(("where", "name"), [
    (torch, "sin"), (F, "relu"), (torch.Tensor, "exp"), (nn.Linear, "forward"), (math, "sqrt"),
    (user_module.inner, "f"), (sys.modules[__name__], "max"),
    # those that only the package calls, or an operator
    (F, "linear"), (nn.Module, "__call__"), (nn.Linear, "__call__"), (torch.Tensor, "__neg__"),
])  # fmt: skip
def test_a_name_of_the_package_that_is_replaced(where, name, monkeypatch):
    layer = nn.Linear(2, 2)

    def function(x):
        y = torch.sin(x) + F.relu(x) + x.exp() * -x + layer(x)
        return y + math.sqrt(4) + user_module.inner.f(x) + max(1, 2)

    compiled, x = torch.compile(function), torch.tensor([0.5, -1.0])
    for change in (lambda: None, lambda: monkeypatch.setattr(where, name, other, raising=False),
                   monkeypatch.undo):  # fmt: skip
        change()
        for _ in range(4):
            assert torch.allclose(compiled(x), function(x))
    assert not compiled.reason


def other(*given):
    return 100.0


@pytest.mark.parametrize("function", [
    lambda d: (d.update(n=5), d["x"] * 2)[1],
    lambda d: d.pop("x") * 2,
    lambda d: (d["l"].append(3), d["x"] * 2)[1],
    lambda d: (d["l"].reverse(), d["l"][0] * d["x"])[1],
    lambda d: (setattr(d["x"], "tag", 1), d["x"] * 2)[1],
])  # fmt: skip
def test_what_a_function_changes_of_its_arguments_is_not_lost(function):
    compiled = torch.compile(function, backend="eager")
    with pytest.warns(UserWarning, match="changes a list, a dict|gives an attribute to a tensor"):
        for i in range(5):
            given = [{"x": torch.full((2,), float(i)), "l": [1, 2]} for _ in range(2)]
            assert torch.equal(function(given[0]), compiled(given[1]))
            assert [*given[0]] == [*given[1]] and given[0]["l"] == given[1]["l"]
            assert vars(given[0].get("x", 0) if "x" in given[0] else Box()) == (
                vars(given[1].get("x", 0) if "x" in given[1] else Box())
            )


@dataclasses.dataclass
class Batch:
    x: torch.Tensor
    scale: float = 2.0

    def scaled(self):
        return self.x * self.scale


Pair = collections.namedtuple("Pair", "a b")


def test_dataclasses_named_tuples_slices_and_numbers_of_numpy_are_arguments():
    def f(batch, pair, part, n):
        return Pair(batch.scaled()[part] * n, pair.a + pair.b)

    compiled = torch.compile(f, backend="eager")
    for i in range(8):
        given = (Batch(torch.full((3,), float(i)), 2.0 + i // 4), Pair(torch.ones(2), i // 4),
                 slice(0, 2), np.float32(1.5))  # fmt: skip
        for x, y in zip(f(*given), compiled(*given), strict=True):
            assert torch.equal(x, y)
    assert compiled.count == 2 and not compiled.reason


def test_arguments_that_never_come_back_are_given_up_and_not_kept():
    compiled = torch.compile(lambda x, k: x * k)
    with pytest.warns(UserWarning, match="Python arguments change: give numbers"):
        for i in range(70):
            compiled(torch.ones(2), float(i))
    assert not compiled.pending


def test_an_argument_that_was_a_tensor_and_is_none():
    def f(x, m=None):
        return x if m is None else x * m

    compiled = torch.compile(f)
    for i in range(16):
        x, m = torch.randn(3), None if i % 3 == 2 else torch.randn(3)
        assert torch.allclose(compiled(x, m), f(x, m))
    assert compiled(torch.ones(3), 2.0).tolist() == [2, 2, 2]


# ---- modules -------------------------------------------------------------------------------------
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.k = nn.Linear(2, 2), 3.0

    def forward(self, x):
        return self.layer(x) * self.k


def test_a_compiled_module_is_the_module():
    net = torch.compile(Net(), backend="eager")
    x = torch.randn(3, 2)
    for k in (3.0, 5.0):
        net.k = k
        for _ in range(4):
            assert torch.equal(net(x), net.layer(x) * k)
    assert net._orig_mod.k == 5.0 and "k" not in vars(net) and not net.reason
    net.layer = nn.Linear(2, 1)
    assert net(x).shape == (3, 1)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(other(x), net(x))
        other.layer.weight.data.zero_()
        assert not torch.equal(other(x), net(x))
    with pytest.raises(AttributeError, match="nothing"):
        net.nothing  # noqa: B018


@torch.compile
def decorated(x):
    """Twice."""
    return x * 2


def test_compiled_in_place_by_a_decorator_and_by_name():
    net, x = Net(), torch.randn(3, 2)
    want = net(x)
    assert net.compile(backend="eager") is None
    for _ in range(4):
        assert torch.equal(net(x), want)
    assert net.forward.count == 1 and [*net.state_dict()] == ["layer.weight", "layer.bias"]
    other = copy.deepcopy(net)
    other.k = 0.0
    assert not other(x).any() and torch.equal(net(x), want)
    assert pickle.loads(pickle.dumps(decorated)) is decorated and decorated.__doc__ == "Twice."


# ---- results -------------------------------------------------------------------------------------
def test_parts_of_one_array_and_one_tensor_twice_are_returned():
    layer = nn.Linear(4, 6)

    def f(x):
        q, k, v = layer(x).chunk(3, -1)
        return q, k, v, q, (x * 2).unbind(0)

    compiled = torch.compile(f)
    for _ in range(5):
        x, grads = torch.randn(2, 4), []
        for function in (f, compiled):
            q, k, v, again, rows = function(x)
            assert q is again
            layer.zero_grad()
            (q * k + v).sum().backward()
            grads.append([layer.weight.grad.clone(), *[r.clone() for r in rows]])
        assert all(map(torch.allclose, *grads))
    assert compiled.count == 1 and not compiled.reason


def test_results_that_lie_over_one_another_run_as_written():
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        compiled = torch.compile(lambda x: (lambda y: (y, y[0]))(x * 2))
        for _ in range(4):
            whole, row = compiled(torch.ones(2, 2))
            row.zero_()
            assert whole[0].tolist() == [0, 0]
    assert compiled.reason and len(said) == 1


def in_region(x):
    with torch.autocast("cpu"):
        return torch.mm(x, x).dtype == torch.float16


SETTINGS = {  # what a function asks or makes of it; a call that sets it; and that sets it back
    "inference mode": (lambda x: torch.is_inference_mode_enabled(),
                       lambda: torch.inference_mode().__enter__(),
                       lambda: torch.inference_mode(False).__enter__()),
    "default dtype": (lambda x: torch.ones(1).dtype == torch.float64,
                      lambda: torch.set_default_dtype(torch.float64),
                      lambda: torch.set_default_dtype(torch.float32)),
    "autocast's dtype": (in_region, lambda: torch.set_autocast_dtype("cpu", torch.float16),
                         lambda: torch.set_autocast_dtype("cpu", torch.bfloat16)),
    "autocast's cache": (lambda x: torch.is_autocast_cache_enabled(),
                         lambda: torch.set_autocast_cache_enabled(False),
                         lambda: torch.set_autocast_cache_enabled(True)),
    "what is remembered": (lambda x: torch.get_deterministic_debug_mode() == 1,
                           lambda: torch.set_deterministic_debug_mode(1),
                           lambda: torch.set_deterministic_debug_mode(0)),
    "numpy's": (lambda x: np.geterr()["over"] == "ignore", lambda: np.seterr(over="ignore"),
                lambda: np.seterr(over="warn")),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:compile")
@pytest.mark.parametrize("name", SETTINGS)
def test_another_setting_of_the_library_is_another_program(name):
    asked, on, off = SETTINGS[name]

    def f(x):
        return x * (2 if asked(x) else 3)

    compiled, x = torch.compile(f), torch.ones(2, 2)
    with torch.no_grad():
        for _ in range(5):
            compiled(x)
        try:
            on()
            assert torch.equal(compiled(x), f(x))
        finally:
            off()
        assert torch.equal(compiled(x), f(x))


@pytest.mark.parametrize("arguments", [0, 1])
def test_under_another_default_device_it_runs_as_written(arguments):
    """The device is a name that no tensor can be made on: the function's own error is seen."""
    compiled = torch.compile(lambda *x: torch.ones(3) + sum(x))
    x = [torch.ones(3)] * arguments
    for _ in range(5):
        compiled(*x)
    with torch.device("meta"), pytest.raises(RuntimeError, match="not available"):
        compiled(*x)
    with torch.device("cpu"):
        assert compiled(*x)[0] == 1 + arguments
    assert compiled.count == 1 and not compiled.reason
