"""The program on the page about files runs, and PyTorch's names lead to it."""

import re
from pathlib import Path

import microtorch as torch

PAGE = Path(__file__).parents[2] / "docs" / "files.md"


def test_the_page_about_files_runs(tmp_path, monkeypatch):
    program = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S))
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "page", "exec"), {"__name__": "page"})
    assert (tmp_path / "run.pth").stat().st_size > 1000


def test_pytorchs_names():
    from microtorch.serialization import add_safe_globals, load, safe_globals

    assert torch.serialization.load is load is torch.load
    assert callable(add_safe_globals) and callable(safe_globals)
