"""The museum of bugs: each program prints what the page says, and leaves a picture."""

import re
import shutil
from pathlib import Path

import pytest
from repository import ROOT

from microtorch.__main__ import main
from microtorch.programs import museum

EXHIBITS = museum.exhibits()


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda e: f"{e.number}-{e.title.split()[-1]}")
def test_programs_print_what_the_page_shows(exhibit, tmp_path):
    broken, variables = museum.run(exhibit.broken, "broken")
    assert broken.split() == exhibit.prints[0].split()
    assert museum.run(exhibit.cured, "cured")[0].split() == exhibit.prints[1].split()
    assert exhibit.symptom and exhibit.shown and exhibit.cure.startswith("Cure: ")
    if shutil.which("dot"):
        path = variables["picture"].save(str(tmp_path / "exhibit.svg"))
        assert "<svg" in Path(path).read_text(encoding="utf-8")


def test_there_are_fifteen_and_a_list_of_them():
    assert [e.number for e in EXHIBITS] == list(range(1, 16))
    listed = re.findall(r"^\| (\d+) \| \[(.*?)\]", (ROOT / "docs/museum.md").read_text(), re.M)
    assert [(int(n), title) for n, title in listed] == [(e.number, e.title) for e in EXHIBITS]


def test_the_command_lists_and_runs(capsys):
    assert main(["museum"]) == 0
    assert capsys.readouterr().out.count("\n") == 17
    assert main(["museum", "zero_grad"]) == 0
    said = capsys.readouterr().out
    assert "step 2: loss 1.00, w.grad 6.00" in said and "Cure: empty the gradients" in said
    assert main(["museum", "nothing like it"]) == 1
    assert "give a number from 1 to 15" in capsys.readouterr().err


@pytest.mark.needs("dot")
def test_the_command_saves_the_picture(tmp_path, capsys):
    assert main(["museum", "6", "-o", str(tmp_path / "relu.svg")]) == 0
    assert (tmp_path / "relu.svg").stat().st_size > 500
    assert capsys.readouterr().out.endswith("relu.svg\n")
