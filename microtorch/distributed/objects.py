"""Collectives on Python objects, which travel pickled: only between programs that you trust."""
from __future__ import annotations

from typing import Any

from ..base.errors import message
from .agreement import check
from .collectives import place_of
from .group import ProcessGroup, _mpi, world
from .transfers import other_rank, source_of


def all_gather_object(
    object_list: list[Any], obj: Any, group: ProcessGroup | None = None
) -> None:
    """``object_list[i]`` becomes rank i's object, on every rank."""
    g = world(group)
    check(g, "all_gather_object")
    _fill(object_list, [obj] if g.alone else g.comm.allgather(obj), "all_gather_object")


def gather_object(
    obj: Any,
    object_gather_list: list[Any] | None = None,
    dst: int | None = None,
    group: ProcessGroup | None = None,
    group_dst: int | None = None,
) -> None:
    """On rank ``dst``, ``object_gather_list[i]`` becomes rank i's object."""
    g = world(group)
    root = place_of(g, dst, group_dst, "gather_object", 0)
    if g.rank() == root and object_gather_list is None:
        raise ValueError(
            message("Argument ``object_gather_list`` must be specified on destination rank.")
        )
    check(g, "gather_object", dst=root)
    found = [obj] if g.alone else g.comm.gather(obj, root=root)
    if object_gather_list is not None and g.rank() == root:
        _fill(object_gather_list, found, "gather_object")


def broadcast_object_list(
    object_list: list[Any],
    src: int | None = None,
    group: ProcessGroup | None = None,
    device: object = None,
    group_src: int | None = None,
) -> None:
    """Rank ``src``'s objects replace those in the other ranks' lists, which have as many."""
    g = world(group)
    root = place_of(g, src, group_src, "broadcast_object_list", 0)
    check(g, "broadcast_object_list", src=root)
    if not g.alone:
        _fill(object_list, g.comm.bcast(list(object_list), root=root), "broadcast_object_list")


def scatter_object_list(
    scatter_object_output_list: list[Any],
    scatter_object_input_list: list[Any] | None = None,
    src: int | None = None,
    group: ProcessGroup | None = None,
    group_src: int | None = None,
) -> None:
    """The first place of rank i's output list becomes object i of rank ``src``'s input list."""
    if not isinstance(scatter_object_output_list, list) or not scatter_object_output_list:
        raise ValueError(
            message("Expected argument scatter_object_output_list to be a list of size at least 1.")
        )
    g = world(group)
    root = place_of(g, src, group_src, "scatter_object_list", 0)
    given = None
    if g.rank() == root:
        given = scatter_object_input_list
        if given is None:
            raise ValueError(
                message("source rank must provide non-None scatter_object_input_list")
            )
        if len(given) != g.size():
            raise RuntimeError(
                message(
                    f"scatter_object_list(): the input list has {len(given)} objects, and there "
                    f"are {g.size()} ranks"
                )
            )
    check(g, "scatter_object_list", src=root)
    scatter_object_output_list[0] = (
        given[0] if g.alone and given else g.comm.scatter(given, root=root)
    )


def send_object_list(
    object_list: list[Any],
    dst: int | None = None,
    group: ProcessGroup | None = None,
    device: object = None,
    group_dst: int | None = None,
) -> None:
    """Send a list of objects to rank ``dst``."""
    g = world(group)
    to = other_rank(g, place_of(g, dst, group_dst, "send_object_list"), "send_object_list")
    g.comm.send(list(object_list), dest=to)


def recv_object_list(
    object_list: list[Any],
    src: int | None = None,
    group: ProcessGroup | None = None,
    device: object = None,
    group_src: int | None = None,
) -> int:
    """Receive a list of as many objects from rank ``src`` (None: from any); returns that rank."""
    g = world(group)
    place = source_of(g, src, group_src, "recv_object_list")
    status = _mpi().Status()
    _fill(object_list, g.comm.recv(source=place, status=status), "recv_object_list")
    return g.ranks[status.Get_source()]


def _fill(into: list[Any], found: list[Any], name: str) -> None:
    if len(into) != len(found):
        raise ValueError(
            message(f"{name}(): the list has room for {len(into)} objects, but {len(found)} came")
        )
    into[:] = found
