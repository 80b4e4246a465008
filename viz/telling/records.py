"""One value of a recorded run, and the run played again: what ``viz.trace(loss)`` answers with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..reading import numbers
from ..reading.recorded import Again, Recording, User
from ..reading.trace import Trace
from .lookup import find, keys, rows
from .words import display_names, expression

SEED = 0  # of the noise that stands in for inputs


class Record:
    """One value of a run: what it was, what came back to it, how it was made, and where.

    ``value``    a Tensor (a detached copy), or the number of a Scalar; None if it is lost
    ``grad``     d loss / d value of the same kind, whatever ``.grad`` of the user's tensors holds;
                 None where no gradient flows
    ``time``     seconds that its op takes when it runs again from its recorded inputs; None for
                 a leaf, and where that cannot be
    """

    def __init__(self, trace: Trace, recording: Recording, i: int):
        self.trace, self.recording, self.node = trace, recording, i
        t = trace.nodes[i]
        self.name = display_names(trace)[i]
        self.op, self.role, self.dtype = t.op, t.role, t.dtype
        self.shape = tuple(t.shape)
        self.module = "" if t.module is None else trace.modules[t.module].path
        self.file = "" if t.site is None else t.site.file
        self.lineno = None if t.site is None else t.site.line
        self.line = trace.line(t.site)  # the user's

    @property
    def value(self) -> User | None:
        return self.recording.value(self.node)

    @property
    def grad(self) -> User | None:
        return self.recording.gradient(self.node)

    @property
    def time(self) -> float | None:
        if self.op and self.node not in self.recording.seconds:
            for _ in range(2):  # the first run may have to make or to find what it needs
                self.recording.again(self.node, np.random.default_rng(SEED))
        return self.recording.seconds.get(self.node)

    @property
    def row(self) -> int | None:
        """Its number in the printed table; None for a number of the program's text."""
        order = rows(self.trace)
        return order.index(self.node) + 1 if self.node in order else None

    @property
    def keys(self) -> list[str]:
        """All that it can be called, as ``t[key]``."""
        return keys(self.trace, self.node)

    @property
    def parents(self) -> list[Record]:
        """What it was made from, in the order of the operands."""
        return [self._other(i) for i in self.trace.nodes[self.node].inputs]

    @property
    def children(self) -> list[Record]:
        """What was made from it, in the order of creation."""
        users = dict.fromkeys(e.target for e in self.trace.edges if e.source == self.node)
        return [self._other(i) for i in users]

    def _other(self, i: int) -> Record:
        return Record(self.trace, self.recording, i)

    def __str__(self) -> str:
        t, names = self.trace.nodes[self.node], display_names(self.trace)
        made = f"{self.name} = {expression(self.trace, self.node, names)}"
        head = made if t.op else f"{self.name}, {t.role}"
        lines = [f"{head}   {t.size} {t.dtype}"]
        where = f"line {self.lineno}: {self.line}" if self.lineno is not None else ""
        lines += [f"  {where}"] if where else []
        lines += [f"  in {self.module}"] if self.module else []
        for word, v in (("value", self.value), ("grad", self.grad)):
            if v is not None or word == "value":
                held = self.node in self.recording.holders
                text = "several outputs" if held else "lost" if v is None else str(v)
                lines.append(f"  {word:<6} " + text.replace("\n", "\n" + " " * 9))
        for word, several in (("from", self.parents), ("used", self.children)):
            if several:
                lines.append(f"  {word:<6} {', '.join(r.name for r in several)}")
        known = self.recording.seconds.get(self.node)  # printed where it was asked for before
        if known is not None:
            lines.append(f"  time   {1e6 * known:.1f} µs")
        return "\n".join(lines)

    __repr__ = __str__


def record(trace: Trace, recording: Recording, key: str | int) -> Record:
    return Record(trace, recording, find(trace, key))


@dataclass
class Replay:
    """Each op once more from its recorded inputs. ``print`` it; ``bool(replay)``: all agree."""

    trace: Trace
    results: list[Again]

    def __bool__(self) -> bool:
        return all(r.same for r in self.results)

    @property
    def failed(self) -> list[str]:
        """The names of the values that did not come out again."""
        names = display_names(self.trace)
        return [names[r.node] for r in self.results if not r.same]

    def __str__(self) -> str:
        names = display_names(self.trace)
        texts = [f"{names[r.node]} = {expression(self.trace, r.node, names)}" for r in self.results]
        width = max(map(len, texts), default=0)
        lines = []
        for r, text in zip(self.results, texts, strict=True):
            lines.append(f"{text:<{width}}  {_said(r)}".rstrip())
        same = sum(r.same for r in self.results)
        all_of = numbers.count(len(self.results), "op")
        lines.append(f"{same} of {all_of} gave the recorded output again")
        return "\n".join(lines)

    __repr__ = __str__


def _said(r: Again) -> str:
    if r.error:
        return f"not run: {r.error}"
    time = f"{1e6 * r.seconds:8.1f} µs"
    if not r.same:
        by = "another shape" if r.apart == float("inf") else f"by up to {numbers.short(r.apart)}"
        return f"{time}  differs {by}: it draws random numbers, or was changed since"
    if r.moved is False:
        return f"{time}  same; the same from noise, too: its inputs do not matter here"
    return f"{time}  same" + ("; another from noise" if r.moved else "")


def replay(trace: Trace, recording: Recording) -> Replay:
    noise = np.random.default_rng(SEED)
    ops = [t.id for t in trace.nodes if t.op and t.id not in recording.holders]
    return Replay(trace, [recording.again(i, noise) for i in ops])
