"""Whole numbers and masks: kernels that ext/kernels.c compiles for whole numbers of each width, and
those of int64 alone (ext/whole.c).

What is moved or chosen is done in the width that it has, by the kernel of that width, whatever the
type; and masks are bytes. Other widths go by way of int64, which holds all of their numbers: what
is then cut off is what overflows in their own width. uint64 has numbers that it does not hold, and
is left to numpy.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ...arrays.dtypes import BOOL, F32, F64, I64
from ...base.naming import named
from ..reference import Reference
from ..table import definition
from .along import Along, flipped
from .library import INTEGERS, Kernels, calls
from .reductions import blocks
from .scans import Scans
from .ufuncs import CLIP, threaded

if TYPE_CHECKING:
    from ...base.types import Array, DType, Operand

HELD = frozenset(map(np.dtype, "?bBhHiIl"))  # dtypes whose numbers int64 holds
SOME = 1 << 10  # elements from which C's calls and a cast pay
MULTIPLICATIONS = 1 << 12
# float32 and float64 hold all whole numbers up to these
EXACT32, EXACT = 1 << 24, 1 << 53
I32 = np.dtype(np.int32)
OF_WIDTH = {d.itemsize: d for d in INTEGERS}  # bytes of an element -> the dtype C has for them


class Integers(Along):
    """The kernels of arrays of one dtype of INTEGERS."""

    def __init__(self, dtype: DType) -> None:
        super().__init__(dtype)
        self.kernels = Kernels(dtype)

    running_extreme, searched, member = Scans.running_extreme, Scans.searched, Scans.member


OF = {d: Integers(d) for d in INTEGERS}
INT64 = OF[I64]
MOVED = frozenset("gather index tril triu".split())  # whose numbers nobody reads


def _native(name: str, dtype: DType, options: dict[str, Any]) -> DType | None:
    """The dtype as which C's kernel ``name`` can take such numbers as they are; None: there is none
    that does the same.
    """
    if dtype in OF or name in MOVED or (name == "scatter" and dtype.itemsize <= 8):
        return OF_WIDTH.get(dtype.itemsize)
    if dtype == BOOL and name in ("scatter_reduce", "running_extreme"):
        return OF_WIDTH[1]
    return None


def of_width(name: str) -> Callable[..., Any]:
    """The kernel ``name`` of whole numbers of as many bytes, for what only moves numbers of any
    type.
    """

    def kernel(self: Reference, x: Array, *others: Operand, **options: Operand) -> Operand:
        dtype, to = x.dtype, OF_WIDTH.get(x.dtype.itemsize)
        if type(x) is not np.ndarray or x.size < SOME or to is None:
            return definition(name)(self, x, *others, **options)
        given = [
            o.view(to) if type(o) is np.ndarray and o.dtype == dtype else o for o in others
        ]
        return getattr(OF[to], name)(x.view(to), *given, **options).view(dtype)

    return named(kernel, name)


def _of_integers(name: str, places: bool = False) -> Callable[..., Any]:
    """The kernel ``name`` of whole numbers. ``places``: its result is an index, whatever it is
    given.
    """

    def kernel(self: Reference, x: Array, *others: Operand, **options: Operand) -> Operand:
        dtype = x.dtype
        if type(x) is not np.ndarray or x.size < SOME or dtype not in HELD:
            return definition(name)(self, x, *others, **options)
        to = _native(name, dtype, options)

        def turned(o: Array) -> Array:
            return o.astype(I64, copy=False) if to is None else o.view(to)

        given = [turned(o) if type(o) is np.ndarray and o.dtype == dtype else o for o in others]
        out = getattr(OF[to or I64], name)(turned(x), *given, **options)
        if places:
            return out
        return out.astype(dtype, copy=False) if to is None else out.view(dtype)

    return named(kernel, name)


def _of_dtype(name: str) -> Callable[..., Any]:
    """The kernel ``name`` of whole numbers of a dtype that C has, few or many; all operands are of
    it.
    """

    def kernel(self: Reference, x: Array, *others: Operand) -> Operand:
        of = OF.get(x.dtype)
        return definition(name)(self, x, *others) if of is None else getattr(of, name)(x, *others)

    return named(kernel, name)


def _by_float64(name: str) -> Callable[..., Any]:
    """The order of whole numbers is that of the same ones in float64, as long as it has them."""

    def kernel(self: Reference, x: Array, *others: Operand) -> Operand:
        if type(x) is np.ndarray and x.size >= SOME and x.dtype in HELD:
            if x.itemsize < 8 or max(int(x.max()), -int(x.min())) <= EXACT:
                return getattr(Reference.by_dtype[F64], name)(x.astype(F64), *others)
        return definition(name)(self, x, *others)

    return named(kernel, name)


class Whole(Reference):
    """The ops of whole numbers and masks that C computes."""

    gather, index = _of_integers("gather"), _of_integers("index")
    scatter = _of_integers("scatter")
    scatter_sum, scatter_reduce = _of_integers("scatter_sum"), _of_integers("scatter_reduce")
    _summed, _added_to = _of_integers("place"), _of_integers("index_put")
    running_extreme = _of_integers("running_extreme", places=True)
    tril, triu = of_width("tril"), of_width("triu")
    searched, member = _of_dtype("searched"), _of_dtype("member")
    best = _by_float64("best")

    def place(
        self, g: Array, index: tuple[Any, ...], shape: tuple[int, ...], unique: bool = False
    ) -> Array:
        put = partial(definition("place"), self) if unique else self._summed
        return put(g, index, shape, unique)

    def index_put(
        self, x: Array, v: Array, index: tuple[Any, ...], accumulate: bool = False
    ) -> Array:
        put = self._added_to if accumulate else partial(definition("index_put"), self)
        return put(x, v, index, accumulate)

    def relu6(self, x: Array) -> Array:
        return threaded(CLIP)(x, 0, 6)

    def threshold(self, x: Array, *, threshold: Operand, value: Operand) -> Array:
        if type(x) is not np.ndarray or x.dtype.kind not in "iu" or x.size < SOME:
            return definition("threshold")(self, x, threshold=threshold, value=value)
        # numpy's choice takes a branch for each element, which is guessed wrong half of the time
        kept = np.negative(np.greater(x, threshold).view(np.int8)).astype(x.dtype)
        if not value:
            return np.bitwise_and(x, kept, out=kept)
        value = x.dtype.type(value)
        out = np.bitwise_xor(x, value)
        return np.bitwise_xor(np.bitwise_and(out, kept, out=out), value, out=out)

    def clamp(self, x: Array, *, min: Operand, max: Operand) -> Array:
        if type(x) is np.ndarray and x.dtype.kind in "iu":
            return threaded(CLIP)(x, min, max)
        return definition("clamp")(self, x, min=min, max=max)

    def cumsum(self, x: Array, dim: int) -> Array:
        if type(x) is np.ndarray and x.dtype in HELD and x.size >= SOME:
            rows, out = np.ascontiguousarray(x, I64), np.empty(x.shape, I64)
            if INT64.kernels.running_sum(*blocks(x.shape, dim), rows, out):
                return out
        return definition("cumsum")(self, x, dim)

    def round(self, x: Array) -> Array:
        """Whole numbers as they are: np.rint takes them through float64, which ends at 2^53."""
        return x.copy() if x.dtype.kind in "biu" else threaded(np.rint)(x)

    @calls("copy")
    def flip(self, x: Array, dims: tuple[int, ...]) -> Array:
        out = flipped(x, dims)
        return definition("flip")(self, x, dims) if out is None else out

    @calls("product")
    def matmul(self, x: Array, y: Array) -> Array:
        if type(x) is not np.ndarray or max(x.size, np.size(y)) < SOME:
            return definition("matmul")(self, x, y)
        if y.ndim == 1 <= x.ndim and x.shape[-1:] == y.shape and _are_numbers(x, y):
            return np.add.reduce(x * y, -1, x.dtype)  # np.dot takes one number at a time
        if x.ndim > 1 < y.ndim and _are_numbers(x, y):
            (*batch_x, m, k), (*batch_y, k_too, n) = x.shape, y.shape
            batch = np.broadcast_shapes(batch_x, batch_y)
            work = m * k * n * prod(batch)
            if k == k_too and n == 1:
                return np.add.reduce(x * y[..., None, :, 0], -1, x.dtype, keepdims=True)
            if k == k_too and len(batch) <= 2 and work >= MULTIPLICATIONS:
                floats = _as_floats(k, x, y)
                if floats is not None:
                    out = Reference.by_dtype[floats].matmul(x.astype(floats), y.astype(floats))
                    return _as_whole(out, x.dtype)
                outer, inner = (1, 1, *batch)[-2:]
                given = x.astype(I64, copy=False), y.astype(I64, copy=False)
                out = np.empty((*batch, m, n), I64)
                if INT64.kernels.product(outer, inner, m, k, n, *given, out):
                    return out.astype(x.dtype, copy=False)
        return definition("matmul")(self, x, y)

    def einsum(self, *xs: Array, equation: str) -> Array:
        """In floats, by BLAS, where no sum can be a number that they do not hold."""
        inputs, _, result = equation.partition("->")
        if len(xs) > 1 and "." not in inputs and _are_numbers(*xs):
            sizes = {
                c: n for names, x in zip(inputs.split(","), xs, strict=True)
                for c, n in zip(names, x.shape, strict=True)
            }  # fmt: skip
            terms = prod([n for c, n in sizes.items() if c not in result])
            floats = _as_floats(terms, *xs)
            if floats is not None:
                given = [x.astype(floats) for x in xs]
                wide = Reference.by_dtype[floats].einsum(*given, equation=equation)
                return _as_whole(wide, xs[0].dtype)
        return definition("einsum")(self, *xs, equation=equation)

    def conv2d(self, x: Array, w: Array, b: Array | None = None, **places: Operand) -> Array:
        return self._convolved("conv2d", w.size // max(len(w), 1), x, w, b, places)

    def conv_transpose2d(
        self, x: Array, w: Array, b: Array | None = None, **places: Operand
    ) -> Array:
        return self._convolved("conv_transpose2d", w.size // max(w.shape[1], 1), x, w, b, places)

    def _convolved(
        self, name: str, terms: int, x: Array, w: Array, b: Array | None, places: dict[str, Operand]
    ) -> Array:
        """In floats, as einsum, where no sum of so many products can be too large for them."""
        floats = _as_floats(terms, x, w) if _are_numbers(x, w) else None
        if floats is None:
            return definition(name)(self, x, w, b, **places)
        wide = getattr(Reference.by_dtype[floats], name)
        out = _as_whole(wide(x.astype(floats), w.astype(floats), **places), x.dtype)
        return out if b is None else np.add(out, b[:, None, None], out=out)


def _are_numbers(*xs: Array) -> bool:
    """Are they arrays of one type of whole numbers that int64 holds, and none of them empty?"""
    d = xs[0].dtype
    return d in HELD and d != BOOL and all(
        [type(x) is np.ndarray and x.dtype == d and x.size > 0 for x in xs]
    )  # fmt: skip


def _as_whole(floats: Array, dtype: DType) -> Array:
    """The whole numbers that these are, of which ``dtype`` keeps the last bits."""
    held = I64 if floats.dtype == F64 else I32  # which has all that float32 holds exactly
    return floats.astype(held).astype(dtype, copy=False)


def _as_floats(terms: int, *xs: Array) -> DType | None:
    """The floats that hold all sums of so many products of these numbers; None: none do."""
    bound = -int(np.iinfo(xs[0].dtype).min) or int(np.iinfo(xs[0].dtype).max)
    largest = terms * bound ** len(xs)  # whatever the numbers are; else they are looked at
    if largest > EXACT32:
        largest = terms * prod([max(int(x.max()), -int(x.min())) for x in xs])
    return F32 if largest <= EXACT32 else F64 if largest <= EXACT else None
