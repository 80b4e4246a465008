"""Random counts: Poisson and binomial numbers, the same as PyTorch's for the same seed.

Each element takes as many uniform numbers as its algorithm asks for, one element after another.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import generator as generators
from ..base.errors import describe, message
from ..engine.record import constant
from .finish import export

if TYPE_CHECKING:
    from ..base.types import Array
    from ..handles.tensor import Tensor
    from .random import Generator

Draw = Callable[[], float]


class Uniforms:
    """The generator's uniform numbers in [0, 1), one by one."""

    def __init__(self, generator: Generator | None):
        self.source = generator or generators.default_generator
        self.ahead, self.used = self.source.clone_state(), 0
        self.block: list[float] = []

    def __call__(self) -> float:
        place = self.used % 512
        if not place:
            self.block = (self.ahead.draw64(512) % 2**53 * 2.0**-53).tolist()
        self.used += 1
        return self.block[place]

    def finish(self) -> None:
        """Leave the generator behind the last number that was used."""
        self.source.draw64(self.used)


# ---- one number ----------------------------------------------------------------------------------
def _poisson(rate: float, draw: Draw) -> float:
    """Below a rate of 10 products of uniforms, above it transformed rejection (Hoermann 1993)."""
    if rate == 0:
        return 0.0
    if rate < 10:
        limit, product, k = math.exp(-rate), 1.0, 0
        while True:
            product *= draw()
            if product <= limit:
                return float(k)
            k += 1
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)
    log_rate = math.log(rate)
    while True:
        u, v = draw() - 0.5, draw()
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= v_r:
            return float(k)
        if k < 0 or (us < 0.013 and v > us):
            continue
        left = math.log(v) + math.log(inverse_alpha) - math.log(a / (us * us) + b)
        if left <= -rate + k * log_rate - math.lgamma(k + 1):
            return float(k)


def _binomial(count: float, p: float, draw: Draw) -> float:
    """Sums of geometric numbers, or for a mean of 10 and more rejection (Hoermann 1993, BTRS)."""
    if count <= 0 or p <= 0:
        return 0.0
    if p >= 1:
        return count
    if p > 0.5:
        return count - _binomial(count, 1 - p, draw)
    if not p <= 0.5:
        return math.nan
    if count * p < 10:
        total, k, log_q = 0.0, 0, math.log1p(-p)
        while True:
            u = draw()
            total += math.ceil(math.log(u) / log_q) if u else math.inf
            if total > count:
                return float(k)
            k += 1
    spread = math.sqrt(count * p * (1 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    r, v_r = p / (1 - p), 0.92 - 4.2 / b
    alpha, m = (2.83 + 5.1 / b) * spread, math.floor((count + 1) * p)
    while True:
        u, v = draw() - 0.5, draw()
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + count * p + 0.5)
        if k < 0 or k > count:
            continue
        if us >= 0.07 and v <= v_r:
            return float(k)
        bound = (
            (m + 0.5) * math.log((m + 1) / (r * (count - m + 1)))
            + (count + 1) * math.log((count - m + 1) / (count - k + 1))
            + (k + 0.5) * math.log(r * (count - k + 1) / (k + 1))
            + _stirling_tail(m) + _stirling_tail(count - m)
            - _stirling_tail(k) - _stirling_tail(count - k)
        )  # fmt: skip
        if math.log(v * alpha / (a / (us * us) + b)) <= bound:
            return float(k)


def _stirling_tail(k: float) -> float:
    """What Stirling's formula lacks of log(k!)."""
    if k <= 9:
        exact = math.lgamma(k + 1) - (k + 0.5) * math.log(k + 1) + k + 1
        return exact - 0.5 * math.log(2 * math.pi)
    square = (k + 1) ** 2
    return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)


# ---- tensors -------------------------------------------------------------------------------------
def _drawn(
    sample: Callable[..., float], generator: Generator | None, *parameters: Array
) -> Array:
    uniforms = Uniforms(generator)
    lists = [p.ravel().tolist() for p in np.broadcast_arrays(*parameters)]
    values = [sample(*v, uniforms) for v in zip(*lists, strict=True)]
    uniforms.finish()
    shape = np.broadcast_shapes(*[p.shape for p in parameters])
    return np.array(values, parameters[0].dtype).reshape(shape)


def _floating(name: str, *tensors: Tensor) -> None:
    for t in tensors:
        if t.array.dtype.kind != "f":
            raise NotImplementedError(
                message(f"\"{name}\" not implemented for integers", describe(t), fix="x.float()")
            )
        if type(t.array) is not np.ndarray:
            raise NotImplementedError(
                message(f"{name} draws on the CPU only", describe(t), fix="x.cpu()")
            )


@export
def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """A Poisson number for each rate in ``input``. RuntimeError for a negative rate."""
    _floating("poisson", input)
    if (input.array < 0).any():
        raise RuntimeError(
            message("invalid Poisson rate, expected rate to be non-negative", describe(input))
        )
    return constant(_drawn(_poisson, generator, input.array), input.node.dev)


@export
def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """How many of ``count`` trials succeed, each with probability ``prob``."""
    _floating("binomial", count, prob)
    if count.array.dtype != prob.array.dtype:
        raise RuntimeError(
            message(
                "Found dtype " + prob.array.dtype.name + " but expected " + count.array.dtype.name,
                f"binomial: count {describe(count)}, prob {describe(prob)}",
                fix="prob.to(count.dtype)",
            )
        )
    return constant(_drawn(_binomial, generator, count.array, prob.array), count.node.dev)
