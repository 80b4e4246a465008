"""Loops found again: a long list of instructions as a short one with loops in it.

A step of micrograd's moons makes 66,000 Scalars. As 66,000 lines of C that is a book which a
compiler reads for minutes. But a few loops of Python wrote it, and left their mark: what one round
does, the next does again, with operands that lie a fixed distance further on. So the list

    mul p[3] p[0]    mul p[4] p[1]    mul p[5] p[2]          is    for i < 3:  mul p[3 + i] p[i]

Nothing is moved for that. The list is read once, from its beginning, and put on a stack; whatever
stands on top of the stack is folded as soon as it can be (the recognition of loops in a trace of
Ketterlin and Clauss, 2008):

    a loop, and then once more what its body does, a stride further  ->  the loop, one round longer
    three times the same, at equal distances                         ->  a loop of three rounds

Rounds may hold loops, so loops nest as they did in Python. Unrolled again, they are the list. So
the program adds up in the same order as the run did, and gives the same numbers, to the bit; the
walk back is the same loops from their end to their beginning.

Two instructions are written differently first (``chains``). A sum that a loop adds up makes a
number per round, which only the next round reads:

    s1 = s0 + m0    s2 = s1 + m1    s3 = s2 + m2             is    s = s0    s += m0    s += m1  ...

and the first round, which began with something else, is then like all others.
"""
from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from ...graph import Site
from .trace import Instruction

if TYPE_CHECKING:
    from ...base.types import Array, Operand
    from .trace import Where

MOST_TRIED = 8  # earlier places at which a round may have ended


@dataclass(eq=False)
class Loop:
    """``body``, ``count`` times."""

    count: int
    body: list[Node] = field(default_factory=list)


@dataclass(eq=False)
class Statement:
    """One instruction in ``loops``: the first of its kind, and how the others differ.

    ``starts`` and ``strides`` (one per loop, outermost first) say for the instruction's number, its
    ``place`` and each operand where they are in each round. ``constants``: per operand that is a
    number, its values in all rounds.
    """

    first: Instruction
    loops: list[Loop]
    starts: list[int]
    strides: list[tuple[int, ...]]
    constants: dict[int, Array] = field(default_factory=dict)

    @property
    def extents(self) -> tuple[int, ...]:
        return tuple([loop.count for loop in self.loops])

    def all(self, i: int) -> Array:
        """Of the number (-2), the place (-1) or an operand: the values in all rounds."""
        found = np.full(self.extents, self.starts[i + 2])
        for d, stride in enumerate(self.strides[i + 2]):
            shape = [1] * len(self.loops)
            shape[d] = -1
            found = found + stride * np.arange(self.loops[d].count).reshape(shape)
        return found


Node: TypeAlias = "Loop | Statement"


def rolled(instructions: Sequence[Instruction]) -> list[list[Node]]:
    """The instructions with loops: a list for what stands before, between and after backwards."""
    near, far = chains(instructions), chains(instructions, far=True)
    found = in_parts(near)
    if far != near:  # of two ways to write sums, the one that leaves fewer statements
        found = min(found, in_parts(far), key=lambda parts: sum(
            1 for part in parts for _ in statements(part)))  # fmt: skip
    return found


def in_parts(written: Sequence[Instruction]) -> list[list[Node]]:
    """The same for instructions whose sums are written."""
    parts: list[list[Node]] = []
    begin = 0
    for end, i in enumerate([*written, None]):
        if i is None or i.name == "backward":
            parts.append(folded(written, begin, end))
            if i is not None:
                parts.append([alone(i, end)])
            begin = end + 1
    return parts


def alone(i: Instruction, number: int) -> Statement:
    """An instruction as a statement outside of all loops."""
    starts = [number, i.place, *[int(at) if kind != "c" else 0 for kind, at in i.operands]]
    constants = {k: np.array(at) for k, (kind, at) in enumerate(i.operands) if kind == "c"}
    return Statement(i, [], starts, [()] * len(starts), constants)


# ---- sums ----------------------------------------------------------------------------------------
def linked(
    instructions: Sequence[Instruction],
) -> tuple[dict[int, tuple[int, int]], dict[int, int]]:
    """Additions whose operand is an addition that nothing else reads, on one side of backward.

    Of such an addition: that operand, and which of its operands it is; and the other way about.
    """
    uses = [0] * len(instructions)
    for i in instructions:
        for kind, at in i.operands:
            if kind == "v":
                uses[int(at)] += 1
    before: dict[int, tuple[int, int]] = {}
    after: dict[int, int] = {}
    part, parts = 0, []
    for t, i in enumerate(instructions):
        part += i.name == "backward"
        parts.append(part)
        if i.name != "add":
            continue
        for j, (kind, at) in enumerate(i.operands):
            u = int(at) if kind == "v" else -1
            if u >= 0 and instructions[u].name == "add" and uses[u] == 1 and parts[u] == part:
                before[t], after[u] = (u, j), t
                break
    return before, after


