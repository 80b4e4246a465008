"""The library's one door to memory and kernels.

`nn`, `optim`, `utils` and `files` are written with Tensors, as a user's program is. Three things
would be too slow that way: a step of an optimizer, which changes many parameters at once; a
recurrent layer along a whole sequence; the mask of a dropout. They come here, for the arrays of
tensors, for the backend whose kernels take them, and to say that an array has been overwritten.

A backend is the backend for one device and dtype; its attributes are the kernels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..engine.record import constant
from ..handles.tensor import Tensor


def backend_of(tensor: Tensor) -> Any:
    """The backend of a tensor."""
    return tensor.node.dev


def common_backend(tensors: Iterable[Tensor | None]) -> Any:
    """The backend of all tensors (None aside) for one call on their memory.

    None if they are on several, or not in the memory of the CPU.
    """
    backends = {tensor.node.dev for tensor in tensors if tensor is not None}
    backend = backends.pop() if len(backends) == 1 else None
    return backend if backend is not None and backend.device.type == "cpu" else None


def arrays(tensors: Iterable[Tensor | None]) -> tuple[Any, ...]:
    """Their memory; None for None."""
    return tuple([None if tensor is None else tensor.array for tensor in tensors])


def gradients(tensors: Iterable[Tensor]) -> tuple[Any, ...]:
    """The memory of their gradients."""
    return tuple([tensor.node.grad.array for tensor in tensors])


def by_backend(tensors: Iterable[Tensor]) -> dict[Any, list[Tensor]]:
    """The tensors that have a gradient, in groups that one call of a kernel can take."""
    by_backend: dict[Any, list[Tensor]] = {}
    for tensor in tensors:
        node = tensor.node
        if node.grad is not None:
            if node.dev in by_backend:
                by_backend[node.dev].append(tensor)
            else:
                by_backend[node.dev] = [tensor]
    return by_backend


def tensor_on(array: Any, backend: Any) -> Tensor:
    """A tensor without gradient on the memory of `array`."""
    return constant(array, backend)


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
    backend = input.node.dev
    return constant(backend.draws.dropout_noise(tuple(shape), input.array.dtype, p), backend)
