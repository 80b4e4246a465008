"""`torch.utils.benchmark`: the time of a statement, measured as Python's timeit does.

    t = Timer("x @ y", globals={"x": x, "y": y})
    print(t.blocked_autorange())

`Compare` sets measurements side by side.
Measuring by counted instructions (Callgrind) is not here.
"""

from __future__ import annotations

import statistics
import textwrap
import timeit
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from ..backends.core.library import get_num_threads, set_num_threads
from ..base.columns import columns
from ..base.errors import message, missing

if TYPE_CHECKING:
    from ..base.types import Argument

__all__ = ["Compare", "Measurement", "Timer"]

timer = timeit.default_timer


UNITS = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9))


def _in_units(seconds: float) -> str:
    unit, size = next((u for u in UNITS if seconds >= u[1]), UNITS[-1])
    return f"{seconds / size:.2f} {unit}"


def _threads(n: int) -> str:
    return f"{n} thread{'s' * (n != 1)}"


class Measurement:
    """Times of blocks of `number_per_run` runs each, in seconds: `raw_times`.

    `times`, `median`, `mean`, `iqr` are seconds per run. `label`, `sub_label` and `description` say
    what was measured: the table, the row and the column of a `Compare`.
    """

    def __init__(
        self,
        number_per_run: int,
        raw_times: list[float],
        label: str,
        sub_label: str = "",
        description: str = "",
        num_threads: int = 1,
    ) -> None:
        self.number_per_run, self.raw_times = number_per_run, raw_times
        self.label, self.sub_label, self.description = label, sub_label, description
        self.num_threads = num_threads

    @property
    def times(self) -> list[float]:
        return [t / self.number_per_run for t in self.raw_times]

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.times)

    @property
    def iqr(self) -> float:
        """The range of the middle half of the times."""
        if len(self.times) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.times, n=4, method="inclusive")
        return high - low

    def __repr__(self) -> str:
        title = f"{self.label}: {self.sub_label}" if self.sub_label else self.label
        lines = [f"<microtorch.utils.benchmark.Measurement>\n{title}"]
        if self.description:
            lines.append(self.description)
        n = len(self.raw_times)
        if n == 1:
            lines += [f"  {_in_units(self.median)}", "  1 measurement"]
        else:
            lines += [f"  Median: {_in_units(self.median)}", f"  IQR:    {_in_units(self.iqr)}"]
            lines.append(f"  {n} measurements")
        lines[-1] += f", {self.number_per_run} runs per measurement, {_threads(self.num_threads)}"
        return "\n".join(lines)


