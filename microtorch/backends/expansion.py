"""Kernels that spell out a tensor op: on arrays of Scalars, as the scalar arithmetic in it.

    xs = scalars(x)                  # an object array, one Scalar per element
    ys = Expansion().matmul(xs, ws)  # every product and sum of the matmul is now a node of its own

Elementwise ops call the Scalar method of their name. Every other op runs the very ``forward`` that
numpy arrays run through, which therefore uses only numpy functions that take object arrays. So a
picture can zoom into a matmul or a softmax without code for either. It is for looking, not for
speed: an op of more than a few hundred scalars is better left closed.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..notation import formulas
from .reference import Reference

if TYPE_CHECKING:
    from ..base.types import Array, DType, Kernel
    from ..handles.scalar import Scalar

# the ops that are methods of a Scalar; a choice is of arrays
_METHODS = formulas.TABLE.keys() - {"where"}
_NUMBERS = (bool, int, float, np.number, np.bool_)


class Expansion(Reference):
    """The reference backend on object arrays of Scalars, or of numbers where no Scalar takes part.
    """

    name = "expansion"

    def _found(self, name: str) -> Kernel:
        if name in _METHODS:
            return _elementwise(name)
        found: Kernel = super()._found(name)
        return found

    @staticmethod
    def cast(x: Array, dtype: DType) -> Array:
        """A copy: all Scalars are Python floats, so there is nothing to convert."""
        return np.array(x)

    @staticmethod
    def isnan(x: Array) -> Array:
        return _test(np.isnan, x)

    @staticmethod
    def signbit(x: Array) -> Array:
        return _test(np.signbit, x)

    @staticmethod
    def isinf(x: Array) -> Array:
        return _test(np.isinf, x)

    @staticmethod
    def isfinite(x: Array) -> Array:
        return _test(np.isfinite, x)


def _test(predicate: Callable[[float], Any], x: Array) -> Array:
    return np.frompyfunc(lambda v: bool(predicate(float(v))), 1, 1)(x).astype(bool)


_reference = Reference()


def _elementwise(name: str) -> Kernel:
    """The op ``name`` on object arrays: each Scalar's method of that name, with broadcasting."""

    def one(*operands: Any, **attrs: Any) -> Any:
        scalar = next((type(x) for x in operands if not isinstance(x, _NUMBERS)), None)
        if scalar is None:
            return getattr(_reference, name)(*(np.float64(x) for x in operands), **attrs)
        first, *rest = operands
        if isinstance(first, _NUMBERS):
            first = scalar(first, requires_grad=False)
        return getattr(scalar, name)(first, *rest, **attrs)

    def kernel(*arrays: Array, **attrs: Any) -> Array:
        return np.frompyfunc(lambda *operands: one(*operands, **attrs), len(arrays), 1)(*arrays)

    return kernel


for _name in _METHODS:
    if hasattr(Reference, _name):  # then __getattr__ would never be asked
        setattr(Expansion, _name, staticmethod(_elementwise(_name)))


def scalars(array: Array, scalar: Callable[[float], Scalar]) -> Array:
    """An object array of ``scalar(element)``, such as ``scalars(x.numpy(), microtorch.Scalar)``."""
    out = np.empty(np.shape(array), object)
    for place in np.ndindex(out.shape):
        out[place] = scalar(float(array[place]))
    return out
