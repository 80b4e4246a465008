"""A pupil's class ``Value``, or function ``backward``, beside Scalars of the engine.

Small programs, one operation on a line, run on both. Values are compared in the order of the
program, gradients in the order of backward, so that the first difference is where it began.
"""
from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from microtorch import Scalar
from microtorch.graph import Node

from .exercise_answers import Answer, Function, Wrong, near, raised, shown
from .exercise_slips import ARRIVES, slip

START = {"a": 2.0, "b": -3.0}
FINE = {"a": 0.7, "b": -1.3}  # where functions are not flat
NEEDED = {  # methods that a program needs, beside __add__ and __mul__
    "L = a ** 3": "__pow__", "L = a ** -1": "__pow__", "L = -a": "__neg__", "L = a - b": "__sub__",
    "L = a / b": "__truediv__", "L = a + 1": "__add__", "L = a * 2": "__mul__",
    "L = 1 + a": "__radd__", "L = 2 * a": "__rmul__", "L = 1 - a": "__rsub__",
    "L = 3 / a": "__rtruediv__",
}  # fmt: skip
FUNCTIONS = {  # what each is tried on: its sign matters
    "tanh": "a * b", "exp": "a * b", "relu": "a * b", "sigmoid": "a * b", "log": "a * a",
    "sin": "a * b", "cos": "a * b", "sqrt": "a * a", "abs": "a * b",
}  # fmt: skip
BENT = ("relu", "abs")  # tried on both sides of 0
SHARED = [
    "L = a + a",
    "L = a * a",
    "c = a * b\nL = c * a",
    "c = a * b\nd = c + a\ne = c * d\nL = e + c",
    "\n".join(["c1 = a + b"] + [f"c{i + 1} = c{i} + c{i}" for i in range(1, 9)] + ["L = c9 * a"]),
]
INPUTS = ("_prev", "prev", "parents", "_parents", "children", "_children", "inputs", "_inputs")
DEEP = 3000  # operations in a row


def check_class(value: type) -> Answer:
    """Values, gradients and structure of ``Value``. ``a`` is 2 and ``b`` is -3."""
    answer = Answer(f"class {value.__name__}")
    programs = ["L = a + b", "L = a * b"]
    for program, method in NEEDED.items():
        if method in dir(value):
            programs.append(program)
        else:
            answer.later.append(f"{program[4:]} ({method})")
    functions: list[str] = []
    for f, first in FUNCTIONS.items():
        if f not in dir(value):
            answer.later.append(f"{f}()")
            continue
        # in the middle of a program, so that a forgotten out.grad shows
        for c in (first, "a * a") if f in BENT else (first,):
            functions.append(f"c = {c}\nd = c.{f}()\nL = d * a")
    for program in [*programs[:2], *functions, *programs[2:], *SHARED]:
        answer.wrong = _compare(value, program)
        if answer.wrong is not None:
            return answer
        lines = program.splitlines()
        short = "; ".join(lines)
        answer.right.append(short if len(lines) < 6 else f"{len(lines)} lines that share values")
    answer.wrong = _twice(value) or _structure(value)
    if answer.wrong is None:
        answer.right.append("gradients of two graphs add up in a leaf")
        answer.wrong, answer.note = _deep(value)
        answer.note = "\n         ".join(filter(None, [_at_zero(value), answer.note]))
    return answer


def _start(program: str) -> dict[str, float]:
    """What a program is run on."""
    return FINE if any(f".{f}()" in program for f in FUNCTIONS) else START


def _run(make: Function, program: str) -> dict[str, Any]:
    names: dict[str, Any] = {k: make(v) for k, v in _start(program).items()}
    exec(program, {}, names)
    return names