def chains(instructions: Sequence[Instruction], far: bool = False) -> list[Instruction]:
    """The instructions with "set" and "add to" in the place of sums that go on.

    ``far``: a sum that several loops, one in the other, add up is set before all of them.
    """
    before, after = linked(instructions)
    # what stands before an instruction: sums that are set, that with the longest rounds first
    begins: dict[int, list[tuple[int, Instruction]]] = defaultdict(list)
    sums: dict[int, Where] = {}  # an addition of a chain -> its number, as ("set", the first's)
    replaced: dict[int, Instruction] = {}
    for t in after:
        if t in before:
            continue
        links = [t]
        while links[-1] in after:
            links.append(after[links[-1]])
        first, back = instructions[t], links[1] - t - 1
        if far:  # the longest way from one addition to the next, but for those that occur once
            ways = Counter(v - u for u, v in pairwise(links))
            back = max(back, *[way - 1 for way, times in ways.items() if times > 1], 0)
        chain = ("set", t)
        begins[hoisted(instructions, t, back, first)].append((-back, Instruction(
            "set", (), first.operands[:1], first.flows[:1], first.site, t)))  # fmt: skip
        for u in links:
            i, j = instructions[u], 1 - before.get(u, (0, 0))[1]
            sums[u] = chain
            replaced[u] = Instruction("add to", (), (chain, i.operands[j]), ((), i.flows[j]),
                                      i.site)  # fmt: skip
    written: list[Instruction] = []
    number: dict[Where, Where] = {}
    for t, i in enumerate(instructions):
        for _, s in sorted(begins.get(t, ()), key=itemgetter(0)):
            number["set", s.place] = ("v", len(written))
            written.append(s._replace(place=-1))
        if t not in sums:
            number["v", t] = ("v", len(written))
        else:
            number["v", t] = number[sums[t]]
        written.append(replaced.get(t, i))
    return [
        Instruction(name, attrs, tuple([number.get(x, x) for x in given]), flows, site, place)
        for name, attrs, given, flows, site, place in written
    ]  # fmt: skip


def hoisted(
    instructions: Sequence[Instruction], t: int, back: int, first: Instruction
) -> int:
    """Where a sum that begins with instruction t is set: before its first round, if that changes
    no order in which gradients are added up."""
    (kind, made), flow = first.operands[0], first.flows[0]
    begin = max(t - back, 0)
    for u in range(begin, t):
        i = instructions[u]
        late = kind == "v" and made >= u
        if late or i.name == "backward" or (flow and first.operands[0] in i.operands):
            return t
    return begin


# ---- loops ---------------------------------------------------------------------------------------
class Form(NamedTuple):
    """What instructions or loops that are alike have in common.

    Of an instruction: what ``key`` says. Of a loop: how often, the forms of its body, and by how
    much the numbers in it grow from round to round.
    """

    key: Hashable
    size: int  # how many numbers vary in it
    times: int = 0
    body: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()


