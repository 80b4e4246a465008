"""The cells of recurrent layers in C (ext/rnn.c).

What C declines takes the definition's way (microtorch/nn/recurrence.py).
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..reference import Reference
from ..table import definition

if TYPE_CHECKING:
    from ...base.types import Array


class Recurrent(Reference):
    kernels: Any

    def lstm_cell(self, gates: Array, a: Array, before: Array, h: Array, after: Array) -> None:
        if not self.kernels.lstm_cell(*h.shape, gates, a, before, h, after):
            definition("lstm_cell")(self, gates, a, before, h, after)

    def lstm_cell_vjp(
        self, dh: Array, dstate: Array, before: Array, gates: Array, after: Array, da: Array
    ) -> None:
        kernel = self.kernels.lstm_cell_vjp
        if not kernel(*dh.shape, dh, dstate, before, gates, after, da):
            definition("lstm_cell_vjp")(self, dh, dstate, before, gates, after, da)

    def gru_cell(self, gates: Array, a: Array, part: Array, before: Array, h: Array) -> None:
        if not self.kernels.gru_cell(*h.shape, gates, a, part, before, h):
            definition("gru_cell")(self, gates, a, part, before, h)

    def gru_cell_vjp(
        self, dh: Array, before: Array, gates: Array, part: Array, dx: Array, da: Array
    ) -> None:
        kernel = self.kernels.gru_cell_vjp
        if not kernel(*dh.shape, dh, before, gates, part, dx, da):
            definition("gru_cell_vjp")(self, dh, before, gates, part, dx, da)
