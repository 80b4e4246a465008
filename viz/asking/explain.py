"""Why is this gradient None, or zero? ``explain_grad(p, loss)`` answers in words and as a picture.

Where the graph of the loss contains p, backward is repeated in private (replay.py), and every path from the loss to p
is followed to the place where the gradient dies: a relu that is off, a sigmoid that is flat, a factor of 0, an element
that was not selected. Where it does not contain p, the graph cannot know why, since what was cut is not in it; then
the user's source is read, from p's name onwards, for the usual cuts: detach, no_grad, integers, numbers taken out.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from microtorch import errors, formulas, nn
from microtorch.backends import cpu, host
from microtorch.graph import Node, in_order, user_frame
from microtorch.scalar import Scalar
from microtorch.tensor import Tensor

from ..drawing import animate, style
from ..drawing.dot import Drawing, Options
from ..drawing.picture import Graph
from ..drawing.plan import Unit
from ..reading import measure as replay
from ..reading import source
from ..reading.names import Names, node_of
from ..reading.trace import Edge, Trace
from ..telling.steps import display_names

PATHS = 8  # written out
FLAT = 0.01  # a local derivative below which a function is called flat
CUTS = {
    "detach": "takes the value out of the graph", "data": "is the value without its graph",
    "item": "gives a Python number", "tolist": "gives Python numbers", "numpy": "gives a numpy array",
    "argmax": "gives integers, which have no derivative", "argmin": "gives integers, which have no derivative",
    "long": "gives integers, which have no derivative", "int": "gives integers, which have no derivative",
    "bool": "gives truth values, which have no derivative", "tensor": "copies numbers into a new tensor",
    "float_": "gives a Python number",
}  # fmt: skip
UNDER = ("no_grad", "inference_mode")


class Explanation:
    """``print`` it; ``draw()`` is the picture, with the paths in orange and the places where they die in yellow."""

    def __init__(self, lines: list[str], trace: Trace | None = None):
        self.lines = lines
        self.paths: list[list[int]] = []  # node ids, loss first
        self.dead: dict[int, str] = {}  # node -> what happens there
        self.cut = ""
        self.trace = trace
        self.target = -1

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    __str__ = __repr__ = lambda self: self.text

    def draw(self, **look: Any) -> Graph:
        """The graph of the loss. Raises GraphError where there is none to draw."""
        if self.trace is None:
            raise errors.GraphError(errors.message("there is no graph to draw: no loss is known", fix="explain_grad(p, loss)"))
        options = Options(**look)
        options.check()
        return Graph(self.trace, _Paths(self.trace, options, self).digraph)

    def save(self, path: str) -> str:
        """The picture, or the words (.txt). Returns the path."""
        if not str(path).endswith(".txt"):
            return self.draw().save(path)
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.text + "\n")
        return str(path)


def explain_grad(p: Any, loss: Any = None, params: Any = None) -> Explanation:
    """Why ``p.grad`` is None or zero, or how it came about. ``loss``: by itself the newest result among your variables.

    Changes nothing. Raises TypeError if p or loss is no Tensor or Scalar.
    """
    frame = user_frame(sys._getframe(1))
    node = node_of(p)
    if node is None:
        fix = "one parameter at a time: explain_grad(net[0].weight, loss)" if isinstance(p, nn.Module) else "pass a tensor"
        raise TypeError(errors.message(f"explain_grad() takes a Tensor or a Scalar, not {type(p).__name__}", fix=fix))
    if loss is None:
        loss = _newest(frame)
    name = _name(p, node, frame, params)
    made = _itself(p, node, name, loss)
    if made is not None:
        return made
    if loss is None:
        return Explanation([f"{name}.grad is None, and no result computed from tensors is among your variables.",
                            "Pass the loss: viz.explain_grad(p, loss)"])  # fmt: skip
    root = node_of(loss)
    if root is None or root.op is None:
        lines = [f"{name}.grad is {_state(p)}: the loss has no graph, so nothing can flow back from it."]
        found = _cuts(frame, p, name)
        return Explanation([*lines, *(found or ["Was it computed under no_grad(), or from detached values?"])])
    trace = Trace.skeleton(loss, "explain_grad", most=10_000).fill(frame, params, gradients=True)
    answer = Explanation([], trace)
    if node not in trace._graph:
        return _absent(answer, trace, p, name, frame)
    return _present(answer, trace, p, name, trace._graph.index(node))


# ---- the tensor itself ---------------------------------------------------------------------------------------------
def _itself(p: Any, node: Node, name: str, loss: Any) -> Explanation | None:
    """Reasons that need no graph."""
    if node.op is not None and isinstance(p, Tensor):
        if node.grad is not None:
            return None
        lines = [f"{name} is not a leaf: it is the result of {node.op.name}, made at {node.where()}."]
        if node.op.name in ("copy", "copy_slices") or (node.storage is not None and node.storage.version):
            lines.append("An in-place operation made it so: what was a leaf before is an input of that operation now.")
            lines.append("Write into leaves under no_grad(): with torch.no_grad(): p -= lr * p.grad")
        else:
            lines.append("Gradients flow through it, but only leaves keep theirs in .grad.")
            lines.append(f"To see it: call {name}.retain_grad() before backward().")
        return Explanation(lines, None if loss is None or node_of(loss).op is None else Trace.skeleton(loss).fill())
    if not node.needs:
        kind = np.dtype(node.dtype).kind
        why = (
            f"its dtype is {node.dtype}: only floating-point tensors have gradients"
            if kind != "f"
            else "requires_grad is False: it is data, was frozen, or was made under no_grad() or by detach()"
        )
        fix = [] if kind != "f" else [f"{name}.requires_grad_() before the forward pass makes it a parameter."]
        return Explanation([f"{name}.grad is None because {why}.", *fix])
    return None


def _state(p: Any) -> str:
    g = p.grad
    if g is None:
        return "None"
    return "zero" if not np.any(np.asarray(host(getattr(g, "array", g)))) else "not None"


def _name(p: Any, node: Node, frame: Any, params: Any) -> str:
    below = in_order([node], constants=True) if node.op is not None else [node]
    names = Names(below, frame, params)
    if names.name(len(below) - 1):
        return names.name(len(below) - 1)
    for module, path in names.variables.items():
        if isinstance(module, nn.Module):
            for inner, q in module.named_parameters():
                if q is p:
                    return f"{path}.{inner}"
    return "this tensor"


def _newest(frame: Any) -> Any:
    """The youngest result with a graph among the caller's variables."""
    values = [v for v in {**frame.f_globals, **frame.f_locals}.values() if isinstance(v, (Tensor, Scalar))]
    results = [v for v in values if node_of(v).op is not None and node_of(v).needs]
    single = [v for v in results if not node_of(v).shape] or results
    return max(single, key=lambda v: node_of(v).seq, default=None)


