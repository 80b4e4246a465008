"""Layers of one form, one after the other, as one: twelve blocks of a transformer are one, × 12.

Of forward the first of them is kept, of backward the last, which is the derivative of that one.
What is read of another one is then read of the one that is kept.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import NamedTuple

from .parts import Account, Around, Held, Part

LEAST = 3  # of one form
SAVED = 6  # parts that it must save
LONGEST = 120  # parts of one


class Run(NamedTuple):
    """``times`` times ``period`` parts, from part ``start`` on."""

    start: int
    period: int
    times: int

    @property
    def saved(self) -> int:
        return self.period * (self.times - 1)


def alike(account: Account) -> Account:
    """The account with one of each run, or as it is."""
    parts = account.parts
    found = runs([_form(p) for p in parts])
    if not found:
        return account
    kept: dict[int, int] = {}  # of a part: the one that stands for it
    around: dict[int, Around] = {}
    for run in found:
        own = run.start
        if parts[run.start].phase == "backward":
            own += run.saved
        text = f"{run.times} alike, one after the other"
        frame = Around("alike", run.times, text)
        for k in range(run.period * run.times):
            kept[run.start + k] = own + k % run.period
        around |= {own + k: frame for k in range(run.period)}
    arrays: dict[Held, Held] = {}
    for n, m in kept.items():
        pairs = zip(parts[n].gives, parts[m].gives, strict=True)
        arrays |= {a: b for a, b in pairs if a.role in ("value", "gradient")}
    gone = {h for n, m in kept.items() if n != m for h in parts[n].reads if h.role == "parameter"}
    number: dict[int, int] = {}
    out: list[Part] = []
    lowest = len(parts)
    for p in parts:
        if kept.get(p.number, p.number) != p.number:
            continue
        number[p.number] = len(out)
        of = -1
        if p.of >= 0:  # backward goes up, also where the runs of both do not begin together
            of = lowest = min(lowest, number[kept.get(p.of, p.of)])
        out.append(replace(
            p, number=len(out), of=of, alike=around.get(p.number),
            reads=_mapped(p.reads, arrays), makes=_mapped(p.makes, arrays),
            writes=_mapped(p.writes, arrays),
        ))  # fmt: skip
    used = {h for p in out for h in [*p.reads, *p.gives]}
    keep = [h for h in account.arrays if h in used or (h.returned and h not in gone)]
    return replace(account, parts=out, arrays=keep)


def _mapped(held: Sequence[Held], arrays: dict[Held, Held]) -> list[Held]:
    return [*dict.fromkeys(arrays.get(h, h) for h in held)]


def _form(p: Part) -> Hashable:
    """What parts that are alike have in common."""
    around = None if p.around is None else (p.around.kind, p.around.count)
    shapes = tuple([(str(h), h.role) for h in p.makes])
    code = tuple(p.code)
    return p.phase, p.kind, tuple(p.ops), p.where, around, shapes, len(p.writes), code


def runs(forms: Sequence[Hashable]) -> list[Run]:
    """Where the same parts come again and again; of the runs that begin at one place, the one that
    saves most."""
    found: list[Run] = []
    i = 0
    while i < len(forms):
        best = Run(i, 0, 1)
        for period in range(1, min(LONGEST, (len(forms) - i) // LEAST) + 1):
            first, count = forms[i : i + period], 1
            while forms[i + count * period : i + (count + 1) * period] == first:
                count += 1
            if count >= LEAST and period * (count - 1) > best.saved:
                best = Run(i, period, count)
        if best.saved >= SAVED:
            found.append(best)
            i += best.period * best.times
        else:
            i += 1
    return found
