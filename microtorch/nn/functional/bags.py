"""Bags of embeddings: the sum, mean or maximum of rows of a table."""

from __future__ import annotations

import numpy as np

from ...arrays.dtypes import int64
from ...base.errors import describe, message, warn
from ...create.counted import arange
from ...create.data import from_numpy
from ...handles.tensor import Tensor
from ...ops.embedding import by_frequency, embedding, embedding_sum_op, shorten

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
    if input.ndim == 2:
        bags, each = input.shape
        offsets = arange(bags, dtype=input.dtype) * each
        include_last_offset = False
        input = input.reshape(-1)
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights.reshape(-1)
    assert offsets is not None
    bag, bags = _bags(offsets, len(input), include_last_offset)
    if len(bag) < len(input):  # rows after the last offset belong to no bag
        input = input[: len(bag)]
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights[: len(bag)]
    if max_norm is not None and len(input):
        shorten(weight, input, max_norm, norm_type)
    everything = input
    if padding_idx is not None:
        kept = np.flatnonzero(input.cpu().numpy() != padding_idx % len(weight))
        at = from_numpy(kept).to(input.device)
        bag, input = bag[kept], input[at]
        per_sample_weights = None if per_sample_weights is None else per_sample_weights[at]
    rows = embedding(input, weight)
    if scale_grad_by_freq:
        rows = by_frequency(rows, everything if padding_idx is None else input)
    if mode == "max":
        return _largest(rows, bag, bags)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    index = from_numpy(bag).to(rows.device)
    sums: Tensor = embedding_sum_op(rows, index, rows=bags, padding=None)
    if mode == "sum":
        return sums
    counts = np.maximum(np.bincount(bag, minlength=bags), 1).astype(rows.dtype.numpy)
    return sums / from_numpy(counts).unsqueeze(-1).to(rows.device)


def _bags(offsets: Tensor, n: int, include_last: bool) -> tuple[np.ndarray, int]:
    """The bag of each row (of n, or up to the last offset), and how many bags there are."""
    starts = offsets.cpu().numpy().astype(np.int64)
    if include_last and not len(starts):
        raise RuntimeError(
            message("include_last_offset: number of offset should be at least 1", "embedding_bag()")
        )
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
    if include_last:
        starts, n = starts[:-1], int(starts[-1])
    return np.searchsorted(starts, np.arange(n), side="right") - 1, len(starts)


def _largest(rows: Tensor, bag: np.ndarray, bags: int) -> Tensor:
    """The maximum of each bag (bags, D); the first of equal rows gets the gradient."""
    values = rows.detach().cpu().numpy()
    best = np.zeros((bags, values.shape[1]), np.int64)
    filled = np.zeros((bags, 1), bool)
    for b in np.unique(bag):
        at = np.flatnonzero(bag == b)
        best[b] = at[values[at].argmax(0)]
        filled[b] = True
    if not len(rows):
        return rows.new_zeros((bags, rows.shape[1]))
    taken = rows.gather(0, from_numpy(best).to(rows.device))
    return taken.masked_fill(from_numpy(~filled).to(rows.device), 0.0)


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
