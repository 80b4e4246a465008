"""Custom Functions run once more: their forward is the user's, and may do anything.

It may print (which is not shown again), raise, draw random numbers (which would be others now), or
have been handed its result (so that it is the same whatever the values are).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any, TypeAlias

import numpy as np

from microtorch.autograd.custom import CustomOp
from microtorch.autograd.function import FunctionCtx, forward_again
from microtorch.backends import host
from microtorch.create.random import get_rng_state, set_rng_state
from microtorch.graph import Node
from microtorch.handles.tensor import Tensor

Data: TypeAlias = "float | np.ndarray"  # a Scalar's value, or an array on the host
Ran: TypeAlias = "tuple[FunctionCtx, tuple[Any, ...]]"  # what a custom forward left and gave


def custom(node: Node) -> bool:
    return isinstance(node.op, CustomOp)


def again(node: Node, arrays: Sequence[Data | None]) -> Ran | None:
    """A custom node's forward on these values; None where it raises or draws random numbers."""
    before = get_rng_state()
    try:
        with redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
            ran = forward_again(node, [np.asarray(a) for a in arrays])
    except Exception:  # the user's
        ran = None
    if not get_rng_state().equal(before):
        set_rng_state(before)
        return None
    return ran


def output(ran: Ran, index: int) -> np.ndarray:
    return np.asarray(host(ran[1][index].array))


class Customs:
    """The forwards of a graph's custom nodes, each run once more on what it was run on."""

    def __init__(self, nodes: list[Node], inputs: list[list[int]]):
        self.nodes, self.inputs = nodes, inputs
        self._ran: dict[int, Ran | None] = {}
        self._repeats: dict[int, bool] = {}

    def once(self, i: int, values: Sequence[Data | None]) -> Ran | None:
        """The forward of custom node i; None where it cannot be had again."""
        arrays = [values[j] for j in self.inputs[i]]
        if i not in self._ran and not any(a is None for a in arrays):
            self._ran[i] = again(self.nodes[i], arrays)
        return self._ran.get(i)

    def repeats(self, i: int, values: Sequence[Data | None]) -> bool:
        """Can the forward of custom node i be run on other values?

        It can if it gives twice the same, and something else on other values.
        """
        if i not in self._repeats:
            ran, arrays = self.once(i, values), [values[j] for j in self.inputs[i]]
            self._repeats[i] = (
                ran is not None
                and _same(ran, again(self.nodes[i], arrays))
                and not _same(ran, again(self.nodes[i], [_near(a) for a in arrays]))
            )
        return self._repeats[i]

    def release(self) -> None:
        self._ran.clear()


def _near(v: Data | None) -> Data | None:
    """Numbers near a value; what is not floating-point stays."""
    a = np.asarray(v)
    if a.dtype.kind not in "fc":
        return v
    factors = np.linspace(1.01, 1.03, a.size).reshape(a.shape)
    return np.asarray(a * factors + 0.01, a.dtype)


def _same(a: Ran, b: Ran | None) -> bool:
    """Have two runs of a forward given the same?"""
    if b is None:
        return False
    pairs = [(x, y) for x, y in zip(a[1], b[1], strict=True) if isinstance(x, Tensor)]
    arrays = [(np.asarray(host(x.array)), np.asarray(host(y.array))) for x, y in pairs]
    return all(x.shape == y.shape and x.tobytes() == y.tobytes() for x, y in arrays)
