"""What a picture shows: which nodes stand alone, which are boxes, and where to stop.

Up to 60 nodes, everything is drawn. Above that, each module call becomes one box; containers such
as ``Sequential`` are looked through, so that layers stay visible. Runs of equal neighbours then
fold into one box "× 12", and loops of scalar code outside modules fold by their line. A fold must
leave the picture a picture: one through which a path leaves and comes back is not made. What still
exceeds ``max_nodes`` is refused at once, before any layout starts, with the ways to make it
smaller.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TypeAlias

from ..reading.trace import Trace, too_large

COLLAPSE = 60  # more nodes than this: modules become boxes
REPEATS = 3  # equal neighbours that fold, in a collapsed picture
OBVIOUS = 6  # so many fold in any picture
SHARED = 6  # weights of a loop that stand outside its box, at most
LONGEST = 6  # layers in one repeated block, at most
FEW = 4  # ops of a module that the program calls by itself, up to which they stand open
Loop: TypeAlias = tuple[str, int]  # file and line of a loop


@dataclass
class Unit:
    """One thing that is drawn.

    ``kind``: "value" (one node), "module" (one call), "fold" (equal blocks), "loop", or "average"
    (of several parameters).
    """

    id: str
    kind: str
    members: list[int]
    call: int | None = None  # the call of a "module"
    blocks: list[list[Unit]] = field(
        default_factory=list
    )  # of a "fold": the units of each repetition
    line: int = 0  # of a "loop": where the loop stands
    count: int = 0  # of a "loop": how often it ran

    @property
    def newest(self) -> int:
        return self.members[-1]


class Plan:
    """The units of a trace (oldest first), the unit of each node, and the edges between units."""

    def __init__(self, trace: Trace, depth: int | None = None, max_nodes: int = 400):
        self.trace = trace
        drawn = [n.id for n in trace.nodes if not self._is_number(n.id)]
        self.unit: dict[int, Unit] = {i: Unit(f"v{i}", "value", [i]) for i in drawn}
        self._users()
        self.collapsed = False
        if depth is not None:
            self._collapse(depth, through=False)
            self._fold(REPEATS)
        else:
            self._automatic(drawn)
        if self.collapsed:
            self._averages()
        self.units = sorted({id(u): u for u in self.unit.values()}.values(), key=lambda u: u.newest)
        if len(self.units) > max_nodes:
            places = Counter(
                (t.site.line, t.place) for i in drawn if (t := trace.nodes[i]).op and t.site
            )
            line, times = 0, 0
            for (at, _), often in places.most_common(1):
                if often > len(drawn) // 20:
                    line, times = at, often
            raise too_large(len(self.units), max_nodes, len(drawn), line, times)

    def _automatic(self, drawn: list[int]) -> None:
        whole = dict(self.unit)
        if self.trace.modules:
            self._collapse(1, through=True)
            self._fold(REPEATS if len(drawn) > COLLAPSE else OBVIOUS)
            folded = any(u.kind == "fold" for u in self.unit.values())
            if len(drawn) <= COLLAPSE and not folded:
                self.unit, self.collapsed = whole, False
            elif self._size() > COLLAPSE:
                through, self.unit = self.unit, dict(whole)
                self._collapse(1, through=False)
                self._fold(REPEATS)
                if self._size() >= len({id(u) for u in through.values()}):
                    self.unit = through
        if self._size() > COLLAPSE:
            self._loops()

    def _size(self) -> int:
        return len({id(u) for u in self.unit.values()})

    def _is_number(self, i: int) -> bool:
        return self.trace.nodes[i].role == "constant"

    def _users(self) -> None:
        self.users: dict[int, list[int]] = {}
        for e in self.trace.edges:
            if self.trace.nodes[e.target].role != "average":  # they follow what is collapsed
                self.users.setdefault(e.source, []).append(e.target)

    # ---- modules ---------------------------------------------------------------------------------
    def _collapse(self, depth: int, through: bool) -> None:
        """One unit per module call at ``depth`` (0: the outermost).

        ``through``: containers do not count as a level.
        """
        self.collapsed = True
        modules = self.trace.modules
        level: list[int] = []
        inner = {m.parent for m in modules if m.parent is not None}
        # a layer that the program calls by itself is a box at any depth if it is many ops, as
        # nn.GRU is: a linear one is two or three, and a loss, which has no parameters, one
        ops = Counter(n.module for n in self.trace.nodes if n.op)
        alone = {
            m.id for m in modules if m.parent is None and m.parameters and ops[m.id] > FEW
        } - inner
        for m in modules:  # parents come first
            above = 0 if m.parent is None else level[m.parent] + 1
            if (
                through
                and m.parent is not None
                and modules[m.parent].container
                and modules[m.parent].parent is not None
            ):
                above -= 1
            level.append(above)
        boxes: dict[int, Unit] = {}
        calls: dict[int | None, int | None] = {None: None}
        for t in self.trace.nodes:
            if not t.op or t.id not in self.unit:
                continue
            if t.module not in calls:
                chain = self.trace.chain(t.module)
                calls[t.module] = next(
                    (
                        m
                        for m in chain
                        if (level[m] >= depth or m in alone)
                        and not (through and modules[m].container and m in inner)
                        and not (modules[m].parent is None and m not in inner | alone)
                    ),
                    None,
                )
            call = calls[t.module]
            if call is not None and t.role != "loss":
                box = boxes.setdefault(call, Unit(f"m{call}", "module", [], call))
                box.members.append(t.id)
                self.unit[t.id] = box
        self._absorb()

    def _absorb(self) -> None:
        """Leaves that only one box uses go into it: parameters always, data if it is a loop.

        A few weights that all passes of a loop share stay outside, where they can be seen.
        """
        shared = self._shared()
        for t in self.trace.nodes:
            if t.op or t.id not in self.unit or self.unit[t.id].kind != "value":
                continue
            users = {id(self.unit[u]): self.unit[u] for u in self.users.get(t.id, ())}
            if len(users) == 1:
                (box,) = users.values()
                if t.id in shared.get(id(box), ()):
                    continue
                if box.kind == "loop" or (box.kind in ("module", "fold") and t.role == "parameter"):
                    box.members.append(t.id)
                    box.members.sort()
                    self.unit[t.id] = box

    def _shared(self) -> dict[int, set[int]]:
        """Per loop, the parameters that several of its passes read, if they are few."""
        found: dict[int, set[int]] = {}
        for t in self.trace.nodes:
            users = self.users.get(t.id, ())
            if t.role == "parameter" and len(users) > 1 and t.id in self.unit:
                boxes = {id(self.unit[u]): self.unit[u] for u in users if u in self.unit}
                if len(boxes) == 1 and next(iter(boxes.values())).kind == "loop":
                    found.setdefault(next(iter(boxes)), set()).add(t.id)
        return {box: few for box, few in found.items() if len(few) <= SHARED}

    def _averages(self) -> None:
        """One unit for the averages of all parameters that lie in the same boxes."""
        boxes: dict[tuple[str, ...], Unit] = {}
        for t in self.trace.nodes:
            if t.role == "average":
                key = tuple(self.unit[i].id for i in t.inputs)
                box = boxes.setdefault(key, Unit(f"a{t.id}", "average", []))
                box.members.append(t.id)
        for box in boxes.values():
            for i in box.members if len(box.members) > 1 else ():
                self.unit[i] = box

    # ---- repetition ------------------------------------------------------------------------------
    def _fold(self, least: int) -> None:
        """Fold runs of equal blocks that follow each other, the longest cover first."""
        units = sorted({id(u): u for u in self.unit.values()}.values(), key=lambda u: u.newest)
        row = [u for u in units if u.kind == "module" or self.trace.nodes[u.newest].op]
        kinds = [self._kind(u) for u in row]
        inputs = {id(u): self._sources(u) for u in row}
        start = 0
        while start < len(row):
            best = (0, 0)
            for period in range(1, LONGEST + 1):
                times = 1
                while (
                    start + (times + 1) * period <= len(row)
                    and kinds[start : start + period]
                    == kinds[start + times * period : start + (times + 1) * period]
                    and id(row[start + times * period - 1])
                    in inputs[id(row[start + times * period])]
                ):
                    times += 1
                if times >= least and times * period > best[0] * best[1]:
                    best = (period, times)
            period, times = best
            run = row[start : start + period * times]
            if times and any(u.kind == "module" for u in run) and self._closed(run):
                self._join([run[k * period : (k + 1) * period] for k in range(times)])
                start += period * times
            else:
                start += 1

    def _kind(self, u: Unit) -> Hashable:
        """Units of one kind may repeat each other: same class, same parameters, same ops."""
        if u.kind != "module":
            return self.trace.nodes[u.newest].role == "loss", self.trace.nodes[u.newest].op
        nodes = [self.trace.nodes[i] for i in u.members]
        own = sorted(t.parameter or t.name for t in nodes if not t.op)
        kind = "" if u.call is None else self.trace.modules[u.call].type
        return kind, tuple(own), tuple(t.op for t in nodes if t.op)

    def _sources(self, u: Unit) -> set[int]:
        return {id(v) for v in self._inputs(u)}

    def _closed(self, run: list[Unit]) -> bool:
        """Does everything leave the run at its end?

        A value from the middle that is used outside would make a wrong picture.
        """
        inside = {id(u) for u in run}
        for u in run[:-1]:
            for i in u.members:
                if any(
                    id(self.unit[v]) not in inside for v in self.users.get(i, ()) if v in self.unit
                ):
                    return False
        return True

    def _join(self, blocks: list[list[Unit]]) -> None:
        members = sorted(i for block in blocks for u in block for i in u.members)
        fold = Unit(f"f{members[0]}", "fold", members, blocks=blocks)
        for i in members:
            self.unit[i] = fold
        self._absorb()

    # ---- loops -----------------------------------------------------------------------------------
    def _loops(self) -> None:
        """One unit per loop of the source whose passes do not leave it in between."""
        nodes = self.trace.nodes
        groups: dict[Loop, list[int]] = {}
        passes, times = self._passes()
        for i, u in self.unit.items():
            t = nodes[i]
            key = passes.get(u.newest)
            if key is None and u.kind == "value" and t.op and t.site and t.loop:
                key = t.site.file, t.loop
            if key is not None and t.role != "loss":
                groups.setdefault(key, []).append(i)
        for key in [k for k, members in groups.items() if len(members) < 4]:
            del groups[key]
        of = {i: key for key, members in groups.items() for i in members}
        for key in self._cyclic(of):
            del groups[key]
        for (file, line), members in groups.items():
            most = Counter(nodes[i].place for i in members).most_common(1)[0][1]
            most = times.get((file, line), most)
            loop = Unit(f"l{members[0]}", "loop", list(members), line=line, count=most)
            for i in members:
                self.unit[i] = loop
        self._absorb()

    def _passes(self) -> tuple[dict[int, Loop], dict[Loop, int]]:
        """The loops that the ops of recurrences are in, also those inside of modules; how often
        each ran. A module's box is in a loop with all of its ops, or not at all.
        """
        of: dict[int, Loop] = {}
        times: dict[Loop, int] = {}
        for r in self.trace.recurrences:
            if r.line is not None:
                of |= dict.fromkeys((i for p in r.passes for i in p), (r.file, r.line))
                times[r.file, r.line] = len(r.passes)
        for u in self.unit.values():
            loops = {of.get(i) for i in u.members if self.trace.nodes[i].op}
            if len(loops) > 1:
                of = {i: loop for i, loop in of.items() if loop not in loops}
        return of, times

    def _cyclic(self, of: dict[int, Loop]) -> list[Loop]:
        """The groups that lie on a cycle of groups and other nodes: they cannot be drawn as one."""
        sources: dict[Loop | int, set[Loop | int]] = {}
        for e in self.trace.edges:
            a, b = of.get(e.source, e.source), of.get(e.target, e.target)
            sources.setdefault(b, set())
            sources.setdefault(a, set())
            if a != b:
                sources[b].add(a)
        waiting = {b: len(a) for b, a in sources.items()}
        users: dict[Loop | int, list[Loop | int]] = {}
        for b, above in sources.items():
            for a in above:
                users.setdefault(a, []).append(b)
        ready = [b for b, n in waiting.items() if n == 0]
        while ready:
            for b in users.get(ready.pop(), ()):
                waiting[b] -= 1
                if waiting[b] == 0:
                    ready.append(b)
        return [b for b, n in waiting.items() if n and not isinstance(b, int)]

    # ---- for the drawing -------------------------------------------------------------------------
    def ranks(self) -> dict[str, int]:
        """The column of each unit from left to right; a leaf stands just before its first use."""
        rank: dict[str, int] = {}
        first: dict[int, int] = {}
        for u in self.units:
            above = [v for v in self._inputs(u) if v.id in rank]
            if self._sources(u):
                rank[u.id] = 1 + max((rank[v.id] for v in above), default=1)
                for v in self._inputs(u):
                    first.setdefault(id(v), rank[u.id])
        for u in self.units:
            if u.id not in rank:
                rank[u.id] = first.get(id(u), 1) - 1
        return rank

    def _inputs(self, u: Unit) -> list[Unit]:
        found = {
            id(self.unit[j]): self.unit[j]
            for i in u.members
            for j in self.trace.nodes[i].inputs
            if j in self.unit
        }
        found.pop(id(u), None)
        return list(found.values())
