"""Parts of the library that compute with Python's numbers, or by numpy's functions, between.

The place of a maximum in a window, a bag's rows, a sample by rejection: each is a function of a few
arrays, and inside it loops and chooses as it likes. What stands for it in a recording (static/) is
one step, which every run of the program calls again. A method that changes nothing but Python's
numbers, such as that of a schedule of learning rates, is another: an effect.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from .record import constant

if TYPE_CHECKING:
    from ..base.types import Array, Kernel, Operand

    Writer = Callable[[str, Kernel, tuple[Operand, ...], dict[str, Operand]], Operand]

writers: list[Writer] = []  # that write such calls down; the last one does it
# the same for effects: the method, the object, what else it is given
effects: list[Callable[[Kernel, Operand, Operand, Operand], Operand]] = []
readers: list[Callable[[Operand], Array]] = []  # the same for what `known` is asked for
refusals: list[Callable[[str], None]] = []  # and for what cannot be repeated
F = TypeVar("F", bound=Callable[..., Any])


def whole(name: str, function: Kernel, *operands: Operand, **attrs: Operand) -> Operand:
    """``function(*operands, **attrs)``, a part of the library that is one step when recorded.

    ``operands`` are Tensors, or None, or sequences of them; ``function`` is then given others on
    the same memory, without a graph. It returns a Tensor without a graph, a tuple of such, or None,
    in memory of its own; what it writes to, the caller dates (``utils.kernels.overwritten``).
    ``attrs`` are compared, and are not read from a Tensor's elements. What draws random numbers has
    one that is called ``generator``.
    """
    if not writers:
        return function(*operands, **attrs)
    return writers[-1](name, function, operands, attrs)


def on_arrays(name: str, function: Kernel, *arrays: Array, **attrs: Operand) -> Operand:
    """``function(*arrays, **attrs)``, which gives an array or a tuple of them, as such a part.

    The arrays may be of other kinds of numbers (kinds/): ``function`` sees numpy's, one call for
    each sample of batches, without tangents.
    """
    kinds: list[Any] = [a for a in arrays if type(a) is not np.ndarray and hasattr(a, "level")]
    if kinds:
        outside = max(kinds, key=lambda a: a.level.birth)
        return outside.dev.by_numpy(partial(on_arrays, name, function), arrays, attrs)
    if not writers:
        return function(*arrays, **attrs)

    def on_tensors(*tensors: Operand, **attrs: Operand) -> Operand:
        found = function(*[t.array for t in tensors], **attrs)
        return tuple(map(constant, found)) if isinstance(found, tuple) else constant(found)

    found = whole(name, on_tensors, *map(constant, arrays), **attrs)
    return tuple([t.array for t in found]) if isinstance(found, tuple) else found.array


def known(t: Operand) -> Array:
    """The elements of a small Tensor that shapes depend on, as a numpy array.

    A recording takes them as they are: a program is for these, and no others.
    """
    numbers: Array = readers[-1](t) if readers else t.detach().cpu().array
    return numbers


def unrepeatable(why: str) -> None:
    """Say that what the library does now cannot be a step of a program."""
    if refusals:
        refusals[-1](why)


def effect(method: F) -> F:
    """A decorator of a method that changes Python values only, anew at each run of a program: those
    of its object, which nothing else reads while a function is recorded."""

    @wraps(method)
    def wrapper(self: Operand, *args: Operand, **kwargs: Operand) -> Operand:
        if not effects:
            return method(self, *args, **kwargs)
        return effects[-1](method, self, args, kwargs)

    return cast(F, wrapper)  # it has the signature of the method
