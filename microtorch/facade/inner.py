"""Inner functions of PyTorch's that begin with ``_``, and that its compiled programs call by name.

They are here for what is written in their terms: each is a few calls of documented functions.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..base.errors import message, missing
from ..handles.tensor import Tensor
from ..ops.surface import FUNCTIONS
from .functions import native_batch_norm

if TYPE_CHECKING:
    from ..base.types import Argument, Number


def _native_batch_norm_legit(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, *rest: Argument
) -> tuple[Tensor, Tensor, Tensor]:
    """native_batch_norm, whose two running statistics may be left out."""
    given = rest if len(rest) > 3 else (None, None, *rest)
    return native_batch_norm(input, weight, bias, *given)


def _chunk_cat(
    tensors: Sequence[Tensor], dim: int, num_chunks: int, *, out: Tensor | None = None
) -> Tensor:
    """Each tensor in ``num_chunks`` pieces along ``dim``, filled up with 0; the pieces beside
    one another: (..., num_chunks, all elements of a piece of each).
    """
    tensors = list(tensors)
    what = ""
    if num_chunks < 1:
        what = "expects positive num_chunks"
    elif not tensors:
        what = "expects a non-empty input tensor list"
    elif any(not t.numel() for t in tensors):
        what = "expects non-empty tensor"
    elif dim < 0 and len({t.ndim for t in tensors}) > 1:
        what = "expects non-negative dim when input tensors have different ndims"
    elif any(not -t.ndim <= dim < t.ndim for t in tensors):
        what = "expects dim < ndim for all input tensors"
    elif len({t.shape[: dim % t.ndim] for t in tensors}) > 1:
        what = "expects same sizes of 0,...,dim-1 dimensions for all tensors"
    if what:
        raise RuntimeError(message(f"_chunk_cat {what}", f"{dim=}, {num_chunks=}"))
    pieces = []
    for t in tensors:
        d = dim % t.ndim
        size = -(-t.shape[d] // num_chunks)
        zeros = t.new_zeros(*t.shape[:d], size * num_chunks - t.shape[d], *t.shape[d + 1 :])
        whole = FUNCTIONS["cat"]([t, zeros], d)
        pieces.append(whole.reshape(*t.shape[:d], num_chunks, -1))
    return FUNCTIONS["cat"](pieces, -1, out=out)


def _unsafe_masked_index(
    input: Tensor, mask: Tensor, indices: Sequence[Tensor | None], fill: Number
) -> Tensor:
    """input[indices] where ``mask`` holds, and ``fill`` elsewhere, where no index is looked at."""
    return input[_safe(mask, indices)].masked_fill(~mask, fill)


def _unsafe_masked_index_put_accumulate(
    input: Tensor, mask: Tensor, indices: Sequence[Tensor | None], values: Tensor
) -> Tensor:
    """``values`` added to input[indices] where ``mask`` holds."""
    places: Argument = _safe(mask, indices)  # a slice stands for a dimension without an index
    return input.index_put(places, values.masked_fill(~mask, 0), accumulate=True)


def _safe(mask: Tensor, indices: Sequence[Tensor | None]) -> tuple[Tensor | slice, ...]:
    """Indices of which those that the mask hides are 0."""
    return tuple([slice(None) if i is None else i * mask for i in indices])


__all__ = [
    "_chunk_cat", "_native_batch_norm_legit", "_unsafe_masked_index",
    "_unsafe_masked_index_put_accumulate",
]  # fmt: skip
__getattr__ = missing(__name__, __all__)
