"""Tensors as MPI's buffers, and what is to be done when a transfer has ended."""
from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import host
from ..base.errors import describe, message
from ..graph import storage_of
from ..handles.tensor import Tensor
from .futures import Awaited, Future
from .group import DistError

if TYPE_CHECKING:
    from ..base.types import Array

# 2-byte floats, which MPI cannot add, travel as float32
WIDENED = frozenset({"float16", "bfloat16"})


def checked(tensor: object, name: str, argument: str = "tensor") -> Tensor:
    """``tensor``, if it is one. Raises TypeError in PyTorch's words."""
    if not isinstance(tensor, Tensor):
        raise TypeError(
            message(
                f"Invalid function argument. Expected parameter `{argument}` of type torch.Tensor "
                f"but got {type(tensor)} instead.",
                f"in {name}()",
            )
        )
    return tensor


def checked_list(tensors: object, name: str, argument: str) -> list[Tensor]:
    """``tensors``, if it is a list of them, all of one dtype."""
    if not isinstance(tensors, (list, tuple)):
        raise TypeError(
            message(
                f"Invalid function argument. Expected parameter `{argument}` of type "
                f"List[torch.Tensor] but got {type(tensors)} instead.",
                f"in {name}()",
            )
        )
    return [checked(t, name, argument) for t in tensors]


def outgoing(tensor: Tensor, widen: bool = False) -> Array:
    """The values in one piece of memory on the host; not a copy where they lie so."""
    array = np.ascontiguousarray(host(tensor.array))
    return array.astype(np.float32) if widen and array.dtype.name in WIDENED else array


def incoming(tensor: Tensor, widen: bool = False) -> Array:
    """Memory to receive into: the tensor's own where MPI can write there."""
    array = tensor.array
    if type(array) is np.ndarray and array.flags.c_contiguous and array.flags.writeable:
        if not (widen and array.dtype.name in WIDENED):
            return array
    return outgoing(tensor, widen).copy()


def put(tensor: Tensor, array: Array, name: str) -> None:
    """``array`` is the tensor's new value: copy it where it does not lie there, and date the write.
    """
    if array is tensor.array:
        storage_of(tensor.node).wrote(name)
        return
    dev = tensor.node.dev
    tensor.detach().copy_(on_device(array, dev))


def on_device(array: Array, dev: Any) -> Tensor:
    """A tensor of a host array on the device of ``dev``."""
    from ..engine.record import constant

    return constant(array.copy()).to(dev.device)


def fits(output: Tensor, shape: Sequence[int], like: Tensor, name: str) -> None:
    """Raises where a tensor that is given for a result has another shape or dtype."""
    if tuple(output.array.shape) != tuple(shape):
        raise ValueError(
            message(
                f"{name}(): the output must have shape {tuple(shape)}, got {describe(output)}"
            )
        )
    same(output, like, name)


def same(a: Tensor, b: Tensor, name: str) -> None:
    """Raises ValueError in PyTorch's words where the dtypes differ."""
    if a.array.dtype != b.array.dtype:
        raise ValueError(
            message(
                "Invalid usage of tensors with different dtypes. Found "
                f"{a.dtype} and {b.dtype}",
                f"in {name}()",
            )
        )


class Work:
    """A transfer under way; ``wait()`` returns when its result is in place."""

    def __init__(
        self,
        requests: Sequence[Any] = (),
        finish: Callable[[], None] = lambda: None,
        result: list[Tensor] | None = None,
    ):
        self._requests, self._finish = list(requests), finish
        self._result = result or []
        self._source = -1

    def is_completed(self) -> bool:
        """Has it ended? Asking also moves it on."""
        self._requests = [r for r in self._requests if not r.Test()]
        if not self._requests:
            self._finish, finish = _nothing, self._finish
            finish()
        return not self._requests

    def wait(self, timeout: timedelta | None = None) -> bool:
        """Wait for the end. Raises DistError after ``timeout``."""
        end = None if timeout is None else time.monotonic() + timeout.total_seconds()
        while not self.is_completed():
            if end is not None and time.monotonic() > end:
                raise DistError(message(f"the transfer has not ended within {timeout}"))
            time.sleep(0)  # others may need the processor
        return True

    def is_success(self) -> bool:
        return self.is_completed()

    def result(self) -> list[Tensor]:
        """The tensors that were received."""
        self.wait()
        return self._result

    def get_future(self) -> Future[list[Tensor]]:
        """The same as a future, whose value is the list of tensors that were received."""
        return Awaited(self.is_completed, lambda: self._result)

    def source_rank(self) -> int:
        """Of a recv: the global rank that sent."""
        return self._source


def _nothing() -> None:
    """Work that has ended is not ended twice."""
