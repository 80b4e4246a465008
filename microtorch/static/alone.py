"""Programs as one C file with a ``main``: their arrays, and the text that stands around them.

An array that two programs read, a weight, is one array of the file. Each program has a function
``run_`` that calls it on these arrays; where there are data, it first fetches its next rows.
"""
from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .c_text import Lies, counting, wrapped
from .emit_c import Emitter
from .functions import text_of
from .region import Region
from .schedules import table
from .source import head, unique
from .statements import C_TYPES, row_major
from .templates import Value

if TYPE_CHECKING:
    from ..base.types import Array
    from .entry import Entry

EXPORTED = """\
#ifdef __wasm__
#define EXPORTED(name) __attribute__((export_name(#name)))
#else
#define EXPORTED(name)
#endif

"""


class Held(NamedTuple):
    """An array of the file. ``content``: what it holds at the beginning, if that is known.

    ``role``: "parameter" or "state", in weights.bin; "input" or "data", in input.bin; "batch", the
    rows of data that are next; "result".
    """

    name: str
    role: str
    value: Value
    content: Array | None

    @property
    def size(self) -> int:
        return max(math.prod(self.value.shape), 1)

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


class Again(NamedTuple):
    """Arguments whose numbers a program gives back as results, for its next step: those of Scalars.

    ``begin``: what they hold at first, by place; ``moves``: (place, which number of it, number of
    the value that it becomes); ``shown``: the values that the function returns.
    """

    begin: dict[int, Array]
    moves: list[tuple[int, int, int]]
    shown: list[int]


class Part(NamedTuple):
    """One program: its region, and which array each of its values is."""

    entry: Entry
    region: Region
    held: dict[int, Held]
    rows: dict[int, Held]  # input -> the data whose rows it is
    table: Held | None = None  # the rates of each step, and
    moved: Held | None = None  # how many steps have been made
    again: Again | None = None
    # values that do not lie row by row -> the array where they lie as in Python
    laid: Mapping[int, str] = MappingProxyType({})

    def of(self, *roles: str) -> list[Held]:
        return [h for h in self.held.values() if h.role in roles]

    @property
    def learns(self) -> bool:
        """Does it change what it begins with?"""
        kept = ("parameter", "state")
        return self.again is not None or any(
            self.held[n].role in kept for n in self.region.written
        )

    @property
    def draws(self) -> bool:
        """Does it draw random numbers?"""
        p = self.entry.program
        return any(s.draws for s in p.steps[: p.split])

    @property
    def results(self) -> list[Held]:
        """What it returns, in order, each once."""
        numbers = [o.number for o in self.entry.outputs] if self.again is None else self.again.shown
        return [self.held[n] for n in dict.fromkeys(numbers)]

    def taking(self, place: int) -> int:
        """The value that is the argument at a place."""
        found = (x.number for x in self.entry.leaves if x.kind == "argument" and x.place == place)
        return next(found, -1)


