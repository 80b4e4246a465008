"""The steps of a computation, forward and backward: the sequence that tables and steppers show.

Forward: one step per leaf and per op, in the order in which they were made. Then "backward starts" with ∂o/∂o = 1.
Backward: one step per *contribution*, that is per edge, newest first: there ``+=`` becomes visible, old +
contribution = new.

Each backward step carries its rule with the user's names, the same with numbers, the local derivative, the finished
gradient beside a finite difference, and a remark in plain words where the numbers allow one. All of it is plain
data in ``trace.steps``.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any

import numpy as np

from microtorch import expr

from ..drawing import style
from ..drawing.style import number
from ..reading import measure as replay
from ..reading.trace import Array, Trace, TraceNode, summary
from . import differences

LETTERS = "xyzwvut"
INFIX = {"add": "+", "sub": "−", "mul": "×", "div": "/", "matmul": "@"}
SUPERSCRIPTS = str.maketrans("0123456789-.", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻·")
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SATURATED = 0.05  # a local derivative below which a squashing function is called flat


def add_steps(trace: Trace) -> Trace:
    """Fill ``trace.steps``; ``trace`` was filled with ``gradients=True``. Returns it."""
    names = display_names(trace)
    known = replay.values(trace._graph, trace._root_value)
    result = replay.Replay(trace._graph, known)
    checks = differences.gradients(trace, known)
    steps = trace.steps = []
    for t in trace.nodes:
        if t.role == "constant":
            continue
        text = expression(trace, t.id, names)
        steps.append(
            {"phase": "forward", "kind": "op" if t.op else "leaf", "node": t.id, "name": names[t.id], "text": text}
        )
    root = trace.root
    if not result.gradients:
        trace.note = trace.note or result.reason
        return trace
    steps.append(
        {
            "phase": "backward",
            "kind": "seed",
            "node": root,
            "name": names[root],
            "text": f"{partial(names, root, root)} = 1",
        }
    )
    place = {(e.target, e.position): k for k, e in enumerate(trace.edges)}
    held: dict[int, Any] = {root: result.gradients[root]}
    given: Counter[int] = Counter()
    expected = Counter(trace.nodes[i].inputs[position] for i, position in result.contributions)
    for i in result.order:
        for position, j in enumerate(trace.nodes[i].inputs):
            d = result.contributions.get((i, position))
            if d is None:
                continue
            old = held.get(j)
            held[j] = d if old is None else old + d
            given[j] += 1
            step = _contribution(trace, names, known, i, position, d, old, held[j], result.gradients.get(i))
            step["edge"] = place[i, position]
            step["uses"] = given[j]
            step["final"] = given[j] == expected[j]
            check = checks.get(j)
            if check is not None:
                step["check"] = check
            steps.append(step)
    return trace


def _contribution(
    trace: Trace, names: list[str], known: list[Any], i: int, position: int, d: Any, old: Any, new: Any, g: Any
) -> dict[str, Any]:
    j, root = trace.nodes[i].inputs[position], trace.root
    left = partial(names, root, j)
    symbolic, numeric = rule(trace, names, known, i, position, g)
    step: dict[str, Any] = {
        "phase": "backward",
        "kind": "contribution",
        "node": j,
        "from": i,
        "position": position,
        "name": names[j],
        "text": f"{names[i]} sends its gradient to {names[j]}",
        "chain": f"{left} += {partial(names, root, i)} · {partial(names, i, j)}",
        "rule": f"{left} += {symbolic}",
        "numbers": f"+= {numeric}" if numeric else "",
        "old": None if old is None else _number(old),
        "contribution": _number(d),
        "new": _number(new),
        "local": local(trace, known, i, position, d, g),
        "remark": "",
    }
    if step["contribution"] is not None:
        was = "0" if old is None else number(step["old"])
        step["sum"] = f"{was} + {_signed(step['contribution'])} = {number(step['new'])}"
    else:
        step["array"] = summary(d)
        step["total"] = summary(new)
        step["sum"] = f"|contribution| = {style.short(step['array'].rms)}"
    step["remark"] = remark(trace, names, i, position, step, old)
    return step


# ---- words and formulas ---------------------------------------------------------------------------------------------
def display_names(trace: Trace) -> list[str]:
    """A name for every node, different for different nodes: the user's, an expression, or v₃."""
    out = []
    for t in trace.nodes:
        name = t.name
        if t.parameter and t.module is not None and name == t.parameter:
            name = f"{trace.modules[t.module].path}.{t.parameter}"
        if not name and t.role == "constant" and t.value is not None and t.value.number is not None:
            out.append(style.literal(t.value.number))
            continue
        name = name or t.expression
        out.append("".join(c if c.isprintable() else "�" for c in name))
    many = Counter(name for t, name in zip(trace.nodes, out, strict=True) if name and t.role != "constant")
    seen: Counter[str] = Counter()
    for t, name in zip(trace.nodes, out, strict=True):
        if t.role == "constant":
            out[t.id] = name or "const"
        elif not name:
            out[t.id] = "v" + str(t.id).translate(SUBSCRIPTS)
        elif many[name] > 1:
            seen[name] += 1
            out[t.id] = name + str(seen[name]).translate(SUBSCRIPTS)
    return out


