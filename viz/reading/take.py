"""From the graph of a Tensor or Scalar to its Trace.

``skeleton`` reads the structure alone and is fast also for graphs that are too large to draw;
``fill`` adds names, values and gradients. Neither changes anybody's ``.grad``.
"""

from __future__ import annotations

import linecache
import re
import sys
from collections import Counter
from types import CodeType, FrameType
from typing import Any, TypeAlias

import numpy as np

from microtorch.base import errors
from microtorch.graph import Node, Scope, in_order, user_frame
from microtorch.graph import Site as CodeSite
from microtorch.handles.tensor import Tensor
from microtorch.nn.parallel import DataParallel, DistributedDataParallel

from . import derived, numbers, origins, passes, source
from .conjugates import conjugated
from .frames import Frame
from .held import held
from .kinds import of_a_kind
from .measure import Computation, parted
from .modules import arguments
from .names import Names, Pairs, node_of
from .summary import summary
from .trace import Edge, ModuleCall, Site, Trace, TraceNode, too_large

CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict"})
WRAPPERS = (DataParallel, DistributedDataParallel)
ADDRESS = re.compile(r" object at 0x[0-9a-f]+")  # another one in each run
LONGEST = 4_000  # characters of an argument; the divisors of a padded pooling are many numbers
MOST = 10_000  # nodes, where nobody says how many
PICTURES = frozenset({"draw", "draw_dot", "make_dot", "step"})
DRAWN = frozenset({"draw", "draw_dot", "make_dot"})  # what may be given several results at once
Root: TypeAlias = Any  # whatever the user passes; a Tensor, a Scalar, or something else to refuse


class Drawable:
    """What is no value itself, but stands for one: ``draw`` and ``step`` take its root."""

    root: Root = None


def caller() -> FrameType:
    """The frame of the user's code that called the library."""
    frame: FrameType = user_frame(sys._getframe(1))
    return frame


def take(
    root: Root,
    function: str,
    frame: Frame | None = None,
    given: Pairs | None = None,
    gradients: bool = False,
    most: int = MOST,
) -> Trace:
    """The whole trace of a Tensor's or Scalar's computation: ``skeleton``, then ``fill``."""
    return fill(skeleton(root, function, most), frame, given, gradients)


