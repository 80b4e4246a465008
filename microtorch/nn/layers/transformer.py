"""The Transformer (Vaswani et al. 2017), from attention, linear layers and layer norm.

x = norm1(x + dropout(attention(x)))              norm_first: x = x + dropout(attention(norm1(x)))
x = norm2(x + dropout(linear2(dropout(activation(linear1(x))))))
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

from ...autograd import is_grad_enabled
from ...base.errors import describe, message, warn
from ...base.types import Argument
from ...create.filled import full
from ...handles.tensor import Tensor
from .. import functional as F
from .. import init
from ..common_types import DeviceLike, DTypeLike
from ..module import Module
from .activations import GELU, ReLU
from .attention import MultiheadAttention
from .containers import ModuleList
from .dropout import Dropout
from .linear import Linear
from .normalization import LayerNorm

Activation = Callable[[Tensor], Tensor]


def activation_of(given: str | Activation) -> Activation:
    """The function for "relu" or "gelu", or the one that is given."""
    if not isinstance(given, str):
        return given
    if given not in ("relu", "gelu"):
        raise RuntimeError(
            message(
                f"activation should be relu/gelu, not {given}",
                fix="or give a function, such as torch.tanh",
            )
        )
    return F.relu if given == "relu" else F.gelu


def attended(
    attention: MultiheadAttention,
    x: Tensor,
    source: Tensor,
    mask: Tensor | None,
    padding: Tensor | None,
    is_causal: bool,
) -> Tensor:
    """What `x` finds in `source`."""
    output, _ = attention(
        x,
        source,
        source,
        key_padding_mask=padding,
        need_weights=False,
        attn_mask=mask,
        is_causal=is_causal,
    )
    return output


def is_causal_mask(mask: Tensor | None, is_causal: bool | None, length: int) -> bool:
    """What is said of the mask or, if nothing is, whether it is the causal one."""
    if is_causal is not None or mask is None:
        return bool(is_causal)
    causal = causal_mask(length, device=mask.device, dtype=mask.dtype)
    return mask.shape == causal.shape and bool((mask == causal).all())


def causal_mask(
    sz: int, device: DeviceLike = None, dtype: DTypeLike = None
) -> Tensor:
    """(sz, sz): 0 for what a place may see, itself and earlier ones, -inf for later ones."""
    return full((sz, sz), -math.inf, dtype=dtype, device=device).triu(1)


class TransformerEncoderLayer(Module):
    """Self-attention, then two linear layers, each with a residual connection and a norm.

    (L, N, d_model) to the same, with `batch_first` (N, L, d_model). `activation` is "relu",
    "gelu" or a function; `norm_first`: norms before, not after.
    """

    _derived = ("activation_relu_or_gelu",)

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, **made
        )
        self.linear1 = Linear(d_model, dim_feedforward, bias, **made)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **made)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, **made)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, **made)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.activation = activation_of(activation)

    @property
    def activation_relu_or_gelu(self) -> int:
        """1 for ReLU, 2 for GELU, 0 for another function, as PyTorch notes it."""
        for number, function, kind in ((1, F.relu, ReLU), (2, F.gelu, GELU)):
            if self.activation is function or isinstance(self.activation, kind):
                return number
        return 0

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        def attention(x: Tensor) -> Tensor:
            found = attended(self.self_attn, x, x, src_mask, src_key_padding_mask, is_causal)
            return self.dropout1(found)

        def feed_forward(x: Tensor) -> Tensor:
            return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))

        if self.norm_first:
            x = src + attention(self.norm1(src))
            return x + feed_forward(self.norm2(x))
        x = self.norm1(src + attention(src))
        return self.norm2(x + feed_forward(x))


def _keeps_padding(layer: Module) -> str:
    """In what a layer differs from the form for which PyTorch leaves padded places out."""
    if not isinstance(layer, TransformerEncoderLayer):
        return " was not TransformerEncoderLayer"
    attention = layer.self_attn
    if layer.norm_first:
        return ".norm_first was True"
    if not attention.batch_first:
        return ".self_attn.batch_first was not True(use batch_first for better inference perf)"
    if attention.in_proj_bias is None:
        return ".self_attn was passed bias=False"
    if not layer.activation_relu_or_gelu:
        return ".activation_relu_or_gelu was not True"
    if layer.norm1.eps != layer.norm2.eps:
        return ".norm1.eps was not equal to norm2.eps"
    return ".self_attn.num_heads is odd" if attention.num_heads % 2 else ""


class TransformerEncoder(Module):
    """`num_layers` copies of `encoder_layer`, which start with equal parameters.

    A last `norm` follows them if given.
    """

    _derived = ("use_nested_tensor",)

    def __init__(
        self,
        encoder_layer: TransformerEncoderLayer,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(encoder_layer) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor, self.mask_check = enable_nested_tensor, mask_check
        if enable_nested_tensor and (why := _keeps_padding(encoder_layer)):
            warn(
                "enable_nested_tensor is True, but self.use_nested_tensor is False because "
                f"encoder_layer{why}"
            )

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        batch_first = self.layers[0].self_attn.batch_first
        causal = is_causal_mask(mask, is_causal, _length(src, batch_first))
        for layer in self.layers:
            src = layer(
                src,
                src_mask=mask,
                src_key_padding_mask=src_key_padding_mask,
                is_causal=causal,
            )
        if mask is None and src_key_padding_mask is not None and self._drops_padding(src):
            padded = src_key_padding_mask != 0
            if not self.mask_check or _at_the_end(padded):
                src = src.masked_fill(padded.unsqueeze(-1), 0.0)
        return src if self.norm is None else self.norm(src)

    @property
    def use_nested_tensor(self) -> bool:
        """Does PyTorch leave padded places out? It does for its own layers of an ordinary form."""
        return self.enable_nested_tensor and not _keeps_padding(self.layers[0])

    def _drops_padding(self, src: Tensor) -> bool:
        """Would PyTorch leave padded places out, so that its result is 0 there?

        It does so in evaluation without gradient, for a batch (N, L, E).
        """
        layer = self.layers[0]
        if type(layer) is not TransformerEncoderLayer or self.training or src.ndim != 3:
            return False
        learning = is_grad_enabled() and any(p.requires_grad for p in layer.parameters())
        return self.use_nested_tensor and not learning


def _at_the_end(padded: Tensor) -> bool:
    """Does the padding of each row (N, L) follow all that is not padding?"""
    return bool((padded[:, 1:] | ~padded[:, :-1]).all())


def _length(x: Tensor, batch_first: bool) -> int:
    """The length of sequences (L, N, E) or, with batch_first, (N, L, E), or of one (L, E)."""
    return x.shape[1 if x.ndim == 3 and batch_first else 0]


class TransformerDecoderLayer(Module):
    """Self-attention, attention to `memory`, then two linear layers, each with residual and norm.

    `tgt` (T, N, d_model), `memory` (S, N, d_model), with `batch_first` (N, T, d_model) and
    (N, S, d_model); the arguments are those of TransformerEncoderLayer.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        for name in ("self_attn", "multihead_attn"):
            attention = MultiheadAttention(
                d_model, nhead, dropout, bias, batch_first=batch_first, **made
            )
            setattr(self, name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias, **made)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **made)
        self.norm_first = norm_first
        for name in ("norm1", "norm2", "norm3"):
            setattr(self, name, LayerNorm(d_model, layer_norm_eps, bias=bias, **made))
        for name in ("dropout1", "dropout2", "dropout3"):
            setattr(self, name, Dropout(dropout))
        self.activation = activation_of(activation)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        def attention(x: Tensor) -> Tensor:
            found = attended(self.self_attn, x, x, tgt_mask, tgt_key_padding_mask, tgt_is_causal)
            return self.dropout1(found)

        def to_memory(x: Tensor) -> Tensor:
            found = attended(
                self.multihead_attn, x, memory, memory_mask, memory_key_padding_mask,
                memory_is_causal,
            )  # fmt: skip
            return self.dropout2(found)

        def feed_forward(x: Tensor) -> Tensor:
            return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))

        if self.norm_first:
            x = tgt + attention(self.norm1(tgt))
            x = x + to_memory(self.norm2(x))
            return x + feed_forward(self.norm3(x))
        x = self.norm1(tgt + attention(tgt))
        x = self.norm2(x + to_memory(x))
        return self.norm3(x + feed_forward(x))


