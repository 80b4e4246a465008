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


def widened(x: Any) -> Any:
    """``x`` in float32 if it is an array of halves; anything else as it is."""
    return x.astype(F32) if isinstance(x, np.ndarray) and x.dtype == F16 else x


def rounded(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """``kernel``, of float32 arrays, as one of halves."""

    def half(*arrays: Any, **attrs: Any) -> Any:
        out = kernel(*[widened(x) for x in arrays], **attrs)
        # the elements of a numpy float32 (0-d results) are converted as those of an array are
        return out.astype(F16) if getattr(out, "dtype", None) == F32 else out

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
            return d.astype(inputs[i].dtype, copy=False)

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
