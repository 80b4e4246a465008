"""draw and step, python -m microtorch.viz, MICROTORCH_VIZ, the tour: on scripts nobody edited."""

import html
import json
import os
import re
import subprocess
import sys
import time

import pytest
from repository import ROOT, ran

from microtorch.__main__ import COMMANDS
from microtorch.__main__ import main as microtorch
from microtorch.programs import demo, run
from microtorch.programs import tour as demo_tour

TRAINING = """
import sys
import torch
from torch import nn

def main():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x, y = torch.randn(8, 2), torch.randn(8, 1)
    for epoch in range(3):
        loss = (net(x) - y).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("trained", sys.argv[1:], f"{loss.item():.6f}")

main()
"""
NEURON = """
import microtorch as torch
a = torch.Scalar(2.0)
b = torch.Scalar(-3.0)
c = a * b + a
c.backward()
d = c * 2
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(TRAINING, encoding="utf-8")
    (tmp_path / "neuron.py").write_text(NEURON, encoding="utf-8")
    return tmp_path


def python(*arguments, **environment):
    return ran(*arguments, cwd=None, NO_COLOR="1", **environment)


@pytest.mark.needs("dot")
def test_draw_shows_the_last_backward_of_an_unedited_script(folder, capsys):
    assert (
        microtorch(["draw", "train.py", "-o", "graph.svg", "--theme", "dark", "--", "--flag"]) == 0
    )
    printed = capsys.readouterr().out
    assert "trained ['--flag']" in printed and printed.splitlines()[-1] == "graph.svg"
    svg = (folder / "graph.svg").read_text(encoding="utf-8")
    words = [html.unescape(w).replace("\xa0", " ") for w in re.findall(r">([^<>]+)</text>", svg)]
    assert "weight" in words and "net.0  Linear(2, 4)" in words and "→ loss" in words
    assert "–" not in words, (
        "backward ran, and its gradients are shown though the optimizer has moved on since"
    )


def test_draw_shows_what_backward_has_freed_and_the_optimizer_overwritten(folder, capsys):
    assert microtorch(["draw", "train.py", "-o", "graph.dot", "--saved", "--attrs"]) == 0
    text = html.unescape((folder / "graph.dot").read_text(encoding="utf-8"))
    text = re.sub(r"<[^>]*>", "", text).replace("\xa0", " ")
    assert "input weight, 16 bytes" in text and "keepdim" in text
    assert "freed" not in text and "own copy" not in text
    assert microtorch(["draw", "neuron.py", "-o", "neuron.dot", "--saved"]) == 0
    assert "numbers" in (folder / "neuron.dot").read_text(encoding="utf-8")


def test_the_values_are_those_of_the_last_backward(folder, capsys):
    """The picture's loss is the one that was printed: leaves are put back to what they were."""
    assert microtorch(["draw", "train.py", "-o", "graph.json"]) == 0
    printed = float(capsys.readouterr().out.split()[2])
    trace = json.loads((folder / "graph.json").read_text(encoding="utf-8"))
    assert trace["nodes"][trace["root"]]["value"]["number"] == pytest.approx(printed, abs=1e-6)
    assert trace["backward"]
    assert all(n["grad"] is not None for n in trace["nodes"] if n["role"] == "parameter")


def test_step_in_a_terminal_and_as_files(folder, capsys):
    assert microtorch(["step", "neuron.py"]) == 0
    screens = capsys.readouterr().out
    assert "∂c/∂a += ∂c/∂(a·b) · b" in screens or "BACKWARD" in screens
    assert screens.count("\n step ") == 8 and screens.startswith(" step 1/9")
    assert "neuron.py:5   c = a * b + a" in screens
    assert microtorch(["step", "neuron.py", "-o", "steps.txt"]) == 0
    assert (folder / "steps.txt").read_text(encoding="utf-8").strip() == screens.strip()
    assert microtorch(["step", "neuron.py", "--var", "d", "-o", "d.json"]) == 0
    steps = json.loads((folder / "d.json").read_text(encoding="utf-8"))["steps"]
    (last,) = (s for s in steps if s["kind"] == "contribution" and s["final"] and s["name"] == "a")
    (left,) = (s["left"]["number"] for s in steps if s["kind"] == "left" and s["name"] == "a")
    assert last["new"] - left == -4.0, "the program's backward from c has left its gradients"


