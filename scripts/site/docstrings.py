"""Docstrings as reStructuredText.

They are written to be read in a terminal: text, names in backticks, indented programs, tables in
columns. What Markdown takes as it stands, reStructuredText would misread in three places: a star is
no emphasis, an indented part is a program and not a quotation, and a list needs an empty line.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import Any

BULLET = re.compile(r"[-*] |\d+\. ")
CODE = re.compile(r"(``.+?``|`[^`\n]+`)")


def as_restructured_text(
    app: object, what: str, name: str, obj: object, options: Any, lines: list[str]
) -> None:
    """Sphinx calls this for each docstring; ``lines`` are changed in place."""
    lines[:] = converted(lines)


def converted(lines: list[str]) -> list[str]:
    out: list[str] = []
    paragraphs = [list(p) for blank, p in groupby(lines, lambda s: not s.strip()) if not blank]
    for paragraph in paragraphs:
        for kind, part in groupby(_kinds(paragraph), lambda pair: pair[0]):
            text = [line for _, line in part]
            if kind == "program":
                out += ["", "::", "", *(f"   {line}" for line in text), ""]
            else:
                out += ["", *(_escaped(line) for line in text)]
        out.append("")
    return out


def _kinds(paragraph: list[str]) -> list[tuple[str, str]]:
    """Each line with what it is part of: a program, a list or text."""
    kind, out = "text", []
    for line in paragraph:
        if BULLET.match(line):
            kind = "list"
        elif line.startswith("  ") and kind != "list":
            kind = "program"
        elif not line.startswith(" "):
            kind = "text"
        out.append((kind, line))
    return out


def _escaped(line: str) -> str:
    parts = CODE.split(line)
    for k in range(0, len(parts), 2):
        parts[k] = re.sub(r"([*|\\])(?!\s|$)|(?<=\w)_(?!\w)", r"\\\g<0>", parts[k])
    for k in range(1, len(parts), 2):  # `x`s and x`y`: a literal ends where a word ends
        word = parts[k].strip("`").strip()
        after = "\\ " if parts[k + 1][:1].isalnum() else ""
        before = "\\ " if parts[k - 1][-1:].isalnum() else ""
        parts[k] = f"{before}``{word}``{after}" if word else ""
    bullet = re.match(r"\\\* ", parts[0])
    return ("* " + parts[0][3:] if bullet else parts[0]) + "".join(parts[1:])
