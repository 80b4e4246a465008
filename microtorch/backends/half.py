"""float16 on the CPU: stored in half, computed in float32, rounded once an op, as in PyTorch.

A sum that accumulated in half would overflow at 65504, and stop growing long before; and numpy's
own loops for float16 convert every element of every step. So an op's operands are converted as
wholes, the kernel of float32 runs, in C where there is one, and its result is rounded. The same
goes for each derivative.
"""
from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..arrays.dtypes import F32
from .reference import Reference
from .table import uncopied

F16 = np.dtype(np.float16)


ALL_HALVES = np.arange(1 << 16, dtype=np.uint16).view(F16).astype(F32)
MANY = 512  # elements from which a few passes of integer arithmetic are faster than numpy's loop


def widened(x: Any) -> Any:
    """``x`` in float32 if it is an array of halves; anything else as it is."""
    if not isinstance(x, np.ndarray) or x.dtype != F16:
        return x
    if x.size < MANY or not x.flags.c_contiguous:
        return x.astype(F32)
    return ALL_HALVES.take(x.view(np.uint16))


def narrowed(x: Any) -> Any:
    """A float32 array in half, to nearest, ties to even.

    numpy's own loop takes 50 times as long where results are below 6e-5. Source: Giesen,
    float->half variants, 2012.
    """
    if x.size < MANY or not x.flags.c_contiguous:
        return x.astype(F16)
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


def rounded(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """``kernel``, of float32 arrays, as one of halves."""

    def half(*arrays: Any, **attrs: Any) -> Any:
        out = kernel(*[widened(x) for x in arrays], **attrs)
        return narrowed(out) if getattr(out, "dtype", None) == F32 else out

    return half


class RoundedVjps(Sequence["Callable[..., Any]"]):
    """The vjps of an op on float32 arrays, as those of an op whose result is in half.

    A contribution has the dtype of its input, which for a cast is another.
    """

    def __init__(self, wide: Reference, vjps: Sequence[Callable[..., Any]]):
        self.wide, self.vjps = wide, vjps

    def __len__(self) -> int:
        return len(self.vjps)

    def __getitem__(self, i: Any) -> Any:
        return [*self][i]

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        return itertools.starmap(self.half, enumerate(self.vjps))

    def half(self, i: int, vjp: Callable[..., Any]) -> Callable[..., Any]:
        def rounding(F: Any, g: Any, out: Any, *inputs: Any, **attrs: Any) -> Any:
            d = vjp(self.wide, widened(g), widened(out), *map(widened, inputs), **attrs)
            return narrowed(d) if inputs[i].dtype == F16 and d.dtype == F32 else d

        return rounding


class Half(Reference):
    """The backend of float16 arrays.

    Kernels that answer with a view, or write into what they are given, take the halves themselves.
    """

    name = "half"

    @property
    def wide(self) -> Reference:
        """The backend that computes."""
        return self.by_dtype[F32]

    def __getattr__(self, name: str) -> Any:
        if name in uncopied:
            return super().__getattr__(name)
        if name.startswith("__"):
            raise AttributeError(name)
        kernel = rounded(getattr(self.wide, name))
        setattr(self, name, kernel)
        return kernel

    @staticmethod
    def cast(x: Any, dtype: Any) -> Any:
        """``x`` in another dtype: the one op whose result is not rounded to half."""
        return x.astype(dtype)

    def vjps(self, of: Sequence[Any]) -> Sequence[Any]:
        """The vjps of an op, given those of the backend that computes."""
        return RoundedVjps(self.wide, of)

    def total_norm(self, arrays: tuple[Any, ...]) -> Any:
        """The norm of all arrays together."""
        return np.asarray(self.wide.total_norm(tuple(map(widened, arrays)))).astype(F16)


def through_wide(name: str) -> property:
    """What Reference defines for arrays of any dtype, by way of float32."""
    return property(lambda self: rounded(getattr(self.wide, name)))


for _name in ("pow", "remainder", "fmod", "erf", "erfc"):
    setattr(Half, _name, through_wide(_name))
