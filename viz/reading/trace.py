"""The Trace: one computation as plain data. Every picture, table and stepper is made from it.

    nodes       in creation order: op, rule, name, shape, value, gradient, module call, source line
    edges       in the order of the operands: where a value goes, and what came back along the way
    modules     the module calls, with their paths
    steps       the program and its backward pass, one step at a time (telling/steps.py)
    files       the text of the source files whose lines made the nodes
    recurrences blocks of ops that run again on what their last run made (passes.py)
    tokens      what the rows and the columns of attention stand for, if the user said so
    origins     where detached values came from (origins.py)
    arithmetic  small tensor ops spelled out in scalars (arithmetic.py), where a page asked for them
    programs    other ops as programs that a page can run (running.py)

A trace holds numbers and strings only. ``to_json`` writes it, ``Trace.from_json`` reads it, and all
that comes after it (telling, drawing, asking, showing) makes the same output from either: it needs
no graph. ``computation`` is the one way back to the graph, for questions that need the engine
again; a trace that was read from a file has none.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from microtorch.base import errors
from microtorch.version import __version__

from . import numbers
from .arithmetic import Arithmetic, Program, special
from .numbers import count
from .recurrence import Origin, Recurrence, State

if TYPE_CHECKING:
    from .measure import Computation

SCHEMA = 2
Data: TypeAlias = dict[str, Any]  # a dataclass as asdict makes it and JSON gives it back
Nested: TypeAlias = "float | list[Nested]"  # a number, or lists of numbers to any depth


class GraphTooLarge(errors.GraphError):
    """The picture would have more nodes than can be read."""


def too_large(
    n: int, limit: int, before: int = 0, line: int = 0, times: int = 0, function: str = ""
) -> GraphTooLarge:
    """The error for ``n`` nodes, ``before`` that were collapsed to ``n``.

    ``line``, ``times``: the line that made most of them, and how often it ran. ``function``: what
    was to show them, where that is no picture.
    """
    what = f"the graph has {count(n, 'node')}, and a picture of more than {limit:,} cannot be read"
    if before > n:
        sizes = f"{count(before, 'node')}, {n:,} after collapsing"
        what = f"the graph has {sizes}; a picture of more than {limit:,} cannot be read"
    fix = (
        "collapse modules with depth=0 or 1; or draw one sample instead of the batch; "
        "or raise max_nodes="
    )
    if times > 1:
        fix = (
            f"line {line} ran {times:,} times: let its loop run a few times for the picture, such "
            "as range(5); put the loop's body into a Module, whose calls fold into one box; " + fix
        )
    if function:
        what = f"the graph has {count(n, 'node')}, and {function}() shows up to {limit:,}"
        fix = "compute the loss of one sample instead of the batch"
        if times > 1:
            fix = f"line {line} ran {times:,} times: let its loop run a few times; or {fix}"
    return GraphTooLarge(errors.message(what, fix=fix))


# ---- values and nodes ----------------------------------------------------------------------------
@dataclass(slots=True)
class Value:
    """A value or a gradient: a number, or the summary of an array."""

    number: complex | None = None  # of one element
    rms: float = 0.0  # root mean square over the elements
    low: float | None = None
    high: float | None = None
    cells: list[list[float | None]] = field(default_factory=list)  # the thumbnail, row by row
    pooled: bool = False  # is each cell the average of several elements?
    full: Nested | None = None  # nested lists, of small arrays
    packed: str = ""  # the elements of a large array (large.py), if the steps keep them


@dataclass(slots=True)
class Site:
    """A place in the user's source; columns are None where Python (3.10) does not know them."""

    file: str
    line: int
    end_line: int | None
    column: int | None
    end_column: int | None
    function: str


@dataclass(slots=True)
class Kept:
    """One value that a node keeps for backward under PyTorch's ``name`` (kept.py).

    ``what``: "input", "output", "copy" (of its own), "argument" (such as an index), "packed" (by
    the user's hooks) or "freed"; "unread": what no derivative reads, but the graph holds.
    Views of one ``memory`` of ``whole`` bytes have ``size`` bytes each.
    """

    name: str
    what: str
    node: int  # whose value it is; -1: of none
    size: int = 0
    memory: int | None = None  # None: nothing that is counted
    view: int = 0  # equal for the same elements
    whole: int = 0
    leaf: bool = False  # does the memory belong to a leaf, and so live on without the graph?


