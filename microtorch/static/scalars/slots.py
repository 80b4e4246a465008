"""The numbers of many Scalars in an array, and back, by C.

In Python a number costs a tenth of a microsecond each way, and a step of a few hundred Scalars
would spend most of its time on that. C stores into the objects' slots what Python would.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...graph import last_write, storage_of, tick
from ..native import builtin
from ..same import Rows, python, slots

if TYPE_CHECKING:
    from ...base.types import Array, Kernel
    from ...handles.scalar import Scalar
    from ..guards import Watch


class Slots:
    """Of ``scalars``: those whose value, or gradient, a program sets have the places ``data`` and
    ``grads``. CompilerError: there is no compiler."""

    def __init__(self, scalars: Sequence[Scalar], data: Sequence[int], grads: Sequence[int]):
        self.read, self.put_values, self.put_grads = (
            builtin(python(), name, own=slots())
            for name in ("scalar_values", "put_values", "put_grads")
        )
        self.scalars = [*scalars]
        self.written = [scalars[i] for i in data], np.array(data, np.uintp)
        self.graded = [scalars[i] for i in grads], np.array(grads, np.uintp)

    def fill(self, p: Array) -> None:
        """Their values."""
        self.read(self.scalars, p)

    def leave(self, values: Array, grads: Array) -> None:
        """What a program leaves in them."""
        scalars, at = self.written
        if scalars:
            now = last_write[0] = tick()
            if not self.put_values(scalars, values, at, now, "a compiled function"):
                for s in scalars:
                    storage_of(s)
                self.put_values(scalars, values, at, now, "a compiled function")
        scalars, at = self.graded
        if scalars:
            self.put_grads(scalars, grads, at)


def rows(scalars: Sequence[Scalar], without: Sequence[Scalar], watch: Watch) -> Kernel:
    """Have they no hooks, those ``without`` no gradient, and is all that is watched what it is now?
    ValueError: C cannot say."""
    made = Rows()
    for s in scalars:
        if s.hooks is not None:
            raise ValueError("hooks are asked by Python")
        made.slot(s, "hooks", None)
    for s in without:
        made.slot(s, "grad", None)
    watch.say(made)
    return made.made()
