"""Which steps of a program form regions of C, and how Python runs them.

A region is checked before it is used: in the first call its C and its steps both run, and if their
results differ by more than rounding, the steps run from then on, and a warning says where.
"""
from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..base.errors import message, warn
from ..handles.memory import owner
from .agreement import alike, as_unsteady
from .build import library
from .joined import joined
from .lower import lowered
from .memory import LINE
from .parts import new
from .program import Program, Step, Writer, live
from .region import Region, in_own_order
from .remade import remade
from .rounds import renumbered
from .source import source, unique
from .spelled import by_meaning
from .statements import (
    C_TYPES,
    Call,
    Copy,
    Each,
    Lowered,
    Place,
    View,
    makes,
    reads,
    row_major,
    writes,
)
from .supposed import Otherwise

if TYPE_CHECKING:
    from ..base.types import Array, Kernel, Operand
    from .emit_c import Emitter

LARGE = 1 << 12  # bytes of an array that is worth a line to give it back

class Plan:
    """The steps ``begin`` to ``end`` of a program as regions and single steps.

    ``needed``: the values that are read after them. ``arrays``: the recorded value of each number.
    ``alone``: all is to be C, if it can be.
    """

    def __init__(
        self, program: Program, begin: int, end: int, needed: Sequence[int],
        arrays: dict[int, Array], prefix: str, alone: bool = False,
    ):  # fmt: skip
        self.program, self.prefix, self.arrays = program, prefix, arrays
        self.steps = program.steps[begin:end]
        self.needed, self.alone = set(needed), alone
        found = {id(s): lowered(program, s, arrays, alone) for s in self.steps}
        if alone:
            used = {id(s) for s in live(self.steps, needed, lambda s: s.draws)}
            for s in self.steps:
                if found[id(s)] is None:  # and of what nobody reads nothing is left
                    found[id(s)] = by_meaning(program, s, arrays) if id(s) in used else []
            found = self.copied(found)
        self.unwritten = [s for s in self.steps if found[id(s)] is None]
        self.items: list[Step | Region] = []
        refused: set[int] = set()
        while True:
            again = self.arrange(found, refused)
            if not again:
                break
            refused |= again
        self.arrays = {}  # a program does not hold on to what one run computed

    def arrange(self, found: dict[int, list[Lowered] | None], refused: set[int]) -> set[int]:
        """Form regions; returns steps that cannot be in theirs, to begin anew without them."""
        self.items = []
        self.remade = remade(self.program, found, refused, self.needed, self.arrays)
        chain: list[Lowered] = []
        bad: set[int] = set()
        for i, step in enumerate(self.steps):
            s = None if id(step) in refused else found[id(step)]
            if s is not None:
                chain.extend(s)
            elif chain and next(step.reads(), None) is None and next(step.gives(), None) and not (
                step.draws and any(isinstance(s, Call) and s.checks == 1 for s in chain)
            ):  # fmt: skip
                # random numbers, zeros: they may be made before what raises no error
                self.items.append(step)
            else:
                bad |= self.close(chain, i)
                chain = []
                self.items.append(step)
        return bad | self.close(chain, len(self.steps))

    def copied(
        self, found: dict[int, list[Lowered] | None]
    ) -> dict[int, list[Lowered] | None]:  # fmt: skip
        """Where there is no Python that could look at memory in another way, a result that is a
        view is copied: at the end, since what it shows may be written to until then."""
        again: dict[int, int] = {}  # such a result, and the view under another number
        copies: list[Lowered] = []
        done: dict[int, list[Lowered] | None] = {}
        last = 0
        for step in self.steps:
            statements = found[id(step)]
            if statements is None:
                done[id(step)] = None
                continue
            here: list[Lowered] = []
            for s in statements:
                s = renumbered(s, again)
                if isinstance(s, View) and s.result in self.needed:
                    shape = self.program.values[s.result].shape
                    seen = again[s.result] = new(self.program, shape, s.result)
                    place = Place(s.result, 0, row_major(shape), shape)
                    copies.append(Copy(s.step, s.result, None, [(seen, place)]))
                    s = s._replace(result=seen)
                here.append(s)
            done[id(step)], last = here, id(step)
        if copies:
            done[last] = [*(done[last] or ()), *copies]
        return done

    def close(self, chain: list[Lowered], end: int) -> set[int]:
        """End a region before step ``end``."""
        made = {n for s in chain for n in makes(s)}
        read = dict.fromkeys(n for s in chain for n in reads(s))
        chain = [*[self.remade[n] for n in read if n in self.remade and n not in made], *chain]
        if not self.pays(chain, self.alone):
            self.items += {id(s.step): s.step for s in chain}.values()
            return set()
        values, constants = self.program.values, self.program.constants
        later = set(self.needed)
        for step in self.steps[end:]:
            later.update(step.reads())
        later -= self.remade.keys()
        calls = [s.step for s in alive(chain, later, steps=True)]
        chain = alive(joined(self.program, chain, later), later)
        early = asked_early(chain)
        known = {*map(id, early)}
        chain = [*early, *[s for s in chain if id(s) not in known]]
        if not chain:  # nobody reads what they make
            return set()
        made = {n for s in chain for n in makes(s)}
        views = {s.result: s for s in chain if isinstance(s, View)}
        wanted = {n for n in made if n in later}
        for n in sorted(wanted & views.keys(), reverse=True):  # a view is made anew from its base
            base = views[n].base
            while base in views:
                base = views[base].base
            if base in made:
                wanted.add(base)
        gives = sorted(wanted - views.keys())
        loose = {n for n in made - views.keys() if not values[n].contiguous}
        loose -= in_own_order(self.program, chain, gives)
        seen = {s.base for s in views.values()}.union(*map(writes, chain))
        seen.update(() if self.alone else gives)  # by Python
        bad = {id(s.step) for s in chain for n in makes(s) if n in loose & seen}
        takes: list[int] = []
        for s in chain:
            for n in reads(s):
                single = n in constants and constants[n].size == 1 and isinstance(s, Each)
                single = single and n not in self.program.fresh
                if n not in made and n not in takes and not single:
                    takes.append(n)
                    if values[n].dtype.name not in C_TYPES:
                        bad.add(id(s.step))
        takes.sort()
        bad |= self.confused(chain, takes, made, early)
        if bad:
            return bad
        name = f"{self.prefix}_{sum(isinstance(x, Region) for x in self.items)}"
        self.items.append(Region(name, list(chain), takes, gives, calls))
        self.items += [views[n].step for n in sorted(self.seen_again(wanted, views))]
        return set()

    @staticmethod
    def pays(chain: list[Lowered], alone: bool) -> bool:
        """Is a region of these statements worth a call of its own?"""
        work = [s for s in chain if not isinstance(s, View)]
        return len(work) > (not alone) or (len(work) == 1 and isinstance(work[0], Call))

    def confused(
        self, chain: list[Lowered], takes: list[int], made: set[int], early: list[Lowered]
    ) -> set[int]:  # fmt: skip
        """Steps that write to memory which the region also knows by another name, or that check
        numbers which the region itself has made, but for what is made as ``early``, or writes to.
        """
        root: dict[int, int] = {}
        owners: dict[int, set[int]] = {}
        for n in takes:
            array = self.arrays.get(n)
            owners.setdefault(id(None if array is None else owner(array)), set()).add(n)
        bad: set[int] = set()
        for s in chain:
            if isinstance(s, View):
                root[s.result] = root.get(s.base, s.base)
        late = made - {n for s in early for n in makes(s)}
        late |= {root.get(n, n) for s in chain for n in writes(s)}
        if any(root.get(n, n) in late for s in early for n in reads(s)):
            bad.update(id(s.step) for s in early if isinstance(s, Call))
        for s in chain:
            for n in writes(s):
                home = root.get(n, n)
                array = self.arrays.get(home)
                if home not in made and (array is None or len(owners[id(owner(array))]) > 1):
                    bad.add(id(s.step))
                if home in self.program.constants and home not in self.program.fresh:
                    bad.add(id(s.step))
        return bad

    @classmethod
    def of_steps(cls, program: Program, begin: int, end: int) -> Plan:
        """Steps alone, without C."""
        made = cls.__new__(cls)
        made.items = [*program.steps[begin:end]]
        return made

    @staticmethod
    def seen_again(wanted: set[int], views: dict[int, View]) -> set[int]:
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