# ---- p is not in the graph -----------------------------------------------------------------------------------------
def _absent(answer: Explanation, trace: Trace, p: Any, name: str, frame: Any) -> Explanation:
    root = display_names(trace)[trace.root]
    answer.lines = [f"{name}.grad is {_state(p)}: the graph of {root} does not contain {name}."]
    found = _cuts(frame, p, name, root)
    if found:
        answer.lines += ["What was computed from it is cut off on the way:", *found]
        answer.cut = found[0].strip()
    else:
        answer.lines.append(f"No cut was found in the source: it seems that {name} is never used on the way to {root}.")
    if p.grad is not None:
        answer.lines.append("Its .grad comes from an earlier backward().")
    answer.name = name  # type: ignore[attr-defined]
    return answer


def _cuts(frame: Any, p: Any, name: str, root: str = "") -> list[str]:
    """The lines that take what depends on p out of the graph, by reading the source in the order in which it runs."""
    found = []
    for file, tree, start in _code(frame, p, name):
        lines = source.of(file).text.splitlines()
        code = frame.f_code
        own = file == code.co_filename and getattr(tree, "name", "<module>") == code.co_name
        until = frame.f_lineno if own else 0
        for line, why in _Flow(start, until).read(tree, root):
            text = lines[line - 1].strip() if line <= len(lines) else ""
            entry = f"  line {line}: {text}   ({why})"
            if entry not in found:
                found.append(entry)
    return found


