"""The CPU's backends while a function is recorded: their kernels and derivatives are written down.

``Lanes`` makes each backend a ``Recorder``, whose kernels call those of the backend and tell a
recording; and gives everything back, whatever happens. Nobody pays for it otherwise.
"""
from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from ..arrays import draws, generator
from ..backends.half import Half
from ..backends.reference import Reference
from ..backends.table import forget, laying
from ..engine.vjps import FusedVjps
from ..kinds.borders import CROSSINGS
from ..kinds.draws import asking
from .recorded import Recorded

if TYPE_CHECKING:
    from ..base.types import Array, DType, Kernel, Operand, Vjp
    from ..engine.op import Op
    from ..engine.vjps import VjpTable

DERIVATIVE = re.compile(r"_vjp\d+$")
_real: dict[tuple[type, DType | None], Reference] = {}


class Writer(Protocol):
    """What is told of kernels: a Recording, which writes them down, or a Clock."""

    backward: bool

    @property
    def array(self) -> Kernel:
        """What a backend's ``array`` does."""

    def call(
        self, kind: str, name: str, function: Kernel, arguments: tuple[Operand, ...],
        attrs: dict[str, Operand], read: frozenset[int] | None = None,
    ) -> Operand:  # fmt: skip
        """Call ``function``, and write down that it was called."""

    def give_up(self, why: str) -> None:
        """What happens now cannot be written down."""


class Draws:
    """The functions that make random arrays: each call of one is a step, drawn anew by each run."""

    def __init__(self, recording: Writer):
        self.recording = recording

    def __getattr__(self, name: str) -> Kernel:
        function = getattr(draws, name)

        def draw(*arguments: Operand, **named: Operand) -> Operand:
            for x in (*arguments, *named.values()):
                if isinstance(x, generator.Generator) and x is not generator.default_generator:
                    self.recording.give_up("it draws from a generator of its own")
            return self.recording.call("draw", name, function, arguments, named)

        return asking(name, draw)


class Recorder(Reference):
    """A backend of the CPU while a function is recorded: the kernels of ``real``, written down."""

    name = "recorder"
    memory = cast("type[Array]", Recorded)  # it has what is asked of a numpy array
    genuine: Reference  # no op has this name, as one has "real"
    lanes: Lanes

    def __getattr__(self, name: str) -> Kernel:
        # derivatives are looked up in the ops' tables, which `derivatives` fills
        if name.startswith("__") or DERIVATIVE.search(name):
            raise AttributeError(name)
        held: dict[str, Operand] = vars(self)
        real, lanes = held.get("genuine"), held.get("lanes")
        if real is None or lanes is None:  # another thread asks while the recording ends
            kind: type = type(self)
            if issubclass(kind, Recorder):
                raise AttributeError(name)
            return cast("Kernel", getattr(self, name))
        kernel = getattr(real, name)
        if not callable(kernel):
            found: Kernel = kernel
            return found
        made: Kernel = lanes.kernel(self, name, kernel)
        held[name] = made
        return made

    def derivatives(self, table: VjpTable) -> Sequence[Vjp]:
        """An op's, when it is first walked back (engine/vjps.py)."""
        return self.lanes.derivatives(table, self.genuine)

    def large(self, name: str) -> Kernel:
        return self.lanes.kernel(self, name, self.genuine.large(name), large=True)