class Stack:
    """Forms, each with the numbers of its first round."""

    def __init__(self) -> None:
        self.number: dict[Form, int] = {}  # forms by number, and numbers by form
        self.forms: list[Form] = []
        self.on: list[int] = []  # the stack: numbers of forms ...
        self.bases: list[tuple[int, ...]] = []  # ... and the numbers in them
        self.places: dict[int, list[int]] = defaultdict(list)  # of a form on the stack
        self.loops: dict[int, list[int]] = defaultdict(list)  # of loops, by the end of their body

    def push(self, form: Form, base: tuple[int, ...]) -> None:
        n = self.number.get(form)
        if n is None:
            n = self.number[form] = len(self.forms)
            self.forms.append(form)
        self.places[n].append(len(self.on))
        if form.times:
            self.loops[form.body[-1]].append(len(self.on))
        self.on.append(n)
        self.bases.append(base)

    def pop(self, count: int) -> None:
        for n in reversed(self.on[-count:]):
            self.places[n].pop()
            if self.forms[n].times:
                self.loops[self.forms[n].body[-1]].pop()
        del self.on[-count:], self.bases[-count:]

    def top(self, begin: int, end: int) -> tuple[int, ...]:
        """The numbers in a piece of the stack."""
        return tuple([x for base in self.bases[begin:end] for x in base])

    def fold(self) -> bool:
        """Fold what is on top, if it can be."""
        end, last = len(self.on), self.on[-1]
        for at in reversed(self.loops.get(last, ())):
            form = self.forms[self.on[at]]
            if at + 1 + len(form.body) == end and tuple(self.on[at + 1 :]) == form.body:
                base, rest, n = self.bases[at], self.top(at + 1, end), form.times
                if all(x == b + n * s for x, b, s in zip(rest, base, form.strides, strict=True)):
                    self.pop(end - at)
                    self.push(form._replace(times=n + 1), base)
                    return True
        for at in reversed(self.places[last][-MOST_TRIED - 1 : -1]):
            size = end - 1 - at
            if 3 * size > end:
                break
            body = self.on[-size:]
            if self.on[at + 1 - size : at + 1] != body or (
                self.on[at + 1 - 2 * size : at + 1 - size] != body
            ):
                continue
            a, b, c = [self.top(end - k * size, end - (k - 1) * size) for k in (3, 2, 1)]
            strides = tuple([y - x for x, y in zip(a, b, strict=True)])
            if all(z - y == s for y, z, s in zip(b, c, strides, strict=True)):
                self.pop(3 * size)
                self.push(Form(None, len(a), 3, tuple(body), strides), a)
                return True
        return False


def folded(instructions: Sequence[Instruction], begin: int, end: int) -> list[Node]:
    """Instructions ``begin`` to ``end`` as statements and loops."""
    stack = Stack()
    keys: dict[Hashable, Form] = {}
    lines: dict[tuple[int, int], Hashable] = {}
    for t in range(begin, end):
        i = instructions[t]
        code, lasti = i.site
        line = lines.get((id(code), lasti))
        if line is None:  # Python may count otherwise in a line that it has run often
            line = lines[id(code), lasti] = (
                id(code), 0 if code is None else Site.of(code, lasti).line
            )  # fmt: skip
        key = (i.name, i.attrs, tuple([kind for kind, _ in i.operands]), i.flows, line,
               i.place if i.name == "grad" else None)  # fmt: skip
        form = keys.get(key)
        if form is None:
            form = keys[key] = Form(key, 2 + len(i.operands))
        stack.push(form, (t, i.place, *[int(x) if kind != "c" else 0 for kind, x in i.operands]))
        while stack.fold():
            pass
    nodes: list[Node] = []
    for n, base in zip(stack.on, stack.bases, strict=True):
        nodes.append(unfolded(instructions, stack.forms, n, base, [], [()] * len(base)))
    return nodes


def unfolded(
    instructions: Sequence[Instruction], forms: Sequence[Form], n: int, base: Sequence[int],
    loops: list[Loop], strides: Sequence[tuple[int, ...]],
) -> Node:  # fmt: skip
    """A form with its numbers as a statement or a loop; ``strides``: of the loops around it."""
    form = forms[n]
    if not form.times:
        made = Statement(instructions[base[0]], list(loops), list(base), list(strides))
        for k, (kind, _) in enumerate(made.first.operands):
            if kind == "c":
                rounds = made.all(-2)
                values = [float(instructions[t].operands[k][1]) for t in rounds.flat]
                made.constants[k] = np.array(values).reshape(rounds.shape)
        return made
    loop = Loop(form.times)
    at = 0
    for m in form.body:
        size = forms[m].size
        inner = [
            (*s, x) for s, x in zip(strides[at : at + size], form.strides[at : at + size],
                                    strict=True)
        ]  # fmt: skip
        loop.body.append(
            unfolded(instructions, forms, m, base[at : at + size], [*loops, loop], inner)
        )
        at += size
    return loop


def statements(nodes: Sequence[Node]) -> Iterator[Statement]:
    """The statements in a tree, in their order."""
    for node in nodes:
        if isinstance(node, Loop):
            yield from statements(node.body)
        else:
            yield node


def unrolled(nodes: Sequence[Node]) -> dict[int, Operand]:
    """What the loops stand for, by the number of the instruction: to be compared with the list."""
    found: dict[int, Operand] = {}
    for s in statements(nodes):
        given = [
            [(kind, x) for x in (s.constants[k] if kind == "c" else s.all(k)).ravel().tolist()]
            for k, (kind, _) in enumerate(s.first.operands)
        ]  # fmt: skip
        places = s.all(-1).ravel().tolist()
        for at, t in enumerate(s.all(-2).ravel().tolist()):
            operands = tuple([g[at] for g in given])
            found[t] = s.first._replace(operands=operands, place=places[at])
    return found
