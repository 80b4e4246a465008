"""``torch.quasirandom``: numbers that fill a cube evenly, for integrals.

Sobol's sequence with the direction numbers of Joe and Kuo ("Constructing Sobol sequences with
better two-dimensional projections", 2008), which scipy has. Scrambled as by Matousek ("On the
L2-discrepancy for anchored boxes", 1998): the bits of each point are multiplied by a random lower
triangular matrix over {0, 1}, and a random number is added without carry.
"""
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import dtypes
from ..base.errors import message
from ..engine.record import constant
from ..handles.tensor import Tensor
from .random import Generator, randint

if TYPE_CHECKING:
    from ..base.types import Argument, Array, DTypeLike

__all__ = ["SobolEngine"]


class SobolEngine:
    """Points of Sobol's sequence in (0, 1)^``dimension``; the first is the origin.

    ``scramble``: points at random, of which each set of 2^m is as even; by ``seed``, or by the
    default generator.
    """

    MAXBIT = 30
    MAXDIM = 21201

    def __init__(self, dimension: int, scramble: bool = False, seed: int | None = None):
        if not 1 <= dimension <= self.MAXDIM:
            raise ValueError(
                message(
                    "Supported range of dimensionality for SobolEngine is "
                    f"[1, {self.MAXDIM}], got {dimension}"
                )
            )
        self.dimension, self.scramble, self.seed = dimension, scramble, seed
        self._weights = 1 << np.arange(self.MAXBIT - 1, -1, -1, dtype=np.int64)
        self._mixes: Array | None = None
        self._shift: Array = np.zeros(dimension, np.int64)
        if scramble:
            g = None if seed is None else Generator().manual_seed(seed)
            bits = randint(0, 2, (dimension, self.MAXBIT), generator=g).array
            self._shift = bits @ self._weights[::-1]
            size = (dimension, self.MAXBIT, self.MAXBIT)
            self._mixes = np.tril(randint(0, 2, size, generator=g).array, -1)
            self._mixes += np.eye(self.MAXBIT, dtype=np.int64)
        self.reset()

    def reset(self) -> SobolEngine:
        """Begin anew, with the same scrambling."""
        try:
            qmc: Argument = importlib.import_module("scipy.stats.qmc")
        except ImportError:
            raise ImportError(
                message("SobolEngine needs scipy", fix='pip install "microtorch[special]"')
            ) from None
        self._points = qmc.Sobol(self.dimension, scramble=False, bits=self.MAXBIT)
        self._points.random(1)  # the origin, which stands first here
        self.num_generated = 0
        return self

    def fast_forward(self, n: int) -> SobolEngine:
        """Pass over ``n`` points."""
        if _points(n, "fast_forward"):
            self._points.fast_forward(n - (self.num_generated == 0))
        self.num_generated += n
        return self

    def draw(
        self, n: int = 1, out: Tensor | None = None, dtype: DTypeLike | None = None
    ) -> Tensor:
        """The next ``n`` points, (n, dimension), of the default dtype. RuntimeError for n < 0."""
        _points(n, "draw")
        d = dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype)
        first = self.num_generated == 0 and n > 0
        rows = self._points.random(n - first) if n > first else np.zeros((0, self.dimension))
        if first:
            rows = np.concatenate([np.zeros((1, self.dimension)), rows])
        self.num_generated += n
        found = self._scrambled((rows * 2.0**self.MAXBIT).astype(np.int64))
        result = constant(found.astype(d) * d.type(2.0**-self.MAXBIT))
        if out is None:
            return result
        out.resize_(*result.shape)
        return out.copy_(result)

    def draw_base2(
        self, m: int, out: Tensor | None = None, dtype: DTypeLike | None = None
    ) -> Tensor:
        """The next 2^m points. ValueError unless the number of all points is then a power of 2."""
        n = 2**m
        total = self.num_generated + n
        if total & (total - 1):
            raise ValueError(
                message(
                    "The balance properties of Sobol' points require n to be a power of 2. "
                    f"{self.num_generated} points have been previously generated, then: n="
                    f"{self.num_generated}+2**{m}={total}.",
                    fix="draw, or reset() first",
                )
            )
        return self.draw(n, out, dtype)

    def _scrambled(self, points: Array) -> Array:
        if self._mixes is not None:
            bits = (points[..., None] & self._weights) != 0
            mixed = np.einsum("dpk,ndk->ndp", self._mixes, bits) & 1
            points = mixed @ self._weights
        return points ^ self._shift

    def __repr__(self) -> str:
        given = [f"dimension={self.dimension}"]
        given += ["scramble=True"] if self.scramble else []
        given += [] if self.seed is None else [f"seed={self.seed}"]
        return f"{type(self).__name__}({', '.join(given)})"


def _points(n: int, method: str) -> int:
    """A number of points, or a RuntimeError."""
    if n < 0:
        raise RuntimeError(message(f"SobolEngine.{method}: the number of points is {n}"))
    return n
