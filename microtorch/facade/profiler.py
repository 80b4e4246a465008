"""``torch.profiler``: how long each module and each ``record_function`` block takes, as a table.

    with torch.profiler.profile() as p:
        train_step()
    print(p.key_averages().table(sort_by="cpu_time_total"))

It is a clock, and no more: it does not see single operations, backward or memory.
"""
from __future__ import annotations

import enum
import functools
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from ..base.errors import message, missing
from ..nn import global_hooks

if TYPE_CHECKING:
    from ..base.types import Argument
    from ..graph import RemovableHandle
    from ..nn.module import Module

__all__ = [
    "ProfilerAction", "ProfilerActivity", "profile", "record_function", "schedule",
    "tensorboard_trace_handler",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., object])
_running: list[profile] = []


class ProfilerActivity(enum.Enum):
    """What is measured; here always the CPU."""

    CPU = 0
    XPU = 1
    CUDA = 2


class ProfilerAction(enum.Enum):
    """What a schedule says of a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0
) -> Callable[[int], ProfilerAction]:
    """Of each wait + warmup + active steps the last `active` ones, `repeat` times (0: always)."""

    def action(step: int) -> ProfilerAction:
        step -= skip_first
        around = wait + warmup + active
        if step < 0 or (repeat and step >= repeat * around):
            return ProfilerAction.NONE
        place = step % around
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        last = place == around - 1
        return ProfilerAction.RECORD_AND_SAVE if last else ProfilerAction.RECORD

    return action


class Event:
    """All times of one name, in microseconds: `count`, `cpu_time_total`, `self_cpu_time_total`."""

    def __init__(self, key: str) -> None:
        self.key, self.count = key, 0
        self.cpu_time_total = self.self_cpu_time_total = 0.0

    @property
    def cpu_time(self) -> float:
        """The average."""
        return self.cpu_time_total / max(self.count, 1)


class Averages(list[Event]):
    """The events by name."""

    def table(
        self, sort_by: str | None = None, row_limit: int = 100, **settings: Argument
    ) -> str:
        """The times as a table, the longest total first unless `sort_by` names another column."""
        key = (sort_by or "cpu_time_total").replace("cuda", "cpu").replace("device", "cpu")
        if not hasattr(Event(""), key):
            raise ValueError(f"table(): cannot sort by {sort_by!r}")
        events = sorted(self, key=lambda event: -getattr(event, key))[:row_limit]
        width = max([len(event.key) for event in events] + [4])
        head = ("Name".ljust(width), "Self", "Total", "Average", "Calls")
        rows = [
            (e.key.ljust(width), *map(_text, (e.self_cpu_time_total, e.cpu_time_total, e.cpu_time)),
             str(e.count))
            for e in events
        ]  # fmt: skip
        lines = ["  ".join([a, *(cell.rjust(10) for cell in r)]) for a, *r in (head, *rows)]
        rule = "-" * len(lines[0])
        return "\n".join([rule, lines[0], rule, *lines[1:], rule])


def _text(microseconds: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.3f}{unit}"
    return f"{microseconds:.3f}us"


class profile:
    """Measures what runs inside the block. All arguments but the schedule's are accepted alone."""

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[profile], object] | None = None,
        **settings: Argument,
    ) -> None:
        self._schedule, self._ready = schedule, on_trace_ready
        self._events: dict[str, Event] = {}
        self._open: list[list[Argument]] = []  # name, begin, time of what is inside
        self.step_num = 0
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin."""
        self._handles = [
            global_hooks.register_module_forward_pre_hook(
                lambda module, args: self._begin(type(module).__name__)
            ),
            global_hooks.register_module_forward_hook(self._module_end, always_call=True),
        ]
        _running.append(self)

    def stop(self) -> None:
        """End."""
        for handle in self._handles:
            handle.remove()
        if self in _running:
            _running.remove(self)
            if self._ready is not None and self._schedule is None:
                self._ready(self)

    def step(self) -> None:
        """The next step of the program begins."""
        action = self._schedule(self.step_num) if self._schedule else ProfilerAction.RECORD
        if action is ProfilerAction.RECORD_AND_SAVE and self._ready is not None:
            self._ready(self)
        self.step_num += 1

    def _records(self) -> bool:
        if self._schedule is None:
            return True
        return self._schedule(self.step_num).value >= ProfilerAction.RECORD.value

    def _begin(self, name: str) -> None:
        self._open.append([name, time.perf_counter(), 0.0])

    def _module_end(self, module: Module, args: Argument, output: Argument) -> None:
        self._end()

    def _end(self) -> None:
        if not self._open:
            return
        name, begin, inside = self._open.pop()
        took = time.perf_counter() - begin
        if self._open:
            self._open[-1][2] += took
        if self._records():
            event = self._events.setdefault(name, Event(name))
            event.count += 1
            event.cpu_time_total += took * 1e6
            event.self_cpu_time_total += (took - inside) * 1e6

    def key_averages(self, *args: Argument, **settings: Argument) -> Averages:
        """The times by name."""
        return Averages(self._events.values())

    events = key_averages

    def export_chrome_trace(self, path: str) -> None:
        """Refused; raises NotImplementedError."""
        raise NotImplementedError(
            message(
                "torch.profiler: microtorch's profiler is a table of times and writes no traces",
                fix="print(p.key_averages().table())",
            )
        )

    def table(self, **settings: Argument) -> str:
        """key_averages().table()."""
        return self.key_averages().table(**settings)


def tensorboard_trace_handler(dir_name: str, *args: Argument, **settings: Argument) -> Argument:
    """Refused when a trace is ready; raises NotImplementedError."""
    return lambda p: p.export_chrome_trace(dir_name)


class record_function:
    """A block, or with `@` a function, that has a row of its own in the table."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name

    def __enter__(self) -> record_function:
        for p in _running:
            p._begin(self.name)
        return self

    def __exit__(self, *error: object) -> None:
        for p in _running:
            p._end()

    def __call__(self, f: F) -> F:
        @functools.wraps(f)
        def timed(*args: Argument, **kwargs: Argument) -> Argument:
            with record_function(self.name):
                return f(*args, **kwargs)

        done: Argument = timed
        return done


__getattr__ = missing("torch.profiler", __all__)
