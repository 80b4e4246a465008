"""A tensor op spelled out in scalars: the arithmetic it consists of, forward and backward.

No op has code here. The reference kernel of the op runs on arrays of Scalars
(``microtorch.backends.expansion``) and so leaves the graph of its own arithmetic behind. Backward
runs on that graph with ``create_graph=True``, so that derivatives are expressions too: which cells
meet in a gradient is read off the expression, whatever the op. What cannot be found out by running
stands on the op's declaration: how many products one element adds up (``Op.terms``), and which
part of each input it reads (``Op.part``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from microtorch import autograd
from microtorch.backends.expansion import Expansion
from microtorch.base import errors
from microtorch.graph import Node, in_order
from microtorch.handles.scalar import Scalar
from microtorch.handles.tensor import Tensor

from . import numbers
from .arithmetic import Arithmetic, Operand, Place, flat, place_of
from .frames import Frame
from .held import own_gradient
from .kinds import of_a_kind
from .measure import Data, whole
from .names import Pairs, label_of
from .replay import steady
from .running import find_programs
from .summary import FULL
from .take import MOST as LARGEST
from .take import fill, skeleton
from .trace import GraphTooLarge, Trace

MOST = 500  # scalars of an op that is spelled out whole; of a larger one, one element is
WORK = 60_000  # scalars made while looking for them, at most
PAGE = 1_500  # multiplications of an op in a page, which must stay small and be made in a moment
TOTAL = 6_000  # of all ops of a page
Index: TypeAlias = "int | Place | None"  # as the user writes it
Slices: TypeAlias = "list[tuple[slice, ...]]"


@dataclass
class Spelled:
    """An op in scalars, and the Scalars themselves, which can be drawn and stepped in turn."""

    arithmetic: Arithmetic
    scalars: list[Node]


def spell(
    trace: Trace, i: int, names: list[str], g: Data | None, index: Index = None, loss: str = ""
) -> Spelled:
    """Spell out the op of node ``i``. ``names``: of all nodes; ``g``: the gradient of its result.

    ``index`` is the element to show where the op is too large to be shown whole. Raises
    GraphTooLarge where also one element is too much, GraphError for an op whose kernel takes no
    Scalars, IndexError for an index outside.
    """
    return _Spelling(trace, i, names, g, index, loss).result()


class _Spelling:
    def __init__(
        self, trace: Trace, i: int, names: list[str], g: Data | None, index: Index, loss: str
    ):
        found = trace.computation
        assert found is not None
        node = found.nodes[i]
        self.op, self.attrs, self.loss = node.op, node.attrs or {}, loss
        self.arrays = [plain(found.values[j]) for j in trace.nodes[i].inputs]
        self.out = plain(found.values[i])
        self.operands = []
        operands = zip(trace.nodes[i].inputs, names_of(trace, i, names), self.arrays, strict=True)
        for j, name, array in operands:
            t, uses = trace.nodes[j], sum(e.source == j for e in trace.edges)
            self.operands.append(_operand(name, array, t.role, t.needs, uses))
        self.output = _operand(names[i], self.out, "intermediate", True)
        shape = self.out.shape
        self.index = (
            tuple(n // 2 for n in shape) if index is None else element(index, shape, names[i])
        )
        self.given = g is not None
        self.g = np.ones(shape) if g is None else np.asarray(g, float).reshape(shape)
        self.scalars: list[list[Scalar]] = [[] for _ in self.operands]  # per expanded element
        self.results: list[Scalar] = []
        self.seeds: dict[int, Scalar] = {}
        self.total: Scalar | None = None
        self.derivatives: list[list[Scalar | None]] = [[] for _ in self.operands]
        with autograd.enable_grad():
            slices = self._narrow()
            self._forward(slices)
            small = len(in_order(self.results, constants=True)) <= MOST or self.out.size == 1
            self.whole = slices is None and small
            self._backward()

    # ---- forward ---------------------------------------------------------------------------------
    def _narrow(self) -> Slices | None:
        """The parts of the inputs that the element needs, if the whole would be too much work."""
        shapes = [a.shape for a in self.arrays]
        terms = 1 if self.op.terms is None else 2 * self.op.terms(*shapes)
        if self.out.size * terms <= WORK and sum(a.size for a in self.arrays) <= WORK:
            return None
        parts: Slices | None = None if self.op.part is None else self.op.part(self.index, *shapes)
        if parts is None:
            sizes = ", ".join(map(numbers.shape, shapes))
            what = f"{self.op.name} on {sizes} is too much to spell out in scalars"
            raise GraphTooLarge(errors.message(what, fix="expand the same op on a smaller tensor"))
        return parts

    def _forward(self, slices: Slices | None) -> None:
        """The op's own kernel, on Scalars."""
        given: list[np.ndarray] = []
        for k, (x, array) in enumerate(zip(self.operands, self.arrays, strict=True)):
            if array.dtype.kind != "f":
                given.append(array)
                continue
            every = np.arange(array.size).reshape(array.shape)
            part = every if slices is None else every[slices[k]]
            x.at = part.ravel().tolist()
            for n in x.at:
                label = x.called(place_of(n, x.shape))
                scalar = Scalar(x.values[n], label, requires_grad=x.needs)
                scalar.code = None  # made here, not in a line of the user's
                self.scalars[k].append(scalar)
            cells = np.empty(part.shape, object)
            for place, scalar in zip(np.ndindex(part.shape), self.scalars[k], strict=True):
                cells[place] = scalar
            given.append(cells)
        attrs = {k: v for k, v in self.attrs.items() if k != "dtype"}
        try:
            cells = np.asarray(getattr(Expansion(), self.op.name)(*given, **attrs), object)
        except Exception as error:  # numpy has no such function of objects, or a Scalar has none
            first = str(error).splitlines()[0]
            what = f"expand(): {self.op.name} cannot be spelled out in scalars: {first}"
            fix = "draw the graph around it: viz.draw(loss)"
            raise errors.GraphError(errors.message(what, fix=fix)) from None
        one = [flat(self.index, self.out.shape)]
        self.output.at = list(range(self.out.size)) if slices is None else one
        if cells.size != len(self.output.at):
            what = f"expand(): {self.op.name} gives no number for each element of its result"
            raise errors.GraphError(
                errors.message(what, fix="draw the graph around it: viz.draw(loss)")
            )
        self.results = [_scalar(c) for c in cells.ravel()]
        _anonymous(self.results)

    # ---- backward --------------------------------------------------------------------------------
    def _backward(self) -> None:
        """Seed the result, add up seed times cell, and differentiate the sum."""
        chosen = flat(self.index, self.out.shape)
        for k, cell in zip(self.output.at, self.results, strict=True):
            if not cell.needs or (not self.whole and k != chosen):
                continue
            value = float(self.g[place_of(k, self.out.shape)])
            label = f"∂{self.loss or 'L'}/∂{self.output.called(place_of(k, self.out.shape))}"
            seed = self.seeds[k] = Scalar(value, label, requires_grad=False)
            seed.code = None
            term = seed * cell
            self.total = term if self.total is None else self.total + term
        if self.total is None:
            return
        _anonymous([self.total])
        for k, x in enumerate(self.operands):
            if x.needs and x.at:
                found = autograd.grad(
                    [self.total], self.scalars[k], create_graph=True, allow_unused=True
                )
                self.derivatives[k] = list(found)

    # ---- as data ---------------------------------------------------------------------------------
    def result(self) -> Spelled:
        derivatives = [d for row in self.derivatives for d in row if d is not None]
        leaves = [s for row in self.scalars for s in row]
        total = [] if self.total is None else [self.total]
        nodes = in_order([*self.results, *total, *derivatives, *leaves], constants=True)
        number = {n: k for k, n in enumerate(nodes)}
        for x, cells, ds in zip(self.operands, self.scalars, self.derivatives, strict=True):
            x.cells = [number[c] for c in cells]
            x.derivatives = [None if d is None else number[d] for d in ds]
        self.output.cells = [number[c] for c in self.results]
        arithmetic = Arithmetic(
            self.op.name,
            ["" if n.op is None else n.op.name for n in nodes],
            [[number[x] for x in n.inputs] for n in nodes],
            [float(n.value) for n in nodes],
            [label_of(n) if n.op is None and isinstance(n, Scalar) else "" for n in nodes],
            self.operands,
            self.output,
            [float(v) for v in self.g.ravel()],
            self.given,
            {k: number[seed] for k, seed in self.seeds.items()},
            None if self.total is None else number[self.total],
            self.whole,
            flat(self.index, self.out.shape),
        )
        return Spelled(arithmetic, nodes)


