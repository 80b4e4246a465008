"""The Trace: one computation as plain data, from which every picture, table and stepper is made.

    nodes    in creation order: op, rule, name, shape, value, state of the gradient, module call, line of the source
    edges    in the order of the operands: where a value goes, and what came back along that way
    modules  the module calls, with their paths
    files    the source text of the lines that made the nodes

A trace holds numbers and strings only (``to_json``), so a reader needs neither the graph nor this library, and a test
needs no screen. Making one changes nobody's ``.grad``. ``Trace.skeleton`` has the structure alone and is fast even
for graphs that are too large to draw; ``fill`` adds names, values and gradients.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from microtorch import errors
from microtorch.backends import host
from microtorch.graph import Node, in_order
from microtorch.ops import SYMBOLS
from microtorch.tensor import Tensor
from microtorch.version import __version__

from ..drawing.style import count
from . import measure as replay
from .names import Names, node_of

SCHEMA = 1
FULL = 64  # up to so many elements a trace keeps them all
ROWS, COLUMNS = 4, 16  # cells of a thumbnail
CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict"})


class GraphTooLarge(errors.GraphError):
    """The picture would have more nodes than can be read."""


def too_large(n: int, limit: int, before: int = 0) -> GraphTooLarge:
    what = f"the graph has {count(n, 'node')}, and a picture of more than {limit:,} cannot be read"
    if before > n:
        sizes = f"{count(before, 'node')}, {n:,} after collapsing"
        what = f"the graph has {sizes}; a picture of more than {limit:,} cannot be read"
    fix = "collapse modules with depth=0 or 1; or draw one sample instead of the batch; or raise max_nodes="
    return GraphTooLarge(errors.message(what, fix=fix))


@dataclass(slots=True)
class Array:
    """A value or a gradient: a number, or the summary of an array."""

    number: float | None = None  # of one element
    rms: float = 0.0  # root mean square over the elements
    low: float | None = None
    high: float | None = None
    cells: list[list[float]] = field(default_factory=list)  # the thumbnail, row by row
    pooled: bool = False  # is each cell the average of several elements?
    full: Any = None  # nested lists, of small arrays


@dataclass(slots=True)
class TraceNode:
    """One value. ``grad_state``: "none" no gradient flows here; "missing" not computed; "known"; "lost" freed."""

    id: int
    role: str
    inputs: list[int]
    shape: list[int]
    scalar: bool
    needs: bool
    op: str = ""
    symbol: str = ""
    formula: str = ""
    rules: list[str] = field(default_factory=list)
    attrs: dict[str, str] = field(default_factory=dict)
    dtype: str = "float32"
    name: str = ""
    expression: str = ""  # such as w1·x1, for an unnamed result of named operands
    module: int | None = None
    parameter: str = ""  # its name among the parameters of `module`
    value: Array | None = None  # None: freed
    grad: Array | None = None
    grad_state: str = "none"
    site: dict[str, Any] | None = None
    kernels: list[str] = field(default_factory=list)  # the device's text of the value and of each derivative, where it has one


@dataclass(slots=True)
class Edge:
    """Operand number ``position`` of node ``target``; ``contribution`` is what it received from there."""

    source: int
    target: int
    position: int
    flows: bool  # does a gradient flow along it?
    contribution: Array | None = None


@dataclass(slots=True)
class ModuleCall:
    """One run of a module's forward."""

    id: int
    parent: int | None
    path: str
    type: str
    text: str  # Linear(2, 16)
    container: bool
    parameters: int = 0  # elements of all parameters below


