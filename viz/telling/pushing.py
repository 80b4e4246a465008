"""The steps of forward mode: each value with its tangent, as dual numbers carry them.

Backward asks how the result moves with each value, and fixes the numerator of ∂o/∂w. Forward mode
asks how each value moves with one leaf, and fixes the denominator. There is one sweep: an op gives
its value and, by the same rule of the formula table with the operand's tangent in place of g, its
tangent. Where the leaf has several elements it moves in a direction, by ε times that: ∂n/∂ε.
"""

from __future__ import annotations

import math
import re

import numpy as np

from microtorch.base import errors
from microtorch.base.types import Argument
from microtorch.notation import expr, formulas
from microtorch.notation.formulas import LETTERS

from ..reading import numbers
from ..reading.measure import Data
from ..reading.summary import number, summary
from ..reading.tangents import Pushed, direction_of, held, linear, push
from ..reading.trace import Comparison, Push, Step, Trace, TraceNode, Value
from .differences import DERIVATIVE, Forward, H
from .lookup import find
from .steps import SATURATED, attributes, in_numbers, rule_of, written
from .words import display_names, expression, partial, wrap

REVERSE, FORWARD = "reverse", "forward"


def checked(mode: str, wrt: object, direction: object) -> bool:
    """Is it forward mode? Raises ValueError for any other word, and for what belongs to it only."""
    if mode not in (REVERSE, FORWARD):
        raise ValueError(f"mode={mode!r}: it is 'reverse' (gradients) or 'forward' (tangents)")
    if mode == REVERSE and (wrt is not None or direction is not None):
        raise ValueError("wrt= and direction= choose what moves in forward mode: mode='forward'")
    return mode == FORWARD


def only_reverse(**given: bool) -> None:
    """Refuse the arguments that were given and mean nothing in forward mode, with ValueError."""
    if names := " and ".join(f"{k}=" for k, is_given in given.items() if is_given):
        what = f"{names} cannot be used in forward mode, which shows this process's graph alone"
        fix = 'leave it out, or step backward: mode="reverse", without wrt= and direction='
        raise ValueError(errors.message(f"{what}, without views of attention", fix=fix))


def add_pushes(trace: Trace, wrt: Argument = None, direction: Argument = None) -> Trace:
    """Fill ``trace.steps`` with those of forward mode. Returns the trace.

    ``wrt``: the leaf that moves, a Tensor, Scalar or key (lookup.py); None: the only one that there
    is. ``direction``: of the leaf's shape, or the index of one element; None: 1 for each element.
    Raises ValueError for what is no leaf and no direction of it, and GraphError for ops that
    forward mode does not have.
    """
    found = trace.computation
    assert found is not None, "a trace that was read from a file has its steps"
    names = display_names(trace)
    leaf = _leaf(trace, wrt, names)
    values = found.values
    if any(v is None for v in values):
        what = "forward mode needs all values, and some were overwritten (optimizer.step()?)"
        raise errors.GraphError(errors.message(what, fix="step before the optimizer does"))
    known: list[Data] = [v for v in values if v is not None]
    towards, words = direction_of(known[leaf], direction, names[leaf])
    pushed = push(found, known, {leaf: towards})
    trace.mode, trace.seed = FORWARD, words
    trace.over = names[leaf] if np.size(known[leaf]) == 1 and words.endswith("= 1") else "ε"
    trace.backward = True  # there are derivatives to show
    for t in trace.nodes:
        tangent = pushed.tangents.get(t.id)
        t.needs, t.grad = tangent is not None, summary(tangent)
        t.grad_state = "none" if tangent is None else "known"
    for e in trace.edges:
        e.flows = trace.nodes[e.source].needs and trace.nodes[e.target].needs
        e.contribution = summary(pushed.terms.get((e.target, e.position)))
    checks = _differences(trace, leaf, towards)
    trace.steps = [
        _push(trace, t, names, pushed, checks) if t.needs else _still(trace, t, names)
        for t in trace.nodes
        if t.role != "constant"
    ]
    found.release()
    return trace


def _leaf(trace: Trace, wrt: Argument, names: list[str]) -> int:
    assert trace.computation is not None
    floats = [t.id for t in trace.nodes if not t.op and t.dtype.startswith("float")]
    wanted = [i for i in floats if trace.nodes[i].needs] or [
        i for i in floats if trace.nodes[i].role == "data"
    ]
    some = ", ".join(names[i] for i in wanted[:8]) + (", ..." if len(wanted) > 8 else "")
    if wrt is None:
        if len(wanted) == 1:
            return wanted[0]
        raise ValueError(f"forward mode moves one leaf: say wrt=, one of {some}")
    taken = held(trace.computation, wrt)
    if taken is not None:
        i = taken
    elif isinstance(wrt, (str, int)):
        i = find(trace, wrt)
    else:
        raise ValueError(f"wrt= takes a Tensor, a Scalar or a name, but got {type(wrt).__name__}")
    if i not in floats:
        what = "took no part in this computation" if i < 0 else f"is {names[i]}, which is no leaf"
        raise ValueError(f"wrt= {what} of floating point; there are {some}")
    return i


def over(trace: Trace, names: list[str], i: int) -> str:
    """``∂n/∂w``: how value i moves with the leaf."""
    return f"{partial(names, i, i).partition('/')[0]}/∂{trace.over}"


def _still(trace: Trace, t: TraceNode, names: list[str]) -> Step:
    text = expression(trace, t.id, names)
    return Step("forward", "op" if t.op else "leaf", t.id, names[t.id], text)


