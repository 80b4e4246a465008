"""What guards hold: slots, absent names and gradients as containers; and what cannot be watched."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from .same import POINTER

if TYPE_CHECKING:
    from ..base.types import Operand
    from ..engine.handle import Handle
    from ..graph import Node

    Item = tuple[Operand, Operand, Operand]  # a container, a key, and the value there
    # a container, what reads all its values at once, their keys, and what they were
    Group = tuple[Operand, Callable[[Operand], Iterable[Operand]], list[Operand], list[Operand]]


class Slots:
    """The slots of an object, by name."""

    def __init__(self, x: Operand, names: tuple[str, ...]):
        self.x, self.names = x, names

    def __getitem__(self, name: str) -> Operand:
        return getattr(self.x, name, None)


class Has:
    """Does a dict have a key, by key?"""

    def __init__(self, x: Mapping[str, Operand]):
        self.x = x

    def __getitem__(self, key: str) -> bool:
        return key in self.x


class About:
    """A tensor that no step reads: its gradient may appear, and with it an optimizer's work; or a
    hook, which counts later."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Handle):
        self.tensor = tensor

    def __getitem__(self, key: Operand) -> int:
        node = self.tensor.node
        return (node.grad is not None) + 2 * node.needs + 4 * hooked(node)


def hooked(node: Node) -> int:
    """How many hooks of the user's a tensor has; that its gradient is kept counts as one."""
    h = node.hooks
    if h is None:
        return 0
    return sum(map(len, (h.tensor, h.pre, h.post, h.accumulated))) + h.retain


class TooMuch(Exception):
    """The function can reach more Python values than may be watched at each call."""


class Unwatchable(Exception):
    """The function can reach something whose state cannot be compared."""


class Unnamed(Unwatchable):
    """It reads what its text does not name. A trace, as PyTorch's, holds what that was."""


def grouped(items: Sequence[Item]) -> tuple[list[Item], list[Group]]:
    """The items that are alone in their container, and those of one container together."""
    single: list[Item] = []
    groups: list[Group] = []
    for _, found in groupby(items, key=lambda item: id(item[0])):
        here = [*found]
        container, keys, values = here[0][0], [k for _, k, _ in here], [v for _, _, v in here]
        if type(container) is list and keys == [*range(len(container))] and len(keys) > 2:
            groups.append((container, list.__iter__, keys, values))
        elif len(keys) > 4:
            groups.append((container, itemgetter(*keys), keys, values))
        else:
            single += here
    return single, groups


def attribute(x: Operand, name: str) -> Operand:
    """An attribute, or None; no ``__getattr__`` of the user's is asked, which might count."""
    try:
        return object.__getattribute__(x, name)
    except AttributeError:
        return None


def inner_of(x: Operand) -> Operand:
    """What a decorator has been put around, or None."""
    return None if isinstance(x, type) else attribute(x, "__wrapped__")


def holds(container: Operand, key: Operand) -> bool:
    try:
        container[key]
    except (KeyError, IndexError):
        return False
    return True


def hides(cls: type) -> bool:
    """Has an object of this class memory in C, besides a dict, weak references and slots?"""
    slots = [n for c in cls.__mro__ for n in vars(c).get("__slots__", ())]
    return cls.__basicsize__ - object.__basicsize__ > (len(slots) + 2) * POINTER


def contents_of(x: Operand) -> tuple[Operand, ...]:
    """What an array holds, and how it lies; the elements of a set, or the keys of a dict, in their
    order."""
    if isinstance(x, np.ndarray):
        return x.shape, x.dtype, x.strides, x.flags.num, x.tobytes()
    return tuple(x)
