"""Boxes that stand for many nodes: a module, equal blocks in a row, a loop."""

from __future__ import annotations

from ..reading.trace import Trace, TraceNode
from . import labels
from .plan import Unit
from .style import Theme


def box(trace: Trace, u: Unit, t: Theme, more: labels.Lines = ()) -> tuple[str, str]:
    """The label and the tooltip of a unit that is no single value; ``more`` lines at its end."""
    if u.kind == "fold":
        return _fold(trace, u, t, more)
    if u.kind == "average":
        averages = [trace.nodes[i] for i in u.members]
        return labels.average_box(averages, t), f"the mean of {len(averages)} gradients"
    if u.kind == "loop" or u.call is None:
        return _loop(trace, u, t, more)
    m = trace.modules[u.call]
    parameters = [trace.nodes[i] for i in u.members if not trace.nodes[i].op]
    return labels.module_box(m.path, m.text, parameters, t, more), f"{m.path} {m.text}"


def _fold(trace: Trace, u: Unit, t: Theme, more: labels.Lines) -> tuple[str, str]:
    blocks = u.blocks
    first = blocks[0]
    path = _range(_paths(trace, blocks))
    texts = []
    for k, part in enumerate(first):
        if part.kind == "module":
            calls = [trace.modules[c] for b in blocks if (c := b[k].call) is not None]
            same, m = {call.text for call in calls}, calls[0]
            texts.append(m.text.removesuffix("()") if len(same) == 1 else m.type)
        else:
            texts.append(trace.nodes[part.newest].symbol)
    leaves = [
        [trace.nodes[i] for v in b for i in v.members if not trace.nodes[i].op] for b in blocks
    ]
    words = ", ".join(dict.fromkeys(p.parameter or p.name for p in leaves[0]))
    size = sum(_numel(p) for block in leaves for p in block)
    strip = [max(block, key=lambda p: (len(p.shape), -p.id), default=None) for block in leaves]
    inside = {i for b in blocks for v in b for i in v.members}
    rest = [trace.nodes[i] for i in u.members if i not in inside]
    shared = [n for n in rest if n.role == "parameter"]  # one module called again and again
    label = labels.fold_box(
        path, " → ".join(texts), len(blocks), size, words, strip, shared, t, more
    )
    return label, f"{path}: {len(blocks)} equal blocks"


def _paths(trace: Trace, blocks: list[list[Unit]]) -> list[str]:
    """The path of each block: that of the one module around its units, or of its first unit."""
    paths = [[trace.modules[u.call].path for u in b if u.call is not None] for b in blocks]
    parents = [{p.rpartition(".")[0] for p in block} for block in paths]
    own = {next(iter(p)) for p in parents if len(p) == 1}
    if len(paths[0]) > 1 and len(own) == len(blocks):
        return [next(iter(p)) for p in parents]
    return [block[0] for block in paths]


def _loop(trace: Trace, u: Unit, t: Theme, more: labels.Lines) -> tuple[str, str]:
    ops = [trace.nodes[i] for i in u.members if trace.nodes[i].op]
    symbols = list(dict.fromkeys(n.symbol for n in ops))
    counted = ", ".join(f"{sum(n.symbol == s for n in ops):,} {s}" for s in symbols[:4])
    newest = ops[-1]
    code = trace.line(newest.site)
    inside = len(u.members) - len(ops)
    label = labels.loop_box(u.line, u.count, counted, newest, inside, code, t, more)
    return label, f"loop in line {u.line}: {len(ops)} operations"


def _numel(n: TraceNode) -> int:
    size = 1
    for k in n.shape:
        size *= k
    return size


def _range(paths: list[str]) -> str:
    """``blocks.0 … 11`` for the paths of several blocks."""
    first, last = paths[0].split("."), paths[-1].split(".")
    same = next(
        (k for k, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first)
    )
    return f"{paths[0]} … {'.'.join(last[same:])}" if first != last else paths[0]
