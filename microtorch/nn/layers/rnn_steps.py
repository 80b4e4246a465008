"""One step of an RNN, an LSTM and a GRU, and a layer of such steps, composed of ops.

The formulas are in rnn.py.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...autograd import Function
from ...base.errors import message
from ...handles.tensor import Tensor
from ...ops.join import stack
from .. import functional as F

if TYPE_CHECKING:
    from ...autograd.function import FunctionCtx


def check_nonlinearity(name: str) -> None:
    """ValueError for what an RNN does not know."""
    if name not in ("tanh", "relu"):
        raise ValueError(message(f"Unknown nonlinearity '{name}'. Select from 'tanh' or 'relu'."))


def rnn_step(
    x: Tensor, h: Tensor, u: Tensor, c: Tensor | None, activation: Callable[[Tensor], Tensor]
) -> Tensor:
    """One step of an RNN from x = W x + b."""
    return activation(x + F.linear(h, u, c))


def lstm_step(
    x: Tensor,
    state: tuple[Tensor, Tensor],
    u: Tensor,
    c: Tensor | None,
    projection: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """One step of an LSTM from x = W x + b: (h, c) to the next (h, c).

    With a `projection` (P, H), the next h is projected to P features (Sak et al. 2014).
    """
    h, memory = state
    i, f, g, o = (x + F.linear(h, u, c)).chunk(4, -1)
    memory = f.sigmoid() * memory + i.sigmoid() * g.tanh()
    h = o.sigmoid() * memory.tanh()
    return h if projection is None else F.linear(h, projection), memory


def gru_step(x: Tensor, h: Tensor, u: Tensor, c: Tensor | None) -> Tensor:
    """One step of a GRU from x = W x + b."""
    xr, xz, xn = x.chunk(3, -1)
    hr, hz, hn = F.linear(h, u, c).chunk(3, -1)
    n = (xn + (xr + hr).sigmoid() * hn).tanh()
    return n + (xz + hz).sigmoid() * (h - n)


class _Steps(Function):
    """The slices of a sequence along dim 0, as one node.

    L separate slices would each make a gradient of full size.
    """

    node_parts = True
    node_rule = "the gradients of its steps, stacked"

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(x[i].clone() for i in range(len(x)))

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> Tensor:
        return stack(gradients)


def composed(
    step: Callable[..., Any],
    backward: bool,
    x: Tensor,
    w: Tensor,
    u: Tensor,
    b: Tensor | None,
    c: Tensor | None,
    *state: Tensor,
) -> tuple[Tensor, ...]:
    """A layer along a sequence, composed of ops.

    Outputs (L, N, hidden), and the tensors of the last state.
    """
    steps = _Steps.apply(F.linear(x, w, b))
    outputs = []
    for xt in reversed(steps) if backward else steps:
        after = step(xt, state if len(state) > 1 else state[0], u, c)
        state = after if isinstance(after, tuple) else (after,)
        outputs.append(state[0])
    return stack(outputs[::-1] if backward else outputs), *state
