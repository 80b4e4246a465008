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

from ..arrays.dtypes import I64, TORCH_TYPES, real_type
from ..arrays.memory_order import in_rows as rows
from ..arrays.memory_order import laid_out
from ..arrays.pairs import of_pairs, pairs
from ..base.errors import message
from .reference import Reference
from .table import definition, is_among, real_only

if TYPE_CHECKING:
    from ..base.types import Array, Dims, Kernel, Operand, Shape


FEW = 16  # numbers that are multiplied one after the other

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
        if not x.flags.c_contiguous:
            x = laid_out(x, self.dtype)
        return of_pairs(np.negative(pairs(x)))

    def reciprocal(self, x: Array) -> Array:
        """1 / x, and inf + nan i of 0, as PyTorch has it. numpy's loop takes one at a time."""
        out = np.empty(x.shape, self.dtype)
        if not self._real.complex_loop("reciprocals", x, out):
            np.reciprocal(x, out=out)
            np.copyto(out, complex(np.inf, np.nan), where=x == 0)
        return out

    @property
    def _real(self) -> Reference:
        """The backend of the parts."""
        return self.by_dtype[real_type(self.dtype)]

    # what adds or scales treats the parts as two columns
    def sum(self, x: Array, dim: Dims = None, keepdim: bool = False) -> Array:
        if type(x) is not np.ndarray or not x.ndim or not x.size:
            out: Array = definition("sum")(self, x, dim, keepdim)
            return out
        every = range(x.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
        dims = tuple([d % x.ndim for d in every])
        return of_pairs(self._real.sum(pairs(rows(x)), dims, keepdim))

    def mean(self, x: Array, dim: Dims = None, keepdim: bool = False) -> Array:
        total = self.sum(x, dim, keepdim)
        return total / total.dtype.type(x.size / total.size if total.size else np.nan)

    def cumsum(self, x: Array, dim: int) -> Array:
        return of_pairs(self._real.cumsum(pairs(rows(x)), dim))

    def scatter_sum(self, src: Array, index: Array, shape: Shape, dim: int) -> Array:
        out = np.empty(shape, self.dtype)
        if shape and dim == len(shape) - 1 and self._real.summed_pairs(src, index, out):
            return out
        return self._by_parts("scatter_sum", src, index, shape, dim)

    def _by_parts(self, name: str, x: Array, *others: Operand) -> Array:
        """A kernel that is linear in ``x``, of each part."""
        kernel = getattr(self._real, name)
        real, imag = kernel(x.real, *others), kernel(x.imag, *others)
        out = np.empty(real.shape, self.dtype)
        out.real, out.imag = real, imag
        return out

    def lerp(self, x: Array, y: Array, z: Operand) -> Array:
        """From the end that is nearer, which is found without a root."""
        operands = [x, y, z]
        shape = np.broadcast_shapes(*map(np.shape, operands))
        out = np.empty(shape, self.dtype)
        if all([getattr(v, "dtype", None) == self.dtype for v in operands]):
            laid = [v if v.shape == shape else np.broadcast_to(v, shape) for v in operands]
            if self._real.complex_loop("between", *laid, out):
                return out
        near = np.square(np.real(z)) + np.square(np.imag(z)) < 0.25
        return np.where(near, x + z * (y - x), y - (y - x) * (1 - z))

    def prod(self, x: Array, dim: int, keepdim: bool) -> Array:
        """Halves times halves: numpy multiplies the numbers of a row one after the other."""
        n = x.shape[dim] if x.ndim else 0

        def part(begin: int, end: int) -> Array:
            piece: Array = x[(slice(None),) * (dim % x.ndim) + (slice(begin, end),)]
            return piece

        while n > FEW:
            half = n // 2
            folded = part(0, half) * part(half, 2 * half)
            if n % 2:
                folded = np.concatenate([folded, part(n - 1, n)], dim)
            x, n = folded, n - half
        out: Array = definition("prod")(self, x, dim, keepdim)
        return out

    def gather(self, x: Array, index: Array, dim: int) -> Array:
        return self._moved("gather", x, index, dim)

    def scatter(self, x: Array, index: Array, src: Array, dim: int) -> Array:
        return self._moved("scatter", x, index, src, dim)

    def tril(self, x: Array, diagonal: int) -> Array:
        return self._moved("tril", x, diagonal)

    def triu(self, x: Array, diagonal: int) -> Array:
        return self._moved("triu", x, diagonal)

    def _moved(self, name: str, *operands: Operand) -> Array:
        """A kernel that moves numbers, as whole ones of as many bytes where there are such."""
        if self.dtype.itemsize != 8:
            found: Array = definition(name)(self, *operands)
            return found
        bits = [x.view(I64) if getattr(x, "dtype", I64).kind == "c" else x for x in operands]
        out: Array = getattr(self.rest, name)(*bits).view(self.dtype)
        return out

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
