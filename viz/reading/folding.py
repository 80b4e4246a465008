"""A long program with fewer parts: neighbours from one line of the user's are one part."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise

from .parts import Account, Held, Part


def folded(account: Account, most: int, whole_lines: bool = False) -> tuple[Account, list[int]]:
    """The account with about ``most`` parts of forward and of backward, and which part each of the
    old ones is in. ``whole_lines``: all neighbours from one line are one part."""
    count = Counter(p.phase for p in account.parts)
    size = len(account.parts) if whole_lines else math.ceil(max([*count.values(), 0]) / most)
    groups: list[list[Part]] = []
    for a, p in pairwise([None, *account.parts]):
        assert p is not None
        same = a is not None and _place(a) == _place(p) and "check" not in (a.kind, p.kind)
        if same and not p.code and len(groups[-1]) < size:
            groups[-1].append(p)
        else:
            groups.append([p])
    if len(groups) == len(account.parts):
        return account, [*range(len(account.parts))]
    where = {p.number: k for k, group in enumerate(groups) for p in group}
    readers: dict[Held, set[int]] = {}
    for p in account.parts:
        for h in p.reads:
            readers.setdefault(h, set()).add(where[p.number])
    parts = [_together(group, k, readers) for k, group in enumerate(groups)]
    for p, group in zip(parts, groups, strict=True):
        p.of = where.get(group[0].of, -1)
    return replace(account, parts=parts), [where[p.number] for p in account.parts]


def _place(p: Part) -> tuple[object, ...]:
    return p.phase, p.where, p.function, p.around, p.alike


def _together(group: list[Part], number: int, readers: dict[Held, set[int]]) -> Part:
    """Several parts as one: what it makes is what others read."""
    if len(group) == 1:
        return replace(group[0], number=number)
    kinds = {p.kind for p in group}
    made = [*dict.fromkeys(h for p in group for h in p.makes)]
    out = [h for h in made if h.returned or readers.get(h, set()) - {number}]
    return replace(
        group[0], number=number, kind=kinds.pop() if len(kinds) == 1 else "parts",
        ops=[op for p in group for op in p.ops],
        reads=[*dict.fromkeys(h for p in group for h in p.reads if h not in made)],
        makes=out, writes=[*dict.fromkeys(h for p in group for h in p.writes if h not in made)],
        lines=[x for p in group for x in p.lines], steps=[s for p in group for s in p.steps],
    )  # fmt: skip