@pytest.mark.needs("dot")
def test_the_module_as_a_command(folder):
    done = python("-m", "microtorch.viz", "neuron.py", "-o", "neuron.svg")
    assert done.returncode == 0 and done.stdout == "neuron.svg\n" and done.stderr == ""
    assert "@keyframes" not in (folder / "neuron.svg").read_text(encoding="utf-8")
    assert run.draw_or_step(["neuron.py", "--step", "-o", "film.svg"]) == 0
    assert "@keyframes" in (folder / "film.svg").read_text(encoding="utf-8")
    assert run.draw_or_step(["neuron.py", "-o", "neuron.md"]) == 0
    assert (folder / "neuron.md").read_text().startswith("|")


@pytest.mark.needs("dot")
def test_pages(folder):
    assert microtorch(["step", "neuron.py", "-o", "n.html"]) == 0
    assert microtorch(["step", "neuron.py", "--quiz", "-o", "q.html"]) == 0
    assert "<html" in (folder / "n.html").read_text(encoding="utf-8")
    assert (folder / "q.html").exists()


@pytest.mark.needs("dot")
def test_a_script_that_fails_leaves_the_picture_of_its_failure(folder, capsys):
    (folder / "bad.py").write_text(
        "import torch\na = torch.ones(2, 3, requires_grad=True)\nb = a * 2\nb @ a\n"
    )
    assert microtorch(["draw", "bad.py", "-o", "bad.svg"]) == 1
    printed = capsys.readouterr().err
    assert 'bad.py", line 4' in printed and "run.py" not in printed
    assert "RuntimeError: mat1" in printed
    assert "2×3 @ 2×3" in html.unescape((folder / "bad.svg").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["draw", "nothing.py"], "no file nothing.py"),
        (["draw", "neuron.py", "-o", "x.mp3"], ".mp3 is not a format; use one of"),
        (["step", "neuron.py", "-o", "x.png"], ".png is not a format; use one of"),
        (["step", "neuron.py", "-o", "none/x.html"], "there is no folder none; make it first"),
        (["museum", "3", "-o", "x.mp3"], ".mp3 is not a format; use one of .pdf .png .svg"),
        (["profile", "--trace", "none/x.json", "neuron.py"], "there is no folder none"),
        (["step", "neuron.py", "--quiz"], "-o quiz.html"),
        (["draw", "neuron.py", "--theme", "neon"], "invalid choice"),
        (["draw", "neuron.py", "--epochs", "3"], "for the script comes after --"),
    ],
)
def test_mistakes_on_the_command_line(folder, capsys, arguments, words):
    with pytest.raises(SystemExit) as stop:
        microtorch(arguments)
    assert stop.value.code == 2 and words in capsys.readouterr().err


def test_what_cannot_be_shown_is_said(folder, capsys):
    assert microtorch(["draw", "neuron.py", "--var", "e"]) == 1
    assert (
        "no variable 'e' holds a Tensor or a Scalar. There are: a, b, c, d"
        in capsys.readouterr().err
    )
    assert microtorch(["draw", "neuron.py", "--program"]) == 1
    assert "no variable holds a compiled function" in capsys.readouterr().err
    (folder / "empty.py").write_text("print(1)")
    assert microtorch(["step", "empty.py"]) == 1
    assert "no backward() ran" in capsys.readouterr().err
    (folder / "exit.py").write_text("raise SystemExit(3)")
    assert microtorch(["draw", "exit.py"]) == 3