def asked_early(chain: list[Lowered]) -> list[Lowered]:
    """What is to come first, since a number that is out of range stops a region before it has
    written anything: its checks, and the views and the elements that they look at."""
    needed: set[int] = set()
    found: list[Lowered] = []
    for s in reversed(chain):
        if isinstance(s, (View, Each)):
            first = s.result in needed and not writes(s)
        else:
            first = isinstance(s, Call) and s.checks == 1
        if first:
            needed.update(reads(s))
            found.append(s)
    return found[::-1]


def alive(chain: list[Lowered], later: set[int], steps: bool = False) -> list[Lowered]:
    """The statements that something comes of: a value that is read ``later``, or a change.
    ``steps``: what their whole steps read is alive, too."""
    live, kept = {*later}, []
    for s in reversed(chain):
        checks = isinstance(s, Call) and s.checks
        if checks or writes(s) or s.step.draws or live.intersection(
            [s.result] if isinstance(s, View) else makes(s)
        ):  # fmt: skip
            kept.append(s)
            live.update(reads(s))
            live.update(s.step.reads() if steps else ())
    return kept[::-1]


class Loops:
    """A region as Python calls it: ``c``, once it has been compared with the steps.

    ``text``: what wrote it, with its memory plan. ``block``: the bytes of memory that C is given.
    ``long``: C runs so long that other threads may run meanwhile, each with a block of its own.
    """

    def __init__(self, program: Program, text: Emitter, c: Kernel, steps: Kernel):
        region = text.region
        self.c, self.steps, self.region, self.text = c, steps, region, text
        self.block, self.long = text.size(), text.long
        self.shapes = [(program.values[n].shape, program.values[n].dtype) for n in region.gives]
        self.takes = len(region.takes)
        self.groups = [x.group for x in region.rates]
        self.written = [region.takes.index(n) for n in region.written]
        self.checked: bool | None = None
        self.blocks = [aligned(self.block)] if self.block else []  # that no call has now
        self.homes: list[dict[str, Operand]] = []  # the names of functions that call it

    def lines(self, w: Writer, more: Sequence[int], reused: Collection[int]) -> Iterator[str]:
        """Its call, in the function that ``w`` writes. ``reused``: see ``write``."""
        r = self.region
        c = self.c if self.checked else _unchecked
        w.names |= {r.name: self, f"c_{r.name}": c, "empty": np.empty}
        for n, (shape, dtype) in zip(r.gives, self.shapes, strict=True):
            if n not in reused:
                yield f"v{n} = empty({shape}, {w.constant(dtype, dtype.name)})"
        given = [f"v{n}" for n in [*r.takes, *r.gives]]
        given += [f"float({w.constant(group, 'group')}['lr'])" for group in self.groups]
        if self.block and self.long:
            yield f"block = {r.name}.taken()"
            given.append("block")
        elif self.block:
            given.append(w.constant(self.blocks[0], "block"))
        gives = "".join(f"v{n}, " for n in r.gives)
        steps = ", ".join(f"v{n}" for n in [*r.takes, *more])
        call = f"c_{r.name}({', '.join(given)})"
        if any(isinstance(s, Call) and s.checks == 2 for s in r.steps):
            w.names["otherwise"] = otherwise
            call = f"otherwise({call})"
        old = "old = False; " if any(n in reused for n in r.gives) else ""
        yield f"if {call}: {old}({gives}) = {r.name}({steps})"
        if self.block and self.long:
            yield f"{r.name}.blocks.append(block)"

    def taken(self) -> Array:
        """A block that no other call has."""
        try:
            return self.blocks.pop()
        except IndexError:
            return aligned(self.block)

    def __call__(self, *arrays: Array) -> Sequence[Array]:
        """What the region gives, where C has not run: it is not checked yet, or a number is out of
        range, and the steps raise."""
        if self.checked is None:
            return self.check(arrays)
        found: Sequence[Array] = self.steps(*arrays)
        return found

    def run(self, arrays: Sequence[Array], outs: list[Array]) -> bool:
        """Let C fill ``outs``; False if it met an index out of range."""
        rates = [float(group["lr"]) for group in self.groups]
        block = [self.taken()] if self.block else []
        failed = self.c(*arrays[: self.takes], *outs, *rates, *block)
        self.blocks += block
        if failed == 2:
            raise Otherwise
        return not failed

    def again(self, arrays: Sequence[Array]) -> Sequence[Array]:
        """What the steps give, and leave in ``arrays``, which they write to."""
        given = self.steps(*arrays)
        return [*given, *[arrays[i] for i in self.written]]

    def check(self, arrays: Sequence[Array]) -> Sequence[Array]:
        """The first call: do C and the steps agree to rounding? The steps' values are used."""
        outs = [np.zeros(shape, dtype) for shape, dtype in self.shapes]
        written = [arrays[i] for i in self.written]
        before = [x.copy() for x in written]
        ran = self.run(arrays, outs)
        outs += [x.copy() for x in written]
        for x, old in zip(written, before, strict=True):
            x[...] = old
        wanted: Sequence[Array] = self.steps(*arrays)
        wanted_all = [*wanted, *written]
        self.checked = ran and alike(outs, wanted_all, arrays)
        if ran and not self.checked:  # is it such that no two ways to compute it agree?
            start = [*arrays]
            for i, old in zip(self.written, before, strict=True):
                start[i] = old
            self.checked = as_unsteady(outs, wanted_all, start, self.again)
        if self.checked:
            for names in self.homes:
                names[f"c_{self.region.name}"] = self.c
        else:
            step = self.region.steps[0].step
            warn(
                message(
                    f"compiled C differs from what was recorded, and is not used: {step.name}, "
                    f"{step.site}, and what follows",
                    fix="the function runs on, by the interpreter of its program",
                ),
            )  # fmt: skip
        return wanted


