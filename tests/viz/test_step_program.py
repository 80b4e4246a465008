"""`viz.step` of compiled functions, in a terminal and in the page; and the command line."""

import json
import re

import pytest
from microtorch.viz.reading.compiled import account
from microtorch.viz.reading.loops import loop
from microtorch.viz.showing.programs import lines_of
from small_programs import PROGRAMS, boxes, moons, scalars, texts, trained

import microtorch as torch
from microtorch import nn, viz
from microtorch.programs import run

pytestmark = pytest.mark.needs("compiler", "dot")


@pytest.fixture(params=PROGRAMS)
def f(request):
    return PROGRAMS[request.param]()


# ---- the stepper ---------------------------------------------------------------------------------
def data_of(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])


def test_each_step_shows_its_lines_of_c(f):
    found = account(f, "step")
    lines = f.c_source().splitlines()
    for p, mine in zip(found.parts, lines_of(found), strict=True):
        assert bool(mine) is (p.kind != "kernel")
        shown = re.sub(r"\s", "", "".join(lines[k] for k in mine))
        for line in p.lines if mine else ():
            assert line.strip().startswith("/*") or re.sub(r"\s", "", line) in shown


def test_frames_of_a_terminal(f):
    steps = viz.step(f)
    frames = steps.frames(80, 24)
    assert len(frames) == len(steps) == len(steps.account.parts)
    for p, frame in zip(steps.account.parts, frames, strict=True):
        rows = frame.splitlines()
        assert len(rows) <= 24
        assert max(map(len, rows)) <= 80
        assert p.phase.upper() in rows[0]
        (here,) = [r for r in rows if r.startswith("▶")]
        assert here.split()[:2] == ["▶", str(p.number + 1)] or f"▶{p.number + 1:>3}" in here
        assert "at most" in frame
    c = [line for line in "\n".join(frames).splitlines() if line.lstrip().startswith("for (")]
    assert bool(c) is any(p.kind == "loop" for p in steps.account.parts)
    assert not c or len({len(x) - len(x.lstrip()) for x in c}) > 1  # loops inside of loops
    assert "→  #" not in str(viz.draw(f))


def test_the_page_holds_the_program(f, tmp_path):
    steps = viz.step(f)
    path = tmp_path / "program.html"
    assert steps.save(path) == str(path)
    d = data_of(path)
    assert d["c"] == f.c_source()
    assert [s["phase"] for s in d["steps"]] == [p.phase for p in steps.account.parts]
    program, memory = d["drawn"]
    assert len(boxes(program, "part-")) == len(d["steps"])
    assert len(boxes(memory, "held-")) == len(d["steps"])
    assert "style=" not in program + memory
    used = {*re.findall(r"var\((--c\d+)\)", program + memory)}  # each for a light and a dark page
    assert used and "#" not in "".join(re.findall(r' (?:fill|stroke)="([^"]*)"', program + memory))
    text = path.read_text(encoding="utf-8")
    assert all(text.count(f"{name}:#") == 2 for name in used)
    assert path.stat().st_size < 2_000_000
    with pytest.raises(ValueError, match=r"viz.draw\(f\)"):
        steps.save(tmp_path / "x.svg")


def test_scalars_are_stepped():
    steps = viz.step(scalars())
    assert steps.places is None
    assert "act += p[3 * j + k] * table[i][k];" in "".join(steps.frames())
    assert "text/html" in steps._repr_mimebundle_()


def test_the_page_of_a_long_program_is_folded(tmp_path):
    layers = [layer for _ in range(60) for layer in (nn.Linear(4, 4), nn.Tanh())]
    f = trained(nn.Sequential(*layers, nn.Linear(4, 3)), torch.randn(5, 4),
                torch.randint(0, 3, (5,)))  # fmt: skip
    path = tmp_path / "program.html"
    steps = viz.step(f)
    steps.save(path)
    d = data_of(path)
    assert len(d["steps"]) < 200 < len(steps)
    assert path.stat().st_size < 2_000_000
    assert len(boxes(d["drawn"][0], "part-")) == len(d["steps"])
    assert len(boxes(d["drawn"][1], "held-")) == len(d["steps"])


