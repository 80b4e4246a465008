"""The main process's side of workers: it hands out indices and gathers batches in order.

Each worker has a pipe of its own. A task is sent when a batch is taken, so that every worker has
at most `prefetch_factor` of them. The main process has no threads: it reads when a batch is asked
for, and notices then whether a worker has died.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
import weakref
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext, DefaultContext
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import cast

from ...base.errors import message
from .nouns import Batch, Data, Fetcher, Indices
from .worker import Ended, Failure, Job, run

PATIENCE = 1.0  # seconds that workers have to end by themselves


class Worker:
    """A process and the main process's end of its pipe."""

    def __init__(self, context: BaseContext, job: Job, others: list[Connection]) -> None:
        self.id = job.id
        self.pipe, theirs = context.Pipe()
        forked = context.get_start_method() == "fork"
        inherited = [*others, self.pipe] if forked else []
        make = cast("DefaultContext", context).Process  # every context but the base class has it
        self.process: BaseProcess = make(target=run, args=(theirs, job, inherited), daemon=True)
        self.process.start()
        theirs.close()
        self.open = True  # takes tasks: its part of a stream has not ended

    def send(self, task: object) -> None:
        with contextlib.suppress(OSError):  # it has died: this is said when a batch is missed
            self.pipe.send(task)

    def epitaph(self) -> str:
        """How it died."""
        self.process.join(PATIENCE)
        code = self.process.exitcode
        if code is None or code >= 0:
            return f"exit code {code}"
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"


def stop(workers: list[Worker]) -> None:
    """Ask all to end, wait a little, and end those that have not."""
    for worker in workers:
        worker.send(None)
        worker.pipe.close()
    until = time.monotonic() + PATIENCE
    for worker in workers:
        worker.process.join(max(0.0, until - time.monotonic()))
    for end in (BaseProcess.terminate, BaseProcess.kill):
        alive = [worker.process for worker in workers if worker.process.is_alive()]
        for process in alive:
            end(process)
        for process in alive:
            process.join(PATIENCE)
    workers.clear()


class Crew:
    """The workers of one DataLoader, and one pass over its batches after the other."""

    def __init__(
        self,
        count: int,
        base_seed: int,
        dataset: Data,
        make_fetcher: Callable[[], Fetcher],
        init: Callable[[int], object] | None,
        context: BaseContext | None,
        prefetch: int,
        timeout: float,
        in_order: bool,
    ) -> None:
        context = context or multiprocessing.get_context()
        self._ahead, self._timeout, self._in_order = count * prefetch, timeout, in_order
        self._workers: list[Worker] = []
        # also when the program ends, or the loop over the batches is left by an error
        self._stop = weakref.finalize(self, stop, self._workers)
        self._turn = 0
        try:
            for id in range(count):
                job = Job(id, count, base_seed, dataset, make_fetcher, init)
                others = [worker.pipe for worker in self._workers]
                self._workers.append(Worker(context, job, others))
        except BaseException:
            self._stop()
            raise

    def stop(self) -> None:
        """End all workers. Nothing happens the second time."""
        self._stop()

    @property
    def stopped(self) -> bool:
        """Have they ended?"""
        return not self._workers

    def begin(self, indices: Iterable[Indices]) -> None:
        """A new pass: its first tasks are sent now, not when the first batch is asked for."""
        self._turn += 1
        self._pending: dict[int, Worker] = {}  # the tasks that are out, oldest first
        self._came: dict[int, Batch] = {}
        self._indices = iter(indices)
        self._sent = 0
        self._next_worker = 0
        for worker in self._workers:
            worker.open = True
        for _ in range(self._ahead):
            self._hand_out()

    def take(self) -> Batch:
        """The next batch of this pass; StopIteration when there is none.

        Raises what the worker raised. The batches after it can still be taken.
        """
        while self._pending:
            try:
                number = self._wait_for()
            except KeyboardInterrupt:
                self.stop()
                raise
            worker, result = self._pending.pop(number), self._came.pop(number)
            if isinstance(result, Ended):
                worker.open = False
            self._hand_out()
            if isinstance(result, Failure):
                raise result.error()
            if not isinstance(result, Ended):
                return result
        raise StopIteration

    def _hand_out(self) -> None:
        """Send the next indices to the next worker whose part has not ended."""
        count = len(self._workers)
        for step in range(count):
            worker = self._workers[(self._next_worker + step) % count]
            if worker.open:
                break
        else:
            return
        try:
            indices = next(self._indices)
        except StopIteration:
            return
        self._next_worker = (self._next_worker + step + 1) % count
        worker.send((self._turn, self._sent, indices))
        self._pending[self._sent] = worker
        self._sent += 1

    def _wait_for(self) -> int:
        """The number of the next batch to give, which has come."""
        until = time.monotonic() + self._timeout if self._timeout else None
        while True:
            if not self._in_order and self._came:
                return next(iter(self._came))
            oldest = next(iter(self._pending))
            if oldest in self._came:
                return oldest
            self._read(until)

    def _read(self, until: float | None) -> None:
        """Read one message, or say which worker has died, or that time is up."""
        if not self._workers:
            raise RuntimeError(message("the workers of this DataLoader have been stopped"))
        pipes = {worker.pipe: worker for worker in self._workers}
        ends = {worker.process.sentinel: worker for worker in self._workers}
        left = None if until is None else max(0.0, until - time.monotonic())
        ready = wait([*pipes, *ends], left)
        if not ready:
            raise RuntimeError(
                message(
                    f"DataLoader timed out after {self._timeout} seconds",
                    "no worker has sent a batch",
                    fix="a longer timeout, or look with num_workers=0 where loading waits",
                )
            )
        for thing in ready:
            if isinstance(thing, Connection):
                try:
                    turn, number, result = ForkingPickler.loads(thing.recv_bytes())
                except (EOFError, OSError):
                    raise self._died(pipes[thing]) from None
                if turn == self._turn:
                    self._came[number] = result
                return
        for thing in ready:  # only processes that have ended, and nothing of theirs is left to read
            if isinstance(thing, int) and ends[thing] in self._pending.values():
                raise self._died(ends[thing])
        time.sleep(0.001)

    def _died(self, worker: Worker) -> RuntimeError:
        """The error that names a dead worker. The others are stopped: its batches are lost."""
        error = RuntimeError(
            message(
                f"DataLoader worker (pid(s) {worker.process.pid}) exited unexpectedly",
                f"worker {worker.id}: {worker.epitaph()}",
                fix="num_workers=0 shows what it did; where memory was short, take fewer workers",
            )
        )
        self.stop()
        return error
