"""Scalar arithmetic written as a formula, with names and with numbers.

``x[1, 0]·w[0, 2] + x[1, 1]·w[1, 2]``. Values that are used several times get names of their own,
``t₁``, and lines of their own below. Long sums are cut.
"""

from __future__ import annotations

from typing import TypeAlias

from ..reading import numbers
from ..reading.arithmetic import Arithmetic
from .words import SUBSCRIPTS, power

TERMS = 12  # of one sum
LINES = 8  # of shared values
FOLDED = 6  # letters of a number that stands for the arithmetic of bare numbers: 2 for 3 − 1
SUM, PRODUCT, POWER, ATOM = range(4)  # how strongly an expression holds together
Part: TypeAlias = tuple[int, list[str]]  # that strength, and the terms or factors


def equation(
    left: str, a: Arithmetic, root: int, plus: str = "", newest_first: bool = False
) -> list[str]:
    """The lines of ``left = formula``, ``= numbers``, ``= value``, and of what the formula shares.

    ``root``: the scalar that is written. ``newest_first``: sums were added up in that order, as
    backward does, and are written the other way round.
    """
    names, counted = (_Formula(a, root, n, newest_first) for n in (False, True))
    indent = " " * len(left)
    value = numbers.short(a.values[root])
    lines = [f"{left} {plus}= {names.text}"]
    if counted.text not in (value, names.text):
        lines.append(f"{indent} {plus}= {counted.text}")
    if names.text != value:
        lines.append(f"{indent} {plus}= {value}")
    for (name, formula, result), (_, in_numbers, _) in list(
        zip(names.shared, counted.shared, strict=True)
    )[:LINES]:
        lines.append(
            f"{indent}    where {name} = {formula} = {in_numbers} = {numbers.short(result)}"
        )
    if len(names.shared) > LINES:
        lines.append(f"{indent}    and {len(names.shared) - LINES} more shared values")
    return lines


class _Formula:
    """The text of one expression, made without recursion: a sum may have hundreds of terms."""

    def __init__(self, a: Arithmetic, root: int, in_numbers: bool, newest_first: bool = False):
        self.a, self.in_numbers, self.newest_first = a, in_numbers, newest_first
        cells = sorted(a.below(root))
        uses: dict[int, int] = {}
        for k in cells:
            for x in a.inputs[k]:
                uses[x] = uses.get(x, 0) + 1
        self.parts: dict[int, Part] = {}
        self.known: set[int] = set()  # bare numbers of the derivation, and what follows from them
        self.shared: list[tuple[str, str, float]] = []  # name, formula, value
        for k in cells:
            if not a.ops[k]:
                self.parts[k] = ATOM, [self._leaf(k)]
                if a.labels[k] in ("", numbers.literal(a.values[k])):
                    self.known.add(k)
                continue
            if self.known.issuperset(a.inputs[k]) and len(numbers.literal(a.values[k])) <= FOLDED:
                self.parts[k] = ATOM, [_signed(numbers.literal(a.values[k]))]
                self.known.add(k)
                continue
            part = self._operation(k)
            passed = any(part is self.parts[x] for x in a.inputs[k])  # 1·x, x + 0
            if uses.get(k, 0) > 1 and k != root and not passed:
                name = "t" + str(len(self.shared) + 1).translate(SUBSCRIPTS)
                self.shared.append((name, _join(part), a.values[k]))
                part = ATOM, [_signed(numbers.short(a.values[k])) if in_numbers else name]
            self.parts[k] = part
        self.text = _join(self.parts[root])

    def _leaf(self, k: int) -> str:
        label, value = self.a.labels[k], self.a.values[k]
        if label and not self.in_numbers:
            return label
        return _signed(numbers.short(value)) if label else numbers.literal(value)

    def _is(self, k: int, value: float) -> bool:
        """Is this a bare number of the derivation, with no name?"""
        return k in self.known and self.a.values[k] == value

    def _operation(self, k: int) -> Part:
        name, operands = self.a.ops[k], self.a.inputs[k]
        inputs = [self.parts[x] for x in operands]
        pairs = list(zip(operands, inputs, strict=True))
        if name == "add":
            kept = [p for x, p in pairs if not (self._is(x, 0) and len(inputs) == 2)]
            if len(kept) == 1:
                return kept[0]
            if self.newest_first:
                kept.reverse()
            return SUM, [term for p in kept for term in _terms(p)]
        if name == "sub":
            return SUM, [*_terms(inputs[0]), f"− {_wrap(inputs[1], PRODUCT)}"]
        if name == "mul":
            kept = [p for x, p in pairs if not self._is(x, 1)]
            if len(kept) == 1:
                return kept[0]
            if not kept:
                return ATOM, ["1"]
            return PRODUCT, [f for p in kept for f in _factors(p)]
        if name == "div":
            if self._is(operands[1], 1):
                return inputs[0]
            return PRODUCT, [f"{_wrap(inputs[0], PRODUCT)} / {_wrap(inputs[1], POWER)}"]
        if name == "neg":
            return PRODUCT, [f"−{_wrap(inputs[0], POWER)}"]
        if name == "pow" and self._is(operands[1], 1):
            return inputs[0]
        if name == "pow":
            return POWER, [power(_wrap(inputs[0], ATOM), _join(inputs[1]))]
        if name == "square":
            return POWER, [power(_wrap(inputs[0], ATOM), "2")]
        words = {"maximum": "max", "minimum": "min"}.get(name, name)
        return ATOM, [f"{words}({', '.join(_bare(p) for p in inputs)})"]


def _terms(part: Part) -> list[str]:
    return part[1] if part[0] == SUM else [_join(part)]


def _factors(part: Part) -> list[str]:
    return part[1] if part[0] == PRODUCT else [_wrap(part, POWER)]


def _join(part: Part) -> str:
    strength, pieces = part
    if strength == SUM:
        if len(pieces) > TERMS:
            missing = f"… {len(pieces) - TERMS + 1} more …"
            pieces = [*pieces[: TERMS - 2], missing, pieces[-1]]
        text = "".join(f" − {p[1:].lstrip()}" if p.startswith("−") else f" + {p}" for p in pieces)
        return "−" + text[3:] if text.startswith(" −") else text[3:]
    return _bare(part) if strength == ATOM else "·".join(pieces)


def _bare(part: Part) -> str:
    """Without the parentheses around a single negative number."""
    if part[0] != ATOM:
        return _join(part)
    (text,) = part[1]
    alone = text.startswith("(−") and text.endswith(")") and text.count("(") == 1
    return text[1:-1] if alone else text


def _wrap(part: Part, least: int) -> str:
    if part[0] < least:
        return f"({_join(part)})"
    return part[1][0] if part[0] == ATOM else _join(part)


def _signed(text: str) -> str:
    return f"({text})" if text.startswith("−") else text
