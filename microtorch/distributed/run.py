"""``python -m microtorch.distributed.run``: start a program in several processes, by mpirun.

    python -m microtorch.distributed.run --nproc_per_node 4 train.py --epochs 3

The arguments are torchrun's (https://docs.pytorch.org/docs/stable/elastic/run.html). When one
process fails all are ended, its rank is named and its traceback shown; the exit status is then 1.
Each process finds RANK, LOCAL_RANK, WORLD_SIZE and LOCAL_WORLD_SIZE in its environment.
"""
from __future__ import annotations

import argparse
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from .group import NO_MPI

# what Open MPI calls it -> what a program that was written for torchrun looks for
NAMES = {
    "OMPI_COMM_WORLD_RANK": "RANK",
    "OMPI_COMM_WORLD_SIZE": "WORLD_SIZE",
    "OMPI_COMM_WORLD_LOCAL_RANK": "LOCAL_RANK",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "LOCAL_WORLD_SIZE",
    "PMI_RANK": "RANK",
    "PMI_SIZE": "WORLD_SIZE",
    "MPI_LOCALRANKID": "LOCAL_RANK",
    "MPI_LOCALNRANKS": "LOCAL_WORLD_SIZE",
}
# what torchrun sets beside these: one group of equals, started once
FIXED = {
    "GROUP_RANK": "0", "GROUP_WORLD_SIZE": "1", "ROLE_NAME": "default",
    "TORCHELASTIC_RESTART_COUNT": "0", "TORCHELASTIC_MAX_RESTARTS": "0",
}  # fmt: skip
ADDRESS = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}  # where nobody has named another
# torchrun's arguments that ask for something that is not done, and what is said
WITHOUT_EFFECT = {
    "log_dir": "each process's output goes to the terminal; `mpirun --output` knows files",
    "redirects": "each process's output goes to the terminal; `mpirun --output` knows files",
    "tee": "each process's output goes to the terminal; `mpirun --output` knows files",
    "local_ranks_filter": "the output of all ranks is shown",
    "max_restarts": "when one process fails all are ended, and none is started again",
    "role": "there is one role, default",
}
NOTHING = (None, "", "0", "default")  # what does not ask for anything: torchrun's defaults
CLUSTER = (
    "run this once, with `--nnodes 2 --hostfile hosts`, where hosts has one line `name slots=4` "
    "a machine"
)
Fn = TypeVar("Fn", bound=Callable[..., Any])
MODULE = "microtorch.distributed.run"
INSIDE = "MICROTORCH_DISTRIBUTED_PROGRAM"


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line. Exits with a message where it is wrong."""
    p = argparse.ArgumentParser("microtorch.distributed.run", description=__doc__.split("\n")[0])
    p.add_argument("--nproc_per_node", "--nproc-per-node", default=1, type=_processes,
                   help="a number, or cpu or auto: one for each of the processors")  # fmt: skip
    p.add_argument("--nnodes", default=1, type=_machines, help="machines; --hostfile names them")
    p.add_argument("--hostfile", help="mpirun's: one machine a line, `name slots=4`")
    p.add_argument("--node_rank", "--node-rank", default="0", help="0: mpirun is started once")
    for name in ("master_addr", "master_port", "rdzv_backend", "rdzv_endpoint", "rdzv_id",
                 "rdzv_conf", "monitor_interval", "start_method", "local_addr"):  # fmt: skip
        p.add_argument(f"--{name}", f"--{name.replace('_', '-')}", help="accepted; MPI needs none")
    short = {"redirects": ["-r"], "tee": ["-t"]}
    for name, instead in WITHOUT_EFFECT.items():
        names = [*short.get(name, []), f"--{name}", f"--{name.replace('_', '-')}"]
        p.add_argument(*names, dest=name, help=f"without effect: {instead}")
    p.add_argument("--use_env", "--use-env", action="store_true", help="accepted; it is so")
    p.add_argument("--run_path", "--run-path", action="store_true", help="accepted; it is so")
    p.add_argument("--standalone", action="store_true", help="accepted; it is always so")
    p.add_argument("-m", "--module", action="store_true", help="the program is a module's name")
    p.add_argument("training_script")
    p.add_argument("training_script_args", nargs=argparse.REMAINDER)
    a = p.parse_args(given)
    if a.node_rank != "0":
        p.error(f"--node_rank {a.node_rank}: mpirun starts the processes of all machines from "
                f"the first one; {CLUSTER}")  # fmt: skip
    if a.nnodes > 1 and a.hostfile is None:
        p.error(f"--nnodes {a.nnodes} needs --hostfile, which names the machines; {CLUSTER}")
    return a


def _processes(given: str) -> int:
    """``--nproc_per_node``. "gpu" is refused, as torchrun does where there is no GPU of CUDA."""
    if given in ("cpu", "auto"):
        return os.cpu_count() or 1
    if given == "gpu":
        raise argparse.ArgumentTypeError("there is no CUDA here; say cpu, or a number")
    return _positive(given, "give a number from 1, cpu or auto")


def _machines(given: str) -> int:
    """``--nnodes``: a number, or torchrun's MIN:MAX; MPI takes the smallest."""
    return _positive(given.split(":")[0], "give a number from 1")


