"""Why is this gradient None, or zero? ``explain_grad(p, loss)`` answers in words and as a picture.

Where the graph of the loss contains p, backward is repeated in private, and every path from the
loss to p is followed to the place where the gradient dies: a relu that is off, a sigmoid that is
flat, a factor of 0, an element that was not selected. Where the graph does not contain p, it cannot
tell why, since what was cut off is not in it; then the user's source is read (reading/cuts.py).
"""

from __future__ import annotations

import textwrap
from itertools import pairwise
from typing import Any

import numpy as np

from microtorch.base import errors
from microtorch.notation import formulas

from ..drawing import animate
from ..drawing.dot import Canvas, Drawing
from ..drawing.options import Options
from ..drawing.picture import Graph
from ..drawing.plan import Unit
from ..drawing.saved import Told
from ..reading import numbers
from ..reading.cuts import cuts
from ..reading.measure import Backward, Computation, Data, whole
from ..reading.names import Given, given_names
from ..reading.subject import Subject, subject
from ..reading.summary import rms
from ..reading.take import Root, caller
from ..reading.trace import Edge, Trace
from ..telling.words import display_names, printable

PATHS = 8  # written out
FLAT = 0.01  # a local derivative below which a function is called flat
CLIPPING = frozenset({"relu", "relu6", "leaky_relu", "elu", "hardtanh", "clamp"})


class Explanation(Told):
    """``print`` it, or ``draw()`` it: paths in orange, the places where they die in yellow."""

    def __init__(self, lines: list[str], trace: Trace | None = None, name: str = "p"):
        self.lines = lines
        self.paths: list[list[int]] = []  # node ids, loss first
        self.dead: dict[int, str] = {}  # node -> what happens there
        self.cut = ""
        self.trace, self.name = trace, name
        self.target = -1

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def draw(self, **look: Any) -> Graph:
        """The graph of the loss. Raises GraphError where there is none to draw."""
        if self.trace is None:
            raise errors.GraphError(
                errors.message(
                    "there is no graph to draw: no loss is known", fix="explain_grad(p, loss)"
                )
            )
        options = Options(**look)
        options.check()
        return Graph(self.trace, _Paths(self.trace, options, self).digraph)


def explain_grad(p: Root, loss: Root = None, params: Given = None) -> Explanation:
    """Why ``p.grad`` is None or zero, or how it came about.

    ``loss``: by itself the newest result among your variables. Changes nothing. Raises TypeError if
    p is no Tensor or Scalar.
    """
    frame, given = caller(), given_names(params)
    asked = subject(p, loss, frame, given)
    name = asked.name
    made = _itself(asked)
    if made is not None:
        return made
    if asked.loss is None:
        what = f"{name}.grad {asked.state}, and no result of tensors is among your variables."
        return Explanation([what, "Pass the loss: viz.explain_grad(p, loss)"])
    if not asked.has_graph:
        why = "the loss has no graph, so nothing can flow back from it."
        what = f"{name}.grad {asked.state}: {why}"
        guess = ["Was it computed under no_grad(), or from detached values?"]
        return Explanation([what, *(cuts(frame, p, name) or guess)])
    trace = asked.trace(frame, given)
    answer = Explanation([], trace, name)
    found = trace.computation
    assert found is not None
    j = found.index(p)
    if j < 0:
        root = display_names(trace)[trace.root]
        return _absent(answer, asked, root, cuts(frame, p, name, root))
    _present(answer, trace, found, asked, j)
    found.release()
    return answer


# ---- the tensor itself ---------------------------------------------------------------------------
def _itself(p: Subject) -> Explanation | None:
    """Reasons that need no graph."""
    if p.op and p.tensor:
        if p.kept:
            return None
        lines = [f"{p.name} is not a leaf: it is the result of {p.op}, made at {p.where}."]
        if p.written:
            lines += [
                "An in-place operation made it so: what was a leaf before is an input of that "
                "operation now.",
                "Write into leaves under no_grad(): with torch.no_grad(): p -= lr * p.grad",
            ]
        elif p.rebound:
            lines += [
                f"The line {p.line} gave the name {p.name} to a new tensor. The leaf that it named "
                "before is an input of that one, and no variable holds it any more.",
                f"Write into the leaf: with torch.no_grad(): {p.name} -= lr * {p.name}.grad",
            ]
        else:
            lines += [
                "Gradients flow through it, but only leaves keep theirs in .grad.",
                f"To see it: call {p.name}.retain_grad() before backward().",
            ]
        return Explanation(lines, p.bare())
    if not p.needs:
        why = f"its dtype is {p.dtype}: only floating-point tensors have gradients"
        if not p.floating:
            return Explanation([f"{p.name}.grad is None because {why}."])
        why = (
            "requires_grad is False: it is data, was frozen, or was made under no_grad() or by "
            "detach()"
        )
        fix = f"{p.name}.requires_grad_() before the forward pass makes it a parameter."
        return Explanation([f"{p.name}.grad is None because {why}.", fix])
    return None