@dataclass(slots=True)
class TraceNode:
    """One value, and how it was made.

    ``role``: "parameter", "data", "constant", "intermediate", "loss" (what was drawn), or "average"
    (of several processes' gradients of one parameter: its ``inputs``).
    ``grad_state``: "none" where no gradient flows, "missing" before backward has computed it,
    "known", or "lost" where it can no longer be found.
    ``place`` numbers the position in the source: nodes made by the same expression share it.
    ``several``: does it stand for several results, each of which has a node of its own?
    """

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
    expression: str = ""  # w1·x1, of a result without a name; x[…], of a view; mask
    module: int | None = None
    parameter: str = ""  # its name among the parameters of `module`
    value: Value | None = None  # None: freed
    grad: Value | None = None
    grad_state: str = "none"
    site: Site | None = None
    place: int | None = None
    loop: int | None = None  # the line of the innermost loop around that position
    kernels: list[str] = field(default_factory=list)  # a device's text of the op and of each vjp
    rank: int | None = None  # the process that made it, where there are several
    several: bool = False
    kept: list[Kept] = field(default_factory=list)  # where a picture asked for it

    @property
    def size(self) -> str:
        """Its shape, as every output writes it."""
        return "several results" if self.several else numbers.shape(self.shape)

    @property
    def number(self) -> complex | None:
        """The value, where it is one element and known."""
        return None if self.value is None else self.value.number


@dataclass(slots=True)
class Edge:
    """Operand number ``position`` of node ``target``, and the ``contribution`` it received."""

    source: int
    target: int
    position: int
    flows: bool  # does a gradient flow along it?
    contribution: Value | None = None


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


# ---- steps ---------------------------------------------------------------------------------------
@dataclass(slots=True)
class Comparison:
    """A gradient beside its finite difference; ``what`` was compared, where not the derivative."""

    analytic: float
    finite: float
    error: float
    ok: bool
    what: str


@dataclass(slots=True)
class Step:
    """One step: a "leaf" or an "op" of the forward ``phase``; of backward, the "seed", or what an
    earlier backward has "left" in a leaf's ``.grad``, to which this one adds (``left``).
    """

    phase: str
    kind: str
    node: int
    name: str
    text: str
    left: Value | None = field(default=None, kw_only=True)

    @property
    def origin(self) -> int:
        """The node in whose line of the source the step happens."""
        return self.node


@dataclass(slots=True)
class Contribution(Step):
    """One step of backward: ``node`` receives something from ``sender``, of which it is an operand.

    ``old`` + ``contribution`` = ``new`` where these are numbers; of arrays ``array`` and ``total``
    summarize the contribution and the sum. ``local`` is ∂sender/∂node as a number. One of the kind
    "reduce" is a process's share of an "average".
    """

    sender: int = 0
    position: int = 0  # which operand of the sender
    edge: int = 0  # its number in Trace.edges
    chain: str = ""  # ∂L/∂a += ∂L/∂c · ∂c/∂a
    rule: str = ""  # the same with the op's derivative, in the user's names
    numbers: str = ""  # and with numbers
    old: float | None = None
    contribution: float | None = None
    new: float | None = None
    local: float | None = None
    sum: str = ""
    array: Value | None = None
    total: Value | None = None
    remark: str = ""
    uses: int = 1  # how many contributions the node has received, with this one
    final: bool = False  # is it the last?
    check: Comparison | None = None

    @property
    def origin(self) -> int:
        return self.sender

    @property
    def only(self) -> bool:
        """Is it all that the node's gradient consists of?"""
        return self.final and self.uses == 1 and self.kind == "contribution"


@dataclass(slots=True)
class Push(Step):
    """One step of forward mode: a value, and its tangent as the sum of its operands' ``terms``.

    ``contribution`` is the tangent where it is one number; of an array ``array`` summarizes it.
    """

    rule: str = ""  # ∂n/∂w = ∂a/∂w · b, in the user's names
    numbers: str = ""  # and with numbers
    terms: dict[int, Value] = field(default_factory=dict)  # position of the operand -> its part
    contribution: float | None = None
    local: float | None = None  # the derivative of the one operand that moves
    sum: str = ""
    array: Value | None = None
    remark: str = ""
    check: Comparison | None = None


