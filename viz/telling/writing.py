"""A graph of Scalars written as a formula, with names and with numbers: ``x[1, 0]·w[0, 2] + x[1, 1]·w[1, 2]``.

Values that are used several times get names of their own, ``t₁``, and lines of their own below. Long sums are cut.
"""

from __future__ import annotations

from typing import Any

from microtorch.graph import in_order
from microtorch.scalar import Scalar

from ..drawing import style
from .steps import SUBSCRIPTS, power

TERMS = 12  # of one sum
LINES = 8  # of shared values
SUM, PRODUCT, POWER, ATOM = range(4)  # how strongly an expression holds together


def element(name: str, place: tuple[int, ...]) -> str:
    """``m[1, 2]``."""
    return f"{name}[{', '.join(map(str, place))}]" if place else name


def equation(left: str, root: Scalar, plus: str = "", newest_first: bool = False) -> list[str]:
    """The lines of ``left = formula``, ``= numbers``, ``= value``, and of what the formula shares.

    ``newest_first``: sums were added up in that order, as backward does, and are written the other way round.
    """
    names, numbers = (_Formula(root, n, newest_first) for n in (False, True))
    indent = " " * len(left)
    value = style.short(root.value)
    lines = [f"{left} {plus}= {names.text}"]
    if numbers.text not in (value, names.text):
        lines.append(f"{indent} {plus}= {numbers.text}")
    if names.text != value:
        lines.append(f"{indent} {plus}= {value}")
    for (name, formula), (_, counted) in list(zip(names.shared, numbers.shared, strict=True))[:LINES]:
        lines.append(f"{indent}    where {name[0]} = {formula} = {counted} = {style.short(name[1])}")
    if len(names.shared) > LINES:
        lines.append(f"{indent}    and {len(names.shared) - LINES} more shared values")
    return lines


class _Formula:
    """The text of one expression. Oldest first, without recursion: a sum may have hundreds of terms."""

    def __init__(self, root: Scalar, numbers: bool, newest_first: bool = False):
        self.numbers, self.newest_first = numbers, newest_first
        nodes: list[Any] = in_order([root], constants=True)
        uses: dict[Any, int] = {}
        for n in nodes:
            for x in n.inputs:
                uses[x] = uses.get(x, 0) + 1
        self.parts: dict[Any, tuple[int, list[str]]] = {}  # strength, terms or factors
        self.shared: list[tuple[tuple[str, float], str]] = []
        for n in nodes:
            if n.op is None:
                self.parts[n] = ATOM, [self._leaf(n)]
                continue
            part = self._operation(n)
            passed = any(part is self.parts[x] for x in n.inputs)  # 1·x, x + 0
            if uses.get(n, 0) > 1 and n is not root and not passed:
                name = "t" + str(len(self.shared) + 1).translate(SUBSCRIPTS)
                self.shared.append(((name, n.value), _join(part)))
                part = ATOM, [_signed(style.short(n.value)) if numbers else name]
            self.parts[n] = part
        self.text = _join(self.parts[root])

    def _leaf(self, n: Any) -> str:
        if n.label and not self.numbers:
            return n.label
        return _signed(style.short(n.value)) if n.label else style.literal(n.value)

    def _operation(self, n: Any) -> tuple[int, list[str]]:
        name = n.op.name
        inputs = [self.parts[x] for x in n.inputs]
        if name == "add":
            kept = [p for x, p in zip(n.inputs, inputs, strict=True) if not (_is(x, 0) and len(inputs) == 2)]
            if len(kept) == 1:
                return kept[0]
            if self.newest_first:
                kept.reverse()
            return SUM, [term for p in kept for term in _terms(p)]
        if name == "sub":
            right = inputs[1]
            return SUM, [*_terms(inputs[0]), f"− {_wrap(right, PRODUCT)}"]
        if name == "mul":
            kept = [p for x, p in zip(n.inputs, inputs, strict=True) if not _is(x, 1)]
            if len(kept) == 1:
                return kept[0]
            if not kept:
                return ATOM, ["1"]
            return PRODUCT, [f for p in kept for f in (p[1] if p[0] == PRODUCT else [_wrap(p, POWER)])]
        if name == "div":
            return (inputs[0] if _is(n.inputs[1], 1) else (PRODUCT, [f"{_wrap(inputs[0], PRODUCT)} / {_wrap(inputs[1], POWER)}"]))
        if name == "neg":
            return PRODUCT, [f"−{_wrap(inputs[0], POWER)}"]
        if name == "pow":
            return POWER, [power(_wrap(inputs[0], ATOM), _join(inputs[1]))]
        if name == "square":
            return POWER, [power(_wrap(inputs[0], ATOM), "2")]
        words = {"maximum": "max", "minimum": "min"}.get(name, name)
        return ATOM, [f"{words}({', '.join(_bare(p) for p in inputs)})"]


def _is(x: Any, value: float) -> bool:
    """Is this a bare number of the derivation, with no name?"""
    return x.op is None and not x.label and x.value == value


def _terms(part: tuple[int, list[str]]) -> list[str]:
    return part[1] if part[0] == SUM else [_join(part)]


def _join(part: tuple[int, list[str]]) -> str:
    strength, pieces = part
    if strength == SUM:
        if len(pieces) > TERMS:
            pieces = [*pieces[: TERMS - 2], f"… {len(pieces) - TERMS + 1} more …", pieces[-1]]
        text = "".join(f" − {p[1:].lstrip()}" if p.startswith("−") else f" + {p}" for p in pieces)
        return "−" + text[3:] if text.startswith(" −") else text[3:]
    return _bare((strength, pieces)) if strength == ATOM else "·".join(pieces)


def _bare(part: tuple[int, list[str]]) -> str:
    """Without the parentheses around a single negative number."""
    if part[0] == ATOM:
        (text,) = part[1]
        return text[1:-1] if text.startswith("(−") and text.endswith(")") and text.count("(") == 1 else text
    return _join(part)


def _wrap(part: tuple[int, list[str]], least: int) -> str:
    return f"({_join(part)})" if part[0] < least else part[1][0] if part[0] == ATOM else _join(part)


def _signed(text: str) -> str:
    return f"({text})" if text.startswith("−") else text
