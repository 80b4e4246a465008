"""The library's one door to memory and kernels.

`nn`, `optim`, `utils` and `files` are written with Tensors, as a user's program is. Three things
would be too slow that way: a step of an optimizer, which changes many parameters at once; a
recurrent layer along a whole sequence; the mask of a dropout. They come here, for the arrays of
tensors, for the lane whose kernels take them, and to say that an array has been overwritten.

A lane is the backend for one device and dtype; its attributes are the kernels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..ops import constant
from ..tensor import Tensor


def lane_of(tensor: Tensor) -> Any:
    """The lane of a tensor."""
    return tensor.node.dev


def common_lane(tensors: Iterable[Tensor | None]) -> Any:
    """The lane of all tensors (None aside) for one call on their memory.

    None if they are on several, or not in the memory of the CPU.
    """
    lanes = {tensor.node.dev for tensor in tensors if tensor is not None}
    lane = lanes.pop() if len(lanes) == 1 else None
    return lane if lane is not None and lane.device.type == "cpu" else None


def arrays(tensors: Iterable[Tensor]) -> tuple[Any, ...]:
    """Their memory."""
    return tuple([tensor.array for tensor in tensors])


def gradients(tensors: Iterable[Tensor]) -> tuple[Any, ...]:
    """The memory of their gradients."""
    return tuple([tensor.node.grad.array for tensor in tensors])


def by_lane(tensors: Iterable[Tensor]) -> dict[Any, list[Tensor]]:
    """The tensors that have a gradient, in groups that one call of a kernel can take."""
    lanes: dict[Any, list[Tensor]] = {}
    for tensor in tensors:
        node = tensor.node
        if node.grad is not None:
            if node.dev in lanes:
                lanes[node.dev].append(tensor)
            else:
                lanes[node.dev] = [tensor]
    return lanes


def tensor_on(array: Any, lane: Any) -> Tensor:
    """A tensor without gradient on the memory of `array`."""
    return constant(array, lane)


def overwritten(tensors: Iterable[Tensor], writer: str) -> None:
    """Date a write that `writer` made to their arrays: backward then notices where it needs them.

    A kernel that writes is always followed by this call.
    """
    for tensor in tensors:
        tensor._written(writer)


def dropout_noise(input: Tensor, shape: Sequence[int], p: float) -> Tensor:
    """A tensor of `shape`, like `input`: 0 with probability `p`, else 1 / (1 - p).

    Drawn from the default generator as PyTorch draws it.
    """
    lane = input.node.dev
    return constant(lane.draws.dropout_noise(tuple(shape), input.array.dtype, p), lane)