class TransformerDecoder(Module):
    """`num_layers` copies of `decoder_layer`, which start with equal parameters.

    A last `norm` follows them if given.
    """

    def __init__(
        self, decoder_layer: TransformerDecoderLayer, num_layers: int, norm: Module | None = None
    ) -> None:
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(decoder_layer) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """`tgt`, having looked at itself and at `memory`; None: is tgt_mask causal? Look."""
        batch_first = self.layers[0].self_attn.batch_first
        causal = is_causal_mask(tgt_mask, tgt_is_causal, _length(tgt, batch_first))
        for layer in self.layers:
            tgt = layer(
                tgt,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=causal,
                memory_is_causal=memory_is_causal,
            )
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """Encoder and decoder (Vaswani et al. 2017), each with a last norm.

    `src` (S, N, d_model), `tgt` (T, N, d_model), with `batch_first` (N, S, d_model) and
    (N, T, d_model). Masks are bool, True where attention is not allowed, or float, added: src_mask
    (S, S), tgt_mask (T, T), memory_mask (T, S), padding masks (N, S) and (N, T).
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = F.relu,
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        settings: tuple[Argument, ...] = (
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias,
        )  # fmt: skip
        if custom_encoder is None:
            encoder_layer = TransformerEncoderLayer(*settings, **made)
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias, **made)
            custom_encoder = TransformerEncoder(encoder_layer, num_encoder_layers, norm)
        self.encoder = custom_encoder
        if custom_decoder is None:
            decoder_layer = TransformerDecoderLayer(*settings, **made)
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias, **made)
            custom_decoder = TransformerDecoder(decoder_layer, num_decoder_layers, norm)
        self.decoder = custom_decoder
        self._reset_parameters()
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The decoder's output, like `tgt`. None: is a mask causal? Look."""
        given = f"Transformer: src {describe(src)}, tgt {describe(tgt)}"
        at = 0 if self.batch_first else 1
        if src.ndim == 3 and src.shape[at] != tgt.shape[at]:
            raise RuntimeError(message("the batch number of src and tgt must be equal", given))
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError(
                message(
                    "the feature number of src and tgt must be equal to d_model",
                    f"{given}, d_model={self.d_model}",
                )
            )
        memory = self.encoder(
            src,
            mask=src_mask,
            src_key_padding_mask=src_key_padding_mask,
            is_causal=src_is_causal,
        )
        output: Tensor = self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )
        return output

    generate_square_subsequent_mask = staticmethod(causal_mask)