class Trace:
    """See the module's docstring. ``note`` says why gradients could not be found; ``backward``: has it run?"""

    def __init__(self) -> None:
        self.nodes: list[TraceNode] = []
        self.edges: list[Edge] = []
        self.modules: list[ModuleCall] = []
        self.files: dict[str, list[str]] = {}
        self.steps: list[dict[str, Any]] = []
        self.backward = False
        self.note = ""
        self.root = 0
        self._graph: list[Node] = []

    @classmethod
    def skeleton(cls, root: Any, function: str = "draw", most: int | None = None) -> Trace:
        """The structure of the graph of a Tensor or Scalar, without names and numbers.

        Raises TypeError for anything else, GraphError where no operation was recorded, and GraphTooLarge above
        ``most`` nodes.
        """
        root = getattr(root, "root", root) if type(root).__name__ == "Zoom" else root
        node = node_of(root)
        if node is None:
            what = "a module" if hasattr(root, "named_parameters") else f"{type(root).__name__}"
            fix = (
                "draw what it computes: viz.draw(model(x))"
                if what == "a module"
                else "pass the loss, or any other result"
            )
            raise TypeError(errors.message(f"{function}() takes a Tensor or a Scalar, but got {what}", fix=fix))
        if node.op is None:
            raise errors.GraphError(
                errors.message(
                    f"nothing to {function}: no operation was recorded for this {type(root).__name__}",
                    "it requires grad, but is a leaf: made by the user, not computed"
                    if node.needs
                    else "it does not require grad: no input did, or it was made under no_grad() or by detach()",
                    fix="give the leaves requires_grad=True, compute outside no_grad(), and pass the result",
                )
            )
        self = cls()
        self._graph = nodes = _numbers_at_first_use(in_order([node], constants=True))
        if most is not None and len(nodes) > most:
            raise too_large(sum(1 for n in nodes if n.op is not None or n.needs or n.shape), most // 25)
        index = {n: i for i, n in enumerate(nodes)}
        calls: dict[Any, int] = {}
        for i, n in enumerate(nodes):
            inputs = [index[x] for x in n.inputs]
            shape = list(n.shape)
            t = TraceNode(i, _role(n, shape), inputs, shape, n.dev is None, n.needs)
            if n.op is not None:
                t.op = n.op.name
                if n.scope is not None:
                    t.module = self._module(n.scope, calls)
            self.nodes.append(t)
            self.edges.extend([Edge(j, i, k, n.needs and nodes[j].needs) for k, j in enumerate(inputs)])
        self.root = len(nodes) - 1
        self.nodes[-1].role = "loss"
        self._root_value = root.array if isinstance(root, Tensor) else root.value
        return self

    def _module(self, scope: Any, calls: dict[Any, int]) -> int:
        """The module call of a scope; outer calls come before inner ones."""
        if scope in calls:
            return calls[scope]
        missing = []
        while scope is not None and scope not in calls:
            missing.append(scope)
            scope = scope.parent
        parent = None if scope is None else calls[scope]
        for s in reversed(missing):
            module = s.module()
            kind = s.label if s.kind is None else s.kind.__name__
            outer = self.modules[parent].path + "." if parent is not None else ""
            path = s.label if s.label.startswith(outer) or parent is None else outer + s.label
            text = (
                f"{kind}()"
                if module is None or kind in CONTAINERS or module._modules
                else f"{kind}({_brief(module)})"
            )
            size = 0 if module is None else sum(p.array.size for p in module.parameters())
            parent = calls[s] = len(self.modules)
            self.modules.append(
                ModuleCall(
                    parent, None if s.parent is None else calls[s.parent], path, kind, text, kind in CONTAINERS, size
                )
            )
        self._scopes = calls
        return parent  # type: ignore[return-value]

    def fill(self, frame: Any = None, given: Any = None, gradients: bool = False) -> Trace:
        """Add names (``frame``: the caller's), source positions, values and gradients.

        ``gradients``: find those of all nodes even if backward has not run; else a picture shows ``–`` until it has.
        """
        nodes = self._graph
        names = Names(nodes, frame, given)
        for scope, k in getattr(self, "_scopes", {}).items():
            self.modules[k].path = names.modules.get(scope.module(), self.modules[k].path)
        known = replay.values(nodes, self._root_value)
        for i, (t, n) in enumerate(zip(self.nodes, nodes, strict=True)):
            self._describe(i, t, n, names)
            t.value = summary(known[i])
            if t.role == "constant" and (t.name or (t.scalar and n.code is not None)):
                t.role = "data"
        self._owners(names)
        self._expressions()
        self._gradients(known, gradients)
        return self

    def _describe(self, i: int, t: TraceNode, n: Node, names: Names) -> None:
        t.name = names.name(i)
        t.dtype = str(np.dtype(n.dtype))
        if n.op is not None:
            t.symbol, t.formula = symbol(n), n.op.formula
            t.rules = [r or "" for r in n.op.rule]
            if hasattr(n.dev, "kernel_text"):
                t.kernels = [n.dev.kernel_text(name) for name in (n.op.name, *(f"{n.op.name}_vjp{k}" for k in range(len(t.rules))))]
            t.attrs = {
                k: repr(v)[:60] for k, v in (n.attrs or {}).items() if isinstance(v, (int, float, str, bool, tuple))
            }
        site = names.site(i)
        if site is not None:
            t.site = site._asdict()
            if site.file not in self.files:
                import linecache

                self.files[site.file] = [line.rstrip("\n") for line in linecache.getlines(site.file)]

    def _owners(self, names: Names) -> None:
        """Put each parameter into the module call that uses it, if one call does."""
        users: dict[int, list[int | None]] = {}
        for e in self.edges:
            users.setdefault(e.source, []).append(self.nodes[e.target].module)
        for i, t in enumerate(self.nodes):
            if t.op or t.role != "parameter" or i not in names.parameters:
                continue
            chains = [self.chain(m) for m in users.get(i, [])]
            common = chains[0]
            for chain in chains[1:]:
                common = [a for a, b in zip(common, chain, strict=False) if a == b]
            path, t.parameter = names.parameters[i]
            owner = [m for m in common if self.modules[m].path == path]
            t.module = owner[-1] if owner else common[-1] if common else None
            if not owner:
                t.name = f"{path}.{t.parameter}" if path else t.parameter

    def chain(self, m: int | None) -> list[int]:
        """The module calls around call ``m``, outermost first, ``m`` itself last."""
        out: list[int] = []
        while m is not None:
            out.append(m)
            m = self.modules[m].parent
        return out[::-1]

    def _expressions(self) -> None:
        """Short names for unnamed results of two named operands: w1·x1."""
        for t in self.nodes:
            if not t.name and t.op in ("mul", "add", "sub", "div") and len(t.inputs) == 2:
                left, right = (self.nodes[i] for i in t.inputs)
                parts = [_operand(x) for x in (left, right)]
                if all(parts) and len("".join(parts)) <= 8:
                    sign = {"mul": "·", "div": "/"}.get(t.op, f" {t.symbol} ")
                    t.expression = sign.join(parts)

    def _gradients(self, known: list[Any], wanted: bool) -> None:
        nodes = self._graph
        own = [
            None if n.grad is None else n.grad.array if isinstance(n.grad, Tensor) else float(n.grad) for n in nodes
        ]
        leaves = [i for i, n in enumerate(nodes) if n.needs and n.op is None]
        root = nodes[-1]
        ran = root.freed if root.dev is not None else root.grad is not None
        seen = any(own[i] is not None for i in leaves)
        result = replay.Replay(nodes, known) if wanted or ran or seen else None
        if result is not None and not ran and not wanted and seen:  # backward(retain_graph=True), or an older loss?
            ran = all(own[i] is not None and _close(own[i], result.gradients.get(i)) for i in leaves)
        self.backward = ran
        show = ran or wanted
        self.note = result.reason if result is not None and show else ""
        for i, (t, n) in enumerate(zip(self.nodes, nodes, strict=True)):
            if not n.needs:
                continue
            g = own[i] if own[i] is not None and not wanted else None
            if g is None and show and result is not None and not (ran and n.op is None and not wanted):
                g = result.gradients.get(i)
            if g is None and ran and i == self.root and t.shape == []:
                g = 1.0  # the seed, also where nothing else can be found again
            t.grad = summary(g)
            t.grad_state = (
                "known" if t.grad is not None else "lost" if show and self.note and n.op is not None else "missing"
            )
        if show and result is not None:
            for e in self.edges:
                e.contribution = summary(result.contributions.get((e.target, e.position)))
            self.order = result.order

    def to_json(self, indent: int | None = None) -> str:
        """The trace as JSON text. Infinities and NaN, which JSON does not have, are strings."""
        data = {
            "schema": SCHEMA,
            "microtorch": __version__,
            "root": self.root,
            "backward": self.backward,
            "note": self.note,
            "nodes": [asdict(n) for n in self.nodes],
            "edges": [asdict(e) for e in self.edges],
            "modules": [asdict(m) for m in self.modules],
            "steps": self.steps,
            "files": self.files,
        }
        return json.dumps(_plain(data), ensure_ascii=False, allow_nan=False, indent=indent)


def _numbers_at_first_use(nodes: list[Node]) -> list[Node]:
    """The engine keeps the node of a number for the next graph that uses it; its place must not tell of graphs before."""
    out: dict[Node, None] = {}
    for n in nodes:
        if n.op is not None or n.needs or n.shape or n.code is not None:
            out.update(dict.fromkeys(n.inputs))
            out[n] = None
    return list(out)


def _role(n: Node, shape: list[int]) -> str:
    if n.op is not None:
        return "intermediate"
    return "parameter" if n.needs else "data" if shape else "constant"  # a number, until a name turns up


def symbol(n: Node) -> str:
    """How the op is written in a picture: ``×``, ``@``, ``**2``, ``relu``."""
    op = n.op
    if op.name == "linear":
        return "linear"
    if op.name in SYMBOLS:
        return SYMBOLS[op.name]
    return op.name


def _operand(t: TraceNode) -> str:
    if t.name:
        return t.name
    if t.role == "constant" and t.value is not None and t.value.number is not None:
        text = f"{t.value.number:g}"
        return text if text[0] != "-" else f"(−{text[1:]})"
    return ""


def _brief(module: Any) -> str:
    """``2, 16`` for ``in_features=2, out_features=16, bias=True``: sizes bare, what is unusual named."""
    parts = []
    for part in module.extra_repr().split(", "):
        key, equals, value = part.partition("=")
        if equals and (key, value) in (("bias", "True"), ("inplace", "False")):
            continue
        parts.append(value if equals and key in ("in_features", "out_features") else part)
    text = ", ".join(parts)
    return text if len(text) <= 40 else text[:39] + "…"


# ---- summaries -----------------------------------------------------------------------------------------------------
def summary(x: Any) -> Array | None:
    """A float or array as an ``Array``; None for None and for what is not numbers (gradients of several outputs)."""
    if x is None or isinstance(x, dict):
        return None
    if isinstance(x, (int, float)):
        return Array(number=x, rms=abs(float(x)), low=float(x), high=float(x))
    x = np.asarray(host(x))
    if x.size == 1:
        v = x.reshape(()).item()
        full = x.tolist() if x.ndim else None
        return Array(v, abs(float(v)), float(v), float(v), [[float(v)]] if x.ndim else [], False, full)
    if x.size == 0:
        return Array(full=x.tolist())
    f = x.astype(np.float64)
    with np.errstate(all="ignore"):
        cells, pooled = thumbnail(f)
        rms = float(np.sqrt(np.mean(f * f)))
        if rms == 0.0 or math.isinf(rms):  # squares under- and overflow where the numbers do not
            scale = float(np.abs(f).max())
            rms = scale * float(np.sqrt(np.mean((f / scale) ** 2))) if 0 < scale < math.inf else scale
    full = x.tolist() if x.size <= FULL else None
    return Array(None, rms, float(f.min()), float(f.max()), cells, pooled, full)


def thumbnail(f: np.ndarray) -> tuple[list[list[float]], bool]:
    """At most ROWS x COLUMNS cells, averaging where there are more elements; a vector is one row."""
    f = f.reshape(1, -1) if f.ndim < 2 else f.reshape(-1, f.shape[-1])
    if f.shape[1] == 1:
        f = f.T  # vectors lie down
    pooled = f.shape[0] > ROWS or f.shape[1] > COLUMNS
    for axis, most in ((0, ROWS), (1, COLUMNS)):
        if f.shape[axis] > most:
            starts = np.linspace(0, f.shape[axis], most + 1).astype(int)[:-1]
            sizes = np.diff(np.append(starts, f.shape[axis]))
            f = np.add.reduceat(f, starts, axis=axis) / (sizes[:, None] if axis == 0 else sizes)
    return f.tolist(), pooled


def _close(a: Any, b: Any) -> bool:
    if b is None:
        return False
    a, b = np.asarray(host(a), float), np.asarray(host(b), float)
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-4, atol=1e-6 * (1 + np.abs(b).max(initial=0))))


def _plain(x: Any) -> Any:
    if isinstance(x, Array):
        return _plain(asdict(x))
    if isinstance(x, dict):
        return {str(k): _plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [_plain(v) for v in x]
    if isinstance(x, float) and not math.isfinite(x):
        return str(x)
    if isinstance(x, complex):
        return str(x)
    return x