def _code(frame: Any, p: Any, name: str) -> Iterator[tuple[str, ast.AST, set[str]]]:
    """Code to read: the caller's, and the ``forward`` of each module of the user's that holds p."""
    code = frame.f_code
    yield code.co_filename, _tree(code), {name.partition(".")[0].partition("[")[0]}
    owners = [v for v in {**frame.f_globals, **frame.f_locals}.values() if isinstance(v, nn.Module)]
    seen: set[Any] = set()
    for outer in owners:
        for module in outer.modules():
            forward = getattr(type(module), "forward", None)
            own = next((k for k, q in module.named_parameters() if q is p), "")
            if own and forward not in seen and not type(module).__module__.startswith("microtorch"):
                seen.add(forward)
                inner = getattr(forward, "__code__", None)
                if inner is not None:
                    yield inner.co_filename, _tree(inner), {f"self.{own.partition('.')[0]}"}


def _tree(code: Any) -> ast.AST:
    """The syntax tree of a code object."""
    tree = ast.parse(source.of(code.co_filename).text or "")
    if code.co_name == "<module>":
        return tree
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == code.co_name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first == code.co_firstlineno or node.lineno == code.co_firstlineno:
                return node
    return ast.Module(body=[], type_ignores=[])


class _Flow:
    """Which variables depend on p, and by which cuts; statements after the line ``until`` have not run."""

    def __init__(self, start: set[str], until: int = 0):
        self.start, self.until = start, until or 10**9
        self.depends: dict[str, set[int]] = {name: set() for name in start}  # variable -> cuts on its way
        self.cut: list[tuple[int, str]] = []

    def read(self, tree: ast.AST, root: str) -> list[tuple[int, str]]:
        """(line, why) of the cuts on the way to the variable ``root``, or of all if the way there is not seen."""
        self._block(getattr(tree, "body", []), _under(tree))
        wanted = self.depends.get(root) or range(len(self.cut))
        return [self.cut[k] for k in sorted(wanted)]

    def _block(self, body: list[Any], under: str) -> None:
        for s in body:
            if isinstance(s, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)) or s.lineno > self.until:
                continue
            if isinstance(s, (ast.With, ast.AsyncWith)):
                words = [w for item in s.items for w in UNDER if w in ast.unparse(item.context_expr)]
                self._block(s.body, words[0] if words else under)
                continue
            if isinstance(s, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return)) and s.value is not None:
                self._assign(s, under)
            for part in ("body", "orelse", "finalbody"):
                if isinstance(getattr(s, part, None), list):
                    self._block(getattr(s, part), under)

    def _assign(self, s: Any, under: str) -> None:
        targets = s.targets if isinstance(s, ast.Assign) else [s.target] if hasattr(s, "target") else []
        inner = [n for t in targets for n in ast.walk(t) if isinstance(n, (ast.Name, ast.Attribute))]
        names = [ast.unparse(n) for n in inner if isinstance(n.ctx, ast.Store)]
        names = [n for n in names if n not in self.start]
        if not self._mentions(s.value):
            for name in names if not isinstance(s, ast.AugAssign) else ():
                self.depends.pop(name, None)
            return
        cuts = {k for name in self._names(s.value) for k in self.depends.get(name, ())}
        why = f"runs under {under}()" if under and names else self._cutting(s.value)
        if why:
            cuts.add(len(self.cut))
            self.cut.append((s.lineno, why))
        for name in names:
            self.depends[name] = cuts | (self.depends.get(name, set()) if isinstance(s, ast.AugAssign) else set())

    def _names(self, e: ast.AST) -> set[str]:
        return {ast.unparse(n) for n in ast.walk(e) if isinstance(n, (ast.Name, ast.Attribute))}

    def _mentions(self, e: ast.AST) -> bool:
        return any(name in self.depends for name in self._names(e))

    def _cutting(self, e: ast.AST) -> str:
        for n in ast.walk(e):
            if isinstance(n, ast.Call):
                word = n.func.attr if isinstance(n.func, ast.Attribute) else getattr(n.func, "id", "")
                inside = [n.func.value] if isinstance(n.func, ast.Attribute) else []
                if isinstance(n.func, ast.Name) and word in ("float", "int"):
                    word = "float_"
                if word in CUTS and any(self._mentions(x) for x in [*inside, *n.args]):
                    return f"{word.rstrip('_')}() {CUTS[word]}"
            if isinstance(n, ast.Attribute) and n.attr == "data" and self._mentions(n.value):
                return f".data {CUTS['data']}"
            if isinstance(n, ast.Compare) and self._mentions(n):
                return "a comparison gives truth values, which have no derivative"
        return ""


