"""float16 and bfloat16 on the CPU: stored in 16 bits, computed in float32, rounded once an op.

So does PyTorch.

A sum that accumulated in half would overflow at 65504, and stop growing long before; and numpy's
own loops for float16 convert every element of every step. So an op's operands are converted as
wholes, the kernel of float32 runs, in C where there is one, and its result is rounded. The same
goes for each derivative.
"""
from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..arrays.dtypes import F16, F32, F64, I64
from ..arrays.memory_order import laid_out
from ..base.naming import named
from .reference import Reference
from .table import defines, definition, is_among, uncopied

if TYPE_CHECKING:
    from ..base.types import Array, DType, Kernel, Operand, Vjp

VECTOR = 16  # the fewest 16-bit numbers in a vector
BITS = np.dtype(np.int16)  # numbers that are only moved
MANY = 512  # elements from which a few passes of integer arithmetic are faster than numpy's loop


# ---- conversion: what the C core does in one pass ------------------------------------------------
@defines
def bfloat_products(F: Operand, x: Array, y: Array) -> Array | None:
    """x @ y of matrices of bfloat16 in float32, or None where it is faster to widen them first."""
    return None


@cache
def all_halves() -> Array:
    """Every float16 in float32, in the order of their bits."""
    return np.arange(1 << 16, dtype=np.uint16).view(F16).astype(F32)


@defines
def widen(F: Operand, x: Array) -> Array:
    """An array of float16 or bfloat16 in the dtype of the backend F: float32 or float64."""
    if x.dtype != F16 or x.size < MANY or not x.flags.c_contiguous:
        return laid_out(x, F.dtype)
    return all_halves().take(x.view(np.uint16)).astype(F.dtype, copy=False)


@defines
def narrow(F: Operand, x: Array, dtype: DType) -> Array:
    """An array in float16 or bfloat16, by way of float32: to nearest, ties to even.

    numpy's own loop for float16 takes 50 times as long where results are below 6e-5. Source:
    Giesen, float->half variants, 2012.
    """
    x = x if x.dtype == F32 else laid_out(x, F32)
    if dtype != F16 or x.size < MANY or not x.flags.c_contiguous:
        return laid_out(x, dtype)
    bits = x.view(np.uint32)
    size = bits & 0x7FFFFFFF
    # the exponent's bias from 127 to 15, half a unit of the last place, and 1 more if that is odd
    bias = np.uint32(((15 - 127) << 23) + 0xFFF & 0xFFFFFFFF)
    normal = size + bias + (size >> 13 & 1) >> 13
    # beside 0.5, the last place of a float32 is that of the smallest halves: the sum rounds
    small = (size.view(F32) + np.float32(0.5)).view(np.uint32) - np.uint32(0x3F000000)
    out = np.where(size < 113 << 23, small, normal)
    if (size >= 143 << 23).any():  # inf and NaN
        out = np.where(size < 143 << 23, out, np.where(size > 0x7F800000, 0x7E00, 0x7C00))
    return (out | bits >> 16 & 0x8000).astype(np.uint16).view(F16)


def short(x: Operand) -> bool:
    """Is it an array of float16 or bfloat16?"""
    return isinstance(x, np.ndarray) and x.dtype.itemsize == 2 and x.dtype.kind in "fV"


def widened(wide: Reference, values: Iterable[Operand]) -> Iterator[Operand]:
    """The arrays of 16-bit numbers among ``values`` in float32; anything else as it is."""
    return (wide.widen(x) if short(x) else x for x in values)


def rounded(wide: Reference, kernel: Vjp, dtype: DType) -> Vjp:
    """``kernel``, of float32 arrays, as one of arrays of ``dtype``.

    What is float32 altogether stays so: the gradient of a float32 weight beside a 16-bit input.
    """

    def half(*arrays: Operand, **attrs: Operand) -> Operand:
        out = kernel(*widened(wide, arrays), **attrs)
        if not any(map(short, arrays)):
            return out
        if type(out) is tuple:
            return tuple([wide.narrow(x, dtype) if x.dtype == F32 else x for x in out])
        if getattr(out, "dtype", None) != F32:
            return out
        return wide.narrow(out if type(out) is np.ndarray else np.asarray(out), dtype)

    return half