def partial(names: list[str], a: int, b: int) -> str:
    return f"∂{_atom(names[a])}/∂{_atom(names[b])}"


def _atom(name: str) -> str:
    return f"({name})" if any(c in name for c in " ·×+/") else name


def expression(trace: Trace, i: int, names: list[str]) -> str:
    """What a node computes, as the user might write it: ``w1 × x1``, ``tanh(n)``; for a leaf, its role."""
    t = trace.nodes[i]
    if not t.op:
        return t.role
    inputs = [names[j] for j in t.inputs]
    if t.op in INFIX and len(inputs) == 2:
        return f"{_wrap(inputs[0])} {INFIX[t.op]} {_wrap(inputs[1])}"
    if t.op == "pow":
        return power(_wrap(inputs[0]), inputs[1])
    if t.op == "neg":
        return f"−{_wrap(inputs[0])}"
    return f"{t.op}({', '.join(inputs)})"


def _wrap(name: str) -> str:
    return f"({name})" if " " in name or name.startswith("−") else name


def power(a: str, b: str) -> str:
    """``a²`` where the exponent is a number, else ``a ** b``."""
    a = f"({a})" if (" " in a or a.startswith("−")) and not a.startswith("(") else a
    plain = b.replace("−", "-")
    if re.fullmatch(r"-?\d+", plain):
        return a + plain.translate(SUPERSCRIPTS)
    return f"{a} ** {f'({b})' if ' ' in b else b}"


def rule(trace: Trace, names: list[str], known: list[Any], i: int, position: int, g: Any) -> tuple[str, str]:
    """The contribution of node i to its operand, with names and with numbers (only where all of them are numbers)."""
    t = trace.nodes[i]
    text = rule_of(trace, t, position) or "g"
    letters = {LETTERS[k]: names[j] for k, j in enumerate(t.inputs) if k < len(LETTERS)}
    if t.op == "linear":  # whose rule calls its weight w
        letters["w"] = names[t.inputs[1]]
    letters |= {"out": names[i], "g": partial(names, trace.root, i)}
    values = {LETTERS[k]: _shown(known[j]) for k, j in enumerate(t.inputs) if k < len(LETTERS)}
    values |= {"out": _shown(known[i]), "g": _shown(g)}
    values |= {k: style.literal(float(v)) for k, v in _numbers(t.attrs).items()}
    try:
        expr.parse(text)
        needed = expr.names(text)
    except expr.FormulaError:
        shown = re.sub(r"\b(out|[gxyzwvut])(?=\b|ᵀ)", lambda m: letters.get(m[1], m[1]), text)
        return shown, ""
    symbolic = _written(text, {k: _wrap(v) for k, v in letters.items()})
    numeric = _written(text, values) if all(values.get(k) for k in needed) else ""
    return symbolic, numeric


