"""What a worker process of a DataLoader does, and what a dataset can ask about it.

A worker has three threads. One takes tasks from the pipe at once, so that the main process never
waits for a worker that is busy. The main one loads. One sends results, so that loading goes on
while a result waits for the main process to read it.
"""

from __future__ import annotations

import os
import queue
import random
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import TypeAlias

import numpy as np

from ...backends import core
from ...base.errors import class_seen
from ...create.random import manual_seed
from .nouns import Data, Fetcher, Indices

Task: TypeAlias = "tuple[int, int, Indices] | None"  # pass, number, indices; None: nothing follows
PARENT = 5.0  # seconds between two looks whether the main process is there


@dataclass(frozen=True)
class WorkerInfo:
    """What `get_worker_info()` says in a worker.

    `id`: 0 to `num_workers` - 1. `seed`: what the worker's generators were seeded with. `dataset`:
    this process's copy.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Data


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Which worker of a DataLoader this process is; None in the main process.

    A dataset that is a stream asks, so that each worker reads a part of its own.
    """
    return _info


@dataclass
class Job:
    """What a worker is told when it starts. Pickled where processes are spawned."""

    id: int
    num_workers: int
    base_seed: int
    dataset: Data
    make_fetcher: Callable[[], Fetcher]
    init: Callable[[int], object] | None


@dataclass(frozen=True)
class Ended:
    """In place of a batch: this worker's part of a stream has come to its end."""


class Failure:
    """In place of a batch: what was raised, as text, and its class where that can be sent."""

    def __init__(self, error: Exception, where: str) -> None:
        self.kind = class_seen(error)
        self.name = type(error).__name__
        self.text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.where = where

    def error(self) -> Exception:
        """The same class, with the worker's traceback as its message."""
        text = f"Caught {self.name} {self.where}.\nOriginal {self.text}"
        if self.kind is KeyError:
            return KeyError(_Plain(text))
        try:
            return self.kind(text)
        except Exception:  # a class that takes other arguments
            return RuntimeError(text)


class _Plain(str):
    """A KeyError prints the repr of its message; this one is printed with its line ends."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def seed_worker(base_seed: int, id: int) -> int:
    """Seed this process's generators as PyTorch seeds those of worker `id`; returns the seed.

    numpy's legacy generator gets four words that numpy's SeedSequence mixes from both numbers.
    """
    seed = base_seed + id
    random.seed(seed)
    manual_seed(seed)
    words = [id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
    np.random.seed(np.random.SeedSequence(words).generate_state(4))
    return seed


def run(pipe: Connection, job: Job, others: list[Connection]) -> None:
    """The life of a worker process. `others`: ends of pipes that a fork has brought along."""
    global _info
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is answered by the main process
    for other in others:
        other.close()
    core.set_num_threads(1)  # there are as many workers as wished for already
    _info = WorkerInfo(job.id, job.num_workers, seed_worker(job.base_seed, job.id), job.dataset)
    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
    results: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    newest = [0]  # the pass of the last task: tasks of older ones are not worth doing
    threading.Thread(target=_take, args=(pipe, tasks, newest), daemon=True).start()
    sender = threading.Thread(target=_send, args=(pipe, results), daemon=True)
    sender.start()
    _load(job, tasks, results, newest)
    results.put(None)
    sender.join()


def _load(
    job: Job,
    tasks: queue.SimpleQueue[Task],
    results: queue.SimpleQueue[bytes | None],
    newest: list[int],
) -> None:
    where = f"in DataLoader worker process {job.id}"
    fetcher: Fetcher | None = None
    current, failed = -1, None
    ended = False
    try:
        if job.init is not None:
            job.init(job.id)
    except Exception as error:
        failed = Failure(error, where)
    while (task := tasks.get()) is not None:
        turn, number, indices = task
        if turn < newest[0]:
            continue
        result: object
        try:
            if failed is not None:
                result, failed = failed, None
            else:
                if turn != current or fetcher is None:
                    fetcher, current, ended = job.make_fetcher(), turn, False
                result = Ended() if ended else fetcher(indices)
        except StopIteration:
            result, ended = Ended(), True
        except Exception as error:
            result = Failure(error, where)
        results.put(_packed(turn, number, result, where))
        del result  # the memory of a batch is free before the next one is made


def _packed(turn: int, number: int, result: object, where: str) -> bytes:
    """The message for the main process; where it cannot be pickled, one that says so."""
    try:
        return bytes(ForkingPickler.dumps((turn, number, result)))
    except Exception as error:
        failure = result if isinstance(result, Failure) else Failure(error, where)
        failure.kind = RuntimeError  # the class may be what cannot be sent
        return bytes(ForkingPickler.dumps((turn, number, failure)))


def _take(pipe: Connection, tasks: queue.SimpleQueue[Task], newest: list[int]) -> None:
    """Move tasks from the pipe to the queue until the main process says None, or is gone."""
    parent = os.getppid()
    try:
        while True:
            if not pipe.poll(PARENT):
                if os.getppid() != parent:
                    break
                continue
            task: Task = pipe.recv()
            if task is None:
                break
            newest[0] = task[0]
            tasks.put(task)
    except (EOFError, OSError):
        pass
    newest[0] = sys.maxsize  # what still waits is skipped
    tasks.put(None)


def _send(pipe: Connection, results: queue.SimpleQueue[bytes | None]) -> None:
    try:
        while (result := results.get()) is not None:
            pipe.send_bytes(result)
    except (OSError, ValueError):
        pass  # the main process does not read any more
