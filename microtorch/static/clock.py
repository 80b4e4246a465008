"""The time that each kernel and each derivative takes, for ``torch.profiler``.

The mechanism is that of a recording (recorder.py): while a ``Clock`` runs, each backend of the CPU
is a ``Clocked`` one, whose kernels call the genuine ones. Nobody pays for it otherwise. Kernels of
other devices, and programs of ``compile``, are not seen.
"""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .recorder import Lanes, Recorder
from .turns import recording_now

if TYPE_CHECKING:
    from ..base.types import Array, Kernel, Operand, Shape

class Timed(NamedTuple):
    """One call: of the kernel of an op, or, ``kind`` "vjp" or "vjps", of one derivative or all.

    A derivative's arguments are g, the op's result and its operands; ``by`` says by which operand
    it is. ``begin`` and ``end`` are seconds of ``Clock.now``.
    """

    kind: str
    op: str
    arguments: tuple[Any, ...]
    attrs: dict[str, Any]
    made: Any
    begin: float
    end: float
    by: int | None = None

    @property
    def title(self) -> str:
        """The op's name, or "name backward"."""
        return f"{self.op} backward" if self.kind in ("vjp", "vjps") else self.op


Told = Callable[[Timed], None]


class Clocked(Recorder):
    """A backend whose kernels are timed."""

    name = "clocked"
    memory = np.ndarray

    def into(self, name: str) -> Kernel | None:
        real = self.genuine.into(name)
        return None if real is None else self.lanes.kernel(self, name, real)


class Clock:
    """Tells each of ``listeners`` what every kernel took, as long as there are any."""

    backward = False

    def __init__(self) -> None:
        self.listeners: list[Told] = []
        self.spent = 0.0  # seconds that they took
        self.lanes = Lanes(self, Clocked)

    def start(self, listener: Told) -> None:
        """Tell ``listener``. Inside of a function that is being recorded there is nothing to tell.
        """
        if not self.listeners and not recording_now():
            self.lanes = Lanes(self, Clocked)
            self.lanes.open()
        self.listeners.append(listener)

    def stop(self, listener: Told) -> None:
        """Tell it no more. A recording in another thread gives back what stands under it: then the
        kernels are called through here until they are looked up again.
        """
        self.listeners = [other for other in self.listeners if other != listener]
        if not self.listeners and not recording_now():
            self.lanes.close()

    def call(
        self, kind: str, name: str, function: Kernel, arguments: tuple[Operand, ...],
        attrs: dict[str, Operand], read: frozenset[int] | None = None,
    ) -> Operand:  # fmt: skip
        """Call ``function``, and tell how long it took."""
        begin = self.now()
        made = function(*arguments, **attrs)
        end = self.now()
        if made is False:  # an ``into`` that declined: another kernel does it
            return made
        by = None
        if kind == "vjp":
            name, _, number = name.rpartition("_vjp")
            by = int(number)
        name = name.removesuffix("_vjps")
        timed = Timed(kind, name, arguments, attrs, made, begin, end, by)
        for told in self.listeners:
            told(timed)
        self.spent += self.now() - end
        return made

    def now(self) -> float:
        """Seconds of ``time.perf_counter``, without those that the listeners took."""
        return time.perf_counter() - self.spent

    array: Kernel = staticmethod(np.asarray)

    def give_up(self, why: str) -> None:
        """Everything can be timed."""


clock = Clock()


def arrays_of(x: Operand) -> Iterator[Array]:
    """The arrays in an argument or a result."""
    if isinstance(x, np.ndarray):
        yield x
    elif isinstance(x, (tuple, list)):
        for y in x:
            yield from arrays_of(y)


def shapes_of(arguments: tuple[Operand, ...]) -> tuple[Shape, ...]:
    """The shape of each argument; () of a number, as of an array of no dimensions."""
    return tuple(x.shape if isinstance(x, np.ndarray) else () for x in arguments)


def bytes_of(made: Operand) -> int:
    """The memory of a result, 0 of a view."""
    return sum(x.nbytes for x in arrays_of(made) if x.base is None)
