"""What a picture says of each op on demand: its static arguments, and what it keeps for backward.

Lines of two texts, which boxes show as rows (labels.py) and other formats as text (outline.py).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..reading import numbers
from ..reading.kept import NO_ATTRIBUTES, SHOWN, total
from ..reading.trace import Kept, Trace, TraceNode
from ..telling.words import cut
from .options import Options

if TYPE_CHECKING:
    from .plan import Unit

SLICE = re.compile(r"slice\((?:None|([^,]*)), (?:None|([^,]*)), (?:None|([^)]*))\)")


def details(trace: Trace, u: Unit, o: Options) -> list[tuple[str, str]]:
    """The lines of a unit: of one op each argument and each value kept, of a box the sum."""
    nodes = [trace.nodes[i] for i in u.members if trace.nodes[i].op]
    if u.kind == "value":
        lines = [line for n in nodes if o.show_attrs for line in _arguments(n, o.max_attr_chars)]
        return lines + [line for n in nodes if o.show_saved for line in _values(trace, n)]
    kept = [k for n in nodes for k in n.kept if k.what != "unread"]
    if not o.show_saved or not nodes:
        return []
    several = len({(k.memory, k.view) for k in kept if k.memory is not None})
    freed = sum(k.what == "freed" for k in kept)
    if not several:
        return [("keeps", "freed" if freed else "numbers" if kept else "nothing")]
    return [(f"keeps {numbers.count(several, 'array')}", numbers.size_of(total(kept)))]


def _arguments(n: TraceNode, longest: int) -> list[tuple[str, str]]:
    """As PyTorch calls them, and an index as it is written."""
    shown = {SHOWN.get(k, k): v for k, v in n.attrs.items() if k not in NO_ATTRIBUTES}
    if "index" in n.attrs:
        shown["index"] = SLICE.sub(_slice, n.attrs["index"]).replace("Ellipsis", "…")
    return [(k, cut(v, longest)) for k, v in shown.items()]


def _slice(m: re.Match[str]) -> str:
    start, stop, step = (text or "" for text in m.groups())
    return f"{start}:{stop}:{step}" if step else f"{start}:{stop}"


def _values(trace: Trace, n: TraceNode) -> list[tuple[str, str]]:
    kept = [k for k in n.kept if k.what != "unread"]
    if not kept:
        return [("keeps", "nothing")]
    return [(f"keeps {k.name}", _value(trace, k)) for k in kept]


def _value(trace: Trace, k: Kept) -> str:
    text = "own copy" if k.what == "copy" else k.what
    if k.what == "input":
        x = trace.nodes[k.node]
        literal = numbers.literal(x.number) if x.role == "constant" and x.number is not None else ""
        text = f"input {cut(x.name or x.expression or literal or x.symbol or x.role, 24)}"
    return text if k.memory is None else f"{text}, {numbers.size_of(k.size)}"


def caption(trace: Trace) -> list[str]:
    """What all ops keep together, in one or two sentences."""
    every = [k for n in trace.nodes for k in n.kept]
    kept = [k for k in every if k.what not in ("unread", "freed")]
    lines = []
    if arrays := [k for k in kept if k.memory is not None]:
        leaves = total(k for k in arrays if k.leaf)
        own = numbers.size_of(total(arrays) - leaves)
        all_of = f"kept for backward: {numbers.size_of(total(arrays))}, each memory counted once"
        lines.append(f"{all_of}: {numbers.size_of(leaves)} in your leaves, {own} elsewhere")
    elif any(k.what in ("input", "output") for k in kept):
        lines.append("kept for backward: numbers, which lie in the nodes themselves")
    elif not any(k.what in ("freed", "packed") for k in every):
        lines.append("kept for backward: nothing")
    if any(k.what == "packed" for k in kept):
        lines.append("what hooks have packed counts where it is a tensor")
    if any(k.what == "freed" for k in every):
        lines.append("backward has freed what its ops kept: draw before, or use retain_graph=True")
    read = {k.memory for k in kept}
    rest = total(k for k in every if k.what == "unread" and k.memory not in read and not k.leaf)
    if rest:
        size = numbers.size_of(rest)
        lines.append(f"the graph holds {size} besides, in values that no derivative reads")
    return lines