@pytest.mark.needs("dot")
def test_the_environment_variable_leaves_a_page(folder):
    done = python("neuron.py", MICROTORCH_VIZ="1")
    assert done.returncode == 0 and done.stderr == "MICROTORCH_VIZ: microtorch-steps.html\n"
    assert (folder / "microtorch-steps.html").stat().st_size > 10_000
    done = python("neuron.py", MICROTORCH_VIZ="steps.txt")
    assert "BACKWARD" in (folder / "steps.txt").read_text(encoding="utf-8")
    done = python("neuron.py", MICROTORCH_VIZ="0")
    assert done.stderr == "" and done.stdout == ""


def test_every_command_is_listed_and_explains_itself(capsys):
    assert microtorch([]) == 0
    listed = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name} " in listed
        with pytest.raises(SystemExit) as stop:
            microtorch([name, "--help"])
        assert stop.value.code == 0 and "usage: microtorch " + name in capsys.readouterr().out


def test_the_tour(capsys):
    """Without a terminal it prints all three chapters and waits for nobody."""
    assert demo_tour.give(1) == 0
    printed = capsys.readouterr().out
    assert [
        re.search(title, printed) is not None
        for title in ("1  ONE NEURON", "2  A NETWORK", "3  READING DIGITS")
    ] == [True] * 3
    assert "h[1, 2] = x[1, 0]·w[0, 2] + x[1, 1]·w[1, 2]" in printed and "net.0.weight" in printed
    assert "read as" in printed


def at_a_terminal(arguments, folder):
    """What a command prints in a pseudo-terminal that answers: Enter, and x in the stepper."""
    pty = pytest.importorskip("pty")  # not on Windows
    select = pytest.importorskip("select").select
    main, terminal = pty.openpty()
    env = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "100"}
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(
        command, cwd=folder, env=env, stdin=terminal, stdout=terminal, stderr=terminal
    ) as process:
        os.close(terminal)
        printed, answered, end = b"", 0, time.monotonic() + 60
        try:
            while True:
                if time.monotonic() > end:
                    process.kill()
                if select([main], [], [], 0.2)[0]:
                    printed += os.read(main, 4096) or b""
                elif printed.count(b"[Enter] to continue") > answered:
                    answered += 1
                    os.write(main, b"\n")
                elif answered == 1:
                    os.write(main, b"x")
        except OSError:  # Linux ends the stream of a closed terminal with an error
            pass
    os.close(main)
    return process.returncode, printed.decode()


def test_at_a_terminal_the_command_demo_is_the_tour(tmp_path):
    pytest.importorskip("rich")
    status, printed = at_a_terminal(["microtorch", "demo", "--epochs", "1"], tmp_path)
    assert (
        status == 0 and printed.count("[Enter] to continue") == 4 and "BACKWARD" in printed.upper()
    ), printed
    assert all(
        title in printed
        for title in ("1  ONE NEURON", "2  A NETWORK", "3  READING DIGITS", "read as")
    )
    assert "--output" in printed.splitlines()[-2] and not any(tmp_path.iterdir())


@pytest.mark.parametrize("terminal", [True, False])
def test_when_the_command_demo_is_the_tour(terminal, tmp_path, monkeypatch):
    """Only at a terminal, and not with --output; --tour and --no-tour overrule both."""
    chosen, console = [], lambda arguments: microtorch(["demo", *arguments])
    monkeypatch.setattr(demo_tour, "interactive", lambda: terminal)
    monkeypatch.setattr(demo_tour, "give", lambda epochs: chosen.append(epochs) or 0)

    def plain(*args):
        raise KeyError("the plain demo")

    monkeypatch.setattr(demo, "train", plain)

    def tours(run, *arguments):
        chosen.clear()
        try:
            run([*arguments, "--epochs", "3"])
        except KeyError:
            return False
        return chosen == [3]

    out = ("--output", str(tmp_path))
    assert tours(console) == terminal
    assert not tours(console, *out) and not tours(console, "--no-tour")
    assert tours(console, "--tour") and tours(console, "--tour", *out)
    assert not tours(demo.main), "python -m microtorch.programs.demo and make demo"
    for part in ("rich", "graphviz"):
        with monkeypatch.context() as without:
            without.setitem(sys.modules, part, None)
            assert not tours(console), (
                "what is missing is said by the plain demo, which does the rest"
            )


