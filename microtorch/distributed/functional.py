"""``torch.distributed.nn``: collectives that gradients flow through.

They return new tensors; those of collectives.py and lists.py write into given ones. Backward is a
collective, too: every rank has to call it, on a result of the same call. Each is the transpose of
its forward: what was copied to all ranks is summed over them, and what was moved moves back.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..autograd import Function
from ..base.errors import message, missing
from ..create.filled import empty, empty_like, zeros_like
from ..handles.tensor import Tensor
from . import collectives, lists
from .collectives import ReduceOp
from .group import ProcessGroup, world

if TYPE_CHECKING:
    from ..autograd.function import FunctionCtx
    from ..base.types import Argument

__all__ = [
    "all_gather", "all_reduce", "all_to_all", "all_to_all_single", "broadcast", "gather", "reduce",
    "reduce_scatter", "scatter",
]  # fmt: skip

__path__: list[str] = []  # a package to Python, below which .functional, this file, is found

Group = ProcessGroup | None


def broadcast(tensor: Tensor, src: int, group: Group = None) -> Tensor:
    """Rank ``src``'s tensor, on every rank. Its gradient is the sum of theirs."""
    out: Tensor = _Broadcast.apply(src, group, tensor)
    return out


def gather(tensor: Tensor, dst: int = 0, group: Group = None) -> tuple[Tensor, ...]:
    """On rank ``dst`` the tensors of all ranks; elsewhere as many of zeros."""
    out: tuple[Tensor, ...] = _Gather.apply(dst, group, tensor)
    return out


def scatter(tensors: Sequence[Tensor], src: int = 0, group: Group = None) -> Tensor:
    """Rank i gets ``tensors[i]`` of rank ``src``; the other ranks' lists only tell the shape."""
    out: Tensor = _Scatter.apply(src, group, *tensors)
    return out


def reduce(
    tensor: Tensor, dst: int, op: ReduceOp = ReduceOp.SUM, group: Group = None
) -> Tensor:
    """On rank ``dst`` the tensors of all ranks combined; elsewhere the rank's own."""
    out: Tensor = _Reduce.apply(dst, op, group, tensor)
    return out


def reduce_scatter(
    output: Tensor, input_list: Sequence[Tensor], op: ReduceOp = ReduceOp.SUM, group: Group = None
) -> Tensor:
    """The ranks' lists combined element by element; rank i gets element i, shaped as ``output``."""
    out: Tensor = _ReduceScatter.apply(op, group, output, *input_list)
    return out


def all_gather(tensor: Tensor, group: Group = None) -> tuple[Tensor, ...]:
    """The tensors of all ranks, on every rank."""
    out: tuple[Tensor, ...] = _AllGather.apply(group, tensor)
    return out


def all_to_all(
    output_tensor_list: Sequence[Tensor], input_tensor_list: Sequence[Tensor], group: Group = None
) -> tuple[Tensor, ...]:
    """Rank i's input j, as rank j's result i. ``output_tensor_list`` tells the shapes."""
    shapes = [tuple(t.shape) for t in output_tensor_list]
    out: tuple[Tensor, ...] = _AllToAll.apply(group, shapes, *input_tensor_list)
    return out


def all_to_all_single(
    output: Tensor,
    input: Tensor,
    output_split_sizes: Sequence[int] | None = None,
    input_split_sizes: Sequence[int] | None = None,
    group: Group = None,
) -> Tensor:
    """``all_to_all`` on parts of one tensor along dimension 0, in a tensor like ``output``."""
    splits = (output_split_sizes, input_split_sizes)
    out: Tensor = _AllToAllSingle.apply(group, tuple(output.shape), *splits, input)
    return out


def all_reduce(tensor: Tensor, op: ReduceOp = ReduceOp.SUM, group: Group = None) -> Tensor:
    """The tensors of all ranks combined, on every rank."""
    out: Tensor = _AllReduce.apply(op, group, tensor)
    return out


def _share(op: ReduceOp, group: Group, name: str) -> float:
    """The derivative of a combination by each rank's tensor, where it is one number.

    NotImplementedError for products and extremes: PyTorch's backward combines the gradients in that
    same way, which is no derivative.
    """
    if op is ReduceOp.SUM:
        return 1.0
    if op is ReduceOp.AVG:
        return 1.0 / world(group).size()
    raise NotImplementedError(
        message(
            f"{name}(): backward is known for ReduceOp.SUM and AVG, not for {op.name}",
            fix="all_gather() the tensors, and combine them: that has a gradient",
        )
    )