def _push(
    trace: Trace, t: TraceNode, names: list[str], pushed: Pushed, checks: dict[int, Comparison]
) -> Push:
    left = over(trace, names, t.id)
    total = pushed.tangents[t.id]
    symbolic, numeric = _rule(trace, names, t) if t.op else (trace.seed.partition(" = ")[2], "")
    v = number(total)
    step = Push(
        "forward", "push", t.id, names[t.id], expression(trace, t.id, names),
        rule=f"{left} = {symbolic}" if symbolic else trace.seed,
        numbers=f"= {numeric}" if numeric else "",
        contribution=v,
        sum=f"{left} = {numbers.number(v)}" if v is not None else
        f"{left}: {numbers.rms(t.grad.rms if t.grad else None)}",
        array=None if v is not None else summary(total),
        check=checks.get(t.id),
    )  # fmt: skip
    for p in range(len(t.inputs)):
        if (t.id, p) in pushed.terms:
            step.terms[p] = summary(pushed.terms[t.id, p]) or Value()
    if len(step.terms) == 1 and v is not None and trace.computation is not None:
        step.local = trace.computation.slope(t.id, next(iter(step.terms)))
    step.remark = _remark(trace, t, names, step)
    return step


def _rule(trace: Trace, names: list[str], t: TraceNode) -> tuple[str, str]:
    """The tangent of node t from those of its operands: in names, and in numbers if it can be."""
    moving = [p for p, j in enumerate(t.inputs) if trace.nodes[j].needs]
    parts = [_term(trace, names, t, p) for p in moving]
    symbolic = " + ".join(text for text, _ in parts)
    numeric = [n for _, n in parts]
    return symbolic, " + ".join(numeric) if all(numeric) else ""


def _term(trace: Trace, names: list[str], t: TraceNode, p: int) -> tuple[str, str]:
    j = t.inputs[p]
    dot = over(trace, names, j)
    if t.op in ("matmul", "linear") and p < 2:
        other = wrap(names[t.inputs[1 - p]]) + ("ᵀ" if t.op == "linear" and p == 0 else "")
        mine = dot + ("ᵀ" if t.op == "linear" and p == 1 else "")
        return (f"{mine} @ {other}" if p == 0 else f"{other} @ {mine}"), ""
    if t.op not in formulas.TABLE:
        if linear(t.op) or t.op == "linear":
            return (dot if t.op == "linear" else f"{t.op}({dot})"), ""
        return f"∂{t.op}/∂{wrap(names[j])} · {dot}", ""
    text = rule_of(trace, t, p) or "g"
    operands = list(zip(LETTERS, t.inputs, strict=False))
    letters = {letter: wrap(names[k]) for letter, k in operands} | {"out": names[t.id], "g": dot}
    tangent = trace.nodes[j].grad
    values = {letter: trace.nodes[k].number for letter, k in operands}
    values |= {"out": t.number, "g": None if tangent is None else tangent.number}
    try:
        symbolic = written(text, letters)
        numeric = in_numbers(text, values, attributes(t))
    except expr.FormulaError:
        return re.sub(r"\bg\b", dot, text), ""
    return symbolic, numeric


def _remark(trace: Trace, t: TraceNode, names: list[str], step: Push) -> str:
    if not t.op:
        return f"{names[t.id]} is what moves: its tangent is given. All other leaves stand still."
    if t.id == trace.root:
        return f"One sweep: how {names[t.id]} moves with {trace.over}. Another leaf needs another."
    if len(step.terms) > 1:
        return f"{len(step.terms)} operands move, so their terms add up."
    v = step.contribution
    if v is not None and (math.isnan(v) or math.isinf(v)):
        return "This tangent is not a finite number: those after it are lost."
    if t.op == "relu" and v == 0:
        return "relu is off: its input is negative, and nothing passes."
    if v == 0 or (step.array is not None and step.array.rms == 0):
        return f"{names[t.id]} does not move with {trace.over} at this point."
    slope = step.local
    if t.op in ("tanh", "sigmoid") and slope is not None and abs(slope) < SATURATED:
        share = f"{100 * abs(slope):.2g} %"
        return f"{t.op} is nearly flat here: only {share} of the tangent passes."
    return ""


def _differences(trace: Trace, leaf: int, towards: Data) -> dict[int, Comparison]:
    """Each tangent beside (v(x + h t) - v(x - h t)) / 2h, both in float64."""
    found = trace.computation
    assert found is not None
    at = Forward(found)
    if not at.possible:
        return {}
    wide: Data = towards if isinstance(towards, float) else np.asarray(towards, float)
    exact = push(found, at.values, {leaf: wide}).tangents
    later = [leaf, *at.downstream(leaf)]
    if not at.fixed.isdisjoint(later):
        return {}
    ends: list[dict[int, Data]] = []
    for h in (H, -H):
        moved = dict(enumerate(at.values))
        moved[leaf] = at.values[leaf] + h * wide
        for i in later[1:]:
            again = found.rerun(i, moved)
            if again is None:
                return {}
            moved[i] = again
        ends.append(moved)
    out: dict[int, Comparison] = {}
    for i in later:
        if i not in exact or np.iscomplexobj(exact[i]):
            continue
        finite = (np.asarray(ends[0][i], float) - np.asarray(ends[1][i], float)) / (2 * H)
        t = np.broadcast_to(np.asarray(exact[i], float), finite.shape)
        if not finite.size:
            continue
        k = int(np.nanargmax(np.abs(finite - t))) if np.isfinite(finite - t).any() else 0
        a, f = float(t.flat[k]), float(finite.flat[k])
        ok = bool(abs(a - f) <= 1e-5 * max(1.0, abs(a)))
        what = DERIVATIVE if finite.size == 1 else "the worst element"
        out[i] = Comparison(a, f, abs(a - f), ok, what)
    return out