@pytest.mark.needs("dot")
def test_the_demo_also_leaves_the_stepper(tmp_path):
    names = [p.name for p in demo.step(demo.neuron(), tmp_path)]
    assert names[:2] == ["neuron.html", "neuron-steps.svg"]
    assert set(names) <= {"neuron.html", "neuron-steps.svg", "neuron.gif"}
    assert all((tmp_path / name).stat().st_size > 1000 for name in names)


@pytest.mark.skipif(os.name == "nt", reason="pipes end otherwise there")
def test_a_reader_that_has_seen_enough_ends_a_command_without_a_word():
    """microtorch museum | head"""
    process = subprocess.Popen(
        [sys.executable, "-m", "microtorch", "museum"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141
    process.stderr.close()


def test_a_reader_of_a_long_program_that_has_seen_enough(folder):
    loop = "import torch\nx = torch.ones(3, requires_grad=True)\ny = x\n"
    loop += "for _ in range(200):\n    y = y * 1.01 + x\ny.sum().backward()\n"
    (folder / "loop.py").write_text(loop, encoding="utf-8")
    command = [sys.executable, "-m", "microtorch", "step", "loop.py"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        running.stdout.readline()
        running.stdout.close()
        assert running.wait(60) == 128 + 13 and running.stderr.read() == b""


def test_an_output_without_the_signs_has_question_marks(folder):
    done = python("-m", "microtorch", "step", "neuron.py", PYTHONIOENCODING="ascii")
    assert done.returncode == 0 and "FORWARD: values ?" in done.stdout, done.stderr


@pytest.mark.parametrize("command", ["step", "run"])
def test_an_interrupt_ends_a_command_without_a_traceback(folder, capsys, command):
    (folder / "stopped.py").write_text("raise KeyboardInterrupt", encoding="utf-8")
    if command == "run":  # as python stopped.py
        with pytest.raises(KeyboardInterrupt):
            microtorch([command, "stopped.py"])
    else:
        assert microtorch([command, "stopped.py"]) == 130
        assert capsys.readouterr().err == "\nstopped\n"


def test_profile(folder, capsys):
    assert microtorch(["profile", "--rows", "6", "--trace", "t.json", "train.py", "--lr", "3"]) == 0
    trained, *lines = capsys.readouterr().out.splitlines()
    assert trained.startswith("trained ['--lr', '3']")
    names = [line.split("  ")[0] for line in lines]
    assert {"linear backward", "Net", "Sequential.0"} & set(names) and "t.json" in lines[-1]
    events = json.loads((folder / "t.json").read_text())["traceEvents"]
    assert {"sgd_step", "Tanh", "tanh backward"} <= {e["name"] for e in events}
    assert {e["args"]["line"] for e in events if e["name"] == "tanh"} == {"train.py:12"}
    assert microtorch(["profile", "neuron.py"]) == 0
    assert "Scalars compute in Python" in capsys.readouterr().out
    (folder / "fails.py").write_text("import torch\ntorch.ones(2) @ torch.ones(3)")
    assert microtorch(["profile", "fails.py"]) == 1
    shown = capsys.readouterr()
    assert "the last size of the left" in shown.err and "full" in shown.out
    (folder / "stops.py").write_text("import sys, torch\ntorch.ones(2) + 1\nsys.exit(3)")
    with pytest.raises(SystemExit):
        microtorch(["profile", "stops.py"])
    assert "add" in capsys.readouterr().out
