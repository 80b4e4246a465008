"""A progress bar that needs no other package: `for batch in progress(loader): ...`.

On a terminal one line is rewritten, at most ten times a second. Elsewhere (a file, a pipe) a line
is written about every tenth of the way, and at least ten seconds apart, so that a log stays short.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from types import TracebackType
from typing import Generic, TextIO, TypeVar

from ..base.errors import message

T = TypeVar("T")
PARTS = " ▏▎▍▌▋▊▉█"
AGAIN = 0.1  # seconds between two pictures of the bar on a terminal
APART = 10.0  # seconds between two lines in a file


class Bar:
    """How far a work of `total` units (None: unknown) has come; `update(n)` when n more are done.

    `unit`: what is counted; "B" is written as KB, MB, GB. `file`: where to, standard error by
    default. As a context manager it ends its line also when the work fails.
    """

    def __init__(
        self,
        total: int | None,
        label: str = "",
        unit: str = "",
        file: TextIO | None = None,
    ) -> None:
        self.total, self.label, self.unit = total, label, unit
        self.file = sys.stderr if file is None else file
        self.done = 0
        self.live = not self.file.closed and self.file.isatty()
        self.begun = self._shown = time.monotonic()
        self._tenth = 0
        self._length = 0
        self._closed = False

    def update(self, n: int = 1) -> None:
        """`n` more units are done."""
        self.done += n
        now = time.monotonic()
        if now - self._shown < (AGAIN if self.live else APART):
            return
        tenth = 10 * self.done // self.total if self.total else self._tenth + 1
        if self.live or tenth > self._tenth:
            self._tenth, self._shown = tenth, now
            self._show()

    def close(self) -> None:
        """Write the last state, and end the line."""
        if not self._closed:
            self._closed = True
            self._show(last=True)

    def text(self, width: int = 80) -> str:
        """One line of at most `width` characters."""
        seconds = max(time.monotonic() - self.begun, 1e-9)
        rate = f"{self._count(self.done / seconds)}/s"
        count = self._count(self.done)
        if not self.total:
            return f"{self.label} {count} [{_clock(seconds)}, {rate}]".strip()[:width]
        share = min(self.done / self.total, 1.0)
        left = seconds * (1 - share) / share if share else 0.0
        before = f"{self.label} {share:4.0%} ".lstrip()
        after = f" {count}/{self._count(self.total)} [{_clock(seconds)}<{_clock(left)}, {rate}]"
        room = min(width - len(before) - len(after) - 2, 40)
        bar = f"|{_filled(share, room, self._encodable())}|" if room >= 5 else ""
        return (before + bar + after)[:width]

    def _count(self, n: float) -> str:
        if self.unit != "B":
            plain = f"{n:.0f}" if n >= 10 or n == int(n) else f"{n:.2f}"
            return plain + (f" {self.unit}" if self.unit else "")
        for name in ("B", "KB", "MB"):
            if n < 1000:
                return f"{n:.0f} {name}" if name == "B" else f"{n:.1f} {name}"
            n /= 1000
        return f"{n:.1f} GB"

    def _encodable(self) -> bool:
        encoding = getattr(self.file, "encoding", None) or "ascii"
        try:
            PARTS.encode(encoding)
        except (UnicodeError, LookupError):
            return False
        return True

    def _show(self, last: bool = False) -> None:
        try:
            if self.live:
                text = self.text(shutil.get_terminal_size().columns - 1)
                print("\r" + text.ljust(self._length), end="\n" if last else "", file=self.file)
                self._length = len(text)
            else:
                print(self.text(), file=self.file)
            self.file.flush()
        except (OSError, ValueError):  # the terminal has gone; the work has not
            self._closed = True

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def _filled(share: float, room: int, fine: bool) -> str:
    if not fine:
        return ("#" * int(share * room)).ljust(room)
    whole, rest = divmod(int(share * room * 8), 8)
    return ("█" * whole + (PARTS[rest] if whole < room else "")).ljust(room)


class Progress(Generic[T]):
    """An iterable that shows how far its reader has come. Made by `progress`."""

    def __init__(
        self, iterable: Iterable[T], total: int | None, label: str, file: TextIO | None
    ) -> None:
        self.iterable, self.label, self.file = iterable, label, file
        self.total = _length(iterable) if total is None else total

    def __len__(self) -> int:
        if self.total is None:
            what = type(self.iterable).__name__
            raise TypeError(message(f"{what} has no length", fix="progress(..., total=n)"))
        return self.total

    def __iter__(self) -> Iterator[T]:
        with Bar(self.total, self.label, file=self.file) as bar:
            for item in self.iterable:
                yield item
                bar.update()


def _length(iterable: Iterable[T]) -> int | None:
    if not isinstance(iterable, Sized):
        return None
    try:
        return len(iterable)
    except TypeError:  # a DataLoader over a stream has the method, and no answer
        return None


def progress(
    iterable: Iterable[T],
    total: int | None = None,
    *,
    label: str = "",
    file: TextIO | None = None,
) -> Progress[T]:
    """Go through `iterable` and show how far: `for batch in progress(loader, label="epoch 1")`.

    `total`: the number of items where `len(iterable)` does not say it. `file`: standard error by
    default. On a terminal it is a bar with the time left and the rate; in a file a line now and
    then. Each `iter()` begins a new bar. Works around `tqdm` as around any iterable.
    """
    return Progress(iterable, total, label, file)
