"""The cells of recurrent layers in C (ext/rnn.c).

What C declines takes the definition's way (microtorch/nn/recurrence.py).
"""
from __future__ import annotations

from typing import Any

from ..reference import Reference
from ..table import definition


class Recurrent(Reference):
    kernels: Any

    def lstm_cell(self, gates: Any, a: Any, before: Any, h: Any, after: Any) -> None:
        if not self.kernels.lstm_cell(*h.shape, id(gates), id(a), id(before), id(h), id(after)):
            definition("lstm_cell")(self, gates, a, before, h, after)

    def lstm_cell_vjp(
        self, dh: Any, dstate: Any, before: Any, gates: Any, after: Any, da: Any
    ) -> None:
        kernel = self.kernels.lstm_cell_vjp
        if not kernel(*dh.shape, id(dh), id(dstate), id(before), id(gates), id(after), id(da)):
            definition("lstm_cell_vjp")(self, dh, dstate, before, gates, after, da)

    def gru_cell(self, gates: Any, a: Any, part: Any, before: Any, h: Any) -> None:
        if not self.kernels.gru_cell(*h.shape, id(gates), id(a), id(part), id(before), id(h)):
            definition("gru_cell")(self, gates, a, part, before, h)

    def gru_cell_vjp(self, dh: Any, before: Any, gates: Any, part: Any, dx: Any, da: Any) -> None:
        kernel = self.kernels.gru_cell_vjp
        if not kernel(*dh.shape, id(dh), id(before), id(gates), id(part), id(dx), id(da)):
            definition("gru_cell_vjp")(self, dh, before, gates, part, dx, da)