class File:
    """The programs of a folder, the first of them the one that ``main`` runs."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.names: dict[int, str] = {}  # of memory that programs share, by id
        self.used: list[str] = []
        self.rates: dict[int, tuple[str, float]] = {}  # by id of the group

    def add(
        self, entry: Entry, region: Region, data: dict[int, Array], again: Again | None = None
    ) -> None:
        """One more program. ``data``: the rows that an input is filled with, by its place among
        the arguments."""
        p = entry.program
        leaves = {x.number: x for x in entry.leaves}
        printed = [o.number for o in entry.outputs]
        held: dict[int, Held] = {}
        rows: dict[int, Held] = {}
        for n in [*region.takes, *region.gives]:
            wanted = entry.names.get(n) or f"v{n}"
            leaf = leaves.get(n)
            if leaf is not None and again is not None and leaf.place in again.begin:
                name = self.name(f"scalars{'_' * (leaf.place != min(again.begin))}")
                held[n] = Held(name, "state", p.values[n], again.begin[leaf.place])
            elif n in printed:
                held[n] = Held(self.name(f"result_{printed.index(n)}"), "result", p.values[n], None)
            elif leaf is not None and leaf.kind == "argument":
                given = data.get(leaf.place)
                role = "input" if given is None else "batch"
                held[n] = Held(self.name(wanted), role, p.values[n], leaf.array)
                if given is not None:
                    value = Value(given.shape, given.dtype, given.strides)
                    rows[n] = Held(self.name(f"all_{held[n].name}"), "data", value, given)
            else:
                array = p.constant(n) if leaf is None else leaf.array
                role = "parameter" if leaf is not None and leaf.tensor.node.needs else "state"
                if id(array) not in self.names:
                    self.names[id(array)] = self.name(wanted)
                held[n] = Held(self.names[id(array)], role, p.values[n], array)
        for x in region.rates:
            if id(x.group) not in self.rates:
                word = "rate" if x.word == "lr" else x.word
                self.rates[id(x.group)] = (self.name(word), float(x.group["lr"]))
        laid = {n: self.name(f"{h.name}_laid") for n, h in held.items()
                if n in region.takes and not h.value.contiguous}  # fmt: skip
        rates = table(p, region.rates)
        if rates is None:
            self.parts.append(Part(entry, region, held, rows, again=again, laid=laid))
            return
        of_rates, moved = (
            Held(self.name(name), "state", Value(a.shape, a.dtype, a.strides), a)
            for name, a in (("schedule", rates), ("moved", np.zeros(1, np.int64)))
        )
        self.parts.append(Part(entry, region, held, rows, of_rates, moved, again, laid))

    def name(self, wanted: str) -> str:
        """A name that no array has yet."""
        self.used.append(unique(wanted, self.used))
        return self.used[-1]

    # ---- its arrays ------------------------------------------------------------------------------
    @property
    def arrays(self) -> list[Held]:
        """All arrays, each once."""
        found = [h for p in self.parts for h in [*p.held.values(), *p.rows.values()]]
        found += [h for p in self.parts for h in (p.table, p.moved) if h is not None]
        return [*{h.name: h for h in found}.values()]

    def of(self, *roles: str) -> list[Held]:
        return [h for h in self.arrays if h.role in roles]

    @property
    def weights(self) -> list[Held]:
        return self.of("parameter", "state")

    @property
    def inputs(self) -> list[Held]:
        return self.of("input", "data")

    @property
    def draws(self) -> bool:
        return any(p.draws for p in self.parts)

    def heading(self, arrays: Sequence[Held]) -> str:
        """What stands above numbers in a file of them: a line for each array."""
        lines = [f"{h}\n" for h in arrays]
        if self.draws and arrays == self.weights:
            lines.append("generator: uint32 [628]\n")
        return "".join(lines) or "nothing\n"

    # ---- its text --------------------------------------------------------------------------------
    def source(self, steps: int, page: bool = False) -> str:
        """model.c. ``page``: with what a page calls, where it is compiled to WebAssembly."""
        emitters = [
            Emitter(p.entry.program, p.region, {n: h.name for n, h in p.held.items()})
            for p in self.parts
        ]
        bodies = [e.text() for e in emitters]
        first = self.parts[0].entry.program.name
        above = head(f"{first}, to be run without Python", emitters, bodies)
        block = max(e.size() for e in emitters)
        parts = [above, *bodies, self.main(steps, block, [e.size() for e in emitters], page)]
        return "\n".join(parts) + (self.page() if page else "")

    def main(self, steps: int, block: int, blocks: list[int], page: bool) -> str:
        first = self.parts[0]
        declared = "".join(
            f"static {C_TYPES[h.value.dtype.name]} {h.name}[{h.size}];\n" for h in self.arrays
        )
        declared += "".join(
            f"static {C_TYPES[v.dtype.name]} {name}[{span(v)}]; /* as Python's array lies */\n"
            for p in self.parts for n, name in p.laid.items() for v in [p.held[n].value]
        )
        declared += "".join(
            f"static double {name} = {value!r};{' /* lr */' * name.startswith('rate')}\n"
            for name, value in self.rates.values()
        )
        if block:
            declared += f"static double block[{-(-block // 8)}]; /* {block} bytes */\n"
        runs = "\n".join(self.run(p, n, page) for p, n in zip(self.parts, blocks, strict=True))
        weights = [h.name for h in self.weights] + ["generator"] * self.draws
        inputs = [h.name for h in self.inputs]
        printing = "".join(
            f"        for (int i = 0; i < {h.size}; i++)\n"
            f'            printf("%.6g\\n", (double){h.name}[i]);\n'
            for h in first.results
        )
        text = text_of("main")
        if not first.learns:
            text = text.split("    /* what is learned */\n")[0] + "    return 0;\n}\n"
        quoted = "".join(f'        "{x}\\n"\n' for x in self.heading(self.weights).split("\n"))
        replaced = {
            "ARRAYS;\n": declared,
            "RUNS;\n": (EXPORTED if page else "")
            + (text_of("rows") if any(p.rows for p in self.parts) else "") + runs,
            "    WEIGHTS;": _list("void *const weights[]", weights),
            "    INPUTS;": _list("void *const inputs[]", inputs),
            "    SIZES_OF_W;": _list("const size_t weight_sizes[]", _sizes(weights), "0"),
            "    SIZES_OF_I;": _list("const size_t input_sizes[]", _sizes(inputs), "0"),
            "COUNT_OF_W": str(len(weights)), "COUNT_OF_I": str(len(inputs)),
            "STEPS": str(steps),
            "CALL": f"run_{first.region.name}({'step' if first.rows else ''})",
            "        PRINT;\n": printing, "        HEADING;\n": quoted.rstrip("\n") + ";\n",
        }  # fmt: skip
        for word, by in replaced.items():
            text = text.replace(word, by)
        return text

    def run(self, p: Part, block: int, page: bool) -> str:
        """The function that calls a program on its arrays."""
        name = f"run_{p.region.name}"
        passed = [p.laid.get(n, h.name) for n, h in p.held.items()]
        passed += [self.rates[id(x.group)][0] for x in p.region.rates]
        passed += ["(char *)block"] * (block > 0)
        lines = []
        for n, data in p.rows.items():
            batch, count = p.held[n], data.value.shape[0]
            rows = batch.value.shape[0]
            given = f"{batch.name}, {data.name}, sizeof {batch.name} / {rows}, {rows}, {count}"
            lines.append(wrapped(f"next_rows({given}, step);", 4))
        for n, to in p.laid.items():
            lines += laid_out(to, p.held[n])
        if p.table is not None and p.moved is not None:
            steps, rates = p.table.value.shape
            lines += [f"    if ({p.moved.name}[0] >= {steps})", "        return 3;"]
            for i, x in enumerate(p.region.rates):
                at = f"{p.moved.name}[0] * {rates} + {i}" if rates > 1 else f"{p.moved.name}[0]"
                lines.append(f"    {self.rates[id(x.group)][0]} = {p.table.name}[{at}];")
            lines.append(f"    {p.moved.name}[0]++;")
        call = f"{p.region.name}({', '.join(passed)});"
        moves = [] if p.again is None else [
            f"    {p.held[p.taking(place)].name}[{i}] = {p.held[n].name}[0];"
            for place, i, n in p.again.moves if p.taking(place) in p.held
        ]  # fmt: skip
        if moves:
            lines += [wrapped(f"const int failed = {call}", 4), *moves, "    return failed;"]
        else:
            lines.append(wrapped(f"return {call}", 4))
        about = f"/* {p.entry.program.name}: 0, or what went wrong (main) */\n"
        begin = f"EXPORTED({name}) int" if page else "static int"
        body = "\n".join(lines)
        return f"{about}{begin} {name}({'int step' if p.rows else 'void'})\n{{\n{body}\n}}\n"

    @property
    def order(self) -> list[str]:
        """The arrays, as a page counts them."""
        rates = [name for name, _ in self.rates.values()]
        return [*[h.name for h in self.arrays], *rates, *["generator"] * self.draws]

    def page(self) -> str:
        rates = {name for name, _ in self.rates.values()}
        places = [f"&{name}" if name in rates else name for name in self.order]
        return text_of("page").replace(
            "    ADDRESSES;", _list("void *const arrays[]", places)
        )


def span(value: Value) -> int:
    """How many elements an array stretches over."""
    far = (s * (n - 1) for s, n in zip(value.strides, value.shape, strict=True))
    return int(sum(far)) // value.dtype.itemsize + 1


def laid_out(name: str, h: Held) -> list[str]:
    """An array of rows, copied to where its elements lie in Python."""
    index = [f"i{d}" for d in range(len(h.value.shape))]
    loops = [f"    {'    ' * d}{counting(i, n).removesuffix(' {')}"
             for d, (i, n) in enumerate(zip(index, h.value.shape, strict=True))]  # fmt: skip
    own = Lies(name, 0, ()).at(index, [s // h.value.dtype.itemsize for s in h.value.strides])
    rows = Lies(name, 0, ()).at(index, row_major(h.value.shape))
    return [*loops, f"    {'    ' * len(index)}{name}[{own}] = {h.name}[{rows}];"]


def _sizes(names: Iterable[str]) -> list[str]:
    return [f"sizeof({name})" for name in names]


def _list(declaration: str, words: Sequence[str], none: str = "NULL") -> str:
    return wrapped(f"{declaration} = {{{', '.join(words) or none}}};", 4)
