"""Multi-head attention as a function of all its weights (Vaswani et al. 2017).

    q, k, v = query Wq, key Wk, value Wv         split into heads
    weights = softmax(q kᵀ / sqrt(head size) + mask)
    output  = (weights v) joined, times Wo

A bool mask is True where attention is *not* allowed (but True where it *is* allowed in
scaled_dot_product_attention); a float mask is added.
"""

from __future__ import annotations

import math

from ...arrays.dtypes import bool as bool_
from ...base.errors import describe, message, warn
from ...create.filled import zeros
from ...engine import autocast
from ...handles.tensor import Tensor
from ...ops.join import cat
from .activations import softmax
from .attention import softmax_or_zero
from .dropouts import dropout
from .linear_maps import linear
from .padding import pad


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """(output (L, N, E), weights (N, L, S), or (N, heads, L, S) unless averaged).

    query (L, N, E), key (S, N, E), value (S, N, E), or without the batch N. `in_proj_weight` is
    (3 E, E), or with `use_separate_proj_weight` three weights stand for it. `attn_mask` is (L, S)
    or (N * heads, L, S), `key_padding_mask` (N, S), both bool or float. `bias_k` and `bias_v`
    (1, 1, E) are one more key and value, `add_zero_attn` one more of zeros; `static_k` and
    `static_v` (N * heads, S, E / heads) stand for the projected ones. The weights are None without
    `need_weights`. `is_causal` promises that attn_mask, which must be given, is causal.
    """
    batched = _is_batched(query, key, value, key_padding_mask, attn_mask, num_heads)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            message(
                "Need attn_mask if specifying the is_causal hint.",
                "multi_head_attention_forward(is_causal=True)",
                fix="attn_mask=torch.triu(torch.ones(L, L), 1).bool(), where L is the length",
            )
        )
    if not batched:
        same = query is key and key is value
        query = query.unsqueeze(1)
        key, value = (query, query) if same else (key.unsqueeze(1), value.unsqueeze(1))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, batch, embed_dim = query.shape
    size = embed_dim // num_heads
    _check_sizes(query, key, value, embed_dim_to_check, num_heads, use_separate_proj_weight)
    if use_separate_proj_weight:
        projections = (q_proj_weight, k_proj_weight, v_proj_weight)
        q, k, v = _separately((query, key, value), projections, in_proj_bias, True)
    else:
        if in_proj_weight is None:
            raise AssertionError(
                message("use_separate_proj_weight is False but in_proj_weight is None")
            )
        q, k, v = _together(query, key, value, in_proj_weight, in_proj_bias)
    if (
        attn_mask is not None
        and key_padding_mask is not None
        and attn_mask.dtype != key_padding_mask.dtype
    ):
        warn(
            "Support for mismatched key_padding_mask and attn_mask is deprecated. "
            "Use same type for both instead.",
        )
    mask = _additive(attn_mask, q, "attn_mask")
    padding = _additive(key_padding_mask, q, "key_padding_mask")
    if mask is not None:
        mask = _checked(mask, length, key.shape[0], batch, num_heads)
    k, v = _with_bias(k, v, bias_k, bias_v, static_k is not None or static_v is not None)

    # (L, N, heads * size) -> (N, heads, L, size)
    def by_heads(x: Tensor) -> Tensor:
        return x.reshape(len(x), batch, num_heads, size).permute(1, 2, 0, 3)

    q = by_heads(q)
    k = by_heads(k) if static_k is None else _static("static_k", static_k, batch, num_heads, size)
    v = by_heads(v) if static_v is None else _static("static_v", static_v, batch, num_heads, size)
    if add_zero_attn:
        nothing = zeros((batch, num_heads, 1, size), dtype=k.dtype, device=k.device)
        k, v = cat([k, nothing], 2), cat([v, nothing], 2)
    added = int(bias_k is not None) + int(add_zero_attn)
    if padding is not None:
        _check_padding(padding, batch, k.shape[2] - added)
        padding = padding.reshape(batch, 1, 1, -1)
        mask = padding if mask is None else mask + padding
    if mask is not None:  # it is an operand of the product in PyTorch, and cast like one
        (mask,) = autocast.operands((pad(mask, (0, added)) if added else mask,))
    scores = (q * math.sqrt(1.0 / size)) @ k.transpose(-2, -1)
    scores = scores if mask is None else scores + mask
    # PyTorch returns the weights of a plain softmax, NaN where a row is masked as a whole
    safe = mask is not None and not need_weights
    weights = softmax_or_zero(scores) if safe else softmax(scores, -1)
    # what is returned has passed dropout, too, as in PyTorch
    weights = dropout(weights, dropout_p, training)
    output = weights @ v
    joined = output.permute(2, 0, 1, 3).reshape(length, batch, embed_dim)
    output = linear(joined, out_proj_weight, out_proj_bias)
    shown = None
    if need_weights:
        shown = weights.mean(1) if average_attn_weights else weights
    if batched:
        return output, shown
    return output.squeeze(1), None if shown is None else shown.squeeze(0)


