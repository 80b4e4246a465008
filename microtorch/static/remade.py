"""Values that are made again where they are read, and not kept.

What relu makes of a convolution, for a pooling, is as large as an array gets. The pooling and its
gradient can do without (joined.py), so long as what relu was given is there; and this the
convolution has made anyway.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..handles.memory import owner
from ..notation import formulas
from .statements import Call, Each
from .templates import Ref

if TYPE_CHECKING:
    from collections.abc import Container

    from ..base.types import Array
    from .program import Program, Step
    from .statements import Lowered

RELU, (RELU_VJP,) = formulas.TABLE["relu"]


def remade(
    program: Program, found: dict[int, list[Lowered] | None], refused: Container[int],
    needed: Container[int], arrays: dict[int, Array],
) -> dict[int, Each]:  # fmt: skip
    """Value -> the statement that any region may begin with. ``found``: what the steps become, but
    for those that are ``refused``; ``arrays``: the recorded values."""
    readers: dict[int, list[Step]] = {}
    made: set[int] = set()
    for step in program.steps:
        made.update(step.gives())
        for n in step.reads():
            readers.setdefault(n, []).append(step)
    homes = [id(owner(a)) for a in arrays.values()]

    def written(step: Step) -> list[Lowered]:
        return (found.get(id(step)) or []) if id(step) not in refused else []

    def does_without(step: Step, n: int) -> bool:
        return any(
            (isinstance(s, Call) and s.function in ("halved", "halved_vjp0"))
            or (isinstance(s, Each) and s.formula == RELU_VJP and s.operands["out"] == Ref(n))
            for s in written(step)
        )

    chosen: dict[int, Each] = {}
    for step in program.steps:
        s = next(iter(written(step)), None)
        if not isinstance(s, Each) or s.formula != RELU or s.into is not None:
            continue
        x, n = s.operands["x"], s.result
        if type(x) is not Ref or x.number not in made or readers[x.number] != [step]:
            continue
        home = id(owner(arrays[x.number])) if x.number in arrays else 0
        if homes.count(home) == 1 and n not in needed and x.number not in needed and all(
            does_without(reader, n) for reader in readers.get(n, [])
        ):
            chosen[n] = s
    return chosen
