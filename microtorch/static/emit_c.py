"""Regions of a program as one C file to read."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from ..arrays.dtypes import F64
from ..notation import expr
from .functions import named
from .lower import LIBRARY
from .memory import planned
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
    writes,
)
from .templates import Rate, Ref

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..base.types import DType, Operand, Shape
    from .program import Program, Step
    from .statements import Lowered


NARROW = 8  # columns of a product below which its tiles would be nearly empty
LONG = 1 << 17  # bytes that a region makes if it takes longer than a change of threads
TILE = 16  # columns of a tile (c/head.txt)
DOT = 5  # what a sum along a row costs besides, in steps of a tile


class Lies(NamedTuple):
    """Where a value's elements lie: ``name[start + i * strides[0] + ...]``."""

    name: str
    start: int
    strides: Shape


class Region(NamedTuple):
    """Successive steps that are one C function: what it reads, and what is read of it later.

    ``calls``: the steps that were recorded, as the interpreter runs them.
    """

    name: str
    steps: list[Lowered]
    takes: list[int]
    gives: list[int]
    calls: list[Step]

    @property
    def written(self) -> list[int]:
        """The values among ``takes`` that it changes."""
        root: dict[int, int] = {}
        found: dict[int, None] = {}
        for s in self.steps:
            if isinstance(s, View):
                root[s.result] = root.get(s.base, s.base)
            for n in writes(s):
                found[root.get(n, n)] = None
        return [n for n in found if n in self.takes]

    @property
    def rates(self) -> list[Rate]:
        """The learning rates that it reads, which each call gives anew."""
        found = [x for s in self.steps if isinstance(s, Call) for x in s.operands
                 if type(x) is Rate]  # fmt: skip
        return [*{id(x.group): x for x in found}.values()]


def dialect(d: DType) -> expr.Dialect:
    """C for one dtype: ``tanh`` is called ``fast_tanh`` for float, for one."""
    kind = d.name if d.name == "float32" else "float64"
    names = {**LIBRARY, "remainder": "remainder_"}
    return expr.Dialect(
        call=lambda name, a: f"{named(names.get(name, name), kind)}({', '.join(a)})",
        where=lambda c, a, b: f"({c} ? {a} : {b})",
        power=lambda a, b: f"{named('pow', kind)}({a}, {b})",
        number=lambda v: number(v, d),
    )


def number(v: float, d: DType) -> str:
    """A Python number as a C constant of a dtype."""
    if d.kind == "i":
        return str(int(v)) if v >= 0 else f"({int(v)})"
    if math.isnan(v):
        return "NAN"
    if math.isinf(v):
        return "INFINITY" if v > 0 else "(-INFINITY)"
    text = repr(float(v)) + ("f" if d.name == "float32" else "")
    return text if v >= 0 else f"({text})"


