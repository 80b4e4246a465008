"""Functions of indices: rows of a table, and vectors that are 0 but for a single 1."""

from __future__ import annotations

from ...arrays.dtypes import int64
from ...base.errors import describe, message
from ...create.filled import arange
from ...handles.tensor import Tensor
from ...ops.embedding import embedding

__all__ = ["embedding", "one_hot"]


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """int64 (*, num_classes) with 1 at the index that int64 (*) gives.

    `num_classes` -1 stands for the largest index + 1.
    """
    if tensor.dtype is not int64:
        raise _error(
            "one_hot is only applicable to index tensor of type LongTensor.",
            tensor,
            "one_hot(tensor.long())",
        )
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise _error(
                "Can not infer total number of classes from empty tensor.",
                tensor,
                "one_hot(tensor, num_classes)",
            )
    else:
        low, high = int(tensor.array.min()), int(tensor.array.max())
        if low < 0:
            raise _error(
                f"Class values must be non-negative. Got {low}.", tensor, "classes count from 0"
            )
        if num_classes == -1:
            num_classes = high + 1
        if high >= num_classes:
            raise _error(
                f"Class values must be smaller than num_classes. "
                f"Got {high} of {num_classes} classes.",
                tensor,
                f"one_hot(tensor, {high + 1})",
            )
    classes = arange(num_classes, device=tensor.device)
    return (tensor.unsqueeze(-1) == classes).to(tensor.dtype)


def _error(what: str, tensor: Tensor, fix: str) -> RuntimeError:
    return RuntimeError(message(what, f"one_hot: {describe(tensor)}", fix=fix))
