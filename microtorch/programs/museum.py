"""``microtorch museum``: classic mistakes of training programs, to look at and to run.

The exhibits stand in museum.md, as a page to read: a title, the symptom, the program with what it
prints, what shows the mistake, the cure and what that prints. This command reads the page.
"""
from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import nearest
from ..facade.alias import run_script
from .writable import output

PAGE = Path(__file__).with_name("museum.md")


@dataclass
class Exhibit:
    """One mistake. ``broken`` and ``cured`` are programs, ``prints`` what each of them prints."""

    number: int
    title: str
    symptom: str
    broken: str
    shown: str  # what shows the mistake, and why it is one
    cure: str
    cured: str
    prints: tuple[str, str]


def exhibits() -> list[Exhibit]:
    """All exhibits of the page, in order."""
    _, *parts = re.split(r"^## (\d+)\. ", PAGE.read_text(encoding="utf-8"), flags=re.M)
    return [_read(int(n), text) for n, text in zip(parts[::2], parts[1::2], strict=True)]


def _read(number: int, text: str) -> Exhibit:
    title, _, rest = text.partition("\n")
    before, broken, first, between, cured, second = _blocks(rest)
    shown, _, cure = between.rpartition("\n\n")
    return Exhibit(number, title, before, broken, shown, cure, cured, (first, second))


def _blocks(text: str) -> list[str]:
    """Prose, program, output, prose, program, output."""
    block = r"(.*?)```python\n(.*?)```\s*```text\n(.*?)```"
    found = re.fullmatch(rf"\s*{block}{block}\s*", text, re.S)
    if found is None:
        raise ValueError(f"an exhibit is not in order: {text[:60]!r}")
    return [part.strip() if i % 3 == 0 else part for i, part in enumerate(found.groups())]


def run(program: str, name: str) -> tuple[str, dict[str, object]]:
    """What a program prints, and its variables. It runs from a file: pictures read its names."""
    printed = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"{name}.py")
        Path(path).write_text(program, encoding="utf-8")
        with contextlib.redirect_stdout(printed):
            variables = run_script(path)
    return "\n".join(line.rstrip() for line in printed.getvalue().splitlines()), variables


def find(key: str) -> Exhibit:
    """By number, or by a part of the title. Raises LookupError."""
    all_of = exhibits()
    for exhibit in all_of:
        if key == str(exhibit.number) or key.lower() in exhibit.title.lower():
            return exhibit
    near = nearest(key, [e.title for e in all_of])
    raise LookupError(f"no exhibit '{key}': give a number from 1 to {len(all_of)}.{near}")


def command(arguments: list[str] | None = None) -> int:
    """``microtorch museum [exhibit] [-o picture.svg]``. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="microtorch museum",
        description="Classic mistakes in training programs: each runs, is explained, and cured.",
    )
    parser.add_argument("exhibit", nargs="?", help="its number, or a word of its title")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=output(("svg", "png", "pdf")),
        help="save its picture: .svg, .png, .pdf",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    if options.exhibit is None:
        for exhibit in exhibits():
            print(f"{exhibit.number:3}  {exhibit.title}")
        print("\nmicrotorch museum NUMBER runs one.")
        return 0
    try:
        exhibit = find(options.exhibit)
    except LookupError as error:
        print(f"microtorch museum: {error}", file=sys.stderr)
        return 1
    printed, variables = run(exhibit.broken, "broken")
    print(f"{exhibit.number}. {exhibit.title}\n\n{exhibit.symptom}\n")
    print(_indented(exhibit.broken), "It prints", _indented(printed), exhibit.shown, sep="\n\n")
    print("", exhibit.cure, "", sep="\n")
    after = run(exhibit.cured, "cured")[0]
    print(_indented(exhibit.cured), "It prints", _indented(after), sep="\n\n")
    if options.output:
        save = getattr(variables["picture"], "save", None)
        print(f"\n{save(options.output)}" if save is not None else "\nit has no picture")
    return 0


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.strip("\n").splitlines())
