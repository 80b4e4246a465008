"""What a step becomes in C: the kinds of statements, each with what it reads, makes and writes.

``Each``, ``Sum`` and ``Product`` are loops that emit_c.py writes; a ``Call`` is the call of a C
function from calls.py; a ``Copy`` puts arrays into parts of a new one; a ``View`` is no work, but
another way to find the elements of a value.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from .templates import refs

if TYPE_CHECKING:
    from ..base.types import Operand, Shape
    from .program import Step

TILE = 16  # columns of a product that are computed together (c/head.txt)
C_TYPES = {
    "float32": "float", "float64": "double", "bool": "unsigned char", "int64": "long long",
    "int32": "int", "int16": "short", "int8": "signed char", "uint8": "unsigned char",
}  # fmt: skip


class Place(NamedTuple):
    """Elements of value ``base``, from ``start`` on, with strides; both count elements."""

    base: int
    start: int
    strides: Shape
    shape: Shape


class Each(NamedTuple):
    """result[i] = the formula of the operands' elements at i, broadcast.

    ``into``: where the elements go, if that is memory that was there before; ``result`` is then
    the value that is written to.
    """

    step: Step
    result: int
    formula: str
    operands: dict[str, Operand]  # letter -> Ref, or a number
    into: Place | None = None


class Sum(NamedTuple):
    """result = the sum over dimensions ``dims`` of the operand, divided by ``divisor``."""

    step: Step
    result: int
    operand: int
    dims: tuple[int, ...]
    divisor: int


class Product(NamedTuple):
    """result[..., i, j] = the sum over k of x[..., i, k] * y[..., k, j], plus bias[j].

    ``few``: many x are 0.
    """

    step: Step
    result: int
    x: int
    y: int
    x_turned: bool
    y_turned: bool
    bias: int | None
    few: bool = False

    @property
    def flat(self) -> bool:
        """Are all dimensions but the last the rows of one matrix?"""
        return self.step.name.startswith("linear")


class Copy(NamedTuple):
    """result = ``fill`` (if that is a number), and then each part: the elements of an operand, at a
    place."""

    step: Step
    result: int
    fill: float | None
    parts: list[tuple[int, Place]]


class View(NamedTuple):
    """The elements of ``base`` from ``start`` on, with other strides; both count elements."""

    step: Step
    result: int
    base: int
    start: int
    strides: Shape


class Call(NamedTuple):
    """function(operands): a Ref of a value, which must lie row by row, or a number.

    A list is an array of such. ``makes``: new values among the operands; ``written``: older ones
    that it changes. ``checks``: where the function returns 0, the program stops and answers this,
    1 where a number is out of range, 2 where a condition is not what it was.
    """

    step: Step
    function: str
    operands: list[Operand]
    makes: list[int]
    written: list[int]
    checks: int = 0


Lowered: TypeAlias = "Each | Sum | Product | Copy | View | Call"


def makes(s: Lowered) -> list[int]:
    """The values that are new."""
    if isinstance(s, Call):
        return s.makes
    return [] if isinstance(s, Each) and s.into is not None else [s.result]


def writes(s: Lowered) -> list[int]:
    """The older values whose memory is written to."""
    if isinstance(s, Call):
        return s.written
    return [s.into.base] if isinstance(s, Each) and s.into is not None else []


def reads(s: Lowered) -> Iterator[int]:
    """The older values that are read or written, which may be fewer than the recorded call's."""
    if isinstance(s, Each):
        yield from refs(s.operands)
    elif isinstance(s, Copy):
        yield from [n for n, _ in s.parts]
    elif isinstance(s, View):
        yield s.base
    elif isinstance(s, Sum):
        yield s.operand
    elif isinstance(s, Call):
        yield from [n for n in refs(s.operands) if n not in s.makes]
    else:
        yield s.x
        yield s.y
        if s.bias is not None:
            yield s.bias
    yield from [n for n in writes(s) if not isinstance(s, Call)]


def row_major(shape: Shape) -> Shape:
    """Strides, in elements, of an array that lies row by row."""
    strides = [1] * len(shape)
    for i in reversed(range(len(shape) - 1)):
        strides[i] = strides[i + 1] * shape[i + 1]
    return tuple(strides)