def _positive(given: str, fix: str) -> int:
    if not given.isdecimal() or int(given) < 1:
        raise argparse.ArgumentTypeError(f"{given!r} is no number of processes; {fix}")
    return int(given)


def main(given: Sequence[str] | None = None, inside: str = "1") -> int:
    """Start the processes, and wait for them; returns the exit status."""
    if INSIDE in os.environ:
        return _inside(list(sys.argv[1:] if given is None else given))
    a = arguments(given)
    for name, instead in WITHOUT_EFFECT.items():
        if getattr(a, name) not in NOTHING:
            print(f"{MODULE}: --{name} {getattr(a, name)} has no effect: {instead}",
                  file=sys.stderr)  # fmt: skip
    total = a.nproc_per_node * a.nnodes
    if not a.module and not os.path.exists(a.training_script):
        print(f"microtorch.distributed.run: there is no file {a.training_script}", file=sys.stderr)
        return 2
    if mpirun() is None:
        print(f"microtorch.distributed.run: there is no mpirun. {NO_MPI}", file=sys.stderr)
        return 2
    script = (["-m"] if a.module else []) + [a.training_script, *a.training_script_args]
    given_addresses = {
        name.upper(): value
        for name in ("master_addr", "master_port")
        if (value := getattr(a, name)) is not None
    }
    environment = {INSIDE: inside, "TORCHELASTIC_RUN_ID": a.rdzv_id or "none", **given_addresses}
    processes = start(total, [MODULE, *script], environment, a.hostfile)
    try:
        return 1 if processes.wait() else 0
    except KeyboardInterrupt:
        processes.wait()
        return 130


def start(
    total: int,
    module: Sequence[str],
    environment: dict[str, str],
    hostfile: str | None = None,
    errors: int | None = None,
) -> subprocess.Popen[bytes]:
    """Let mpirun start ``python -m module ...`` in ``total`` processes. There must be an mpirun.

    ``errors``: where the standard error goes, as Popen's ``stderr``.
    """
    program = mpirun()
    assert program is not None
    options = ["--hostfile", hostfile] if hostfile else []
    command = [program, "-n", str(total), *options, sys.executable, "-m", *module]
    mine = {
        "PYTHONUNBUFFERED": "1", "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        # Open MPI 5, and 4: more processes than cores
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
    }  # fmt: skip
    return subprocess.Popen(command, env=os.environ | mine | environment, stderr=errors)


def record(fn: Fn, error_handler: object = None) -> Fn:
    """``fn`` itself: the rank that fails is named here, and its traceback shown, in any case.

    PyTorch's programs import it from torch.distributed.elastic.multiprocessing.errors.
    """
    return fn


def mpirun() -> str | None:
    """The program that starts processes: beside this Python, or on PATH."""
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", "")
    return shutil.which("mpirun", path=path) or shutil.which("mpiexec", path=path)


def name_ranks() -> None:
    """Put what mpirun calls RANK, WORLD_SIZE and so on under torchrun's names.

    What another launcher has left under these names would be the same in every process.
    """
    known: dict[str, str] = {}
    for theirs, ours in NAMES.items():
        if theirs in os.environ:
            known.setdefault(ours, os.environ[theirs])
    roles = {f"ROLE_{name}": known[name] for name in ("RANK", "WORLD_SIZE") if name in known}
    os.environ.update(FIXED | known | roles)
    for name, value in ADDRESS.items():
        os.environ.setdefault(name, value)


def _inside(program: list[str]) -> int:
    """One of the processes: run the program as if it had been started by itself."""
    given = os.environ.pop(INSIDE)
    name_ranks()
    if given == "local_rank":  # launch.py
        at = 2 if program[0] == "-m" else 1
        program.insert(at, f"--local-rank={os.environ['LOCAL_RANK']}")
    module = program[0] == "-m"
    sys.argv = program[1:] if module else program
    try:
        if module:
            runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        else:
            sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
            runpy.run_path(sys.argv[0], run_name="__main__")
    except Exception:
        if sys.excepthook is sys.__excepthook__:  # init_process_group's says who it is
            print(f"rank {os.environ.get('RANK', '?')} failed:", file=sys.stderr)
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
