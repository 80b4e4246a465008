"""What a recording keeps of the parameters themselves: at most 100 moments of a run, thinned.

A run may have any number of steps and is not known to end. So every step is kept until there are
100, then every second of them is dropped and only every second step is kept from then on, and so
forth. Of a large parameter 16 rows are kept: the units whose weights a picture can show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from microtorch.backends import host
from microtorch.base.types import Argument
from microtorch.graph import Node, RemovableHandle
from microtorch.handles.tensor import Tensor
from microtorch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

MOST = 100  # moments
UNITS, INPUTS = 16, 1024  # rows of a parameter, and elements of a row
SETTINGS = ("lr", "momentum", "weight_decay", "betas", "eps", "nesterov", "dampening", "alpha")
Leaves: TypeAlias = Mapping[str, Node]


@dataclass
class Moment:
    """The parameters around one optimizer step: ``old`` and ``grad`` before it, ``new`` after.

    ``state``: what the optimizer holds of each parameter's shape, such as ``momentum_buffer``.
    All arrays are (units, elements).
    """

    number: int
    old: dict[str, np.ndarray] = field(default_factory=dict)
    grad: dict[str, np.ndarray] = field(default_factory=dict)
    new: dict[str, np.ndarray] = field(default_factory=dict)
    state: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    optimizer: str = ""
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)


class Snapshots:
    """Moments of a run. ``shapes`` and ``units`` (the numbers of the rows kept), by parameter."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.units: dict[str, list[int]] = {}
        self.optimizer = ""  # of the last step
        self._stride = 1
        self._open: tuple[Moment, dict[str, Node]] | None = None
        self._handles: list[RemovableHandle] = []

    def begin(self) -> None:
        self._handles = [
            register_optimizer_step_pre_hook(self._before),
            register_optimizer_step_post_hook(self._after),
        ]

    def end(self) -> None:
        self.close()
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def take(self, number: int, leaves: Leaves) -> None:
        """A backward has run: keep this moment, if its turn has come."""
        if number % self._stride:
            return
        moment = Moment(number)
        self._open = moment, dict(leaves)
        self._fill(moment.old, lambda n: n.value)
        self._fill(moment.grad, _gradient)
        self.moments.append(moment)
        if len(self.moments) > MOST:
            self.moments = self.moments[::2]
            self._stride *= 2

    def close(self) -> None:
        """The step is over: what the parameters are now is what it made of them."""
        if self._open is not None:
            self._fill(self._open[0].new, lambda n: n.value)
        self._open = None

    def rows(self, name: str, value: np.ndarray) -> np.ndarray:
        """The kept part of a parameter, or of an array of its shape, as (units, elements)."""
        flat = value.reshape(len(value), -1) if value.ndim > 1 else value.reshape(1, -1)
        return np.array(flat[self.units[name], :INPUTS], np.float64)

    # ---- while it runs ---------------------------------------------------------------------------
    def _fill(self, into: dict[str, np.ndarray], get: Callable[[Node], Any]) -> None:
        assert self._open is not None
        for name, node in self._open[1].items():
            value = get(node)
            if value is None:
                continue
            array = np.asarray(host(value))
            if array.dtype.kind not in "fV" or not array.size:
                continue
            if name not in self.units:
                self.shapes[name] = array.shape
                count = len(array) if array.ndim > 1 else 1
                picked = np.linspace(0, count - 1, min(count, UNITS)).round().astype(int)
                self.units[name] = picked.tolist()
            if array.shape == self.shapes[name]:
                into[name] = self.rows(name, array)

    def _before(self, optimizer: Argument, args: Argument, named: Argument) -> None:
        """The gradients that the optimizer gets may differ from backward's: clipping."""
        self.optimizer = type(optimizer).__name__
        if self._open is not None:
            self._fill(self._open[0].grad, _gradient)
            self._fill(self._open[0].old, lambda n: n.value)

    def _after(self, optimizer: Argument, args: Argument, named: Argument) -> None:
        if self._open is None:
            return
        moment, leaves = self._open
        moment.optimizer = self.optimizer
        self._fill(moment.new, lambda n: n.value)
        by_node = {node: name for name, node in leaves.items()}
        for group in optimizer.param_groups:
            settings = {k: _plain(group[k]) for k in SETTINGS if k in group}
            for p in group["params"]:
                name = by_node.get(p.node)
                if name is None or name not in self.units:
                    continue
                moment.settings[name] = settings
                held = optimizer.state.get(p, {})
                moment.state[name] = {
                    k: self.rows(name, np.asarray(host(v.array)))
                    for k, v in held.items()
                    if isinstance(v, Tensor) and tuple(v.array.shape) == self.shapes[name]
                }


def _gradient(node: Node) -> Argument:
    g = node.grad
    return g.array if isinstance(g, Tensor) else g


def _plain(v: Argument) -> Argument:
    if isinstance(v, Tensor):
        return v.item()
    return list(v) if isinstance(v, tuple) else v
