"""No line of code or prose is longer than 100 columns."""
import re

import pytest
from repository import ROOT

FOLDERS = ("benchmarks", "docs", "ext", "microtorch", "scripts", "tests", "viz")
SUFFIXES = (".py", ".pyi", ".c", ".h", ".cl", ".sh", ".md")
FILES = sorted(
    path
    for path in (*ROOT.iterdir(), *(p for folder in FOLDERS for p in (ROOT / folder).rglob("*")))
    if path.suffix in SUFFIXES
)
PRAGMA = re.compile(r"  # (noqa|type: ignore).*")  # not counted by ruff either


def counted(path):
    """The lines that can be wrapped, with their numbers: not tables, code blocks, links in .md."""
    code = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if path.suffix == ".md":
            fence = line.lstrip().startswith("```")
            code ^= fence
            if code or fence or line.lstrip().startswith("|") or "](" in line:
                continue
        if "://" not in line:
            yield number, PRAGMA.sub("", line)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_lines_have_at_most_100_columns(path):
    too_long = [number for number, line in counted(path) if len(line) > 100]
    assert not too_long, f"{path.relative_to(ROOT)}: lines {too_long}"


def test_what_is_counted(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("prose\n| table |\n```sh\ncode\n```\n[a](b)\n    more\n", encoding="utf-8")
    assert list(counted(page)) == [(1, "prose"), (7, "    more")]
    source = tmp_path / "source.py"
    source.write_text("x = 1  # type: ignore[x]  # why\n# https://x\n| y\n", encoding="utf-8")
    assert list(counted(source)) == [(1, "x = 1"), (3, "| y")]
