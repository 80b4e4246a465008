"""The progress bar: on a terminal, in a file, without a length, where the work fails."""

import io

import pytest

import microtorch as torch
from microtorch.utils import progress as module
from microtorch.utils.data import DataLoader
from microtorch.utils.progress import Bar, progress


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Time that goes on when the test says so."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_it_gives_what_it_is_given():
    out = io.StringIO()
    batches = progress(DataLoader(range(10), batch_size=3), label="epoch 1", file=out)
    assert len(batches) == 4
    assert [b.tolist() for b in batches] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    assert out.getvalue().startswith("epoch 1 100%") and out.getvalue().count("\n") == 1
    assert "4/4" in out.getvalue()
    assert torch.progress is progress


def test_on_a_terminal_one_line_is_rewritten(clock):
    out = Terminal()
    with Bar(10, "load", file=out) as bar:
        for _ in range(10):
            clock[0] += 1
            bar.update()
    shown = out.getvalue()
    assert shown.count("\n") == 1 and shown.count("\r") == 11
    middle = shown.split("\r")[5]
    assert (
        middle.startswith("load  50% |") and "5/10 [00:05<00:05, 1/s]" in middle and "█" in middle
    )
    assert all(len(line) < 80 for line in shown.split("\r"))


def test_in_a_file_a_line_now_and_then(clock):
    out = io.StringIO()
    with Bar(1000, file=out) as bar:
        for _ in range(1000):
            clock[0] += 1
            bar.update()
    lines = out.getvalue().splitlines()
    assert 8 <= len(lines) <= 12 and "#" not in lines[0][:3] and lines[-1].startswith("100%")


def test_without_a_length():
    out = io.StringIO()
    made = progress((i for i in range(3)), file=out)
    assert list(made) == [0, 1, 2] and out.getvalue().startswith("3 [00:00")
    with pytest.raises(TypeError, match="has no length"):
        len(made)
    given = progress((i for i in range(3)), total=3, file=out)
    assert len(given) == 3


def test_bytes_and_hours(clock):
    bar = Bar(2_500_000_000, unit="B", file=io.StringIO())
    clock[0] += 4000
    bar.update(1_000_000_000)
    assert "1.0 GB/2.5 GB" in bar.text() and "1:06:40" in bar.text()


def test_the_line_ends_where_the_work_fails():
    out = Terminal()
    with pytest.raises(ZeroDivisionError):
        for i in progress([1, 0], file=out):
            1 / i
    assert out.getvalue().endswith("\n")


def test_a_terminal_that_has_gone_is_no_error():
    out = io.StringIO()
    out.close()
    assert list(progress([1, 2], file=out)) == [1, 2]