# ---------------------------------------------------------------- projections


def _together(
    query: Tensor, key: Tensor, value: Tensor, weight: Tensor, bias: Tensor | None
) -> tuple[Tensor, ...]:
    """Through one weight (3 E, E); one product if the three are the same tensor."""
    if query is key and key is value:
        return linear(query, weight, bias).chunk(3, -1)
    return _separately((query, key, value), weight.chunk(3), bias)


def _separately(
    given: tuple[Tensor, ...], weights: tuple[Tensor | None, ...], bias: Tensor | None,
    checked: bool = False,
) -> tuple[Tensor, ...]:  # fmt: skip
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    out = []
    for name, x, w, b in zip("qkv", given, weights, biases, strict=True):
        if w is None:
            raise AssertionError(
                message(f"use_separate_proj_weight is True but {name}_proj_weight is None")
            )
        if checked:
            _check_part(name, "weight", w, (given[0].shape[-1], x.shape[-1]))
        if checked and b is not None:
            _check_part(name, "bias", b, w.shape[:1])
        out.append(linear(x, w, b))
    return tuple(out)


def _with_bias(
    k: Tensor, v: Tensor, bias_k: Tensor | None, bias_v: Tensor | None, static: bool
) -> tuple[Tensor, Tensor]:
    """Keys and values (S, N, E), with one more of each if there is a bias."""
    if bias_k is None or bias_v is None:
        if bias_k is not bias_v:
            raise AssertionError(message("bias_k and bias_v: one is set, but the other is None"))
        return k, v
    if static:
        raise AssertionError(message("bias cannot be added to static key or value."))
    batch = k.shape[1]
    return cat([k, bias_k.repeat(1, batch, 1)]), cat([v, bias_v.repeat(1, batch, 1)])


def _check_part(name: str, what: str, given: Tensor, shape: tuple[int, ...]) -> None:
    """AssertionError unless the weight or bias of query, key or value has this shape."""
    if given.shape != shape:
        full = {"q": "query", "k": "key", "v": "value"}[name]
        text = f"expecting {full} {what}s of shape {tuple(shape)}, but got {tuple(given.shape)}"
        raise AssertionError(message(text, "multi_head_attention_forward"))


def _static(name: str, x: Tensor, batch: int, heads: int, size: int) -> Tensor:
    """(N * heads, S, size) as (N, heads, S, size)."""
    if x.shape[0] != batch * heads or x.shape[2] != size:
        raise AssertionError(
            message(
                f"expecting {name} of {batch * heads} rows and {size} features, but got "
                f"{x.shape[0]} and {x.shape[2]}",
            )
        )
    return x.reshape(batch, heads, x.shape[1], size)


# ---------------------------------------------------------------- checks


