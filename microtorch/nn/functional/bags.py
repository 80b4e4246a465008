"""Bags of embeddings: the sum, mean or maximum of rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...arrays.dtypes import int64
from ...base.errors import describe, message, warn
from ...create.counted import arange
from ...engine.record import constant
from ...engine.whole import on_arrays
from ...handles.tensor import Tensor
from ...ops.arguments import owned
from ...ops.embedding import by_frequency, embedding, embedding_sum_op, shorten
from ...ops.settled import linked

if TYPE_CHECKING:
    from ...base.types import Array, DType

MODES = ("sum", "mean", "max")


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum (`mode`) of rows of `weight` (rows, D), bag by bag: (B, D).

    `input` holds row numbers, int64 or int32: (B, N) is B bags of N, and (N,) is cut where
    `offsets` (B,) say that a bag begins; with `include_last_offset` they also say where the last
    one ends. An empty bag gives 0. Rows `padding_idx` are left out, and get no gradient.
    `per_sample_weights`, like input, scale the rows of mode "sum". `max_norm`, `norm_type` and
    `scale_grad_by_freq` are those of F.embedding; `sparse` changes nothing here.
    """
    if weight.dtype is int64 and input.is_floating_point():
        warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage "
            "`embedding_bag(weight, input, ...)` is deprecated, and should now be "
            "`embedding_bag(input, weight, ...)`.",
        )
        input, weight = weight, input
    _check(input, weight, offsets, mode, per_sample_weights, sparse, scale_grad_by_freq)
    if padding_idx is not None and not -len(weight) <= padding_idx < len(weight):
        raise RuntimeError(
            message(
                f"padding_idx must be within the number of embeddings, {-len(weight)} through "
                f"{len(weight) - 1}, but got {padding_idx}",
                "embedding_bag()",
            )
        )
    if input.ndim == 2:
        bags, each = input.shape
        offsets = arange(bags, dtype=input.dtype) * each
        include_last_offset = False
        input = input.reshape(-1)
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights.reshape(-1)
    assert offsets is not None
    bags = len(offsets) - include_last_offset
    if include_last_offset and bags < 0:
        raise RuntimeError(
            message("include_last_offset: number of offset should be at least 1", "embedding_bag()")
        )
    if max_norm is not None and len(input):
        shorten(weight, input, max_norm, norm_type)
    padding = None if padding_idx is None else padding_idx % len(weight)
    dropped = include_last_offset or padding is not None  # then a bag more takes what is left out
    home = weight.device
    found = on_arrays(
        "bags", _bags, input.cpu().array, offsets.cpu().array, include_last=include_last_offset,
        padding=padding, dtype=weight.array.dtype,
    )  # fmt: skip
    bag, counts = [constant(a).to(home) for a in found]
    try:
        rows = embedding(input, weight)
    except IndexError as error:  # PyTorch has another class here than for F.embedding
        raise RuntimeError(str(error)) from None
    if scale_grad_by_freq:
        rows = by_frequency(rows, input)
    if mode == "max":
        if not len(input):
            return linked(rows.new_zeros((bags, rows.shape[1])), rows)
        arrays = rows.detach().cpu().array, bag.cpu().array
        found = on_arrays("largest_of_bags", largest, *arrays, bags=bags)
        best, empty = [constant(a).to(home) for a in found]
        return rows.gather(0, best).masked_fill(empty, 0.0)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    sums: Tensor = embedding_sum_op(rows, bag, rows=bags + dropped, padding=None)
    sums = owned(sums[:bags]) if dropped else sums
    return sums if mode == "sum" else sums / counts


def _bags(
    input: Array, offsets: Array, include_last: bool, padding: int | None, dtype: DType
) -> tuple[Array, Array]:
    """The bag of each row, and how many rows each has, (B, 1), as ``dtype``.

    Rows that are in no bag are in one more, the last.
    """
    n, starts = len(input), offsets.astype(np.int64)
    if len(starts) and starts[0] != 0:
        raise RuntimeError(
            message(
                "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start "
                f"from position 0. However, got {starts[0]}",
                "embedding_bag()",
            )
        )
    if len(starts) and starts[-1] > n:
        raise RuntimeError(
            message(
                f"offsets[-1] can not be greater than input's length({n}) but got offsets[-1] of "
                f"{starts[-1]}",
                "embedding_bag()",
            )
        )
    bags = len(starts) - include_last
    bag = np.searchsorted(starts[:bags], np.arange(n), side="right") - 1
    if include_last:
        bag[starts[-1] :] = bags
    if padding is not None:
        bag[input == padding] = bags
    counts = np.maximum(np.bincount(bag, minlength=bags)[:bags], 1).astype(dtype)
    return bag, counts[:, None]


def largest(rows: Array, bag: Array, bags: int) -> tuple[Array, Array]:
    """Which row has the maximum of each bag (bags, D), the first of equal ones; is it empty?"""
    best = np.zeros((bags, rows.shape[1]), np.int64)
    empty = np.ones((bags, 1), bool)
    for b in np.unique(bag[bag < bags]):
        at = np.flatnonzero(bag == b)
        best[b] = at[rows[at].argmax(0)]
        empty[b] = False
    return best, empty


def _check(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None,
    mode: str,
    per_sample_weights: Tensor | None,
    sparse: bool,
    scale_grad_by_freq: bool,
) -> None:
    given = f"embedding_bag: input {describe(input)}, weight {describe(weight)}"
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        raise ValueError(
            message(
                f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, "
                f"then it must have the same shape as the input ({input.shape})",
            )
        )
    if weight.ndim != 2:
        raise ValueError(
            message(
                f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}", given
            )
        )
    if input.ndim not in (1, 2):
        raise ValueError(
            message(
                f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}", given
            )
        )
    if input.ndim == 2 and offsets is not None:
        raise ValueError(
            message(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
                f"of fixed length sequences. However, found offsets of type {type(offsets)}",
                given,
            )
        )
    if input.ndim == 1 and (offsets is None or offsets.ndim != 1):
        found = " but got None" if offsets is None else ""
        raise ValueError(message(f"offsets has to be a 1D Tensor{found}", given))
    if mode not in MODES:
        raise ValueError(message("mode has to be one of sum, mean or max", f"got {mode!r}"))
    if mode == "max" and scale_grad_by_freq:
        raise ValueError(
            message("max mode does not support scaling the gradient by the frequency", given)
        )
    if mode == "max" and sparse:
        raise ValueError(message("max mode does not support sparse weights", given))
    if per_sample_weights is None:
        return
    if mode != "sum":
        raise NotImplementedError(
            message(
                "embedding_bag: per_sample_weights was not None. per_sample_weights is only "
                f"supported for mode='sum' (got mode='{mode}').",
                given,
            )
        )
    if per_sample_weights.dtype != weight.dtype:
        raise RuntimeError(
            message(
                f"expected weight and per_sample_weights of one dtype, but got {weight.dtype} and "
                f"{per_sample_weights.dtype}",
                given,
            )
        )