# ---- the backend ---------------------------------------------------------------------------------
class RoundedVjps(Sequence["Vjp"]):
    """The vjps of an op on float32 arrays, as those of an op whose result has 16 bits.

    A contribution has the dtype of its input, which for a cast is another.
    """

    def __init__(self, op: str, wide: Reference, vjps: Sequence[Vjp], dtype: DType):
        self.op, self.wide, self.vjps, self.dtype = op, wide, vjps, dtype
        # those that one kernel computes together are made anew for each step
        self.made = tuple(self._all()) if type(vjps) is tuple else None

    def __len__(self) -> int:
        return len(self.vjps)

    def __getitem__(self, i: Operand) -> Operand:
        return [*self][i]

    def __iter__(self) -> Iterator[Vjp]:
        return self._all() if self.made is None else iter(self.made)

    def _all(self) -> Iterator[Vjp]:
        return itertools.starmap(self.half, enumerate(self.vjps))

    def half(self, i: int, vjp: Vjp) -> Vjp:
        if hasattr(vjp, "one_product"):
            return vjp
        moves = self.op in MOVES or self.op in MOVE_BACK

        def rounding(
            F: Operand, g: Operand, out: Operand, *inputs: Operand, **attrs: Operand
        ) -> Operand:
            wide, own = self.wide, inputs[i].dtype
            if moves and g.dtype == own:
                return vjp(F, g, out, *inputs, **attrs)
            d = vjp(wide, *widened(wide, (g, out, *inputs)), **attrs)
            return wide.narrow(d, own) if own.itemsize == 2 and d.dtype == F32 else d

        loop = self.wide.in_16_bits(f"{self.op}_vjp{i}", rounding, self.dtype)
        short = getattr(loop, "with_F", None)
        if short is None:
            return rounding

        def converting(
            F: Operand, g: Operand, out: Operand, *inputs: Operand, **attrs: Operand
        ) -> Operand:
            vjp = short if inputs[i].dtype == self.dtype else rounding
            return vjp(F, g, out, *inputs, **attrs)

        return converting


# kernels that only move numbers, from which nothing is to be gained in float32
MOVES = frozenset(
    "block_diag cat clone copy copy_slices diagonal_backward element getitem roll stack"
    " zero".split()
)
# other ops whose derivatives only move them, or are one kernel, which rounds once
MOVE_BACK = frozenset(
    "diagonal expand flip gather index index_put permute place reshape scatter select slice"
    " squeeze t transpose tril triu unsqueeze".split()
)


def of_rows(name: str) -> Kernel:
    """The kernel ``name``, which takes rows of an array at an index.

    If it takes whole rows of an even length, two numbers are one float32 on the way.
    """

    def kernel(self: Half, x: Operand, index: Operand, **options: Operand) -> Operand:
        places = index if type(index) is tuple else (index,)
        if (
            type(x) is np.ndarray and x.ndim > len(places) and x.flags.c_contiguous
            and x.shape[-1] % 2 == 0 and all([type(p) is slice for p in places[:-1]])
            and getattr(places[-1], "dtype", None) == I64
        ):  # fmt: skip
            out = getattr(self.wide, name)(x.view(F32), index, **options)
            return out if out is None else out.view(self.dtype)
        return rounded(self.wide, getattr(self.wide, name), self.dtype)(x, index, **options)

    return named(kernel, name)


def of_bits(name: str) -> Kernel:
    """The kernel ``name``, which moves numbers, by that of whole numbers of 16 bits."""

    def kernel(self: Half, *operands: Operand, **options: Operand) -> Operand:
        bits = [x.view(BITS) if short(x) else x for x in operands]
        return getattr(self.rest, name)(*bits, **options).view(self.dtype)

    return named(kernel, name)


