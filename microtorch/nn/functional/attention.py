"""Attention as a function; the layer is in nn/layers/attention.py."""

from __future__ import annotations

import math

import numpy as np

from ...base.errors import describe, message
from ...create.data import from_numpy
from ...engine.record import laid
from ...handles.tensor import Tensor
from ...utils.kernels import dropout_noise


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query keyᵀ * scale + mask) value.

    query (..., L, E), key (..., S, E), value (..., S, Ev). `scale` is 1 / sqrt(E) unless given.
    `attn_mask` (..., L, S): float, added, or bool, True = may attend. `is_causal`: each place
    sees itself and earlier ones. `dropout_p` always acts, so give 0 in evaluation.
    `enable_gqa`: query may have a multiple of the heads of key and value (dim -3).
    """
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise RuntimeError(
            message(
                "Expected query, key, and value to all be at least 2 dimensional, but got "
                f"{describe(query)}, {describe(key)}, {describe(value)}",
                fix="the layout is (batch, heads, length, size)",
            )
        )
    if enable_gqa and any(query.shape[-3] % other.shape[-3] for other in (key, value)):
        raise RuntimeError(
            message(
                "Number of heads in key and value must divide the number of heads in query",
                f"query has {query.shape[-3]}, key {key.shape[-3]}, value {value.shape[-3]}",
            )
        )
    length, source = query.shape[-2], key.shape[-2]
    if scale is None:  # of no features, by which nothing is scaled
        scale = 1.0 / math.sqrt(max(query.shape[-1], 1))
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    scores = query @ key.transpose(-2, -1) * scale
    if is_causal:
        if attn_mask is not None:
            raise RuntimeError(
                message(
                    "scaled_dot_product_attention: Explicit attn_mask should not be set when "
                    "is_causal=True",
                    f"attn_mask: {describe(attn_mask)}",
                    fix="give one of the two",
                )
            )
        future = from_numpy(~np.tri(length, source, dtype=bool)).to(query.device)
        scores = scores.masked_fill(future, -math.inf)
    elif attn_mask is not None:
        if attn_mask.is_floating_point():
            scores = scores + attn_mask
        else:
            scores = scores.masked_fill(~attn_mask, -math.inf)
    weights = softmax_or_zero(scores) if attn_mask is not None else scores.softmax(-1)
    if dropout_p > 0:
        weights = weights * dropout_noise(weights, weights.shape, dropout_p)
    out = weights @ value
    if not query.array.flags.c_contiguous and not dropout_p:
        if _has_one_kernel(query, key, value, attn_mask):
            return laid(out, query.array.strides)
    return out


def _has_one_kernel(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> bool:
    """Would PyTorch's CPU compute this in one kernel? The result then lies in memory as query does:
    ``out.transpose(1, 2).flatten(2)`` of heads that were a view is one, too.
    """
    if query.ndim != 4 or key.shape != value.shape or key.shape[-1] != query.shape[-1]:
        return False
    if key.shape[:2] != query.shape[:2] or not query.numel() or not key.numel():
        return False
    if mask is not None and (mask.ndim not in (2, 4) or mask.requires_grad):
        return False
    return all(t.array.strides[-1] == t.array.itemsize for t in (query, key, value))


def softmax_or_zero(scores: Tensor) -> Tensor:
    """The softmax of each row; a row that attends to nothing (-inf only) is 0, not 0 / 0."""
    nothing = scores.detach().amax(-1, keepdim=True) == -math.inf
    return scores.masked_fill(nothing, 0.0).softmax(-1).masked_fill(nothing, 0.0)