class Timer:
    """Measures `stmt` with the names of `globals`, on `num_threads` threads, after `setup`."""

    def __init__(
        self,
        stmt: str | Callable[[], object] = "pass",
        setup: str | Callable[[], object] = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = timer,
        globals: Mapping[str, Argument] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: str = "python",
    ) -> None:
        if str(getattr(language, "name", language)).lower() not in ("python", "py"):
            raise NotImplementedError(
                message("torch.utils.benchmark.Timer measures Python statements only")
            )
        if num_threads < 1:
            raise RuntimeError(message(f"Timer: num_threads must be positive, not {num_threads}"))
        stmt, setup = (  # texts may be indented as the program is
            textwrap.dedent(text).strip() if isinstance(text, str) else text
            for text in (stmt, setup)
        )
        self._timer = timeit.Timer(stmt, setup, timer, dict(globals or {}))
        self._names = (label or str(stmt), sub_label or "", description or "")
        self._threads = num_threads

    def timeit(self, number: int = 1_000_000) -> Measurement:
        """One block of `number` runs, after a hundredth of it to warm up."""
        self._run(max(number // 100, 2))
        return self._measured(number, [self._run(number)])

    def blocked_autorange(
        self, callback: Callable[[int, float], object] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Blocks of runs, long enough to be measured, until `min_run_time` seconds are over."""
        self._run(1)  # the first run is slower
        number, took = 1, self._run(1)
        while took < min(min_run_time / 100, 1e-3):
            number *= 2
            took = self._run(number)
        times: list[float] = []
        while not times or sum(times) < min_run_time:
            times.append(self._run(number))
            if callback is not None:
                callback(number, times[-1])
        return self._measured(number, times)

    def adaptive_autorange(
        self,
        threshold: float = 0.1,
        *,
        min_run_time: float = 0.01,
        max_run_time: float = 10.0,
        callback: Callable[[int, float], object] | None = None,
    ) -> Measurement:
        """Blocks until the middle half of the times differs by less than `threshold`."""
        made = self.blocked_autorange(callback, min_run_time)
        while len(made.times) < 4 or made.iqr / made.median > threshold:
            if sum(made.raw_times) > max_run_time:
                break
            made.raw_times.append(self._run(made.number_per_run))
        return made

    def _measured(self, number: int, times: list[float]) -> Measurement:
        return Measurement(number, times, *self._names, self._threads)

    def _run(self, number: int) -> float:
        before = get_num_threads()
        set_num_threads(self._threads)
        try:
            return self._timer.timeit(number)
        finally:
            set_num_threads(before)


class Compare:
    """Measurements side by side: a table for each label, a row for each sub_label (else the label)
    and number of threads, a column for each description. `str()` gives it, `print()` prints it.
    """

    def __init__(self, results: Iterable[Measurement]) -> None:
        self._results: list[Measurement] = []
        self._digits = 0
        self._best = self._warns = False
        self.extend_results(results)

    def extend_results(self, results: Iterable[Measurement]) -> None:
        """More of them. ValueError for what is no Measurement."""
        for result in results:
            if not isinstance(result, Measurement):
                raise ValueError(
                    message(f"Compare takes Measurements, but got {type(result).__name__}")
                )
            self._results.append(result)

    def trim_significant_figures(self) -> None:
        """Two figures of each time: a repetition would not confirm more."""
        self._digits = 2

    def colorize(self, rowwise: bool = False) -> None:
        """Mark the best time of each row with a star; terminals need no colours for it."""
        self._best = True

    def highlight_warnings(self) -> None:
        """Mark with "!" a time whose middle half differs by more than a tenth of it."""
        self._warns = True

    def __str__(self) -> str:
        labels = dict.fromkeys(m.label for m in self._results)
        return "\n".join(self._table(label) for label in labels)

    def print(self) -> None:
        """Print the tables."""
        print(self)

    def _table(self, label: str) -> str:
        cells: dict[tuple[int, str], dict[str, list[float]]] = {}
        unsure: set[tuple[int, str, str]] = set()
        for m in self._results:
            if m.label == label:
                row = cells.setdefault((m.num_threads, m.sub_label or label), {})
                row.setdefault(m.description, []).extend(m.times)
                if self._warns and m.iqr > m.median / 10:
                    unsure.add((m.num_threads, m.sub_label or label, m.description))
        medians = {r: {c: statistics.median(t) for c, t in row.items()} for r, row in cells.items()}
        described = list(dict.fromkeys(c for row in medians.values() for c in row))
        smallest = min(t for row in medians.values() for t in row.values())
        unit, size = next((u for u in UNITS if smallest >= u[1]), UNITS[-1])

        def text(key: tuple[int, str], column: str) -> str:
            row = medians[key]
            if column not in row:
                return ""
            time = row[column] / size
            if self._digits:
                time = float(f"{time:.{self._digits}g}")
            shown = f"{time:.{0 if self._digits and time >= 10 else 1}f}"
            best = self._best and len(row) > 1 and row[column] == min(row.values())
            return "!" * ((*key, column) in unsure) + "*" * best + shown

        rows = {key: [text(key, c) for c in described] for key in medians}
        head, *lines = columns(
            [("", *described), *((f"    {key[1]}", *row) for key, row in rows.items())],
            between="  |  ",
        )
        wide = max(map(len, (head, *lines)))
        shown = [f"[ {label} ]".center(wide, "-"), head]
        for n in sorted({n for n, _ in rows}):
            shown.append(f"{_threads(n)}: ".ljust(wide, "-"))
            shown += [line for key, line in zip(rows, lines, strict=True) if key[0] == n]
        legend = f"Times are in {unit}." + " * is the best of its row." * self._best
        legend += " ! differs by more than a tenth from run to run." * bool(unsure)
        return "\n".join([*shown, "", legend, ""])


__getattr__ = missing("torch.utils.benchmark", __all__)
