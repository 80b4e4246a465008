"""A run that was recorded: its values and gradients whole, and each op once more on other values.

A ``Trace`` holds summaries of arrays. A ``Recording`` holds copies of the arrays themselves, as
they were when it was made, so that a later ``optimizer.step()`` or in-place write changes nothing
in it. From it any op can run again: on its recorded inputs (is the result the recorded one?), on
noise (does it depend on them at all?), or after values were replaced (what follows from that?).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from microtorch.autograd.custom import CustomOp
from microtorch.autograd.function import forward_again
from microtorch.backends import host
from microtorch.base import errors
from microtorch.create.random import get_rng_state, set_rng_state
from microtorch.engine.gradient_hooks import Outputs
from microtorch.engine.record import constant
from microtorch.graph import Node
from microtorch.handles.scalar import Scalar
from microtorch.handles.tensor import Tensor

from .measure import Computation, Data, Gradient, computed
from .summary import summary
from .trace import Trace

User: TypeAlias = "Tensor | float"  # as a user holds it: a Tensor, or the number of a Scalar
GONE = "it was overwritten, or freed and cannot be computed again (optimizer.step()?)"


@dataclass
class Again:
    """One op run once more from its recorded inputs.

    ``error``: why it could not be; else "" and ``same`` says whether it gave the recorded output,
    ``apart`` by how much at most it did not, ``moved`` whether noise in place of the inputs gives
    another output (None where none of them is a floating-point value).
    """

    node: int
    error: str = ""
    same: bool = False
    apart: float = 0.0
    moved: bool | None = None
    seconds: float = 0.0


class Recording:
    """Copies of the ``values`` of all nodes, None where they were lost, and their ``gradients``."""

    def __init__(
        self,
        found: Computation,
        values: Sequence[Data | None],
        gradients: Mapping[int, Gradient],
        contributions: Mapping[tuple[int, int], Gradient] | None = None,
    ):
        self.found = found
        self.values = list(values)
        self.gradients = dict(gradients)
        self.contributions = contributions or {}
        self.seconds: dict[int, float] = {}  # node -> how long its op took when it ran again
        # nodes that stand for several outputs, each of which has a node of its own
        self.holders = {x for i, n in enumerate(found.nodes) if _picks(n) for x in found.inputs[i]}
        for i in self.holders:
            self.values[i] = None

    @classmethod
    def of(cls, trace: Trace) -> Recording | None:
        """The recording of a living trace; None of one that was read from a file."""
        found = trace.computation
        if found is None:
            return None
        lost = {
            j for i, inputs in enumerate(found.inputs) for j in inputs if found.overwritten(j, i)
        }
        values = [None if i in lost else _copied(v) for i, v in enumerate(found.values)]
        back = {} if found.many else found.backward.gradients
        return cls(found, values, {i: g for i, g in back.items() if not isinstance(g, Outputs)})

    def value(self, i: int) -> User | None:
        """The value of node i as a user holds it."""
        return self._held(self.values[i])

    def gradient(self, i: int) -> User | None:
        g = self.gradients.get(i)
        return None if isinstance(g, Outputs) else self._held(g)

    @staticmethod
    def _held(v: Data | None) -> User | None:
        return v if v is None or isinstance(v, float) else constant(np.array(host(v)))

    def inputs(self, i: int) -> list[int]:
        """What node i is computed from; of one output of several, what the custom op had."""
        inputs = self.found.inputs[i]
        return self.found.inputs[inputs[0]] if _picks(self.found.nodes[i]) else inputs

    # ---- one op again ----------------------------------------------------------------------------
    def run(self, i: int, values: Mapping[int, Data]) -> Data:
        """The value of node i from values of its inputs, in the dtype of the first run.

        Raises GraphError where the op cannot run again.
        """
        node = self.found.nodes[i]
        arrays = [values[j] for j in self.inputs(i)]
        try:
            if node.op.name == "element" and node.attrs is not None:
                return float(np.asarray(arrays[0])[node.attrs["index"]])
            if node.dev is None:
                return float(node.op.scalar(*arrays, **(node.attrs or {})))
            if _picks(node):
                ran = forward_again(node.inputs[0], [np.asarray(a) for a in arrays])
                out = ran[1][(node.attrs or {})["index"]].array
            elif isinstance(node.op, CustomOp):
                out = forward_again(node, [np.asarray(a) for a in arrays])[1][0].array
            else:
                out = computed(node, arrays)
            return np.asarray(host(out)).astype(node.dtype)
        except Exception as error:  # a user's forward may raise anything, and so may a kernel
            line = str(error).partition("\n")[0] or repr(error)
            what = f"{node.op.name} cannot run again on these values: {line}"
            fix = "give values of the recorded shapes and dtypes, within the op's domain"
            raise errors.GraphError(errors.message(what, fix=fix)) from error

    def again(self, i: int, noise: np.random.Generator) -> Again:
        """Node i from its recorded inputs, and from noise; nobody's random numbers are used up."""
        wanted, inputs = self.values[i], self.inputs(i)
        if wanted is None or any(self.values[j] is None for j in inputs):
            return Again(i, GONE)
        known = {j: v for j, v in enumerate(self.values) if v is not None}
        state = get_rng_state()
        try:
            start = time.perf_counter()
            got = self.run(i, known)
            self.seconds[i] = seconds = time.perf_counter() - start
            apart = _apart(wanted, got)
            floats = [j for j in inputs if np.asarray(known[j]).dtype.kind in "fcV"]
            done = Again(i, "", apart == 0, apart, None, seconds)
            if floats:
                other = known | {j: _noise(known[j], noise) for j in floats}
                try:
                    done.moved = _apart(wanted, self.run(i, other)) != 0
                except errors.GraphError:  # outside of its domain: it did read its inputs
                    done.moved = True
            return done
        except errors.GraphError as error:
            return Again(i, str(error).partition("\n")[0])
        finally:
            set_rng_state(state)

    # ---- other values ----------------------------------------------------------------------------
    def replaced(self, given: Mapping[int, object]) -> Recording:
        """The run with the values of some nodes replaced, and all that comes after them anew.

        ``given``: node -> a function of the recorded value, a number, an array or a Tensor. Raises
        TypeError and ShapeError for what cannot stand in the node's place.
        """
        values: dict[int, Data] = {}
        stale: set[int] = set()
        state = get_rng_state()
        try:
            for i, old in enumerate(self.values):
                inputs = self.inputs(i)
                if i in self.holders:
                    if i in given:
                        what = f"{self.found.nodes[i].op.name} has several outputs"
                        raise errors.GraphError(errors.message(what, fix="replace one of them"))
                    continue
                if i not in given and stale.isdisjoint(inputs):
                    if old is not None:
                        values[i] = old
                    continue
                stale.add(i)
                if i in given:
                    # what the node has now: an earlier replacement may have changed it already
                    current = old if stale.isdisjoint(inputs) else self._fed(i, values)
                    values[i] = self._given(i, given[i], current)
                else:
                    values[i] = self._fed(i, values)
        finally:
            set_rng_state(state)
        listed = [values.get(i) for i in range(len(self.values))]
        back = self.found.backward_at(listed, frozenset(given))
        return Recording(self.found, listed, back.gradients, back.contributions)

    def _fed(self, i: int, values: Mapping[int, Data]) -> Data:
        node = self.found.nodes[i]
        if any(j not in values for j in self.inputs(i)):
            what = f"{node.op.name} cannot run again: the value of an input is not known"
            fix = "keep t = viz.trace(loss) from before the step, and pass t"
            raise errors.GraphError(errors.message(what, GONE, fix=fix))
        return self.run(i, values)

    def _given(self, i: int, what: object, current: Data | None) -> Data:
        node = self.found.nodes[i]
        if callable(what) and not isinstance(what, (Tensor, Scalar)):
            if current is None:
                raise errors.GraphError(errors.message(f"the value to replace is lost: {GONE}"))
            what = what(self._held(_copied(current)))
        if isinstance(what, Tensor):
            what = host(what.detach().array)
        elif isinstance(what, Scalar):
            what = what.data
        try:
            array = np.asarray(what)
            if array.dtype.kind not in ("fiubc" if np.dtype(node.dtype).kind == "c" else "fiub"):
                raise TypeError(array.dtype)
        except (TypeError, ValueError):
            kind = type(what).__name__
            text = f"a value cannot be replaced by {kind}"
            fix = "give a function of the old value, a number, an array or a Tensor"
            raise TypeError(errors.message(text, fix=fix)) from None
        if node.dev is None:
            return float(array.reshape(()))
        shape = tuple(node.shape) if self.values[i] is None else np.asarray(self.values[i]).shape
        if array.shape not in ((), shape):
            text = f"the value has shape {shape}, its replacement {array.shape}"
            fix = "give an array of the same shape, or one number for all its elements"
            raise errors.ShapeError(errors.message(text, fix=fix))
        return np.broadcast_to(array, shape).astype(node.dtype)


