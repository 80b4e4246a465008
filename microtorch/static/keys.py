"""What a program is looked up by: the arguments, but for the numbers in their tensors."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..handles.scalar import Scalar
from ..handles.tensor import Tensor
from ..nn.module import Module
from .compared import is_simple
from .templates import Ref

if TYPE_CHECKING:
    from ..base.types import Operand


class Refused(Exception):
    """Arguments for which there can be no program."""


def structure(x: Operand, tensors: list[Operand]) -> Operand:
    """Arguments as a key: the places of tensors and Scalars, and what is neither."""
    if isinstance(x, (Tensor, Scalar)):
        if isinstance(x, Tensor) and x.is_sparse:
            raise Refused("an argument is a sparse tensor")
        for i, t in enumerate(tensors):
            if t is x:
                return Ref(i)
        tensors.append(x)
        return Ref(len(tensors) - 1)
    if is_simple(x) or isinstance(x, (slice, range)):
        return type(x), x if isinstance(x, (str, bytes)) else repr(x)
    if isinstance(x, (tuple, list)):
        return type(x), tuple([structure(y, tensors) for y in x])
    if type(x) is dict:
        return dict, tuple([(k, structure(y, tensors)) for k, y in x.items()])
    if isinstance(x, np.ndarray):
        raise Refused("an argument is a numpy array: torch.from_numpy makes it a tensor")
    if is_record(x):
        return type(x), structure(vars(x), tensors)
    return _Same(x)


def is_record(x: Operand) -> bool:
    """Is it a dataclass, which is what is in it?"""
    return (
        is_dataclass(x) and not isinstance(x, (type, Module))
        and type(getattr(x, "__dict__", None)) is dict
    )  # fmt: skip


def opaque(x: Operand) -> Iterator[Operand]:
    """The objects among arguments of which a key knows no more than that they are the same."""
    if isinstance(x, (tuple, list)):
        for y in x:
            yield from opaque(y)
    elif type(x) is dict:
        yield from opaque([*x.values()])
    elif is_record(x):
        yield type(x)
        yield from opaque(vars(x))
    elif not (isinstance(x, (Tensor, Scalar)) or is_simple(x)):
        yield x


def containers(x: Operand) -> Iterator[Operand]:
    """The lists, dicts and dataclasses in arguments, or in a result: what may be written to."""
    if isinstance(x, (tuple, list)):
        inner = [*x]
    elif type(x) is dict or is_record(x):
        inner = [*(x if type(x) is dict else vars(x)).values()]
    else:
        return
    if not isinstance(x, tuple):
        yield x
    for y in inner:
        yield from containers(y)


class _Same:
    """An object as a part of a key: equal only to itself, and kept alive by the key."""

    def __init__(self, x: Operand):
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.x is other.x

    def __hash__(self) -> int:
        return id(self.x)
