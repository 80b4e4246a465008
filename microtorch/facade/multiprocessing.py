"""``torch.multiprocessing``: Python's own, under PyTorch's name.

A process that is started with tensors in ``share_memory_()`` shares them (handles/sharing.py).
Tensors that are sent through a Queue or a Pipe are copied.
"""
from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import signal
import sys
import traceback
from multiprocessing import *  # noqa: F403
from typing import TYPE_CHECKING

from ..base.errors import unknown
from ..distributed.spawned import Processes, wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..base.types import Argument

_strategy = ["file_descriptor"]


class ProcessException(Exception):
    """One of the processes that `spawn` started failed."""

    def __init__(self, msg: str, error_index: int, pid: int) -> None:
        super().__init__(msg)
        self.msg, self.error_index, self.pid = msg, error_index, pid

    def __reduce__(self) -> tuple[Argument, ...]:
        return type(self), (self.msg, self.error_index, self.pid)


class ProcessRaisedException(ProcessException):
    """It raised; the message has its traceback."""


class ProcessExitedException(ProcessException):
    """It ended with an exit code that is not 0, or by a signal: the code is then negative."""

    def __init__(
        self,
        msg: str,
        error_index: int,
        error_pid: int,
        exit_code: int,
        signal_name: str | None = None,
    ) -> None:
        super().__init__(msg, error_index, error_pid)
        self.exit_code, self.signal_name = exit_code, signal_name

    def __reduce__(self) -> tuple[Argument, ...]:
        kind, given = super().__reduce__()
        return kind, (*given, self.exit_code, self.signal_name)


def _exited(index: int, pid: int, exit_code: int) -> ProcessExitedException:
    """The error of a process that did not raise; ``exit_code`` as multiprocessing's."""
    name = "a process, and it is not known which," if index < 0 else f"process {index}"
    if exit_code >= 0:
        what = f"{name} terminated with exit code {exit_code}"
        return ProcessExitedException(what, index, pid, exit_code)
    try:
        word = signal.Signals(-exit_code).name
    except ValueError:
        word = f"<Unknown signal {-exit_code}>"
    what = f"{name} terminated with signal {word}"
    return ProcessExitedException(what, index, pid, exit_code, word)


def _work(
    fn: Callable[..., Argument], i: int, args: tuple[Argument, ...], errors: Argument
) -> None:
    try:
        fn(i, *args)
    except KeyboardInterrupt:
        pass  # the parent has it, too
    except Exception:
        errors.put(traceback.format_exc())
        sys.exit(1)


class ProcessContext:
    """The processes that `spawn(join=False)` has started."""

    def __init__(self, processes: list[Argument], errors: list[Argument]) -> None:
        self.processes, self.error_queues = processes, errors

    def pids(self) -> list[int]:
        """Their numbers."""
        return [process.pid for process in self.processes]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Wait for them: True if all have ended well. Where one fails, the others are ended."""
        waiting = {p.sentinel: i for i, p in enumerate(self.processes) if p.exitcode is None}
        if waiting:
            multiprocessing.connection.wait(list(waiting), timeout)
        failed = next((i for i, p in enumerate(self.processes) if p.exitcode), None)
        if failed is None:
            return all(p.exitcode == 0 for p in self.processes)
        for process in self.processes:
            if process.is_alive():
                process.terminate()
            process.join()
        process, errors = self.processes[failed], self.error_queues[failed]
        if errors.empty():
            raise _exited(failed, process.pid, process.exitcode)
        raise ProcessRaisedException(
            f"\n\n-- Process {failed} terminated with the following error:\n{errors.get()}",
            failed,
            process.pid,
        )


class RanksContext:
    """The same, of processes that mpirun has started (distributed/spawned.py)."""

    def __init__(self, processes: Processes) -> None:
        self.processes = processes

    def pids(self) -> list[int]:
        """The number of mpirun's process, which ends the others."""
        return [self.processes.running.pid]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Wait for them: True if all have ended well. Where one fails, the others are ended."""
        status = self.processes.wait(timeout)
        if status is None:
            return False
        failed = self.processes.failure()
        if status == 0:
            return True
        pid = self.processes.running.pid if failed.pid < 0 else failed.pid
        if not failed.text:
            raise _exited(failed.rank, pid, -failed.signal or status)
        raise ProcessRaisedException(
            f"\n\n-- Process {failed.rank} terminated with the following error:\n{failed.text}",
            failed.rank,
            pid,
        )


def start_processes(
    fn: Callable[..., Argument],
    args: tuple[Argument, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | RanksContext | None:
    """Run fn(i, *args) in `nprocs` processes, i = 0, 1, ...; wait for them if `join`.

    Where fn's module uses torch.distributed, mpirun starts them, so that they can communicate.
    ProcessRaisedException, with its traceback, where one of them raises; ProcessExitedException
    where one ends in another way. PicklingError and the like for what cannot be sent to them.
    """
    if start_method == "spawn" and nprocs > 1 and wanted(fn):
        ranks = RanksContext(Processes(fn, args, nprocs))
        while join and not ranks.join():
            pass
        return None if join else ranks
    context: Argument = multiprocessing.get_context(start_method)
    made: list[Argument] = []
    queues: list[Argument] = []
    for i in range(nprocs):
        errors = context.SimpleQueue()
        process = context.Process(target=_work, args=(fn, i, args, errors), daemon=daemon)
        process.start()
        made.append(process)
        queues.append(errors)
    all_of_them = ProcessContext(made, queues)
    if not join:
        return all_of_them
    while not all_of_them.join():
        pass
    return None


def spawn(
    fn: Callable[..., Argument],
    args: tuple[Argument, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | RanksContext | None:
    """`start_processes`, by spawning: `fn` has to be a function of a module, not a lambda."""
    return start_processes(fn, args, nprocs, join, daemon, start_method)


def set_sharing_strategy(new_strategy: str) -> None:
    """Remembered without effect: Python chooses the memory that is shared."""
    if new_strategy not in get_all_sharing_strategies():
        raise AssertionError(f"unknown sharing strategy {new_strategy!r}")
    _strategy[0] = new_strategy


def get_sharing_strategy() -> str:
    """What set_sharing_strategy was given."""
    return _strategy[0]


def get_all_sharing_strategies() -> set[str]:
    """The names that set_sharing_strategy takes."""
    return {"file_descriptor", "file_system"}


def __getattr__(name: str) -> Argument:
    if name.startswith("__"):
        raise AttributeError(name)
    if hasattr(multiprocessing, name):
        return getattr(multiprocessing, name)
    raise unknown("module 'torch.multiprocessing'", name, dir(multiprocessing))
