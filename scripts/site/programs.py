"""A page's programs run, and what they make is put below them.

Shown are the files that a program saves (pictures, and pages in a frame), the variable ``picture``,
and the stepper of the last computation that it stepped through or printed as a table.
"""

from __future__ import annotations

import contextlib
import io
import linecache
import os
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

SHOWN = "shown"  # the folder of the pictures, in the staged pages and in the site
LIVE = ".live"  # what Sphinx copies as it is; in it, SHOWN has the pages in frames
BLOCK = re.compile(r"(^```python\n(.*?)^```\n(?:\n```text\n.*?^```\n)?)", re.M | re.S)
MUSEUM = "microtorch/programs/museum.md"  # each of its programs begins anew
PICTURES = (".svg", ".png", ".gif")


def shown(page: str) -> bool:
    return page in ("docs/viz.md", "index.md", MUSEUM) or page.startswith("docs/course/0") or (
        page.startswith("docs/course/1")
    )


def run(page: str, text: str, staged: Path) -> str:
    """The page with what its programs show. Raises RuntimeError for one that fails."""
    from microtorch.viz.telling.table import Table

    from microtorch import viz

    stem = page.removesuffix(".md").replace("/", "-")
    for folder in (staged / SHOWN, staged / LIVE / SHOWN):
        folder.mkdir(parents=True, exist_ok=True)
    noted: list[Any] = []
    kinds = (viz.Stepper, Table)
    made_by = [kind.__init__ for kind in kinds]
    for kind, init in zip(kinds, made_by, strict=True):
        kind.__init__ = _noting(init, noted)
    out, names, line = [], {"__name__": "__main__"}, 0
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for k, part in enumerate(BLOCK.split(text)):
                if k % 3 == 2:
                    continue  # the program, which the part before holds
                out.append(part)
                if k % 3 == 0:
                    continue
                program = BLOCK.fullmatch(part)[2]
                if page == MUSEUM:
                    names, line = {"__name__": "__main__"}, 0
                noted.clear()
                had = {p: p.stat().st_mtime_ns for p in Path().iterdir()}
                _execute(program, names, f"{stem}-{k}.py", line, page)
                line += program.count("\n")
                made = [p for p in sorted(Path().iterdir(), key=_age)
                        if p.suffix != ".py" and had.get(p) != p.stat().st_mtime_ns]
                picture = names.pop("picture", None)
                if picture is not None:
                    made.append(Path(picture.save(f"picture-{k}.svg")))
                stepped = [s for s in noted if s.trace.steps]
                if stepped and not any(p.suffix == ".html" for p in made):
                    last = viz.Stepper(stepped[-1].trace)
                    made.append(Path(last.save(f"steps-{k}.html")))
                out += [_below(page, path, f"{stem}-{k}-{path.name}", staged) for path in made]
        finally:
            os.chdir(before)
            for kind, init in zip(kinds, made_by, strict=True):
                kind.__init__ = init
    return "".join(out)


def _execute(program: str, names: dict[str, Any], file: str, line: int, page: str) -> None:
    """Run a block. It stands in a file, since pictures read the names in the source."""
    source = "\n" * line + program
    Path(file).write_text(source, encoding="utf-8")
    linecache.checkcache(file)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(source, os.path.abspath(file), "exec"), names)
    except Exception as error:
        raise RuntimeError(f"a program of {page} fails: {error!r}\n{program}") from error


def _age(path: Path) -> int:
    return path.stat().st_mtime_ns


def _noting(init: Any, noted: list[Any]) -> Any:
    """``__init__``, which also notes what it makes. (A function around ``viz.step`` would stand
    between it and the program, in which it looks for names.)
    """

    def noting(self: Any, *args: Any, **named: Any) -> None:
        init(self, *args, **named)
        noted.append(self)

    return noting


def _below(page: str, path: Path, name: str, staged: Path) -> str:
    """What stands below the block for a file that it made: a picture, a page, or nothing."""
    if path.suffix not in (*PICTURES, ".html"):
        return ""
    into = staged / SHOWN if path.suffix in PICTURES else staged / LIVE / SHOWN
    (into / name).write_bytes(path.read_bytes())
    up = "../" * page.count("/")
    if path.suffix in PICTURES:
        return f"\n![{path.stem}]({up}{SHOWN}/{name})\n"
    address = f"{up}{SHOWN}/{name}"
    return (
        f'\n<figure class="live"><iframe src="{address}" loading="lazy" title="step by step">'
        f'</iframe><figcaption><a href="{address}">Open it as a page of its own</a>: '
        "arrow keys step, q asks, ? lists the keys</figcaption></figure>\n"
    )
