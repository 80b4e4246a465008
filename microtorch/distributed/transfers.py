"""From one rank to another: send, receive, and their non-blocking forms."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..base.errors import message
from ..handles.tensor import Tensor
from .buffers import Work, checked, incoming, outgoing, put
from .collectives import place_of, raw
from .group import ProcessGroup, _mpi, world


def isend(
    tensor: Tensor,
    dst: int | None = None,
    group: ProcessGroup | None = None,
    tag: int = 0,
    group_dst: int | None = None,
) -> Work:
    """Start to send to rank ``dst``; do not write into the tensor before ``wait()``."""
    t, g = checked(tensor, "isend"), world(group)
    to = other_rank(g, place_of(g, dst, group_dst, "isend"), "isend")
    array = outgoing(t)
    work = Work([g.comm.Isend(raw(array), dest=to, tag=tag)], result=[t])
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
    place, array = source_of(g, src, group_src, "irecv"), incoming(t)
    status = _mpi().Status()
    request = g.comm.Irecv(raw(array), source=place, tag=tag)
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


def source_of(g: ProcessGroup, src: int | None, group_src: int | None, name: str) -> int:
    """The group's rank that is received from, or MPI's word for any. ValueError for itself."""
    if src is not None or group_src is not None:
        return other_rank(g, place_of(g, src, group_src, name), name)
    if g.alone:
        raise ValueError(message(f"{name}(): there is no other rank to receive from"))
    return _mpi().ANY_SOURCE


def other_rank(g: ProcessGroup, rank: int, name: str) -> int:
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
