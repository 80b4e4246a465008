"""The programs in README.md and docs/ run, and the files they link to exist."""
import ast
import contextlib
import io
import re

import pytest
from layers import table
from repository import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def statements(path):
    """How many lines of a file begin a statement of a function."""
    functions = [x for x in ast.parse(path.read_text(encoding="utf-8")).body if hasattr(x, "args")]
    inner = [n for f in functions for n in ast.walk(f) if isinstance(n, ast.stmt)]
    return len({n.lineno for n in inner if not isinstance(getattr(n, "value", 0), ast.Constant)})


def test_lines_that_the_pages_count():
    engine = ROOT / "microtorch" / "engine"
    said = f"backward in {statements(engine / 'textbook.py')} lines"
    for page in (ROOT / "README.md", ROOT / "docs" / "engine.md", engine / "__init__.py"):
        assert said in page.read_text(encoding="utf-8"), (page, said)


def test_the_readme_program_learns_and_draws(tmp_path, monkeypatch, require):
    require("dot")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, re.S)
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "readme", "exec"), {"__name__": "readme"})
    loss, accuracy = map(float, re.findall(r"loss (\S+), accuracy (\S+)", printed.getvalue())[0])
    assert loss < 0.2 and accuracy > 0.95
    assert (tmp_path / "loss.svg").read_text().count("<svg") == 1


@pytest.mark.needs("dot")
def test_the_page_about_pictures_runs(tmp_path, monkeypatch):
    """Its blocks are one program; each file that it saves is there afterwards."""
    text = (ROOT / "docs" / "viz.md").read_text(encoding="utf-8")
    program = "\n".join(re.findall(r"```python\n(.*?)```", text, re.S))
    script = tmp_path / "page.py"
    script.write_text(program, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, str(script), "exec"), {"__name__": "page"})
    for name in re.findall(r'save\("(.*?)"', program):
        assert (tmp_path / name).stat().st_size > 500, name
    said = printed.getvalue()
    assert "m[1, 0] = inputs[1, 0]·w[0, 0] + inputs[1, 1]·w[1, 0]" in said
    assert "hidden = (u * 3).detach()" in said and "finite diff." in said and "net.0.weight" in said


def test_the_table_of_layers_is_the_list():
    """`python tests/layers.py` prints it."""
    assert table() in (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
