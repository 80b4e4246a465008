"""Layers as single functions of ``torch.``, which torch.nn calls under other names.

A recurrent step is that of nn's cells; dropout and convolution are nn.functional's.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..base.errors import missing
from ..base.naming import named
from ..handles.tensor import Tensor
from ..nn import functional as F
from ..nn.layers.rnn_steps import gru_step, lstm_step, rnn_step

if TYPE_CHECKING:
    from ..base.types import Shape


# ---- recurrent steps -----------------------------------------------------------------------------
def lstm_cell(
    input: Tensor, hx: Sequence[Tensor], w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """One step of an LSTM: the next (h, c), each (N, H), from input (N, I) and ``hx`` = (h, c)."""
    h, c = hx
    return lstm_step(F.linear(input, w_ih, b_ih), (h, c), w_hh, b_hh)


def gru_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """One step of a GRU: the next h (N, H) from input (N, I) and ``hx`` (N, H)."""
    return gru_step(F.linear(input, w_ih, b_ih), hx, w_hh, b_hh)


def _rnn_cell(name: str, activation: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    def function(
        input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
        b_hh: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        return rnn_step(F.linear(input, w_ih, b_ih), hx, w_hh, b_hh, activation)

    return named(function, name, "One step of an RNN: the next h (N, H) from input (N, I) and hx.")


rnn_tanh_cell = _rnn_cell("rnn_tanh_cell", F.tanh)
rnn_relu_cell = _rnn_cell("rnn_relu_cell", F.relu)


# ---- convolution ---------------------------------------------------------------------------------
def convolution(
    input: Tensor, weight: Tensor, bias: Tensor | None, stride: Shape, padding: Shape,
    dilation: Shape, transposed: bool, output_padding: Shape, groups: int,
) -> Tensor:  # fmt: skip
    """nn.functional's convolution of as many dimensions as ``weight`` has behind its first two."""
    n = weight.array.ndim - 2
    if transposed:
        f = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[n - 1]
        return f(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return (F.conv1d, F.conv2d, F.conv3d)[n - 1](
        input, weight, bias, stride, padding, dilation, groups
    )


# ---- dropout -------------------------------------------------------------------------------------
def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """The result of dropout, and the bool mask of what was kept; without ``train``, of all."""
    kept = F.dropout(input.new_ones(input.shape), p, training=bool(train))
    return input * kept, kept != 0


def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Dropout of whole channels of (N, C, ...)."""
    noise = F.dropout(input.new_ones((*input.shape[:2], *[1] * (input.ndim - 2))), p, train)
    return input * noise if train else input


def _in_place(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def function(input: Tensor, p: float, train: bool) -> Tensor:
        return input.copy_(f(input.clone(), p, train)) if train else input

    return named(function, f"{f.__name__}_", f"In-place {f.__name__}.")


dropout_, alpha_dropout_ = _in_place(F.dropout), _in_place(F.alpha_dropout)
feature_dropout_ = _in_place(feature_dropout)
feature_alpha_dropout_ = _in_place(F.feature_alpha_dropout)

NAMES = (
    "alpha_dropout_", "convolution", "dropout_", "feature_alpha_dropout_", "feature_dropout",
    "feature_dropout_", "gru_cell", "lstm_cell", "native_dropout", "rnn_relu_cell",
    "rnn_tanh_cell",
)  # fmt: skip
__all__ = list(NAMES)
__getattr__ = missing(__name__, __all__)
