"""Multi-head attention (Vaswani et al. 2017).

    q, k, v = query Wq, key Wk, value Wv         split into heads
    weights = softmax(q kᵀ / sqrt(head size) + mask)
    output  = (weights v) joined, times Wo

A bool mask is True where attention is *not* allowed, as in PyTorch's layer (but True where it *is*
allowed in F.scaled_dot_product_attention); a float mask is added.
"""

from __future__ import annotations

import math

from ...arrays.dtypes import bool as bool_
from ...base.errors import describe, message
from ...create.filled import empty, zeros
from ...handles.tensor import Tensor
from ...ops.join import cat
from .. import functional as F
from .. import init
from ..common_types import DeviceLike, DTypeLike
from ..module import Module
from ..parameter import Parameter
from .linear import NonDynamicallyQuantizableLinear


class MultiheadAttention(Module):
    """Attention of `num_heads` heads over (L, N, embed_dim), or (N, L, embed_dim) with batch_first.

    Parameters: `in_proj_weight` (3 embed_dim, embed_dim), or `q_proj_weight`, `k_proj_weight`,
    `v_proj_weight` where `kdim` or `vdim` differs; `in_proj_bias`; `out_proj`, a Linear. `dropout`
    acts on the weights while training.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                message(
                    "embed_dim and num_heads must be greater than 0, "
                    f"got embed_dim={embed_dim} and num_heads={num_heads} instead"
                )
            )
        super().__init__()
        self.embed_dim, self.num_heads = embed_dim, num_heads
        self.dropout, self.batch_first = dropout, batch_first
        self.kdim, self.vdim = kdim or embed_dim, vdim or embed_dim
        self.head_dim, self.add_zero_attn = embed_dim // num_heads, add_zero_attn
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError(
                message(
                    "embed_dim must be divisible by num_heads",
                    f"{embed_dim=}, {num_heads=}",
                    fix="each head works on embed_dim / num_heads features",
                )
            )
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim

        def parameter(*shape: int) -> Parameter:
            return Parameter(empty(shape, device=device, dtype=dtype))

        names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
        if self._qkv_same_embed_dim:
            self.in_proj_weight = parameter(3 * embed_dim, embed_dim)
            for name in names:
                self.register_parameter(name, None)
        else:
            for name, size in zip(names, (embed_dim, self.kdim, self.vdim), strict=True):
                setattr(self, name, parameter(embed_dim, size))
            self.register_parameter("in_proj_weight", None)
        self.register_parameter("in_proj_bias", parameter(3 * embed_dim) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, device, dtype)
        self.bias_k = parameter(1, 1, embed_dim) if add_bias_kv else None
        self.bias_v = parameter(1, 1, embed_dim) if add_bias_kv else None
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        separate = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        for weight in (self.in_proj_weight, *separate):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """(output, like query; weights (N, L, S), or (N, heads, L, S) unless averaged).

        The weights are None without `need_weights`. `attn_mask` is (L, S) or (N * heads, L, S),
        `key_padding_mask` (N, S): bool, True = not allowed, or float, added. `is_causal` promises
        that attn_mask is causal, which must be given, too.
        """
        self._check(query, key, value)
        if is_causal and attn_mask is None:
            raise RuntimeError(
                message(
                    "Need attn_mask if specifying the is_causal hint.",
                    "MultiheadAttention(is_causal=True)",
                    fix="attn_mask=torch.triu(torch.ones(L, L), 1).bool(), where L is the length",
                )
            )
        batched = query.ndim == 3
        if not batched:
            query, key, value = (x.unsqueeze(1) for x in (query, key, value))
            key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
        elif self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        length, batch, _ = query.shape
        heads, size = self.num_heads, self.head_dim
        q, k, v = self._projected(query, key, value)
        mask = _additive(attn_mask, q)
        padding = _additive(key_padding_mask, q)
        if mask is not None:
            mask = self._checked_mask(mask, length, key.shape[0], batch)
        if self.bias_k is not None and self.bias_v is not None:
            k = cat([k, self.bias_k.repeat(1, batch, 1)])
            v = cat([v, self.bias_v.repeat(1, batch, 1)])
        # (L, N, heads * size) -> (N, heads, L, size)
        q, k, v = (x.reshape(len(x), batch, heads, size).permute(1, 2, 0, 3) for x in (q, k, v))
        if self.add_zero_attn:
            nothing = zeros((batch, heads, 1, size), dtype=k.dtype, device=k.device)
            k, v = cat([k, nothing], 2), cat([v, nothing], 2)
        added = k.shape[2] - key.shape[0]
        if padding is not None:
            if tuple(padding.shape) != (batch, key.shape[0]):
                expected = (batch, key.shape[0])
                raise ValueError(
                    message(
                        f"key_padding_mask must have shape (N, S) = {expected}, "
                        f"but got {tuple(padding.shape)}",
                        f"MultiheadAttention: key {tuple(key.shape)}",
                        fix="one entry for each key of each example",
                    )
                )
            padding = padding.reshape(batch, 1, 1, -1)
            mask = padding if mask is None else mask + padding
        if mask is not None and added:
            mask = F.pad(mask, (0, added))
        weights = (q * math.sqrt(1.0 / size)) @ k.transpose(-2, -1)
        scores = weights if mask is None else weights + mask
        # PyTorch returns the weights of a plain softmax, NaN where a row is masked as a whole
        attend = F.attention.softmax_or_zero if mask is not None and not need_weights else None
        weights = F.softmax(scores, -1) if attend is None else attend(scores)
        # what is returned has passed dropout, too, as in PyTorch
        weights = F.dropout(weights, self.dropout, self.training)
        output = weights @ v
        output = self.out_proj(output.permute(2, 0, 1, 3).reshape(length, batch, self.embed_dim))
        shown = None
        if need_weights:
            shown = weights.mean(1) if average_attn_weights else weights
        if not batched:
            return output.squeeze(1), None if shown is None else shown.squeeze(0)
        return output.transpose(0, 1) if self.batch_first else output, shown

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        shapes = [tuple(x.shape) for x in (query, key, value)]
        layout = "(N, L, features)" if self.batch_first else "(L, N, features)"
        given = f"MultiheadAttention: query {shapes[0]}, key {shapes[1]}, value {shapes[2]}"
        if query.ndim not in (2, 3) or key.ndim != query.ndim or value.ndim != query.ndim:
            raise AssertionError(
                message(
                    "For batched (3-D) `query`, expected `key` and `value` to be 3-D; "
                    "for unbatched (2-D), 2-D",
                    given,
                    fix=f"the layout is {layout}",
                )
            )
        sizes = (query.shape[-1], key.shape[-1], value.shape[-1])
        if sizes != (self.embed_dim, self.kdim, self.vdim):
            raise AssertionError(
                message(
                    f"was expecting embedding dimension of {self.embed_dim}, but got {sizes[0]}"
                    if sizes[0] != self.embed_dim
                    else f"key and value need {self.kdim} and {self.vdim} features, "
                    f"but have {sizes[1]} and {sizes[2]}",
                    given,
                    fix=f"the layout is {layout}",
                )
            )
        if shapes[1][:-1] != shapes[2][:-1]:
            raise AssertionError(
                message(
                    f"key's sequence and batch dims {shapes[1][:-1]} do not match "
                    f"value's {shapes[2][:-1]}",
                    given,
                )
            )
        at = 0 if self.batch_first else 1
        if query.ndim == 3 and shapes[0][at] != shapes[1][at]:
            raise RuntimeError(
                message(
                    f"query has a batch of {shapes[0][at]}, key of {shapes[1][at]}",
                    given,
                    fix=f"the layout is {layout}",
                )
            )

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        """query, key and value through their weights; one product if they are the same tensor."""
        if self._qkv_same_embed_dim and query is key and key is value:
            return F.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        if self._qkv_same_embed_dim:
            weights = self.in_proj_weight.chunk(3)
        else:
            weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        biases = (None,) * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        each = zip((query, key, value), weights, biases, strict=True)
        return tuple(F.linear(x, w, b) for x, w, b in each)

    def _checked_mask(self, mask: Tensor, length: int, source: int, batch: int) -> Tensor:
        """attn_mask in a shape that broadcasts to (N, heads, L, S)."""
        if mask.ndim not in (2, 3):
            raise RuntimeError(
                message(
                    f"attn_mask's dimension {mask.ndim} is not supported",
                    f"attn_mask {describe(mask)}",
                    fix="(L, S), or (N * heads, L, S)",
                )
            )
        expected = (batch * self.num_heads, length, source)[3 - mask.ndim :]
        if tuple(mask.shape) != expected:
            raise RuntimeError(
                message(
                    f"The shape of the {mask.ndim}D attn_mask is {mask.shape}, "
                    f"but should be {expected}.",
                    f"MultiheadAttention: {length} queries, {source} keys, batch {batch}, "
                    f"{self.num_heads} heads",
                )
            )
        return mask if mask.ndim == 2 else mask.reshape(batch, self.num_heads, length, source)


def _additive(mask: Tensor | None, like: Tensor) -> Tensor | None:
    """A mask to add: a bool mask is -inf where it is True."""
    if mask is None or mask.is_floating_point():
        return mask
    if mask.dtype is not bool_:
        raise RuntimeError(
            message(
                f"only bool and floating types of masks are supported, but got {mask.dtype}",
                fix="mask.bool(), True where attention is not allowed",
            )
        )
    return zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill(mask, -math.inf)
