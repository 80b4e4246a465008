"""The clock that orders nodes and writes, and the storage that a write dates."""
from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any

# the clock: every node creation and every in-place write reads it once
ticks = count(1)
tick = ticks.__next__

# when anything was last written in place: nodes younger than that need no check at all
last_write = [0]


class Storage:
    """A block of memory shared by handles: when it was last written, and which views live on it.

    Made only when a first view or in-place write exists; ``None`` on a node means "never shared,
    never written".
    """

    __slots__ = ("aside", "beside", "born", "turned", "version", "views", "writer", "written")

    def __init__(self, born: int = 0) -> None:
        self.born = born  # clock of the node that it was made for
        self.beside: Storage | None = None  # of .data: the tensor's own
        self.aside = 0  # clock of the last write through .data, which autograd is not to notice
        self.turned = False  # may a handle show it otherwise than row by row?
        self.written = 0  # clock of the last in-place write
        self.version = 0  # how many there were: PyTorch's tensor._version
        self.writer = ""  # name of the op that wrote last, for the error message
        self.views: list[Any] = []  # weak references to the handles of differentiable views

    def add_view(self, view: Any) -> None:
        n = len(self.views)
        if n >= 8 and not n & (n - 1):  # at 8, 16, 32...: forget the dead
            self.views = [v for v in self.views if v() is not None]
        self.views.append(view)

    def add_views(self, views: Iterable[Any]) -> None:
        """``add_view`` of each."""
        before = len(self.views)
        self.views += views
        if before >= 8 and before.bit_length() < len(self.views).bit_length():
            self.views = [v for v in self.views if v() is not None]

    def snapshot(self) -> Storage:
        """This moment, for a node whose value no longer lies here.

        It is stale for those who read it before, and safe from later writes.
        """
        past = Storage(self.born)
        past.written, past.version, past.writer = self.written, self.version, self.writer
        past.aside = self.aside
        return past

    def wrote(self, writer: str) -> None:
        self.written = last_write[0] = tick()
        self.version += 1
        self.writer = writer
        if self.beside is not None:
            self.beside.aside = self.written

    def date(self) -> tuple[int, int, str]:
        """What ``take_back`` needs, to be read before ``wrote``."""
        return self.written, self.version, self.writer

    def take_back(self, written: int, version: int, writer: str) -> None:
        """Nothing was written after all, although ``wrote`` said so; see ``date``."""
        self.written, self.version, self.writer = written, version, writer