class _Broadcast(Function):
    @staticmethod
    def forward(ctx: FunctionCtx, src: int, group: Group, tensor: Tensor) -> Tensor:
        ctx.src, ctx.group = src, group
        out = tensor.clone()
        collectives.broadcast(out, src, group)
        return out

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> Argument:
        total = _Reduce.apply(ctx.src, ReduceOp.SUM, ctx.group, grads[0])
        mine = world(ctx.group).rank() == collectives.place_of(
            world(ctx.group), ctx.src, None, "broadcast"
        )
        return None, None, total if mine else zeros_like(total)


class _Reduce(Function):
    @staticmethod
    def forward(ctx: FunctionCtx, dst: int, op: ReduceOp, group: Group, tensor: Tensor) -> Tensor:
        ctx.dst, ctx.op, ctx.group = dst, op, group
        out = tensor.clone()
        collectives.reduce(out, dst, op, group)
        return out

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> Argument:
        share = _share(ctx.op, ctx.group, "reduce")
        return None, None, None, _Broadcast.apply(ctx.dst, ctx.group, grads[0]) * share


class _AllReduce(Function):
    @staticmethod
    def forward(ctx: FunctionCtx, op: ReduceOp, group: Group, tensor: Tensor) -> Tensor:
        ctx.op, ctx.group = op, group
        out = tensor.clone()
        collectives.all_reduce(out, op, group)
        return out

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> Argument:
        share = _share(ctx.op, ctx.group, "all_reduce")
        return None, None, _AllReduce.apply(ReduceOp.SUM, ctx.group, grads[0]) * share


class _Gather(Function):
    @staticmethod
    def forward(ctx: FunctionCtx, dst: int, group: Group, tensor: Tensor) -> tuple[Tensor, ...]:
        ctx.dst, ctx.group = dst, group
        g = world(group)
        found = [zeros_like(tensor) for _ in range(g.size())]
        mine = g.rank() == collectives.place_of(g, dst, None, "gather")
        lists.gather(tensor, found if mine else None, dst, group)
        return tuple(found)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> Argument:
        return None, None, _Scatter.apply(ctx.dst, ctx.group, *grads)


class _Scatter(Function):
    @staticmethod
    def forward(ctx: FunctionCtx, src: int, group: Group, *tensors: Tensor) -> Tensor:
        ctx.src, ctx.group = src, group
        g, out = world(group), zeros_like(tensors[0])
        mine = g.rank() == collectives.place_of(g, src, None, "scatter")
        lists.scatter(out, list(tensors) if mine else None, src, group)
        return out

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> Argument:
        return None, None, *_Gather.apply(ctx.src, ctx.group, grads[0])


class _ReduceScatter(Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, op: ReduceOp, group: Group, output: Tensor, *tensors: Tensor
    ) -> Tensor:
        ctx.op, ctx.group = op, group
        out = empty_like(output)
        lists.reduce_scatter(out, list(tensors), op, group)
        return out

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> Argument:
        share = _share(ctx.op, ctx.group, "reduce_scatter")
        return None, None, None, *(g * share for g in _AllGather.apply(ctx.group, grads[0]))


class _AllGather(Function):
    @staticmethod
    def forward(ctx: FunctionCtx, group: Group, tensor: Tensor) -> tuple[Tensor, ...]:
        ctx.group = group
        found = [empty_like(tensor) for _ in range(world(group).size())]
        lists.all_gather(found, tensor, group)
        return tuple(found)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> Argument:
        return None, _ReduceScatter.apply(ReduceOp.SUM, ctx.group, grads[0], *grads)


class _AllToAll(Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, group: Group, shapes: Argument, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.group, ctx.shapes = group, [tuple(t.shape) for t in tensors]
        like = tensors[0]
        found = [empty(shape, dtype=like.dtype, device=like.device) for shape in shapes]
        lists.all_to_all(found, [t.contiguous() for t in tensors], group)
        return tuple(found)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> Argument:
        return None, None, *_AllToAll.apply(ctx.group, ctx.shapes, *grads)


class _AllToAllSingle(Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, group: Group, shape: Argument, output_sizes: Argument,
        input_sizes: Argument, tensor: Tensor,
    ) -> Tensor:  # fmt: skip
        ctx.back = (group, tuple(tensor.shape), input_sizes, output_sizes)
        out = empty(shape, dtype=tensor.dtype, device=tensor.device)
        lists.all_to_all_single(out, tensor, output_sizes, input_sizes, group)
        return out

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> Argument:
        return None, None, None, None, _AllToAllSingle.apply(*ctx.back, grads[0])


__getattr__ = missing(__name__, __all__)
