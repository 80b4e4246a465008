"""Into a tensor op: the scalar arithmetic it consists of, forward and backward, cell by cell.

    z = viz.expand(m, (1, 2), loss=loss)     # m = x @ w
    print(z)                                 # m[1, 2] = x[1, 0]·w[0, 2] + ... with its numbers
    z.save("zoom.svg")                       # rows and columns that meet; copies by broadcasting
    viz.draw(z), viz.step(z)                 # it is an ordinary graph of Scalars

reading/spelling.py runs the op on Scalars; here one element is chosen, and told and drawn.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from microtorch.base import errors

from ..drawing import style
from ..drawing.saved import Themed
from ..reading import numbers
from ..reading.arithmetic import Arithmetic, Operand, Place, place_of
from ..reading.names import Given, given_names
from ..reading.spelling import Index, Spelled, element, opened, spell
from ..reading.take import Drawable, Root, caller
from ..reading.trace import Trace
from ..telling import writing
from ..telling.words import INFIX, display_names
from . import cells

if TYPE_CHECKING:
    from graphviz import Digraph


@dataclass
class Gradient:
    """How one element of an operand gets its gradient: an expression, and the places it reads.

    ``values``: the gradients of all expanded elements of the operand, NaN elsewhere. ``copies``:
    how many elements of the output hold this one because it was broadcast; 0 without broadcasting.
    """

    operand: Operand
    place: Place
    expression: int | None  # a scalar of the arithmetic
    reads: dict[str, set[Place]]  # operand name (or "g") -> places
    values: np.ndarray
    copies: int

    @property
    def value(self) -> float:
        return float(self.values[self.place])


class Zoom(Drawable, Themed):
    """One tensor op as scalar arithmetic: ``text``, ``save()``, and a graph of Scalars.

    ``cell``: the scalar of the chosen output element. ``root``: that Scalar if an index was asked
    for or the op is large, otherwise Σ g·cell over all of them, whose gradients are those of the
    loss. Where the arithmetic was read from a file, there is none.
    """

    def __init__(
        self,
        trace: Trace,
        i: int,
        spelled: Spelled | Arithmetic,
        index: Index = None,
        at: Mapping[str, Index] | None = None,
        loss: str = "",
    ):
        self.arithmetic = a = spelled if isinstance(spelled, Arithmetic) else spelled.arithmetic
        self.op, self.loss = a.op, loss
        self.inputs, self.output, self.whole = a.operands, a.result, a.whole
        shape, size = self.output.shape, len(self.output.values)
        asked = None if index is None else element(index, shape, self.name)
        self.index = asked if asked is not None else place_of(a.index, shape)
        cell = self.output.cell(self.index)
        if cell is None:
            what = f"{self.output.called(self.index)} is not among the elements that were expanded"
            raise IndexError(errors.message(what))
        self.cell = cell
        self.code = _code(trace, i)
        self.note = ""
        if not self.whole:
            self.note = f"{self.name} has {size:,} elements; this is the arithmetic of one"
        self.g_values = np.array(a.gradient).reshape(shape)
        self.gradients = [self._gradient(x, at or {}) for x in self.inputs if x.needs and x.at]
        chosen = index is not None or not self.whole or size == 1
        self.start = self.cell if chosen or a.total is None else a.total
        if isinstance(spelled, Spelled):
            self.root = spelled.scalars[self.start]
            self.root.label = self.output.called(self.index) if chosen else self.loss or "L"

    @property
    def name(self) -> str:
        return self.output.name

    def value(self, cell: int) -> float:
        """The number of a scalar."""
        return self.arithmetic.values[cell]

    def upstream(self) -> str:
        return f"∂{self.loss or 'L'}/∂{self.name}"

    # ---- gradients -------------------------------------------------------------------------------
    def _gradient(self, x: Operand, at: Mapping[str, Index]) -> Gradient:
        """The gradient of one element of x as an expression, and of all as numbers."""
        a = self.arithmetic
        below = a.below(self.cell)
        inside = [place for place, cell in x.each() if cell in below]
        wanted = at.get(x.name)
        if wanted is None:
            wanted = inside[len(inside) // 2] if inside else (0,) * len(x.shape)
        place = element(wanted, x.shape, x.name)
        values = np.full(x.shape, np.nan)
        found = dict(zip((p for p, _ in x.each()), x.derivatives, strict=False))
        if place not in found:
            return Gradient(x, place, None, {}, values, 0)
        for p, d in found.items():
            values[p] = 0.0 if d is None else a.values[d]
        expression = found[place]
        reads: dict[str, set[Place]] = {}
        if expression is not None:
            met = a.below(expression)
            for other in self.inputs:
                reads[other.name] = {p for p, cell in other.each() if cell in met}
            reads["g"] = {
                place_of(k, self.output.shape) for k, cell in a.seeds.items() if cell in met
            }
        return Gradient(x, place, expression, reads, values, self._copies(x, place))

    def _copies(self, x: Operand, place: Place) -> int:
        """How many elements of the output hold this one because x was broadcast.

        0 if an element of the output reads more of x than one.
        """
        out = self.output.shape
        if not self.whole or x.shape == out or not out:
            return 0
        try:
            copied = np.broadcast_to(np.array(x.cells).reshape(x.shape), out)
        except ValueError:
            return 0
        mine = set(x.cells)
        for p, cell in self.output.each():
            if self.arithmetic.below(cell) & mine != {int(copied[p])}:
                return 0
        return int((copied == x.cell(place)).sum())

    # ---- what it says ----------------------------------------------------------------------------
    @property
    def headline(self) -> str:
        shapes = [f"{x.name} {numbers.shape(x.shape)}" for x in self.inputs]
        result = f"{self.name} {numbers.shape(self.output.shape)}"
        if self.op in INFIX and len(shapes) == 2:
            return f"{result} = {f' {INFIX[self.op]} '.join(shapes)}"
        return f"{result} = {self.op}({', '.join(shapes)})"

    def forward_lines(self) -> list[str]:
        """The chosen output element: in names, in numbers, and its value."""
        return writing.equation(self.output.called(self.index), self.arithmetic, self.cell)

    def backward_lines(self, gradient: Gradient) -> list[str]:
        left = f"∂{self.loss or 'L'}/∂{gradient.operand.called(gradient.place)}"
        if gradient.expression is None:
            return [f"{left} = 0: no gradient comes back"]
        plus = "+" if not self.whole or gradient.operand.uses > 1 else ""
        return writing.equation(left, self.arithmetic, gradient.expression, plus, newest_first=True)

    @property
    def text(self) -> str:
        """Forward and backward with the sums written out."""
        lines = [self.headline + (f"      {self.code}" if self.code else "")]
        if self.note:
            lines.append(f"({self.note})")
        lines += ["", "FORWARD", *(f"  {line}" for line in self.forward_lines())]
        if self.gradients:
            alone = f"   (no loss was given: {self.upstream()} is 1 everywhere)"
            lines += ["", "BACKWARD" + ("" if self.arithmetic.given else alone)]
        for d in self.gradients:
            lines += [f"  {line}" for line in self.backward_lines(d)]
            if d.copies > 1:
                name = d.operand.called(d.place)
                copied = f"{name} was copied {d.copies} times by broadcasting"
                lines.append(f"  {copied}: the gradients of its copies add up.")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        n = len(self.arithmetic.below(self.start))
        ways = "print(it), .save('zoom.svg'), viz.step(it)"
        return f"<Zoom into {self.op}: {numbers.count(n, 'scalar')}; {ways}>"

    # ---- the picture -----------------------------------------------------------------------------
    def digraph(self, theme: str = "light") -> Digraph:
        return cells.digraph(self, style.theme(theme))


def expand(
    tensor: Root,
    index: Index = None,
    *,
    loss: Root = None,
    at: Mapping[str, Index] | None = None,
    params: Given = None,
    names: Given = None,
) -> Zoom:
    """The scalar arithmetic of the op that made ``tensor``: see the module's docstring.

    index   the output element to show, such as (1, 2); by itself one in the middle
    loss    the result whose gradients are wanted; without it, those of the sum of ``tensor``
    at      {"w": (0, 1)}: the elements whose gradients are shown; by itself elements that the
            output element reads

    Up to about 500 scalars the whole op is expanded, above that only the one output element. Raises
    TypeError for what is no Tensor, GraphError where no operation was recorded or values were
    freed, IndexError for an index outside.
    """
    trace, i, g = opened(tensor, loss, caller(), given_names(params, names))
    called = display_names(trace)
    name = "" if loss is None else called[trace.root]
    return Zoom(trace, i, spell(trace, i, called, g, index, name), index, at, name)


zoom = expand  # the same under the name of the stepper's key


def _code(trace: Trace, i: int) -> str:
    site = trace.nodes[i].site
    return "" if site is None else f"{os.path.basename(site.file)}, line {site.line}"
