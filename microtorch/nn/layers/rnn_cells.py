"""Recurrent cells: one step of an RNN, an LSTM or a GRU as a layer. The formulas are in rnn.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from ...base.errors import describe, message
from ...create.filled import empty, zeros
from ...handles.tensor import Tensor
from .. import functional as F
from .. import init
from ..common_types import DeviceLike, DTypeLike
from ..module import Module
from ..parameter import Parameter
from .rnn_steps import check_nonlinearity, gru_step, lstm_step, rnn_step

State: TypeAlias = Tensor | tuple[Tensor, Tensor]  # h, or an LSTM's (h, c)


class RNNCellBase(Module):
    """One step as a layer: x (N, input_size) or (input_size,), and the state of the same form.

    The state starts at 0.
    """

    gates = 1
    states = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(empty((rows, input_size), device=device, dtype=dtype))
        self.weight_hh = Parameter(empty((rows, hidden_size), device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            value = Parameter(empty((rows,), device=device, dtype=dtype)) if bias else None
            self.register_parameter(name, value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    @property
    def step(self) -> Callable[..., Any]:
        """The next state from W x + b, the last state, u and c."""
        raise NotImplementedError

    def forward(self, input: Tensor, hx: State | None = None) -> State:
        if input.ndim not in (1, 2):
            raise ValueError(
                message(
                    f"{type(self).__name__}: Expected input to be 1D or 2D, "
                    f"got {input.ndim}D instead",
                    f"input {describe(input)}",
                    fix="a cell takes one step: (N, input_size)",
                )
            )
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                message(
                    f"input has inconsistent input_size: got {input.shape[-1]} expected "
                    f"{self.input_size}",
                    f"{type(self).__name__}: input {describe(input)}",
                    fix=f"make the layer with input_size={input.shape[-1]}",
                )
            )
        if hx is None:
            zero = zeros(
                (*input.shape[:-1], self.hidden_size), dtype=input.dtype, device=input.device
            )
            hx = (zero, zero) if self.states == 2 else zero
        else:
            self._check_state(input, hx)
        return self.step(
            F.linear(input, self.weight_ih, self.bias_ih), hx, self.weight_hh, self.bias_hh
        )

    def _check_state(self, input: Tensor, hx: State) -> None:
        """A state of another batch size would broadcast, unseen."""
        shape = (*input.shape[:-1], self.hidden_size)
        given: tuple[Any, ...] = tuple(hx) if self.states == 2 else (hx,)
        for i, h in enumerate(given):
            if tuple(h.shape) != shape:
                raise RuntimeError(
                    message(
                        f"Input batch size {list(input.shape[:-1])} doesn't match hidden[{i}] "
                        f"{list(h.shape)}",
                        f"{type(self).__name__}: input {tuple(input.shape)}, the state is {shape}",
                    )
                )

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + (
            "" if self.bias else f", bias={self.bias}"
        )


class RNNCell(RNNCellBase):
    """One step of an RNN: (x, h) to h."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        check_nonlinearity(nonlinearity)
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    @property
    def step(self) -> Callable[..., Any]:
        return partial(rnn_step, activation=getattr(F, self.nonlinearity))

    def extra_repr(self) -> str:
        text = super().extra_repr()
        return text + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}")


class _Cell(RNNCellBase):
    """A cell of a known number of gates."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, self.gates, device, dtype)


class LSTMCell(_Cell):
    """One step of an LSTM: (x, (h, c)) to (h, c)."""

    gates, states = 4, 2
    step = staticmethod(lstm_step)


class GRUCell(_Cell):
    """One step of a GRU: (x, h) to h."""

    gates = 3
    step = staticmethod(gru_step)