# ---- structure -----------------------------------------------------------------------------------
def skeleton(root: Root, function: str = "draw", most: int | None = None) -> Trace:
    """The structure of the graph, without names and numbers. ``function`` is named in errors.

    A picture may be of several results: a tuple, list or dict of them. Raises TypeError for what is
    no Tensor or Scalar, GraphError where no operation was recorded, and GraphTooLarge above
    ``most`` nodes.
    """
    root = root.root if isinstance(root, Drawable) else root
    roots = _results(root)
    tops = [_checked(r, function) for r in roots] if function in DRAWN else []
    nodes = _numbers_at_first_use(in_order(tops or [_checked(root, function)], constants=True))
    root = next((r for r in roots if node_of(r) is nodes[-1]), root)
    if most is not None and len(nodes) > most:
        drawn = [n for n in nodes if n.op is not None or n.needs or n.shape]
        runs = Counter((n.code, n.lasti) for n in drawn if n.op is not None and n.code is not None)
        line, times = 0, 0
        for (code, lasti), often in runs.most_common(1):
            if code is not None and often > len(drawn) // 20:
                found_at = (n for start, end, n in code.co_lines() if start <= lasti < end)
                line, times = next(found_at, None) or 0, often
        shown, table = (most // 25, "") if function in PICTURES else (most, function)
        raise too_large(len(drawn), shown, 0, line, times, table)
    found = Computation(nodes, root.array if isinstance(root, Tensor) else root.value)
    trace = Trace(root=len(nodes) - 1, computation=found)
    for i, (n, inputs) in enumerate(zip(nodes, found.inputs, strict=True)):
        shape = list(n.inputs[0].shape if parted(n) else n.shape)
        t = TraceNode(i, _role(n, shape), inputs, shape, n.dev is None, n.needs)
        if n.op is not None:
            t.op = public(n.op.name)
            if n.scope is not None:
                t.module = _module(trace, n.scope, found.scopes)
        t.several = i in found.holders
        trace.nodes.append(t)
        for position, j in enumerate(inputs):
            trace.edges.append(Edge(j, i, position, n.needs and nodes[j].needs))
    for node in tops or nodes[-1:]:
        trace.nodes[found.index(node)].role = "loss"
    found.many = len(tops) > 1
    _positions(trace, nodes)
    return trace


def _results(root: Root) -> list[Root]:
    """The results in a tuple, list or dict, as models return them, that an op made."""
    if isinstance(root, dict):
        root = tuple(root.values())
    if not isinstance(root, (tuple, list)):
        return [root]
    found = [r for part in root for r in _results(part)]
    return [r for r in found if (node := node_of(r)) is not None and node.op is not None] or found


def _checked(root: Root, function: str) -> Node:
    """The root's node, which an op made."""
    node = node_of(root)
    if node is None:
        module = hasattr(root, "named_parameters")
        what = "a module" if module else type(root).__name__
        fix = "pass the loss, or any other result"
        if module:
            fix = f"pass what it computes: viz.{function}(model(x))"
        elif isinstance(root, (int, float)):
            fix = "a number has no graph: pass the tensor that .item() was called of"
        what = f"{function}() takes a Tensor or a Scalar, but got {what}"
        raise TypeError(errors.message(what, fix=fix))
    if node.op is None:
        leaf = "it requires grad, but is a leaf: made by the user, not computed"
        no_grad = (
            "it does not require grad: no input did, or it was made under no_grad() or by detach()"
        )
        what = f"nothing to {function}: no operation was recorded for this {type(root).__name__}"
        fix = "give the leaves requires_grad=True, compute outside no_grad(), and pass the result"
        raise errors.GraphError(errors.message(what, leaf if node.needs else no_grad, fix=fix))
    return node


def _numbers_at_first_use(nodes: list[Node]) -> list[Node]:
    """The nodes, with each number just before the first node that uses it.

    The engine keeps the node of a number for the next graph that uses it; its place must not tell
    of graphs before this one.
    """
    out: dict[Node, None] = {}
    for n in nodes:
        if n.op is not None or n.needs or n.shape or n.code is not None:
            out.update(dict.fromkeys(n.inputs))
            out[n] = None
    return list(out)


def _role(n: Node, shape: list[int]) -> str:
    if n.op is not None:
        return "intermediate"
    return "parameter" if n.needs else "data" if shape else "constant"  # until a name turns up


def _positions(trace: Trace, nodes: list[Node]) -> None:
    """Where in the user's source each node was made; each position is looked up once."""
    places: dict[tuple[CodeType, int], tuple[int, Site, int | None]] = {}
    indexed: dict[str, source.Source] = {}
    for t, n in zip(trace.nodes, nodes, strict=True):
        if n.code is None:
            continue
        key = (n.code, n.lasti)
        if key not in places:
            site = Site(*CodeSite.of(*key))
            if site.file not in indexed:
                indexed[site.file] = source.of(site.file)
            places[key] = len(places), site, indexed[site.file].loop(site.line)
        t.place, t.site, t.loop = places[key]
    calls = {
        place: derived.call(indexed[site.file], CodeSite.of(*key))
        for key, (place, site, _) in places.items()
    }
    derived.add_frames(trace, calls)


def _module(trace: Trace, scope: Scope, calls: dict[Scope, int]) -> int | None:
    """The module call of a scope; outer calls come before inner ones.

    What only hands its inputs on to the module that it wraps is no call of its own.
    """
    missing: list[Scope] = []
    s: Scope | None = scope
    while s is not None and s not in calls:
        if not isinstance(s.module(), WRAPPERS):
            missing.append(s)
        s = s.parent
    parent = None if s is None else calls[s]
    for s in reversed(missing):
        module = s.module()
        kind = s.label if s.kind is None else s.kind.__name__
        outer = trace.modules[parent].path + "." if parent is not None else ""
        path = s.label if s.label.startswith(outer) or parent is None else outer + s.label
        plain = module is None or kind in CONTAINERS or module._modules
        text = f"{kind}()" if plain else f"{kind}({arguments(module)})"
        size = 0 if module is None else sum(p.array.size for p in module.parameters())
        call = ModuleCall(len(trace.modules), parent, path, kind, text, kind in CONTAINERS, size)
        trace.modules.append(call)
        parent = calls[s] = call.id
    return calls.get(scope, parent)


# ---- names, values, gradients --------------------------------------------------------------------
def fill(
    trace: Trace, frame: Frame | None = None, given: Pairs | None = None, gradients: bool = False
) -> Trace:
    """Add names (``frame``: the caller's), values and gradients. Returns the trace.

    ``gradients``: find those of all nodes even if backward has not run; otherwise a picture shows
    ``–`` until it has.
    """
    found = trace.computation
    assert found is not None, "a trace that was read from a file is complete"
    names = Names(found.nodes, frame, given)
    for scope, k in found.scopes.items():
        trace.modules[k].path = names.modules.get(scope.module(), trace.modules[k].path)
    for i, (t, n) in enumerate(zip(trace.nodes, found.nodes, strict=True)):
        t.name = names.name(i)
        _describe(t, n)
        t.value = summary(found.values[i])
        if of_a_kind(n.dev):
            t.shape = list(np.asarray(found.values[i]).shape)
        if not t.op and not t.name and t.shape:  # "mask": what a choice was made by, since no op
            t.expression = "mask" if t.dtype == "bool" else names.viewed(i)  # records a comparison
        if t.role == "constant" and (t.name or (t.scalar and n.code is not None)):
            t.role = "data"
        file = "" if t.site is None else t.site.file
        if file and file not in trace.files:
            trace.files[file] = [line.rstrip("\n") for line in linecache.getlines(file)]
    _owners(trace, names)
    trace.recurrences = passes.find(trace)
    passes.name_states(trace)
    trace.origins = origins.find(trace)
    _expressions(trace)
    held(trace, found, gradients)
    found.release()
    return trace


def public(name: str) -> str:
    """The name of an op as a reader sees it: a private class ``_Steps`` is written ``steps``."""
    return name.lstrip("_").lower() if name.startswith("_") else name


def _public_in(rule: str, name: str) -> str:
    return rule.replace(name, public(name)) if name.startswith("_") else rule


def _describe(t: TraceNode, n: Node) -> None:
    """The facts of the node's op."""
    t.dtype = str(np.dtype(n.dtype))
    if n.op is None:
        return
    t.symbol, t.formula = public(n.op.symbol), n.op.formula
    t.rules = [_public_in(r or "", n.op.name) for r in n.op.rule]
    if n.op.joint and len(t.rules) == 1:  # the one function gives the gradients of all operands
        t.rules *= len(t.inputs)
    if n.dev is not None and n.dev.conjugates and n.op.complex == "holomorphic":
        t.rules = [conjugated(r) for r in t.rules]
    if not of_a_kind(n.dev) and hasattr(n.dev, "kernel_text"):
        vjps = (f"{n.op.name}_vjp{k}" for k in range(len(t.rules)))
        t.kernels = [n.dev.kernel_text(name) for name in (n.op.name, *vjps)]
    for k, v in (n.attrs or {}).items():
        if isinstance(v, (int, float, str, bool, tuple)):
            t.attrs[k] = ADDRESS.sub("", repr(v))[:LONGEST]


def _owners(trace: Trace, names: Names) -> None:
    """Put each parameter into the module call that uses it, if one call does."""
    users: dict[int, list[int | None]] = {}
    for e in trace.edges:
        users.setdefault(e.source, []).append(trace.nodes[e.target].module)
    for i, t in enumerate(trace.nodes):
        if t.op or t.role != "parameter" or i not in names.parameters:
            continue
        chains = [trace.chain(m) for m in users.get(i, [])]
        common = chains[0]
        for chain in chains[1:]:
            common = [a for a, b in zip(common, chain, strict=False) if a == b]
        path, t.parameter = names.parameters[i]
        owner = [m for m in common if trace.modules[m].path == path]
        t.module = owner[-1] if owner else common[-1] if common else None
        around = "" if owner or t.module is None else f"{trace.modules[t.module].path}."
        if around and path.startswith(around):  # used in the module around its own
            t.name = t.parameter = f"{path.removeprefix(around)}.{t.parameter}"
        elif not owner:
            t.name = f"{path}.{t.parameter}" if path else t.parameter


def _expressions(trace: Trace) -> None:
    """Short names for unnamed results of two named operands: w1·x1."""
    for t in trace.nodes:
        if not t.name and t.op in ("mul", "add", "sub", "div") and len(t.inputs) == 2:
            parts = [_operand(trace.nodes[i]) for i in t.inputs]
            if all(parts) and len("".join(parts)) <= 8:
                sign = {"mul": "·", "div": "/"}.get(t.op, f" {t.symbol} ")
                t.expression = sign.join(parts)


def _operand(t: TraceNode) -> str:
    if t.name or t.role != "constant" or t.number is None:
        return t.name
    text = numbers.literal(t.number)
    return f"({text})" if isinstance(t.number, complex) or text[0] == "−" else text