class Lanes:
    """The backends that write down what they compute, for a recording."""

    def __init__(self, recording: Writer, kind: type[Recorder] = Recorder):
        self.recording, self.kind = recording, kind
        # a backend, its class, and what was in it
        self.taken: list[tuple[Reference, type[Reference], dict[str, Operand]]] = []

    def open(self) -> None:
        """From now on, all kernels and derivatives are written down."""
        for lane in (*Reference.by_dtype.values(), Reference.rest):
            self.install(lane)

    def close(self) -> None:
        """Give the backends back their classes and kernels."""
        for lane, cls, before in self.taken:
            lane.__class__ = cls
            lane.__dict__ = before
            forget(lane)

    @staticmethod
    def clean() -> None:
        """Let the halves' backends forget the kernels of recorders that they have kept."""
        for real in _real.values():
            if isinstance(real, Half):
                for name in [n for n in vars(real) if n != "dtype"]:
                    vars(real).pop(name, None)

    def kernel(self, lane: Reference, name: str, real: Kernel, large: bool = False) -> Kernel:
        """A kernel that is written down; the program calls the one that the backend then has."""

        def kernel(*arguments: Operand, **attrs: Operand) -> Operand:
            return self.recording.call("kernel", name, real, arguments, attrs)

        def laid(run: Kernel) -> Kernel:
            """The kernel as ``run`` runs it, which is asked where an operand is not in rows."""
            ordered = laying(real, run)

            def kernel(*arguments: Operand, **attrs: Operand) -> Operand:
                rows = all(x.flags.c_contiguous for x in arguments if hasattr(x, "strides"))
                function = real if rows else ordered
                return self.recording.call("kernel", name, function, arguments, attrs)

            return kernel

        vars(kernel)["laid"] = laid
        return kernel

    def vjp(self, op: Op, i: int, real: Vjp, dev: Reference) -> Vjp:
        """A derivative that is written down."""
        if real is None or op in CROSSINGS:  # out of a vmap: by kernels, which are steps
            return real
        function = partial(real, dev)
        # of (g, out, *inputs)
        read = frozenset({0, *[1] * op.reads_out[i], *[j + 2 for j in op.reads[i]]})

        def vjp(F: Operand, *arguments: Operand, **attrs: Operand) -> Operand:
            self.recording.backward = True
            return self.recording.call("vjp", f"{op.name}_vjp{i}", function, arguments, attrs, read)

        return vjp

    def install(self, lane: Reference) -> None:
        """Let a backend write down what it computes. Its kernels stay those of its class."""
        # another thread that looks for a kernel now puts it where it belongs: in `before`
        kind, before = type(lane), vars(lane)
        key = (kind, lane.dtype)
        if isinstance(lane, Recorder):  # a clock's
            real = lane.genuine
        elif key in _real:
            real = _real[key]
        else:
            real = _real[key] = kind(lane.dtype)
        self.taken.append((lane, kind, before))
        wrappers: dict[str, Operand] = {
            **before, "genuine": real, "lanes": self, "draws": Draws(self.recording),
            "changing": real.changing, "conjugates": real.conjugates,
            "halves": real.halves,
        }  # fmt: skip
        names = {n for n in (*dir(Reference), *before) if not n.startswith("_")}
        keep = {"of", "choose", "large", "small", "into", "in_16_bits", "by_dtype",
                "rest", "memory", "array", "draws", "dtype", "device", "name", "kernels",
                "changing", "conjugates", "halves", "ordered"}  # fmt: skip
        for name in names - keep:
            kernel = getattr(real, name, None)
            if callable(kernel):
                wrappers[name] = self.kernel(lane, name, kernel)
        wrappers["array"] = self.recording.array
        lane.__dict__ = wrappers  # before the class, which other threads may ask at once
        lane.__class__ = self.kind
        forget(lane)

    def derivatives(self, table: VjpTable, real: Reference) -> Sequence[Vjp]:
        """The derivatives of an op, each a step; one that computes all of them is one step."""
        op = table.op
        found = table[_wide() if isinstance(real, Half) else real]
        if isinstance(found, FusedVjps):
            kernel = found.kernel
            if isinstance(real, Half):
                kernel = partial(_together, real.vjps(op.name, found))
            return FusedVjps(self.fused(op, kernel, real), op.derivatives)
        if isinstance(real, Half):
            found = [*real.vjps(op.name, found)]
        return tuple([self.vjp(op, i, v, real) for i, v in enumerate(found)])

    def fused(self, op: Op, kernel: Kernel, real: Reference) -> Kernel:
        """All derivatives of an op in one step; None where the kernel declines."""
        function = partial(kernel, real)

        def vjps(F: Operand, *arguments: Operand, **attrs: Operand) -> Operand:
            self.recording.backward = True
            return self.recording.call("vjps", f"{op.name}_vjps", function, arguments, attrs)

        return vjps


def _together(found: Sequence[Vjp], *arguments: Operand, **attrs: Operand) -> Operand:
    """All derivatives of an op that are computed together, by one new iteration over them."""
    return tuple([None if v is None else v(*arguments, **attrs) for v in found])


def _wide() -> Reference:
    lane = Reference.by_dtype[np.dtype(np.float32)]
    real: Reference = vars(lane).get("genuine", lane)
    return real
