"""A recurrent layer along a packed batch, whose sequences end at different steps.

The steps between two endings have one batch size: each such piece is an ordinary run of the
layer. Forward, the states of sequences that end are set aside and join the last ones at the end;
backward, a sequence enters with the piece in which it has its last step.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from ...engine.whole import known
from ...handles.tensor import Tensor
from ...ops.join import cat, stack
from .. import functional as F
from ..utils.rnn import PackedSequence

if TYPE_CHECKING:
    from .rnn import RNNBase

Piece = tuple[int, int, int]  # its first row in the data, its steps, its batch size


def forward_packed(layer: RNNBase, input: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
    """What RNNBase.forward does, for a packed batch.

    States come and go in the order in which the batch was before it was packed.
    """
    x, sizes, order, back = input
    pieces: list[Piece] = []
    row = 0
    for size, steps in groupby(known(sizes).tolist()):
        count = len(list(steps))
        pieces.append((row, count, size))
        row += count * size
    if order is not None and hx is not None:
        pick = [h.index_select(1, order) for h in (hx if layer.states == 2 else (hx,))]
        hx = tuple(pick) if layer.states == 2 else pick[0]
    start = layer._start(x[: pieces[0][2]].unsqueeze(0), hx, True)
    last: list[Any] = []
    for depth in range(layer.num_layers):
        ways = [
            _along(layer, pieces, x, suffix, start[len(last) + i], i == 1)
            for i, suffix in enumerate(layer._suffixes(depth))
        ]
        last += [state for _, state in ways]
        x = cat([output for output, _ in ways], -1)
        if depth + 1 < layer.num_layers:
            x = F.dropout(x, layer.dropout, layer.training)
    final = [stack(list(column)) for column in zip(*last, strict=True)]
    if back is not None:
        final = [h.index_select(1, back) for h in final]
    output = PackedSequence(x, sizes, order, back)
    return output, tuple(final) if layer.states == 2 else final[0]


def _along(
    layer: RNNBase, pieces: list[Piece], x: Tensor, suffix: str, start: Any, backward: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """One layer in one direction: (outputs as packed data, the last state of each sequence)."""
    first: tuple[Tensor, ...] = tuple(start) if layer.states == 2 else (start,)
    now = tuple(h[:0] for h in first) if backward else first
    ended: list[tuple[Tensor, ...]] = []
    outputs = []
    for row, steps, size in reversed(pieces) if backward else pieces:
        running = len(now[0])
        if size > running:
            now = tuple(cat([h, new[running:size]]) for h, new in zip(now, first, strict=True))
        elif size < running:
            ended.append(tuple(h[size:] for h in now))
            now = tuple(h[:size] for h in now)
        part = x[row : row + steps * size].reshape(steps, size, -1)
        out, state = layer._along(part, suffix, now if layer.states == 2 else now[0], backward)
        now = state if layer.states == 2 else (state,)
        outputs.append(out.reshape(steps * size, -1))
    for states in reversed(ended):
        now = tuple(cat([h, end]) for h, end in zip(now, states, strict=True))
    return cat(outputs[::-1] if backward else outputs), now
