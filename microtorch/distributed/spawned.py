"""``torch.multiprocessing.spawn`` for a function that computes with others: mpirun starts it.

Processes can only join MPI if MPI has started them. So the function travels in a file, as it would
through multiprocessing's pipe, and each process that mpirun starts, ``python -m
microtorch.distributed.spawned FOLDER``, prepares the main module as multiprocessing does, and calls
the function with its rank. Queues, locks and shared tensors travel, too: a file descriptor cannot
lie in a file, but multiprocessing's resource sharer hands it to who asks.
"""
from __future__ import annotations

import multiprocessing.process
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import traceback
from collections import deque
from collections.abc import Callable
from multiprocessing import spawn
from multiprocessing.context import set_spawning_popen
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, NamedTuple

from ..base.errors import message
from .group import LAUNCHED
from .run import mpirun, name_ranks, start

FUNCTION, FAILED = "function-", "failed-"


def wanted(fn: Callable[..., Any]) -> bool:
    """Is ``fn`` of a module that uses this package, and could mpirun start it?"""
    package = __name__.rpartition(".")[0]
    parallel = "DistributedDataParallel"
    used = any(
        getattr(v, "__name__", "") in (package, parallel)
        or str(getattr(v, "__module__", "")).startswith(package)
        for v in getattr(fn, "__globals__", {}).values()
    )
    inside = any(variable in os.environ for variable in LAUNCHED)
    return used and not inside and mpirun() is not None


class _Away:
    """What multiprocessing asks of a process that it spawns, for one that mpirun will start."""

    def duplicate_for_child(self, fd: int) -> int:
        return fd

    def DupFd(self, fd: int) -> Any:
        from multiprocessing import resource_sharer

        return resource_sharer.DupFd(fd)


def _packed(thing: object) -> bytes:
    stand_in: Any = _Away()
    set_spawning_popen(stand_in)  # queues and locks refuse to be pickled for anything else
    try:
        return bytes(ForkingPickler.dumps(thing))
    finally:
        set_spawning_popen(None)


def _work(fn: Callable[..., Any], args: tuple[Any, ...]) -> bytes:
    """Function and arguments for one process. Names what cannot travel."""
    try:
        return _packed((fn, args))
    except Exception as error:
        for what, thing in [("the function", fn), *((f"args[{i}]", a) for i, a in enumerate(args))]:
            try:
                _packed(thing)
            except Exception as own:
                raise _kind(own)(
                    message(
                        f"spawn(): {what} (a {type(thing).__name__}) cannot be sent to another "
                        f"process: {own}",
                        fix="send functions by name, from a module's top; make queues and locks by "
                        "torch.multiprocessing.get_context('spawn')",
                    )
                ) from error
        raise


def _kind(error: Exception) -> type[Exception]:
    """Of what class the error is that names the argument: the same, if it takes a message."""
    known = (TypeError, AttributeError, RuntimeError, ValueError)
    return type(error) if type(error) in known else pickle.PicklingError


class Failure(NamedTuple):
    """Which process failed first, and how; -1 and "" for what is not known."""

    rank: int = -1
    pid: int = -1
    text: str = ""  # its traceback
    signal: int = 0


class Processes:
    """The processes of one ``spawn``. Raises what pickle raises for what cannot travel."""

    def __init__(self, fn: Callable[..., Any], args: tuple[Any, ...], count: int) -> None:
        prepared = spawn.get_preparation_data("rank")  # refuses while main is being imported
        prepared["authkey"] = bytes(prepared["authkey"])
        # one for each: a file descriptor is handed out once
        packed = [pickle.dumps((prepared, _work(fn, args))) for _ in range(count)]
        self.count, self.folder = count, Path(tempfile.mkdtemp(prefix="microtorch-spawn-"))
        for rank, work in enumerate(packed):
            (self.folder / f"{FUNCTION}{rank}").write_bytes(work)
        module = [__name__, str(self.folder)]
        environment = {"TORCHELASTIC_RUN_ID": "none"}
        self.running = start(count, module, environment, errors=subprocess.PIPE)
        self._said: deque[bytes] = deque(maxlen=60)  # the end of what they wrote, and mpirun
        self._reader = threading.Thread(target=self._pass_on, daemon=True)
        self._reader.start()

    def _pass_on(self) -> None:
        assert self.running.stderr is not None
        for line in self.running.stderr:
            self._said.append(line)
            os.write(2, line)

    def wait(self, timeout: float | None = None) -> int | None:
        """Their exit status; None where they still run after ``timeout`` seconds."""
        try:
            return self.running.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def failure(self) -> Failure:
        """The first rank that failed; to be asked for after their end."""
        files = sorted(self.folder.glob(f"{FAILED}*"), key=lambda f: f.stat().st_mtime_ns)
        found = Failure()
        if files:
            found = Failure(int(files[0].name.removeprefix(FAILED)), text=files[0].read_text())
        shutil.rmtree(self.folder, ignore_errors=True)
        self._reader.join(5)
        return found if files else _blamed(b"".join(self._said).decode(errors="replace"))


def _blamed(said: str) -> Failure:
    """The process that Open MPI names as the first that ended badly.

    It ends the others, so that these leave nothing to tell them from it.
    """
    killed = re.findall(r"process rank (\d+) with PID (\d+) .*\s+.*?signal\s+(\d+)", said)
    if killed:
        rank, pid, number = map(int, killed[-1])
        return Failure(rank, pid, signal=number)
    exited = re.findall(r"Process name: \[.*,(\d+)\]", said)
    return Failure(int(exited[-1])) if exited else Failure()


def main(folder: Path) -> int:
    """One of the processes: call the function with its rank."""
    name_ranks()
    rank = int(os.environ["RANK"])
    process: Any = multiprocessing.process.current_process()
    try:
        prepared, work = pickle.loads((folder / f"{FUNCTION}{rank}").read_bytes())
        process._inheriting = True
        try:
            spawn.prepare(prepared)
            fn, args = pickle.loads(work)
        finally:
            del process._inheriting
        fn(rank, *args)
    except Exception:
        (folder / f"{FAILED}{rank}").write_text(traceback.format_exc())
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