def _under(tree: ast.AST) -> str:
    words = [w for d in getattr(tree, "decorator_list", []) for w in UNDER if w in ast.unparse(d)]
    return words[0] if words else ""


# ---- p is in the graph ---------------------------------------------------------------------------------------------
def _present(answer: Explanation, trace: Trace, p: Any, name: str, j: int) -> Explanation:
    names = display_names(trace)
    root = names[trace.root]
    known = replay.values(trace._graph, trace._root_value)
    result = replay.Replay(trace._graph, known)
    answer.target = j
    answer.paths, count = _paths(trace, j)
    g = result.gradients.get(j)
    size = None if g is None else float(np.sqrt(np.mean(np.square(np.asarray(host(g), float)))))
    if not answer.paths:
        answer.lines = [f"{name}.grad is {_state(p)}: {name} is in the graph of {root}, but no gradient flows to it from there."]
        return answer
    ways = f"{count} paths lead" if count > 1 else "one path leads"
    if result.reason:
        answer.lines = [f"{ways} from {root} to {name}, but backward cannot be repeated: {result.reason}"]
        return answer
    if p.grad is None:
        done = " (or zero_grad() has forgotten it since)" if trace.backward else ""
        answer.lines.append(f"{name}.grad is None because {root}.backward() has not run{done}.")
        answer.lines.append(f"It would be {_size(g)}: {ways} from {root} to {name}.")
    else:
        answer.lines.append(f"{name}.grad is {_size(p.grad.array if isinstance(p.grad, Tensor) else p.grad)}: {ways} to it.")
    for path in answer.paths:
        answer.lines += _follow(answer, trace, names, known, result, path)
    if count > len(answer.paths):
        answer.lines.append(f"  and {count - len(answer.paths):,} more paths")
    if size == 0:
        where = list(dict.fromkeys(answer.dead.values()))
        because = ": " + "; ".join(where[:3]) if where else " because what the paths bring cancels out"
        answer.lines.append(f"So it is zero{because}.")
    return answer


def _size(g: Any) -> str:
    a = np.asarray(host(g), float)
    if not np.all(np.isfinite(a)):
        return "not finite (NaN or ∞)"
    if a.size == 1:
        return "zero" if not a.any() else style.number(float(a.reshape(())))
    zeros = float(np.mean(a == 0))
    rms = f"|grad| {style.short(float(np.sqrt(np.mean(a * a))))}"
    return "zero" if zeros == 1 else rms if not zeros else f"{rms}, {100 * zeros:.0f} % of its elements zero"


def _paths(trace: Trace, j: int) -> tuple[list[list[int]], int]:
    """Up to PATHS paths from the root down to node j, along which gradient flows, and how many there are."""
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


def _follow(answer: Explanation, trace: Trace, names: list[str], known: list[Any], result: Any, path: list[int]) -> list[str]:
    """One path in words: its ops, and what happens to the gradient on the way."""
    chain = " ← ".join(trace.nodes[i].symbol if trace.nodes[i].op else names[i] for i in path)
    lines = [f"  {names[path[0]]}: {chain}" if len(chain) < 100 else f"  {names[path[0]]}: {chain[:97]}…"]
    for i, x in pairwise(path):
        positions = [k for k, a in enumerate(trace.nodes[i].inputs) if a == x]
        for k in positions:
            said = _happens(trace, names, known, result, i, k)
            if said:
                where = trace.nodes[i].site
                at = f" (line {where['line']})" if where else ""
                lines.append(f"    {said}{at}")
                d = result.contributions.get((i, k))
                if d is None or not np.any(np.asarray(host(d))):
                    answer.dead.setdefault(i, said)
    return lines