def _unchecked(*given: Operand) -> int:
    """In the place of C that is not to be used."""
    return 1


def otherwise(status: int) -> int:
    """Raises Otherwise where C found a condition that is not what it was."""
    if status == 2:
        raise Otherwise
    return status


def aligned(size: int) -> Array:
    """Bytes that begin where a line of the processor's cache does."""
    found = np.empty(size + LINE, np.uint8)
    start = -found.ctypes.data % LINE
    return found[start : start + size]


def write(
    w: Writer, plan: Plan, known: set[int], runners: dict[str, Loops], kept: Collection[int],
    reused: Collection[int] = (),
) -> None:  # fmt: skip
    """The lines of a plan's steps and regions.

    Memory that is read no more is given back at once, as eager does it: the next step mostly gets
    it again, while it is still in the processor's cache. ``kept``: the values that are read later.
    ``reused``: those that have memory already, which is ``old`` while it has not been exchanged.
    """
    before = {*known, *kept}
    uses: list[set[int]] = []
    for item in plan.items:
        if isinstance(item, Step):
            uses.append({*item.reads(), *item.gives()})
        else:
            uses.append({*item.takes, *more(w.program, item), *item.gives})
            w.arrays.update(item.takes)
    last = {n: i for i, used in enumerate(uses) for n in used}
    for i, item in enumerate(plan.items):
        if isinstance(item, Step):
            w.step(item, known)
            known.update(item.gives())
        else:
            w.lines += runners[item.name].lines(w, more(w.program, item), reused)
            known.update(item.gives)
        gone = sorted(
            n for n in uses[i] if last[n] == i and n in known and n not in before
            and w.program.values[n].nbytes >= LARGE
        )  # fmt: skip
        if gone and i < len(plan.items) - 1:
            line, sign, site = w.lines[-1].rpartition("  # ")
            given_back = f"; del {', '.join(f'v{n}' for n in gone)}"
            w.lines[-1] = line + given_back + sign + site if sign else site + given_back


