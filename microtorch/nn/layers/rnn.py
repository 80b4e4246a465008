"""Recurrent layers: RNN, LSTM, GRU. Their cells are in rnn_cells.py.

    RNN    h' = tanh(W x + b + U h + c)
    LSTM   i, f, g, o = W x + b + U h + c        then sigmoid, but tanh for g
           c' = f c + i g          h' = o tanh(c')
    GRU    r, z = sigmoid(W x + b + U h + c)     n = tanh(W x + b + r (U h + c))
           h' = n + z (h - n)

Hochreiter and Schmidhuber 1997 (with the forget gate of Gers et al. 2000); Cho et al. 2014. One
step of each is a function of rnn_steps.py, composed of ops; a layer applies it along the sequence.
W x for all steps is one product, done before. So a picture of the graph shows the recurrence
unrolled. A layer that is too large for a picture (SPELT_OUT) is one node, and several times faster:
functional/recurrence.py. Sequences are (L, N, features), (N, L, features) with `batch_first`, or
(L, features) without a batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from ...base.errors import NoTensor, describe, message, warn
from ...create.filled import empty, zeros
from ...engine import autocast
from ...handles.tensor import Tensor
from ...ops.join import cat, stack
from ...ops.node_names import rename
from .. import functional as F
from .. import init
from ..common_types import DeviceLike, DTypeLike
from ..functional import recurrence
from ..module import Module
from ..parameter import Parameter
from ..utils.rnn import PackedSequence
from .packed import forward_packed
from .rnn_cells import GRUCell, LSTMCell, RNNCell, RNNCellBase, State
from .rnn_steps import check_nonlinearity, composed, gru_step, lstm_step, rnn_step

# up to so many numbers W x (L * N * gates * hidden) a layer is composed of ops, as a picture shows
SPELT_OUT = 2048

CELLS = (GRUCell, LSTMCell, RNNCell, RNNCellBase)  # which torch.nn.modules.rnn has, too


@contextmanager
def spelt_out() -> Iterator[None]:
    """In the block every layer is composed of ops, however large it is."""
    global SPELT_OUT
    before, SPELT_OUT = SPELT_OUT, 1 << 62
    try:
        yield
    finally:
        SPELT_OUT = before


class _Mode(NamedTuple):
    """What is peculiar to a mode of PyTorch's RNNBase."""

    gates: int
    states: int
    step: Callable[..., Any]
    kind: type[recurrence.Recurrence]


MODES = {
    "LSTM": _Mode(4, 2, lstm_step, recurrence.LSTM),
    "GRU": _Mode(3, 1, gru_step, recurrence.GRU),
    "RNN_TANH": _Mode(1, 1, partial(rnn_step, activation=F.tanh), recurrence.Tanh),
    "RNN_RELU": _Mode(1, 1, partial(rnn_step, activation=F.relu), recurrence.Relu),
}