def rule_of(trace: Trace, t: TraceNode, position: int) -> str:
    """The rule of an operand as in the formula table; a power with a number as exponent is written out: ``g * 2 * x``."""
    text = t.rules[position] if position < len(t.rules) else ""
    exponent = trace.nodes[t.inputs[1]].value if t.op == "pow" and position == 0 else None
    if exponent is None or exponent.number is None or trace.nodes[t.inputs[1]].role != "constant":
        return text
    n = float(exponent.number)
    special = {0.0: "0 * g", 1.0: "g", 2.0: "g * 2 * x", -1.0: "-g * x ** -2"}
    return special.get(n, f"{'-' if n < 0 else ''}g * {abs(n):g} * x ** {n - 1:g}")


def _written(text: str, values: dict[str, str]) -> str:
    dialect = expr.text_dialect(values)._replace(
        power=power,
        divide=lambda a, b: f"{_part(a, '+−')} / {_part(b, '+−·/')}",
        name=lambda n: values.get(n, n) if not values.get(n, n).startswith("−") else f"({values[n]})",
    )
    text = re.sub(r"(?<!/ )\b(\w+) \* \1\b", r"\1 ** 2", text)
    return expr.render(text, dialect)


def _part(s: str, weaker: str) -> str:
    """``s`` in parentheses if one of the signs ``weaker`` stands in it outside of parentheses."""
    depth = 0
    for k, c in enumerate(s):
        depth += (c == "(") - (c == ")")
        if depth == 0 and c in weaker and s[k - 1 : k] == " ":
            return f"({s})"
    return s


def _numbers(attrs: dict[str, str]) -> dict[str, float]:
    out = {}
    for k, v in attrs.items():
        try:
            out[k] = float(v)
        except ValueError:
            continue
    return out


def _shown(v: Any) -> str:
    """A number as text; empty for arrays of several elements and for what was freed."""
    n = _number(v)
    return "" if n is None else number(n)


def _number(v: Any) -> float | None:
    if v is None or isinstance(v, dict):
        return None
    return float(np.asarray(v).reshape(())) if np.asarray(v).size == 1 else None


def _signed(v: float) -> str:
    return f"({number(v)})" if v < 0 else number(v)


def local(trace: Trace, known: list[Any], i: int, position: int, d: Any, g: Any) -> float | None:
    """∂out/∂operand as one number, where both are numbers."""
    a, b = _number(d), _number(g)
    if a is None or b is None:
        return None
    if b:
        return a / b
    op = trace._graph[i].op
    try:
        inputs = [_number(known[j]) for j in trace.nodes[i].inputs]
        return float(
            op.scalar_derivatives[position](1.0, _number(known[i]), *inputs, **(trace._graph[i].attrs or {}))
        )
    except (AttributeError, TypeError, KeyError):
        return None


def remark(trace: Trace, names: list[str], i: int, position: int, step: dict[str, Any], old: Any) -> str:
    """What the numbers say in plain words, or nothing."""
    t = trace.nodes[i]
    j = t.inputs[position]
    me, slope = names[j], step["local"]
    if old is not None:
        uses = sum(x == j for n in trace.nodes for x in n.inputs)
        return f"{me} is used {uses} times, so its contributions add up."
    if t.op == "mul" and slope == 0:
        return f"{names[t.inputs[1 - position]]} is 0, so moving {me} changes nothing here."
    if t.op == "relu" and slope == 0:
        return "relu is off: its input is negative, and nothing passes."
    if t.op == "add" and slope == 1:
        return "An addition hands the gradient on unchanged."
    if t.op == "sub" and position == 1 and slope == -1:
        return "A subtraction turns the sign for its second operand."
    if t.op in ("tanh", "sigmoid") and slope is not None and abs(slope) < SATURATED:
        return f"{t.op} is nearly flat here: only {100 * abs(slope):.2g} % of the gradient passes."
    if slope is not None and (math.isnan(slope) or math.isinf(slope)):
        return "This derivative is not a finite number: gradients before it are lost."
    return ""


def describe(a: Array | None, t: TraceNode) -> str:
    """A value in one column of a table: its number, or the shape of an array."""
    if a is None:
        return "freed"
    return number(a.number) if a.number is not None and not t.shape else style.shape(t.shape)