def plain(v: Data | None) -> np.ndarray:
    """A value as numbers that numpy itself knows: bfloat16 is not among them."""
    a = np.asarray(v)
    return a.astype(np.float64) if a.dtype.kind == "V" else a


def _operand(name: str, array: np.ndarray, role: str, needs: bool, uses: int = 1) -> Operand:
    values = [float(v) for v in array.ravel().tolist()]
    return Operand(name, array.shape, values, role, needs, uses)


def _scalar(cell: Any) -> Scalar:
    """A cell of the result. A kernel may also put plain numbers there, such as tril's zeros."""
    if isinstance(cell, np.ndarray) and cell.ndim == 0:
        cell = cell.item()
    if isinstance(cell, Scalar):
        return cell
    made = Scalar(float(cell), requires_grad=False)
    made.code = None
    return made


def _anonymous(roots: Iterable[Node]) -> None:
    """Forget the lines and modules in which the ops below were made: they are this library's."""
    for n in in_order(roots, constants=True):
        if n.op is not None:
            n.code = n.scope = None


def names_of(trace: Trace, i: int, names: list[str]) -> list[str]:
    """Names of the operands; different ones also where the same value stands twice."""
    out: list[str] = []
    for j in trace.nodes[i].inputs:
        out.append(names[j] + "*" * out.count(names[j]))
    return out


