"""The programs in README.md and docs/ run, and the files they link to exist."""
import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def test_the_readme_program_learns_and_draws(tmp_path, monkeypatch, require):
    require("dot")
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "readme", "exec"), {"__name__": "readme"})
    loss, accuracy = map(float, re.findall(r"loss (\S+), accuracy (\S+)", printed.getvalue())[0])
    assert loss < 0.2 and accuracy > 0.95
    assert (tmp_path / "loss.svg").read_text().count("<svg") == 1
