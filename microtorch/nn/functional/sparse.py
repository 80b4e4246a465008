"""Functions of indices: rows of a table, and vectors that are 0 but for a single 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...arrays.dtypes import int64
from ...backends import defines
from ...base.errors import describe, message
from ...create.counted import arange
from ...engine.record import constant
from ...engine.whole import known
from ...handles.tensor import Tensor
from ...ops.arguments import within
from ...ops.embedding import embedding
from ...utils.kernels import backend_of

if TYPE_CHECKING:
    from ...base.types import Array, Backend

__all__ = ["embedding", "one_hot"]


def one_hot(input: Tensor, num_classes: int = -1) -> Tensor:
    """int64 (*, num_classes) with 1 at the index that int64 (*) gives.

    `num_classes` -1 stands for the largest index + 1.
    """
    if input.dtype is not int64:
        raise _error(
            "one_hot is only applicable to index tensor of type LongTensor.",
            input,
            "one_hot(x.long())",
        )
    if input.numel() == 0:
        if num_classes <= 0:
            raise _error(
                "Can not infer total number of classes from empty tensor.",
                input,
                "one_hot(x, num_classes)",
            )
    else:
        if num_classes == -1:
            plain = type(input.array) is np.ndarray  # else a recorded program's
            largest = input.array.max() if plain else known(input.max())
            num_classes = max(int(largest) + 1, 0)
        if within(input.array, num_classes):  # a numpy array, and none of a recorded program
            which = np.ascontiguousarray(input.array)[..., None] == np.arange(num_classes)
            return constant(which.astype(np.int64), input.node.dev)
        backend_of(input).check_classes(input.array, num_classes)
    classes = arange(num_classes, device=input.device)
    return (input.unsqueeze(-1) == classes).to(input.dtype)


@defines
def check_classes(F: Backend, classes: Array, n: int) -> None:
    """RuntimeError for a class that is not among n. A kernel, so that a program asks at each call.
    """
    low, high = int(classes.min()), int(classes.max())
    if low < 0:
        raise _error(
            f"Class values must be non-negative. Got {low}.", classes, "classes count from 0"
        )
    if high >= n:
        raise _error(
            f"Class values must be smaller than num_classes. Got {high} of {n} classes.",
            classes,
            f"one_hot(x, {high + 1})",
        )


def _error(what: str, tensor: object, fix: str) -> RuntimeError:
    return RuntimeError(message(what, f"one_hot: {describe(tensor)}", fix=fix))
