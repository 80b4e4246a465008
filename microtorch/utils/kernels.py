"""The library's one door to memory and kernels.

`nn`, `optim`, `utils` and `files` are written with Tensors, as a user's program is. Three things
would be too slow that way: a step of an optimizer, which changes many parameters at once; a
recurrent layer along a whole sequence; the mask of a dropout. They come here, for the arrays of
tensors, for the backend whose kernels take them, and to say that an array has been overwritten.

The attributes of a backend are its kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..arrays.memory_order import in_memory_order
from ..engine.record import constant
from ..handles.tensor import Tensor

if TYPE_CHECKING:
    from ..base.types import Array, Backend


def backend_of(tensor: Tensor) -> Backend:
    """The backend in whose memory a tensor lies."""
    return tensor.node.dev


def common_backend(tensors: Iterable[Tensor | None]) -> Backend | None:
    """The backend of all tensors (None aside) for one call on their memory.

    None if they are on several, or not in the memory of the CPU.
    """
    found = {tensor.node.dev for tensor in tensors if tensor is not None}
    dev = found.pop() if len(found) == 1 else None
    return dev if dev is not None and dev.device.type == "cpu" else None


def arrays(tensors: Iterable[Tensor]) -> tuple[Array, ...]:
    """Their memory."""
    return tuple([tensor.array for tensor in tensors])


def by_backend(tensors: Iterable[Tensor]) -> dict[Backend, list[Tensor]]:
    """The tensors that have a gradient, in groups that one call of a kernel can take.

    NotDense if one of the gradients is a sparse tensor.
    """
    by_dev: dict[Backend, list[Tensor]] = {}
    for tensor in tensors:
        node = tensor.node
        if node.grad is not None:
            node.grad.array  # noqa: B018
            if node.dev in by_dev:
                by_dev[node.dev].append(tensor)
            else:
                by_dev[node.dev] = [tensor]
    return by_dev


def number(x: Tensor | float) -> float:
    """A setting as Python's number. It may be a tensor, from which no gradient is expected here."""
    if type(x) is float:
        return x
    return float(x.item() if isinstance(x, Tensor) else x)


def rate(group: dict[str, Any]) -> float:
    """The learning rate of an optimizer's group, as a kernel takes it.

    A recording is told whose it is, so that a program reads it anew at each call.
    """
    return rates[-1](group, "lr", None) if rates else number(group["lr"])


def cycled(group: dict[str, Any], key: str, i: int | None = None) -> float:
    """A momentum, or number ``i`` of the betas: as `rate`, where a schedule changes it."""
    if rates and "max_momentum" in group:
        return rates[-1](group, key, i)
    return number(group[key] if i is None else group[key][i])


rates: list[Callable[[dict[str, Any], str, int | None], float]] = []


def tensor_on(array: Array, dev: Backend) -> Tensor:
    """A tensor without gradient on the memory of `array`."""
    return constant(array, dev)


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
    x, dev, shape = input.array, input.node.dev, tuple(shape)
    if shape != x.shape:
        return constant(dev.draws.dropout_noise(shape, x.dtype, p), dev)
    noise = in_memory_order(x, lambda shape: dev.draws.dropout_noise(shape, x.dtype, p))
    return constant(noise, dev)
