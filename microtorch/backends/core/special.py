"""Special functions in C (ext/special.c); those of ops/special.py that are not here are scipy's."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..reference import Reference
from ..table import definition
from .library import calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...base.types import Array


def _method(name: str) -> Callable[..., Array]:
    def method(self: Any, x: Array) -> Array:
        x = np.ascontiguousarray(x)
        out = np.empty(x.shape, self.dtype)
        if getattr(self.kernels, name)(x.size, id(x), id(out)):
            return out
        return definition(name)(self, x)

    return method


class Special(Reference):
    """Ops of ops/special.py."""

    i0, i0e, i1, i1e = _method("i0"), _method("i0e"), _method("i1"), _method("i1e")
    erfinv, ndtri = _method("erfinv"), _method("ndtri")

    @calls("trigamma")
    def polygamma(self, x: Array, n: int) -> Array:
        if n == 1:
            x = np.ascontiguousarray(x)
            out = np.empty(x.shape, self.dtype)
            if self.kernels.trigamma(x.size, id(x), id(out)):
                return out
        return definition("polygamma")(self, x, n)