def retold(trace: Trace, made: Recording) -> Trace:
    """A trace with the numbers of another run; names, lines and structure are shared."""
    nodes = []
    for t, v in zip(trace.nodes, made.values, strict=True):
        g = summary(made.gradients.get(t.id))
        state = "known" if g is not None else "missing" if t.needs else "none"
        nodes.append(replace(t, value=summary(v), grad=g, grad_state=state))
    edges = [
        replace(e, contribution=summary(made.contributions.get((e.target, e.position))))
        for e in trace.edges
    ]
    return replace(
        trace,
        nodes=nodes,
        edges=edges,
        steps=[],
        arithmetic=None,
        programs={},
        backward=bool(made.gradients),
    )


def _picks(node: Node) -> bool:
    """Is it one of the outputs of a custom op?"""
    return node.op is not None and node.op.projection and isinstance(node.inputs[0].op, CustomOp)


def _copied(v: Data | None) -> Data | None:
    return v if v is None or isinstance(v, float) else np.array(host(v), copy=True)


def _noise(v: Data, noise: np.random.Generator) -> Data:
    """Numbers of about the same size that are not these."""
    array = np.asarray(v)
    with np.errstate(all="ignore"):
        size = float(np.abs(array[np.isfinite(array)]).max(initial=0)) or 1.0
    made = noise.uniform(0.25, 1.0, array.shape) * size
    return float(made) if isinstance(v, float) else np.asarray(made).astype(array.dtype)


def _apart(a: Data, b: Data) -> float:
    """The largest difference of two values; 0 only where all bits that count agree."""
    x, y = np.asarray(a), np.asarray(b)
    if x.shape != y.shape:
        return float("inf")
    if np.array_equal(x, y, equal_nan=x.dtype.kind == "f"):
        return 0.0
    with np.errstate(all="ignore"):
        wide = complex if "c" in x.dtype.kind + y.dtype.kind else float
        apart = np.abs(x.astype(wide) - y.astype(wide))
    return float(np.nanmax(apart)) if np.isfinite(apart).any() else float("inf")
