"""Collective operations on tensors, after torch.distributed, by MPI.

Every rank of the group calls the same operation in the same order. Tensors are written in place, as
MPI does it: no gradient flows. ``async_op=True`` returns a ``Work`` at once.
"""
from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import Any

import numpy as np

from ..base.errors import message, warn
from ..graph import here
from ..handles.tensor import Tensor
from .agreement import check
from .buffers import (
    Work,
    checked,
    incoming,
    outgoing,
    put,
)
from .group import ProcessGroup, _mpi, is_world, world


class ReduceOp(Enum):
    """How values of the ranks are combined."""

    SUM = "SUM"
    AVG = "AVG"
    PRODUCT = "PROD"
    MIN = "MIN"
    MAX = "MAX"
    BAND = "BAND"
    BOR = "BOR"
    BXOR = "BXOR"


OF_BOOLS = {"SUM": "LOR", "MAX": "LOR", "PROD": "LAND", "MIN": "LAND"}


def mpi_operation(op: object, t: Tensor, name: str) -> str:
    """The name of MPI's operation for a tensor's dtype.

    Raises TypeError for what is no ReduceOp, PyTorch's errors where there is no such operation. One
    process asks, too: it is to refuse what several would.
    """
    if not isinstance(op, ReduceOp):
        raise TypeError(message(f"{name}(): op must be a ReduceOp, not {type(op).__name__}"))
    kind, word = t.array.dtype.kind, "SUM" if op is ReduceOp.AVG else op.value
    if kind == "c" and word != "SUM":
        error = ValueError if name == "all_reduce" else RuntimeError
        raise error(message(f"{name} does not support ReduceOp.{op.name} on complex tensors"))
    if kind in "fV" and word[0] == "B":
        raise RuntimeError(message(f"{name}(): cannot use ReduceOp.{op.name} with {t.dtype}"))
    if kind in "iub" and op is ReduceOp.AVG:
        raise RuntimeError(
            message(
                f"result type Float can't be cast to the desired output type {t.dtype}: "
                f"{name}() cannot average integers",
                fix="add them up, and divide the sum",
            )
        )
    if kind == "b":
        word = OF_BOOLS.get(word, word.replace("B", "L", 1))
    return word


def averaged(array: Any, op: ReduceOp, n: int) -> Any:
    if op is ReduceOp.AVG:
        np.divide(array, array.dtype.type(n), array)
    return array


def ended(work: Work, async_op: bool) -> Work | None:
    if async_op:
        return work
    work.wait()
    return None


def facts(t: Tensor) -> dict[str, Any]:
    return {"shape": tuple(t.array.shape), "dtype": t.array.dtype.name}


def start(
    group: ProcessGroup, name: str, async_op: bool, *arguments: Any, **options: Any
) -> list[Any]:
    """Call MPI's operation: the blocking one is the faster, the other one returns a request."""
    if not async_op:
        getattr(group.comm, name)(*arguments, **options)
        return []
    return [getattr(group.comm, f"I{name[0].lower()}{name[1:]}")(*arguments, **options)]


def unseen(t: Tensor, name: str) -> None:
    """Let backward through a tensor that is written here warn, as PyTorch's does."""
    if t.requires_grad and t.grad_fn is not None:
        place = f" at {here()}"
        t.register_hook(lambda _: warn(
            f"backward goes through {name}(){place} as if it were not there: no gradient comes "
            "from other ranks, and this may lead to silently incorrect results. Average the "
            "gradients instead (DistributedDataParallel), or give it tensor.detach().",
        ))  # fmt: skip


