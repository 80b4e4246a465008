"""The traces of several processes as one, with the average of their gradients between them.

Each process has a copy of the parameters and computes on its own part of the data. After the last
contribution to a parameter on every process comes the all-reduce: each one's gradient, divided by
their number, is added up. These sums are steps like others: old + contribution = new.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

import numpy as np

from ..reading import numbers
from ..reading.summary import number, summary
from ..reading.trace import Contribution, Edge, ModuleCall, Step, Trace, TraceNode
from .words import display_names, partial


def side_by_side(traces: Sequence[Trace], shares: Sequence[dict[int, np.ndarray]]) -> Trace:
    """One trace of all processes, by rank. ``shares``: what each adds to a parameter's average."""
    out = Trace(backward=all(t.backward for t in traces), arithmetic={})
    assert out.arithmetic is not None
    plain = [_plain_names(t) for t in traces]
    at: list[int] = []
    moved: list[list[Step]] = []
    for rank, t in enumerate(traces):
        first, edge, call = len(out.nodes), len(out.edges), len(out.modules)
        at.append(first)
        out.nodes += [_node(n, first, call, rank) for n in t.nodes]
        out.edges += [replace(e, source=e.source + first, target=e.target + first) for e in t.edges]
        out.modules += [_call(m, call) for m in t.modules]
        out.arithmetic.update({i + first: a for i, a in (t.arithmetic or {}).items()})
        out.programs.update({i + first: p for i, p in t.programs.items()})
        out.files.update(t.files)
        out.roots[rank] = t.root + first
        out.note = out.note or t.note
        moved.append([_step(s, first, edge) for s in t.steps])
    out.root = out.roots[0]
    averages: dict[str, Average] = {}
    for rank, (given, names) in enumerate(zip(shares, plain, strict=True)):
        for i, share in given.items():
            average = averages.setdefault(names[i], Average(names[i]))
            average.shares[rank] = i + at[rank], share
    for average in averages.values():
        average.join(out)
    out.steps = list(_in_step(out, moved, list(averages.values())))
    return out


class Average:
    """The gradient of one parameter, averaged: ``shares[rank]`` is (its node there, its share)."""

    def __init__(self, name: str):
        self.name, self.node = name, -1
        self.shares: dict[int, tuple[int, np.ndarray]] = {}

    def join(self, trace: Trace) -> None:
        """Give it a node of the trace, and an edge from each parameter."""
        self.node = len(trace.nodes)
        inputs = [i for i, _ in self.shares.values()]
        like = trace.nodes[inputs[0]]
        mean = summary(sum(share for _, share in self.shares.values()))
        trace.nodes.append(
            TraceNode(
                self.node, "average", inputs, like.shape, like.scalar, True,
                name=self.name, dtype=like.dtype, grad=mean, grad_state="known",
            )
        )  # fmt: skip
        for position, i in enumerate(inputs):
            trace.edges.append(Edge(i, self.node, position, False))

    def steps(self, trace: Trace, names: list[str], of: int) -> Iterator[Contribution]:
        """One step per process: old + share = new."""
        sum_: np.ndarray | None = None
        edges = len(trace.edges)
        first = next(k for k in range(edges) if trace.edges[k].target == self.node)
        for position, (i, share) in enumerate(self.shares.values()):
            old, sum_ = sum_, share if sum_ is None else sum_ + share
            rank, grad = trace.nodes[i].rank, partial(names, trace.top(i), i)
            step = Contribution(
                "backward", "reduce", self.node, names[self.node],
                f"all-reduce: rank {rank} hands in its gradient of {self.name}",
                sender=i, position=position, edge=first + position,
                chain=f"average += {grad} / {of}", rule=f"average += {grad} / {of}",
                old=number(old), contribution=number(share), new=number(sum_),
                uses=position + 1, final=position + 1 == len(self.shares),
            )  # fmt: skip
            if step.contribution is None:
                step.array, step.total = summary(share), summary(sum_)
                step.sum = f"contribution: {numbers.rms(step.array.rms if step.array else None)}"
            else:
                was = "0" if old is None else numbers.number(step.old)
                what = numbers.number(step.contribution)
                what = f"({what})" if step.contribution < 0 else what
                step.sum = f"{was} + {what} = {numbers.number(step.new)}"
            if step.final:
                step.remark = f"Every rank writes this average into its {self.name}.grad."
            yield step


def _in_step(
    trace: Trace, moved: list[list[Step]], averages: list[Average]
) -> Iterator[Step]:
    """The processes work at the same time: a step of each in turn, forward, then backward."""
    names = display_names(trace)
    for phase in ("forward", "backward"):
        rows = zip_longest(*([s for s in steps if s.phase == phase] for steps in moved))
        waiting = {i: a for a in averages for i, _ in a.shares.values()}
        missing = {a.node: len(a.shares) for a in averages}
        for row in rows:
            done: list[Average] = []
            for s in row:
                if s is None:
                    continue
                yield s
                if isinstance(s, Contribution) and s.final and s.node in waiting:
                    average = waiting[s.node]
                    missing[average.node] -= 1
                    if not missing[average.node]:
                        done.append(average)
            for average in done:
                yield from average.steps(trace, names, len(moved))


def _plain_names(trace: Trace) -> list[str]:
    """The names without the mark of the rank: one parameter has the same on all of them."""
    alone = Trace([replace(n, rank=None) for n in trace.nodes], modules=trace.modules)
    return display_names(alone)


def _node(n: TraceNode, first: int, call: int, rank: int) -> TraceNode:
    module = None if n.module is None else n.module + call
    inputs = [i + first for i in n.inputs]
    return replace(n, id=n.id + first, inputs=inputs, module=module, rank=rank)


def _call(m: ModuleCall, call: int) -> ModuleCall:
    return replace(m, id=m.id + call, parent=None if m.parent is None else m.parent + call)


def _step(s: Step, first: int, edge: int) -> Step:
    s = replace(s, node=s.node + first)
    if isinstance(s, Contribution):
        s = replace(s, sender=s.sender + first, edge=s.edge + edge)
    return s
