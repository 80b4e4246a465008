"""What ``torch.profiler`` saw: events, their sums by name as a table, and a trace for a browser."""
from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..base.columns import table
from ..base.errors import message

if TYPE_CHECKING:
    from ..base.types import Argument, Shape


class FunctionEvent:
    """One call: ``name``, ``kind``, ``begin`` and ``end`` in microseconds of the profiler's clock.

    ``inside``: microseconds that the events take that it holds. ``bytes``: memory of its result.
    """

    count = 1

    def __init__(self, name: str, kind: str, begin: float, thread: int) -> None:
        self.name, self.kind, self.thread = name, kind, thread
        self.begin = self.end = begin
        self.inside, self.bytes, self.inside_bytes = 0.0, 0, 0
        self.input_shapes: tuple[Shape, ...] = ()
        self.line = ""

    @property
    def key(self) -> str:
        """The name under which it is summed up."""
        return "ProfilerStep*" if self.name.startswith("ProfilerStep#") else self.name

    @property
    def cpu_time_total(self) -> float:
        return self.end - self.begin

    cpu_time = cpu_time_total

    @property
    def self_cpu_time_total(self) -> float:
        return self.cpu_time_total - self.inside

    @property
    def cpu_memory_usage(self) -> int:
        return self.bytes + self.inside_bytes

    @property
    def self_cpu_memory_usage(self) -> int:
        return self.bytes

    def __repr__(self) -> str:
        return f"<FunctionEvent {self.name} {_duration(self.cpu_time_total)}>"


class Sum:
    """All events of one name: ``count``, times in microseconds, memory in bytes."""

    def __init__(self, key: str, input_shapes: tuple[Shape, ...] = ()) -> None:
        self.key, self.input_shapes, self.count = key, input_shapes, 0
        self.cpu_time_total = self.self_cpu_time_total = 0.0
        self.cpu_memory_usage = self.self_cpu_memory_usage = 0

    @property
    def cpu_time(self) -> float:
        """The average."""
        return self.cpu_time_total / max(self.count, 1)

    def add(self, event: FunctionEvent) -> None:
        """One more."""
        self.count += 1
        self.cpu_time_total += event.cpu_time_total
        self.self_cpu_time_total += event.self_cpu_time_total
        self.cpu_memory_usage += event.cpu_memory_usage
        self.self_cpu_memory_usage += event.self_cpu_memory_usage

    def __repr__(self) -> str:
        return f"<{self.key} {_duration(self.cpu_time_total)}, {self.count} calls>"


SORTED = frozenset(name for name in vars(Sum("")) if name not in ("key", "input_shapes"))
SORTED |= {"cpu_time"}


class Averages(list[Sum]):
    """The events by name, in the order in which each was first seen."""

    memory = shapes = False  # are they shown?

    def table(
        self, sort_by: str | None = None, row_limit: int = 100, **settings: Argument
    ) -> str:
        """The times as a table, the longest total first unless ``sort_by`` names another column:
        a number of ``Sum``. Names of CUDA's columns mean the CPU's. ValueError for other names.
        """
        key = (sort_by or "cpu_time_total").replace("cuda", "cpu").replace("device", "cpu")
        if key not in SORTED:
            raise ValueError(
                message(
                    f"table(): cannot sort by {sort_by!r}",
                    fix=f"expected one of {', '.join(sorted(SORTED))}",
                )
            )
        events = sorted(self, key=lambda event: -getattr(event, key))[:row_limit]
        total = self.self_cpu_time_total
        head = ["Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg"]
        head += ["CPU Mem", "Self CPU Mem"] * self.memory + ["# of Calls"]
        head += ["Input Shapes"] * self.shapes
        rows = [head]
        for e in events:
            row = [e.key]
            for took in (e.self_cpu_time_total, e.cpu_time_total):
                row += [f"{100 * took / total:.2f}%" if total else "--", _duration(took)]
            row.append(_duration(e.cpu_time))
            row += [_size(e.cpu_memory_usage), _size(e.self_cpu_memory_usage)] * self.memory
            row.append(str(e.count))
            row += ["[" + ", ".join(str([*s]) for s in e.input_shapes) + "]"] * self.shapes
            rows.append(row)
        left = {0, len(head) - 1} if self.shapes else {0}
        return f"{table(rows, left)}\nSelf CPU time total: {_duration(total)}"

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds in all, each counted once."""
        return sum(event.self_cpu_time_total for event in self)

    def total_average(self) -> Sum:
        """All of them as one; its total is counted once."""
        made = Sum("Total")
        made.count = sum(event.count for event in self)
        made.cpu_time_total = made.self_cpu_time_total = self.self_cpu_time_total
        made.cpu_memory_usage = sum(event.self_cpu_memory_usage for event in self)
        made.self_cpu_memory_usage = made.cpu_memory_usage
        return made

    def __str__(self) -> str:
        return self.table()


def sums(events: Iterable[FunctionEvent], by_shape: bool = False) -> Averages:
    """The events summed up by name, or by name and shapes of the arguments."""
    found: dict[tuple[str, tuple[Shape, ...]], Sum] = {}
    for event in events:
        shapes = event.input_shapes if by_shape else ()
        found.setdefault((event.key, shapes), Sum(event.key, shapes)).add(event)
    return Averages(found.values())


def write_trace(events: Iterable[FunctionEvent], path: str) -> None:
    """The events as chrome://tracing and https://ui.perfetto.dev read them; ``.gz`` compresses.

    The format: Trace Event Format, Google, complete events ("ph": "X"), times in microseconds.
    """
    rows = [
        {
            "ph": "X", "cat": e.kind, "name": e.name, "pid": os.getpid(), "tid": e.thread,
            "ts": e.begin, "dur": e.cpu_time_total,
            "args": {
                **({"Input Dims": [[*s] for s in e.input_shapes]} if e.input_shapes else {}),
                **({"bytes": e.bytes} if e.bytes else {}), **({"line": e.line} if e.line else {}),
            },
        }
        for e in sorted(events, key=lambda e: (e.begin, -e.end))
    ]  # fmt: skip
    text = json.dumps({"displayTimeUnit": "ms", "traceEvents": rows})
    if str(path).endswith(".gz"):
        with gzip.open(path, "wt", encoding="utf-8") as packed:
            packed.write(text)
    else:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def _duration(microseconds: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.3f}{unit}"
    return f"{microseconds:.3f}us"


def _size(n: int) -> str:
    for unit, size in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if n >= size:
            return f"{n / size:.2f} {unit}"
    return f"{n} B"
