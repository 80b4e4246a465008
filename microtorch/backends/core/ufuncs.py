"""numpy's and scipy's own loops on several threads, for what C has no kernel for (ext/ufuncs.h)."""
from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy._core import umath

from ...arrays.dtypes import BOOL, I64
from ...base.naming import named
from . import library
from .elementwise import result_of
from .library import INTEGERS

if TYPE_CHECKING:
    from ...base.types import Array, DType, Operand

MANY = 1 << 17  # bytes of an operand, from which it is asked
SOME = 1 << 14  # bytes, from which a kernel of ext/whole.c is faster than numpy's loop
SQUARE = 1 << 20  # the product of the bytes of two that may make a large result
WIDE = 4  # bytes of an element; rows of narrower ones take numpy little time
PIECE = 1 << 15  # elements for which it pays to wake a thread
RAISE = frozenset({"power"})  # ufuncs whose loops of whole numbers may raise
Plan = tuple[int, "DType", Any]  # the number of a loop, its result's dtype, the bytes of elements


@cache
def plans_of(ufunc: np.ufunc) -> dict[tuple[DType, ...], Plan]:
    """The loops of a ufunc by the dtypes of its operands; none if it is not one of plain loops."""
    if ufunc.nout != 1 or ufunc.nin > 3 or ufunc.signature or library.ffi is None:
        return {}
    seen = library.ffi.new("intptr_t[3]")
    library.lib.probe_ufunc(id(ufunc), seen)
    if list(seen) != [ufunc.nin, 1, ufunc.ntypes] or len(ufunc.types) != ufunc.ntypes:
        return {}
    plans: dict[tuple[DType, ...], Plan] = {}
    for which, types in enumerate(ufunc.types):
        if set(types) & set("OMmUSVTgG") or (ufunc.__name__ in RAISE and types[0] not in "fd"):
            continue
        *operands, result = map(np.dtype, types.replace("->", ""))
        sizes = library.ffi.new("size_t[]", [d.itemsize for d in (*operands, result)])
        plans.setdefault(tuple(operands), (which, result, sizes))
    return plans


# ---- kernels of ext/whole.c, for what numpy computes number by number ----------------------------
def _number(x: Operand) -> int | None:
    """A whole number, also as a numpy scalar or an array of none of dimensions; else None."""
    if isinstance(x, np.ndarray) and not x.ndim:
        x = x[()]
    return int(x) if isinstance(x, (int, np.integer)) and -(1 << 63) <= x < 1 << 63 else None


def _whole(kernel: str, x: Operand, *numbers: int, dtype: DType = I64) -> Array | None:
    """What a kernel makes of ``x``; None unless that is a contiguous array of ``dtype``."""
    if type(x) is not np.ndarray or x.dtype is not dtype or not x.flags.c_contiguous:
        return None
    out = np.empty(x.shape, dtype)
    kernel = f"{kernel}_{INTEGERS.get(dtype, 'i64')}"
    return out if library.called(kernel)(x.size, *numbers, x, out) else None


def _clamp(x: Operand, least: Operand, most: Operand) -> Array | None:
    low, high, ends = _number(least), _number(most), ENDS.get(x.dtype)
    if ends is None or low is None or high is None:
        return None
    if min(low, high) < ends[0] or max(low, high) > ends[1]:
        return None
    return _whole("clamp_whole", x, low, high, dtype=x.dtype)


def _limit(upper: bool) -> Callable[[Operand, Operand], Array | None]:
    def limit(x: Operand, y: Operand) -> Array | None:
        if getattr(y, "dtype", x.dtype) != x.dtype or x.dtype not in ENDS:
            return None
        least, most = ENDS[x.dtype]
        return _clamp(x, least, y) if upper else _clamp(x, y, most)

    return limit


def _shift(sign: int) -> Callable[[Operand, Operand], Array | None]:
    def shift(x: Operand, by: Operand) -> Array | None:
        places = _number(by)
        if places is None or not 0 < places < 64:
            return None
        return _whole("shift_whole", x, sign * places)

    return shift


ENDS = {d: (int(np.iinfo(d).min), int(np.iinfo(d).max)) for d in INTEGERS}
CLIP: np.ufunc = umath.__dict__["clip"]  # np.clip itself takes 2 us to get there
WHOLE: dict[np.ufunc, Callable[..., Array | None]] = {
    CLIP: _clamp, np.maximum: _limit(False), np.minimum: _limit(True),
    np.left_shift: _shift(1), np.right_shift: _shift(-1),
    np.absolute: lambda x: _whole("abs_whole", x),
    np.bitwise_not: lambda x: _whole("not_bool", x, dtype=BOOL),
    np.logical_not: lambda x: _whole("not_bool", x, dtype=BOOL),
}  # fmt: skip


@cache
def threaded(ufunc: Operand) -> Callable[..., Any]:
    """``ufunc``, with several threads where its first operand is large and it has a loop for all.

    Anything that is no ufunc of numbers is returned as it is.
    """
    if type(ufunc) is not np.ufunc or not plans_of(ufunc):
        return ufunc

    own = WHOLE.get(ufunc)

    def on_threads(x: Operand, *others: Operand, **options: Operand) -> Operand:
        if own is not None and getattr(x, "nbytes", 0) >= SOME and not options:
            out = own(x, *others)
            if out is not None:
                return out
        if getattr(x, "nbytes", 0) < MANY or options:
            return ufunc(x, *others, **options)
        out = run(ufunc, (x, *others))
        return ufunc(x, *others) if out is None else out

    def of_two(x: Operand, y: Operand, **options: Operand) -> Operand:
        bytes_of_x = getattr(x, "nbytes", 0)
        if options or (bytes_of_x < MANY and bytes_of_x * getattr(y, "nbytes", 0) < SQUARE):
            return ufunc(x, y, **options)
        out = run(ufunc, (x, y))
        return ufunc(x, y) if out is None else out

    plain = ufunc.nin == 2 and own is None
    function = named(of_two if plain else on_threads, ufunc.__name__)
    vars(function)["small"] = ufunc
    return function


# the kinds of arrays beside which a Python number is of the array's dtype, if that holds it
KINDS = {bool: "b", int: "iuf", float: "f"}


def run(ufunc: np.ufunc, operands: tuple[Operand, ...]) -> Array | None:
    """The result by several threads; None where numpy has to do it.

    On one thread, too, where an operand repeats: for each row numpy takes as long as for hundreds
    of numbers.
    """
    threads, first, repeats = library.get_num_threads(), operands[0], False
    for x in operands[1:]:
        shape = getattr(x, "shape", None)
        repeats |= bool(shape) and shape != first.shape
    if first.dtype.itemsize < WIDE if repeats else threads == 1:
        return None
    arrays: list[Any] = []
    for x in operands:
        if type(x) is np.ndarray:
            arrays.append(x)
        elif isinstance(x, np.generic):
            arrays.append(np.asarray(x))
        elif first.dtype.kind in KINDS.get(type(x), ""):
            try:
                arrays.append(np.array(x, first.dtype))
            except OverflowError:
                return None
        else:
            return None
    plan = plans_of(ufunc).get(tuple([a.dtype for a in arrays]))
    if plan is None:
        return None
    which, dtype, sizes = plan
    result = result_of(dtype, *arrays)
    if result is None:
        return None
    grain = max(PIECE, result.size // (8 * threads))
    given = (*arrays, result)
    done = library.lib.run_ufunc(id(ufunc), which, len(given), sizes, id(given), grain)
    return result if done else None
