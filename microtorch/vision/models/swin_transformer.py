"""Swin transformer: attention within windows, which move by half their width at each other block.

Z. Liu et al., Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, 2021; the
same, Swin Transformer V2: Scaling Up Capacity and Resolution, 2022. Pixels lie as (N, H, W, C).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

import microtorch as torch
from microtorch import nn

from ...base.errors import message
from ...handles.tensor import Tensor
from ..ops import MLP, Permute, StochasticDepth
from .weights import Builder, builder

__all__ = ["SwinTransformer", "swin_b", "swin_s", "swin_t", "swin_v2_b", "swin_v2_s", "swin_v2_t"]

F = nn.functional
Layer = Callable[..., nn.Module]


def neighbours(x: Tensor) -> Tensor:
    """Each 2x2 pixels of (..., H, W, C) as one of 4C numbers; zeros fill odd sides."""
    high, wide = x.shape[-3], x.shape[-2]
    x = F.pad(x, (0, 0, 0, wide % 2, 0, high % 2))
    return torch.cat([x[..., i::2, j::2, :] for j in (0, 1) for i in (0, 1)], -1)


class PatchMerging(nn.Module):
    """Half of the height and width, twice the channels."""

    def __init__(self, dim: int, norm_layer: Layer = nn.LayerNorm) -> None:
        super().__init__()
        self.dim = dim
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.reduction(self.norm(neighbours(x)))


class PatchMergingV2(nn.Module):
    """The same, normalised at its end."""

    def __init__(self, dim: int, norm_layer: Layer = nn.LayerNorm) -> None:
        super().__init__()
        self.dim = dim
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(2 * dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.reduction(neighbours(x)))


# ---- windows -------------------------------------------------------------------------------------
def windowed(x: Tensor, size: Sequence[int]) -> Tensor:
    """(N, H, W, C) to (N, windows, pixels of a window, C); the sides are multiples of ``size``."""
    n, high, wide, c = x.shape
    x = x.reshape(n, high // size[0], size[0], wide // size[1], size[1], c)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(n, -1, size[0] * size[1], c)


def joined(x: Tensor, size: Sequence[int], high: int, wide: int) -> Tensor:
    """What ``windowed`` took apart."""
    n, c = x.shape[0], x.shape[-1]
    x = x.reshape(n, high // size[0], wide // size[1], size[0], size[1], c)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(n, high, wide, c)


def apart(high: int, wide: int, size: Sequence[int], shift: Sequence[int]) -> Tensor:
    """(windows, pixels, pixels): -100 between pixels that are neighbours by the shift alone."""
    place = []
    for length, window, moved in zip((high, wide), size, shift, strict=True):
        at = np.arange(length)
        last = length - moved if moved else 0  # as a slice [-0:] is the whole
        place.append((at >= length - window).astype(np.float32) + (at >= last))
    region = torch.tensor(place[0][:, None] * 3 + place[1])
    of = windowed(region[None, :, :, None], size)[0, :, :, 0]
    return (of[:, None, :] != of[:, :, None]) * -100.0


class ShiftedWindowAttention(nn.Module):
    """Attention among the pixels of a window, with a bias by how they lie to each other.

    Raises ValueError where ``window_size`` or ``shift_size`` are not two numbers.
    """

    fx_leaf = True  # what it does depends on the picture's size

    def __init__(
        self, dim: int, window_size: Sequence[int], shift_size: Sequence[int], num_heads: int,
        qkv_bias: bool = True, proj_bias: bool = True, attention_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        if len(window_size) != 2 or len(shift_size) != 2:
            raise ValueError(message("window_size and shift_size must be of length 2"))
        self.window_size, self.shift_size = list(window_size), list(shift_size)
        self.num_heads = num_heads
        self.attention_dropout, self.dropout = attention_dropout, dropout
        self.qkv = nn.Linear(dim, dim * 3, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim, bias=proj_bias)
        self._define_table()
        self.register_buffer("relative_position_index", self._index())

    def _define_table(self) -> None:
        """The biases: one for each distance and head."""
        high, wide = self.window_size
        table = torch.zeros((2 * high - 1) * (2 * wide - 1), self.num_heads)
        self.relative_position_bias_table = nn.Parameter(table)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def _index(self) -> Tensor:
        """For each two pixels of a window, the row of their distance."""
        high, wide = self.window_size
        y, x = (at.reshape(-1) for at in np.mgrid[:high, :wide])
        down, across = y[:, None] - y + high - 1, x[:, None] - x + wide - 1
        return torch.tensor((down * (2 * wide - 1) + across).reshape(-1))

    def _table(self) -> Tensor:
        return self.relative_position_bias_table

    def get_relative_position_bias(self) -> Tensor:
        """(1, heads, pixels, pixels)."""
        pixels = self.window_size[0] * self.window_size[1]
        found = self._table()[self.relative_position_index].reshape(pixels, pixels, -1)
        return found.permute(2, 0, 1).unsqueeze(0)

    def _scores(self, q: Tensor, k: Tensor) -> Tensor:
        return (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)

    def _query_key_value(self, x: Tensor) -> Tensor:
        return self.qkv(x)

    def forward(self, x: Tensor) -> Tensor:
        size, (n, high, wide, c) = self.window_size, x.shape
        right, below = -wide % size[1], -high % size[0]
        x = F.pad(x, (0, 0, 0, right, 0, below))
        full = (high + below, wide + right)
        # a window as large as the picture has nowhere to move
        shift = [0 if w >= f else s for s, w, f in zip(self.shift_size, size, full, strict=True)]
        if any(shift):
            x = torch.roll(x, shifts=(-shift[0], -shift[1]), dims=(1, 2))
        x = windowed(x, size).flatten(0, 1)  # (N windows, pixels, C)
        parts = self._query_key_value(x).unflatten(2, (3, self.num_heads, c // self.num_heads))
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        scores = self._scores(q, k) + self.get_relative_position_bias()
        if any(shift):
            mask = apart(*full, size, shift).to(scores.device, scores.dtype)
            scores = scores.unflatten(0, (n, mask.shape[0])) + mask[:, None]
            scores = scores.flatten(0, 1)
        weights = F.dropout(scores.softmax(-1), self.attention_dropout, self.training)
        x = self.proj((weights @ v).transpose(1, 2).flatten(2))
        x = joined(F.dropout(x, self.dropout, self.training).unflatten(0, (n, -1)), size, *full)
        if any(shift):
            x = torch.roll(x, shifts=(shift[0], shift[1]), dims=(1, 2))
        return x[:, :high, :wide, :].contiguous()


class ShiftedWindowAttentionV2(ShiftedWindowAttention):
    """Attention by the cosine, with biases that a small network makes of distances."""

    def __init__(
        self, dim: int, window_size: Sequence[int], shift_size: Sequence[int], num_heads: int,
        qkv_bias: bool = True, proj_bias: bool = True, attention_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(
            dim, window_size, shift_size, num_heads, qkv_bias, proj_bias, attention_dropout,
            dropout,
        )  # fmt: skip
        self.logit_scale = nn.Parameter(torch.log(10 * torch.ones(num_heads, 1, 1)))
        self.cpb_mlp = nn.Sequential(
            nn.Linear(2, 512), nn.ReLU(inplace=True), nn.Linear(512, num_heads, bias=False)
        )
        if qkv_bias:
            with torch.no_grad():
                self.qkv.bias[dim : 2 * dim].zero_()

    def _define_table(self) -> None:
        """The distances, -8 to 8, on a scale that grows by the logarithm."""
        steps = [torch.arange(-(w - 1), w).float() / (w - 1) for w in self.window_size]
        table = torch.stack(torch.meshgrid(*steps, indexing="ij"), -1) * 8
        table = table.sign() * torch.log2(table.abs() + 1.0) / 3.0
        self.register_buffer("relative_coords_table", table.unsqueeze(0))

    def _table(self) -> Tensor:
        return self.cpb_mlp(self.relative_coords_table).reshape(-1, self.num_heads)

    def get_relative_position_bias(self) -> Tensor:
        return 16 * super().get_relative_position_bias().sigmoid()

    def _query_key_value(self, x: Tensor) -> Tensor:
        bias: Tensor | None = self.qkv.bias
        if bias is not None:  # keys have none
            kept = torch.ones(3, 1, dtype=bias.dtype, device=bias.device)
            kept[1] = 0
            bias = (bias.reshape(3, -1) * kept).reshape(-1)
        return F.linear(x, self.qkv.weight, bias)

    def _scores(self, q: Tensor, k: Tensor) -> Tensor:
        cosines = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        return cosines * self.logit_scale.clamp(max=math.log(100.0)).exp()


class SwinTransformerBlock(nn.Module):
    """Attention in windows and a perceptron, each on normalised values and added to its input."""

    def __init__(
        self, dim: int, num_heads: int, window_size: Sequence[int], shift_size: Sequence[int],
        mlp_ratio: float = 4.0, dropout: float = 0.0, attention_dropout: float = 0.0,
        stochastic_depth_prob: float = 0.0, norm_layer: Layer = nn.LayerNorm,
        attn_layer: Layer = ShiftedWindowAttention,
    ) -> None:  # fmt: skip
        super().__init__()
        self.norm1 = norm_layer(dim)
        self.attn = attn_layer(
            dim, window_size, shift_size, num_heads, attention_dropout=attention_dropout,
            dropout=dropout,
        )  # fmt: skip
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.norm2 = norm_layer(dim)
        self.mlp = MLP(dim, [int(dim * mlp_ratio), dim], activation_layer=nn.GELU, dropout=dropout)
        for module in self.mlp.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.normal_(module.bias, std=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stochastic_depth(self.attn(self.norm1(x)))
        return x + self.stochastic_depth(self.mlp(self.norm2(x)))


class SwinTransformerBlockV2(SwinTransformerBlock):
    """The same, normalised after attention and perceptron."""

    def __init__(
        self, dim: int, num_heads: int, window_size: Sequence[int], shift_size: Sequence[int],
        mlp_ratio: float = 4.0, dropout: float = 0.0, attention_dropout: float = 0.0,
        stochastic_depth_prob: float = 0.0, norm_layer: Layer = nn.LayerNorm,
        attn_layer: Layer = ShiftedWindowAttentionV2,
    ) -> None:  # fmt: skip
        super().__init__(
            dim, num_heads, window_size, shift_size, mlp_ratio, dropout, attention_dropout,
            stochastic_depth_prob, norm_layer, attn_layer,
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stochastic_depth(self.norm1(self.attn(x)))
        return x + self.stochastic_depth(self.norm2(self.mlp(x)))


class SwinTransformer(nn.Module):
    """(N, 3, H, W) to classes; ``depths`` blocks in each stage, which is half as high and wide."""

    def __init__(
        self, patch_size: Sequence[int], embed_dim: int, depths: Sequence[int],
        num_heads: Sequence[int], window_size: Sequence[int], mlp_ratio: float = 4.0,
        dropout: float = 0.0, attention_dropout: float = 0.0, stochastic_depth_prob: float = 0.1,
        num_classes: int = 1000, norm_layer: Layer | None = None, block: Layer | None = None,
        downsample_layer: Layer = PatchMerging,
    ) -> None:  # fmt: skip
        super().__init__()
        make, norm = block or SwinTransformerBlock, norm_layer or nn.LayerNorm
        self.num_classes = num_classes
        patch = (patch_size[0], patch_size[1])
        patches = nn.Conv2d(3, embed_dim, kernel_size=patch, stride=patch)
        layers: list[nn.Module] = [
            nn.Sequential(patches, Permute([0, 2, 3, 1]), norm(embed_dim))
        ]
        dim, count = embed_dim, 0
        for i, (depth, heads) in enumerate(zip(depths, num_heads, strict=True)):
            blocks = []
            for k in range(depth):
                blocks.append(
                    make(
                        dim, heads, window_size=window_size,
                        shift_size=[w // 2 if k % 2 else 0 for w in window_size],
                        mlp_ratio=mlp_ratio, dropout=dropout, attention_dropout=attention_dropout,
                        stochastic_depth_prob=stochastic_depth_prob * count / (sum(depths) - 1),
                        norm_layer=norm,
                    )
                )  # fmt: skip
                count += 1
            layers.append(nn.Sequential(*blocks))
            if i < len(depths) - 1:
                layers.append(downsample_layer(dim, norm))
                dim *= 2
        self.features = nn.Sequential(*layers)
        self.norm = norm(dim)
        self.permute = Permute([0, 3, 1, 2])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten(1)
        self.head = nn.Linear(dim, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.permute(self.norm(self.features(x))))
        return self.head(self.flatten(x))


def _swin(
    name: str, width: int, third: int, depth: float, what: str, count: int, **kinds: Any
) -> Builder[SwinTransformer]:
    """``third``: blocks of the third stage; ``depth``: how often the last block is left out."""
    heads = [width // 32 << i for i in range(4)]
    window = [8, 8] if kinds else [7, 7]
    make = partial(
        SwinTransformer, [4, 4], width, [2, 2, third, 2], heads, window,
        stochastic_depth_prob=depth, **kinds,
    )  # fmt: skip
    return builder(name, make, what, count)


swin_t = _swin("swin_t", 96, 6, 0.2, "Swin tiny", 28_288_354)
swin_s = _swin("swin_s", 96, 18, 0.3, "Swin small", 49_606_258)
swin_b = _swin("swin_b", 128, 18, 0.5, "Swin base", 87_768_224)
_second = partial(_swin, block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2)
swin_v2_t = _second("swin_v2_t", 96, 6, 0.2, "Swin V2 tiny", 28_351_570)
swin_v2_s = _second("swin_v2_s", 96, 18, 0.3, "Swin V2 small", 49_737_442)
swin_v2_b = _second("swin_v2_b", 128, 18, 0.5, "Swin V2 base", 87_930_848)
