"""Collective operations on tensors, after torch.distributed, by MPI.

Every rank of the group calls the same operation in the same order. Tensors are written in place, as
MPI does it: no gradient flows. ``async_op=True`` returns a ``Work`` at once.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from enum import Enum
from typing import Any

import numpy as np

from ..base.errors import describe, message
from ..handles.tensor import Tensor
from .agreement import check
from .buffers import (
    Work,
    checked,
    checked_list,
    fits,
    incoming,
    outgoing,
    put,
    same,
)
from .group import ProcessGroup, _mpi, world


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


def _operation(op: ReduceOp, t: Tensor, name: str) -> Any:
    """MPI's operation for a tensor's dtype."""
    if not isinstance(op, ReduceOp):
        raise TypeError(message(f"{name}(): op must be a ReduceOp, not {type(op).__name__}"))
    kind, word = t.array.dtype.kind, "SUM" if op is ReduceOp.AVG else op.value
    if (kind in "fcV" and word[0] == "B") or (kind == "c" and word in ("MIN", "MAX")):
        raise RuntimeError(message(f"{name}(): cannot use ReduceOp.{op.name} with {t.dtype}"))
    if kind == "b":
        word = OF_BOOLS.get(word, word.replace("B", "L", 1))
    return getattr(_mpi(), word)


def _averaged(array: Any, op: ReduceOp, n: int) -> Any:
    if op is ReduceOp.AVG:
        if array.dtype.kind in "fcV":
            np.divide(array, array.dtype.type(n), array)
        else:
            np.floor_divide(array, n, array)
    return array


def _ended(work: Work, async_op: bool) -> Work | None:
    if async_op:
        return work
    work.wait()
    return None


def _facts(t: Tensor) -> dict[str, Any]:
    return {"shape": tuple(t.array.shape), "dtype": t.array.dtype.name}


def _start(
    group: ProcessGroup, name: str, async_op: bool, *arguments: Any, **options: Any
) -> list[Any]:
    """Call MPI's operation: the blocking one is the faster, the other one returns a request."""
    if not async_op:
        getattr(group.comm, name)(*arguments, **options)
        return []
    return [getattr(group.comm, f"I{name[0].lower()}{name[1:]}")(*arguments, **options)]


