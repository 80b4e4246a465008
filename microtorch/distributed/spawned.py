"""``torch.multiprocessing.spawn`` for a function that computes with others: mpirun starts it.

Processes can only join MPI if MPI has started them. So the function travels in a file, as it would
through multiprocessing's pipe, and each process that mpirun starts, ``python -m
microtorch.distributed.spawned FILE``, prepares the main module as multiprocessing does, and calls
the function with its rank.
"""
from __future__ import annotations

import multiprocessing.process
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing import spawn
from pathlib import Path
from typing import Any

from .group import LAUNCHED
from .run import mpirun, name_ranks, start

FUNCTION, FAILED = "function", "failed-"


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


class Processes:
    """The processes of one ``spawn``. Raises what pickle raises for what cannot travel."""

    def __init__(self, fn: Callable[..., Any], args: tuple[Any, ...], count: int) -> None:
        prepared = spawn.get_preparation_data("rank")  # refuses while main is being imported
        prepared["authkey"] = bytes(prepared["authkey"])
        self.count, self.folder = count, Path(tempfile.mkdtemp(prefix="microtorch-spawn-"))
        work = pickle.dumps((fn, args))
        (self.folder / FUNCTION).write_bytes(pickle.dumps((prepared, work)))
        module = [__name__, str(self.folder)]
        self.running = start(count, module, {"TORCHELASTIC_RUN_ID": "none"})

    def wait(self, timeout: float | None = None) -> int | None:
        """Their exit status; None where they still run after ``timeout`` seconds."""
        try:
            return self.running.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def failure(self) -> tuple[int, str]:
        """The first rank that failed, and its traceback; empty where it could not write one."""
        files = sorted(self.folder.glob(f"{FAILED}*"), key=lambda f: f.stat().st_mtime_ns)
        found = (0, "")
        if files:
            found = int(files[0].name.removeprefix(FAILED)), files[0].read_text()
        shutil.rmtree(self.folder, ignore_errors=True)
        return found


def main(folder: Path) -> int:
    """One of the processes: call the function with its rank."""
    name_ranks()
    rank = int(os.environ["RANK"])
    prepared, work = pickle.loads((folder / FUNCTION).read_bytes())
    process: Any = multiprocessing.process.current_process()
    process._inheriting = True
    try:
        spawn.prepare(prepared)
        fn, args = pickle.loads(work)
    finally:
        del process._inheriting
    try:
        fn(rank, *args)
    except Exception:
        (folder / f"{FAILED}{rank}").write_text(traceback.format_exc())
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