# ---- one tensor ----------------------------------------------------------------------------------
def all_reduce(
    tensor: Tensor,
    op: ReduceOp = ReduceOp.SUM,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Combine the tensors of all ranks; each of them gets the result, with equal bits."""
    t, g = checked(tensor, "all_reduce"), world(group)
    word = mpi_operation(op, t, "all_reduce")
    unseen(t, "all_reduce")
    check(g, "all_reduce", **facts(t), op=op.name)
    if g.alone:
        return Work(result=[t]) if async_op else None
    array = incoming(t, widen=True)
    mpi = _mpi()
    requests = start(g, "Allreduce", async_op, mpi.IN_PLACE, array, op=getattr(mpi, word))
    work = Work(requests, lambda: put(t, averaged(array, op, g.size()), "all_reduce"), [t])
    return ended(work, async_op)


def reduce(
    tensor: Tensor,
    dst: int | None = None,
    op: ReduceOp = ReduceOp.SUM,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """Combine the tensors of all ranks; rank ``dst`` gets the result."""
    t, g = checked(tensor, "reduce"), world(group)
    root, word = place_of(g, dst, group_dst, "reduce"), mpi_operation(op, t, "reduce")
    unseen(t, "reduce")
    check(g, "reduce", **facts(t), dst=root, op=op.name)
    if g.alone:
        return Work(result=[t]) if async_op else None
    array, mine = outgoing(t, widen=True), g.rank() == root
    result = np.empty_like(array) if mine else None
    requests = start(
        g, "Reduce", async_op, array, result, op=getattr(_mpi(), word), root=root
    )

    def finish() -> None:
        if result is not None:
            put(t, averaged(result, op, g.size()), "reduce")

    return ended(Work(requests, finish, [t]), async_op)


def broadcast(
    tensor: Tensor,
    src: int | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Rank ``src``'s tensor goes to all ranks."""
    t, g = checked(tensor, "broadcast"), world(group)
    root = place_of(g, src, group_src, "broadcast")
    unseen(t, "broadcast")
    check(g, "broadcast", **facts(t), src=root)
    if g.alone:
        return Work(result=[t]) if async_op else None
    mine = g.rank() == root
    array = outgoing(t) if mine else incoming(t)
    requests = start(g, "Bcast", async_op, raw(array), root=root)
    work = Work(requests, lambda: None if mine else put(t, array, "broadcast"), [t])
    return ended(work, async_op)


def place_of(
    g: ProcessGroup, rank: int | None, group_rank: int | None, name: str, default: int | None = None
) -> int:
    """The group's rank that is meant by a global rank or by one in the group.

    ``default``: the global rank that is meant where none is given. Raises ValueError where that is
    None, RuntimeError for a rank that the group of all processes does not have.
    """
    if rank is not None and group_rank is not None:
        raise ValueError(message(f"{name}(): Can't specify both a global and a group rank"))
    if rank is None and group_rank is None:
        rank = default
    if group_rank is None and rank is None:
        raise ValueError(message(f"Must specify global_rank or group_rank, in {name}()"))
    place = group_rank
    if place is None:
        if not is_world(g):
            return g.place(int(rank or 0), name)
        place = rank
    if not 0 <= int(place or 0) < g.size():
        raise RuntimeError(
            message(f"{name}(): invalid rank {place}: the group has ranks 0 to {g.size() - 1}")
        )
    return int(place or 0)


def raw(array: Any) -> Any:
    """An array as bytes: what is only moved may have any dtype."""
    return array.reshape(-1).view(np.uint8)


# ---- none ---------------------------------------------------------------------------------------
def barrier(
    group: ProcessGroup | None = None, async_op: bool = False, device_ids: object = None
) -> Work | None:
    """Wait until every rank of the group has come here."""
    g = world(group)
    check(g, "barrier")
    requests = [] if g.alone else start(g, "Barrier", async_op)
    return ended(Work(requests), async_op)


def monitored_barrier(
    group: ProcessGroup | None = None,
    timeout: timedelta | None = None,
    wait_all_ranks: bool = False,
) -> None:
    """A barrier that names the ranks that do not come within ``timeout``."""
    from .agreement import check_now

    check_now(world(group), timeout)