class Half(Reference):
    """The backend of arrays of float16, and another object of bfloat16 arrays.

    Kernels that answer with a view, write into what they are given, depend on its dtype, or only
    move numbers, take the halves themselves.
    """

    name = "half"
    halves: ClassVar[bool] = True
    where = Reference.where  # a choice rounds nothing

    @property
    def wide(self) -> Reference:
        """The backend that computes."""
        return self.by_dtype[F32]

    def _found(self, name: str) -> Operand:
        if name in MOVES or is_among(name, uncopied):
            return super()._found(name)
        if name.startswith("__"):
            raise AttributeError(name)
        return self._through_wide(name)

    def _through_wide(self, name: str) -> Operand:
        """The kernel of float32, of arrays in 16 bits."""
        kernel = rounded(self.wide, getattr(self.wide, name), self.dtype)
        return self.wide.in_16_bits(name, kernel, self.dtype)

    def cast(self, x: Operand, dtype: Operand) -> Operand:
        """``x`` in another dtype: the one op whose result is not rounded to its own."""
        dtype = dtype if isinstance(dtype, np.dtype) else dtype.numpy
        if dtype in (F32, F64):
            return self.by_dtype[dtype].widen(x)
        if dtype.kind in "biu":
            return self.wide.cast(self.wide.widen(x), dtype)
        return laid_out(x, dtype)

    @cached_property
    def _matmul(self) -> Kernel:
        return rounded(self.wide, self.wide.matmul, self.dtype)

    @cached_property
    def _place(self) -> Kernel:
        kernel = rounded(self.wide, self.wide.place, self.dtype)
        return lambda F, *operands: kernel(*operands)

    @cached_property
    def _linear(self) -> Kernel:
        return rounded(self.wide, self.wide.linear, self.dtype)

    @cached_property
    def _nll_loss(self) -> Kernel:
        return rounded(self.wide, self.wide.nll_loss, self.dtype)

    def matmul(self, x: Array, y: Array) -> Operand:
        """x @ y. Some processors multiply bfloat16 twice as fast as float32."""
        out = self.wide.bfloat_products(x, y)
        return self._matmul(x, y) if out is None else self.wide.narrow(out, self.dtype)

    def linear(self, x: Array, w: Array, b: Array | None = None) -> Operand:
        """x @ w.T + b, rounded once."""
        out = None
        if w.ndim == 2 and x.ndim > 1 and (b is None or b.shape == w.shape[:1]):
            flat = x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
            out = self.wide.bfloat_products(flat, w.T)
        if out is None:
            return self._linear(x, w, b)
        if b is not None:
            out += self.wide.widen(b)
        return self.wide.narrow(out.reshape(*x.shape[:-1], len(w)), self.dtype)

    def abs(self, x: Array) -> Array:
        """All bits but the sign, which is the first."""
        return np.asarray(x.view(np.uint16) & 0x7FFF).view(self.dtype)

    def neg(self, x: Array) -> Array:
        return np.asarray(x.view(np.uint16) ^ 0x8000).view(self.dtype)

    def add_scaled(self, x: Operand, y: Operand, alpha: Operand = 1) -> Operand:
        """The factor of add and sub is rounded to 16 bits first, as in PyTorch; the product too,
        where the numbers do not fill one of the processor's vectors.
        """
        alpha = float(np.asarray(alpha).astype(self.dtype))
        if alpha not in (1, -1) and type(y) is np.ndarray and y.size < VECTOR:
            y, alpha = self.mul(y, np.asarray(alpha, self.dtype)), 1
        return rounded(self.wide, self.wide.add_scaled, self.dtype)(x, y, alpha=alpha)

    def div_trunc(self, x: Operand, y: Operand) -> Operand:
        """PyTorch rounds the quotient of tensors to 16 bits, and then cuts; that by a number, which
        is as exact as it was given, is only cut.
        """
        if getattr(y, "dtype", self.dtype) == self.dtype:
            return self.trunc(self.div(x, y))
        return rounded(self.wide, self.wide.div_trunc, self.dtype)(x, y)

    def large(self, name: str) -> Operand:
        """The kernel of an op for large arrays."""
        if name in MOVES or is_among(name, uncopied) or name in vars(type(self)):
            return getattr(self, name)
        kernel = rounded(self.wide, self.wide.large(name), self.dtype)
        return self.wide.in_16_bits(name, kernel, self.dtype)

    def vjps(self, op: str, of: Sequence[Vjp]) -> Sequence[Vjp]:
        """The vjps of an op, given those of the backend that computes."""
        return RoundedVjps(op, self.wide, of, self.dtype)

    flip, tril, triu, gather, scatter = map(of_bits, "flip tril triu gather scatter".split())

    def copysign(self, x: Array, y: Array) -> Array:
        return np.asarray(x.view(BITS) & 0x7FFF | y.view(BITS) & ~0x7FFF).view(self.dtype)

    def place(
        self, g: Array, index: tuple[Operand, ...], shape: tuple[int, ...], unique: bool = False
    ) -> Array:
        place = definition("place") if unique else self._place
        out: Array = place(self, g, index, shape, unique)
        return out

    def trace(self, x: Array) -> Array:
        """The sum of the diagonal: only that is widened."""
        return self.wide.narrow(self.wide.sum(self.wide.widen(x.diagonal())), self.dtype)

    def nll_loss(
        self, x: Array, t: Array, w: Array | None = None, *, reduction: str, ignore_index: int
    ) -> Operand:
        """Of ``x`` only what the targets name is widened."""
        given, n = {"reduction": reduction, "ignore_index": ignore_index}, x.shape[1]
        if w is None and x.ndim == 2 and t.size and not 0 <= ignore_index < n:
            if t.view(np.uint64).max() < n:  # all count, and none is wrong
                x, t = x[np.arange(len(t)), t][:, None], np.zeros_like(t)
        return self._nll_loss(x, t, w, **given)

    index, taken, embedding = of_rows("index"), of_rows("taken"), of_rows("embedding")

    # where elements stand is where the same numbers stand in float32
    def best(self, x: Array, k: int, largest: bool) -> Operand:
        return self.wide.best(self.wide.widen(x), k, largest)

    def nth(self, x: Array, k: int) -> Operand:
        return self.wide.nth(self.wide.widen(x), k)

    def running_extreme(self, x: Array, dim: int, smallest: bool) -> Operand:
        return self.wide.running_extreme(self.wide.widen(x), dim, smallest)

    def total_norm(self, arrays: tuple[Array, ...]) -> Operand:
        """The norm of all arrays together."""
        norm = self.wide.total_norm(tuple(widened(self.wide, arrays)))
        return np.asarray(norm).astype(self.dtype)


# what Reference defines for arrays of any dtype, and so is not asked for by __getattr__
for _name in ("pow", "sign", "remainder", "fmod", "erf", "erfc"):
    _made = cached_property(partial(Half._through_wide, name=_name))
    _made.__set_name__(Half, _name)
    setattr(Half, _name, _made)
