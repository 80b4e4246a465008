"""complex64 and complex128 on the CPU: numpy's kernels, for the ops that complex numbers have.

The other ops raise when they are called. An op says so in its declaration (``Op(complex=...)``).

**Derivatives.** The gradient of a real loss L with respect to z = x + iy is ∂L/∂x + i ∂L/∂y, as in
PyTorch: twice the derivative by the conjugate of z in Wirtinger's calculus. For a holomorphic f it
is ``g * conj(f'(z))``. A rule of formulas.py is linear in ``g`` and otherwise holomorphic, so

    conj(rule(conj(g), x, out))

has the conjugate of all that the rule multiplies ``g`` by. So one rule serves real and complex
numbers, and ``Op.derivatives_on`` is the one place that applies this.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, NoReturn

import numpy as np

from ..arrays.dtypes import TORCH_TYPES, real_type
from ..arrays.memory_order import laid_out
from ..arrays.pairs import of_pairs, pairs
from ..base.errors import message
from .reference import Reference
from .table import definition, is_among, real_only

if TYPE_CHECKING:
    from ..base.types import Array, Kernel, Operand


# kernels that treat the two parts as two numbers, as PyTorch's optimizers do
BY_PARTS = frozenset(
    "adadelta_step adagrad_step adam_step rmsprop_step sgd_step scale total_norm".split()
)


class Complex(Reference):
    """The backend of complex64 and complex128 arrays."""

    name = "complex"
    changing: ClassVar[frozenset[str]] = frozenset({"abs"})
    conjugates: ClassVar[bool] = True

    @staticmethod
    def logaddexp(x: Array, y: Array) -> Array:
        """log(exp(x) + exp(y)), from the one of the larger real part."""
        swap = x.real < y.real
        large, small = np.where(swap, y, x), np.where(swap, x, y)
        both = np.isinf(large.real) & (large.real == small.real)  # of infinities no difference
        return np.where(both, large, large + np.log1p(np.exp(np.where(both, 0, small - large))))

    def neg(self, x: Array) -> Array:
        """Both parts as real numbers: numpy's own loop takes ten times as long."""
        parts = np.negative(laid_out(pairs(x), real_type(self.dtype)))
        return of_pairs(parts)

    def cast(self, x: Array, dtype: Operand) -> Array:
        """``x`` in another dtype, of which real ones take the real part."""
        dtype = getattr(dtype, "numpy", dtype)
        if type(x) is not np.ndarray or dtype.kind not in "fiuV":
            found: Array = definition("cast")(self, x, dtype)
            return found
        real = self.by_dtype[real_type(self.dtype)]
        part = laid_out(x.real, real.dtype)
        out: Array = part if dtype == real.dtype else real.cast(part, dtype)
        return out

    def __getattr__(self, name: str) -> Kernel:
        if is_among(name, real_only):
            return refusing(name, TORCH_TYPES[self.dtype.name])
        if name not in BY_PARTS:
            found: Kernel = super().__getattr__(name)
            return found
        kernel = getattr(self.by_dtype[real_type(self.dtype)], name)

        def by_parts(*operands: object, **settings: object) -> object:
            return kernel(*[_parts(x) for x in operands], **settings)

        return by_parts


def _parts(x: object) -> object:
    """The arrays of a tuple, of complex ones the pairs; anything else as it is."""
    if not isinstance(x, tuple):
        return x
    return tuple([pairs(a) if a.dtype.kind == "c" else a for a in x])


# ops whose checks PyTorch writes out, so that they raise a plain RuntimeError
CHECKED = frozenset(
    "argmax argmin deg2rad fmax fmin heaviside isneginf isposinf maximum minimum rad2deg".split()
)


def refusing(name: str, kind: str) -> Callable[..., NoReturn]:
    """The kernel of an op that complex numbers do not have."""

    def kernel(*operands: object, **attrs: object) -> NoReturn:
        raise (RuntimeError if name in CHECKED else NotImplementedError)(
            message(
                f"\"{name}\" not implemented for '{kind}'",
                "complex numbers have no order, and this op is not defined for them",
                fix="x.abs(), x.real and x.imag are real",
            )
        )

    return kernel


def refused(name: str) -> property:
    """What Reference has as a method, and complex numbers do not have."""
    return property(lambda self: refusing(name, TORCH_TYPES[self.dtype.name]))


for _name in ("sign", "remainder", "fmod", "erf", "erfc"):
    setattr(Complex, _name, refused(_name))
