"""Which steps of a program form regions of C, and how Python runs them.

A region is checked before it is used: in the first call its C and its steps both run, and if their
results differ by more than rounding, the steps run from then on, and a warning says where.
"""
from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import message
from .build import library
from .emit_c import Emitter, Region, c_name, source
from .lower import C_TYPES, SMALL_PRODUCT, Each, Rows, Sum, View, lowered
from .program import Program, Ref, Step, Writer

if TYPE_CHECKING:
    from ..base.types import Array, Kernel
    from .lower import Lowered


class Plan:
    """The steps ``begin`` to ``end`` of a program as regions and single steps.

    ``needed``: the values that are read after them. ``arrays``: the recorded value of each number.
    """

    def __init__(
        self, program: Program, begin: int, end: int, needed: Sequence[int],
        arrays: dict[int, Array], prefix: str, largest: int = SMALL_PRODUCT,
    ):  # fmt: skip
        self.program, self.prefix = program, prefix
        self.steps = program.steps[begin:end]
        self.needed = set(needed)
        found = {id(s): lowered(program, s, arrays, largest) for s in self.steps}
        self.items: list[Step | Region] = []
        refused: set[int] = set()
        while True:
            again = self.arrange(found, refused)
            if not again:
                break
            refused |= again

    def arrange(self, found: dict[int, Lowered | None], refused: set[int]) -> set[int]:
        """Form regions; returns steps that cannot be in theirs, to begin anew without them."""
        self.items = []
        chain: list[Lowered] = []
        bad: set[int] = set()
        for i, step in enumerate(self.steps):
            s = None if id(step) in refused else found[id(step)]
            if s is not None:
                chain.append(s)
                continue
            bad |= self.close(chain, i)
            chain = []
            self.items.append(step)
        return bad | self.close(chain, len(self.steps))

    def close(self, chain: list[Lowered], end: int) -> set[int]:
        """End a region before step ``end``."""
        if sum(not isinstance(s, View) for s in chain) < 2:
            self.items += [s.step for s in chain]
            return set()
        values, constants = self.program.values, self.program.constants
        made = {s.result for s in chain}
        later = set(self.needed)
        for step in self.steps[end:]:
            later.update(step.reads())
        views = {s.result: s for s in chain if isinstance(s, View)}
        wanted = {n for n in made if n in later}
        for n in sorted(wanted & views.keys(), reverse=True):  # a view is made anew from its base
            base = views[n].base
            while base in views:
                base = views[base].base
            if base in made:
                wanted.add(base)
        gives = sorted(wanted - views.keys())
        loose = {s.result for s in chain if s.result not in views
                 and not values[s.result].contiguous}  # fmt: skip
        seen = {s.base for s in views.values()}
        bad = {id(s.step) for s in chain if s.result in loose and (
            s.result in gives or s.result in seen)}  # fmt: skip
        takes: list[int] = []
        for s in chain:
            for n in _reads(s):
                single = n in constants and constants[n].size == 1 and isinstance(s, Each)
                single = single and n not in self.program.fresh
                if n not in made and n not in takes and not single:
                    takes.append(n)
                    if values[n].dtype.name not in C_TYPES:
                        bad.add(id(s.step))
        if bad:
            return bad
        name = f"{self.prefix}_{sum(isinstance(x, Region) for x in self.items)}"
        region = Region(name, list(chain), takes, gives)
        names = {n: f"x{n}" for n in [*takes, *gives]}
        emitter = Emitter(self.program, region, names)
        emitter.text()
        self.items.append(region._replace(gives=sorted({*gives, *emitter.large})))
        self.items += [views[n].step for n in sorted(self.remade(wanted, views))]
        return set()

    @classmethod
    def of_steps(cls, program: Program, begin: int, end: int) -> Plan:
        """Steps alone, without C."""
        made = cls.__new__(cls)
        made.items = [*program.steps[begin:end]]
        return made

    @staticmethod
    def remade(wanted: set[int], views: dict[int, View]) -> set[int]:
        """The views that Python makes anew after a region, and those that they are made of."""
        found: set[int] = set()
        todo = [n for n in wanted if n in views]
        while todo:
            n = todo.pop()
            if n not in found:
                found.add(n)
                todo += [views[n].base] * (views[n].base in views)
        return found

    @property
    def regions(self) -> list[Region]:
        return [x for x in self.items if isinstance(x, Region)]


