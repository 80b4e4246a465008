"""Regions of a program as one C file to read."""
from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from ..arrays.dtypes import F64
from ..notation import expr
from .c_text import Lies, bare, counting, dialect, number, plus, wrapped
from .functions import named
from .memory import planned
from .region import rate_name
from .rounds import LEAST, Rounds, once, rolled
from .statements import (
    C_TYPES,
    Call,
    Copy,
    Each,
    Product,
    Sum,
    View,
    makes,
    reads,
    row_major,
)
from .templates import Rate, Ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..base.types import DType, Operand, Shape
    from .program import Program
    from .region import Region
    from .rounds import Rows
    from .statements import Lowered


NARROW = 8  # columns of a product below which its tiles would be nearly empty
LONG = 1 << 17  # bytes that a region makes if it takes longer than a change of threads
TILE = 16  # columns of a tile (c/head.txt)
SHORT = 48  # characters of a number that is written where it is used, if that is one place
DOT = 5  # what a sum along a row costs besides, in steps of a tile


class Emitter:
    """Writes one region. ``names``: what its inputs and outputs are called."""

    def __init__(self, program: Program, region: Region, names: dict[int, str]):
        self.program, self.region, self.names = program, region, names
        self.places: dict[int, Lies] = {}
        self.lines: list[str] = []
        self.scratch: list[str] = []
        self.called: set[tuple[str, str]] = set()  # functions, and of which type
        self.items, self.rows = rolled(program, region.steps, {*region.gives})
        self.memory = planned(program, self.items, self.rows, {*region.gives})
        made = [program.values[n].nbytes for s in region.steps for n in makes(s)]
        self.long = sum(made) > LONG
        self.said = ""  # the last comment
        self.readers: dict[int, set[int]] = {}  # the statements that read a value, by id
        for s in once(self.items):
            for n in reads(s):
                self.readers.setdefault(n, set()).add(id(s))
        self.declared: set[int] = set()
        self.turned = 0  # bytes of the largest array that a product lays out anew
        for n in region.takes:
            value = program.values[n]
            strides = tuple([s // value.dtype.itemsize for s in value.strides])
            self.places[n] = Lies(names[n], 0, strides)

    # ---- elements --------------------------------------------------------------------------------
    def at(self, n: int, index: list[str], shape: Shape) -> str:
        """The element of value n at an index of the (larger) shape."""
        value, constant = self.program.values[n], self.program.constants.get(n)
        if constant is not None and n not in self.places:
            return number(constant.item(), value.dtype)
        place = self.places[n]
        extra = len(shape) - len(value.shape)
        used = [i for i, size in enumerate(value.shape) if size > 1]
        at = place.at([index[i + extra] for i in used], [place.strides[i] for i in used])
        return f"{place.name}[{at}]"

    def pointer(self, n: int) -> str:
        """Where a value that lies row by row begins."""
        place = self.places[n]
        return plus(place.name, place.at())

    def new(self, n: int) -> Lies:
        """Memory for value n: an output, an array, a place in the block, or a row of these."""
        value, rows = self.program.values[n], self.rows.get(n)
        head, shape = (n, value.shape) if rows is None else (
            rows.members[0], (rows.height, *value.shape)
        )  # fmt: skip
        if head in self.declared:
            return self.places[n]
        self.declared.add(head)
        name = self.names.get(head, f"v{head}")
        kind, room = C_TYPES[value.dtype.name], self.memory.rooms.get(head)
        if head in self.memory.stack:
            size = max(math.prod(shape), 1)
            sizes = size if rows is None else f"{rows.height} * {size // rows.height}"
            self.scratch.append(f"{'ALIGNED ' * (size >= TILE)}{kind} {name}[{sizes}];")
        elif room is not None:
            about = f"/* {list(shape)}, {room.size} bytes */"
            self.scratch.append(f"{kind} *const {name} = ({kind} *)(block + {room.start}); {about}")
        if rows is None:
            self.places[n] = Lies(name, 0, row_major(value.shape))
        else:
            self.places |= {m: self.row(rows, i) for i, m in enumerate(rows.members)
                            if m not in self.places}  # fmt: skip
        return self.places[n]

    def row(self, rows: Rows, first: int, step: int = 0) -> Lies:
        """A row of an array: ``first`` + ``step`` times the round."""
        head = rows.members[0]
        shape = self.program.values[head].shape
        name, size = self.names.get(head, f"v{head}"), math.prod(shape)
        if not rows.turns or not step:
            first = first % 2 if rows.turns else first
            return Lies(name, first * size, row_major(shape), step * size)
        turn = "step % 2" if first == 0 else "(step + 1) % 2"
        return Lies(name, 0, row_major(shape), 0, turn if size == 1 else f"{size} * ({turn})")

    def rounds(self, x: Rounds) -> None:
        """A loop of rounds."""
        before, lines = self.places, self.lines
        moved = {n: self.row(*row) for n, row in x.moved.items()}
        self.places, self.lines, self.said = before | moved, [], ""
        self.walk(x.body, x)
        head = f"for (int step = {x.first}; step < {x.end}; step++) {{"
        self.lines = [*lines, head, *[f"    {line}" for line in self.lines], "}"]
        self.places, self.said = before, ""
        for rows, _, _ in x.moved.values():
            self.places |= {m: self.row(rows, i) for i, m in enumerate(rows.members)}

    # ---- loops -----------------------------------------------------------------------------------
    def loops(self, shape: Shape, flat: bool) -> tuple[list[str], list[str], int]:
        """Lines that open loops over a shape, the indices, and how many braces to close."""
        if flat:
            n = math.prod(shape)
            return ([f"for (int i = 0; i < {n}; i++) {{"] if n != 1 else ["{"]), ["i"], 1
        names = [f"i{k}" for k in range(len(shape))]
        opened, depth = [], 0
        for name, n in zip(names, shape, strict=True):
            opened.append("    " * depth + f"for (int {name} = 0; {name} < {n}; {name}++) {{")
            depth += 1
        return opened, names, depth

    def comment(self, steps: Iterable[Lowered]) -> None:
        seen: dict[str, list[str]] = {}
        for s in steps:
            seen.setdefault(str(s.step.site), []).append(s.step.name)
        what = "; ".join(f"{site}: {', '.join(names)}" for site, names in seen.items())
        if what != self.said:
            self.lines.append(f"/* {what} */")
        self.said = what

    def each(self, group: list[Each], moves: int = 0) -> None:
        """One loop for a chain of elementwise steps of one shape. ``moves``: how much further the
        next round of a loop writes."""
        values, into = self.program.values, group[0].into
        shape = values[group[0].result].shape if into is None else into.shape
        made = {s.result for s in group} if into is None else set()
        read = {x.number for s in group for x in s.operands.values() if type(x) is Ref} - made
        flat = into is None and all(
            values[n].shape in (shape, ()) or math.prod(values[n].shape) == 1
            for n in read
        ) and all(
            math.prod(values[n].shape) == 1 or (n in self.places
            and self.places[n].strides == row_major(shape))
            for n in read
        )  # fmt: skip
        opened, index, depth = self.loops(shape, flat)
        self.comment(group)
        kept = self.read_later(group)
        stored = {n: self.new(n) for n in made if n in kept}
        moving = any(n in self.places and self.moves(n) for n in read)
        if moving and any(map(self.moves, stored)) and opened[-1].lstrip().startswith("for"):
            opened[-1] = f"{'    ' * (len(opened) - 1)}INDEPENDENT {opened[-1].lstrip()}"
        first = len(self.lines) + len(opened)
        self.lines += opened
        tab = "    " * depth
        local: dict[int, str] = {}
        uses = self.uses(group)

        def element(n: int) -> str:
            """Of the array for value n, where this loop is."""
            to = stored[n]
            strides = (1,) if flat else row_major(shape)
            one = flat and math.prod(shape) == 1
            return f"{to.name}[{to.at() if one else to.at(index, strides)}]"

        for s in group:
            d = values[s.result].dtype
            floats = next(
                (values[x.number].dtype for x in s.operands.values() if type(x) is Ref
                 and values[x.number].dtype.kind != "b"), d)  # fmt: skip
            texts: dict[str, str] = {}
            for k, x in s.operands.items():
                if type(x) is not Ref:
                    texts[k] = number(x, floats)
                elif x.number in local:
                    texts[k] = local[x.number]
                elif flat and math.prod(values[x.number].shape) != 1:
                    place = self.places[x.number]
                    texts[k] = f"{place.name}[{place.at(index, [1])}]"
                else:
                    texts[k] = self.at(x.number, index, shape)
                if "where" in expr.functions(s.formula) and "[" in texts[k]:
                    # read on either side of the condition: so the loop becomes vector code
                    kind = C_TYPES[values[x.number].dtype.name]
                    self.lines.append(f"{tab}const {kind} t{s.result}{k} = {texts[k]};")
                    texts[k] = f"t{s.result}{k}"
            spoken = dialect(floats)._replace(name=texts.__getitem__)
            text = bare(expr.render(s.formula, spoken))
            name = f"t{s.result}"
            if into is not None:
                to = self.places[into.base]
                to = to._replace(start=to.start + into.start, moves=to.moves + moves)
                at = to.at(index, into.strides)
                self.lines.append(f"{tab}{to.name}[{at}] = {text};")
                break
            if s.result not in uses and s.result in stored:
                self.lines.append(f"{tab}{element(s.result)} = {text};")
                continue
            once = uses.get(s.result) == 1 and len(text) < SHORT and d.kind == "f"
            if text in local.values() or (once and s.result not in stored and d == floats):
                plain = re.fullmatch(r"[\w.]+(\([^()]*\))?|\w+\[[^][]*\]", text)
                local[s.result] = text if plain else f"({text})"
                continue
            self.lines.append(f"{tab}const {C_TYPES[d.name]} {name} = {text};")
            local[s.result] = name
            if s.result in stored:
                self.lines.append(f"{tab}{element(s.result)} = {name};")
        if len(self.lines) == first + 1:
            depth -= 1
            self.lines[first - 1] = self.lines[first - 1].removesuffix(" {")
        if self.lines[first - 1] == "{" and depth == 0:
            self.lines[first - 1 :] = [self.lines[first].strip()]
        self.lines += ["    " * i + "}" for i in reversed(range(depth))]

    @staticmethod
    def uses(group: list[Each]) -> dict[int, int]:
        """How often the text of a group mentions each value."""
        found: dict[int, int] = {}
        for s in group:
            for k, x in s.operands.items():
                if type(x) is Ref:
                    mentions = len(re.findall(rf"\b{k}\b", s.formula))
                    found[x.number] = found.get(x.number, 0) + mentions
        return found

    def read_later(self, group: list[Each]) -> set[int]:
        """Which results of a group are read outside it."""
        steps = {id(s) for s in group}
        read = {s.result for s in group if self.readers.get(s.result, steps) - steps}
        return read | self.rows.keys() | set(self.region.gives)

    def moves(self, n: int) -> bool:
        """Does a value lie elsewhere in each round of a loop?"""
        return bool(self.places[n].moves or self.places[n].turns)

    def sum(self, s: Sum) -> None:
        """A sum: of each element that stays, or where neighbours stay, of a row of them at a time.
        """
        value, shape = self.program.values[s.result], self.program.values[s.operand].shape
        out, kind = self.new(s.result), C_TYPES[value.dtype.name]
        if self.sum_in_a_row(s, out):
            return
        kept = [i for i in range(len(shape)) if i not in s.dims and shape[i] > 1]
        dims = [i for i in s.dims if shape[i] > 1]
        index = ["0" if n == 1 else f"i{k}" for k, n in enumerate(shape)]
        x = self.at(s.operand, index, shape)
        strides = dict(zip(kept, row_major(tuple([shape[i] for i in kept])), strict=True))
        self.comment([s])
        width = shape[kept[-1]] if kept else 1
        aside = bool(kept and dims) and kept[-1] > dims[-1] and width <= 1024
        row = kept[-1] if aside else -1
        lines, depth = [], 0
        for i in kept[: -1 if aside else None]:
            lines.append("    " * depth + counting(index[i], shape[i]))
            depth += 1
        if not depth:
            lines, depth = ["{"], 1
        tab = "    " * depth
        lines.append(f"{tab}double total{f'[{width}] = {{0}}' if aside else ' = 0'};")
        for k, i in enumerate([*dims, *([row] if aside else [])]):
            mark = "ADDED_UP " * (not aside and k == len(dims) - 1)
            lines.append(tab + "    " * k + mark + counting(index[i], shape[i]).removesuffix(" {"))
        inner = tab + "    " * (len(dims) + aside)
        lines.append(f"{inner}total{f'[{index[row]}]' if aside else ''} += {x};")
        place = f"{out.name}[{out.at([index[i] for i in kept], [strides[i] for i in kept])}]"
        over = "" if s.divisor == 1 else f" / {s.divisor}"
        if aside:
            lines.append(tab + counting(index[row], width).removesuffix(" {"))
            lines.append(f"{tab}    {place} = ({kind})(total[{index[row]}]{over});")
        else:
            lines.append(f"{tab}{place} = ({kind})(total{over});")
        self.lines += [*lines, *["    " * k + "}" for k in reversed(range(depth))]]

    def sum_in_a_row(self, s: Sum, out: Lies) -> bool:
        """A sum of all that lies in a row, or of rows that do; False: it is neither."""
        value, shape = self.program.values[s.result], self.program.values[s.operand].shape
        seen, kind = self.places[s.operand], C_TYPES[value.dtype.name]
        size, columns = math.prod(shape), math.prod(value.shape)
        if seen.strides != row_major(shape):
            return False
        if len(s.dims) == len(shape):
            over = "" if s.divisor == 1 else f" / {s.divisor}"
            self.comment([s])
            self.lines += [
                "{", "    double total = 0;",
                f"    ADDED_UP {counting('i', size).removesuffix(' {')}",
                f"        total += {seen.name}[{seen.at(['i'], [1])}];",
                f"    {out.name}[{out.at()}] = ({kind})(total{over});", "}",
            ]  # fmt: skip
            return True
        if s.divisor == 1 and s.dims == (*range(len(s.dims)),) and 1 < columns <= 1024:
            self.call("rows_sum", value.dtype)
            self.comment([s])
            given = f"{size // columns}, {columns}, {self.pointer(s.operand)}"
            called = f"{named('rows_sum', value.dtype.name)}({given}"
            self.lines.append(f"{called}, {plus(out.name, out.at())});")
            return True
        return False

    def product(self, s: Product) -> None:
        """A product: its tiles, or where a row of y does not lie together, y first laid out."""
        values, d = self.program.values, self.program.values[s.result].dtype
        shape, kind = values[s.result].shape, C_TYPES[d.name]
        a, b = (self.matrix(n, s.step.name) for n in (s.x, s.y))
        (*batch, m, n), _ = a
        inner, rows = (m, n) if s.x_turned else (n, m)
        columns = b[0][-2] if s.y_turned else b[0][-1]
        xi, xk = a[1][-2:][:: -1 if s.x_turned else 1]
        yk, yj = b[1][-2:][:: -1 if s.y_turned else 1]
        out = self.new(s.result)
        self.comment([s])
        index = [f"i{k}" for k in range(len(batch))]
        for k, size in enumerate(batch):
            self.lines.append("    " * k + counting(index[k], size))
        tab = "    " * len(batch)
        x, y, bias, to = (
            self.begins(s.x, index, a[1]), self.begins(s.y, index, b[1]),
            "NULL" if s.bias is None else self.pointer(s.bias),
            plus(out.name, out.at(index, row_major(tuple(shape))[: len(batch)])),
        )  # fmt: skip
        rows_, d_ = f"({kind} *)rows", d.name
        small, sizes = columns < NARROW, f"{rows}, {columns}, {inner}"

        def say(name: str, *given: object) -> None:
            self.call(name, d)
            self.lines.append(f"{tab}{named(name, d_)}({', '.join(map(str, given))});")

        def turn(high: int, wide: int, row: int, column: int, room: int) -> None:
            """y as an array that lies row by row."""
            self.turned = max(self.turned, high * room * d.itemsize)
            say("turned", high, wide, y, row, column, rows_, room)

        if small and xi == 1 and rows >= TILE and s.bias is None:  # the product turned
            self.turned = max(self.turned, rows * columns * d.itemsize)
            say("product", columns, rows, inner, y, yj, yk, x, xk, "NULL", rows_)
            say("turned", rows, columns, rows_, 1, rows, to, columns)
        elif columns * (inner // TILE + DOT) < inner:
            if yk != 1:
                turn(columns, inner, yj, yk, inner)
                y, yj = rows_, inner
            say("dots", sizes, x, xi, xk, y, yj, bias, to)
        else:
            room = max(columns, TILE)
            if yj != 1 or columns < TILE:
                turn(inner, columns, yk, yj, room)
                y, yk = rows_, room
            say("product", sizes, x, xi, xk, y, yk, bias, to)
        for k in reversed(range(len(batch))):
            self.lines.append("    " * k + "}")

    def matrix(self, n: int, name: str) -> tuple[Shape, Shape]:
        """Shape and strides of an operand; of ``linear``, all dimensions but the last are rows."""
        shape, strides = self.program.values[n].shape, self.places[n].strides
        if name.startswith("linear") and len(shape) != 2:
            return (math.prod(shape[:-1]), shape[-1]), (shape[-1], 1)
        return shape, strides

    def begins(self, n: int, index: list[str], strides: Shape) -> str:
        place = self.places[n]
        return plus(place.name, place.at(index, strides[: len(index)]))

    def copy(self, s: Copy) -> None:
        out = self.new(s.result)
        self.comment([s])
        if s.fill is not None:
            value = self.program.values[s.result]
            filled = f"    {out.name}[{out.at(['i'], [1])}] = {number(s.fill, value.dtype)};"
            self.lines += [counting("i", math.prod(value.shape)).removesuffix(" {"), filled]
        k = 0
        while k < len(s.parts):
            many, row, start = self.rows_copied(s, k)
            (n, place), tab = s.parts[k], "    " * (many > 1)
            opened, index, depth = self.loops(place.shape, False)
            opened[-1:] = [line.removesuffix(" {") for line in opened[-1:]]
            if many > 1:
                self.lines.append(counting("step", many))
            self.lines += [tab + line for line in opened]
            to = out._replace(start=out.start + place.start, moves=start or out.moves)
            old = self.places.get(n)
            self.places |= {} if row is None else {n: row}
            text = f"{to.name}[{to.at(index, place.strides)}] = {self.at(n, index, place.shape)};"
            self.places |= {} if old is None else {n: old}
            self.lines.append(tab + "    " * depth + text)
            self.lines += [tab + "    " * i + "}" for i in reversed(range(max(depth - 1, 0)))]
            self.lines += ["}"] * (many > 1)
            k += many

    def rows_copied(self, s: Copy, k: int) -> tuple[int, Lies | None, int]:
        """How many parts from the k-th one are rows of one array that go to places equally far
        apart; where they lie, and how far that is."""
        parts = s.parts[k:]
        rounds = self.places[s.result].moves  # there is a loop of this name already
        if len(parts) < LEAST or rounds or any(n not in self.rows for n, _ in parts[:2]):
            return 1, None, 0
        (n, a), (m, b) = parts[:2]
        rows = self.rows[n]
        if self.rows[m] is not rows or rows.turns:
            return 1, None, 0
        first, many = rows.members.index(n), 0
        step, far = rows.members.index(m) - first, b.start - a.start
        for i, (x, place) in enumerate(parts):
            row = first + i * step
            if not 0 <= row < len(rows.members) or rows.members[row] != x or (
                place[2:] != a[2:] or place.start != a.start + i * far
            ):  # fmt: skip
                break
            many += 1
        return (many, self.row(rows, first, step), far) if many >= LEAST else (1, None, 0)

    # ---- calls -----------------------------------------------------------------------------------
    def call(self, name: str, d: DType) -> None:
        self.called.add((name, d.name))

    def calls(self, s: Call) -> None:
        values = self.program.values
        kinds = {values[n].dtype.name: values[n].dtype for n in [*s.makes, *reads(s)]}
        d = next((kinds[k] for k in ("float64", "float32") if k in kinds), F64)
        self.call(s.function, d)
        for n in s.makes:
            self.new(n)
        self.comment([s])
        name = s.function if s.checks else named(s.function, d.name)
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
        if type(x) is Rate:
            return rate_name(self.region, x)
        return repr(x) if isinstance(x, float) else str(int(x))

    def walk(self, items: Sequence[Lowered | Rounds], rounds: Rounds | None = None) -> None:
        """Statements, those that fit together as one loop. ``rounds``: of which they are the body.
        """
        group: list[Each] = []
        for i, s in enumerate(items):
            if isinstance(s, Each) and self.joins(s, group):
                group.append(s)
                continue
            if group and not (isinstance(s, View) and s.base in self.places):
                self.each(group)
                group = []
            # a round begins ``moves`` further than the one before
            moves = rounds.starts[i] if rounds is not None else 0
            if isinstance(s, Rounds):
                self.rounds(s)
            elif isinstance(s, Each):
                group = [s]
                if s.into is not None:
                    start = s.into.start - moves * (rounds.first if rounds is not None else 0)
                    self.each([s._replace(into=s.into._replace(start=start))], moves)
                    group = []
            elif isinstance(s, View):
                base = self.places[s.base]
                start = base.start + s.start - moves * (rounds.first if rounds is not None else 0)
                # the strides of what C makes itself are those of rows
                self.places[s.result] = base._replace(
                    start=start, strides=s.strides, moves=base.moves + moves
                )
            elif isinstance(s, Sum):
                self.sum(s)
            elif isinstance(s, Product):
                self.product(s)
            elif isinstance(s, Copy):
                self.copy(s)
            else:
                self.calls(s)
        if group:
            self.each(group)

    # ---- all -------------------------------------------------------------------------------------
    def text(self) -> str:
        """The function."""
        self.walk(self.items)
        values, region = self.program.values, self.region
        written = {*region.written}
        given = []
        for n in [*region.takes, *region.gives]:
            kind, value = C_TYPES[values[n].dtype.name], values[n]
            constant = "const " * (n not in written and n in region.takes)
            how = ", changed" * (n in written) + ", made" * (n in region.gives)
            given.append((f"{constant}{kind} *restrict {self.names[n]}", f"{value}{how}"))
        given += [(f"double {rate_name(region, x)}", "") for x in region.rates]
        block = self.size()
        if block:
            given.append(("char *restrict block", f"{block} bytes for what is made on the way"))
        if self.turned:
            self.scratch.append(f"char *const rows = block + {block - self.turned};")
        body = "".join(f"{wrapped(x)}\n" for x in [*self.scratch, *self.lines, "return 0;"])
        ends = [","] * (len(given) - 1) + [")"]
        head = "".join(f"    {text}{end}{f' /* {about} */' if about else ''}\n"
                       for (text, about), end in zip(given, ends, strict=True))  # fmt: skip
        return f"int {region.name}(\n{head}{{\n{body}}}\n"

    def size(self) -> int:
        """Bytes of the block that the function is given; known once its text is."""
        return self.memory.size + self.turned

    def joins(self, s: Each, group: list[Each]) -> bool:
        """May an elementwise step stand in the loop of those before it?"""
        values = self.program.values
        if not group or s.into is not None or group[0].into is not None:
            return False
        if values[group[0].result].shape != values[s.result].shape:
            return False
        made = {g.result for g in group}
        for x in s.operands.values():
            if type(x) is Ref and x.number in made:
                if values[x.number].shape != values[s.result].shape:
                    return False
            elif type(x) is Ref and x.number not in self.places and (
                x.number not in self.program.constants
            ):
                return False
        return True
