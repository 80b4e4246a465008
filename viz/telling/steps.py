"""The steps of a computation, forward and backward: the sequence that tables and steppers show.

Forward: one step per leaf and per op, in the order in which they were made. Then backward starts
with ∂o/∂o = 1. Backward: one step per *contribution*, that is per edge, newest first. There ``+=``
becomes visible: old + contribution = new.

Each backward step carries its rule with the user's names, the same with numbers, the local
derivative, the finished gradient beside a finite difference, and a remark in plain words where the
numbers allow one. All of it is plain data in ``trace.steps``.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import cache

from microtorch.notation import expr
from microtorch.notation.formulas import LETTERS

from ..reading import large, numbers
from ..reading.measure import Computation, Data, Gradient, add
from ..reading.summary import number, summary
from ..reading.trace import Contribution, Step, Trace, TraceNode, Value
from .differences import differences
from .words import display_names, expression, partial, power, wrap

SATURATED = 0.05  # a local derivative below which a squashing function is called flat


def add_steps(trace: Trace) -> Trace:
    """Fill ``trace.steps``; ``trace`` was filled with ``gradients=True``. Returns it."""
    found = trace.computation
    if found is None:  # read from a file: the steps came with it
        return trace
    names = display_names(trace)
    trace.steps = [_forward(trace, t, names) for t in trace.nodes if t.role != "constant"]
    if found.backward.gradients:
        seed = f"{partial(names, trace.root, trace.root)} = 1"
        trace.steps.append(Step("backward", "seed", trace.root, names[trace.root], seed))
        trace.steps += [_left(trace, i, g, names) for i, g in found.left.items()]
        trace.steps += _backward(trace, found, names)
    else:
        trace.note = trace.note or found.backward.reason
    large.keep(trace, found)
    found.release()
    return trace


def _forward(trace: Trace, t: TraceNode, names: list[str]) -> Step:
    text = expression(trace, t.id, names)
    return Step("forward", "op" if t.op else "leaf", t.id, names[t.id], text)


def _left(trace: Trace, i: int, g: Data, names: list[str]) -> Step:
    held = summary(g)
    size = "–" if held is None else numbers.number(held.number)
    if held is not None and held.number is None:
        size = numbers.rms(held.rms)
    text = f"{names[i]}.grad holds {size}, left from an earlier backward: this one adds to it"
    return Step("backward", "left", i, names[i], text, left=held)


def _backward(trace: Trace, found: Computation, names: list[str]) -> list[Step]:
    back = found.backward
    checks = differences(trace)
    edges = {(e.target, e.position): k for k, e in enumerate(trace.edges)}
    held: dict[int, Gradient] = {trace.root: back.gradients[trace.root], **found.left}
    given: Counter[int] = Counter()
    expected = Counter(trace.nodes[i].inputs[position] for i, position in back.contributions)
    out: list[Step] = []
    for i in back.order:
        for position, j in enumerate(trace.nodes[i].inputs):
            d = back.contributions.get((i, position))
            if d is None:
                continue
            old = held.get(j)
            held[j] = d if old is None else add(old, d)
            given[j] += 1
            step = _contribution(trace, found, names, i, position, d, old, held[j])
            step.edge = edges[i, position]
            step.uses, step.final = given[j], given[j] == expected[j]
            step.check = checks.get(j)
            out.append(step)
    return out


def _contribution(
    trace: Trace,
    found: Computation,
    names: list[str],
    i: int,
    position: int,
    d: Gradient,
    old: Gradient | None,
    new: Gradient,
) -> Contribution:
    j, root = trace.nodes[i].inputs[position], trace.root
    left = partial(names, root, j)
    symbolic, numeric = rule(trace, names, i, position)
    step = Contribution(
        "backward", "contribution", j, names[j], f"{names[i]} sends its gradient to {names[j]}",
        sender=i,
        position=position,
        chain=f"{left} += {partial(names, root, i)} · {partial(names, i, j)}",
        rule=f"{left} += {symbolic}",
        numbers=f"+= {numeric}" if numeric else "",
        old=number(old),
        contribution=number(d),
        new=number(new),
        local=_local(trace, found, i, position, number(d)),
    )  # fmt: skip
    if step.contribution is not None:
        was = "0" if old is None else numbers.number(step.old)
        new_text = numbers.number(step.new)
        step.sum = f"{was} + {_signed(step.contribution)} = {new_text}"
    else:
        step.array, step.total = (summary(found.whole(j, x)) for x in (d, new))
        step.sum = f"contribution: {numbers.rms(step.array.rms if step.array else None)}"
    step.remark = remark(trace, names, step, step.local, old is not None)
    return step


def _local(
    trace: Trace, found: Computation, i: int, position: int, d: float | None
) -> float | None:
    """∂out/∂operand as one number, where both are numbers."""
    g = _number(trace.nodes[i].grad)
    if d is None or g is None:
        return None
    return d / g if g else found.slope(i, position)


def _number(a: Value | None) -> float | None:
    """The number of a value, if it is one and real."""
    v = None if a is None else a.number
    return None if v is None or isinstance(v, complex) else float(v)


def _signed(v: float) -> str:
    return f"({numbers.number(v)})" if v < 0 else numbers.number(v)


# ---- formulas ------------------------------------------------------------------------------------
def rule(trace: Trace, names: list[str], i: int, position: int) -> tuple[str, str]:
    """The contribution of node i to its operand: in names, and if all are numbers, in numbers."""
    t = trace.nodes[i]
    text = rule_of(trace, t, position) or "g"
    operands = list(zip(LETTERS, t.inputs, strict=False))
    letters = {letter: names[j] for letter, j in operands}
    if t.op == "linear":  # whose rule calls its weight w
        letters["w"] = names[t.inputs[1]]
    letters |= {"out": names[i], "g": partial(names, trace.root, i)}
    values = {letter: trace.nodes[j].number for letter, j in operands}
    values |= {"out": t.number, "g": None if t.grad is None else t.grad.number}
    try:
        expr.parse(text)
    except expr.FormulaError:
        words = r"\b(out|[gxyzwvut])(?=\b|ᵀ)(?!\u0302)"  # x̂ is a name of its own
        return re.sub(words, lambda m: letters.get(m[1], m[1]), text), ""
    symbolic = written(text, {k: wrap(v) for k, v in letters.items()})
    return symbolic, in_numbers(text, values, attributes(t))


def in_numbers(text: str, values: dict[str, complex | None], static: dict[str, float]) -> str:
    """A formula with numbers for its names; "" where one is not known, or an array.

    Each has as many decimals as the shown result needs: ``1 − (−0.9993)²`` is not 0.0013.
    """
    known = {k: v for k in expr.names(text) if (v := static.get(k, values.get(k))) is not None}
    if len(known) < len(expr.names(text)):
        return ""
    shown = {k: numbers.literal(v) if k in static else numbers.number(v) for k, v in known.items()}
    if any(isinstance(v, complex) for v in known.values()):
        return written(text, shown)
    f = _function(text, ", ".join(known))
    with suppress(NameError):  # of a function that Scalars do not have, such as digamma
        result = numbers.number(f(*known.values()))
        for decimals in range(5, 9):
            if numbers.number(f(*map(numbers.value, shown.values()))) == result:
                break
            for k in known.keys() - static.keys():
                if numbers.value(shown[k]) != known[k]:
                    shown[k] = numbers.number(known[k], decimals)
    return written(text, shown)


@cache
def _function(text: str, parameters: str) -> Callable[..., float]:
    return expr.compile_scalar(text, parameters)


def rule_of(trace: Trace, t: TraceNode, position: int) -> str:
    """The rule of an operand as in the formula table.

    A power with a number as exponent is written out: ``g * 2 * x``.
    """
    text = t.rules[position] if position < len(t.rules) else ""
    exponent = trace.nodes[t.inputs[1]] if t.op == "pow" and position == 0 else None
    if exponent is None or exponent.number is None or exponent.needs:
        return text
    if isinstance(exponent.number, complex):
        return text
    n = float(exponent.number)
    special = {0.0: "0 * g", 1.0: "g", 2.0: "g * 2 * x", -1.0: "-g * x ** -2"}
    return special.get(n, f"{'-' if n < 0 else ''}g * {abs(n):g} * x ** {n - 1:g}")


def written(text: str, values: dict[str, str]) -> str:
    """A formula as one writes it by hand, with these texts for its names."""

    def name(n: str) -> str:
        return _name(values.get(n, n), n in values)

    def divide(a: str, b: str) -> str:
        return f"{_part(a, '+−')} / {_part(b, '+−·/')}"

    dialect = expr.text_dialect(values).but(power=power, divide=divide, name=name)
    text = re.sub(r"(?<!/ )\b(\w+) \* \1\b", r"\1 ** 2", text)
    return expr.render(text, dialect)


def _name(text: str, known: bool) -> str:
    return f"({text})" if known and text.startswith("−") else text


def _part(s: str, weaker: str) -> str:
    """``s`` in parentheses if one of the signs ``weaker`` stands in it outside of parentheses."""
    depth = 0
    for k, c in enumerate(s):
        depth += (c == "(") - (c == ")")
        if depth == 0 and c in weaker and s[k - 1 : k] == " ":
            return f"({s})"
    return s


def attributes(t: TraceNode) -> dict[str, float]:
    """The static arguments of an op that are numbers."""
    out = {}
    for k, v in t.attrs.items():
        try:
            out[k] = float(v)
        except ValueError:
            continue
    return out


# ---- words ---------------------------------------------------------------------------------------
def remark(
    trace: Trace, names: list[str], step: Contribution, slope: float | None, again: bool
) -> str:
    """What the numbers say in plain words, or nothing.

    ``slope``: the local derivative; ``again``: has the operand received something before?
    """
    t = trace.nodes[step.sender]
    me = names[step.node]
    if again:
        uses = sum(x == step.node for n in trace.nodes for x in n.inputs)
        if uses == 1:
            return f"{me}.grad was not empty: gradients of two backwards add up (zero_grad()?)."
        return f"{me} is used {uses} times, so its contributions add up."
    if t.op == "mul" and slope == 0:
        other = names[t.inputs[1 - step.position]]
        return f"{other} is 0, so moving {me} changes nothing here."
    if t.op == "relu" and slope == 0:
        return "relu is off: its input is negative, and nothing passes."
    if t.op == "add" and slope == 1:
        return "An addition hands the gradient on unchanged."
    if t.op == "sub" and step.position == 1 and slope == -1:
        return "A subtraction turns the sign for its second operand."
    if t.op in ("tanh", "sigmoid") and slope is not None and abs(slope) < SATURATED:
        share = f"{100 * abs(slope):.2g} %"
        return f"{t.op} is nearly flat here: only {share} of the gradient passes."
    if slope is not None and (math.isnan(slope) or math.isinf(slope)):
        return "This derivative is not a finite number: gradients before it are lost."
    return ""