def _reads(s: Lowered) -> Iterator[int]:
    """The values that a lowered step reads, which are fewer than the recorded call's."""
    if isinstance(s, Each):
        for x in s.operands.values():
            if type(x) is Ref:
                yield x.number
    elif isinstance(s, View):
        yield s.base
    elif isinstance(s, (Sum, Rows)):
        yield s.operand
    else:
        yield s.x
        yield s.y
        if s.bias is not None:
            yield s.bias


class Loops:
    """A region as Python calls it: C, once it has been compared with the steps."""

    def __init__(self, program: Program, region: Region, c: Kernel, steps: Kernel):
        self.c, self.steps, self.region = c, steps, region
        self.shapes = [(program.values[n].shape, program.values[n].dtype) for n in region.gives]
        self.takes = len(region.takes)
        self.checked: bool | None = None

    def __call__(self, *arrays: Array) -> Sequence[Array]:
        if self.checked is False:
            found: Sequence[Array] = self.steps(*arrays)
            return found
        outs = [np.empty(shape, dtype) for shape, dtype in self.shapes]
        self.c(*map(id, arrays[: self.takes]), *map(id, outs))
        if self.checked is None:
            return self.check(arrays, outs)
        return outs

    def check(self, arrays: Sequence[Array], outs: Sequence[Array]) -> Sequence[Array]:
        """The first call: do C and the steps agree to rounding? The steps' values are used."""
        wanted: Sequence[Array] = self.steps(*arrays)
        self.checked = all(map(close, outs, wanted))
        if not self.checked:
            step = self.region.steps[0].step
            warnings.warn(
                message(
                    f"compiled C differs from what was recorded, and is not used: {step.name}, "
                    f"{step.site}, and what follows",
                    fix="the function runs on, by the interpreter of its program",
                ),
                UserWarning, stacklevel=4,
            )  # fmt: skip
        return wanted


def close(a: Array, b: Array) -> bool:
    """Are they equal but for rounding? Bools: equal."""
    if a.dtype.kind != "f":
        return np.array_equal(a, b)
    rtol = 1e-4 if a.dtype.itemsize == 4 else 1e-10
    finite = np.abs(b[np.isfinite(b)])
    scale = float(finite.max()) if finite.size else 0.0
    return np.allclose(a, b, rtol=rtol, atol=rtol * scale * 0.1 + 1e-30, equal_nan=True)


def write(w: Writer, plan: Plan, known: set[int], runners: dict[str, Loops]) -> None:
    """The lines of a plan's steps and regions."""
    for item in plan.items:
        if isinstance(item, Step):
            w.step(item, known)
            known.update(item.gives())
        else:
            gives = "".join(f"v{n}, " for n in item.gives)
            given = ", ".join(f"v{n}" for n in [*item.takes, *more(w.program, item)])
            w.names[item.name] = runners[item.name]
            w.lines.append(f"({gives}) = {item.name}({given})")
            known.update(item.gives)


def more(program: Program, r: Region) -> list[int]:
    """What the recorded calls of a region were given, and C does not read."""
    made = {n for s in r.steps for n in s.step.gives()}
    reads = {n for s in r.steps for n in s.step.reads()}
    return sorted(reads - made - {*r.takes, *program.constants})


def compiled(
    program: Program, plans: Sequence[Plan], names: dict[int, str]
) -> tuple[str, dict[str, Loops]]:
    """The C text of the regions of some plans, and what runs them. CompilerError: there is none."""
    regions = [r for p in plans for r in p.regions]
    if not regions:
        return "", {}
    used = {n: "" for r in regions for n in [*r.takes, *r.gives]}
    taken: set[str] = set()
    for n in used:
        name = c_name(names[n]) if n in names else f"v{n}"
        while name in taken:
            name += "_"
        taken.add(name)
        used[n] = name
    text = source(program, regions, used)
    functions = library(text, {f"call_{r.name}": len(r.takes) + len(r.gives) for r in regions})
    runners: dict[str, Loops] = {}
    for r, c in zip(regions, functions, strict=True):
        w = Writer(program)
        w.names |= {f"v{n}": array for n, array in program.constants.items()}
        takes = [*r.takes, *more(program, r)]
        known = {*takes, *program.constants}
        for s in r.steps:
            w.step(s.step, known)
            known.update(s.step.gives())
        steps = w.function("steps", takes, "(" + "".join(f"v{n}, " for n in r.gives) + ")")
        runners[r.name] = Loops(program, r, c, steps)
    return text, runners