def more(program: Program, r: Region) -> list[int]:
    """What the recorded calls of a region were given, and C does not read."""
    made = {n for step in r.calls for n in step.gives()}
    read = {n for step in r.calls for n in step.reads()}
    return sorted(read - made - {*r.takes, *program.constants})


def compiled(
    program: Program, plans: Sequence[Plan], names: dict[int, str]
) -> tuple[str, dict[str, Loops]]:
    """The C text of the regions of some plans, and what runs them. CompilerError: there is none."""
    regions = [r for p in plans for r in p.regions]
    if not regions:
        return "", {}
    used: dict[int, str] = {}
    for n in dict.fromkeys(n for r in regions for n in [*r.takes, *r.gives]):
        used[n] = unique(names.get(n, f"v{n}"), used.values()) if n in names else f"v{n}"
    text, written = source(program, regions, used)
    functions = library(text, [f"call_{r.name}" for r in regions])
    runners: dict[str, Loops] = {}
    for r, c, e in zip(regions, functions, written, strict=True):
        w = Writer(program)
        w.names |= {f"v{n}": array for n, array in program.constants.items()}
        w.arrays.update(r.gives)
        takes = [*r.takes, *more(program, r)]
        known = {*takes, *program.constants}
        mine = set(map(id, r.calls))
        for step in program.steps:
            if id(step) not in mine:
                continue
            w.step(step, known)
            known.update(step.gives())
        w.lines = w.stopping()
        steps = w.function("steps", takes, "(" + "".join(f"v{n}, " for n in r.gives) + ")")
        runners[r.name] = Loops(program, e, c, steps)
    return text, runners
