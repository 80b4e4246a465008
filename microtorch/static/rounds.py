"""The rounds of a loop of Python found again among the statements of a region.

A recording has them one after the other: twenty steps of time are twenty times the same statements,
with other values and other places in arrays. ``rolled`` finds them: statements of one form, whose
operands are the same in each round, or made in it, or lie equally far apart. What one round makes
and others read gets an array with a row for each round; or where only the next round reads it, two
rows that are used in turn. Nothing is moved: unrolled again, it is the list.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from .statements import Call, Copy, Each, Lowered, Product, Sum, View, makes, reads
from .templates import Rate, Ref, replaced

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from ..base.types import Operand
    from .program import Program

LEAST = 3  # rounds
SAVED = 6  # statements that a loop must save
LONGEST = 300  # statements of a round
PERIODS = 6  # distances that are tried
Rule: TypeAlias = tuple[str, int, int]  # how the values of an operand follow in the rounds
OfOperand: TypeAlias = tuple[int, int, Rule]  # of a statement of the body, and which of its reads


class Rows(NamedTuple):
    """Values of successive rounds in one array: ``members[i]`` in row i; or i % 2, if ``turns``."""

    members: list[int]
    turns: bool

    @property
    def height(self) -> int:
        return 2 if self.turns else len(self.members)


class Row(NamedTuple):
    """Which row of an array a value of the body is: ``first`` + ``step`` times the round."""

    rows: Rows
    first: int
    step: int


class Rounds(NamedTuple):
    """``body``: the statements of round ``first``; after it come those before ``end``.

    ``starts``: how far further each round begins, of views and of places that are written to, by
    the statement's index in the body. ``moved``: the body's values that are rows of arrays.
    """

    body: list[Lowered]
    first: int
    end: int
    starts: dict[int, int]
    moved: dict[int, Row]


def rolled(
    program: Program, steps: Sequence[Lowered], kept: Container[int]
) -> tuple[list[Lowered | Rounds], dict[int, Rows]]:
    """The statements and the rounds; and the values that are rows. ``kept``: those that lie
    elsewhere."""
    return Roller(program, near(program, steps), kept).all()


def near(program: Program, steps: Sequence[Lowered]) -> list[Lowered]:
    """The statements, each view beside the one that reads it, so that it belongs to its round."""
    views = {s.result: s for s in steps if isinstance(s, View)}
    used: set[int] = set()
    done: list[Lowered] = []

    def view(n: int) -> int:
        """Looks at a value again, under a number of its own."""
        s = views[n]
        base = view(s.base) if s.base in views else s.base
        if n in used:
            program.values.append(program.values[n])
            n = len(program.values) - 1
        used.add(n)
        done.append(s._replace(result=n, base=base))
        return n

    for s in steps:
        if isinstance(s, View):
            continue
        again = {n: view(n) for n in dict.fromkeys(reads(s)) if n in views}
        done.append(renumbered(s, again) if again else s)
    return done


def renumbered(s: Lowered, to: dict[int, int]) -> Lowered:
    """A statement that reads and writes values under other numbers."""

    def number(n: int) -> int:
        return to.get(n, n)

    if isinstance(s, Each):
        into = s.into and s.into._replace(base=number(s.into.base))
        result = s.result if into is None else number(s.result)
        return s._replace(result=result, into=into, operands=_read(s.operands, to))
    if isinstance(s, View):
        return s._replace(base=number(s.base))
    if isinstance(s, Sum):
        return s._replace(operand=number(s.operand))
    if isinstance(s, Product):
        bias = None if s.bias is None else number(s.bias)
        return s._replace(x=number(s.x), y=number(s.y), bias=bias)
    if isinstance(s, Copy):
        return s._replace(parts=[(number(n), place) for n, place in s.parts])
    if isinstance(s, Call):
        return s._replace(operands=_read(s.operands, to), written=[*map(number, s.written)])
    return s


def _read(template: Operand, to: dict[int, int]) -> Operand:
    return replaced(template, lambda ref: Ref(to.get(ref.number, ref.number)))


class Found(NamedTuple):
    """A loop that was found, from statement ``begin`` on, and its arrays."""

    begin: int
    period: int
    rounds: Rounds
    rows: list[Rows]

    @property
    def saved(self) -> int:
        return self.period * (self.rounds.end - 1 - self.rounds.first)


class Roller:
    """Looks for the rounds of one region."""

    def __init__(self, program: Program, steps: Sequence[Lowered], kept: Container[int]):
        self.program, self.steps, self.kept = program, steps, kept
        self.forms: list[int] = []
        self.reads: list[list[int]] = []
        self.makes = [makes(s) for s in steps]
        self.starts: list[int] = []
        self.rows: dict[int, tuple[Rows, int]] = {}  # of values of earlier rounds
        known: dict[Operand, int] = {}
        self.places: dict[int, list[int]] = {}  # form -> where it is
        self.readers: dict[int, list[int]] = {}
        for i, s in enumerate(steps):
            form, numbers, start = self.seen(s)
            self.forms.append(known.setdefault(form, len(known)))
            self.places.setdefault(self.forms[-1], []).append(i)
            self.reads.append(numbers)
            self.starts.append(start)
            for n in numbers:
                self.readers.setdefault(n, []).append(i)

    def seen(self, s: Lowered) -> tuple[Operand, list[int], int]:
        """A statement's form, the values that it reads, and where it begins to read or write."""
        numbers: list[int] = []
        start, own = 0, {*makes(s)}
        constants, fresh = self.program.constants, self.program.fresh

        def form(x: Operand) -> Operand:
            if type(x) is Ref:
                value = self.program.values[x.number]
                one = constants.get(x.number)
                if isinstance(s, Each) and one is not None and one.size == 1 and (
                    x.number not in fresh
                ):  # C has the number itself
                    return "number", one.dtype.name, repr(one.item())
                if x.number not in own:
                    numbers.append(x.number)
                return "value", value
            if type(x) is Rate:
                return "rate", id(x.group), x.word
            if isinstance(x, dict):
                return tuple([(k, form(y)) for k, y in x.items()])
            if isinstance(x, (list, tuple)):
                return tuple(map(form, x))
            return type(x).__name__, repr(x)

        about: Operand = ()
        if isinstance(s, Each):
            about = s.formula, form(s.operands)
            if s.into is not None:
                about = *about, form(Ref(s.into.base)), s.into.strides, s.into.shape
                start = s.into.start
        elif isinstance(s, View):
            about, start = (form(Ref(s.base)), s.strides), s.start
        elif isinstance(s, Sum):
            about = form(Ref(s.operand)), s.dims, s.divisor
        elif isinstance(s, Product):
            given = [form(Ref(n)) for n in (s.x, s.y, s.bias) if n is not None]
            about = *given, s.x_turned, s.y_turned
        elif isinstance(s, Copy):
            about = repr(s.fill), tuple([(form(Ref(n)), p[1:]) for n, p in s.parts])
        elif isinstance(s, Call):
            about = s.function, form(s.operands), s.checks
        made = tuple([self.program.values[n] for n in makes(s)])
        name = s.step.name.rstrip("0123456789")  # of the gradient of a list's 7th tensor, say
        return (type(s).__name__, name, str(s.step.site), about, made), numbers, start

    def all(self) -> tuple[list[Lowered | Rounds], dict[int, Rows]]:
        """All rounds, the first ones first."""
        items: list[Lowered | Rounds] = []
        i = 0
        while i < len(self.steps):
            found = self.best(i)
            if found is None:
                items.append(self.steps[i])
                i += 1
                continue
            r, period = found.rounds, found.period
            items += [*self.steps[i : found.begin + r.first * period], r]
            i = found.begin + r.end * period
            for rows in found.rows:
                self.rows |= {n: (rows, k) for k, n in enumerate(rows.members)}
        return items, {n: rows for n, (rows, _) in self.rows.items()}

    def best(self, i: int) -> Found | None:
        """Of the loops that begin at statement i, or within its first round, the one that saves
        most; of equal ones, that with fewer arrays."""
        best: Found | None = None
        after = [j - i for j in self.places[self.forms[i]] if j > i]
        for period in after[:PERIODS]:
            if period > LONGEST or not self.repeats(i, period, LEAST - 1):
                continue
            for begin in range(i, i + period):
                count = 1
                while self.repeats(begin, period, count):
                    count += 1
                found = self.checked(begin, period, count)
                if found is not None and (best is None or (found.saved, -len(found.rows)) > (
                    best.saved, -len(best.rows)
                )):  # fmt: skip
                    best = found
            if best is not None:
                return best
        return None

    def repeats(self, begin: int, period: int, k: int) -> bool:
        """Has round k the forms of the first one?"""
        other = self.forms[begin + k * period : begin + (k + 1) * period]
        return other == self.forms[begin : begin + period]

    def checked(self, begin: int, period: int, count: int) -> Found | None:
        """The loop with as many of ``count`` rounds as are alike."""
        while count >= LEAST:
            good = self.alike(begin, period, count)
            if isinstance(good, Found):
                return good if good.saved >= SAVED else None
            count = good
        return None

    def alike(self, begin: int, period: int, count: int) -> Found | int:
        """The loop, or how many of its rounds are alike at most."""
        made = {
            n: (r, q, k) for r in range(count) for q in range(period)
            for k, n in enumerate(self.makes[begin + r * period + q])
        }  # fmt: skip
        starts: dict[int, int] = {}
        rules: list[OfOperand] = []
        for q in range(period):
            at = [begin + r * period + q for r in range(count)]
            begun = [self.starts[i] for i in at]
            starts[q] = begun[1] - begun[0]
            for r in range(2, count):
                if begun[r] != begun[0] + r * starts[q]:
                    return r
            for slot in range(len(self.reads[at[0]])):
                rule = self.rule([self.reads[i][slot] for i in at], made)
                if isinstance(rule, int):
                    return rule
                rules.append((q, slot, rule))
        carried = {rule[1:] for _, _, rule in rules if rule[0] == "carried"}
        first = begin + period * bool(carried)
        own = self.rows_made(begin, period, count, made, carried)
        if isinstance(own, int):
            return own
        moved = self.rows_moved(first, rules, own)
        if moved is None:
            return 0
        body = [*self.steps[first : first + period]]
        rounds = Rounds(body, int(bool(carried)), count, starts, moved)
        return Found(begin, period, rounds, [*own.values()])

    def rows_made(
        self, begin: int, period: int, count: int, made: dict[int, tuple[int, int, int]],
        carried: set[tuple[int, int]],
    ) -> dict[tuple[int, int], Rows] | int:  # fmt: skip
        """What the rounds make and others read, by statement and which of its results; or how many
        rounds are alike at most. ``carried``: what the next round reads."""
        own: dict[tuple[int, int], Rows] = {}
        end = begin + count * period
        for n, (r, q, k) in made.items():
            here = range(begin + r * period, begin + (r + 1) * period)
            out = [i for i in self.readers.get(n, ()) if i not in here]
            later = r < count - 1 and any(i >= end for i in out)  # than the next round
            if n in self.kept:
                return r
            if not out and (q, k) not in carried:
                continue
            if isinstance(self.steps[begin + r * period + q], View):
                return 0
            was = own.get((q, k))
            if was is None or (was.turns and later):
                members = [self.makes[begin + x * period + q][k] for x in range(count)]
                own[q, k] = Rows(members, not later)
        return own

    def rows_moved(
        self, first: int, rules: list[OfOperand], own: dict[tuple[int, int], Rows]
    ) -> dict[int, Row] | None:
        """The values of the round that begins at ``first`` that are a row in others; None where two
        rules do not agree about one."""
        moved = {self.makes[first + q][k]: Row(x, 0, 1) for (q, k), x in own.items()}
        same: set[int] = set()
        for q, slot, (kind, a, b) in rules:
            n = self.reads[first + q][slot]
            if kind == "same":
                same.add(n)
                continue
            row = None
            if kind == "carried":
                row = Row(own[a, b], -1, 1)
            elif kind == "rows":
                row = Row(self.rows[n][0], a, b)
            if row is not None and moved.setdefault(n, row) != row:
                return None
        rows = [*own.values()]
        if same & moved.keys() or any(x.rows.turns and x.rows not in rows for x in moved.values()):
            return None
        return moved

    def rule(
        self, numbers: list[int], made: dict[int, tuple[int, int, int]]
    ) -> Rule | int:
        """How the values that one operand is in the rounds follow from each other; or up to which
        round they do."""
        where = [made.get(n) for n in numbers]
        second = where[1]
        if second is None:
            rows = [self.rows.get(n, (None, 0)) for n in numbers]
            (array, first), (_, next_) = rows[:2]
            if array is not None and numbers[0] != numbers[1]:
                for r, (here, row) in enumerate(rows):
                    if here is not array or row != first + r * (next_ - first):
                        return r
                return "rows", first, next_ - first
            for r, n in enumerate(numbers):
                if n != numbers[0] or where[r] is not None:
                    return r
            return "same", 0, 0
        back = 1 - second[0]
        if back not in (0, 1):
            return 1
        for r, x in enumerate(where):
            if r >= back and x != (r - back, *second[1:]):
                return r
        return ("carried" if back else "local", *second[1:])
