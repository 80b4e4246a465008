"""The recurrent layers of ONNX, composed of ops, a step at a time.

They enter themselves into the table of onnx_ops.py, as that file describes.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ..create.filled import zeros
from ..ops.join import stack
from .onnx_ops import ints, op, refused

if TYPE_CHECKING:
    from ..base.types import Operand


def _lstm_step(x: Operand, h: Operand, c: Operand, r: Operand, b: Operand) -> tuple[Operand, ...]:
    i, o, f, g = (x + h @ r.t() + b).chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def _gru_step(
    reset_after: int, x: Operand, h: Operand, c: Operand, r: Operand, b: Operand
) -> tuple[Operand, ...]:
    n = h.shape[-1]
    z, s = (x[..., : 2 * n] + h @ r[: 2 * n].t() + b[: 2 * n]).sigmoid().chunk(2, -1)
    last, bias = r[2 * n :].t(), b[2 * n :]
    inner = s * (h @ last + bias) if reset_after else (s * h) @ last + bias
    new = (x[..., 2 * n :] + inner).tanh()
    return (1 - z) * new + z * h, c


def _rnn_step(x: Operand, h: Operand, c: Operand, r: Operand, b: Operand) -> tuple[Operand, ...]:
    return (x + h @ r.t() + b).tanh(), c


def _recurrent(
    step: Callable[..., tuple[Operand, ...]], usual: list[str], x: Operand, w: Operand, r: Operand,
    b: Operand, lengths: Operand, first: Operand, cells: Operand, *, direction: str, layout: int,
    activations: Operand, outputs: int,
) -> Operand:  # fmt: skip
    wanted = usual * len(w)  # RNN's default speaks of two directions, of which there may be one
    if activations is not None and [a.lower() for a in activations[: len(wanted)]] != wanted:
        raise refused(f"a recurrent layer with the activations {activations}")
    if layout:
        x = x.transpose(0, 1)
        first, cells = (None if t is None else t.transpose(0, 1) for t in (first, cells))
    time, n = x.shape[:2]
    if lengths is not None and any(m != time for m in ints(lengths)):
        raise refused("a recurrent layer with sequences of different lengths")
    size, ways, ends, memories = r.shape[-1], [], [], []
    for k in range(len(w)):
        zero = zeros(n, size, dtype=x.dtype)
        h = zero if first is None else first[k]
        c = zero if cells is None else cells[k]
        half = r.shape[1]
        inner = zeros(half, dtype=x.dtype) if b is None else b[k, half:]
        steps = x @ w[k].t() + (0 if b is None else b[k, :half])
        backward = direction == "reverse" or k == 1
        seen = []
        for i in reversed(range(time)) if backward else range(time):
            h, c = step(steps[i], h, c, r[k], inner)
            seen.append(h)
        ways.append(stack(seen[::-1] if backward else seen))
        ends.append(h)
        memories.append(c)
    y, last, memory = stack(ways, 1), stack(ends), stack(memories)
    if layout:
        y, last, memory = y.permute(2, 0, 1, 3), last.transpose(0, 1), memory.transpose(0, 1)
    return (y, last, memory)[: max(outputs, 2)]


@op("LSTM")
def _lstm(
    x: Operand, w: Operand, r: Operand, b: Operand = None, lengths: Operand = None,
    first: Operand = None, cells: Operand = None, peepholes: Operand = None, *,
    hidden_size: Operand = None, direction: str, layout: int = 0, activations: Operand = None,
    outputs: int,
) -> Operand:  # fmt: skip
    if peepholes is not None and bool((peepholes != 0).any()):
        raise refused("LSTM with peepholes")
    return _recurrent(_lstm_step, ["sigmoid", "tanh", "tanh"], x, w, r, b, lengths, first, cells,
                      direction=direction, layout=layout, activations=activations,
                      outputs=max(outputs, 3))  # fmt: skip


@op("GRU")
def _gru(
    x: Operand, w: Operand, r: Operand, b: Operand = None, lengths: Operand = None,
    first: Operand = None, *, hidden_size: Operand = None, direction: str, layout: int = 0,
    activations: Operand = None, linear_before_reset: int = 0, outputs: int,
) -> Operand:  # fmt: skip
    step = partial(_gru_step, linear_before_reset)
    return _recurrent(step, ["sigmoid", "tanh"], x, w, r, b, lengths, first, None,
                      direction=direction, layout=layout, activations=activations,
                      outputs=outputs)[:2]  # fmt: skip


@op("RNN")
def _rnn(
    x: Operand, w: Operand, r: Operand, b: Operand = None, lengths: Operand = None,
    first: Operand = None, *, hidden_size: Operand = None, direction: str, layout: int = 0,
    activations: Operand = None, outputs: int,
) -> Operand:  # fmt: skip
    return _recurrent(_rnn_step, ["tanh"], x, w, r, b, lengths, first, None, direction=direction,
                      layout=layout, activations=activations, outputs=outputs)[:2]  # fmt: skip
