"""``torch.profiler``: how long each kernel, module and ``record_function`` block takes.

    with torch.profiler.profile() as p:
        train_step()
    print(p.key_averages().table(sort_by="cpu_time_total"))

A row is a kernel under its op's name, a derivative ("mul backward"), a class of modules, or a block
with a name. What a row's self time holds besides is Python: the engine and the program.
"""
from __future__ import annotations

import enum
import functools
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from ..base.errors import message, missing
from ..graph import here
from ..nn import global_hooks
from ..static.clock import Timed, bytes_of, clock, shapes_of
from .profile_events import Averages, FunctionEvent, Sum, sums, write_trace

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
    """Of each wait + warmup + active steps the last `active` ones, `repeat` times (0: always).

    AssertionError for a negative number, or for no active step.
    """
    if min(wait, warmup, repeat, skip_first) < 0 or active <= 0:
        raise AssertionError(
            message(
                "Invalid profiler schedule arguments",
                f"{wait=}, {warmup=}, {active=}, {repeat=}, {skip_first=}",
                fix="active is at least 1, the others at least 0",
            )
        )

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


class profile:
    """Measures what runs inside the block.

    ``record_shapes`` keeps the shapes of what kernels get; ``profile_memory``, the bytes of what
    they return; ``with_stack``, the user's line. With a ``schedule``, ``step()`` says where a step
    of the program ends, and ``on_trace_ready(profile)`` is called after each group of steps that
    are recorded, also one that the end of the block cuts short; without, when the block ends.
    PyTorch's other arguments are accepted.
    """

    def __init__(
        self,
        enabled: bool = True,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[profile], object] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        **settings: Argument,
    ) -> None:
        if schedule is not None and not callable(schedule):
            raise TypeError(
                message(
                    "profile(): schedule must be a function of the step's number, not "
                    f"{type(schedule).__name__}",
                    fix="torch.profiler.schedule(wait=1, warmup=1, active=2) makes one",
                )
            )
        self.enabled, self._schedule, self._ready = enabled, schedule, on_trace_ready
        self._shapes, self._memory, self._lines = record_shapes, profile_memory, with_stack
        self._events: list[FunctionEvent] = []
        self._open: dict[int, list[FunctionEvent]] = {}  # by thread, the innermost last
        self.step_num = 0
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    # ---- when it records -------------------------------------------------------------------------
    def start(self) -> None:
        """Begin."""
        if not self.enabled:
            return
        self._records()  # a schedule that raises leaves nothing behind
        self._handles = [
            global_hooks.register_module_forward_pre_hook(
                lambda module, args: self._begin(type(module).__name__, "module")
            ),
            global_hooks.register_module_forward_hook(self._module_end, always_call=True),
        ]
        _running.append(self)
        clock.start(self._kernel)
        self._begin_step()

    def stop(self) -> None:
        """End."""
        if self not in _running:
            return
        _running.remove(self)
        clock.stop(self._kernel)
        for handle in self._handles:
            handle.remove()
        for still_open in self._open.values():
            while still_open:
                self._end()
        if self._ready is not None and self._records():  # a group that is not at its end, too
            self._ready(self)

    def step(self) -> None:
        """The next step of the program begins."""
        if self._schedule is not None:
            self._end()
        action = self._action(self.step_num)
        self.step_num += 1
        if action is ProfilerAction.RECORD_AND_SAVE and self._ready is not None:
            self._ready(self)
        self._begin_step()

    def _begin_step(self) -> None:
        if self._schedule is not None:
            if self._records() and self._action(self.step_num - 1) is not ProfilerAction.RECORD:
                self._events = []  # a group of steps begins
            self._begin(f"ProfilerStep#{self.step_num}", "user_annotation")

    def _action(self, step: int) -> ProfilerAction:
        if step < 0:
            return ProfilerAction.NONE
        return self._schedule(step) if self._schedule else ProfilerAction.RECORD

    def _records(self) -> bool:
        return self._action(self.step_num).value >= ProfilerAction.RECORD.value

    # ---- what it records -------------------------------------------------------------------------
    def _begin(self, name: str, kind: str) -> None:
        thread = threading.get_ident()
        event = FunctionEvent(name, kind, clock.now() * 1e6, thread)
        self._open.setdefault(thread, []).append(event)

    def _module_end(self, module: Module, args: Argument, output: Argument) -> None:
        self._end()

    def _end(self) -> None:
        still_open = self._open.get(threading.get_ident())
        if still_open:
            event = still_open.pop()
            event.end = clock.now() * 1e6
            self._keep(event)

    def _kernel(self, timed: Timed) -> None:
        event = FunctionEvent(timed.title, "cpu_op", timed.begin * 1e6, threading.get_ident())
        event.end = timed.end * 1e6
        if self._shapes:
            event.input_shapes = shapes_of(timed.arguments)
        if self._memory:
            event.bytes = bytes_of(timed.made)
        if self._lines:
            event.line = str(here())
        self._keep(event)

    def _keep(self, event: FunctionEvent) -> None:
        around = self._open.get(event.thread)
        if around:
            around[-1].inside += event.cpu_time_total
            around[-1].inside_bytes += event.cpu_memory_usage
        if self._records():
            self._events.append(event)

    # ---- what it says ----------------------------------------------------------------------------
    def events(self) -> list[FunctionEvent]:
        """Every call, in the order in which they ended."""
        return list(self._events)

    function_events = property(events)

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, **settings: Argument
    ) -> Averages:
        """The times by name; with ``group_by_input_shape``, by name and shapes (which needs
        ``record_shapes=True``)."""
        made = sums(self._events, group_by_input_shape)
        made.memory, made.shapes = self._memory, group_by_input_shape
        return made

    def table(self, sort_by: str | None = None, **settings: Argument) -> str:
        """key_averages().table()."""
        return self.key_averages().table(sort_by, **settings)

    __str__ = table

    def total_average(self) -> Sum:
        """key_averages().total_average()."""
        return self.key_averages().total_average()

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds in all."""
        return self.key_averages().self_cpu_time_total

    def export_chrome_trace(self, path: str) -> None:
        """Write the calls to a file that chrome://tracing and ui.perfetto.dev show."""
        write_trace(self._events, path)


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[profile], None]:
    """For ``on_trace_ready``: each trace becomes a file in ``dir_name``, which is made if need be.
    """

    def write(p: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        name = f"{worker}.{time.time_ns()}.pt.trace.json{'.gz' if use_gzip else ''}"
        p.export_chrome_trace(os.path.join(dir_name, name))

    return write


class record_function:
    """A block, or with `@` a function, that has a row of its own in the table."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name

    def __enter__(self) -> record_function:
        for p in _running:
            p._begin(self.name, "user_annotation")
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