# ---- the whole -----------------------------------------------------------------------------------
@dataclass
class Trace:
    """See the module's docstring.

    ``backward``: has it run? ``note`` says why gradients could not be found. ``roots``: the result
    of each process, where there are several; ``root`` is the first. In ``mode`` "forward" every
    ``grad`` is a tangent: how the value moves with ``over``; ``seed`` says what moves.
    """

    nodes: list[TraceNode] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    modules: list[ModuleCall] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    files: dict[str, list[str]] = field(default_factory=dict)
    recurrences: list[Recurrence] = field(default_factory=list)
    tokens: list[list[str]] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    arithmetic: dict[int, Arithmetic] | None = None  # node -> its op; None: nobody has asked
    programs: dict[int, Program] = field(default_factory=dict)  # node -> its op
    root: int = 0
    backward: bool = False
    note: str = ""
    roots: dict[int, int] = field(default_factory=dict)  # rank -> node
    mode: str = "reverse"
    over: str = ""
    seed: str = ""
    computation: Computation | None = field(default=None, repr=False, compare=False)

    def top(self, i: int) -> int:
        """The result that the gradient of node i belongs to."""
        rank = self.nodes[i].rank
        return self.root if rank is None else self.roots.get(rank, self.root)

    def chain(self, m: int | None) -> list[int]:
        """The module calls around call ``m``, outermost first, ``m`` itself last."""
        out: list[int] = []
        while m is not None:
            out.append(m)
            m = self.modules[m].parent
        return out[::-1]

    def line(self, site: Site | None) -> str:
        """The text of a line of source, stripped; empty where the file could not be read."""
        lines = self.files.get(site.file, []) if site is not None else []
        return lines[site.line - 1].strip() if site and 0 < site.line <= len(lines) else ""

    def to_json(self, indent: int | None = None) -> str:
        """The trace as JSON text. Infinities and NaN, which JSON does not have, are strings."""
        arithmetic = None
        if self.arithmetic is not None:
            arithmetic = {str(i): asdict(a) for i, a in self.arithmetic.items()}
        data = {
            "schema": SCHEMA,
            "microtorch": __version__,
            "root": self.root,
            "backward": self.backward,
            "note": self.note,
            "roots": self.roots,
            "mode": [self.mode, self.over, self.seed],
            "nodes": [asdict(n) for n in self.nodes],
            "edges": [asdict(e) for e in self.edges],
            "modules": [asdict(m) for m in self.modules],
            "steps": [asdict(s) for s in self.steps],
            "files": self.files,
            "tokens": self.tokens,
            "origins": [asdict(o) for o in self.origins],
            "recurrences": [asdict(r) for r in self.recurrences],
            "arithmetic": arithmetic,
            "programs": {str(i): p._asdict() for i, p in self.programs.items()},
        }
        return json.dumps(_plain(data), ensure_ascii=False, allow_nan=False, indent=indent)

    @classmethod
    def from_json(cls, text: str) -> Trace:
        """The trace that ``to_json`` wrote. Raises ValueError for any other text."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise ValueError(f"Trace.from_json() takes the text of a trace: {error}") from None
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            found = data.get("schema") if isinstance(data, dict) else None
            raise ValueError(
                f"Trace.from_json() reads traces of schema {SCHEMA}, but this text has "
                f"{'no schema' if found is None else f'schema {found}'}; make the trace anew"
            )
        arithmetic = data["arithmetic"]
        return cls(
            [_node(d) for d in data["nodes"]],
            [_edge(d) for d in data["edges"]],
            [ModuleCall(**d) for d in data["modules"]],
            [_step(d) for d in data["steps"]],
            data["files"],
            [_recurrence(r) for r in data.get("recurrences", ())],
            data.get("tokens", []),
            [Origin(**o) for o in data.get("origins", ())],
            arithmetic and {int(i): Arithmetic.from_data(d) for i, d in arithmetic.items()},
            {int(i): Program(**p) for i, p in data.get("programs", {}).items()},
            data["root"],
            data["backward"],
            data["note"],
            {int(rank): i for rank, i in data.get("roots", {}).items()},
            *data.get("mode", ()),
        )


# ---- JSON ----------------------------------------------------------------------------------------
def _plain(x: Any) -> Any:
    """What JSON can say: NaN, the infinities and complex numbers as strings."""
    if isinstance(x, dict):
        return {str(k): _plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [_plain(v) for v in x]
    if isinstance(x, complex):
        return f"{x.real!r}{x.imag:+}i"
    return str(x) if isinstance(x, float) and not math.isfinite(x) else x


def _value(data: Data | None) -> Value | None:
    if data is None:
        return None
    return Value(**{k: v if k == "packed" else special(v) for k, v in data.items()})


def _node(data: Data) -> TraceNode:
    site = None if data["site"] is None else Site(**data["site"])
    made = {"site": site, "value": _value(data["value"]), "grad": _value(data["grad"])}
    return TraceNode(**data | made | {"kept": [Kept(**k) for k in data.get("kept", ())]})


def _edge(data: Data) -> Edge:
    return Edge(**data | {"contribution": _value(data["contribution"])})


def _recurrence(data: Data) -> Recurrence:
    return Recurrence(**data | {"states": [State(**s) for s in data["states"]]})


def _step(data: Data) -> Step:
    data = data | {"left": _value(data["left"])}
    if data["kind"] == "push":
        return _push(data)
    if data["kind"] not in ("contribution", "reduce"):
        return Step(**data)
    made = {k: special(data[k]) for k in ("old", "contribution", "new", "local")}
    values = {k: _value(data[k]) for k in ("array", "total")}
    return Contribution(**data | made | values | {"check": _check(data["check"])})


def _push(data: Data) -> Push:
    terms = {int(p): _value(v) for p, v in data["terms"].items()}
    made = {k: special(data[k]) for k in ("contribution", "local")}
    made = {**made, "array": _value(data["array"])}
    return Push(**data | made | {"terms": terms, "check": _check(data["check"])})


def _check(data: Data | None) -> Comparison | None:
    if data is None:
        return None
    return Comparison(**{k: v if k == "what" else special(v) for k, v in data.items()})