def _is_batched(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_padding_mask: Tensor | None,
    attn_mask: Tensor | None,
    heads: int,
) -> bool:
    """Is there a batch? AssertionError where the ranks do not fit together."""
    given = f"query {describe(query)}, key {describe(key)}, value {describe(value)}"
    if query.ndim not in (2, 3):
        raise AssertionError(
            message(
                "query should be unbatched 2D or batched 3D tensor but received "
                f"{query.ndim}-D query tensor",
                given,
                fix="the layout is (L, N, features), with batch_first (N, L, features)",
            )
        )
    n = query.ndim
    kind = "batched (3-D)" if n == 3 else "unbatched (2-D)"
    if key.ndim != n or value.ndim != n:
        raise AssertionError(
            message(
                f"For {kind} `query`, expected `key` and `value` to be {n}-D but found "
                f"{key.ndim}-D and {value.ndim}-D tensors respectively",
                given,
            )
        )
    for name, mask, ranks in (
        ("key_padding_mask", key_padding_mask, (n - 1,)),
        ("attn_mask", attn_mask, (2, 3)),
    ):
        if mask is not None and mask.ndim not in ranks:
            raise AssertionError(
                message(
                    f"For {kind} `query`, expected `{name}` to be `None` or "
                    f"{' or '.join(f'{r}-D' for r in ranks)} but found {mask.ndim}-D tensor "
                    "instead",
                    f"{given}, {name} {describe(mask)}",
                )
            )
    if n == 2 and attn_mask is not None and attn_mask.ndim == 3:
        expected = (heads, query.shape[0], key.shape[0])
        if tuple(attn_mask.shape) != expected:
            raise AssertionError(
                message(
                    f"Expected `attn_mask` shape to be {expected} but got {attn_mask.shape}", given
                )
            )
    return n == 3


def _check_sizes(
    query: Tensor, key: Tensor, value: Tensor, embed_dim: int, heads: int, separate: bool
) -> None:
    shapes = [tuple(x.shape) for x in (query, key, value)]
    given = f"query {shapes[0]}, key {shapes[1]}, value {shapes[2]}"
    if shapes[0][-1] != embed_dim:
        raise AssertionError(
            message(
                f"was expecting embedding dimension of {embed_dim}, but got {shapes[0][-1]}",
                given,
                fix="the layout is (L, N, features), with batch_first (N, L, features)",
            )
        )
    if embed_dim % heads:
        raise AssertionError(
            message(f"embed_dim {embed_dim} not divisible by num_heads {heads}", given)
        )
    if separate and shapes[1][:2] != shapes[2][:2]:
        raise AssertionError(
            message(
                f"key's sequence and batch dims {shapes[1][:2]} do not match value's "
                f"{shapes[2][:2]}",
                given,
            )
        )
    if not separate and shapes[1] != shapes[2]:
        raise AssertionError(
            message(f"key shape {shapes[1]} does not match value shape {shapes[2]}", given)
        )
    if shapes[0][1] != shapes[1][1]:
        raise RuntimeError(
            message(
                f"query has a batch of {shapes[0][1]}, key of {shapes[1][1]}",
                given,
                fix="the layout is (L, N, features), with batch_first (N, L, features)",
            )
        )


def _checked(mask: Tensor, length: int, source: int, batch: int, heads: int) -> Tensor:
    """attn_mask in a shape that broadcasts to (N, heads, L, S)."""
    expected = (batch * heads, length, source)[3 - mask.ndim :]
    if tuple(mask.shape) != expected:
        raise RuntimeError(
            message(
                f"The shape of the {mask.ndim}D attn_mask is {mask.shape}, "
                f"but should be {expected}.",
                f"{length} queries, {source} keys, batch {batch}, {heads} heads",
            )
        )
    return mask if mask.ndim == 2 else mask.reshape(batch, heads, length, source)


def _check_padding(padding: Tensor, batch: int, source: int) -> None:
    if tuple(padding.shape) != (batch, source):
        raise AssertionError(
            message(
                f"Expected key_padding_mask of shape (N, S) = {(batch, source)}, "
                f"but got {tuple(padding.shape)}",
                fix="one entry for each key of each example",
            )
        )


def _additive(mask: Tensor | None, like: Tensor, name: str) -> Tensor | None:
    """A mask to add: a bool mask is -inf where it is True."""
    if mask is None or mask.is_floating_point():
        return mask
    if mask.dtype is not bool_:
        raise AssertionError(
            message(
                f"only bool and floating types of {name} are supported, but got {mask.dtype}",
                fix="mask.bool(), True where attention is not allowed",
            )
        )
    return zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill(mask, -math.inf)