def _compare(value: type, program: str) -> Wrong | None:
    ours = _run(Scalar, program)
    ours["L"].backward()
    try:
        theirs = _run(value, program)
    except Exception as error:  # the pupil's
        return raised(program, error)
    for name, scalar in ours.items():  # forward: in the order of the program
        got = getattr(theirs[name], "data", None)
        if not isinstance(got, (int, float)) or not near(scalar.data, got):
            what = f"{name}: the value should be {shown(scalar.data)}, and is {_text(got)}"
            hint = "backward is not to blame: this is computed on the way forward"
            if not hasattr(theirs[name], "data"):
                hint = "the number of a Value is read from .data, and its gradient from .grad"
            method = NEEDED.get(program, "")
            if method.startswith("__r"):
                hint += f", by a.{method}({program.split()[2]})"
            return _wrong(program, what, hint, ours, name, f"yours: {_text(got)}")
    try:
        theirs["L"].backward()
    except RecursionError:
        return Wrong(program, "backward() calls itself for ever", "does a value list itself?")
    except Exception as error:  # the pupil's
        return raised(program, error)
    order = sorted(ours, key=lambda name: ours[name].seq, reverse=True)
    for name in order:  # backward: newest first
        wanted, got = ours[name].grad, getattr(theirs[name], "grad", None)
        wanted = 0.0 if wanted is None else wanted
        if not isinstance(got, (int, float)) or not near(wanted, got):
            what = f"{name}: the gradient should be {shown(wanted)}, and is {_text(got)}"
            if name in START:
                finite = _finite(value, program, name)
                what += f"\nits finite difference is {shown(finite)}" if finite is not None else ""
            parts = _contributions(ours, name)
            if len(parts) > 1:
                what += f"\nit is the sum of {' and '.join(map(shown, parts))}"
            hint = _hint(program, name, wanted, got, parts, ours)
            return _wrong(program, what, hint, ours, name, f"yours: {_text(got)}")
    return None


def _wrong(
    program: str, what: str, hint: str, ours: Mapping[str, Any], name: str, remark: str
) -> Wrong:
    return Wrong(program, what, hint, ours["L"], ours, {name: remark}, _start(program))


def _text(got: object) -> str:
    return shown(got) if isinstance(got, (int, float)) else repr(got)[:40]


def _contributions(
    ours: Mapping[str, Any], name: str, arrives: float | None = None
) -> list[float]:
    """What each use of a value adds to its gradient; ``arrives`` in place of the user's own."""
    node, parts = ours[name], []
    for user in ours.values():
        if user.op is not None and user.grad is not None:
            given = user.contributions(user.grad if arrives is None else arrives, None)
            parts += [float(d) for x, d in zip(user.inputs, given, strict=False) if x is node]
    return parts


def _finite(value: type, program: str, name: str) -> float | None:
    """The finite difference of the pupil's own forward."""
    ends = []
    h = 1e-5
    for sign in (h, -h):
        names = {k: value(v + sign * (k == name)) for k, v in _start(program).items()}
        try:
            exec(program, {}, names)
            ends.append(float(names["L"].data))
        except Exception:  # the pupil's; it was told before
            return None
    return (ends[0] - ends[1]) / (2 * h)


def _hint(
    program: str, name: str, wanted: float, got: object, parts: list[float], ours: Mapping[str, Any]
) -> str:
    """What usually makes such a number out of the right one."""
    if name == "L":
        return "backward starts with the gradient 1 of the result itself"
    users = [u for u in ours.values() if any(x is ours[name] for x in u.inputs)]
    function = f".{users[0].op.name}()" in program if users else False
    if got is None or (got == 0 and not function):
        return (
            "nothing arrived: backward must come to every value below the result, and from the "
            "result down"
        )
    assert isinstance(got, (int, float))
    if len(parts) > 1 and any(near(got, d) for d in parts):
        return f"one of {len(parts)} contributions is left: they add up, so write += and not ="
    bare = _contributions(ours, name, 1.0)
    for mixed in product(*zip(parts, bare, strict=True)) if 1 < len(parts) < 6 else ():
        if near(got, sum(mixed)):
            return ARRIVES
    if program not in SHARED and len(users) == 1:
        user = users[0]
        position = next(k for k, x in enumerate(user.inputs) if x is ours[name])
        values = [float(x.value) for x in user.inputs]
        texts = [next((k for k, v in ours.items() if v is x), shown(x.value)) for x in user.inputs]
        said = slip(user.op.name, position, values, float(user.value), user.grad, got, texts)
        if said:
            return said
        text = next(t for t in program.splitlines() if ours[t.partition(" = ")[0]] is user)
        text = text.partition(" = ")[2]
        slopes = f"is {shown(wanted / user.grad)} here, and yours {shown(got / user.grad)}"
        return f"the derivative of {text} by {name} {slopes}"
    if near(got, -wanted):
        return "the sign: a minus is missing, or there is one too many"
    return (
        "a value sends its gradient on before it is complete, or more than once: each value "
        "once, after all that use it (topological order)"
    )


