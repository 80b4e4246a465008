"""Regions of a program as one C file to read."""
from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from ..notation import expr
from .lower import C_TYPES, LIBRARY, Each, Product, Rows, Sum, View
from .program import Ref

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..base.types import DType, Shape
    from .lower import Lowered
    from .program import Program

HEAD = """\
/* {title}
 *
 * Written by microtorch from one run of a Python function; the lines named in comments are its own.
 * A function computes new arrays from those that it is given, and writes to nothing else. Sums of
 * float are added up in double. Build: cc -O2 -ffp-contract=off (and -lm)
 */
#include <math.h>
#include <stddef.h>

/* As in numpy and PyTorch, the larger and the smaller of a number and NaN is NaN. */
static inline double maximum(double x, double y) {{ return x < y || y != y ? y : x; }}
static inline double minimum(double x, double y) {{ return x > y || y != y ? y : x; }}
static inline double sign(double x) {{ return x > 0 ? 1 : x < 0 ? -1 : 0; }}
static inline double remainder_(double x, double y)
{{
    const double r = fmod(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}}
static inline double sigmoid(double x)
{{
    const double e = exp(-fabs(x));
    return (x < 0 ? e : 1) / (1 + e);
}}
static inline double softplus(double x) {{ return maximum(x, 0) + log1p(exp(-fabs(x))); }}
static inline float maximumf(float x, float y) {{ return x < y || y != y ? y : x; }}
static inline float minimumf(float x, float y) {{ return x > y || y != y ? y : x; }}
static inline float signf(float x) {{ return x > 0 ? 1 : x < 0 ? -1 : 0; }}
static inline float remainder_f(float x, float y) {{ return (float)remainder_(x, y); }}
static inline float sigmoidf(float x) {{ return (float)sigmoid(x); }}
static inline float softplusf(float x) {{ return (float)softplus(x); }}
"""


LARGEST_SCRATCH = 2048  # elements of an array on the stack


class Place(NamedTuple):
    """Where a value's elements lie: ``name[start + i * strides[0] + ...]``."""

    name: str
    start: int
    strides: Shape


class Region(NamedTuple):
    """Successive steps that are one C function: what it reads, and what is read of it later."""

    name: str
    steps: list[Lowered]
    takes: list[int]
    gives: list[int]


def row_major(shape: Shape) -> Shape:
    """Strides, in elements, of an array that lies row by row."""
    strides: list[int] = []
    step = 1
    for n in reversed(shape):
        strides.insert(0, step)
        step *= n
    return tuple(strides)


def dialect(d: DType) -> expr.Dialect:
    """How a formula is written for numbers of a dtype."""
    f = "f" if d.name == "float32" else ""
    names = LIBRARY | {"remainder": "remainder_"}
    return expr.Dialect(
        call=lambda name, a: f"{names.get(name, name)}{f}({', '.join(a)})",
        where=lambda c, a, b: f"({c} ? {a} : {b})",
        power=lambda a, b: f"pow{f}({a}, {b})",
        number=lambda v: number(v, d),
    )