def _happens(trace: Trace, names: list[str], known: list[Any], result: Any, i: int, k: int) -> str:
    """What one step of backward does to a gradient, if it is worth a word."""
    t, node = trace.nodes[i], trace._graph[i]
    g, d = result.gradients.get(i), result.contributions.get((i, k))
    before = 0.0 if g is None or isinstance(g, dict) else float(np.abs(np.asarray(host(g))).max(initial=0))
    after = 0.0 if d is None else float(np.abs(np.asarray(host(d))).max(initial=0))
    who = names[i] if t.name else t.symbol
    if t.op in formulas.TABLE and len(t.inputs) == 1:
        local = _local(node, known[i], [known[a] for a in t.inputs])
        if local is not None:
            off, flat = float(np.mean(local == 0)), float(np.mean(np.abs(local) < FLAT))
            if t.op in ("relu", "relu6", "leaky_relu", "elu", "hardtanh", "clamp") and off:
                return f"{t.op} is off for {100 * off:.0f} % of its inputs: nothing passes there"
            if flat and flat > off:
                return f"{t.op} is flat (saturated) for {100 * flat:.0f} % of its inputs: less than 1 % passes there"
            if off:
                return f"the derivative of {t.op} is 0 at {100 * off:.0f} % of its inputs"
    if before and not after:
        if t.op == "mul":
            return f"× {names[t.inputs[1 - k]]}, which is 0: nothing passes"
        if t.op == "matmul":
            return f"the other factor of @, {names[t.inputs[1 - k]]}, is 0 where it matters: nothing passes"
        return f"{who} lets nothing pass to {names[t.inputs[k]]}"
    if not before and not after:
        return ""
    if after and before / after > 1e4:
        return f"{who} makes the gradient {before / after:,.0f} times smaller"
    return ""


def _local(node: Node, out: Any, inputs: list[Any]) -> Any:
    try:
        one = np.ones_like(np.asarray(host(inputs[0]), float))
        derivative = node.op.derivatives[0]
        values = [np.asarray(host(x), float) for x in (out, *inputs)]
        return np.asarray(derivative(cpu, one, *values, **(node.attrs or {})))
    except (TypeError, ValueError, AttributeError):
        return None


# ---- the picture ---------------------------------------------------------------------------------------------------
class _Paths(Drawing):
    """The graph, with the paths to one leaf in orange and the places where the gradient dies in yellow."""

    def __init__(self, trace: Trace, options: Options, answer: Explanation):
        self.answer = answer
        self.on = {(b, a) for path in answer.paths for a, b in pairwise(path)}
        super().__init__(trace, options)
        if answer.cut:
            import graphviz

            name = getattr(answer, "name", "p")
            look = {"shape": "box", "style": "rounded,filled", "fillcolor": self.t.nan[0], "fontcolor": self.t.nan[1]}
            self.digraph.node("cut", label=f"{graphviz.escape(name)}\\n{graphviz.escape(answer.cut)}", **look)
            look = {"style": "dashed", "arrowhead": "tee", "color": self.t.gradient, "label": " cut "}
            after = answer.cut.partition(": ")[2].partition("=")[0].strip()  # what the cut line assigns, if it is drawn
            drawn = [u.id for u in self.plan.units if u.kind == "value" and self.nodes[u.newest].name == after]
            self.digraph.edge("cut", drawn[-1] if drawn else self.plan.unit[trace.root].id, **look)

    def _unit(self, u: Unit, g: Any) -> None:
        dead = any(i in self.answer.dead for i in u.members)
        colour = self.t.nan[0] if dead else self.t.gradient if self.answer.target in u.members else animate.CLEAR
        super()._unit(u, animate._Haloed(g, colour, self.t.ink))

    def _edge(self, tail: str, head: str, e: Edge | None, **look: str) -> None:
        if e is not None and (e.source, e.target) in self.on:
            look.update(color=self.t.gradient, penwidth="2.4")
        super()._edge(tail, head, e, **look)
