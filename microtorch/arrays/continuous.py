"""Arrays of continuous random numbers: uniform, normal, exponential and their like.

Functions of a shape, a dtype, the distribution's numbers and a `Generator` (None: the default one).
They check their arguments before they draw. generator.py says what the numbers are.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import empty

from ..base.errors import message, warn
from . import generator as source
from .draw_checks import check_normal, check_positive, check_uniform, floating, sizes
from .dtypes import F32, F64, real_type
from .fills import BLOCK
from .pairs import of_pairs

if TYPE_CHECKING:  # numpy.typing is slow to import
    from typing import TypeGuard

    from numpy.typing import DTypeLike, NDArray

    from .generator import Generator

Shape = int | tuple[int, ...]
FAR = 1e38  # bounds nearer than this, and their distance, are float32 numbers


def working(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype that numbers of ``dtype`` are made in: float64 for itself, else float32."""
    return F64 if dtype == F64 else F32


def fresh(shape: Shape, dtype: np.dtype[Any]) -> NDArray[Any]:
    """A new array, to be filled."""
    try:
        return empty(shape, dtype)
    except (TypeError, ValueError):
        return empty(sizes(shape)[0], dtype)  # it raises for what is no shape


def in_dtype(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The values in ``dtype``; what exceeds it becomes infinite."""
    if values.dtype != dtype:
        with np.errstate(over="ignore", invalid="ignore"):
            return values.astype(dtype)
    return values


# ---- the common case, at a third of the time: float32 or float64 in rows -------------------------
def plain_uniform(
    dtype: DTypeLike, low: float = 0.0, high: float = 1.0
) -> TypeGuard[np.dtype[Any]]:
    """Is no closer look needed at what is to be filled with uniforms, or at the bounds?"""
    return (dtype is F32 or dtype is F64) and -FAR <= low <= high <= FAR


def fill_uniform(
    out: NDArray[Any], low: float = 0.0, high: float = 1.0, generator: Generator | None = None
) -> NDArray[Any]:
    """``out`` filled with uniforms on [low, high)."""
    return source.drawn_from(generator).fill("uniform", out, low, high)


def plain_normal(
    dtype: DTypeLike, mean: float = 0.0, std: float = 1.0
) -> TypeGuard[np.dtype[Any]]:
    """Is no closer look needed at what is to be filled with normals, or at their numbers?"""
    return (dtype is F32 or dtype is F64) and -FAR <= mean <= FAR and 0 <= std <= FAR


def fill_normal(
    out: NDArray[Any], mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> NDArray[Any]:
    """``out`` filled with normals."""
    g = source.drawn_from(generator)
    if out.size < BLOCK:
        return g.fill("serial_normal", out, mean, std, False, g._spare)
    return g.fill("normal", out, mean, std)


# ---- functions of a shape ------------------------------------------------------------------------
def uniform(
    shape: Shape,
    dtype: DTypeLike = np.float32,
    low: float = 0.0,
    high: float = 1.0,
    generator: Generator | None = None,
) -> NDArray[Any]:
    """Uniform on [low, high): torch.rand, Tensor.uniform_. So are both parts of complex numbers."""
    if plain_uniform(dtype, low, high):
        return fill_uniform(fresh(shape, dtype), low, high, generator)
    if np.dtype(dtype).kind == "c":
        part, shape = real_type(np.dtype(dtype)), sizes(shape)[0]
        return of_pairs(uniform((*shape, 2), part, low, high, generator))
    dtype = floating("uniform", dtype)
    check_uniform(low, high, dtype)
    work = working(dtype)
    out = in_dtype(fill_uniform(fresh(shape, work), low, high, generator), dtype)
    if work != dtype:
        out[out == dtype.type(high)] = dtype.type(low)  # rounding may reach the open end
    return out


def normal(
    shape: Shape,
    dtype: DTypeLike = np.float32,
    mean: float = 0.0,
    std: float = 1.0,
    generator: Generator | None = None,
    contiguous: bool = True,
) -> NDArray[Any]:
    """Normal with mean and std: torch.randn, Tensor.normal_.

    contiguous=False is for filling a tensor that is not contiguous, which PyTorch does one by one
    at every size. Of a complex number each part has half of the variance, and ``mean``.
    """
    if contiguous and plain_normal(dtype, mean, std):
        return fill_normal(fresh(shape, dtype), mean, std, generator)
    if np.dtype(dtype).kind == "c":
        part, each, shape = real_type(np.dtype(dtype)), std / math.sqrt(2), sizes(shape)[0]
        return of_pairs(normal((*shape, 2), part, mean, each, generator, contiguous))
    dtype = floating("normal", dtype)
    check_normal(std)
    g, out = source.drawn_from(generator), fresh(shape, working(dtype))
    if not contiguous:
        return in_dtype(g.serial_normal(out, mean, std), dtype)
    rest = 0 if out.size < BLOCK or out.dtype == dtype else out.size % BLOCK
    if not rest:
        return in_dtype(fill_normal(out, mean, std, g), dtype)
    # PyTorch's Half draws no uniforms for the rest that the last block overwrites
    flat = out.reshape(-1)
    fill_normal(flat[:-rest], mean, std, g)
    fill_normal(flat[-BLOCK:], mean, std, g)
    return in_dtype(out, dtype)


def normal_tensors(
    mean: NDArray[Any] | float, std: NDArray[Any] | float, generator: Generator | None = None
) -> NDArray[Any]:
    """torch.normal(mean, std) where either or both are arrays that broadcast.

    The dtype is mean's, else std's.
    """
    if not isinstance(std, np.ndarray):
        mean = np.asarray(mean)
        return normal(mean.shape, mean.dtype, 0.0, float(std), generator) + mean
    if std.size and not (std >= 0).all():
        raise RuntimeError(
            message(
                f"normal expects all elements of std >= 0.0, but found {std.min()}",
                fix="a standard deviation is 0 or more",
            )
        )
    dtype = mean.dtype if isinstance(mean, np.ndarray) else std.dtype
    out = normal(np.broadcast_shapes(np.shape(mean), std.shape), dtype, 0.0, 1.0, generator)
    out *= std
    out += mean
    return out


def trunc_normal(
    shape: Shape,
    dtype: DTypeLike = np.float32,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> NDArray[Any]:
    """Normal restricted to [a, b] by rejection: torch.nn.init.trunc_normal_, with its warning.

    Normals are proposed when enough of them fall in [a, b], else uniforms on it. Every round
    redraws the whole array.
    """
    dtype = floating("trunc_normal", dtype)
    if mean < a - 2 * std or mean > b + 2 * std:
        text = "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
        warn(text + "The distribution of values may be incorrect.")
    above = math.erf((b - mean) / std / math.sqrt(2.0))
    inside = (above - math.erf((a - mean) / std / math.sqrt(2.0))) / 2
    if inside > 0.3:
        low, high = float(dtype.type(a)), float(dtype.type(b))
        out = normal(shape, dtype, mean, std, generator)
        while (outside := (out < low) | (out > high)).any():
            out = np.where(outside, normal(shape, dtype, mean, std, generator), out)
        return out
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2

    def rejected(candidates: NDArray[Any]) -> NDArray[np.bool_]:
        log_ratio = ((candidates - mean) / std) ** 2 * -0.5 - peak
        with np.errstate(divide="ignore"):
            return np.log(uniform(shape, dtype, generator=generator)) > log_ratio

    out = uniform(shape, dtype, a, b, generator)
    pending = rejected(out)
    while pending.any():
        candidates = uniform(shape, dtype, a, b, generator)
        out = np.where(pending, candidates, out)
        pending &= rejected(candidates)
    return out


# Others: float64 arithmetic, rounded at the end --------------------------------------------------


def exponential(
    shape: Shape,
    dtype: DTypeLike = np.float32,
    lambd: float = 1.0,
    generator: Generator | None = None,
) -> NDArray[Any]:
    """Exponential with rate lambd > 0, mean 1 / lambd: Tensor.exponential_."""
    dtype = floating("exponential", dtype)
    check_positive("exponential_", "lambda", lambd)
    g = source.drawn_from(generator)
    return in_dtype(g.fill("exponential", fresh(shape, working(dtype)), -1.0 / lambd), dtype)


def log_normal(
    shape: Shape,
    dtype: DTypeLike = np.float32,
    mean: float = 1.0,
    std: float = 2.0,
    generator: Generator | None = None,
) -> NDArray[Any]:
    """exp of a normal with mean and std: Tensor.log_normal_."""
    dtype = floating("log_normal", dtype)
    check_positive("log_normal_", "std", std)
    g = source.drawn_from(generator)
    return in_dtype(g.serial_normal(fresh(shape, working(dtype)), mean, std, power=True), dtype)


def cauchy(
    shape: Shape,
    dtype: DTypeLike = np.float32,
    median: float = 0.0,
    sigma: float = 1.0,
    generator: Generator | None = None,
) -> NDArray[Any]:
    """Cauchy around median with scale sigma: Tensor.cauchy_."""
    dtype = floating("cauchy", dtype)
    check_positive("cauchy_", "sigma", sigma)
    g = source.drawn_from(generator)
    return in_dtype(g.fill("cauchy", fresh(shape, working(dtype)), median, sigma), dtype)
