"""The demo, as `make demo` runs it: it learns, draws, says what it could not, and what is next."""
import os
import re
import subprocess
import sys
import types

import pytest
from repository import ROOT, ran

import microtorch as torch
from microtorch.programs import demo


def run(arguments, **environment):
    """python -m microtorch.programs.demo in a process of its own, with this checkout."""
    return ran("-m", "microtorch.programs.demo", *arguments, NO_COLOR="1", **environment)


def reached(printed):
    return float(re.search(r"([\d.]+) % of the held-out digits", printed).group(1))


@pytest.mark.needs("dot")
def test_it_reads_digits_and_draws(tmp_path):
    done = run(["--output", str(tmp_path / "out")])
    assert done.returncode == 0 and done.stderr == ""
    assert reached(done.stdout) >= 97
    assert "\x1b" not in done.stdout and "━" not in done.stdout  # no bar and no colours in a pipe
    for name, begins in [
        ("loss.svg", b"<?xml"),
        ("loss.png", b"\x89PNG"),
        ("neuron.svg", b"<?xml"),
    ]:
        path = tmp_path / "out" / name
        assert str(path) in done.stdout and path.read_bytes().startswith(begins)
    assert "neuron.png" in done.stdout and "Next:" in done.stdout.splitlines()[-1]


def test_without_graphviz_it_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    """No picture can be made; the demo goes on: the graph as text, the advice, exit status 0."""
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    assert demo.main(["--epochs", "1", "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "Graphviz" in printed and "apt" in printed and "loss.dot" in printed
    assert ".svg" not in printed
    assert {p.name for p in tmp_path.iterdir()} == {"loss.dot", "neuron.dot"}


def test_a_terminal_without_unicode(tmp_path):
    done = run(
        ["--epochs", "1", "--output", str(tmp_path)], PYTHONIOENCODING="ascii", PATH="/nonexistent"
    )
    assert done.returncode == 0 and "##" in done.stdout and done.stdout.isascii(), done.stderr


def test_a_terminal_shows_a_bar(tmp_path):
    """In a pseudo-terminal the bar moves, and NO_COLOR is obeyed."""
    pytest.importorskip("rich")
    pty = pytest.importorskip("pty")  # not on Windows
    main, terminal = pty.openpty()
    env = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "100"}
    command = [
        sys.executable,
        "-m",
        "microtorch.programs.demo",
        "--epochs",
        "1",
        "--output",
        str(tmp_path),
    ]
    with subprocess.Popen(
        command, env=env, stdout=terminal, stderr=terminal, stdin=terminal
    ) as process:
        os.close(terminal)
        printed = b""
        try:
            while block := os.read(main, 4096):
                printed += block
        except OSError:  # Linux ends the stream of a closed terminal with an error
            pass
    os.close(main)
    text = printed.decode()
    assert process.returncode == 0 and "43/43 batches" in text and "━" in text
    assert not re.search("\x1b\\[(3|4|9|10)[0-7](;|m)", text)


def test_the_neuron_is_the_one_of_the_blackboard():
    o = demo.neuron()
    assert o.data == pytest.approx(0.5**0.5)
    x1, x2, w1, w2, b = (x for x in torch.graph.in_order([o]) if x.is_leaf)
    assert [x.grad for x in (x1, x2, w1, w2, b)] == pytest.approx([-1.5, 0.5, 1.0, 0.0, 0.5])
    # students read demo.py: its lines count as the user's, unlike those of the rest of the package
    assert o.where().file == demo.__file__


def test_the_same_numbers_every_time():
    losses = []
    demo.train(1, losses.append, lambda *numbers: None)
    again = []
    demo.train(1, again.append, lambda *numbers: None)
    assert losses == again and len(losses) == 43


def test_a_digit_as_text(monkeypatch):
    images, labels = demo.load(train=False)
    lines = demo.picture(images[0])
    assert [len(line) for line in lines] == [16] * 8 and set("".join(lines)) <= set(" ░▒▓█")
    monkeypatch.setattr(sys, "stdout", types.SimpleNamespace(encoding="ascii"))
    assert set("".join(demo.picture(images[0]))) <= set(" .:+#")
    assert labels.dtype is torch.int64 and images.shape == (449, 64) and images.max().item() == 1.0


def test_epochs_must_be_positive(capsys):
    with pytest.raises(SystemExit):
        demo.main(["--epochs", "0"])
    assert "at least 1" in capsys.readouterr().err