class Emitter:
    """Writes one region. ``names``: what its inputs and outputs are called."""

    def __init__(self, program: Program, region: Region, names: dict[int, str]):
        self.program, self.region, self.names = program, region, names
        self.places: dict[int, Lies] = {}
        self.lines: list[str] = []
        self.scratch: list[str] = []
        self.called: set[tuple[str, str]] = set()  # functions, and of which type
        self.memory = planned(program, region.steps, {*region.gives})
        made = [program.values[n].nbytes for s in region.steps for n in makes(s)]
        self.long = sum(made) > LONG
        self.said = ""  # the last comment
        self.readers: dict[int, set[int]] = {}  # the statements that read a value, by id
        for s in region.steps:
            for n in reads(s):
                self.readers.setdefault(n, set()).add(id(s))
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
        at = _sum_of([index[i + extra] for i in used], [place.strides[i] for i in used],
                     place.start)  # fmt: skip
        return f"{place.name}[{at}]"

    def pointer(self, n: int) -> str:
        """Where a value that lies row by row begins."""
        place = self.places[n]
        return f"{place.name} + {place.start}" if place.start else place.name

    def new(self, n: int) -> str:
        """Memory for value n: an output, an array, or a place in the block."""
        value = self.program.values[n]
        name = self.names.get(n, f"v{n}")
        kind, room = C_TYPES[value.dtype.name], self.memory.rooms.get(n)
        if n in self.memory.stack:
            size = max(math.prod(value.shape), 1)
            self.scratch.append(f"{'ALIGNED ' * (size >= TILE)}{kind} {name}[{size}];")
        elif room is not None:
            shape = f"/* {list(value.shape)}, {room.size} bytes */"
            self.scratch.append(f"{kind} *const {name} = ({kind} *)(block + {room.start}); {shape}")
        self.places[n] = Lies(name, 0, row_major(value.shape))
        return name

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

    def each(self, group: list[Each]) -> None:
        """One loop for a chain of elementwise steps of one shape."""
        values, into = self.program.values, group[0].into
        shape = values[group[0].result].shape if into is None else into.shape
        made = {s.result for s in group} if into is None else set()
        read = {x.number for s in group for x in s.operands.values() if type(x) is Ref} - made
        flat = into is None and all(
            values[n].shape in (shape, ()) or math.prod(values[n].shape) == 1
            for n in read
        ) and all(
            math.prod(values[n].shape) == 1 or (n in self.places
            and self.places[n].strides == row_major(shape) and not self.places[n].start)
            for n in read
        )  # fmt: skip
        opened, index, depth = self.loops(shape, flat)
        self.comment(group)
        self.lines += opened
        kept = self.read_later(group)
        stored = {n: self.new(n) for n in made if n in kept}
        tab = "    " * depth
        local: dict[int, str] = {}
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
                    texts[k] = f"{self.places[x.number].name}[i]"
                else:
                    texts[k] = self.at(x.number, index, shape)
                if "where" in expr.functions(s.formula) and "[" in texts[k]:
                    # read on either side of the condition: so the loop becomes vector code
                    kind = C_TYPES[values[x.number].dtype.name]
                    self.lines.append(f"{tab}const {kind} t{s.result}{k} = {texts[k]};")
                    texts[k] = f"t{s.result}{k}"
            spoken = dialect(floats)._replace(name=texts.__getitem__)
            text = expr.render(s.formula, spoken)
            name = f"t{s.result}"
            if into is not None:
                to = self.places[into.base]
                place = _sum_of(index, into.strides, to.start + into.start)
                self.lines.append(f"{tab}{to.name}[{place}] = {text};")
                break
            self.lines.append(f"{tab}const {C_TYPES[d.name]} {name} = {text};")
            local[s.result] = name
            if s.result in stored:
                place = "i" if flat else _sum_of(index, row_major(shape))
                if flat and math.prod(shape) == 1:
                    place = "0"
                self.lines.append(f"{tab}{stored[s.result]}[{place}] = {name};")
        self.lines += ["    " * i + "}" for i in reversed(range(depth))]

    def read_later(self, group: list[Each]) -> set[int]:
        """Which results of a group are read outside it."""
        steps = {id(s) for s in group}
        read = {s.result for s in group if self.readers.get(s.result, steps) - steps}
        return read | set(self.region.gives)

    def sum(self, s: Sum) -> None:
        """A sum: of each element that stays, or where neighbours stay, of a row of them at a time.
        """
        value, shape = self.program.values[s.result], self.program.values[s.operand].shape
        name, kind = self.new(s.result), C_TYPES[value.dtype.name]
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
            lines.append("    " * depth + _for(index[i], shape[i]))
            depth += 1
        if not depth:
            lines, depth = ["{"], 1
        tab = "    " * depth
        lines.append(f"{tab}double total{f'[{width}] = {{0}}' if aside else ' = 0'};")
        for k, i in enumerate([*dims, *([row] if aside else [])]):
            mark = "ADDED_UP " * (not aside and k == len(dims) - 1)
            lines.append(tab + "    " * k + mark + _for(index[i], shape[i]).removesuffix(" {"))
        inner = tab + "    " * (len(dims) + aside)
        lines.append(f"{inner}total{f'[{index[row]}]' if aside else ''} += {x};")
        place = _sum_of([index[i] for i in kept], [strides[i] for i in kept])
        over = "" if s.divisor == 1 else f" / {s.divisor}"
        if aside:
            lines.append(tab + _for(index[row], width).removesuffix(" {"))
            lines.append(f"{tab}    {name}[{place}] = ({kind})(total[{index[row]}]{over});")
        else:
            lines.append(f"{tab}{name}[{place}] = ({kind})(total{over});")
        self.lines += [*lines, *["    " * k + "}" for k in reversed(range(depth))]]

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
            self.lines.append("    " * k + _for(index[k], size))
        tab = "    " * len(batch)
        x, y, bias, to = (
            self.begins(s.x, index, a[1]), self.begins(s.y, index, b[1]),
            "NULL" if s.bias is None else self.pointer(s.bias),
            _plus(out, _sum_of(index, row_major(tuple(shape))[: len(batch)])),
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
        return _plus(place.name, _sum_of(index, strides[: len(index)], place.start))

    def copy(self, s: Copy) -> None:
        out = self.new(s.result)
        self.comment([s])
        if s.fill is not None:
            value = self.program.values[s.result]
            filled = f"    {out}[i] = {number(s.fill, value.dtype)};"
            self.lines += [_for("i", math.prod(value.shape)).removesuffix(" {"), filled]
        for n, place in s.parts:
            opened, index, depth = self.loops(place.shape, False)
            opened[-1:] = [line.removesuffix(" {") for line in opened[-1:]]
            self.lines += opened
            to = f"{out}[{_sum_of(index, place.strides, place.start)}]"
            self.lines.append("    " * depth + f"{to} = {self.at(n, index, place.shape)};")
            self.lines += ["    " * i + "}" for i in reversed(range(max(depth - 1, 0)))]

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

    # ---- all -------------------------------------------------------------------------------------
    def text(self) -> str:
        """The function."""
        group: list[Each] = []
        for s in self.region.steps:
            if isinstance(s, Each) and self.joins(s, group):
                group.append(s)
                continue
            if group:
                self.each(group)
                group = []
            if isinstance(s, Each):
                group = [s]
                if s.into is not None:
                    self.each(group)
                    group = []
            elif isinstance(s, View):
                base = self.places[s.base]
                # the strides of what C makes itself are those of rows
                self.places[s.result] = Lies(base.name, base.start + s.start, s.strides)
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
        values, written = self.program.values, {*self.region.written}
        given = [
            f"{'' if n in written else 'const '}{C_TYPES[values[n].dtype.name]} *restrict "
            f"{self.names[n]}"
            for n in self.region.takes
        ]  # fmt: skip
        given += [f"{C_TYPES[values[n].dtype.name]} *restrict {self.names[n]}"
                  for n in self.region.gives]  # fmt: skip
        given += [f"double {rate_name(self.region, x)}" for x in self.region.rates]
        block = self.size()
        if block:
            given.append("char *restrict block")
        if self.turned:
            self.scratch.append(f"char *const rows = block + {block - self.turned};")
        about = "".join(f" *   {self.names[n]}: {values[n]}{', changed' * (n in written)}\n"
                        for n in [*self.region.takes, *self.region.gives])  # fmt: skip
        about += f" *   block: {block} bytes for what is computed on the way\n" * (block > 0)
        body = "".join(f"    {line}\n" for line in [*self.scratch, *self.lines, "return 0;"])
        made = len(self.region.gives)
        head = f"/* Makes {made} array{'s' * (made != 1)}, the last ones:\n{about} */\n"
        text = ",\n    ".join(given)
        return f"{head}int {self.region.name}(\n    {text})\n{{\n{body}}}\n"

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


def _for(name: str, n: int) -> str:
    return f"for (int {name} = 0; {name} < {n}; {name}++) {{"


def _sum_of(index: list[str], strides: Iterable[int], start: int = 0) -> str:
    terms = [i if s == 1 else f"{i} * {s}" for i, s in zip(index, strides, strict=True) if s]
    return " + ".join([*terms, *([str(start)] if start else [])]) or "0"


def _plus(name: str, at: str) -> str:
    return name if at == "0" else f"{name} + {at}"


def rate_name(region: Region, x: Rate) -> str:
    """What a learning rate is called: ``lr``, or ``lr_1`` in a second group."""
    alike = [y for y in region.rates if y.word == x.word]
    i = next(i for i, y in enumerate(alike) if y.group is x.group)
    return f"{x.word}_{i}" if i else x.word
