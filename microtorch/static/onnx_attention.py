"""The operation Attention of ONNX: heads that share keys, masks, a cache of earlier places.

It enters itself into the table of onnx_ops.py, as that file describes. All that forbids a place is
one tensor of bools, so that a row that may see nothing is known, and gives 0.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..create.counted import arange
from ..nn import functional as F
from ..ops.join import cat
from ..ops.select import where
from .onnx_ops import cast, op

if TYPE_CHECKING:
    from ..base.types import Operand


def _heads(x: Operand, n: int | None) -> Operand:
    """(batch, places, heads * features) as (batch, heads, places, features)."""
    if x.ndim == 4:
        return x
    batch, places, width = x.shape
    return x.reshape(batch, places, n, width // (n or 1)).transpose(1, 2)


def _allowed(
    rows: int, columns: int, before: Operand, is_causal: int, left: int, right: int
) -> Operand:
    """Which places a place may see; ``before``: how many lie before the first row, or of each."""
    distance = arange(columns) - arange(rows)[:, None]
    distance = distance - (before.reshape(-1, 1, 1, 1) if hasattr(before, "reshape") else before)
    found = distance <= (0 if is_causal else columns + rows)
    found = found & (distance >= -left) if left >= 0 else found
    return found & (distance <= right) if right >= 0 else found


@op("Attention")
def _attention(
    q: Operand, k: Operand, v: Operand, mask: Operand = None, past_key: Operand = None,
    past_value: Operand = None, lengths: Operand = None, *, is_causal: int = 0,
    kv_num_heads: int | None = None, q_num_heads: int | None = None,
    qk_matmul_output_mode: int = 0, scale: float | None = None, softcap: float = 0.0,
    softmax_precision: int | None = None, left_window_size: int = -1,
    right_window_size: int = -1, outputs: int,
) -> Operand:  # fmt: skip
    flat = q.ndim == 3
    q, k, v = _heads(q, q_num_heads), _heads(k, kv_num_heads), _heads(v, kv_num_heads)
    k = k if past_key is None else cat([past_key, k], 2)
    v = v if past_value is None else cat([past_value, v], 2)
    present = k, v
    if k.shape[1] != q.shape[1]:  # several heads look at the same keys
        k, v = (t.repeat_interleave(q.shape[1] // k.shape[1], 1) for t in (k, v))
    factor = math.sqrt(1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    scores = products = (q * factor) @ (k * factor).transpose(2, 3)
    if softcap:
        scores = (scores / softcap).tanh() * softcap
    capped = scores

    rows, columns = scores.shape[2:]
    before: Operand = 0
    if past_key is not None:
        before = past_key.shape[2]
    elif lengths is not None:
        before = lengths - rows
    seen = _allowed(rows, columns, before, is_causal, left_window_size, right_window_size)
    if lengths is not None:
        seen = seen & (arange(columns) < lengths.reshape(-1, 1, 1, 1))
    if mask is not None:
        real = mask.is_floating_point()
        mask = F.pad(mask, (0, columns - mask.shape[-1]), value=-math.inf if real else 0)
        seen = seen & (mask != -math.inf if real else mask)
        scores = scores + where(mask == -math.inf, 0.0, mask) if real else scores
    scores = where(seen, scores, -math.inf)
    wide = scores if softmax_precision is None else cast(scores, to=softmax_precision)
    blind = ~seen.any(-1, keepdim=True)
    weights = where(blind, 0.0, where(blind, 0.0, wide).softmax(-1)).to(q.dtype)
    out = weights @ v
    if flat:
        out = out.transpose(1, 2).flatten(2)
    shown = (products, capped, scores, weights)[qk_matmul_output_mode]
    return (out, *present, shown)[: max(outputs, 1)]
