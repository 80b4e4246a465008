"""Special functions in C (ext/special.c); those of ops/special.py that are not here are scipy's."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...base.naming import named
from ..reference import Reference
from ..table import definition
from .library import calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...base.types import Array


def _of_one(name: str) -> Callable[..., Array]:
    def method(self: Special, x: Array) -> Array:
        out = self._elementwise(name, x)
        return definition(name)(self, x) if out is None else out

    return named(method, name)


class Special(Reference):
    """Ops of ops/special.py and ops/parts.py."""

    i0, i0e, i1, i1e = _of_one("i0"), _of_one("i0e"), _of_one("i1"), _of_one("i1e")
    erfinv, ndtri = _of_one("erfinv"), _of_one("ndtri")
    lgamma, digamma = _of_one("lgamma"), _of_one("digamma")  # of float32

    @calls("trigamma")
    def polygamma(self, x: Array, n: int) -> Array:
        out = self._elementwise("trigamma", x) if n == 1 else None
        return definition("polygamma")(self, x, n) if out is None else out

    def nextafter(self, x: Array, y: Array) -> Array:
        out = self._elementwise("nextafter", x, y)
        return definition("nextafter")(self, x, y) if out is None else out

    def _elementwise(self, name: str, *arrays: Any) -> Array | None:
        """What C makes of arrays that broadcast; None where it declines them."""
        shape, kernel = arrays[0].shape, getattr(self.kernels, name, None)
        if kernel is None:
            return None
        if any(a.shape != shape for a in arrays):
            arrays = np.broadcast_arrays(*arrays)
            shape = arrays[0].shape
        first, back = arrays[0], None
        if not first.flags.c_contiguous:  # the result lies as the first operand does
            order = sorted(range(first.ndim), key=lambda d: -abs(first.strides[d]))
            arrays, back = tuple([a.transpose(order) for a in arrays]), np.argsort(order)
            shape = arrays[0].shape
        given, out = [np.ascontiguousarray(a) for a in arrays], np.empty(shape, self.dtype)
        done = kernel(out.size, *given, out)
        if not done:
            return None
        return out if back is None else out.transpose(back)
