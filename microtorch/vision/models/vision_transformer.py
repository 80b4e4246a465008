"""Vision transformer: a picture as a sequence of patches.

A. Dosovitskiy et al., An Image is Worth 16x16 Words, 2020.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import microtorch as torch
from microtorch import nn

from ...base.errors import message
from ...handles.tensor import Tensor
from ..ops import MLP, Conv2dNormActivation
from .weights import Builder, builder, source_of

__all__ = ["VisionTransformer", "vit_b_16", "vit_b_32", "vit_h_14", "vit_l_16", "vit_l_32"]

Layer = Callable[..., nn.Module]
NORM = partial(nn.LayerNorm, eps=1e-6)


class ConvStemConfig(NamedTuple):
    """One convolution before the patches: T. Xiao et al., Early Convolutions, 2021."""

    out_channels: int
    kernel_size: int
    stride: int
    norm_layer: Layer = nn.BatchNorm2d
    activation_layer: Layer = nn.ReLU


class MLPBlock(MLP):
    """Two linear layers with GELU between them."""

    _version = 2

    def __init__(self, in_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__(in_dim, [mlp_dim, in_dim], activation_layer=nn.GELU, dropout=dropout)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.normal_(module.bias, std=1e-6)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: Mapping[str, Any],
        *rest: Any,
    ) -> None:  # fmt: skip
        if local_metadata.get("version", 1) < 2:  # the layers had names once
            for i in (1, 2):
                for part in ("weight", "bias"):
                    old = f"{prefix}linear_{i}.{part}"
                    if old in state_dict:
                        state_dict[f"{prefix}{3 * (i - 1)}.{part}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


class EncoderBlock(nn.Module):
    """Attention and a perceptron, each on normalised values, each added to its input."""

    def __init__(
        self, num_heads: int, hidden_dim: int, mlp_dim: int, dropout: float,
        attention_dropout: float, norm_layer: Layer = NORM,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_heads = num_heads
        self.ln_1 = norm_layer(hidden_dim)
        self.self_attention = nn.MultiheadAttention(
            hidden_dim, num_heads, dropout=attention_dropout, batch_first=True
        )
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = norm_layer(hidden_dim)
        self.mlp = MLPBlock(hidden_dim, mlp_dim, dropout)

    def forward(self, input: Tensor) -> Tensor:
        x = self.ln_1(input)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = self.dropout(x) + input
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """Learnt positions, and the blocks: (N, length, hidden) to the same."""

    def __init__(
        self, seq_length: int, num_layers: int, num_heads: int, hidden_dim: int, mlp_dim: int,
        dropout: float, attention_dropout: float, norm_layer: Layer = NORM,
    ) -> None:  # fmt: skip
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, seq_length, hidden_dim).normal_(std=0.02))
        self.dropout = nn.Dropout(dropout)
        blocks = OrderedDict[str, nn.Module]()
        for i in range(num_layers):
            blocks[f"encoder_layer_{i}"] = EncoderBlock(
                num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer
            )
        self.layers = nn.Sequential(blocks)
        self.ln = norm_layer(hidden_dim)

    def forward(self, input: Tensor) -> Tensor:
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """(N, 3, image_size, image_size) to classes; the first element of the sequence is the answer's.

    Raises RuntimeError for pictures of another size, and where patches do not fill the picture.
    """

    def __init__(
        self, image_size: int, patch_size: int, num_layers: int, num_heads: int, hidden_dim: int,
        mlp_dim: int, dropout: float = 0.0, attention_dropout: float = 0.0,
        num_classes: int = 1000, representation_size: int | None = None, norm_layer: Layer = NORM,
        conv_stem_configs: Sequence[ConvStemConfig] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if image_size % patch_size:
            raise AssertionError(message("Input shape indivisible by patch size!"))
        self.image_size, self.patch_size, self.hidden_dim = image_size, patch_size, hidden_dim
        self.mlp_dim, self.dropout, self.attention_dropout = mlp_dim, dropout, attention_dropout
        self.num_classes, self.representation_size = num_classes, representation_size
        self.norm_layer = norm_layer
        if conv_stem_configs is None:
            patches = nn.Conv2d(3, hidden_dim, kernel_size=patch_size, stride=patch_size)
            self.conv_proj: nn.Module = patches
        else:
            self.conv_proj, patches = _stem(conv_stem_configs, hidden_dim)
        self.class_token = nn.Parameter(torch.zeros(1, 1, hidden_dim))
        self.seq_length = (image_size // patch_size) ** 2 + 1
        self.encoder = Encoder(
            self.seq_length, num_layers, num_heads, hidden_dim, mlp_dim, dropout,
            attention_dropout, norm_layer,
        )  # fmt: skip
        self.heads = _heads(hidden_dim, representation_size, num_classes)
        if conv_stem_configs is None:
            fan_in = patches.in_channels * patch_size**2
            nn.init.trunc_normal_(patches.weight, std=math.sqrt(1 / fan_in))
        else:
            nn.init.normal_(patches.weight, mean=0.0, std=math.sqrt(2.0 / patches.out_channels))
        assert patches.bias is not None
        nn.init.zeros_(patches.bias)
        for name, layer in self.heads.named_children():
            if isinstance(layer, nn.Linear):
                if name == "head":
                    nn.init.zeros_(layer.weight)
                else:
                    nn.init.trunc_normal_(layer.weight, std=math.sqrt(1 / layer.in_features))
                nn.init.zeros_(layer.bias)

    def _process_input(self, x: Tensor) -> Tensor:
        """The picture as a sequence: (N, patches, hidden)."""
        for dim, side in ((2, "height"), (3, "width")):
            length = x.shape[dim]
            what = f"Wrong image {side}! Expected {self.image_size} but got {length}!"
            torch._assert(length == self.image_size, what)
        return self.conv_proj(x).flatten(2).permute(0, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self._process_input(x)
        x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], dim=1)
        return self.heads(self.encoder(x)[:, 0])


def _stem(configs: Sequence[ConvStemConfig], hidden: int) -> tuple[nn.Sequential, nn.Conv2d]:
    layers, channels = nn.Sequential(), 3
    for i, (after, kernel, stride, norm, activation) in enumerate(configs):
        layer = Conv2dNormActivation(
            channels, after, kernel, stride, norm_layer=norm, activation_layer=activation
        )
        layers.add_module(f"conv_bn_relu_{i}", layer)
        channels = after
    last = nn.Conv2d(channels, hidden, kernel_size=1)
    layers.add_module("conv_last", last)
    return layers, last


def _heads(hidden: int, representation: int | None, classes: int) -> nn.Sequential:
    heads = nn.Sequential()
    if representation is not None:
        heads.add_module("pre_logits", nn.Linear(hidden, representation))
        heads.add_module("act", nn.Tanh())
        hidden = representation
    heads.add_module("head", nn.Linear(hidden, classes))
    return heads


def interpolate_embeddings(
    image_size: int, patch_size: int, model_state: Mapping[str, Tensor],
    interpolation_mode: str = "bicubic", reset_heads: bool = False,
) -> Mapping[str, Tensor]:  # fmt: skip
    """A state for pictures of another size: the positions, resized as a picture.

    ``reset_heads`` leaves out the last layers. Raises ValueError where positions fill no square.
    """
    name = "encoder.pos_embedding"
    positions = model_state[name]
    wanted = image_size // patch_size
    if positions.shape[1] == wanted**2 + 1:
        return model_state
    if positions.shape[0] != 1:
        raise ValueError(message(f"Unexpected position embedding shape: {positions.shape}"))
    side = math.isqrt(positions.shape[1] - 1)
    if side**2 != positions.shape[1] - 1:
        raise ValueError(
            message(f"seq_length is not a perfect square: {positions.shape[1] - 1} positions")
        )
    first, grid = positions[:, :1], positions[:, 1:].permute(0, 2, 1).unflatten(2, (side, side))
    resized = nn.functional.interpolate(
        grid, size=wanted, mode=interpolation_mode, align_corners=True
    )
    kept = {k: v for k, v in model_state.items() if not (reset_heads and k.startswith("heads"))}
    return OrderedDict(kept | {name: torch.cat([first, resized.flatten(2).permute(0, 2, 1)], 1)})


def _transformer(
    size: str, patch: int, layers: int, heads: int, hidden: int, count: int
) -> Builder[VisionTransformer]:
    name = f"vit_{size[0]}_{patch}"
    make = partial(
        VisionTransformer, image_size=224, patch_size=patch, num_layers=layers, num_heads=heads,
        hidden_dim=hidden, mlp_dim=4 * hidden,
    )  # fmt: skip

    def of_file(version: str) -> dict[str, object]:
        return {"image_size": source_of(name, version).crop}

    what = f"The {size} model on patches of {patch}x{patch}"
    return builder(name, make, what, count, of_file)


vit_b_16 = _transformer("base", 16, 12, 12, 768, 86_567_656)
vit_b_32 = _transformer("base", 32, 12, 12, 768, 88_224_232)
vit_l_16 = _transformer("large", 16, 24, 16, 1024, 304_326_632)
vit_l_32 = _transformer("large", 32, 24, 16, 1024, 306_535_400)
vit_h_14 = _transformer("huge", 14, 32, 16, 1280, 632_045_800)