# ---- p is not in the graph -----------------------------------------------------------------------
def _absent(answer: Explanation, p: Subject, root: str, found: list[str]) -> Explanation:
    name = p.name
    answer.lines = [f"{name}.grad {p.state}: the graph of {root} does not contain {name}."]
    if found:
        answer.lines += ["What was computed from it is cut off on the way:", *found]
        answer.cut = found[0].strip()
    else:
        never = f"it seems that {name} is never used on the way to {root}."
        answer.lines.append(f"No cut was found in the source: {never}")
    return answer


# ---- p is in the graph ---------------------------------------------------------------------------
def _present(answer: Explanation, trace: Trace, found: Computation, p: Subject, j: int) -> None:
    names = display_names(trace)
    root, name, back = names[trace.root], p.name, found.backward
    answer.target = j
    answer.paths, count = _paths(trace, j)
    g = back.gradients.get(j)
    if not answer.paths:
        where = f"{name} is in the graph of {root}, but no gradient flows to it from there."
        answer.lines = [f"{name}.grad {p.state}: {where}"]
        return
    ways = f"{count} paths lead" if count > 1 else "one path leads"
    if back.reason:
        answer.lines = [f"{ways} from {root} to {name}, but {back.reason}"]
        if any(word in back.reason for word in ("overwritten", "freed")):
            answer.lines.append("Ask before optimizer.step(), or compute the loss again.")
        return
    if p.grad is None and g is None and trace.backward:
        answer.lines = [f"{name}.grad is None: {ways} from {root} to {name}, but none brought any."]
    elif p.grad is None:
        done = " (or zero_grad() has forgotten it since)" if trace.backward else ""
        answer.lines = [
            f"{name}.grad is None because {root}.backward() has not run{done}.",
            f"It would be {_size(0.0 if g is None else whole(g))}: {ways} from {root} to {name}.",
        ]
    else:
        answer.lines = [f"{name}.grad is {_size(p.grad)}: {ways} to it."]
        answer.lines += _left(trace, p, root, 0.0 if g is None else whole(g), found.left.get(j))
    for path in answer.paths:
        answer.lines += _follow(answer, trace, names, found, path)
    if count > len(answer.paths):
        answer.lines.append(f"  and {count - len(answer.paths):,} more paths")
    if g is not None and np.size(whole(g)) and rms(whole(g)) == 0:
        where = "; ".join(list(dict.fromkeys(answer.dead.values()))[:3])
        because = f": {where}" if where else " because what the paths bring cancels out"
        answer.lines.append(f"So it is zero{because}.")


def _left(trace: Trace, p: Subject, root: str, g: Data, left: Data | None) -> list[str]:
    """What of p's gradient does not come from this graph: there before, or changed since."""
    fix = f"optimizer.zero_grad(), or {p.name}.grad = None, before each backward() forgets it."
    if left is not None and not trace.backward:
        return [
            f"{root}.backward() has not run: all of it is left from an earlier backward(), and "
            f"this one would add {_amount(g)}.",
            fix,
        ]
    if left is not None:
        return [
            f"{root} gives {_amount(g)} of it; the rest, {_amount(left)}, is left from an earlier "
            "backward(): gradients add up.",
            fix,
        ]
    now, this = (x.astype(np.result_type(x, float)) for x in map(np.asarray, (p.grad, g)))
    if not (np.isfinite(now).all() and np.isfinite(this).all()):
        return []
    if not np.allclose(now, this, 1e-4, 1e-6 * np.abs(this).max(initial=0)):
        return [f"{root} gives {_amount(g)}: .grad was changed since."]
    return []


def _amount(g: Data) -> str:
    """The size as a noun."""
    return _size(g).removeprefix("of ")


def _size(g: Data) -> str:
    a = np.asarray(g)
    if not a.size:
        return "empty, as it has no elements"
    a = a.astype(np.result_type(a, np.float64))
    if not np.all(np.isfinite(a)):
        return "not finite (NaN or ∞)"
    if a.size == 1:
        return "zero" if not a.any() else numbers.number(a.reshape(()).item())
    zeros = float(np.mean(a == 0))
    size = "of " + numbers.rms(float(np.sqrt(np.mean(np.abs(a) ** 2))))
    if zeros == 1:
        return "zero"
    return f"{size}, {100 * zeros:.0f} % of its elements zero" if zeros else size


def _paths(trace: Trace, j: int) -> tuple[list[list[int]], int]:
    """Up to PATHS paths from the root to node j along which gradient flows; and their number."""
    flows: dict[int, list[int]] = {}
    for e in trace.edges:
        if e.flows:
            flows.setdefault(e.target, []).append(e.source)
    ways = {j: 1}
    for t in trace.nodes[j + 1 :]:
        n = sum(ways.get(i, 0) for i in flows.get(t.id, ()))
        if n:
            ways[t.id] = n
    out: list[list[int]] = []
    stack = [[trace.root]] if trace.root in ways else []
    while stack and len(out) < PATHS:
        path = stack.pop()
        if path[-1] == j:
            out.append(path)
            continue
        stack.extend([*path, i] for i in reversed(flows.get(path[-1], [])) if i in ways)
    return out, ways.get(trace.root, 0)


