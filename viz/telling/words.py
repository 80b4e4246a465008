"""What every output calls things: names of values, signs of ops, derivatives."""

from __future__ import annotations

import re
from collections import Counter

from ..reading import numbers
from ..reading.trace import Trace

INFIX = {"add": "+", "sub": "−", "mul": "×", "div": "/", "matmul": "@"}
SUPERSCRIPTS = str.maketrans("0123456789-.", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻·")
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def display_names(trace: Trace) -> list[str]:
    """A name for every node, different for different nodes: the user's, an expression, or v₃.

    What rank 1 of several processes has computed is ``h⁽¹⁾``.
    """
    out = []
    first: dict[int | None, int] = {}
    for t in trace.nodes:
        first.setdefault(t.rank, t.id)
        name = t.name
        if t.parameter and t.module is not None and name == t.parameter:
            name = f"{trace.modules[t.module].path}.{t.parameter}"
        if not name and t.role == "constant" and t.number is not None:
            out.append(numbers.literal(t.number))
            continue
        name = printable(name or t.expression)
        out.append(name and name_on(name, t.rank))
    pairs = list(zip(trace.nodes, out, strict=True))
    many = Counter(name for t, name in pairs if name and t.role != "constant")
    seen: Counter[str] = Counter()
    states = _states(trace, out)
    for name, k in states.values():
        seen[name] = max(seen[name], k)
    for t, name in pairs:
        if t.id in states:
            name, k = states[t.id]
            out[t.id] = name + str(k).translate(SUBSCRIPTS)
            continue
        if t.role == "constant":
            out[t.id] = name or "const"
        elif not name:
            number = str(t.id - first[t.rank])
            out[t.id] = name_on("v" + number.translate(SUBSCRIPTS), t.rank)
        elif many[name] > 1:
            seen[name] += 1
            out[t.id] = name + str(seen[name]).translate(SUBSCRIPTS)
    return out


def name_on(name: str, rank: int | None) -> str:
    """A name with the mark of the process, where there are several."""
    if rank is None:
        return name
    return f"{_atom(name)}⁽{str(rank).translate(SUPERSCRIPTS)}⁾"


def _states(trace: Trace, names: list[str]) -> dict[int, tuple[str, int]]:
    """h₁, h₂, … of the passes of a recurrence, and h₀, where it starts; each name once."""
    found: dict[int, tuple[str, int]] = {}
    taken: set[str] = set()
    for s in (s for r in trace.recurrences for s in r.states if s.name):
        if s.name in taken:
            continue
        taken.add(s.name)
        found |= {i: (s.name, k) for k, i in enumerate(s.nodes, 1)}
        if s.first is not None and names[s.first] in ("", s.name, s.name + "0"):
            found[s.first] = s.name, 0
    return found


def printable(s: str) -> str:
    """A user's string without control characters."""
    return "".join(c if c.isprintable() else "�" for c in s)


def cut(s: str, longest: int) -> str:
    """At most so many characters, the last of them ``…`` if some are missing."""
    return s if len(s) <= longest else s[: max(0, longest - 1)] + "…"


def partial(names: list[str], a: int, b: int) -> str:
    """``∂L/∂w``."""
    return f"∂{_atom(names[a])}/∂{_atom(names[b])}"


def _atom(name: str) -> str:
    marked = name.endswith("⁾")  # (w·x)⁽¹⁾
    return f"({name})" if any(c in name for c in " ·×+/") and not marked else name


def expression(trace: Trace, i: int, names: list[str]) -> str:
    """What a node computes, as the user might write it; for a leaf, its role."""
    t = trace.nodes[i]
    if not t.op:
        return t.role
    inputs = [names[j] for j in t.inputs]
    if t.op in INFIX and len(inputs) == 2:
        return f"{wrap(inputs[0])} {INFIX[t.op]} {wrap(inputs[1])}"
    if t.op == "pow":
        return power(wrap(inputs[0]), inputs[1])
    if t.op == "where" and len(inputs) == 3:  # most often what a derivative of a choice records
        return f"{wrap(inputs[1])} where {wrap(inputs[0])}, else {wrap(inputs[2])}"
    if t.op == "tie":  # no value of its own: it keeps in the graph what a choice has read
        return f"{inputs[0]}, by a choice that read {inputs[1]}"
    if t.op == "neg":
        return f"−{wrap(inputs[0])}"
    if t.op == "output" and "index" in t.attrs:  # of a Function that has several
        return f"{wrap(inputs[0])}[{t.attrs['index']}]"
    return f"{t.op}({', '.join(inputs)})"


def wrap(name: str) -> str:
    """In parentheses, where a sign in front or behind could be misread."""
    return f"({name})" if " " in name or name.startswith("−") else name


def power(a: str, b: str) -> str:
    """``a²`` where the exponent is a number, otherwise ``a ** b``."""
    a = f"({a})" if (" " in a or a.startswith("−")) and not a.startswith("(") else a
    plain = b.replace("−", "-")
    if re.fullmatch(r"-?\d+", plain):
        return a + plain.translate(SUPERSCRIPTS)
    return f"{a} ** {f'({b})' if ' ' in b else b}"
