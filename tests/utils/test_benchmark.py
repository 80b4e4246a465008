"""torch.utils.benchmark: a statement's time, and times side by side."""
import pytest

import microtorch as torch
from microtorch.utils.benchmark import Compare, Measurement, Timer


def test_timer():
    made = Timer("x + x", globals={"x": torch.ones(3)}, label="add").timeit(50)
    assert made.number_per_run == 50 and 0 < made.median < 1 and made.mean == made.median
    auto = Timer("x + x", globals={"x": torch.ones(3)}).blocked_autorange(min_run_time=0.01)
    Timer("""
        y = x + x
        y * y
    """, "\n    x = 3").timeit(1)  # indented, as they are in a program
    assert len(auto.times) >= 1 and auto.iqr >= 0 and "Measurement" in repr(auto)
    assert "add" in repr(made) and "50 runs" in repr(made)


def test_a_timer_sets_the_threads_and_gives_them_back():
    before, seen = torch.get_num_threads(), []
    Timer(lambda: seen.append(torch.get_num_threads()), num_threads=1).timeit(3)
    assert set(seen) == {1} and torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError):
        Timer("1 / 0", num_threads=1).timeit(1)
    assert torch.get_num_threads() == before
    with pytest.raises(RuntimeError, match="must be positive, not 0"):
        Timer("1", num_threads=0)


TIMES = [
    Measurement(10, [1e-5] * 4, "dot", "[1, 1]", "mm"),
    Measurement(10, [2e-5, 3e-5, 4e-5, 9e-5], "dot", "[1, 1]", "sum"),
    Measurement(1, [1.234e-4] * 4, "dot", "[64, 64]", "sum", 2),
    Measurement(1, [0.5] * 4, "sort"),
]


def test_compare_sets_times_side_by_side():
    compare = Compare(TIMES)
    assert str(compare) == """\
-----------[ dot ]------------
              |   mm  |    sum
1 thread: --------------------
    [1, 1]    |  1.0  |    3.5
2 threads: -------------------
    [64, 64]  |       |  123.4

Times are in us.

-----[ sort ]-----
          |
1 thread: --------
    sort  |  500.0

Times are in ms.
"""
    compare.trim_significant_figures()
    compare.colorize()
    compare.highlight_warnings()
    text = str(compare)
    assert "|  *1.0  |  !3.5" in text and "|   120" in text and "* is the best of its row" in text
    with pytest.raises(ValueError, match="takes Measurements, but got float"):
        compare.extend_results([0.5])