def _follow(
    answer: Explanation, trace: Trace, names: list[str], found: Computation, path: list[int]
) -> list[str]:
    """One path in words: its ops, and what happens to the gradient on the way."""
    chain = " ← ".join(trace.nodes[i].symbol if trace.nodes[i].op else names[i] for i in path)
    lines = [f"  {names[path[0]]}: {chain if len(chain) < 100 else chain[:97] + '…'}"]
    for i, x in pairwise(path):
        for k, operand in enumerate(trace.nodes[i].inputs):
            said = _happens(trace, names, found, i, k) if operand == x else ""
            if said:
                where = trace.nodes[i].site
                lines.append(f"    {said} (line {where.line})" if where else f"    {said}")
                d = found.backward.contributions.get((i, k))
                if d is None or not np.any(whole(d)):
                    answer.dead.setdefault(i, said)
    return lines


def _happens(trace: Trace, names: list[str], found: Computation, i: int, k: int) -> str:
    """What one step of backward does to a gradient, if it is worth a word."""
    t = trace.nodes[i]
    if t.op in formulas.TABLE and len(t.inputs) == 1:
        slopes = found.slopes(i)
        said = "" if slopes is None else _flat(t.op, slopes)
        if said:
            return said
    before, after = _largest(found.backward, i, k)
    who = names[i] if t.name else t.symbol
    if before and not after:
        if t.op == "mul":
            return f"× {names[t.inputs[1 - k]]}, which is 0: nothing passes"
        if t.op == "matmul":
            other = names[t.inputs[1 - k]]
            return f"the other factor of @, {other}, is 0 where it matters: nothing passes"
        return f"{who} lets nothing pass to {names[t.inputs[k]]}"
    if after and before / after > 1e4:
        return f"{who} makes the gradient {before / after:,.0f} times smaller"
    return ""


def _flat(op: str, slopes: np.ndarray) -> str:
    """An elementwise op that passes nothing, or hardly anything, for some of its inputs."""
    off, flat = float(np.mean(slopes == 0)), float(np.mean(np.abs(slopes) < FLAT))
    if op in CLIPPING and off:
        return f"{op} is off for {100 * off:.0f} % of its inputs: nothing passes there"
    if flat and flat > off:
        share = f"{100 * flat:.0f} % of its inputs"
        return f"{op} is flat (saturated) for {share}: less than 1 % passes there"
    return f"the derivative of {op} is 0 at {100 * off:.0f} % of its inputs" if off else ""


def _largest(back: Backward, i: int, k: int) -> tuple[float, float]:
    """The largest element of the gradient of node i, and of what its operand k receives."""
    g, d = back.gradients.get(i), back.contributions.get((i, k))
    before = 0.0 if g is None or isinstance(g, dict) else float(np.abs(g).max(initial=0))
    return before, 0.0 if d is None else float(np.abs(whole(d)).max(initial=0))


# ---- the picture ---------------------------------------------------------------------------------
class _Paths(Drawing):
    """The graph, with paths to one leaf in orange and places where the gradient dies in yellow."""

    def __init__(self, trace: Trace, options: Options, answer: Explanation):
        self.answer = answer
        self.on = {(b, a) for path in answer.paths for a, b in pairwise(path)}
        super().__init__(trace, options)
        if answer.cut:
            import graphviz

            look = {
                "shape": "box",
                "style": "rounded,filled",
                "fillcolor": self.t.nan[0],
                "fontcolor": self.t.nan[1],
            }
            words = [answer.name, *textwrap.wrap(printable(answer.cut), 60)]
            self.digraph.node("cut", label="\\n".join(map(graphviz.escape, words)), **look)
            look = {
                "style": "dashed",
                "arrowhead": "tee",
                "color": self.t.gradient,
                "label": " cut ",
            }
            after = (
                answer.cut.partition(": ")[2].partition("=")[0].strip()
            )  # what the cut line assigns, if it is drawn
            drawn = [
                u.id
                for u in self.plan.units
                if u.kind == "value" and self.nodes[u.newest].name == after
            ]
            self.digraph.edge("cut", drawn[-1] if drawn else self.plan.unit[trace.root].id, **look)

    def _unit(self, u: Unit, g: Canvas) -> None:
        dead = any(i in self.answer.dead for i in u.members)
        colour = (
            self.t.nan[0]
            if dead
            else self.t.gradient
            if self.answer.target in u.members
            else animate.CLEAR
        )
        super()._unit(u, animate.Haloed(g, colour, self.t.ink))

    def _edge(self, tail: str, head: str, e: Edge | None, **look: str) -> None:
        if e is not None and (e.source, e.target) in self.on:
            look.update(color=self.t.gradient, penwidth="2.4")
        super()._edge(tail, head, e, **look)
