"""Collectives on lists of tensors, one tensor per rank: gather, scatter, all-to-all."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..base.errors import describe, message
from ..handles.tensor import Tensor
from .agreement import check
from .buffers import Work, checked, checked_list, fits, incoming, outgoing, put, same
from .collectives import (
    ReduceOp,
    averaged,
    ended,
    facts,
    mpi_operation,
    place_of,
    raw,
    start,
)  # fmt: skip
from .group import ProcessGroup, _mpi, world


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
    check(g, name, **facts(t))
    array = outgoing(t)
    everybody = np.empty((g.size(), *array.shape), array.dtype)
    if g.alone:
        everybody[0] = array
        requests: list[Any] = []
    else:
        requests = start(g, "Allgather", async_op, raw(array), raw(everybody))
    return ended(Work(requests, _spread(outputs, everybody, name), outputs), async_op)


def _spread(outputs: list[Tensor], parts: Any, name: str) -> Callable[[], None]:
    def finish() -> None:
        for out, part in zip(outputs, parts, strict=True):
            put(out, part, name)

    return finish


def _check_many(tensors: list[Tensor], like: Tensor, g: ProcessGroup, name: str) -> None:
    if len(tensors) != g.size():
        raise RuntimeError(
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
    root = place_of(g, dst, group_dst, "gather", 0)
    outputs = _of_root(g.rank() == root, gather_list, "gather", "gather_list")
    if outputs:
        _check_many(outputs, t, g, "gather")
    check(g, "gather", **facts(t), dst=root)
    array = outgoing(t)
    everybody = np.empty((len(outputs), *array.shape), array.dtype)
    if g.alone:
        everybody[0] = array
        requests: list[Any] = []
    else:
        received = raw(everybody) if outputs else None
        requests = start(g, "Gather", async_op, raw(array), received, root=root)
    return ended(Work(requests, _spread(outputs, everybody, "gather"), outputs), async_op)


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
    root = place_of(g, src, group_src, "scatter", 0)
    inputs = _of_root(g.rank() == root, scatter_list, "scatter", "scatter_list")
    if inputs:
        _check_many(inputs, t, g, "scatter")
    check(g, "scatter", **facts(t), src=root)
    if g.alone:
        put(t, outgoing(inputs[0]), "scatter")
        return Work(result=[t]) if async_op else None
    array = incoming(t)
    parts = raw(np.stack([outgoing(x) for x in inputs])) if inputs else None
    requests = start(g, "Scatter", async_op, parts, raw(array), root=root)
    return ended(Work(requests, lambda: put(t, array, "scatter"), [t]), async_op)


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
    word = mpi_operation(op, out, "reduce_scatter")
    check(g, "reduce_scatter", **facts(out), op=op.name)
    if g.alone:
        put(out, parts[0].astype(out.array.dtype), "reduce_scatter")
        return Work(result=[out]) if async_op else None
    together, array = np.stack(parts), np.empty(out.array.shape, parts[0].dtype)
    requests = start(
        g, "Reduce_scatter_block", async_op, together, array, op=getattr(_mpi(), word)
    )

    def finish() -> None:
        put(out, averaged(array, op, g.size()), "reduce_scatter")

    return ended(Work(requests, finish, [out]), async_op)


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
    for t in [*outputs, *inputs]:
        same(t, outputs[0], "all_to_all")
    kept, given = outputs[g.rank()], inputs[g.rank()]
    if kept.array.size != given.array.size:
        raise RuntimeError(
            message(
                "all_to_all(): what a rank gives to itself must fit, but input and output "
                f"{g.rank()} are {describe(given)} and {describe(kept)}"
            )
        )
    check(g, "all_to_all", dtype=inputs[0].array.dtype.name)
    sent = [raw(outgoing(x)) for x in inputs]
    arrays = [np.empty(out.array.shape, out.array.dtype) for out in outputs]
    if g.alone:
        arrays[0][...] = outgoing(inputs[0]).reshape(arrays[0].shape)
        return ended(Work([], _spread(outputs, arrays, "all_to_all"), outputs), async_op)
    received = [np.empty(a.nbytes, np.uint8) for a in arrays]
    mine, theirs = np.concatenate(sent), np.empty(sum(a.nbytes for a in arrays), np.uint8)
    requests = start(
        g, "Alltoallv", async_op, [mine, [a.size for a in sent]],
        [theirs, [a.size for a in received]],
    )  # fmt: skip

    def finish() -> None:
        at = 0
        for out, a in zip(outputs, arrays, strict=True):
            part = theirs[at : at + a.nbytes].view(a.dtype).reshape(a.shape)
            put(out, part, "all_to_all")
            at += a.nbytes

    return ended(Work(requests, finish, outputs), async_op)


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
