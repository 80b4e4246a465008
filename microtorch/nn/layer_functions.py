"""The functions of torch.nn.functional that convolutional and attention layers need besides their ops.

Each is composed of ops, so that every step shows in a picture of the graph.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..base.errors import message
from ..engine.record import constant
from ..handles.tensor import Tensor
from ..ops.surface import FUNCTIONS

_op = FUNCTIONS

# ---------------------------------------------------------------- dropout of whole channels


def _channel_dropout(name: str, n: int, input: Tensor, p: float, training: bool, inplace: bool) -> Tensor:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if input.ndim not in (n + 1, n + 2):
        raise RuntimeError(
            message(f"{name}: Expected {n + 1}D or {n + 2}D input, but received a {input.ndim}D input.",
                    "it drops whole channels: the input is (N, C, ...)", fix="dropout drops single elements")
        )  # fmt: skip
    if not training or p == 0 or input.numel() == 0:
        return input
    if n == 1 and input.ndim == 2:  # a sample without a batch
        return _channel_dropout(name, n, input.unsqueeze(0), p, training, inplace).squeeze(0)
    shape = (*input.shape[:2], *[1] * (input.ndim - 2))
    dev = input.node.dev
    noise = constant(dev.draws.dropout_noise(shape, input.array.dtype, p), dev)
    return input.mul_(noise) if inplace else input * noise


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set whole channels of (N, C, L) or (C, L) to 0 with probability `p`, scale the others by 1 / (1 - p)."""
    return _channel_dropout("dropout1d", 1, input, p, training, inplace)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set whole channels of (N, C, H, W) to 0 with probability `p` (Tompson et al. 2015), scale the others.

    3-d input is taken as (N, C, L), as PyTorch does.
    """
    return _channel_dropout("dropout2d", 2, input, p, training, inplace)


# ---------------------------------------------------------------- borders that repeat the image


def padded_by_index(input: Tensor, pad: Sequence[int], mode: str) -> Tensor:
    """F.pad in the modes reflect, replicate and circular: each dim is read at an index that runs over its ends."""
    count = len(pad) // 2
    if not 1 <= count <= 3 or input.ndim not in (count + 1, count + 2):
        raise NotImplementedError(
            f"Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now: mode {mode!r} pads the last "
            f"{count} dims of an input of {count + 1} or {count + 2}, but got {input.ndim}"
        )
    for i in range(count):
        dim, before, after = input.ndim - 1 - i, pad[2 * i], pad[2 * i + 1]
        if not before and not after:
            continue
        n = input.shape[dim]
        most = n - 1 if mode == "reflect" else n
        if mode != "replicate" and max(before, after) > most:
            raise RuntimeError(
                message(
                    f"Padding size should be less than {'the corresponding input dimension' if mode == 'reflect' else 'n'}, "
                    f"but got: padding ({before}, {after}) at dimension {dim} of input {list(input.shape)}",
                    f"F.pad(mode={mode!r}) can add at most {most} here",
                )
            )  # fmt: skip
        at = np.arange(-before, n + after)
        if mode == "reflect":
            at = np.abs(at)
            at = np.where(at >= n, 2 * (n - 1) - at, at)
        else:
            at = at % n if mode == "circular" else at.clip(0, n - 1)
        input = input.index_select(dim, constant(at))
    return input


# ---------------------------------------------------------------- attention


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
    """softmax(query keyᵀ * scale + mask) value, for query (..., L, E), key (..., S, E), value (..., S, Ev).

    `scale` is 1 / sqrt(E) unless given. `attn_mask` (..., L, S): float, added, or bool, True = may attend. `is_causal`:
    each place sees itself and earlier ones. `dropout_p` always acts, so give 0 in evaluation. `enable_gqa`: query may
    have a multiple of the heads of key and value (dim -3).
    """
    length, source = query.shape[-2], key.shape[-2]
    scale = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    scores = query @ key.transpose(-2, -1) * scale
    if is_causal:
        if attn_mask is not None:
            raise RuntimeError("scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
        scores = scores.masked_fill(constant(~np.tri(length, source, dtype=bool)).to(query.device), -math.inf)
    elif attn_mask is not None:
        if attn_mask.is_floating_point():
            scores = scores + attn_mask
        else:
            scores = scores.masked_fill(~attn_mask, -math.inf)
    weights = _op["softmax"](scores, -1)
    if dropout_p > 0:
        dev = weights.node.dev
        weights = weights * constant(dev.draws.dropout_noise(tuple(weights.shape), weights.array.dtype, dropout_p), dev)
    return weights @ value