def number(v: float, d: DType) -> str:
    """A Python number as a C constant of a dtype."""
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
        self.places: dict[int, Place] = {}
        self.lines: list[str] = []
        self.scratch: list[str] = []
        self.large: list[int] = []  # values that are too large for the stack
        self.views = {s.result for s in region.steps if isinstance(s, View)}
        for n in region.takes:
            value = program.values[n]
            strides = tuple([s // value.dtype.itemsize for s in value.strides])
            self.places[n] = Place(names[n], 0, strides)

    # ---- elements --------------------------------------------------------------------------------
    def at(self, n: int, index: list[str], shape: Shape) -> str:
        """The element of value n at an index of the (larger) shape."""
        value, constant = self.program.values[n], self.program.constants.get(n)
        if constant is not None and n not in self.places:
            return number(constant.item(), value.dtype)
        place = self.places[n]
        extra = len(shape) - len(value.shape)
        terms = []
        for i, (size, stride) in enumerate(zip(value.shape, place.strides, strict=True)):
            if size > 1 and stride:
                terms.append(index[i + extra] if stride == 1 else f"{index[i + extra]} * {stride}")
        if place.start:
            terms.append(str(place.start))
        return f"{place.name}[{' + '.join(terms) or '0'}]"

    def new(self, n: int) -> str:
        """Memory for value n: an output, or a scratch array."""
        value = self.program.values[n]
        name = self.names.get(n, f"v{n}")
        if n not in self.region.gives:
            size = max(math.prod(value.shape), 1)
            kind = C_TYPES[value.dtype.name]
            self.scratch.append(f"{kind} {name}[{size}];")
            if size > LARGEST_SCRATCH:
                self.large.append(n)
        self.places[n] = Place(name, 0, row_major(value.shape))
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
        self.lines.append(f"/* {what} */")

    def each(self, group: list[Each]) -> None:
        """One loop for a chain of elementwise steps of one shape."""
        values = self.program.values
        shape = values[group[0].result].shape
        made = {s.result for s in group}
        read = {x.number for s in group for x in s.operands.values() if type(x) is Ref} - made
        flat = all(
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
                 and values[x.number].dtype.kind == "f"), d)  # fmt: skip
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
            spoken = dialect(floats)._replace(name=texts.__getitem__)
            text = expr.render(s.formula, spoken)
            name = f"t{s.result}"
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
        read = {
            n for s in self.region.steps if id(s) not in steps for n in s.step.reads()
        }  # fmt: skip
        return read | set(self.region.gives)

    def sum(self, s: Sum) -> None:
        value, shape = self.program.values[s.result], self.program.values[s.operand].shape
        name = self.new(s.result)
        kept = [i for i in range(len(shape)) if i not in s.dims]
        index = [f"i{k}" for k in range(len(shape))]
        self.comment([s])
        depth = 0
        for i in kept:
            self.lines.append("    " * depth + _for(index[i], shape[i]))
            depth += 1
        if not kept:
            self.lines.append("{")
            depth = 1
        tab = "    " * depth
        self.lines.append(f"{tab}double total = 0;")
        for i in s.dims:
            self.lines.append("    " * depth + _for(index[i], shape[i]).removesuffix(" {"))
            depth += 1
        self.lines.append("    " * depth + f"total += {self.at(s.operand, index, shape)};")
        strides = row_major(tuple([shape[i] for i in kept]))
        place = _sum_of([index[i] for i in kept], strides)
        kind = C_TYPES[value.dtype.name]
        total = "total" if s.divisor == 1 else f"total / {s.divisor}"
        self.lines.append(f"{tab}{name}[{place}] = ({kind})({total});")
        for k in reversed(range(max(len(kept), 1))):
            self.lines.append("    " * k + "}")

    def product(self, s: Product) -> None:
        values = self.program.values
        (rows, columns), d = values[s.result].shape, values[s.result].dtype
        a, b = self.places[s.x], self.places[s.y]
        inner = values[s.x].shape[0 if s.x_turned else 1]
        (xi, xk) = reversed(a.strides) if s.x_turned else a.strides
        (yk, yj) = reversed(b.strides) if s.y_turned else b.strides
        name, kind = self.new(s.result), C_TYPES[d.name]
        bias = "0" if s.bias is None else self.at(s.bias, ["", "j"], (rows, columns))
        x = f"{a.name}[{_sum_of(['i', 'k'], (xi, xk), a.start)}]"
        y = f"{b.name}[{_sum_of(['k', 'j'], (yk, yj), b.start)}]"
        self.comment([s])
        if yj == 1 and columns >= 4:  # a row of y at a time: neighbours in memory are added up
            out = f"{name}[{_sum_of(['i', 'j'], (columns, 1))}]"
            self.lines += [
                _for("i", rows), "    " + _for("j", columns).removesuffix(" {"),
                f"        {out} = {bias};", "    " + _for("k", inner),
                f"        const {kind} factor = {x};",
                "        " + _for("j", columns).removesuffix(" {"),
                f"            {out} += factor * {y};", "    }", "}",
            ]  # fmt: skip
            return
        self.lines += [
            _for("i", rows), "    " + _for("j", columns), f"        {kind} total = {bias};",
            "        " + _for("k", inner).removesuffix(" {"), f"            total += {x} * {y};",
            f"        {name}[{_sum_of(['i', 'j'], (columns, 1))}] = total;", "    }", "}",
        ]  # fmt: skip

    def rows(self, s: Rows) -> None:
        value = self.program.values[s.result]
        shape, f = value.shape, "f" if value.dtype.name == "float32" else ""
        name, kind = self.new(s.result), C_TYPES[value.dtype.name]
        index = [f"i{k}" for k in range(len(shape))]
        depth = len(shape) - 1
        self.comment([s])
        for k in range(depth):
            self.lines.append("    " * k + _for(index[k], shape[k]))
        if not depth:
            self.lines.append("{")
        tab, j = "    " * max(depth, 1), index[-1]
        x = self.at(s.operand, index, shape)
        out = f"{name}[{_sum_of(index, row_major(shape))}]"
        loop = tab + _for(j, shape[-1]).removesuffix(" {")
        self.lines += [
            f"{tab}{kind} largest = -INFINITY;",
            loop, f"{tab}    largest = maximum{f}(largest, {x});",
            f"{tab}double total = 0;",
            loop, f"{tab}    total += exp{f}({x} - largest);",
        ]  # fmt: skip
        if s.log:
            self.lines += [f"{tab}const {kind} shift = largest + ({kind})log(total);",
                           loop, f"{tab}    {out} = {x} - shift;"]  # fmt: skip
        else:
            self.lines += [loop, f"{tab}    {out} = exp{f}({x} - largest) / ({kind})total;"]
        for k in reversed(range(max(depth, 1))):
            self.lines.append("    " * k + "}")

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
            elif isinstance(s, View):
                base = self.places[s.base]
                # the strides of what C makes itself are those of rows
                self.places[s.result] = Place(base.name, base.start + s.start, s.strides)
            elif isinstance(s, Sum):
                self.sum(s)
            elif isinstance(s, Product):
                self.product(s)
            else:
                self.rows(s)
        if group:
            self.each(group)
        values = self.program.values
        takes = [f"const {C_TYPES[values[n].dtype.name]} *restrict {self.names[n]}"
                 for n in self.region.takes]  # fmt: skip
        gives = [f"{C_TYPES[values[n].dtype.name]} *restrict {self.names[n]}"
                 for n in self.region.gives]  # fmt: skip
        shapes = "".join(f" *   {self.names[n]}: {values[n]}\n"
                         for n in [*self.region.takes, *self.region.gives])  # fmt: skip
        head = f"/* Reads {len(takes)} arrays, writes the last {len(gives)}:\n{shapes} */\n"
        body = "".join(f"    {line}\n" for line in [*self.scratch, *self.lines])
        given = ",\n    ".join([*takes, *gives])
        return f"{head}void {self.region.name}(\n    {given})\n{{\n{body}}}\n"

    def joins(self, s: Each, group: list[Each]) -> bool:
        """May an elementwise step stand in the loop of those before it?"""
        values = self.program.values
        if not group or values[group[0].result].shape != values[s.result].shape:
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


def c_name(name: str) -> str:
    """A name that C takes."""
    name = re.sub(r"\W", "_", name)
    taken = name in RESERVED or re.fullmatch(r"[vti]\d+", name) or not name[:1].isalpha()
    return f"{name}_" if taken else name


RESERVED = frozenset(
    "factor auto break case char const continue default do double else enum extern float for goto "
    "if inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while i j k total largest shift main exp log sin cos tan pow "
    "gamma j0 j1 jn y0 y1 yn signgam index".split()
)


def source(program: Program, regions: list[Region], names: dict[int, str]) -> str:
    """The C file of a program's regions, and below it the functions that Python calls."""
    n = sum(len(r.steps) for r in regions)
    title = f"{program.name}: {n} of its {len(program.steps)} steps"
    texts = [Emitter(program, r, names).text() for r in regions]
    glue = [GLUE, *[_called(program, r) for r in regions]]
    return "\n".join([HEAD.format(title=title), *texts, *glue])


GLUE = """\
/* ---- what Python calls, with the addresses of numpy's array objects ---- */
#define DATA(type, array) (*(type **)((array) + 2 * sizeof(void *)))
"""


def _called(program: Program, r: Region) -> str:
    kinds = [f"const {C_TYPES[program.values[n].dtype.name]}" for n in r.takes]
    kinds += [C_TYPES[program.values[n].dtype.name] for n in r.gives]
    given = ", ".join(f"size_t a{i}" for i in range(len(kinds)))
    passed = ", ".join(f"DATA({kind}, a{i})" for i, kind in enumerate(kinds))
    return f"void call_{r.name}({given})\n{{\n    {r.name}({passed});\n}}\n"
