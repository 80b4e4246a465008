"""The values of a program while it is recorded: which array, or number of numpy, is which.

A kernel is called on real arrays and written down with their numbers, so operands are taken both
ways here: ``real`` puts the arrays where ``Recorded`` stood, ``template`` their numbers, and
``wrapped`` makes ``Recorded`` of what a kernel gave.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import numpy as np

from ..engine.handle import Handle
from ..graph import Node, tick
from ..handles.tensor import Tensor
from ..kinds.level import Kind
from .program import Program
from .recorded import Recorded
from .templates import Rate, Ref, Unread, Value, through

if TYPE_CHECKING:
    from ..base.types import Array, Operand
    from ..sparse.coo import SparseTensor
    from .recording import Recording

SLOT = vars(Handle)["array"]  # where a tensor keeps its memory


class Values:
    """The values of ``program``. ``closed``: is it no longer recorded?"""

    closed: bool

    def __init__(self, name: str):
        self.program = Program(name)
        self.arrays: dict[int, Recorded] = {}  # id of a real array -> what stands for it
        self.start = tick()

    def give_up(self, why: str) -> None:
        """What happens now cannot be repeated."""
        raise NotImplementedError

    def new(self, array: Array) -> Recorded:
        """A new value."""
        number = len(self.program.values)
        self.program.values.append(Value(array.shape, array.dtype, array.strides))
        found = self.arrays[id(array)] = Recorded(array, number, cast("Recording", self))
        return found

    def known(self, array: Operand) -> Operand:
        """What stands for a real array, or the array itself."""
        found = self.arrays.get(id(array))
        return array if found is None or self.closed else found

    def constant(self, array: Array) -> Recorded:
        """A number or an array that every run finds as it is now."""
        found = self.new(array)
        self.program.constants[found.number] = array.copy()
        return found

    def real(self, x: Operand) -> Operand:
        """An operand with what kernels are given in it."""
        return through(x, _real)

    def template(self, x: Operand) -> Operand:
        """An operand with the numbers of values in place of its arrays."""
        return through(x, self._numbered)

    def _numbered(self, x: Operand) -> Operand:
        if type(x) is Recorded:
            if x.recording is not self:
                self.give_up("an array of another recording is read")
            return Ref(x.number)
        if isinstance(x, np.ndarray):
            found = self.arrays.get(id(x))
            return Ref((self.constant(x) if found is None else found).number)
        return Unread(tuple(x.shape), x.dtype) if isinstance(x, Node) else x

    def unread(self, x: Ref) -> Unread:
        """An array of which a derivative reads the shape only."""
        value = self.program.values[x.number]
        return Unread(value.shape, value.dtype)

    def within(self, x: Operand) -> Iterator[Recorded]:
        """The recorded arrays in an operand."""
        if type(x) is Recorded:
            yield x
        elif isinstance(x, (tuple, list)):
            for y in x:
                yield from self.within(y)
        elif type(x) is dict:
            yield from self.within(tuple(x.values()))

    def wrapped(self, out: Operand, name: str) -> Operand:
        """A result with ``Recorded`` arrays in it."""

        def wrap(x: Operand) -> Operand:
            if type(x) is np.ndarray:
                known = self.arrays.get(id(x))
                return self.new(x) if known is None else known
            if isinstance(x, np.generic):
                found = self.new(np.asarray(x))
                found.raw = x
                return found
            if x is not None:
                self.give_up(f"{name} answers with a {type(x).__name__}, which may depend on data")
            return x

        return through(out, wrap)

    # ---- afterwards ------------------------------------------------------------------------------
    def unwrap(self, tensors: Sequence[Tensor]) -> None:
        """Give real memory to the tensors that live on, and to the nodes below them."""
        seen: set[Node] = set()
        todo: list[Node] = [leaf.tensor.node for leaf in self.program.leaves]

        def unwrap(t: Tensor) -> None:
            if t.is_sparse:
                unwrap(cast("SparseTensor", t).places)
                unwrap(cast("SparseTensor", t).stored)
                return
            with suppress(AttributeError):  # Ctrl-C came while it was made
                SLOT.__set__(t, _value(SLOT.__get__(t)))
                todo.append(t.node)

        for t in tensors:
            unwrap(t)
        while todo:
            n = todo.pop()
            if n in seen:
                continue
            seen.add(n)
            with suppress(AttributeError):
                n.value = _value(n.value)
                if n.grad is not None and isinstance(n.grad, Tensor):
                    unwrap(n.grad)
                if n.seq <= self.start or n.op is None:
                    continue
                if n.saved is not None and n.saved is not n.inputs:
                    n.saved = through(n.saved, _value)
                if n.attrs and n.op.attributes:
                    n.attrs = through(n.attrs, _value)
                todo.extend(n.inputs)


def _real(x: Operand) -> Operand:
    if type(x) is Recorded:
        return x.raw
    if type(x) is Rate:  # numpy would take it for a float64, unlike a plain number
        return float(x)
    return Unread(tuple(x.shape), x.dtype) if isinstance(x, Node) else x


def _value(x: Operand) -> Operand:
    if isinstance(x, Kind):
        return x.around(lambda v, _: _value(v))
    return x.value if type(x) is Recorded else x


def all_recorded(x: Kind) -> bool:
    """Are all arrays recorded that are in an array of a transform?"""
    found: list[bool] = []

    def inner(v: Operand, _: int) -> Operand:
        found.append(all_recorded(v) if isinstance(v, Kind) else type(v) is Recorded)
        return v

    x.around(inner)
    return all(found)
