"""Values that are made when they are first asked for."""

import re
import threading
from pathlib import Path

import pytest
from repository import python, ran

from microtorch import ops
from microtorch.base.promises import Promises


def run(program):
    return python("-c", program)


def test_a_value_is_made_once_and_only_when_asked_for():
    made, d = [], Promises()
    d.promise(["a", "b"], lambda name: made.append(name) or name.upper())
    assert "a" in d and "c" not in d and not made
    assert d["a"] == "A" and d["a"] == "A" and d.get("c", 3) == 3 and made == ["a"]
    with pytest.raises(KeyError):
        d["c"]


def test_who_walks_over_it_gets_all():
    for walk in (list, dict, lambda d: d.keys(), lambda d: {**d}, lambda d: dict(d.items())):
        d = Promises()
        d.promise(["a", "b"], str.upper)
        assert set(walk(d)) == {"a", "b"}
    assert len(d) == 2 and sorted(d.values()) == ["A", "B"]


def test_what_is_promised_counts_as_made():
    d = Promises()
    d.promise(["a"], lambda name: d.made("a"))  # asked while it is made
    assert d["a"] is False and d.made("a") and not d.made("b")


def test_an_error_leaves_the_promise_open():
    tries, d = [], Promises()
    d.promise(["a"], lambda name: tries.append(name) or 1 / (len(tries) - 1))
    with pytest.raises(ZeroDivisionError):
        d["a"]
    assert d["a"] == 1.0


def test_threads_that_ask_at_once_get_the_same():
    program = """
import sys, threading
import microtorch as torch
sys.setswitchinterval(1e-6)
from microtorch.facade.namespace import FUNCTION_NAMES
names = sorted(FUNCTION_NAMES)
start, found, errors = threading.Barrier(6), [{} for _ in range(6)], []
def ask(i):
    start.wait()
    try:
        for n in names[i * 70:] + names[:i * 70]:
            found[i][n] = getattr(torch, n)
            if hasattr(torch.Tensor, n):
                found[i]["." + n] = getattr(torch.Tensor, n)
    except Exception as e:
        errors.append(repr(e))
threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
[t.start() for t in threads]; [t.join() for t in threads]
same = all(f[n] is found[0][n] for f in found for n in f)
print(errors, same, len(found[0]) > 700)
"""
    assert run(program).split() == ["[]", "True", "True"]


def test_threads_that_are_the_first_to_compute():
    """Operators, functions and the C core's kernels are all made while several ask for them."""
    program = """
import sys, threading
import microtorch as torch
sys.setswitchinterval(1e-6)
F = torch.nn.functional
steps = (
    lambda a: a + a, lambda a: a @ a, lambda a: (a < 0.5) & (a > 0.1), lambda a: 1 - a // 2,
    lambda a: a.softmax(1), lambda a: a.cumsum(0), lambda a: a.gather(1, a.long()),
    lambda a: F.layer_norm(a, (4,)), lambda a: F.avg_pool2d(a[None, None], 2), lambda a: a.tril(),
    lambda a: torch.cdist(a, a), lambda a: a.erfinv(), lambda a: torch.ones(4, 4) * a,
)
start, found = threading.Barrier(6), [[] for _ in range(6)]
def ask(i):
    a = torch.linspace(0, 0.9, 16).reshape(4, 4)
    start.wait()
    for k in range(len(steps)):
        try:
            found[i].append(((k + i) % len(steps), steps[(k + i) % len(steps)](a).tolist()))
        except Exception as e:
            found[i].append(((k + i) % len(steps), repr(e)))
threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
[t.start() for t in threads]; [t.join(60) for t in threads]
print(all(sorted(f) == sorted(found[0]) for f in found), len(found[0]), "Error" in repr(found))
"""
    assert run(program).split() == ["True", "13", "False"]


def test_the_tables_of_contents_are_up_to_date():
    done = ran("scripts/contents.py")
    assert done.returncode == 0, f"python scripts/contents.py --write: {done.stdout}{done.stderr}"


def test_a_builtin_op_cannot_be_declared_again():
    program = """
from microtorch.engine.op import Op
for name in ("median", "erf", "add", "read_at_places"):
    try:
        Op(name, None)
    except ValueError as e:
        print(e)
"""
    assert run(program).count("is declared twice") == 4


@pytest.mark.parametrize("last", ["cat", "erfinv", "median", "cumsum"])
def test_a_file_whose_import_ctrl_c_has_ended_is_imported_again(last):
    program = f"""
import microtorch as torch
from microtorch.engine.op import Op
register = Op._register
def interrupted(self, forward):
    register(self, forward)
    if self.name == {last!r}:
        Op._register = register
        raise KeyboardInterrupt
Op._register = interrupted
x = torch.linspace(0, 0.5, 3)
for _ in range(2):
    try:
        print(torch.cat([x, x.erfinv(), x.median()[None], x.cumsum(0)]).shape)
    except KeyboardInterrupt:
        print("interrupted")
"""
    assert run(program).split("\n")[:2] == ["interrupted", "torch.Size([10])"]


def test_who_makes_a_value_apart_lets_others_make_theirs():
    """It may import a module, which another thread is importing that asks for a value."""
    made, asked = threading.Event(), threading.Event()
    waiting: Promises[bool] = Promises(apart=True)
    other: Promises[int] = Promises()
    waiting.promise(["x"], lambda name: asked.set() or made.wait(10))
    other.promise(["y"], len)
    found = []
    thread = threading.Thread(target=lambda: found.append(waiting["x"]))
    thread.start()
    assert asked.wait(10) and other["y"] == 1
    made.set()
    thread.join()
    assert found == [True] == list(waiting.values())


def test_a_module_that_does_not_enter_what_it_promised():
    d = Promises()
    d.promise(["absent"], "json")  # which is imported, and knows nothing of it
    with pytest.raises(KeyError, match="absent, which json has not entered"):
        d["absent"]


def test_an_override_that_asks_super_for_a_promised_method_runs_once():
    program = """
import microtorch as torch
class Counting(torch.Tensor):
    ran = []
for name in ("backward", "add_", "exp", "fill_", "new_zeros"):
    def method(self, *args, name=name):
        self.ran.append(name)
        return getattr(super(Counting, self), name)(*args)
    setattr(Counting, name, method)
x = torch.zeros(3).as_subclass(Counting)
x.exp(); x.add_(1); x.fill_(2); x.new_zeros(2)
torch.ones((), requires_grad=True).as_subclass(Counting).backward()
print(*Counting.ran)
"""
    assert run(program).split() == "exp add_ fill_ new_zeros backward".split()


def test_the_map_of_ops_names_every_file():
    rows = re.findall(r"^    [a-z, ]+?  +([a-z_ 0-9]+)$", ops.__doc__, re.MULTILINE)
    files = [path.stem for path in Path(ops.__file__).parent.glob("*.py")]
    assert sorted(" ".join(rows).split()) == sorted({*files} - {"__init__"})
