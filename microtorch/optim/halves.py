"""Steps on float16 and bfloat16: each operation in float32, rounded where PyTorch's rounds.

A step is written for arrays (stepping.py). Of numbers of 16 bits numpy would round every factor and
every product: in bfloat16 a beta of 0.99 is 0.98828. PyTorch's step is a row of operations, such as
``p.add_(g, alpha=-lr)``, that round once each. ``in_16_bits`` gives the same definition arrays of
which a product or quotient is not rounded before it is known what it is added to.
"""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

from ..arrays.dtypes import F32
from ..arrays.memory_order import laid_out
from ..backends.half import VECTOR

if TYPE_CHECKING:
    from ..base.types import Argument, Array

P = ParamSpec("P")


class Rounded:
    """An array of 16-bit numbers, which every operation rounds to."""

    def __init__(self, array: Array) -> None:
        self.array = array

    @property
    def wide(self) -> Array:
        return laid_out(self.array, F32)

    def made(self, wide: Array) -> Rounded:
        return Rounded(laid_out(np.asarray(wide, F32), self.array.dtype))

    def put(self, wide: Array) -> Rounded:
        self.array[...] = self.made(wide).array
        return self

    def plus(self, other: Argument, sign: int = 1) -> Array:
        """The sum, before it is rounded."""
        if isinstance(other, Unrounded):
            return self.wide + other.part(sign)
        return self.wide + sign * (other.wide if isinstance(other, Rounded) else np.float32(other))

    def __setitem__(self, place: Argument, value: Rounded) -> None:
        self.array[place] = value.array

    def __neg__(self) -> Rounded:
        return self.made(-self.wide)

    def __add__(self, other: Argument) -> Rounded:
        return self.made(self.plus(other))

    def __sub__(self, other: Argument) -> Rounded:
        return self.made(self.plus(other, -1))

    def __iadd__(self, other: Argument) -> Rounded:
        return self.put(self.plus(other))

    def __isub__(self, other: Argument) -> Rounded:
        return self.put(self.plus(other, -1))

    def __mul__(self, other: Argument) -> Unrounded:
        return Unrounded(1.0, self) * other

    def __rmul__(self, factor: float) -> Unrounded:
        return Unrounded(factor, self)

    def __truediv__(self, other: Argument) -> Rounded | Unrounded:
        if isinstance(other, Rounded):
            return Unrounded(1.0, self, other, np.divide)
        return self.made(self.wide / np.float32(other))

    def scale(self, factor: float) -> None:
        """self * factor, in place."""
        self.put(self.wide * np.float32(factor))

    def sqrt(self) -> Rounded:
        return self.made(np.sqrt(self.wide))

    def lerp(self, end: Rounded, weight: float) -> None:
        """self + weight * (end - self), in place, from the nearer end."""
        a, b, w = self.wide, end.wide, np.float32(weight)
        self.put(a + w * (b - a) if weight < 0.5 else b - (b - a) * (1 - w))

    def largest(self, other: Rounded) -> Rounded:
        """The larger of both, in place."""
        return self.put(np.maximum(self.wide, other.wide))


class Unrounded:
    """factor * x, factor * x * y, or factor * x / y, until it is added or otherwise used."""

    def __init__(
        self, factor: float, x: Rounded, y: Rounded | None = None,
        by: Callable[..., Array] = np.multiply,
    ) -> None:  # fmt: skip
        self.factor, self.x, self.y, self.by = factor, x, y, by

    def part(self, sign: int) -> Array:
        """What is added of it. The factor of one array (``alpha``) is rounded first, and so is the
        product, where the numbers do not fill one of the processor's vectors.
        """
        factor = np.asarray(sign * self.factor, F32)
        if self.y is None:
            product = self.x.made(factor).wide * self.x.wide
            return self.x.made(product).wide if product.size < VECTOR else product
        return self.by(factor * self.x.wide, self.y.wide)

    def rounded(self) -> Rounded:
        factor = np.float32(self.factor)
        x = factor * self.x.wide
        return self.x.made(x if self.y is None else self.by(x, self.y.wide))

    @property
    def wide(self) -> Array:
        return self.rounded().wide

    def __mul__(self, other: Argument) -> Unrounded:
        return self._by(other, np.multiply)

    def __truediv__(self, other: Argument) -> Unrounded:
        return self._by(other, np.divide)

    def _by(self, other: Argument, by: Callable[..., Array]) -> Unrounded:
        if self.y is None:
            return Unrounded(self.factor, self.x, other, by)
        return Unrounded(1.0, self.rounded(), other, by)

    def __rmul__(self, factor: float) -> Unrounded:
        return Unrounded(factor, self.rounded())

    def __add__(self, other: Argument) -> Rounded:
        return self.rounded() + other


def in_16_bits(step: Callable[P, None]) -> Callable[P, None]:
    """``step``, of arrays in whatever dtype, with PyTorch's rounding of 16-bit numbers."""

    @functools.wraps(step)
    def function(*args: P.args, **kwargs: P.kwargs) -> None:
        step(*map(_rounding, args), **kwargs)

    return function


def _rounding(argument: Any) -> Any:
    """A tuple of arrays with those of 16-bit numbers as ``Rounded``."""
    if not isinstance(argument, tuple):
        return argument
    return tuple([
        Rounded(x) if type(x) is np.ndarray and x.dtype.itemsize == 2 else x for x in argument
    ])
