"""Elementwise steps as loops of C."""
from __future__ import annotations

import ast
import math
import re
from functools import cache
from typing import TYPE_CHECKING

from ..notation import expr
from .c_text import bare, dialect, number
from .statements import C_TYPES, row_major
from .templates import Ref, refs

if TYPE_CHECKING:
    from .emit_places import Places
    from .statements import Each

SHORT = 48  # characters of a number that is written where it is used, if that is one place


def each(e: Places, group: list[Each], moves: int = 0) -> None:
    """One loop for a chain of elementwise steps of one shape. ``moves``: how much further the
    next round of a loop writes."""
    values, into = e.program.values, group[0].into
    shape = values[group[0].result].shape if into is None else into.shape
    made = {s.result for s in group} if into is None else set()
    read = {x.number for s in group for x in s.operands.values() if type(x) is Ref} - made
    kept = read_later(e, group)
    stored = {n: e.new(n) for n in made if n in kept}
    flat = into is None and all(x.strides == row_major(shape) for x in stored.values()) and all(
        math.prod(values[n].shape) == 1 or (values[n].shape == shape and n in e.places
        and e.places[n].strides == row_major(shape))
        for n in read
    )  # fmt: skip
    opened, index, depth = e.loops(shape, flat)
    e.comment(group)
    moving = any(n in e.places and e.moves(n) for n in read)
    if moving and any(map(e.moves, stored)) and opened[-1].lstrip().startswith("for"):
        opened[-1] = f"{'    ' * (len(opened) - 1)}INDEPENDENT {opened[-1].lstrip()}"
    first = len(e.lines) + len(opened)
    e.lines += opened
    tab = "    " * depth
    local: dict[int, str] = {}
    uses = mentions(group)

    def element(n: int) -> str:
        """Of the array for value n, where this loop is."""
        to = stored[n]
        strides = (1,) if flat else to.strides
        one = flat and math.prod(shape) == 1
        return f"{to.name}[{to.at() if one else to.at(index, strides)}]"

    for s in group:
        d = values[s.result].dtype
        floats = next(
            (values[x.number].dtype for x in s.operands.values() if type(x) is Ref
             and values[x.number].dtype.kind != "b"), d)  # fmt: skip
        texts: dict[str, str] = {}
        for k, x in s.operands.items():
            if type(x) is not Ref:
                texts[k] = number(x, floats)
            elif x.number in local:
                texts[k] = local[x.number]
            elif flat and math.prod(values[x.number].shape) != 1:
                place = e.places[x.number]
                texts[k] = f"{place.name}[{place.at(index, [1])}]"
            else:
                texts[k] = e.at(x.number, index, shape)
            if k in sides(s.formula) and "[" in texts[k]:
                # read on either side of the condition: so the loop becomes vector code
                kind = C_TYPES[values[x.number].dtype.name]
                e.lines.append(f"{tab}const {kind} t{s.result}{k} = {texts[k]};")
                texts[k] = f"t{s.result}{k}"
        spoken = dialect(floats).but(name=texts.__getitem__)
        text = bare(expr.render(s.formula, spoken))
        name = f"t{s.result}"
        if into is not None:
            to = e.places[into.base]
            to = to._replace(start=to.start + into.start, moves=to.moves + moves)
            at = to.at(index, into.strides)
            e.lines.append(f"{tab}{to.name}[{at}] = {text};")
            break
        if s.result not in uses and s.result in stored:
            e.lines.append(f"{tab}{element(s.result)} = {text};")
            continue
        once = uses.get(s.result) == 1 and len(text) < SHORT and d.kind == "f"
        cast = s.formula == "x" and any(values[n].dtype != d for n in refs(s.operands))
        once = once and s.result not in stored and d == floats
        if not cast and (once or text in local.values()):
            plain = re.fullmatch(r"[\w.]+(\([^()]*\))?|\w+\[[^][]*\]", text)
            local[s.result] = text if plain else f"({text})"
            if s.result in stored:  # the same number under another name
                e.lines.append(f"{tab}{element(s.result)} = {text};")
            continue
        e.lines.append(f"{tab}const {C_TYPES[d.name]} {name} = {text};")
        local[s.result] = name
        if s.result in stored:
            e.lines.append(f"{tab}{element(s.result)} = {name};")
    single = len(e.lines) == first + 1
    for i in range(first - len(opened), first - (not single)):  # each has one statement
        e.lines[i] = e.lines[i].removesuffix(" {")
    if e.lines[first - 1] == "{" and single:
        e.lines[first - 1 :] = [e.lines[first].strip()]
    elif not single and depth:
        e.lines.append("    " * (depth - 1) + "}")


@cache
def sides(formula: str) -> frozenset[str]:
    """The operands that are read only where a condition holds, or only where it does not."""
    tree = ast.parse(formula)
    calls = [x for x in ast.walk(tree) if isinstance(x, ast.Call)]
    choices = [x for x in calls if ast.unparse(x.func) == "where"]
    return frozenset(x.id for choice in choices for side in choice.args[1:]
                     for x in ast.walk(side) if isinstance(x, ast.Name))  # fmt: skip


def mentions(group: list[Each]) -> dict[int, int]:
    """How often the text of a group mentions each value."""
    found: dict[int, int] = {}
    for s in group:
        for k, x in s.operands.items():
            if type(x) is Ref:
                mentions = len(re.findall(rf"\b{k}\b", s.formula))
                found[x.number] = found.get(x.number, 0) + mentions
    return found


def read_later(e: Places, group: list[Each]) -> set[int]:
    """Which results of a group are read outside it."""
    steps = {id(s) for s in group}
    read = {s.result for s in group if e.readers.get(s.result, steps) - steps}
    return read | e.kept


def joins(e: Places, s: Each, group: list[Each]) -> bool:
    """May an elementwise step stand in the loop of those before it?"""
    values = e.program.values
    if not group or s.into is not None or group[0].into is not None:
        return False
    if values[group[0].result].shape != values[s.result].shape:
        return False
    made = {g.result for g in group}
    for x in s.operands.values():
        if type(x) is Ref and x.number in made:
            if values[x.number].shape != values[s.result].shape:
                return False
        elif type(x) is Ref and x.number not in e.places and (
            x.number not in e.program.constants
        ):
            return False
    return True
