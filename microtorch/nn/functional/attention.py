"""Attention as a function; the layer is in nn/layers/attention.py."""

from __future__ import annotations

import math

import numpy as np

from ...base.errors import describe, message
from ...create.data import from_numpy
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
    return weights @ value


def softmax_or_zero(scores: Tensor) -> Tensor:
    """The softmax of each row; a row that attends to nothing (-inf only) is 0, not 0 / 0."""
    nothing = scores.detach().amax(-1, keepdim=True) == -math.inf
    return scores.masked_fill(nothing, 0.0).softmax(-1).masked_fill(nothing, 0.0)
