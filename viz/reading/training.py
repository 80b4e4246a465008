"""Training as it runs: after every ``backward()``, the numbers of each parameter.

Per parameter and step three numbers are kept: the root mean squares of its gradient, of its value,
and of what the optimizer then changed. A layer is the parameters of one module. Small graphs are
kept whole, as a Trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar, overload

import numpy as np

from microtorch.backends import host
from microtorch.engine.listening import foresee, listen
from microtorch.graph import Node, RemovableHandle, in_order
from microtorch.handles.tensor import Tensor

from . import numbers
from .frames import Frame
from .held import own_gradient
from .names import Names, Pairs, node_of
from .snapshots import Snapshots
from .summary import rms
from .take import Root, caller, take
from .trace import Trace

WHOLE = 150  # nodes of a graph that is kept whole
TRACES = 200  # steps of which the graph is kept
Rec = TypeVar("Rec", bound="Training")  # typing.Self, which Python 3.10 lacks


@dataclass
class TrainingStep:
    """One backward: the loss, and the RMS of each parameter's gradient, value and update.

    ``updates`` are known once the next step begins, or the block ends. ``sizes``: elements of each
    parameter. ``trace``: the graph, where it was small enough to be kept.
    """

    number: int
    loss: float
    gradients: dict[str, float] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    updates: dict[str, float] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    trace: Trace | None = None
    left: bool = False  # did gradients of an earlier backward stand in .grad when it began?

    def __repr__(self) -> str:
        parameters = numbers.count(len(self.gradients), "parameter")
        return f"<step {self.number}: loss {numbers.short(self.loss)}, {parameters}>"


class Training:
    """The steps, in order: ``rec[0]``, ``len(rec)``, ``for step in rec``. A context manager.

    ``frame``: the caller's, where names are looked for. ``epoch``: steps in one epoch, if known.
    """

    def __init__(self, frame: Frame | None, given: Pairs | None = None, epoch: int | None = None):
        self.steps: list[TrainingStep] = []
        self.names: list[str] = []
        self.layers: dict[str, list[str]] = {}  # module path, or a parameter of none -> parameters
        self.epoch = epoch
        self._frame, self._given = frame, given
        self._layer: dict[str, str] = {}
        self._called: dict[Node, str] = {}
        self._before: dict[str, tuple[Node, np.ndarray]] = {}  # parameter, its value at backward
        self._listening: RemovableHandle | None = None
        self._foreseeing: RemovableHandle | None = None
        self._left = False
        self.snapshots = Snapshots()

    def __enter__(self: Rec) -> Rec:
        if self._listening is not None:
            raise RuntimeError("this recording is already running")
        self._listening = listen(self._step)
        self._foreseeing = foresee(self._foreseen)
        self.snapshots.begin()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._listening is not None:
            self._listening.remove()
        if self._foreseeing is not None:
            self._foreseeing.remove()
        self._listening = self._foreseeing = None
        self._finish()
        self.snapshots.end()

    def __len__(self) -> int:
        return len(self.steps)

    @overload
    def __getitem__(self, k: int) -> TrainingStep: ...
    @overload
    def __getitem__(self, k: slice) -> list[TrainingStep]: ...
    def __getitem__(self, k: int | slice) -> TrainingStep | list[TrainingStep]:
        return self.steps[k]

    def __iter__(self) -> Iterator[TrainingStep]:
        return iter(self.steps)

    def _foreseen(self, roots: list[Root], create_graph: bool) -> None:
        """Backward is about to run: is there anything that it will add to?"""
        self._left = any(_held(n) for n in self._called)

    def _step(self, roots: list[Root]) -> None:
        """Take down one backward, which has just run."""
        self._finish()
        loss = roots[0]
        root = node_of(loss)
        assert root is not None
        nodes = in_order([root], constants=True)
        leaves = [n for n in nodes if n.op is None and n.needs]
        if any(n not in self._called for n in leaves):
            self._name(nodes, caller())
        value = loss.array if isinstance(loss, Tensor) else loss.data
        step = TrainingStep(len(self.steps), float(np.mean(value)), left=self._left)
        for n in leaves:
            name = self._called[n]
            g = n.grad
            step.gradients[name] = rms(
                0.0 if g is None else g.array if isinstance(g, Tensor) else g
            )
            step.values[name] = rms(n.value)
            step.sizes[name] = int(np.size(n.value))
            self._before[name] = n, np.array(host(n.value), copy=True)
            if name not in self.names:
                self.names.append(name)
                self.layers.setdefault(self._layer.get(name, name), []).append(name)
        if len(self.steps) < TRACES and len(nodes) <= WHOLE:
            step.trace = take(loss, "record", self._frame, self._given)
            step.trace.computation = None  # the data are kept, and the graph may go
        self.steps.append(step)
        self.snapshots.take(step.number, {self._called[n]: n for n in leaves})

    def _finish(self) -> None:
        """What has changed since the last backward is the optimizer's doing."""
        if self.steps:
            changed = {k: np.asarray(host(n.value)) - old for k, (n, old) in self._before.items()}
            self.steps[-1].updates = {k: rms(d) for k, d in changed.items()}
        self._before = {}
        self.snapshots.close()

    def _name(self, nodes: list[Node], frame: Frame) -> None:
        """Name the leaves: by the frame of the call to backward, then by that of the recording."""
        given = {name for name, _ in self._given or ()}
        found: dict[int, str] = {}
        for f in [frame] if frame is self._frame else [frame, self._frame]:
            names = Names(nodes, f, self._given)
            for i, n in enumerate(nodes):
                if n.op is None and n.needs:
                    owner = names.parameters.get(i)
                    name = names.name(i) if owner is None else ".".join(p for p in owner if p)
                    if name:
                        found.setdefault(i, name)
                        own = name.rpartition(".")[0] if owner is None and name in given else ""
                        path = owner[0] if owner is not None else own
                        self._layer.setdefault(name, path or name)
        taken = set(self._called.values())
        for i, n in enumerate(nodes):
            if n.op is None and n.needs and n not in self._called:
                name = found.get(i) or f"parameter {len(taken) + 1}"
                self._called[n] = name  # a new tensor under an old name is its next value
                taken.add(name)


def _held(n: Node) -> bool:
    """Is there a gradient in ``.grad`` that is not all zero?"""
    g = own_gradient(n)
    return g is not None and bool(np.any(np.asarray(host(g))))
