"""One tensor op spelled out: the scalars that it computes with, forward and backward, as data.

``spelling.py`` fills it in by running the op on Scalars. What is told of it (which cells meet, the
sum written out) is read off these lists, whatever the op.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, TypeAlias

from microtorch.notation import expr, formulas
from microtorch.notation.formulas import LETTERS

Place: TypeAlias = tuple[int, ...]


def place_of(k: int, shape: tuple[int, ...]) -> Place:
    """The index of element ``k`` in row-major order."""
    out = []
    for n in reversed(shape):
        k, i = divmod(k, n)
        out.append(i)
    return tuple(reversed(out))


@dataclass(slots=True)
class Operand:
    """An input or the result of the op.

    ``values`` are those of all its elements, in row-major order. ``at`` lists the elements that
    were expanded, ``cells`` their scalars; both are empty for what has no derivative, such as
    indices. ``derivatives``: per entry of ``at`` the scalar that is its gradient (None: none comes
    back); empty where no gradient was asked for.
    """

    name: str
    shape: tuple[int, ...]
    values: list[float]
    role: str
    needs: bool
    uses: int = 1  # operations that read it, and so add to its gradient
    at: list[int] = field(default_factory=list)
    cells: list[int] = field(default_factory=list)
    derivatives: list[int | None] = field(default_factory=list)

    def each(self) -> Iterator[tuple[Place, int]]:
        """The expanded elements: place and scalar."""
        return (
            (place_of(k, self.shape), cell) for k, cell in zip(self.at, self.cells, strict=True)
        )

    def cell(self, place: Place) -> int | None:
        """The scalar at a place, if it was expanded."""
        return next((cell for p, cell in self.each() if p == place), None)

    def value(self, place: Place) -> float:
        return self.values[flat(place, self.shape)]

    def called(self, place: Place) -> str:
        """``m[1, 2]``."""
        return f"{self.name}[{', '.join(map(str, place))}]" if place else self.name


def flat(place: Place, shape: tuple[int, ...]) -> int:
    """The row-major number of a place."""
    k = 0
    for i, n in zip(place, shape, strict=True):
        k = k * n + i
    return k


@dataclass(slots=True)
class Arithmetic:
    """The scalars of one op, oldest first, and where each stands.

    Scalar k was made by ``ops[k]`` of the scalars ``inputs[k]``, or given (""), and has
    ``values[k]``; given ones that stand for an element are named in ``labels``. ``seeds`` are the
    gradients of the result that backward starts from, by element; ``total`` is Σ seed·result.
    """

    op: str
    ops: list[str]
    inputs: list[list[int]]
    values: list[float]
    labels: list[str]
    operands: list[Operand]
    result: Operand
    gradient: list[float]  # of the result, in row-major order: the seeds' values
    given: bool  # is that the gradient of a loss? Else it is 1 everywhere
    seeds: dict[int, int]
    total: int | None
    whole: bool  # was all of the result differentiated, or only the element ``index``?
    index: int
    steady: bool = False  # is it the same computation whatever the values? See replay.py

    def below(self, cell: int) -> set[int]:
        """A scalar and all that it is computed from."""
        found = {cell}
        waiting = [cell]
        while waiting:
            for x in self.inputs[waiting.pop()]:
                if x not in found:
                    found.add(x)
                    waiting.append(x)
        return found

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Arithmetic:
        """What ``asdict`` made, as it comes back from JSON."""
        made = {
            "values": special(data["values"]),
            "operands": [_operand(d) for d in data["operands"]],
            "result": _operand(data["result"]),
            "gradient": special(data["gradient"]),
            "seeds": {int(k): cell for k, cell in data["seeds"].items()},
        }
        return cls(**data | made)


_SPECIAL = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def special(x: Any) -> Any:
    """NaN, the infinities and complex numbers, which JSON carries as strings, as numbers; also in
    lists of lists.
    """
    if isinstance(x, list):
        return [special(v) for v in x]
    if not isinstance(x, str):
        return x
    return complex(x[:-1] + "j") if x[-1] == "i" else _SPECIAL[x]


def _operand(data: dict[str, Any]) -> Operand:
    return Operand(**data | {"shape": tuple(data["shape"]), "values": special(data["values"])})


# ---- as a program --------------------------------------------------------------------------------
class Program(NamedTuple):
    """Slots are numbered: first the inputs, then the constants, then one per op.

    ``inputs``: operand and element of each; ``ops``: name and the slots it reads; ``results``: the
    slot of each element of the result.
    """

    inputs: list[tuple[int, int]]
    constants: list[float]
    ops: list[tuple[str, list[int]]]
    results: list[int]

    def run(self, operands: Sequence[Sequence[float]], static: dict[str, float]) -> list[float]:
        """The elements of the result."""
        slots = [operands[p][k] for p, k in self.inputs] + self.constants
        for name, reads in self.ops:
            slots.append(function(name)(*[slots[j] for j in reads], **_static(name, static)))
        return [slots[k] for k in self.results]

    def pulled(
        self, operands: Sequence[Sequence[float]], g: Sequence[float]
    ) -> list[list[float]]:
        """What a gradient of the result sends to each operand, of sums and products alone."""
        slots = [operands[p][k] for p, k in self.inputs] + self.constants
        for name, reads in self.ops:
            slots.append(function(name)(*[slots[j] for j in reads]))
        back = [0.0] * len(slots)
        for k, v in zip(self.results, g, strict=True):
            back[k] += v
        first = len(self.inputs) + len(self.constants)
        for at in reversed(range(first, len(slots))):
            name, reads = self.ops[at - first]
            for q, j in enumerate(reads):
                back[j] += back[at] * (slots[reads[1 - q]] if name == "mul" else 1.0)
        out = [[0.0] * len(x) for x in operands]
        for (p, k), v in zip(self.inputs, back, strict=False):
            out[p][k] += v
        return out


def _static(op: str, given: dict[str, float]) -> dict[str, float]:
    wanted = formulas.ARGUMENTS.get(op, {})
    found = {k: given.get(k, v) for k, v in wanted.items()}
    return {k: v for k, v in found.items() if v is not None}


@cache
def function(op: str) -> Callable[..., float]:
    """An op of the formula table as a function of floats."""
    value, derivatives = formulas.TABLE[op]
    static = [f"{k}={v}" for k, v in formulas.ARGUMENTS.get(op, {}).items()]
    return expr.compile_scalar(value, ", ".join([*LETTERS[: len(derivatives)], *static]), op)
