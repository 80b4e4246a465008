"""What a user may call a value of a trace: ``find(trace, "net.2")`` answers with its number.

    t[10], t[-1]         the row of the printed table, counted from 1; from its end
    t["loss"]            the name of a variable, or what the table calls the value
    t["net.2"]           a module's path: its output
    t["net.2.relu"]      an op inside a module
    t["relu"]            an op that occurs once
    t["h:2"]             the second of several: of one name, calls of one module, ops of one kind

The name of the variable that holds the outermost module may be left out ("2" for "net.2").
"""

from __future__ import annotations

import difflib

from microtorch.base.errors import seen_as

from ..reading.trace import Trace
from .words import SUBSCRIPTS, display_names

_DIGITS = {chr(v): chr(k) for k, v in SUBSCRIPTS.items()}


@seen_as(KeyError)
class UnknownKey(KeyError):
    """A key of no value, or of several. Its text has lines, which KeyError's own would hide."""

    def __str__(self) -> str:
        return str(self.args[0])


def rows(trace: Trace) -> list[int]:
    """The nodes of the table's rows, in order."""
    return [t.id for t in trace.nodes if t.role != "constant"]


def find(trace: Trace, key: str | int) -> int:
    """The number of the node that ``key`` means.

    Raises IndexError for a row that is not there, and UnknownKey, a KeyError, with the nearest
    names for a key of no value or of several.
    """
    if isinstance(key, int):
        order = rows(trace)
        if not (1 <= key <= len(order) or -len(order) <= key < 0):
            raise IndexError(f"row {key} is not in the table: rows are numbered 1 to {len(order)}")
        return order[key - 1 if key > 0 else key]
    levels = _levels(trace)
    name, _, which = key.rpartition(":")
    for level in levels:
        found = level.get(key)
        if found is not None:
            if len(found) > 1:
                raise UnknownKey(_several(trace, key, found))
            return found[0]
        if which.isdigit() and name in level:
            if not 1 <= int(which) <= len(level[name]):
                raise UnknownKey(f"'{key}': there are {len(level[name])} of '{name}'")
            return level[name][int(which) - 1]
    known = list(dict.fromkeys(k for level in levels for k in level))
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
    near = near or [k for k in known if key in k or k.endswith(f".{key}")][:3]
    offer = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    some = ", ".join(map(repr, known[:12])) + (", ..." if len(known) > 12 else "")
    raise UnknownKey(f"no value is called '{key}'.{offer} There are: {some}")


def keys(trace: Trace, i: int) -> list[str]:
    """All keys that mean node i and no other, the most telling first."""
    return list(dict.fromkeys(k for level in _levels(trace) for k in level if level[k] == [i]))


def _several(trace: Trace, key: str, found: list[int]) -> str:
    order = {i: n + 1 for n, i in enumerate(rows(trace))}
    names = display_names(trace)
    parts = []
    for k, i in enumerate(found, 1):
        site = trace.nodes[i].site
        line = f", line {site.line}" if site is not None else ""
        parts.append(f"'{key}:{k}' ({names[i]}, row {order.get(i, '–')}{line})")
    text = ", ".join(parts[:6]) + (", ..." if len(parts) > 6 else "")
    return f"'{key}' means {len(found)} values; say which: {text}"


def _levels(trace: Trace) -> list[dict[str, list[int]]]:
    """Key -> nodes, from what is meant first to what is meant last."""
    names: dict[str, list[int]] = {}
    shown: dict[str, list[int]] = {}
    modules: dict[str, list[int]] = {}
    inside: dict[str, list[int]] = {}
    ops: dict[str, list[int]] = {}
    texts = display_names(trace)
    for t in trace.nodes:
        if t.role == "constant":
            continue
        if t.name and not (t.parameter and t.name == t.parameter):
            names.setdefault(t.name, []).append(t.id)
        shown.setdefault(texts[t.id], []).append(t.id)
        plain = "".join(_DIGITS.get(c, c) for c in texts[t.id])
        if plain != texts[t.id]:
            shown.setdefault(plain, []).append(t.id)
        if t.op:
            ops.setdefault(t.op, []).append(t.id)
            for m in trace.chain(t.module):
                inside.setdefault(f"{trace.modules[m].path}.{t.op}", []).append(t.id)
    for call, i in _outputs(trace).items():
        modules.setdefault(trace.modules[call].path, []).append(i)
    levels = [names, shown, modules, inside, ops]
    tops = {m.path for m in trace.modules if m.parent is None}
    short: dict[str, list[int]] = {}
    for level in levels[1:4]:
        for k, found in level.items():
            first, dot, rest = k.partition(".")
            if dot and first in tops:
                short.setdefault(rest, []).extend(i for i in found if i not in short.get(rest, ()))
    return [*levels, short]


def _outputs(trace: Trace) -> dict[int, int]:
    """Module call -> the node that is its output: the newest that is used outside of it."""
    users: dict[int, list[int]] = {}
    for e in trace.edges:
        users.setdefault(e.source, []).append(e.target)
    held: dict[int, set[int]] = {}
    for t in trace.nodes:
        if t.op:
            for m in trace.chain(t.module):
                held.setdefault(m, set()).add(t.id)
    out = {}
    for m in sorted(held):
        leaving = [
            i for i in held[m] if i == trace.root or not held[m].issuperset(users.get(i, ()))
        ]
        out[m] = max(leaving or held[m])
    return out