def test_the_result_of_a_program_says_where_its_loops_are():
    net = torch.compile(nn.Linear(3, 2))
    for _ in range(4):
        out = net(torch.ones(1, 3)).sum()
        out.backward()
    trace = viz.step(out).trace
    said = {loop(trace, s)[0] for s in trace.steps if trace.nodes[s.origin].op == "Replayed"}
    assert said == {"a compiled function: f.c_source() is its C, and viz.step(f) goes through it"}


@pytest.mark.needs("browser")
def test_the_page_in_a_browser(tmp_path, chromium):
    steps = viz.step(moons())
    steps.save(tmp_path / "program.html")
    chromium.open(tmp_path / "program.html")
    on = "[...document.querySelectorAll('#c .on')].map(e => e.textContent).join('')"
    now = "document.querySelector('#program .now').id"
    for k, p in enumerate(steps.account.parts):
        assert chromium.js(now) == f"part-{k}"
        shown = re.sub(r"\s", "", chromium.js(on))
        assert re.sub(r"\s", "", p.lines[-1]) in shown
        assert chromium.js("document.documentElement.classList[0]") == p.phase
        chromium.keys("right")
    chromium.keys("home", "b")
    first = next(p.number for p in steps.account.parts if p.phase == "backward")
    assert chromium.js(now) == f"part-{first}"
    chromium.keys("d")
    assert chromium.js("document.querySelectorAll('#program svg').length") == 1
    held = chromium.js("document.querySelectorAll('#memory .now').length")
    assert held > 1


@pytest.mark.needs("browser")
@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080), (390, 844)])
def test_the_page_has_room(tmp_path, size, chromium):
    """Nothing is scrolled sideways, and the header stands on the page; a phone shows parts."""
    viz.step(moons()).save(tmp_path / "program.html")
    chromium.size(*size)
    chromium.open(tmp_path / "program.html")
    boxes = ["document.documentElement", *["$('program')", "$('memory')"] * (size[0] > 1000)]
    for box in boxes:
        assert chromium.js(f"{box}.scrollWidth <= {box}.clientWidth + 1"), box
    assert chromium.js("$('b-dark').getBoundingClientRect().right <= innerWidth")
    if size[0] > 1000:  # large type for a projector, and the part stays in sight
        small = chromium.js("$('part-0').getBoundingClientRect().height")
        chromium.keys("p")
        assert chromium.js("$('part-0').getBoundingClientRect().height") > 1.4 * small
        assert chromium.js("$('b-presenter').getAttribute('aria-pressed')") == "true"
        assert chromium.js("$('part-0').getBoundingClientRect().top > 0")
        chromium.keys("p")
    chromium.js("$('b-dark').focus()")
    chromium.keys(" ")  # a focused button is pressed by it, and the part stays
    assert chromium.js("$('b-dark').getAttribute('aria-pressed')") == "true"
    assert chromium.js("location.hash") == "#1"


# ---- the command line ----------------------------------------------------------------------------
SCRIPT = """
import torch

@torch.compile
def step(x):
    return (x * 2 + 1).tanh().sum()

for _ in range(4):
    step(torch.ones(3))
"""


def test_the_command_line_draws_programs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(SCRIPT, encoding="utf-8")
    assert run.draw(["train.py", "--program"]) == 0
    assert run.draw(["train.py", "--memory", "-o", "memory.svg", "--theme", "dark"]) == 0
    assert run.step(["train.py", "--program", "-o", "steps.html"]) == 0
    assert capsys.readouterr().out.split() == ["train.svg", "memory.svg", "steps.html"]
    assert "tanh" in " ".join(texts((tmp_path / "train.svg").read_text(encoding="utf-8")))
    assert run.draw(["train.py", "--program", "--var", "other"]) == 1
    assert "There are: step" in capsys.readouterr().err
    assert run.draw(["train.py", "--program", "--rankdir", "LR"]) == 1
    assert "rankdir is of graphs" in capsys.readouterr().err
