"""The programs of docs/static-graph.md run, and print what stands below them."""

import contextlib
import io
import re
import textwrap
import warnings
from pathlib import Path

import pytest

from microtorch.static import build

PAGE = Path(__file__).parents[2] / "docs" / "static-graph.md"
BLOCKS = re.findall(
    r"```python\n(.*?)```(?:\n\n```(\w*)\n(.*?)```)?", PAGE.read_text(encoding="utf-8"), re.S
)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_program_of_the_page(number, tmp_path, own_cache, monkeypatch):
    program, kind, expected = BLOCKS[number]
    if kind == "c":
        try:
            build.compiler()
        except build.CompilerError:
            pytest.skip("no C compiler")
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "f.py"
    file.write_text(program, encoding="utf-8")
    printed = io.StringIO()
    with warnings.catch_warnings(record=True) as said, contextlib.redirect_stdout(printed):
        warnings.simplefilter("always")
        exec(compile(program, str(file), "exec"), {"__name__": "__main__"})
    got = printed.getvalue() + "".join(f"UserWarning: {w.message}" for w in said)
    if expected:
        squeezed = " ".join(expected.split())
        assert squeezed in " ".join(got.split()), got
    else:
        assert not said, textwrap.shorten(got, 300)