def element(index: Index, shape: Place, name: str) -> Place:
    """An index as a place, counted from the start. Raises IndexError outside ``shape``."""
    asked = tuple(index) if isinstance(index, (tuple, list)) else (index,)
    place = tuple(int(k) for k in asked if isinstance(k, (int, np.integer)))
    pairs = list(zip(place, shape, strict=False))
    if not len(place) == len(asked) == len(shape) or not all(-n <= k < n for k, n in pairs):
        what = f"{name} has shape {shape}, and {asked} is not one of its elements"
        raise IndexError(errors.message(what))
    return tuple(k % n for k, n in pairs)


# ---- who asks ------------------------------------------------------------------------------------
def opened(
    tensor: object, loss: object, frame: Frame, given: Pairs | None
) -> tuple[Trace, int, Data | None]:
    """For ``expand``: a trace, the number of the tensor's node in it, and the tensor's gradient."""
    if not isinstance(tensor, Tensor):
        scalar = isinstance(tensor, Scalar)
        kind = "a Scalar, which is one already" if scalar else type(tensor).__name__
        fix = "viz.draw shows graphs of Scalars"
        raise TypeError(errors.message(f"expand() takes a Tensor, but got {kind}", fix=fix))
    trace = skeleton(tensor if loss is None else loss, "expand", LARGEST)
    found = trace.computation
    assert found is not None
    if tensor.node.op is None:
        skeleton(tensor, "expand")  # raises: nothing was recorded
    i = found.index(tensor)
    if i < 0:
        what = "expand(): loss does not depend on this tensor"
        raise ValueError(errors.message(what, fix="pass the loss computed from it"))
    fill(trace, frame, given, gradients=loss is not None)
    if of_a_kind(found.nodes[i].dev):
        what = "expand(): inside of vmap and of forward mode an op is not spelled out"
        raise errors.GraphError(errors.message(what, fix="expand it outside, on one sample"))
    read = [np.asarray(found.values[j]) for j in (i, *trace.nodes[i].inputs)]
    if any(np.iscomplexobj(v) for v in read):
        what = "expand() spells an op out in Scalars, which are real, but this op is of complex "
        fix = "expand an op on z.real and z.imag"
        raise TypeError(errors.message(what + "numbers", fix=fix))
    if any(found.values[j] is None for j in (i, *trace.nodes[i].inputs)):
        what = "expand(): values were freed by backward or overwritten"
        fix = "expand before optimizer.step(), or compute the loss again"
        raise errors.GraphError(errors.message(what, fix=fix))
    if loss is None:
        return trace, i, own_gradient(tensor.node)
    g = found.backward.gradients.get(i)
    if g is None:
        why = found.backward.reason or "no gradient reaches this tensor"
        raise errors.GraphError(errors.message(f"expand(): {why}"))
    return trace, i, whole(g)


def spell_small_ops(trace: Trace, names: list[str]) -> None:
    """Fill ``trace.arithmetic`` with every tensor op that is small enough to walk through.

    Ops that are large are left out; ``expand`` can still open them. Nothing happens to a trace
    that was read from a file.
    """
    found = trace.computation
    if trace.arithmetic is not None or found is None:
        return
    trace.arithmetic = {}
    left = TOTAL
    for t in reversed(trace.nodes):  # what is nearest to the result first
        if not t.op or not (t.shape or any(trace.nodes[j].shape for j in t.inputs)):
            continue
        read = [found.values[j] for j in (t.id, *t.inputs)]
        # Scalars are real, and an op on a batch counts the dimensions of one sample
        if any(v is None or np.iscomplexobj(v) for v in read) or of_a_kind(found.nodes[t.id].dev):
            continue
        work = _work(found.nodes[t.id], t.shape, [trace.nodes[j].shape for j in t.inputs])
        if work > min(PAGE, left):
            continue
        left -= work
        g = found.backward.gradients.get(t.id)
        try:
            made = spell(
                trace, t.id, names, None if isinstance(g, dict) else g, None, names[trace.root]
            )
        except errors.GraphError:  # an op without a kernel on Scalars
            continue
        if made.arithmetic.whole:
            trace.arithmetic[t.id] = a = made.arithmetic
            arrays = [plain(found.values[j]) for j in trace.nodes[t.id].inputs]
            a.steady = steady(a, arrays, found.nodes[t.id].attrs or {})
    trace.programs = find_programs(trace)
    found.release()


def _work(node: Node, shape: list[int], inputs: list[list[int]]) -> int:
    """How many multiplications the op takes; too many where a tensor is not kept whole."""
    size, sizes = int(np.prod(shape)), [int(np.prod(s)) for s in inputs]
    if max(size, *sizes) > FULL:
        return 10 * PAGE
    terms = 1 if node.op.terms is None else node.op.terms(*inputs)
    return max(size * terms, size, *sizes)