# ---- one tensor ----------------------------------------------------------------------------------
def all_reduce(
    tensor: Tensor,
    op: ReduceOp = ReduceOp.SUM,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Combine the tensors of all ranks; each of them gets the result, with equal bits."""
    t, g = checked(tensor, "all_reduce"), world(group)
    check(g, "all_reduce", **_facts(t), op=op.name)
    if g.alone:
        return Work(result=[t]) if async_op else None
    array = incoming(t, widen=True)
    requests = _start(
        g, "Allreduce", async_op, _mpi().IN_PLACE, array, op=_operation(op, t, "all_reduce")
    )
    work = Work(requests, lambda: put(t, _averaged(array, op, g.size()), "all_reduce"), [t])
    return _ended(work, async_op)


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
    root = _root(g, dst, group_dst, "reduce")
    check(g, "reduce", **_facts(t), dst=root, op=op.name)
    if g.alone:
        return Work(result=[t]) if async_op else None
    array, mine = outgoing(t, widen=True), g.rank() == root
    result = np.empty_like(array) if mine else None
    requests = _start(
        g, "Reduce", async_op, array, result, op=_operation(op, t, "reduce"), root=root
    )

    def finish() -> None:
        if result is not None:
            put(t, _averaged(result, op, g.size()), "reduce")

    return _ended(Work(requests, finish, [t]), async_op)


def broadcast(
    tensor: Tensor,
    src: int | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Rank ``src``'s tensor goes to all ranks."""
    t, g = checked(tensor, "broadcast"), world(group)
    root = _root(g, src, group_src, "broadcast")
    check(g, "broadcast", **_facts(t), src=root)
    if g.alone:
        return Work(result=[t]) if async_op else None
    mine = g.rank() == root
    array = outgoing(t) if mine else incoming(t)
    requests = _start(g, "Bcast", async_op, _bytes(array), root=root)
    work = Work(requests, lambda: None if mine else put(t, array, "broadcast"), [t])
    return _ended(work, async_op)


def _root(g: ProcessGroup, rank: int | None, group_rank: int | None, name: str) -> int:
    """The group's rank that is meant by a global rank or by one in the group; the first if none."""
    if rank is not None and group_rank is not None:
        raise ValueError(message(f"{name}(): Can't specify both a global and a group rank"))
    if group_rank is not None:
        return int(group_rank)
    return g.place(0 if rank is None else rank, name) if rank is not None else 0


def _bytes(array: Any) -> Any:
    """An array as bytes: what is only moved may have any dtype."""
    return array.reshape(-1).view(np.uint8)


# ---- lists of tensors ----------------------------------------------------------------------------
def all_gather(
    tensor_list: Sequence[Tensor],
    tensor: Tensor,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """``tensor_list[i]`` becomes rank i's tensor, on every rank."""
    outputs = checked_list(tensor_list, "all_gather", "tensor_list")
    t, g = checked(tensor, "all_gather"), world(group)
    _check_many(outputs, t, g, "all_gather")
    return _gathered(outputs, t, g, async_op, "all_gather")


def all_gather_into_tensor(
    output_tensor: Tensor,
    input_tensor: Tensor,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """The ranks' tensors one after the other along dimension 0, or stacked, on every rank."""
    out, t = checked(output_tensor, "all_gather_into_tensor"), checked(input_tensor, "input")
    g = world(group)
    same(out, t, "all_gather_into_tensor")
    if out.array.size != t.array.size * g.size():
        raise ValueError(
            message(
                "output tensor size must be equal to world_size times input tensor size",
                f"got {describe(out)} for {describe(t)} and {g.size()} ranks",
            )
        )
    flat = out.detach().view(g.size(), *t.array.shape)
    return _gathered(list(flat.unbind(0)), t, g, async_op, "all_gather_into_tensor")


def _gathered(
    outputs: list[Tensor], t: Tensor, g: ProcessGroup, async_op: bool, name: str
) -> Work | None:
    check(g, name, **_facts(t))
    array = outgoing(t)
    everybody = np.empty((g.size(), *array.shape), array.dtype)
    if g.alone:
        everybody[0] = array
        requests: list[Any] = []
    else:
        requests = _start(g, "Allgather", async_op, _bytes(array), _bytes(everybody))
    return _ended(Work(requests, _spread(outputs, everybody, name), outputs), async_op)


def _spread(outputs: list[Tensor], parts: Any, name: str) -> Callable[[], None]:
    def finish() -> None:
        for out, part in zip(outputs, parts, strict=True):
            put(out, part, name)

    return finish


def _check_many(tensors: list[Tensor], like: Tensor, g: ProcessGroup, name: str) -> None:
    if len(tensors) != g.size():
        raise ValueError(
            message(
                f"{name}(): a list of one tensor per rank is needed, {g.size()}, but got "
                f"{len(tensors)}"
            )
        )
    for out in tensors:
        fits(out, like.array.shape, like, name)


def gather(
    tensor: Tensor,
    gather_list: Sequence[Tensor] | None = None,
    dst: int | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """On rank ``dst``, ``gather_list[i]`` becomes rank i's tensor."""
    t, g = checked(tensor, "gather"), world(group)
    root = _root(g, dst, group_dst, "gather")
    outputs = _of_root(g.rank() == root, gather_list, "gather", "gather_list")
    if outputs:
        _check_many(outputs, t, g, "gather")
    check(g, "gather", **_facts(t), dst=root)
    array = outgoing(t)
    everybody = np.empty((len(outputs), *array.shape), array.dtype)
    if g.alone:
        everybody[0] = array
        requests: list[Any] = []
    else:
        received = _bytes(everybody) if outputs else None
        requests = _start(g, "Gather", async_op, _bytes(array), received, root=root)
    return _ended(Work(requests, _spread(outputs, everybody, "gather"), outputs), async_op)


def scatter(
    tensor: Tensor,
    scatter_list: Sequence[Tensor] | None = None,
    src: int | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Rank i's tensor becomes ``scatter_list[i]`` of rank ``src``."""
    t, g = checked(tensor, "scatter"), world(group)
    root = _root(g, src, group_src, "scatter")
    inputs = _of_root(g.rank() == root, scatter_list, "scatter", "scatter_list")
    if inputs:
        _check_many(inputs, t, g, "scatter")
    check(g, "scatter", **_facts(t), src=root)
    if g.alone:
        put(t, outgoing(inputs[0]), "scatter")
        return Work(result=[t]) if async_op else None
    array = incoming(t)
    parts = _bytes(np.stack([outgoing(x) for x in inputs])) if inputs else None
    requests = _start(g, "Scatter", async_op, parts, _bytes(array), root=root)
    return _ended(Work(requests, lambda: put(t, array, "scatter"), [t]), async_op)


def _of_root(is_root: bool, given: Sequence[Tensor] | None, name: str, argument: str) -> list[Any]:
    """The list that one rank must give, and the others must not."""
    if is_root:
        if not given:
            what = "destination" if name == "gather" else "source"
            raise ValueError(
                message(f"Argument ``{argument}`` must be specified on {what} rank.")
            )
        return checked_list(given, name, argument)
    if given:
        what = "destination" if name == "gather" else "source"
        raise ValueError(
            message(f"Argument ``{argument}`` must NOT be specified on non-{what} ranks.")
        )
    return []


def reduce_scatter(
    output: Tensor,
    input_list: Sequence[Tensor],
    op: ReduceOp = ReduceOp.SUM,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Combine the ranks' lists element by element; rank i gets element i."""
    out, inputs = checked(output, "reduce_scatter", "output"), checked_list(
        input_list, "reduce_scatter", "input_list"
    )
    g = world(group)
    _check_many(inputs, out, g, "reduce_scatter")
    return _reduced_parts(out, [outgoing(x, True) for x in inputs], op, g, async_op)


def reduce_scatter_tensor(
    output: Tensor,
    input: Tensor,
    op: ReduceOp = ReduceOp.SUM,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Combine the ranks' tensors; rank i gets the i-th part along dimension 0."""
    out, t = checked(output, "reduce_scatter_tensor", "output"), checked(input, "input")
    g = world(group)
    same(out, t, "reduce_scatter_tensor")
    if t.array.size != out.array.size * g.size():
        raise ValueError(
            message(
                "input tensor must be the same size as output size times world size",
                f"got {describe(t)} for {describe(out)} and {g.size()} ranks",
            )
        )
    parts = outgoing(t, True).reshape(g.size(), *out.array.shape)
    return _reduced_parts(out, list(parts), op, g, async_op)


def _reduced_parts(
    out: Tensor, parts: list[Any], op: ReduceOp, g: ProcessGroup, async_op: bool
) -> Work | None:
    check(g, "reduce_scatter", **_facts(out), op=op.name)
    if g.alone:
        put(out, parts[0].astype(out.array.dtype), "reduce_scatter")
        return Work(result=[out]) if async_op else None
    together, array = np.stack(parts), np.empty(out.array.shape, parts[0].dtype)
    requests = _start(
        g, "Reduce_scatter_block", async_op, together, array,
        op=_operation(op, out, "reduce_scatter"),
    )  # fmt: skip

    def finish() -> None:
        put(out, _averaged(array, op, g.size()), "reduce_scatter")

    return _ended(Work(requests, finish, [out]), async_op)


def all_to_all(
    output_tensor_list: Sequence[Tensor],
    input_tensor_list: Sequence[Tensor],
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """Rank i's ``input_tensor_list[j]`` becomes rank j's ``output_tensor_list[i]``."""
    outputs = checked_list(output_tensor_list, "all_to_all", "output_tensor_list")
    inputs = checked_list(input_tensor_list, "all_to_all", "input_tensor_list")
    g = world(group)
    if len(outputs) != g.size() or len(inputs) != g.size():
        raise ValueError(
            message(
                f"all_to_all(): two lists of {g.size()} tensors are needed, one per rank, but got "
                f"{len(outputs)} and {len(inputs)}"
            )
        )
    check(g, "all_to_all", dtype=inputs[0].array.dtype.name)
    sent = [_bytes(outgoing(x)) for x in inputs]
    arrays = [np.empty(out.array.shape, out.array.dtype) for out in outputs]
    if g.alone:
        arrays[0][...] = outgoing(inputs[0])
        return _ended(Work([], _spread(outputs, arrays, "all_to_all"), outputs), async_op)
    received = [np.empty(a.nbytes, np.uint8) for a in arrays]
    mine, theirs = np.concatenate(sent), np.empty(sum(a.nbytes for a in arrays), np.uint8)
    requests = _start(
        g, "Alltoallv", async_op, [mine, [a.size for a in sent]],
        [theirs, [a.size for a in received]],
    )  # fmt: skip

    def finish() -> None:
        at = 0
        for out, a in zip(outputs, arrays, strict=True):
            part = theirs[at : at + a.nbytes].view(a.dtype).reshape(a.shape)
            put(out, part, "all_to_all")
            at += a.nbytes

    return _ended(Work(requests, finish, outputs), async_op)


def all_to_all_single(
    output: Tensor,
    input: Tensor,
    output_split_sizes: Sequence[int] | None = None,
    input_split_sizes: Sequence[int] | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
) -> Work | None:
    """``all_to_all`` on parts of one tensor along dimension 0: equal ones, or of given sizes."""
    out, t = checked(output, "all_to_all_single", "output"), checked(input, "input")
    n = world(group).size()
    parts = []
    for x, sizes in ((out, output_split_sizes), (t, input_split_sizes)):
        rows = x.array.shape[0] if x.array.ndim else 0
        chosen = list(sizes) if sizes else [rows // n] * n
        if len(chosen) != n or sum(chosen) != rows:
            raise RuntimeError(
                message(
                    f"all_to_all_single(): dimension 0 of {describe(x)} cannot be split into "
                    f"{chosen} for {n} ranks"
                )
            )
        parts.append(list(x.detach().split(chosen)))
    return all_to_all(parts[0], parts[1], group, async_op)


def barrier(
    group: ProcessGroup | None = None, async_op: bool = False, device_ids: object = None
) -> Work | None:
    """Wait until every rank of the group has come here."""
    g = world(group)
    check(g, "barrier")
    requests = [] if g.alone else _start(g, "Barrier", async_op)
    return _ended(Work(requests), async_op)


def monitored_barrier(
    group: ProcessGroup | None = None,
    timeout: timedelta | None = None,
    wait_all_ranks: bool = False,
) -> None:
    """A barrier that names the ranks that do not come within ``timeout``."""
    from .agreement import check_now

    check_now(world(group), timeout)


# ---- from one rank to another --------------------------------------------------------------------
def isend(
    tensor: Tensor,
    dst: int | None = None,
    group: ProcessGroup | None = None,
    tag: int = 0,
    group_dst: int | None = None,
) -> Work:
    """Start to send to rank ``dst``; do not write into the tensor before ``wait()``."""
    t, g = checked(tensor, "isend"), world(group)
    to = _other(g, _root(g, dst, group_dst, "isend"), "isend")
    array = outgoing(t)
    work = Work([g.comm.Isend(_bytes(array), dest=to, tag=tag)], result=[t])
    return work


def irecv(
    tensor: Tensor,
    src: int | None = None,
    group: ProcessGroup | None = None,
    tag: int = 0,
    group_src: int | None = None,
) -> Work:
    """Start to receive from rank ``src`` (None: from any)."""
    t, g = checked(tensor, "irecv"), world(group)
    MPI, array = _mpi(), incoming(t)
    given = src is not None or group_src is not None
    place = _other(g, _root(g, src, group_src, "irecv"), "irecv") if given else MPI.ANY_SOURCE
    status = MPI.Status()
    request = g.comm.Irecv(_bytes(array), source=place, tag=tag)
    work = Work([_WithStatus(request, status)], result=[t])

    def finish() -> None:
        put(t, array, "recv")
        work._source = g.ranks[status.Get_source()]

    work._finish = finish
    return work


class _WithStatus:
    """A request whose Test fills a status: who has sent."""

    def __init__(self, request: Any, status: Any):
        self.request, self.status = request, status

    def Test(self) -> bool:
        return bool(self.request.Test(self.status))


def _other(g: ProcessGroup, rank: int, name: str) -> int:
    if rank == g.rank():
        raise ValueError(message(f"{name}(): the source or destination is this rank itself"))
    return rank


def send(
    tensor: Tensor,
    dst: int | None = None,
    group: ProcessGroup | None = None,
    tag: int = 0,
    group_dst: int | None = None,
) -> None:
    """Send to rank ``dst``; returns when the tensor may be written again."""
    isend(tensor, dst, group, tag, group_dst).wait()


def recv(
    tensor: Tensor,
    src: int | None = None,
    group: ProcessGroup | None = None,
    tag: int = 0,
    group_src: int | None = None,
) -> int:
    """Receive from rank ``src`` (None: from any); returns the rank that sent."""
    work = irecv(tensor, src, group, tag, group_src)
    work.wait()
    return work.source_rank()


class P2POp:
    """One ``isend`` or ``irecv`` of a batch."""

    def __init__(
        self,
        op: Callable[..., Work],
        tensor: Tensor,
        peer: int | None = None,
        group: ProcessGroup | None = None,
        tag: int = 0,
        group_peer: int | None = None,
    ):
        if op not in (isend, irecv):
            raise ValueError(
                message("Invalid ``op``. Expected ``op`` to be of type ``isend`` or ``irecv``.")
            )
        self.op, self.tensor, self.peer, self.group = op, tensor, peer, group
        self.tag, self.group_peer = tag, group_peer


def batch_isend_irecv(p2p_op_list: Sequence[P2POp]) -> list[Work]:
    """Start all transfers of a list; returns their Works."""
    return [p.op(p.tensor, p.peer, p.group, p.tag, p.group_peer) for p in p2p_op_list]
