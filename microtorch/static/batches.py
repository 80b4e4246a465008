"""Products of many small matrices, and what is done to them, as one loop over the matrices.

Attention multiplies the queries and keys of each head: a product of as many matrices as there are
heads. Its scores are scaled, masked, made probabilities and multiplied again, and each of these
steps would go over all heads, whose numbers together do not fit the cache. ``batched`` turns the
loops inside out: for each head all of the steps. What only they need is then one matrix.

And what a product gives only to be copied into a part of a larger array, is made there (``homes``).
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .joined import elements, last, split
from .parts import new
from .rounds import Rounds
from .statements import Call, Copy, Each, Place, Product, View, makes, reads, row_major, writes
from .templates import Ref, replaced

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from ..base.types import Operand, Shape
    from .program import Program
    from .rounds import Rows
    from .statements import Lowered

# functions whose first operand is the number of rows, one after the other, of all arrays
OF_ROWS = frozenset("softmax log_softmax softmax_vjp0 log_softmax_vjp0".split())
SMALLEST = 128  # numbers of a matrix that is worth loops of its own


class Batch(NamedTuple):
    """``body``: statements on matrices, for each index of ``shape``. ``slices``: the body's values
    that are parts of values, one at each index; the others are made anew for each."""

    shape: Shape
    body: list[Lowered]
    slices: dict[int, int]


def once(items: Sequence[Lowered | Rounds | Batch]) -> Iterator[Lowered]:
    """The statements that are written, bodies once."""
    for x in items:
        if isinstance(x, (Rounds, Batch)):
            yield from x.body
        else:
            yield x


def batched(
    program: Program, items: Sequence[Lowered | Rounds], rows: dict[int, Rows], kept: set[int]
) -> list[Lowered | Rounds | Batch]:
    """The statements, with batches. ``kept``: values that are read after them."""
    fixed = kept | rows.keys()
    items = homes(program, late(program, items, fixed), fixed, rows)
    readers: dict[int, set[int]] = {}
    for x in once(items):
        for n in reads(x):
            readers.setdefault(n, set()).add(id(x))
    products = {s.result for s in items if isinstance(s, Product)}
    made_in = {s.result: s.base for s in items if isinstance(s, View) and s.result in products}
    done: list[Lowered | Rounds | Batch] = []
    i = 0
    while i < len(items):
        s = items[i]
        run = None
        if isinstance(s, Product):
            run = Run(program, program.values[s.result].shape[:-2], made_in)
        begin = i
        while run is not None and i < len(items) and run.takes(items[i]):
            i += 1
        if run is not None and run.work > 1:
            done += run.made(readers, fixed)
        else:
            i = begin + 1
            done.append(s)
    return done


class Run:
    """Successive statements on matrices for each index of ``shape``. ``made_in``: products, and the
    arrays that they are parts of, whichever run they or these are in."""

    def __init__(self, program: Program, shape: Shape, made_in: dict[int, int]):
        self.program, self.shape, self.depth = program, shape, len(shape)
        self.made_in = made_in
        self.before: list[Lowered] = []  # names of other memory, which are no work
        self.body: list[Lowered] = []
        self.inner: dict[int, int] = {}  # a value -> what the body calls its part
        self.new: set[int] = set()  # what the body makes
        self.views: list[View] = []  # of what the body makes
        self.open: set[int] = set()  # what it makes by parts, which is whole after it
        self.seen: set[int] = set()  # the statements that it is made of, by id
        self.work = 0

    def takes(self, s: Lowered | Rounds) -> bool:
        """Take a statement, if it belongs to the run."""
        if isinstance(s, Rounds) or math.prod(self.shape) == 1 or not self.depth:
            return False
        if isinstance(s, View):
            return self.view(s)
        if isinstance(s, Copy) and not s.parts and s.fill is None:
            self.before.append(s)
            return True
        fits = (isinstance(s, Each) and s.into is None) or (
            isinstance(s, Product) and s.bias is None
        ) or (isinstance(s, Call) and s.function in OF_ROWS)  # fmt: skip
        if not fits or not all(self.part(n, s) for n in [*reads(s), *makes(s)]):
            return False
        self.new.update(makes(s))
        self.open.update(self.made_in[n] for n in makes(s) if n in self.made_in)
        self.body.append(self.renumbered(s))
        self.seen.add(id(s))
        self.work += 1
        return True

    def part(self, n: int, s: Lowered) -> bool:
        """May a statement of the body read or make value n? Gives its part a number."""
        values = self.program.values
        if n in self.inner:
            return True
        if n in self.open:
            return False
        shape, made = values[n].shape, values[makes(s)[0]].shape
        if len(shape) < len(made):  # the same for each index
            return isinstance(s, Each) and len(shape) <= len(made) - self.depth
        inner = shape[self.depth :]
        if len(shape) != len(made) or not inner or any(
            m not in (1, k) for k, m in zip(self.shape, shape, strict=False)
        ):  # fmt: skip
            return False
        if n in makes(s) and (
            shape[: self.depth] != self.shape or math.prod(inner) < SMALLEST
        ):  # fmt: skip
            return False
        self.inner[n] = new(self.program, inner, n)
        return True

    def renumbered(self, s: Lowered) -> Lowered:
        """A statement about the parts."""

        def number(n: int) -> int:
            return self.inner.get(n, n)

        def operands(given: Operand) -> Operand:
            return replaced(given, lambda r: Ref(number(r.number)))

        if isinstance(s, Product):
            return s._replace(result=number(s.result), x=number(s.x), y=number(s.y))
        if isinstance(s, Each):
            return s._replace(result=number(s.result), operands=operands(s.operands))
        assert isinstance(s, Call)
        rows, *rest = operands(s.operands)
        return s._replace(operands=[rows // math.prod(self.shape), *rest],
                          makes=[*map(number, s.makes)])  # fmt: skip

    def view(self, s: View) -> bool:
        """Take another look at a value."""
        if s.base in self.open:
            return False
        if s.base not in self.new:
            self.before.append(s)
            return True
        values = self.program.values
        shape, base = values[s.result].shape, values[s.base].shape
        inner, size = s.strides[self.depth :], math.prod(base[self.depth :])
        far = s.start + sum((n - 1) * k for n, k in zip(shape[self.depth :], inner, strict=True))
        if shape[: self.depth] != self.shape or far >= size or (
            s.strides[: self.depth] != row_major(base)[: self.depth] or len(shape) == self.depth
        ):  # fmt: skip
            return False
        self.inner[s.result] = new(self.program, shape[self.depth :], s.result)
        self.new.add(s.result)
        self.views.append(s)
        self.seen.add(id(s))
        self.body.append(View(s.step, self.inner[s.result], self.inner[s.base], s.start, inner))
        return True

    def made(self, readers: dict[int, set[int]], kept: set[int]) -> list[Lowered | Rounds | Batch]:
        """The loop, and what stands before it."""
        there = kept | self.made_in.keys()
        there.update(n for n in self.new if readers.get(n, set()) - self.seen)
        after = [s for s in self.views if s.result in there]  # where they are read
        there.update(s.base for s in after)
        slices = {
            m: n for n, m in self.inner.items()
            if n not in self.new or (n in there and n not in {s.result for s in self.views})
        }  # fmt: skip
        return [*self.before, Batch(self.shape, self.body, slices), *after]


# ---- what is made when it is asked for -----------------------------------------------------------
def late(
    program: Program, items: Sequence[Lowered | Rounds], fixed: set[int]
) -> list[Lowered | Rounds]:
    """The statements, where numbers that one elementwise step asks for are computed there, so that
    one loop does both."""
    readers: dict[int, list[Lowered]] = {}
    for x in once(items):
        for n in {*reads(x)}:
            readers.setdefault(n, []).append(x)
    alone = {id(x) for x in items}
    waiting: dict[int, Each] = {}
    done: list[Lowered | Rounds] = []

    def give(n: int) -> None:
        if n in waiting:
            s = waiting.pop(n)
            for m in reads(s):
                give(m)
            done.append(s)

    for s in items:
        if isinstance(s, Rounds) or writes(s):  # which may write to what those that wait read
            for n in [*waiting]:
                give(n)
        elif isinstance(s, Each) and s.result not in fixed:
            to = readers.get(s.result, [])
            if len(to) == 1 and id(to[0]) in alone and isinstance(to[0], Each) and (
                to[0].into is None
                and program.values[to[0].result].shape == program.values[s.result].shape
            ):  # fmt: skip
                waiting[s.result] = s
                continue
        for n in () if isinstance(s, Rounds) else reads(s):
            give(n)
        done.append(s)
    return done


# ---- what is made where it is to be --------------------------------------------------------------
def homes(
    program: Program, items: Sequence[Lowered | Rounds], fixed: set[int], rows: Container[int]
) -> list[Lowered | Rounds]:
    """The statements, where results of products that are only copied are views of where to."""
    readers: dict[int, int] = {}
    for x in once(items):
        for n in {*reads(x)}:
            readers[n] = readers.get(n, 0) + 1
    views = {s.result: s for s in items if isinstance(s, View)}
    made = {s.result: (i, s) for i, s in enumerate(items) if isinstance(s, Product)}
    before: dict[int, list[Lowered]] = {}
    gone: set[int] = set()
    items = [*items]
    for i, s in enumerate(items):
        if not isinstance(s, Copy) or s.fill is not None or s.result in rows:
            continue
        found: list[View] = []
        left: list[tuple[int, Place]] = []
        for n, place in s.parts:
            chain = [n]  # views, and what they are of
            while chain[-1] in views:
                chain.append(views[chain[-1]].base)
            p, starts = chain[-1], sum(views[m].start for m in chain[:-1])
            free = p in made and p not in fixed and all(readers[m] == 1 for m in chain)
            seen = views[n].strides if n in views else row_major(place.shape)
            home = _home(program, made[p][1], seen, place) if free and not starts else None
            if home is None:
                left.append((n, place))
            else:
                found.append(View(s.step, p, s.result, place.start, home))
                gone.update(chain[:-1])
        if found:
            items[i] = s._replace(parts=left)
            first = min(made[v.result][0] for v in found)
            before.setdefault(first, []).extend([Copy(s.step, s.result, None, []), *found])
    done: list[Lowered | Rounds] = []
    for i, s in enumerate(items):
        if not isinstance(s, View) or s.result not in gone:
            done += [*before.get(i, ()), s]
    return done


def _home(program: Program, p: Product, seen: Shape, place: Place) -> Shape | None:
    """The strides that a product would have where it is copied to, if C can write it so;
    ``seen``: the strides with which the copy reads it."""
    shape = program.values[p.result].shape
    own = row_major(shape)
    if len(shape) < 3:
        return None
    home = [0] * len(shape)
    for i, (n, k) in enumerate(zip(shape, own, strict=True)):
        for m, t, far in zip(place.shape, seen, place.strides, strict=True):
            if n > 1 and t <= k and k % t == 0 and k * n <= t * m:
                home[i] = far * (k // t)
    if any(n > 1 and not k for n, k in zip(shape, home, strict=True)) or 1 not in home[-2:]:
        return None
    if not p.flat:
        return tuple(home)
    # the rows of one matrix are equally far apart; a bias is added along what lies together
    to = Place(0, 0, tuple(home), shape)
    probe = elements(np.zeros(last(to) + 1, np.uint8), to)
    matrix = split(probe, (math.prod(shape[:-1]), shape[-1]))
    if matrix is None or (p.bias is not None and matrix[1] != 1):
        return None
    return *[matrix[0] * k for k in row_major(shape[:-1])], matrix[1]
