"""`torch.utils.benchmark.Timer`: the time of a statement, measured as Python's timeit does.

    t = Timer("x @ y", globals={"x": x, "y": y})
    print(t.blocked_autorange())

Measuring by counted instructions (Callgrind) is not here.
"""

from __future__ import annotations

import statistics
import timeit
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..base.errors import message, missing

if TYPE_CHECKING:
    from ..base.types import Argument

__all__ = ["Measurement", "Timer"]

timer = timeit.default_timer


def _in_units(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.2f} {unit}"
    return f"{seconds / 1e-9:.2f} ns"


class Measurement:
    """Times of blocks of `number_per_run` runs each, in seconds: `raw_times`.

    `times`, `median`, `mean`, `iqr` are seconds per run.
    """

    def __init__(
        self, number_per_run: int, raw_times: list[float], label: str, description: str = ""
    ) -> None:
        self.number_per_run, self.raw_times = number_per_run, raw_times
        self.label, self.description = label, description

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
        lines = [f"<microtorch.utils.benchmark.Measurement>\n{self.label}"]
        if self.description:
            lines.append(self.description)
        n = len(self.raw_times)
        if n == 1:
            lines += [f"  {_in_units(self.median)}", "  1 measurement"]
        else:
            lines += [f"  Median: {_in_units(self.median)}", f"  IQR:    {_in_units(self.iqr)}"]
            lines.append(f"  {n} measurements")
        lines[-1] += f", {self.number_per_run} runs per measurement, 1 thread"
        return "\n".join(lines)


class Timer:
    """Measures `stmt`, with the names of `globals`, after `setup` has run once."""

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
        self._timer = timeit.Timer(stmt, setup, timer, dict(globals or {}))
        self._label = "  ".join([label or str(stmt), *([sub_label] if sub_label else [])])
        self._description = description or ""

    def timeit(self, number: int = 1_000_000) -> Measurement:
        """One block of `number` runs, after a hundredth of it to warm up."""
        self._timer.timeit(max(number // 100, 2))
        return self._measured(number, [self._timer.timeit(number)])

    def blocked_autorange(
        self, callback: Callable[[int, float], object] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Blocks of runs, long enough to be measured, until `min_run_time` seconds are over."""
        number, took = 1, self._timer.timeit(1)
        while took < min(min_run_time / 100, 1e-3):
            number *= 2
            took = self._timer.timeit(number)
        times: list[float] = []
        while not times or sum(times) < min_run_time:
            times.append(self._timer.timeit(number))
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
            made.raw_times.append(self._timer.timeit(made.number_per_run))
        return made

    def _measured(self, number: int, times: list[float]) -> Measurement:
        return Measurement(number, times, self._label, self._description)


__getattr__ = missing("torch.utils.benchmark", __all__)