def _twice(value: type) -> Wrong | None:
    program = "(a * 2).backward()\n(a * 3).backward()"
    a = value(2.0)
    if "__mul__" not in dir(value):
        return None
    try:
        (a * value(2.0)).backward()
        (a * value(3.0)).backward()
    except Exception as error:  # the pupil's
        return raised(program, error)
    got = getattr(a, "grad", None)
    if isinstance(got, (int, float)) and near(got, 5.0):
        return None
    what = f"a: after two backwards the gradient should be 2 + 3 = 5, and is {_text(got)}"
    hint = "a leaf keeps what it has until somebody empties it: +="
    ours = {"a": Scalar(2.0)}
    ours["L"] = ours["a"] * 3.0
    return Wrong(program, what, hint, ours["L"], ours, {"a": f"yours: {_text(got)}"})


def _at_zero(value: type) -> str:
    """What relu takes for its derivative where it has none."""
    if "relu" not in dir(value):
        return ""
    x = value(0.0)
    (x.relu() * value(1.0)).backward()
    slope = getattr(x, "grad", None)
    if not isinstance(slope, (int, float)) or slope == 0:
        return ""
    return f"at 0, relu has any derivative from 0 to 1; PyTorch takes 0, and yours is {slope:g}"


def _structure(value: type) -> Wrong | None:
    """Is each value made from what it should be? Only where the class keeps this by a known name.
    """
    program = SHARED[3]
    ours, theirs = _run(Scalar, program), _run(value, program)
    slot = next((s for s in INPUTS if hasattr(theirs["c"], s)), None)
    if slot is None:
        return None
    for name, scalar in ours.items():
        wanted = {k for k, v in ours.items() if any(v is x for x in scalar.inputs)}
        held = getattr(theirs[name], slot)
        found = {k for k, v in theirs.items() if any(v is x for x in held)}
        if wanted != found or len(list(held)) > len(scalar.inputs):
            listed = " and ".join(sorted(wanted)) or "nothing"
            got = " and ".join(sorted(found)) or "nothing"
            what = f"{name} is made from {listed}; its .{slot} holds {got} ({len(list(held))})"
            hint = "each result keeps its operands, and nothing else"
            return _wrong(program, what, hint, ours, name, f"yours: {got}")
    return None


def _deep(value: type) -> tuple[Wrong | None, str]:
    """A long chain: a wrong gradient, or a remark where Python's recursion ends."""
    program = f"{DEEP} additions in a row"
    a = total = value(1.0)
    one = value(1.0)
    try:
        for _ in range(DEEP):
            total = total + one
        total.backward()
    except RecursionError:
        fix = "a list that a loop walks has no such limit"
        return None, f"{program} end in a RecursionError: {fix}"
    got = getattr(a, "grad", None)
    if isinstance(got, (int, float)) and near(got, 1.0):
        return None, ""
    return Wrong(program, f"the first value: the gradient should be 1, and is {_text(got)}"), ""


# ---- a function backward -------------------------------------------------------------------------
def check_backward(backward: Function) -> Answer:
    """``backward(root)``: a dict from the nodes of a graph of Scalars to their gradients."""
    answer = Answer("backward(root)")
    for program in ["L = a + b", "L = a * b", "c = a * b\nL = c.tanh()", *SHARED]:
        ours = _run(Scalar, program)
        ours["L"].backward()
        try:
            found = backward(ours["L"])
        except Exception as error:  # the pupil's
            answer.wrong = raised(program, error)
            return answer
        if not isinstance(found, Mapping):
            what = f"backward returned {type(found).__name__}, and not a dict of gradients"
            answer.wrong = Wrong(program, what, "return {node: gradient}")
            return answer
        for name in sorted(ours, key=lambda n: ours[n].seq, reverse=True):
            node: Node = ours[name]
            if node.grad is None:  # it took no part
                continue
            got = found.get(node)
            if not isinstance(got, (int, float)) or not near(node.grad, got):
                what = f"{name}: the gradient should be {shown(node.grad)}, and is {_text(got)}"
                parts = _contributions(ours, name)
                hint = _hint(program, name, node.grad, got, parts, ours)
                answer.wrong = _wrong(program, what, hint, ours, name, f"yours: {_text(got)}")
                return answer
        answer.right.append("; ".join(program.splitlines()[:5]))
    return answer
