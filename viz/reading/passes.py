"""Recurrence: a block of ops that runs again and again on what its last run made.

Passes are found in the graph, not in the source: equal ops from the same places, one block after
the other, each reading from the one before it. ``for x in xs: h = torch.tanh(x @ U + h @ W)`` is
one, and so are the steps inside ``nn.RNN``. What a pass hands to the next is a state; a leaf that
all passes read in the same place is shared. A stack of equal layers, each with its own weights, is
no recurrence unless a loop of the user's runs them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from itertools import pairwise

from .recurrence import Recurrence, State
from .trace import Trace

LONGEST = 80  # ops in one pass, at most
LEAST = 3  # passes
MOST = 20_000  # ops of a graph that is searched


def find(trace: Trace) -> list[Recurrence]:
    """The recurrences of a graph, the longest first where several overlap; names are not set."""
    row = [t.id for t in trace.nodes if t.op]
    if len(row) > MOST:
        return []
    kinds = [_kind(trace, i) for i in row]
    out = []
    start = 0
    tried: dict[int, int] = {}  # period -> where the run ends that was no recurrence
    while start < len(row):
        best: tuple[int, Recurrence] | None = None
        for period in range(1, min(LONGEST, (len(row) - start) // LEAST) + 1):
            if kinds[start] != kinds[start + period] or start < tried.get(period, 0):
                continue
            times = 1
            while (
                kinds[start + (times - 1) * period : start + times * period]
                == (kinds[start + times * period : start + (times + 1) * period])
            ):
                times += 1
            if times < LEAST:
                continue
            blocks = [row[start + k * period : start + (k + 1) * period] for k in range(times)]
            found = _recurrence(trace, blocks)
            if found is None:
                tried[period] = start + (times - 1) * period
            if found and (best is None or times * period > best[0]):
                best = times * period, found
        if best is None:
            start += 1
        else:
            out.append(best[1])
            start += best[0]
    return out


def _kind(trace: Trace, i: int) -> Hashable:
    t = trace.nodes[i]
    return t.op, t.place, tuple(t.shape), tuple(sorted(t.attrs.items())), len(t.inputs)


def _recurrence(trace: Trace, blocks: list[list[int]]) -> Recurrence | None:
    """The recurrence that these blocks are; None where nothing is handed on."""
    carried = _carried(trace, blocks[0], blocks[1])
    if not carried or any(
        _carried(trace, a, b) != carried for a, b in pairwise(blocks[1:])
    ):
        return None
    where = [{i: k for k, i in enumerate(block)} for block in blocks]
    alike = set.intersection(*(_reads(trace, b, where[k]) for k, b in enumerate(blocks)))
    shared = sorted({j for _, _, j in alike if not _made(trace, j)})
    shared = [j for j in shared if trace.nodes[j].role != "constant"]
    first = trace.nodes[blocks[0][0]]
    if not shared and first.loop is None:
        return None
    states = []
    for r in sorted({r for r, _, _ in carried}):
        c, q = next((c, q) for r2, c, q in carried if r2 == r)
        begins = trace.nodes[blocks[0][c]].inputs[q]
        states.append(State("", begins, [b[r] for b in blocks]))
    begun = {s.first for s in states}
    inputs = [
        sorted(
            {
                j
                for i in block
                for j in trace.nodes[i].inputs
                if j not in where[k]
                and j not in shared
                and j not in begun
                and (k == 0 or j not in where[k - 1])
                and trace.nodes[j].role != "constant"
            }
        )
        for k, block in enumerate(blocks)
    ]
    file = first.site.file if first.site is not None else ""
    return Recurrence(blocks, states, shared, inputs, file, first.loop)


def _made(trace: Trace, j: int) -> bool:
    return bool(trace.nodes[j].op)


def _carried(trace: Trace, a: list[int], b: list[int]) -> set[tuple[int, int, int]]:
    """What block ``b`` reads of ``a``: place in ``a``, place in ``b``, operand."""
    at = {i: k for k, i in enumerate(a)}
    return {
        (at[j], c, q)
        for c, i in enumerate(b)
        for q, j in enumerate(trace.nodes[i].inputs)
        if j in at
    }


def _reads(trace: Trace, block: list[int], own: dict[int, int]) -> set[tuple[int, int, int]]:
    """Place in the block, operand, and what is read from outside of it."""
    return {
        (c, q, j)
        for c, i in enumerate(block)
        for q, j in enumerate(trace.nodes[i].inputs)
        if j not in own
    }


def name_states(trace: Trace) -> None:
    """Give every pass's node of a state the name that one of them has.

    A state of ops inside a module, which no variable holds, is called h; a second one, c.
    """
    for r in trace.recurrences:
        outside = {j for t in trace.nodes for j in t.inputs if not any(t.id in b for b in r.passes)}
        spare = ["h", "c"]
        for s in sorted(r.states, key=lambda s: s.nodes[-1] not in outside):
            names = Counter(trace.nodes[i].name for i in s.nodes if trace.nodes[i].name)
            s.name = names.most_common(1)[0][0] if names else ""
            if s.name in spare:
                spare.remove(s.name)
        for s in sorted(r.states, key=lambda s: s.nodes[-1] not in outside):
            if not s.name and spare:
                s.name = spare.pop(0)
            for i in s.nodes:
                trace.nodes[i].name = s.name
