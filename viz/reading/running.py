"""Programs of ops that are not spelled out in Scalars: how a page runs them on other values.

An op that picks elements is a list of places, whatever its name: it is found by running the op on
numbers that can be told apart. An op that is linear is a sum for each element: it is run on one
unit after the other. Both also where the numbers are complex, or of another kind; a complex number
is two numbers, its real and its imaginary part. What else is done with complex numbers is run on
pairs of Scalars (pairs.py), and what is done with dual numbers on Scalars whose derivatives carry
the tangents. Each program is compared with the op on several inputs, and with the
gradients that backward had, before it is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from microtorch import autograd
from microtorch.backends.expansion import Expansion
from microtorch.base.types import AnyArray
from microtorch.graph import Node, in_order
from microtorch.handles.scalar import Scalar
from microtorch.kinds.dual import Dual

from .arithmetic import Program
from .customs import custom
from .kinds import of_a_kind
from .measure import Computation, Data, attributes
from .pairs import Pair
from .replay import CLOSE, chosen, numbers_of
from .trace import Trace

UNITS = 256  # numbers that a linear op is run on, one after the other
TERMS = 1_500  # in the sums of a linear op, and ops of a program on pairs
PLACES = 4_096  # elements of a result that picks its elements
READ = 16_384  # elements of all operands
TOTAL = 30_000  # of all programs of a page
DRAWS = 3


def find_programs(trace: Trace) -> dict[int, Program]:
    """Programs by node: of each op, besides those that are spelled out, for which one is found."""
    found = trace.computation
    if found is None:
        return {}
    out: dict[int, Program] = {}
    left = TOTAL
    spelled = trace.arithmetic or {}
    for t in reversed(trace.nodes):  # what is nearest to the result first
        if not t.op or left < 0 or (t.id in spelled and spelled[t.id].steady):
            continue
        made = _Op(found, t.id).program()
        if made is not None:
            out[t.id] = made
            left -= len(made.inputs) + len(made.ops) + len(made.results)
    return out


class _Op:
    """One op of a graph as a function of rows of real numbers, one row for each operand."""

    def __init__(self, found: Computation, i: int):
        self.found, self.i = found, i
        self.node = found.nodes[i]
        self.inputs = found.inputs[i]
        values = [found.values[j] for j in self.inputs]
        self.known = found.values[i] is not None and all(v is not None for v in values)
        self.arrays = [np.asarray(v) for v in values] if self.known else []
        self.free = [p for p, x in enumerate(self.arrays) if x.dtype.kind in "fcV"]
        self.out = np.asarray(found.values[i]) if self.known else np.zeros(0)
        self.complex = any(np.iscomplexobj(x) for x in (self.out, *self.arrays))

    def run(self, rows: Sequence[np.ndarray]) -> np.ndarray | None:
        """The result as a row; ``rows``: of the operands that are no whole numbers."""
        values: dict[int, Data] = {j: x for j, x in zip(self.inputs, self.arrays, strict=True)}
        for p, row in zip(self.free, rows, strict=True):
            values[self.inputs[p]] = _array(row, self.arrays[p])
        try:
            with np.errstate(all="ignore"):
                made = self.found.rerun(self.i, values)
        except Exception:  # a kernel that these values do not suit
            return None
        if made is None or np.shape(made) != self.out.shape:
            return None
        return _row(np.asarray(made))

    def rows(self, draw: np.random.Generator, spread: float = 0.0) -> list[np.ndarray]:
        """Random rows for the operands; ``spread``: of their sizes, in powers of ten."""
        sizes = {self.inputs[p]: _row(self.arrays[p]).size for p in self.free}
        drawn = {
            j: draw.standard_normal(n) * 10 ** draw.uniform(-spread, spread, n)
            for j, n in sizes.items()
        }
        return [drawn[self.inputs[p]] for p in self.free]  # of x * x the same row twice

    def program(self) -> Program | None:
        repeated = len(set(self.inputs)) < len(self.inputs)
        two = self.complex or _dual(self.node)  # are the numbers pairs?
        if not self.free or (repeated and not two) or chosen(self.node.op.name):
            return None
        if sum(x.size for x in self.arrays) > READ:
            return None
        if custom(self.node) or (self.node.op.projection and custom(self.node.inputs[0])):
            return None
        ways: list[Callable[[], Program | None]] = [] if repeated else [self._moves, self._linear]
        ways += [self._pairs] if self.complex else [self._duals] if _dual(self.node) else []
        for way in ways:
            made = way()
            if made is not None and self._right(made):
                return made
        return None

    # ---- the elements of the result are elements of the operands ---------------------------------
    def _moves(self) -> Program | None:
        if not 0 < _row(self.out).size <= PLACES:
            return None
        draw = np.random.default_rng(0)
        before: list[Any] | None = None
        for _ in range(DRAWS):
            rows = self.rows(draw, 5.0)
            out = self.run(rows)
            if out is None:
                return None
            at = {v: (p, k) for p, row in zip(self.free, rows, strict=True)
                  for k, v in enumerate(row.tolist())}  # fmt: skip
            places = [at.get(v, v) for v in out.tolist()]
            if before is not None and before != places:
                return None
            before = places
        assert before is not None
        inputs = list(dict.fromkeys(x for x in before if isinstance(x, tuple)))
        constants = list(dict.fromkeys(x for x in before if not isinstance(x, tuple)))
        number = {x: k for k, x in enumerate([*inputs, *constants])}
        return Program(inputs, constants, [], [number[x] for x in before])

    # ---- or sums of them -------------------------------------------------------------------------
    def _linear(self) -> Program | None:
        rows = self.rows(np.random.default_rng(1))
        size = sum(row.size for row in rows)
        zero = self.run([0 * row for row in rows]) if 0 < size <= UNITS else None
        if zero is None or np.any(zero):
            return None
        a, b = (self.run([s * row for row in rows]) for s in (1.0, -2.5))
        if a is None or b is None or not np.allclose(-2.5 * a, b, rtol=1e-9, atol=1e-12):
            return None
        columns = []
        for q, row in enumerate(rows):
            for k in range(row.size):
                unit = [0 * r for r in rows]
                unit[q][k] = 1.0
                columns.append(self.run(unit))
        matrix = np.array(columns, float).T
        matrix[np.abs(matrix) < 1e-15 * np.abs(matrix).max(initial=1e-300)] = 0
        if not np.isfinite(matrix).all() or np.count_nonzero(matrix) > TERMS:
            return None
        inputs = [(p, k) for p, row in zip(self.free, rows, strict=True) for k in range(row.size)]
        constants = [*dict.fromkeys([0.0, *matrix[matrix != 0].tolist()])]
        number = {c: size + k for k, c in enumerate(constants)}
        ops: list[tuple[str, list[int]]] = []
        first = size + len(constants)
        results = []
        for line in matrix:
            total = number[0.0]
            for k in np.flatnonzero(line).tolist():
                term = k
                if line[k] != 1:
                    ops.append(("mul", [k, number[float(line[k])]]))
                    term = first + len(ops) - 1
                if total != number[0.0]:
                    ops.append(("add", [total, term]))
                    term = first + len(ops) - 1
                total = term
            results.append(total)
        return Program(inputs, constants, ops, results)

    # ---- or pairs of Scalars ---------------------------------------------------------------------
    def _cells(
        self, grid: Callable[[int, np.ndarray, list[Scalar]], np.ndarray]
    ) -> tuple[list[Scalar], list[tuple[int, int]], list[np.ndarray]]:
        """A Scalar for each number of the free operands; where it stands; and the operands, of
        which ``grid`` puts together those from their Scalars.
        """
        cells: list[Scalar] = []
        places: list[tuple[int, int]] = []
        given: list[np.ndarray] = []
        for p, x in enumerate(self.arrays):
            if p not in self.free:
                given.append(x)
                continue
            own = [Scalar(float(v)) for v in _row(x)]
            places += [(p, k) for k in range(len(own))]
            cells += own
            given.append(grid(p, x, own))
        return cells, places, given

    def _pairs(self) -> Program | None:
        def pairs(p: int, x: np.ndarray, own: list[Scalar]) -> np.ndarray:
            two = np.iscomplexobj(x)
            return _grid(x.shape, [
                Pair(own[2 * k], own[2 * k + 1]) if two else Pair(own[k], 0.0)
                for k in range(x.size)
            ])  # fmt: skip

        if max(_row(x).size for x in (self.out, *self.arrays)) > UNITS:
            return None
        with autograd.enable_grad():
            cells, places, given = self._cells(pairs)
            try:
                own_kernel = getattr(Pair, self.node.op.name, None)
                kernel = getattr(Expansion(), self.node.op.name)
                if own_kernel is not None and len(given) == 1:
                    kernel = np.frompyfunc(own_kernel, 1, 1)
                made = np.asarray(kernel(*given, **attributes(self.node)), object)
            except Exception:  # a Pair lacks what the kernel asks for
                return None
            results: list[Any] = []
            for cell in made.ravel():
                results += _parts(cell) if np.iscomplexobj(self.out) else [_real(cell)]
        return self._assembled(cells, places, results)

    # ---- or dual numbers: tangents by the derivatives that backward finds ------------------------
    def _duals(self) -> Program | None:
        moving: list[tuple[Scalar, Scalar]] = []

        def values(p: int, x: np.ndarray, own: list[Scalar]) -> np.ndarray:
            dual = _dual(self.found.nodes[self.inputs[p]])
            if dual:
                half = len(own) // 2
                moving.extend(zip(own[:half], own[half:], strict=True))
            return _grid(x.shape[dual:], own)

        if max(_row(x).size for x in (self.out, *self.arrays)) > UNITS:
            return None
        with autograd.enable_grad():
            cells, places, given = self._cells(values)
            try:
                kernel = getattr(Expansion(), self.node.op.name)
                made = np.asarray(kernel(*given, **attributes(self.node)), object).ravel().tolist()
            except Exception:  # a Scalar lacks what the kernel asks for
                return None
            if 2 * len(made) != self.out.size or len(made) * len(moving) > TERMS:
                return None
            tangents = [_tangent(cell, moving) for cell in made]
        return self._assembled(cells, places, [*made, *tangents])

    def _assembled(
        self, cells: list[Scalar], places: list[tuple[int, int]], results: list[Any]
    ) -> Program | None:
        """The program of ``results``, Scalars or numbers, from the Scalars at ``places``."""
        if len(results) != _row(self.out).size or None in results:
            return None
        nodes = in_order([*cells, *[r for r in results if isinstance(r, Scalar)]], constants=True)
        leaves = {c: k for k, c in enumerate(cells)}
        plain = [float(r) for r in results if not isinstance(r, Scalar)]
        constants = [n for n in nodes if n.op is None and n not in leaves]
        ops = [n for n in nodes if n.op is not None]
        if len(ops) > TERMS:
            return None
        slot = leaves | {n: len(cells) + k for k, n in enumerate(constants)}
        first = len(cells) + len(constants)
        slot |= {n: first + len(plain) + k for k, n in enumerate(ops)}
        rest = iter(range(first, first + len(plain)))
        return Program(
            places, [float(n.value) for n in constants] + plain,
            [(n.op.name, [slot[x] for x in n.inputs]) for n in ops],
            [slot[r] if isinstance(r, Scalar) else next(rest) for r in results],
        )  # fmt: skip

    # ---- is it right? ----------------------------------------------------------------------------
    def _right(self, made: Program) -> bool:
        """Does it give what the op gives, on these values and on others, and its gradients?"""
        draw = np.random.default_rng(2)
        static = numbers_of(self.node.attrs or {})
        tries = [[_row(self.arrays[p]).astype(float) for p in self.free]]
        tries += [self.rows(draw) for _ in range(DRAWS)]
        for rows in tries:
            operands: list[list[float]] = [[] for _ in self.arrays]
            for p, row in zip(self.free, rows, strict=True):
                operands[p] = row.tolist()
            wanted = self.run(rows)
            try:
                got = np.array(made.run(operands, static), float)
            except (ArithmeticError, ValueError):
                return False
            if wanted is None or not _close(got, wanted, CLOSE):
                return False
        return self._gradients(made)

    def _gradients(self, made: Program) -> bool:
        """A program without a choice has the derivative of the function that it computes. An op may
        have another, as an embedding has that leaves out its padding.
        """
        plain = all(n in ("add", "mul") for n, _ in made.ops)
        if not plain and (self.complex or _dual(self.node)):
            return True
        back = self.found.backward
        g = back.gradients.get(self.i)
        if g is None or isinstance(g, dict):
            return True
        rows = [_row(x).astype(float) if p in self.free else np.zeros(0)
                for p, x in enumerate(self.arrays)]  # fmt: skip
        sent = made.pulled([r.tolist() for r in rows], _row(np.asarray(g)).astype(float).tolist())
        for p in self.free:
            d = back.contributions.get((self.i, p))
            if d is None or isinstance(d, dict):
                continue
            had = _row(np.asarray(self.found.whole(self.inputs[p], d))).astype(float)
            if had.size != len(sent[p]) or not _close(np.array(sent[p]), had, 1e-2):
                return False
        return True


def _dual(node: Node) -> bool:
    """Does a node hold dual numbers, whose parts are plain ones?"""
    dev = node.dev
    return of_a_kind(dev) and dev.memory is Dual and not of_a_kind(dev.inner)


def _tangent(cell: object, moving: list[tuple[Scalar, Scalar]]) -> Scalar | float:
    """Σ ∂cell/∂x · ẋ over the values x that move, and their tangents ẋ."""
    if not isinstance(cell, Scalar) or not cell.requires_grad:
        return 0.0
    slopes = autograd.grad([cell], [x for x, _ in moving], create_graph=True, allow_unused=True)
    terms = [d * t for d, (_, t) in zip(slopes, moving, strict=True) if d is not None]
    out: Scalar | float = sum(terms[1:], terms[0]) if terms else 0.0
    return out


def _grid(shape: Sequence[int], cells: Sequence[Any]) -> np.ndarray:
    """The first cells as an array of objects, row by row."""
    grid = np.empty(shape, object)
    for place, cell in zip(np.ndindex(grid.shape), cells, strict=False):
        grid[place] = cell
    return grid


def _row(x: np.ndarray) -> np.ndarray:
    """An array as a row of real numbers."""
    x = np.ascontiguousarray(x)
    if x.dtype.kind == "c":
        return x.astype(complex).ravel().view(float)
    return x.astype(float).ravel()


def _array(row: np.ndarray, like: np.ndarray) -> np.ndarray:
    flat = np.ascontiguousarray(row).view(complex) if like.dtype.kind == "c" else row
    return flat.reshape(like.shape)


def _parts(cell: AnyArray) -> list[Any]:
    return [cell.re, cell.im] if isinstance(cell, Pair) else [cell, 0.0]


def _real(cell: AnyArray) -> AnyArray:
    return cell if not isinstance(cell, Pair) else cell.re if isinstance(cell.im, float) else None


def _close(a: np.ndarray, b: np.ndarray, close: float) -> bool:
    size = float(np.max(np.abs(b), initial=1e-300, where=np.isfinite(b)))
    return bool(np.allclose(a, b, rtol=0, atol=close * size, equal_nan=True))
