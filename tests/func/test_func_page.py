"""The programs of docs/func.md print what the page says."""

import contextlib
import io
import re
import textwrap
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "func.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n((?s:.*?))```\n\n((?:    .*\n)+)", PAGE)


def test_every_program_shows_what_it_prints():
    assert len(PROGRAMS) == PAGE.count("```python") >= 5


@pytest.mark.parametrize(("program", "printed"), PROGRAMS)
def test_program(program, printed):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(program, "docs/func.md", "exec"), {})
    assert out.getvalue() == textwrap.dedent(printed)
