"""The operators of Tensor, ``__add__`` and the like: made by hot.py when one is first used."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from ..base.naming import named
from .hot import binary, made
from .operands import REPEATED, left_operand, numbers_of, offering, taken_by
from .registry import REGISTRY

if TYPE_CHECKING:
    from ..base.types import Argument
    from ..handles.tensor import Tensor
    from .op import Op


def hot(
    op: str, reflected: bool = False
) -> Callable[[Callable[..., Tensor]], Callable[..., Any]]:
    """A decorator: the made function of ``op`` stands in for the written one, which it must equal.

    ``reflected``: the method's self is the right operand.
    """
    return lambda written: cast("Callable[..., Any]", Operator(op, reflected, written))


class Operator:
    """An operator of a class that is made when it is first used, and then takes this one's place.
    """

    def __init__(self, op: str, reflected: bool, written: Callable[..., Tensor]):
        self.op, self.reflected, self.written = op, reflected, written

    def __set_name__(self, owner: type, name: str) -> None:
        self.owner = owner

    def __get__(self, instance: object, owner: type | None = None) -> Argument:
        op, written = REGISTRY[self.op], self.written
        if self.reflected:
            function = swapped(op)
        else:
            general = written if not op.vjps else offering(op, written.__name__)
            function = made(op, op if len(op.vjps) == 1 else general)
        method = named(function, written.__name__, written.__doc__, written=written)
        for name, value in list(vars(self.owner).items()):
            if value is self:
                setattr(self.owner, name, method)
        return method.__get__(instance, owner)


def swapped(op: Op) -> Callable[..., Tensor]:
    """The method ``input.__rop__(other)``, which is ``op(other, input)``."""
    function, floating = binary(op, op, True), op.floating
    number, taken, repeats = numbers_of(op), taken_by(op), op.name == "mul"

    def method(input: Tensor, other: Any) -> Tensor:
        if type(other) in taken:
            return function(number(other, input, floating), input)
        if repeats and isinstance(other, REPEATED):
            return NotImplemented
        return function(left_operand(op, other, input), input)

    return method
