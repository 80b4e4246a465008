"""A function of Scalars and Tensors: how it is called as a program of Tensors.

The numbers of all Scalars that it can reach are one tensor, their gradients another; both are
arguments of the program, and what it leaves is written back (lifted.py).
"""
from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...base.errors import message
from ...engine.record import constant
from ...graph import last_write, storage_of, tick
from ...handles.scalar import Scalar, constant_scalar
from ..alone import Again
from ..guards import Watch
from ..keys import opaque
from ..outputs import walked_op
from ..recording import Recording
from ..templates import Ref, through
from ..turns import turn_now
from ..watched import TooMuch, Unwatchable
from .lifted import Lift, Spot

if TYPE_CHECKING:
    from ...base.types import Kernel, Operand
    from ..entry import Entry


class Lifted:
    """The function as one of Tensors: what it returns is for ``Mixed`` to read."""

    def __init__(self, function: Kernel):
        self.function = function
        self.leaves: Sequence[Scalar] = ()

    def __call__(
        self, *args: Operand, numbers: Operand, **kwargs: Operand
    ) -> tuple[Operand, ...]:
        leaves, (data, grads, graded, _) = self.leaves, numbers

        def given(x: Operand) -> Operand:
            return leaves[x.at] if type(x) is Spot else x

        args, kwargs = through(args, given), through(kwargs, given)
        r = turn_now()
        if not isinstance(r, Recording) or r.thread != threading.get_ident():
            return (self.function(*args, **kwargs),)
        lift = Lift(r, leaves, data, grads, graded)
        result: tuple[Operand, ...] = lift.result(self.function(*args, **kwargs))
        lift.restore()
        return result


class Mixed:
    """Calls of a function of Scalars and Tensors. ``compile``: what makes a program of one."""

    def __init__(self, function: Kernel, root: Operand, compile: Callable[[Kernel], Any]):
        self.function, self.root = function, root
        self.lifted = Lifted(function)
        self.inner = compile(self.lifted)
        self.inner.root, self.inner.mixed = root, True
        self.watch: Watch | None = None
        self.given = 0  # how many of the Scalars are arguments

    def __call__(self, args: Operand, kwargs: Operand) -> Operand:
        try:
            leaves = self.reached(args, kwargs)
        except (TooMuch, Unwatchable) as e:
            self.inner.refuse(str(e))
            leaves = []
        if self.inner.reason or any(s.hooks for s in leaves):
            return self.function(*args, **kwargs)
        places = {id(s): i for i, s in enumerate(leaves)}

        def spot(x: Operand) -> Operand:
            return Spot("leaf", places[id(x)]) if isinstance(x, Scalar) else x

        grads = [s.grad for s in leaves]
        numbers = (
            constant(np.array([s.value for s in leaves], float)),
            constant(np.array([0.0 if g is None else float(g) for g in grads], float)),
            tuple([g is not None for g in grads]), tuple([s.needs for s in leaves]),
        )  # fmt: skip
        self.lifted.leaves = leaves
        found = self.inner(*through(args, spot), **through(kwargs, spot), numbers=numbers)
        return found[0] if len(found) == 1 else self.left(leaves, *found)

    def again(self, entry: Entry, outputs: Operand, name: str) -> Again:
        """For an exported program: which numbers it gives back for its next step."""
        template, changed, graded, gone, tensors, before = outputs
        leaves = self.lifted.leaves
        had = {i for i, x in enumerate(before) if x}
        after = (had | {i for i, _ in graded}) - {*gone}
        if any(i >= self.given for i in after ^ had):  # those of arguments are new each time
            raise RuntimeError(
                message(
                    f"{name} cannot be exported: it leaves gradients of Scalars where it found "
                    "None, or the other way round",
                    fix="export it after more steps, or set gradients to None in it",
                )
            )
        first = entry.takes - 2  # the numbers are the last of its arguments
        grads = [0.0 if s.grad is None else float(s.grad) for s in leaves]
        begin = {first: np.array([s.value for s in leaves], float), first + 1: np.array(grads)}
        of = [o.number for o in entry.outputs]
        moves = [
            (place, i, of[tensors[at].number])
            for place, found in ((first, changed), (first + 1, graded)) for i, at in found
            if i >= self.given
        ]  # fmt: skip
        shown: list[int] = []

        def show(x: Operand) -> Operand:
            if type(x) is Spot and x.kind == "leaf":
                raise RuntimeError(message(f"{name} cannot be exported: it returns a Scalar that "
                                           "was there before", fix="return its .data"))  # fmt: skip
            if type(x) in (Spot, Ref):
                shown.append(of[x.number if type(x) is Ref else tensors[x.at].number])
            return x

        through(template, show)
        return Again(begin, moves, shown)

    def reached(self, args: Operand, kwargs: Operand) -> list[Scalar]:
        """The Scalars that the function can reach: those among the arguments first."""
        every: list[Scalar] = []
        through((args, kwargs), lambda x: every.append(x) if isinstance(x, Scalar) else None)
        self.given = len({*map(id, every)})
        if self.watch is None or self.watch.changed():
            self.watch = Watch(self.root, *opaque((args, kwargs)))
        every += [x for x in self.watch.scalars if x.op is None]
        return [*{id(s): s for s in every}.values()]

    @staticmethod
    def left(
        leaves: Sequence[Scalar], template: Operand, changed: Operand, graded: Operand,
        gone: Operand, tensors: Operand, before: Operand,
    ) -> Operand:  # fmt: skip
        """Write back what the program leaves; returns what the function returns."""
        values = [t.item() for t in tensors]
        if changed:
            now = last_write[0] = tick()
        for i, at in changed:
            s = leaves[i]
            s.value = values[at]
            storage = s.storage or storage_of(s)
            storage.written, storage.writer = now, "a compiled function"
            storage.version += 1
        for i, at in graded:
            leaves[i].grad = values[at]
        for i in gone:
            leaves[i].grad = None

        def result(x: Operand) -> Operand:
            if type(x) is not Spot:
                return x
            if x.kind == "leaf":
                return leaves[x.at]
            if x.kind == "number":
                return values[x.at]
            s = constant_scalar(values[x.at])
            s.needs, computed, at = x.how
            if computed and s.needs:
                s.op = walked_op
            s.grad = None if at < 0 else values[at]
            return s

        return through(template, result)