class RNNBase(Module):
    """What RNN, LSTM and GRU share.

    Parameters: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, ..._reverse, ..._l1. All are
    drawn uniformly from ±1/sqrt(hidden_size), in the order of their layers and directions.
    """

    gates = 1
    states = 1  # tensors that are carried from step to step
    _derived = ("mode", "_all_weights", "_flat_weights", "_flat_weights_names")

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        if type(self).step is RNNBase.step:  # a subclass of a user's own
            if mode not in MODES:
                raise ValueError(message(f"Unrecognized RNN mode: {mode}"))
            self._mode, self.gates, self.states = mode, *MODES[mode][:2]
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first = bias, batch_first
        self.dropout, self.bidirectional = dropout, bidirectional
        self.proj_size = proj_size
        self._check_settings()
        rows = self.gates * hidden_size
        for layer in range(num_layers):
            features = input_size if layer == 0 else self._width * self.directions
            for suffix in self._suffixes(layer):
                shapes: dict[str, tuple[int, ...]] = {
                    "weight_ih": (rows, features),
                    "weight_hh": (rows, self._width),
                }
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                for name, shape in shapes.items():
                    setattr(
                        self, name + suffix, Parameter(empty(shape, device=device, dtype=dtype))
                    )
        self.reset_parameters()

    def _check_settings(self) -> None:
        hidden_size, dropout, proj_size = self.hidden_size, self.dropout, self.proj_size
        for name, given, kind in (
            ("input_size", self.input_size, int), ("hidden_size", hidden_size, int),
            ("bias", self.bias, bool), ("batch_first", self.batch_first, bool),
        ):  # fmt: skip
            if not isinstance(given, kind):
                what = f"{name} should be of type {kind.__name__}, got: {type(given).__name__}"
                raise TypeError(message(what, type(self).__name__))
        if proj_size and self.states != 2:
            raise ValueError(
                message(
                    "proj_size argument is only supported for LSTM, not RNN or GRU",
                    f"{type(self).__name__}: {proj_size=}",
                    fix="a Linear after the layer projects its output",
                )
            )
        if proj_size < 0 or proj_size >= hidden_size > 0:
            raise ValueError(
                message(
                    "proj_size should be a positive integer or zero to disable projections"
                    if proj_size < 0
                    else "proj_size has to be smaller than hidden_size",
                    f"{type(self).__name__}: {proj_size=}, {hidden_size=}",
                )
            )
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(
                message(
                    "dropout should be a number in range [0, 1] representing the probability of "
                    "an element being zeroed",
                    f"{type(self).__name__}: {dropout=}",
                )
            )
        for name in ("input_size", "hidden_size", "num_layers"):
            if (count := getattr(self, name)) <= 0:
                raise ValueError(
                    message(f"{name} must be greater than zero", f"{type(self).__name__}: {count}")
                )
        if dropout and self.num_layers == 1:
            warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                "dropout expects num_layers greater than 1, "
                f"but got dropout={dropout} and num_layers={self.num_layers}",
            )

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _width(self) -> int:
        """Features of one direction's output: hidden_size, or proj_size where it is given."""
        return self.proj_size or self.hidden_size

    @property
    def mode(self) -> str:
        """PyTorch's word for the layer: "LSTM", "GRU", "RNN_TANH" or "RNN_RELU"."""
        if "_mode" in vars(self):
            return str(self._mode)
        nonlinearity = vars(self).get("nonlinearity")
        name = next(kind.__name__ for kind in type(self).__mro__ if kind.__module__ == __name__)
        return f"{name}_{nonlinearity.upper()}" if nonlinearity else name

    @property
    def _all_weights(self) -> list[list[str]]:
        """The names of the weights, a list for each layer and direction."""
        kinds = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if self.bias else [])]
        kinds += ["weight_hr"] if self.proj_size else []
        layers = range(self.num_layers)
        return [[k + suffix for k in kinds] for i in layers for suffix in self._suffixes(i)]

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The weights, a list for each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Parameter | None]:
        return [getattr(self, name, None) for name in self._flat_weights_names]

    @_flat_weights.setter
    def _flat_weights(self, weights: Sequence[Parameter | None]) -> None:
        """Takes the weights that the attributes hold: programs for cuDNN tell PyTorch of them."""
        names = self._flat_weights_names
        if len(weights) != len(names) or any(
            new is not own for new, own in zip(weights, self._flat_weights, strict=True)
        ):
            raise AttributeError(
                message(
                    "_flat_weights follows the attributes of the layer",
                    f"{type(self).__name__}: {', '.join(names)}",
                    fix=f"set the attributes: layer.{names[0]} = ..., or "
                    "torch.func.functional_call(layer, weights, inputs)",
                )
            )

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"][: self.directions]

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Nothing to do here; PyTorch arranges its memory for cuDNN."""

    @property
    def kind(self) -> type[recurrence.Recurrence]:
        """How the layer is computed as one node."""
        return MODES[self.mode].kind

    @property
    def step(self) -> Callable[..., Any]:
        """The next state from W x + b, the last state, u and c."""
        return MODES[self.mode].step

    def forward(self, input: Tensor | PackedSequence, hx: State | None = None) -> tuple[Any, Any]:
        """(output (L, N, directions * hidden), last state (layers * directions, N, hidden)).

        `hx` is the first state, 0 unless given. A packed batch gives a packed output.
        """
        if isinstance(input, PackedSequence):
            self._check_features(input.data)
            return forward_packed(self, input, hx)
        name = type(self).__name__
        if not isinstance(input, Tensor):
            raise NoTensor(
                message(
                    f"{name}: the input must be a Tensor or a PackedSequence",
                    f"input is {describe(input)}",
                )
            )
        if input.ndim not in (2, 3):
            raise ValueError(
                message(
                    f"{name}: Expected input to be 2D or 3D, got {input.ndim}D instead",
                    f"input {describe(input)}",
                    fix="(L, N, input_size), or (L, input_size) without a batch",
                )
            )
        self._check_features(input)
        batched = input.ndim == 3
        x = input if batched else input.unsqueeze(1)
        if batched and self.batch_first:
            x = x.transpose(0, 1)
        if not len(x):
            raise RuntimeError(
                message(
                    "Expected sequence length to be larger than 0 in RNN",
                    f"input {tuple(input.shape)}",
                )
            )
        start = self._start(x, hx, batched)
        last: list[Any] = []
        for layer in range(self.num_layers):
            ways = [
                self._along(x, suffix, start[len(last) + i], i == 1)
                for i, suffix in enumerate(self._suffixes(layer))
            ]
            last += [state for _, state in ways]
            x = cat([output for output, _ in ways], -1) if self.bidirectional else ways[0][0]
            if layer + 1 < self.num_layers:
                x = F.dropout(x, self.dropout, self.training)
        output = x if batched else x.squeeze(1)
        if batched and self.batch_first:
            output = x.transpose(0, 1)
            if self.states == 1:  # PyTorch transposes it in place
                rename(output, "TransposeBackward1")
        columns = list(zip(*last, strict=True)) if self.states == 2 else [last]
        final = [stack(column) if batched else stack(column).squeeze(1) for column in columns]
        return output, tuple(final) if self.states == 2 else final[0]

    def _check_features(self, input: Tensor) -> None:
        own = getattr(self, self._flat_weights_names[0])
        if own.dtype is not input.dtype and autocast.region.get() is None:
            raise ValueError(
                message(
                    f"RNN input dtype ({input.dtype}) does not match weight dtype ({own.dtype})",
                    f"{type(self).__name__}: input {describe(input)}",
                    fix=f"input.to({own.dtype}), or the layer: .to({input.dtype})",
                )
            )
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                message(
                    "input.size(-1) must be equal to input_size. "
                    f"Expected {self.input_size}, got {input.shape[-1]}",
                    f"{type(self).__name__}: input {tuple(input.shape)}",
                    fix="features are the last dimension: (L, N, input_size), "
                    "or (N, L, input_size) with batch_first=True",
                )
            )

    def _start(self, x: Tensor, hx: State | None, batched: bool) -> list[Any]:
        """The first state of each layer and direction."""
        count, batch = self.num_layers * self.directions, x.shape[1]
        if hx is None:
            zero = zeros((batch, self._width), dtype=x.dtype, device=x.device)
            cell = zeros((batch, self.hidden_size), dtype=x.dtype, device=x.device)
            return [(zero, cell) if self.states == 2 else zero] * count
        given: tuple[Any, ...] = (hx,)
        if self.states == 2 and not isinstance(hx, (int, float)):
            given = tuple(hx)
        if not all(isinstance(h, Tensor) for h in given):
            what = f"{type(self).__name__}: the state must be of Tensors"
            raise NoTensor(message(what, f"hx is {describe(hx)}", fix="without hx it is zeros"))
        if len(given) != self.states:
            raise IndexError(
                message(f"{type(self).__name__}: the state is {self.states} tensors (h, c), "
                        f"{len(given)} given", fix="lstm(input, (h, c)), or lstm(input)")
            )
        sizes = (self._width, self.hidden_size)
        names = ("hidden[0]", "hidden[1]") if self.states == 2 else ("hidden",)
        for name, h, size in zip(names, given, sizes, strict=False):
            shape = (count, batch, size) if batched else (count, size)
            if tuple(h.shape) != shape:
                raise RuntimeError(
                    message(
                        f"Expected {name} size {shape}, got {list(h.shape)}",
                        f"{type(self).__name__}: the state is (num_layers * directions, N, "
                        "hidden_size), also with batch_first=True",
                        fix=f"torch.zeros{shape}, or no state, which begins with zeros",
                    )
                )
        rows = [[h[i] if batched else h[i].unsqueeze(0) for i in range(count)] for h in given]
        return list(zip(*rows, strict=True)) if self.states == 2 else rows[0]

    def _along(self, x: Tensor, suffix: str, state: Any, backward: bool) -> tuple[Tensor, Any]:
        """One layer in one direction: (outputs (L, N, hidden), the last state)."""
        w, u = getattr(self, "weight_ih" + suffix), getattr(self, "weight_hh" + suffix)
        b, c = (
            getattr(self, name + suffix) if self.bias else None for name in ("bias_ih", "bias_hh")
        )
        inputs = (x, w, u, b, c, *(state if self.states == 2 else (state,)))
        if self.proj_size:
            step = partial(lstm_step, projection=getattr(self, "weight_hr" + suffix))
            output, *last = composed(step, backward, *inputs)
            return output, tuple(last)
        mixed = autocast.region.get() is not None
        if mixed and self.states == 2:  # an LSTM is on PyTorch's list; the others' products are
            inputs = tuple(autocast.operands(inputs))
        if not mixed and len(x) * x.shape[1] * len(u) > SPELT_OUT and recurrence.takes(*inputs):
            steps = partial(composed, self.step, backward)
            output, *last = recurrence.Sequence.apply(self.kind, steps, backward, *inputs)
        else:
            output, *last = composed(self.step, backward, *inputs)
        return output, tuple(last) if self.states == 2 else last[0]

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        text += f", proj_size={self.proj_size}" if self.proj_size else ""
        text += f", num_layers={self.num_layers}" if self.num_layers != 1 else ""
        text += f", bias={self.bias}" if not self.bias else ""
        text += f", batch_first={self.batch_first}" if self.batch_first else ""
        text += f", dropout={self.dropout}" if self.dropout else ""
        return text + (f", bidirectional={self.bidirectional}" if self.bidirectional else "")


class _Layer(RNNBase):
    """A layer of a known mode."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__(
            "", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
            proj_size, device, dtype,
        )  # fmt: skip


class RNN(_Layer):
    """The plain recurrent layer (Elman 1990); `nonlinearity` is "tanh" or "relu"."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        check_nonlinearity(nonlinearity)
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )
        self.nonlinearity = nonlinearity

    @property
    def kind(self) -> type[recurrence.Recurrence]:
        return recurrence.Tanh if self.nonlinearity == "tanh" else recurrence.Relu

    @property
    def step(self) -> Callable[..., Any]:
        return partial(rnn_step, activation=getattr(F, self.nonlinearity))


class LSTM(_Layer):
    """Long short-term memory; the state is the pair (h, c).

    Gates in rows: input, forget, cell, output.
    """

    gates, states = 4, 2
    kind = recurrence.LSTM
    step = staticmethod(lstm_step)


class GRU(_Layer):
    """Gated recurrent unit. Gates in rows: reset, update, new."""

    gates = 3
    kind = recurrence.GRU
    step = staticmethod(gru_step)
