"""Regions of a program as one C file to read."""
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..arrays.dtypes import F64
from .batches import Batch
from .c_text import counting, wrapped
from .emit_copies import copy
from .emit_each import each, joins
from .emit_places import Places
from .emit_products import product, updated
from .emit_sums import total
from .functions import functions, named
from .region import Piece, number_name
from .rounds import Rounds
from .statements import C_TYPES, Copy, Each, Product, Sum, View, reads
from .templates import Ref

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..base.types import Operand
    from .statements import Call, Lowered


class Emitter(Places):
    """Writes one region."""

    def text(self) -> str:
        """The function."""
        self.walk(self.items)
        self.plan()
        values, region = self.program.values, self.region
        written = {*region.written}
        given = []
        for n in [*region.takes, *region.gives]:
            kind, value = C_TYPES[values[n].dtype.name], values[n]
            constant = "const " * (n not in written and n in region.takes)
            how = ", changed" * (n in written) + ", made" * (n in region.gives)
            given.append((f"{constant}{kind} *restrict {self.names[n]}", f"{value}{how}"))
        given += [(f"double {number_name(region, x)}", "") for x in region.rates]
        block = self.size()
        if block:
            given.append(("char *restrict block", f"{block} bytes for what is made on the way"))
        at = f"block + {block - self.turned}"
        self.scratch += [f"{kind} *const {name} = ({kind} *)({at}); /* for products */"
                         for kind, name in self.kinds.items() if self.turned]  # fmt: skip
        arrays = [f"{kind} {', '.join(names)};" for kind, names in self.arrays.items()]
        lines = [*arrays, *self.scratch, *self.lines, "return 0;"]
        body = "".join(f"{wrapped(x)}\n" for x in lines)
        ends = [","] * (len(given) - 1) + [")"]
        head = "".join(f"    {text}{end}{f' /* {about} */' if about else ''}\n"
                       for (text, about), end in zip(given, ends, strict=True))  # fmt: skip
        return f"int {region.name}(\n{head}{{\n{body}}}\n"

    def size(self) -> int:
        """Bytes of the block that the function is given; known once its text is."""
        return self.memory.size + self.turned

    def walk(self, items: Sequence[Lowered | Rounds | Batch], rounds: Rounds | None = None) -> None:
        """Statements, those that fit together as one loop. ``rounds``: of which they are the body.
        """
        group: list[Each] = []
        at_once: set[int] = set()  # what has been done together with a statement before

        def close() -> None:
            """Write the loop of the group."""
            if group:
                self.piece([*group], lambda: each(self, [*group]))
                group.clear()

        for i, s in enumerate(items):
            if isinstance(s, Each) and joins(self, s, group):
                group.append(s)
                continue
            made = {g.result for g in group}
            if not (isinstance(s, View) and s.base in self.places.keys() - made):
                close()
            # a round begins ``moves`` further than the one before
            moves = rounds.starts[i] if rounds is not None else 0
            if isinstance(s, Rounds):
                self.rounds(s)
            elif isinstance(s, Batch):
                self.batch(s)
            elif isinstance(s, Each) and s.into is not None:
                start = s.into.start - moves * (rounds.first if rounds is not None else 0)
                to = s._replace(into=s.into._replace(start=start))
                self.piece([s], partial(each, self, [to], moves))
            elif isinstance(s, Each):
                group.append(s)
            elif isinstance(s, View):
                base = self.places[s.base]
                start = base.start + s.start - moves * (rounds.first if rounds is not None else 0)
                # the strides of what C makes itself are those of rows
                self.places[s.result] = base._replace(
                    start=start, strides=s.strides, moves=base.moves + moves
                )
                self.declared.add(s.result)
            elif isinstance(s, Sum):
                self.piece([s], partial(total, self, s))
            elif isinstance(s, Product):
                update = updated(self, s, items, i)
                both: list[Lowered] = [s] if update is None else [s, update]
                self.piece(both, partial(product, self, s, update))
                at_once.add(id(update))
            elif id(s) in at_once:
                pass
            elif isinstance(s, Copy):
                self.piece([s], partial(copy, self, s))
            else:
                self.piece([s], partial(self.calls, s))
        close()

    def piece(self, statements: list[Lowered], write: Callable[[], None]) -> None:
        """Lines that stand together, and what they are of."""
        n = len(self.lines)
        write()
        self.pieces.append(Piece(statements, self.lines[n:]))

    def around(self, loop: Rounds | Batch, head: list[str], rounds: Rounds | None) -> None:
        """The body of a loop, within the lines ``head`` that open it."""
        lines, pieces = self.lines, self.pieces
        self.lines, self.pieces, self.said = [], [], ""
        self.walk(loop.body, rounds)
        for line in reversed(head):
            self.lines = [line, *[f"    {x}" for x in self.lines], "}"]
        pieces.append(Piece([], self.lines, loop, tuple(self.pieces)))
        self.lines, self.pieces, self.said = [*lines, *self.lines], pieces, ""

    def rounds(self, x: Rounds) -> None:
        """A loop of rounds."""
        before = self.places
        self.places = before | {n: self.row(*row) for n, row in x.moved.items()}
        self.around(x, [f"for (int step = {x.first}; step < {x.end}; step++) {{"], x)
        self.places = before
        for rows, _, _ in x.moved.values():
            self.places |= {m: self.row(rows, i) for i, m in enumerate(rows.members)}

    def batch(self, x: Batch) -> None:
        """A loop over matrices."""
        index = [f"b{k}" for k in range(len(x.shape))]
        for m, n in x.slices.items():
            place = self.places[n] if n in self.places else self.new(n)
            terms = zip(index, place.strides, self.program.values[n].shape, strict=False)
            part = [f"{i} * {k}" for i, k, size in terms if size > 1]
            self.places[m] = place._replace(
                strides=place.strides[len(index) :], part=" + ".join(part)
            )
            self.declared.add(m)
            self.kept.add(m)
        self.around(x, [counting(*one) for one in zip(index, x.shape, strict=True)], None)

    def calls(self, s: Call) -> None:
        values = self.program.values
        kinds = {values[n].dtype.name: values[n].dtype for n in [*s.makes, *reads(s)]}
        d = next((kinds[k] for k in ("float64", "float32") if k in kinds), F64)
        typed = f"{s.function}@" in functions()
        if typed and "int64" in kinds and not {"float32", "float64"} & {*kinds}:
            d = kinds["int64"]
        self.call(s.function, d)
        for n in s.makes:
            self.new(n)
        self.comment([s])
        name = named(s.function, d.name) if typed or not s.checks else s.function
        given = ", ".join(self.operand(x, C_TYPES[d.name]) for x in s.operands)
        call = f"{name}({given})"
        self.lines += [f"if (!{call})", f"    return {s.checks};"] if s.checks else [f"{call};"]

    def operand(self, x: Operand, kind: str) -> str:
        if type(x) is Ref:
            return self.pointer(x.number)
        if isinstance(x, list):
            kind = f"const {kind} *const" if type(x[0]) is Ref else "const int"
            return f"({kind}[]){{{', '.join(self.operand(y, '') for y in x)}}}"
        if x is None:
            return "NULL"
        return number_name(self.region, x)
