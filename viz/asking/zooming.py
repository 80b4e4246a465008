"""Into a tensor op: the scalar arithmetic it consists of, forward and backward, cell by cell.

    z = viz.expand(m, (1, 2), loss=loss)     # m = x @ w
    print(z)                                 # m[1, 2] = x[1, 0]·w[0, 2] + x[1, 1]·w[1, 2] + ... with its numbers
    z.save("zoom.svg")                       # rows and columns that meet, the ghost copies of broadcasting
    viz.draw(z), viz.step(z)                 # it is an ordinary graph of Scalars

No op has code here. The reference kernel of the op runs on arrays of Scalars (backends/expansion.py), and so leaves the
graph of its own arithmetic behind. Backward runs on that graph with ``create_graph=True``, so that derivatives are
expressions too: which cells meet in a gradient is read off the expression, whatever the op.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from microtorch import autograd, errors, formulas
from microtorch.backends.expansion import Expansion
from microtorch.graph import in_order, user_frame
from microtorch.scalar import Scalar
from microtorch.tensor import Tensor

from ..drawing import style
from ..drawing.picture import _given
from ..reading import measure as replay
from ..reading.trace import GraphTooLarge, Trace
from ..telling import writing
from ..telling.steps import INFIX, display_names

MOST = 500  # scalars of an expansion; above, it is that of one output element
WORK = 60_000  # scalars made while looking for them, at most
Place = tuple[int, ...]


@dataclass
class Operand:
    """An input or the output: its values, the Scalars of those that were expanded, and where these stand."""

    name: str
    values: np.ndarray
    role: str
    needs: bool
    uses: int = 1  # operations that read it, and so add to its gradient
    cells: np.ndarray | None = None  # Scalars; None for what is not a number with a derivative, such as indices
    places: np.ndarray | None = None  # of each cell, in `values`

    def each(self) -> Iterator[tuple[Place, Scalar]]:
        if self.cells is not None:
            for k in np.ndindex(self.cells.shape):
                yield self.places[k], self.cells[k]  # type: ignore[index]

    def called(self, place: Place) -> str:
        return writing.element(self.name, place)


@dataclass
class Gradient:
    """How one element of an operand gets its gradient: an expression of Scalars, and the places it reads."""

    operand: Operand
    place: Place
    expression: Scalar | None
    reads: dict[str, set[Place]]  # operand name (or "g") -> places
    values: np.ndarray  # of all expanded elements of the operand, NaN elsewhere
    copies: int  # in so many output cells is the element, by broadcasting; 0: no broadcasting

    @property
    def value(self) -> float:
        return float(self.values[self.place])


class Zoom:
    """One tensor op as scalar arithmetic. ``text``, ``save()``, and a graph of Scalars for ``viz.draw`` and ``viz.step``.

    ``cell``: the Scalar of the chosen output element. ``root``: that cell if an index was asked for or the op is large,
    else Σ g·cell over all of them, whose gradients are those of the loss.
    """

    def __init__(self, trace: Trace, i: int, known: list[Any], g: Any, index: Any, at: Any, loss: str):
        node, names = trace._graph[i], display_names(trace)
        self.op, self.attrs = node.op, node.attrs or {}
        self.name, self.loss, self.note = names[i], loss, ""
        self.code = _code(trace, i)
        self.inputs: list[Operand] = []
        for j, name in zip(trace.nodes[i].inputs, names_of(trace, i, names), strict=True):
            values = np.asarray(known[j])
            uses = sum(e.source == j for e in trace.edges)
            self.inputs.append(Operand(name, values, trace.nodes[j].role, trace.nodes[j].needs, uses))
        out = np.asarray(known[i])
        self.output = Operand(self.name, out, "intermediate", True)
        self.index = tuple(n // 2 for n in out.shape) if index is None else _index(index, out.shape, self.name)
        slices = self._narrow()
        self._run(slices)
        whole = slices is None
        if whole and len(in_order([c for _, c in self.output.each()], constants=True)) > MOST and out.size > 1:
            whole = False
        self.whole = whole
        if not whole:
            self.note = f"{self.name} has {out.size:,} elements; this is the arithmetic of one"
        self.g = None if g is None else np.asarray(g, float).reshape(out.shape)
        self._seed()
        chosen = index is not None or not whole or out.size == 1
        self.root = self.cell if chosen else self._sum
        if chosen:
            self.root.label = self.output.called(self.index) if out.ndim else self.name
        self.gradients = [self._gradient(x, at) for x in self.inputs if x.needs and x.cells is not None]

    # ---- forward ---------------------------------------------------------------------------------------------------
    def _narrow(self) -> list[tuple[slice, ...]] | None:
        """Which parts of the inputs the chosen element needs, where the whole would be too much work."""
        shapes = [x.values.shape for x in self.inputs]
        size, inner = self.output.values.size, 1
        if self.op.name in ("matmul", "linear"):
            inner = 2 * shapes[0][-1]
        elif self.op.name.startswith("conv"):
            inner = 2 * int(np.prod(shapes[1][1:]))
        if size * inner <= WORK and sum(int(np.prod(s)) for s in shapes) <= WORK:
            return None
        at = self.index
        if self.op.name in formulas.TABLE:
            return [tuple(_one(at[len(at) - len(s) + k] if n > 1 else 0) for k, n in enumerate(s)) for s in shapes]
        if self.op.name == "linear":
            rows = [*(_one(k) for k in at[:-1]), slice(None)]
            return [tuple(rows), (_one(at[-1]), slice(None)), (_one(at[-1]),)][: len(shapes)]
        if self.op.name == "matmul" and [len(s) for s in shapes] == [2, 2]:
            return [(_one(at[0]), slice(None)), (slice(None), _one(at[1]))]
        what = f"{self.op.name} on {', '.join(style.shape(s) for s in shapes)} is too much to spell out in scalars"
        raise GraphTooLarge(errors.message(what, fix="expand the same op on a smaller tensor"))

    def _run(self, slices: list[tuple[slice, ...]] | None) -> None:
        """The op's own kernel, on Scalars."""
        given: list[Any] = []
        for k, x in enumerate(self.inputs):
            if x.values.dtype.kind != "f":
                given.append(x.values)
                continue
            places = _places(x.values.shape)
            x.places = places if slices is None else places[slices[k]]
            x.cells = np.empty(x.places.shape, object)
            for c in np.ndindex(x.cells.shape):
                place = x.places[c]
                scalar = Scalar(float(x.values[place]), writing.element(x.name, place), requires_grad=x.needs)
                scalar.code = None  # made here, not in a line of the user's
                x.cells[c] = scalar
            given.append(x.cells if x.values.ndim else np.array(x.cells.reshape(()), object))
        attrs = {k: v for k, v in self.attrs.items() if k != "dtype"}
        try:
            with autograd.enable_grad():
                cells = np.asarray(getattr(Expansion(), self.op.name)(*given, **attrs), object)
        except Exception as error:
            what = f"expand(): {self.op.name} cannot be spelled out in scalars: {str(error).splitlines()[0]}"
            raise errors.GraphError(errors.message(what, fix="draw the graph around it: viz.draw(loss)")) from None
        places = _places(self.output.values.shape)
        if slices is not None:
            places = np.array(places[self.index], object, ndmin=0)
            own = np.empty(cells.shape, object)
            own.fill(self.index)
            places = own
        self.output.cells, self.output.places = cells, places.reshape(cells.shape)
        for n in in_order([c for _, c in self.output.each()], constants=True):
            if n.op is not None:
                n.code = n.scope = None
        self.cell: Scalar = dict(self.output.each())[self.index]

    # ---- backward --------------------------------------------------------------------------------------------------
    def _seed(self) -> None:
        """The gradients of the output as Scalars, and the sum whose derivatives are the loss's."""
        g = np.ones(self.output.values.shape) if self.g is None else self.g
        self.g_values = g
        self.seeds: dict[Place, Scalar] = {}
        self._sum: Any = None
        for place, c in self.output.each():
            if not c.needs or (not self.whole and place != self.index):
                continue
            seed = self.seeds[place] = Scalar(float(g[place]), self.upstream(place), requires_grad=False)
            seed.code = None
            term = seed * c
            self._sum = term if self._sum is None else self._sum + term
        if self._sum is None:
            return
        for n in in_order([self._sum], constants=True):
            if n.op is not None:
                n.code = n.scope = None
        self._sum.label = self.loss or "L"

    def upstream(self, place: Place | None = None) -> str:
        return f"∂{self.loss or 'L'}/∂{self.name if place is None else self.output.called(place)}"

    def _gradient(self, x: Operand, at: Any) -> Gradient:
        """The gradient of one element of x as an expression, and of all as numbers."""
        reached = set(in_order([self.cell]))
        inside = [place for place, c in x.each() if c in reached]
        wanted = (at or {}).get(x.name)
        place = inside[len(inside) // 2] if wanted is None and inside else (wanted or (0,) * x.values.ndim)
        place = _index(place, x.values.shape, x.name)
        scalar = dict(x.each()).get(place)
        values = np.full(x.values.shape, np.nan)
        if self._sum is None or scalar is None:
            return Gradient(x, place, None, {}, values, 0)
        leaves = [c for _, c in x.each()]
        found = autograd.grad([self._sum], leaves, create_graph=True, allow_unused=True)
        for (p, _), d in zip(x.each(), found, strict=True):
            values[p] = 0.0 if d is None else float(d)
        expression = dict(zip((p for p, _ in x.each()), found, strict=True))[place]
        reads: dict[str, set[Place]] = {}
        if expression is not None:
            nodes = set(in_order([expression], constants=True))
            for other in self.inputs:
                reads[other.name] = {p for p, c in other.each() if c in nodes}
            reads["g"] = {p for p, c in self.seeds.items() if c in nodes}
        return Gradient(x, place, expression, reads, values, self._copies(x, place))

    def _copies(self, x: Operand, place: Place) -> int:
        """How many output cells hold the element because x was broadcast; 0 if each output cell reads more of x than one."""
        out = self.output.values.shape
        if not self.whole or x.values.shape == out or not out:
            return 0
        try:
            copied = np.broadcast_to(x.cells, out)  # type: ignore[arg-type]
        except ValueError:
            return 0
        mine = set(c for _, c in x.each())
        for p, c in self.output.each():
            if {n for n in in_order([c]) if n in mine} != {copied[p]}:
                return 0
        chosen = dict(x.each())[place]
        return sum(copied[p] is chosen for p in np.ndindex(out))

    # ---- what it says ----------------------------------------------------------------------------------------------
    @property
    def headline(self) -> str:
        shapes = [f"{x.name} {style.shape(x.values.shape)}" for x in self.inputs]
        sign = f" {INFIX[self.op.name]} " if self.op.name in INFIX and len(shapes) == 2 else ", "
        inner = sign.join(shapes)
        expression = inner if sign != ", " else f"{self.op.name}({inner})"
        return f"{self.name} {style.shape(self.output.values.shape)} = {expression}"

    def forward_lines(self) -> list[str]:
        """The chosen output element: in names, in numbers, and its value."""
        return [*writing.equation(self.output.called(self.index), self.cell)]

    def backward_lines(self, gradient: Gradient) -> list[str]:
        left = f"∂{self.loss or 'L'}/∂{gradient.operand.called(gradient.place)}"
        if gradient.expression is None:
            return [f"{left} = 0: no gradient comes back"]
        more = not self.whole or gradient.operand.uses > 1
        return writing.equation(left, gradient.expression, "+" if more else "", newest_first=True)

    @property
    def text(self) -> str:
        """Forward and backward with the sums written out."""
        lines = [self.headline + (f"      {self.code}" if self.code else "")]
        if self.note:
            lines.append(f"({self.note})")
        lines += ["", "FORWARD", *(f"  {line}" for line in self.forward_lines())]
        if self.gradients:
            given = "" if self.g is not None else f"   (no loss was given: {self.upstream()} is 1 everywhere)"
            lines += ["", "BACKWARD" + given]
        for d in self.gradients:
            lines += [f"  {line}" for line in self.backward_lines(d)]
            if d.copies > 1:
                name = d.operand.called(d.place)
                lines.append(f"  {name} was copied {d.copies} times by broadcasting: the gradients of its copies add up.")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        n = len(in_order([self.root], constants=True))
        return f"<Zoom into {self.op.name}: {style.count(n, 'scalar')}; print(it), .save('zoom.svg'), viz.step(it)>"

    # ---- the picture -----------------------------------------------------------------------------------------------
    def digraph(self, theme: str = "light") -> Any:
        from . import cells

        return cells.digraph(self, style.theme(theme))

    def pipe(self, format: str = "svg", dpi: float | None = None, theme: str = "light") -> bytes:
        """The picture as bytes: svg, png, pdf or dot."""
        from ..drawing import render

        source = self.digraph(theme).source
        return source.encode() if format in ("dot", "gv") else render.render(source, format, dpi)

    def save(self, path: str | os.PathLike[str], dpi: float | None = None, theme: str = "light") -> str:
        """Write the cells as a picture (.svg .png .pdf .dot) or the sums as text (.txt). Returns the path."""
        path = os.fspath(path)
        suffix = os.path.splitext(path)[1].lower().lstrip(".")
        if suffix not in ("svg", "png", "pdf", "dot", "gv", "txt"):
            raise ValueError(f"save({path!r}): use one of .svg, .png, .pdf, .dot, .txt")
        data = self.text.encode() + b"\n" if suffix == "txt" else self.pipe(suffix, dpi, theme)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from ..drawing import render

        try:
            return {"image/svg+xml": self.pipe("svg").decode(), "text/plain": self.text}
        except render.RenderError:
            return {"text/plain": self.text}


def expand(
    tensor: Any, index: Any = None, *, loss: Any = None, at: Any = None, params: Any = None, names: Any = None
) -> Zoom:
    """The scalar arithmetic of the op that made ``tensor``: see the module's docstring.

    index   the output element to show, such as (1, 2); by itself one in the middle
    loss    the result of which gradients are wanted; without it they are those of the sum of ``tensor``
    at      {"w": (0, 1)}: the elements whose gradients are shown; by itself elements that the output element reads

    Up to about 500 scalars the whole op is expanded, above only the one output element. Raises TypeError for what is
    no Tensor, GraphError where no operation was recorded or values were freed, IndexError for an index outside.
    """
    if not isinstance(tensor, Tensor):
        kind = "a Scalar, which is one already" if isinstance(tensor, Scalar) else type(tensor).__name__
        raise TypeError(errors.message(f"expand() takes a Tensor, but got {kind}", fix="viz.draw shows graphs of Scalars"))
    frame, given = user_frame(sys._getframe(1)), _given(params, names)
    trace = Trace.skeleton(tensor if loss is None else loss, "expand", most=10_000)
    node, g, called = tensor.node, None, ""
    if node.op is None:
        Trace.skeleton(tensor, "expand")  # raises: nothing was recorded
    if node not in trace._graph:
        raise ValueError(errors.message("expand(): loss does not depend on this tensor", fix="pass the loss computed from it"))
    i = trace._graph.index(node)
    trace.fill(frame, given, gradients=loss is not None)
    known = replay.values(trace._graph, trace._root_value)
    if any(known[j] is None for j in (i, *trace.nodes[i].inputs)):
        fix = "expand before optimizer.step(), or compute the loss again"
        raise errors.GraphError(errors.message("expand(): values were freed by backward or overwritten", fix=fix))
    if loss is not None:
        result = replay.Replay(trace._graph, known)
        g = result.gradients.get(i)
        if g is None:
            raise errors.GraphError(errors.message(f"expand(): {result.reason or 'no gradient reaches this tensor'}"))
        called = display_names(trace)[trace.root]
    elif tensor.node.grad is not None:
        g = tensor.node.grad.array
    return Zoom(trace, i, known, g, index, at, called)


zoom = expand  # the same under the name of the stepper's key


def names_of(trace: Trace, i: int, names: list[str]) -> list[str]:
    """Names of the operands; different ones also where the same value stands twice."""
    out: list[str] = []
    for j in trace.nodes[i].inputs:
        name = names[j]
        out.append(name + "*" * out.count(name))
    return out


def _code(trace: Trace, i: int) -> str:
    site = trace.nodes[i].site
    if site is None:
        return ""
    return f"{os.path.basename(site['file'])}, line {site['line']}"


def _places(shape: Place) -> np.ndarray:
    out = np.empty(shape, object)
    for place in np.ndindex(shape):
        out[place] = place
    return out


def _one(k: int) -> slice:
    return slice(k, k + 1)


def _index(index: Any, shape: Place, name: str) -> Place:
    index = tuple(index) if isinstance(index, (tuple, list)) else (index,)
    fits = len(index) == len(shape) and all(
        isinstance(k, (int, np.integer)) and -n <= k < n for k, n in zip(index, shape, strict=False)
    )
    if not fits:
        raise IndexError(errors.message(f"{name} has shape {shape}, and {index} is not one of its elements"))
    return tuple(int(k) % n for k, n in zip(index, shape, strict=True))
