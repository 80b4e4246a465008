"""Embedding: rows read (ext/along.c), and gradients added up (ext/embedding.c), in C."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..reference import Reference
from ..table import definition
from .library import calls

if TYPE_CHECKING:
    from ...base.types import Array


class Embedding(Reference):
    """The ops of ops/embedding.py."""

    @calls("take")
    def embedding(self, w: Array, index: Array, padding: int | None = None) -> Array:
        out = self.taken(w, (index,))
        return w.take(index, 0) if out is None else out  # whole rows, as w[index] does not

    def embedding_sum(self, g: Array, index: Array, rows: int, padding: int | None) -> Array:
        count, width = math.prod(g.shape[:-1]), g.shape[-1]
        places, ends = np.empty(count + 1, np.int64), np.empty(rows, np.int64)
        g, index = np.ascontiguousarray(g), np.ascontiguousarray(index, np.int64)
        out = np.empty((rows, width), self.dtype)
        sizes = count, rows, width, -1 if padding is None else padding
        arrays = g, index, places, ends, out
        if self.kernels.embedding_sum(*sizes, *arrays) and places[0] >= 0:
            return out
        return definition("embedding_sum")(self, g, index, rows, padding)
