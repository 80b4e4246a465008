"""Rules of derivatives for complex numbers, as words: what multiplies g is conjugated.

Of a holomorphic op the table says g * f'(x), and what is computed is g * conj(f'(x)), as
conj(conj(g) * f'(x)) (microtorch/backends/complex.py). People write it the first way.
"""

from __future__ import annotations

import re

FACTOR = r"(?:[\w.]*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)|[^\s()]+)"
LETTER_G = r"\bg\b"
G_FIRST = re.compile(rf"(-?g)(?: ([*/@]) ({FACTOR}(?: \* {FACTOR})*))?")
G_LAST = re.compile(rf"({FACTOR}) @ g")


def conjugated(rule: str) -> str:
    """The rule of a holomorphic op for complex numbers: every factor of g conjugated.

    Where g comes first or last only its factor is written so: ``g * conj(y)``.
    """
    first, last = G_FIRST.fullmatch(rule), G_LAST.fullmatch(rule)
    if last:
        return f"{_conj(last[1])} @ g"
    if rule.startswith("Σ g over "):
        return rule
    if first and (first[2] is None or not re.search(LETTER_G, first[3])):
        g, sign, rest = first.groups()
        if sign is None:
            return rule
        if sign == "*" or re.fullmatch(FACTOR, rest):
            return f"{g} {sign} {_conj(rest)}"
    return f"conj({re.sub(LETTER_G, 'conj(g)', rule)})" if rule else ""


def _conj(text: str) -> str:
    """A number is its own conjugate; parentheses around the whole serve twice."""
    if re.fullmatch(r"[\d.]+", text):
        return text
    return f"conj{text}" if text[0] == "(" and re.fullmatch(FACTOR, text) else f"conj({text})"
