"""Normalisation: subtract the mean, divide by the standard deviation, then scale and shift.

    x̂ = (x - mean(x)) / sqrt(var(x) + eps)          over some dimensions
    out = x̂ * weight + bias

``layer_norm`` takes the statistics over the last dimensions, one example at a time (Ba et al.
2016), ``group_norm`` over groups of an example's channels (Wu and He 2018); batch_norm.py, per
channel. A change of x also changes its mean and its variance, hence the two subtractions in the
derivative (with means over the same dimensions, and h = g * weight):

    x̄ = (h - mean(h) - x̂ * mean(h * x̂)) / sqrt(var(x) + eps)

Backward computes the statistics from x again, which is cheaper than keeping x̂ and right for
derivatives of any order.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import dtypes
from ..base.errors import ShapeError, describe, message
from ..engine.op import Op
from ..engine.record import constant, laid
from ..engine.short import several
from .arguments import not_floating, rows
from .join import cat
from .pool import avg_pool2d
from .surface import public

if TYPE_CHECKING:
    from ..base.types import Array, DType, Gradient, Namespace, Operand, Shape
    from ..handles.tensor import Tensor


# ---- the derivative, for any dimensions ----------------------------------------------------------
def _mean(F: Namespace, x: Operand, dims: Shape) -> Operand:
    return F.mean(x, dim=dims, keepdim=True)


def standardized(
    F: Namespace, x: Operand, dims: Shape, eps: float, kept: DType | None = None
) -> tuple[Operand, Operand]:
    """(x̂, 1 / sqrt(var + eps)) of x over ``dims``.

    ``kept``: the 16-bit dtype that PyTorch keeps the statistics in, so that they are rounded to it.
    """
    mean = _mean(F, x, dims)
    centred = x - mean
    centred = centred - _mean(F, centred, dims)  # the mean's rounding: equal numbers become 0
    var = _mean(F, centred * centred, dims)
    if kept is None:
        rstd = F.rsqrt(var + eps)
        return centred * rstd, rstd
    if kept != np.float16:
        n = math.prod([x.shape[i] for i in dims])
        var = divided(F, var * n, n, kept)
    rstd = rounded(F, F.rsqrt(var + eps), kept)
    return (x - rounded(F, mean, kept)) * rstd, rstd


def rounded(F: Namespace, x: Operand, dtype: DType) -> Operand:
    return F.cast(F.cast(x, dtype=dtype), dtype=x.dtype)


def divided(F: Namespace, total: Operand, n: int, dtype: DType) -> Operand:
    """A sum of squares as a variance: bfloat16 throughout. In half the sum would overflow."""
    return rounded(F, rounded(F, total, dtype) / float(dtype.type(n)), dtype)


def to_input(
    F: Namespace, h: Gradient, x: Operand, dims: Shape, eps: float, kept: DType | None = None
) -> Gradient:
    """x̄ of the module's docstring."""
    return through(F, h, *standardized(F, x, dims, eps, kept), dims)


def through(
    F: Namespace, h: Gradient, normal: Operand, rstd: Operand, dims: Shape
) -> Gradient:
    """x̄, given what ``standardized`` found."""
    return rstd * (h - _mean(F, h, dims) - normal * _mean(F, h * normal, dims))


# ---- weight and bias -----------------------------------------------------------------------------
def one_dtype(name: str, input: Tensor, *parameters: Tensor | None) -> DType:
    """The parameters' dtype. Raises unless it is the input's, or float32 beside 16-bit numbers."""
    d = input.array.dtype
    given = [t for t in parameters if t is not None]
    for t in given:
        own = t.array.dtype
        if own != given[0].array.dtype or (own != d and (d.itemsize != 2 or own != np.float32)):
            raise RuntimeError(
                message(
                    "mixed dtype (CPU): all inputs must share same datatype.",
                    f"{name}: input {describe(input)}, parameter {describe(t)}",
                    fix="convert one: x.float(), or the module: module.double()",
                )
            )
    return given[0].array.dtype if given else d


def affine(out: Array, w: Array | None, b: Array | None) -> Array:
    """out * w + b, in the memory of ``out``."""
    if w is not None:
        out *= w
    if b is not None:
        out += b
    return out


def affine_operands(
    weight: Tensor | None, bias: Tensor | None, input: Tensor
) -> tuple[Tensor, ...]:
    """The operands that follow x: a bias without a weight gets a weight of ones."""
    if bias is None:
        return () if weight is None else (weight,)
    return (constant(np.ones_like(bias.array), input.node.dev) if weight is None else weight, bias)


def others(x: Operand) -> Shape:
    """All dimensions but the channels."""
    return (0, *range(2, x.ndim))


def by_channel(F: Namespace, w: Operand, x: Operand) -> Operand:
    """``w`` (C,) so that it broadcasts to x (N, C, ...)."""
    return F.reshape(w, shape=(1, -1) + (1,) * (x.ndim - 2))


# ---- per example, over the last dimensions -------------------------------------------------------
def _last(x: Operand, n: int) -> Shape:
    return tuple(range(x.ndim - n, x.ndim))


def _layer_norm(
    F: Namespace, x: Array, w: Array | None = None, b: Array | None = None, *, ndim: int, eps: float
) -> Array:
    return affine(standardized(F, rows(x), _last(x, ndim), eps)[0], w, b)


@cache
def _layer_norm_of(n: int) -> Op:
    return Op(
        "layer_norm",
        _layer_norm,
        vjps=(
            lambda F, g, out, x, w=None, b=None, *, ndim, eps: to_input(
                F, g if w is None else g * w, x, _last(x, ndim), eps
            ),
            lambda F, g, out, x, w, b=None, *, ndim, eps: (
                g * standardized(F, x, _last(x, ndim), eps)[0]
            ),
            lambda F, g, out, x, w, b, *, ndim, eps: g,
        )[:n],
        saves=("x y" if n > 1 else "x", "x", "x")[:n],  # the bias: 0 twice, not absent
        keeps="x y z"[: 2 * n - 1],
        formula="(x − mean) / √(var + eps) · w + b",
        rule=("(h − mean(h) − x̂ · mean(h · x̂)) / √(var + eps), h = g · w", "Σ g · x̂", "Σ g")[:n],
        torch_name="NativeLayerNorm",
        family=_layer_norm_of if n == 3 else None,
        register=n == 3,
    )


layer_norm_op = _layer_norm_of(3)


def _trailing(
    op: str, input: Tensor, normalized_shape: int | Sequence[int], weight: Tensor | None,
    bias: Tensor | None,
) -> Shape:  # fmt: skip
    """``normalized_shape`` as a tuple. Raises unless input, weight and bias fit it."""
    if isinstance(normalized_shape, int):
        raise TypeError(
            message(
                f"{op}(): argument 'normalized_shape' (position 2) must be tuple of ints, not int",
                fix=f"({normalized_shape},)",
            )
        )
    shape, x = tuple(normalized_shape), input.array
    if not shape:
        raise RuntimeError(
            message(
                "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least "
                "one element, but got normalized_shape = []",
                f"{op}()",
            )
        )
    for name, v in (("weight", weight), ("bias", bias)):
        if v is not None and v.array.shape != shape:
            raise ShapeError(
                message(
                    f"Expected {name} to be of same shape as normalized_shape, but got {name} of "
                    f"shape {list(v.array.shape)} and normalized_shape = {list(shape)}",
                    f"{op}()",
                )
            )
    if x.shape[-len(shape) :] != shape:
        stars = ", ".join(["*", *map(str, shape)])
        raise ShapeError(
            message(
                f"Given normalized_shape={list(shape)}, expected input with shape [{stars}], but "
                f"got input of size{list(x.shape)}",
                f"{op} normalises the last {len(shape)} dimension(s)",
                fix=f"make the layer with normalized_shape={list(x.shape[-len(shape) :])}"
                if x.ndim
                else "",
            )
        )
    if input.array.dtype.kind not in ("fcV" if op == "rms_norm" else "fV"):
        raise not_floating(op, input)
    return shape


@public(method=False)
def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None,
    bias: Tensor | None = None, eps: float = 1e-5, cudnn_enable: bool = True,
) -> Tensor:  # fmt: skip
    """``input`` normalised over its last dimensions, whose sizes are ``normalized_shape``.

    ``weight`` and ``bias`` have that shape.
    """
    shape = _trailing("layer_norm", input, normalized_shape, weight, bias)
    one_dtype("layer_norm", input, weight, bias)
    operands = (input, *affine_operands(weight, bias, input))
    return several(layer_norm_op, operands, {"ndim": len(shape), "eps": eps})


@public(method=False)
def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """x / sqrt(mean(x²) + eps) * weight over the last dimensions (Zhang and Sennrich 2019).

    ``eps`` is the epsilon of the dtype that it is computed in unless given.
    """
    shape = _trailing("rms_norm", input, normalized_shape, weight, None)
    dims = _last(input.array, len(shape))
    d = input.dtype
    x = input.float() if d.itemsize < 4 else input  # squares of halves overflow from 256 on
    eps = dtypes.finfo(x.dtype).eps if eps is None else eps
    out = x * ((x * x).mean(dims, keepdim=True) + eps).rsqrt()
    return laid((out if weight is None else out * weight).to(d))


# ---- per example, over groups of channels --------------------------------------------------------
def _grouped(F: Namespace, x: Operand, group: int) -> Operand:
    """x (N, C, ...) as (N, group, elements of a group)."""
    return F.reshape(x, shape=(x.shape[0], group, math.prod(x.shape[1:]) // group))


def _in_groups(F: Namespace, x: Operand, group: int, eps: float) -> Operand:
    """x̂."""
    found = standardized(F, _grouped(F, x, group), (2,), eps)[0]
    return F.reshape(found, shape=x.shape)


def _group_norm(
    F: Namespace, x: Array, w: Array | None = None, b: Array | None = None, *, group: int,
    eps: float,
) -> Array:  # fmt: skip
    w, b = (v if v is None else by_channel(F, v, x) for v in (w, b))
    return affine(_in_groups(F, rows(x), group, eps), w, b)


def _group_norm_vjp_x(
    F: Namespace, g: Gradient, out: Operand, x: Operand, w: Operand = None, b: Operand = None, *,
    group: int, eps: float,
) -> Gradient:  # fmt: skip
    h = g if w is None else g * by_channel(F, w, x)
    found = to_input(F, _grouped(F, h, group), _grouped(F, x, group), (2,), eps)
    return F.reshape(found, shape=x.shape)


@cache
def _group_norm_of(n: int) -> Op:
    return Op(
        "group_norm",
        _group_norm,
        vjps=(
            _group_norm_vjp_x,
            lambda F, g, out, x, w, b=None, *, group, eps: F.sum(
                g * _in_groups(F, x, group, eps), dim=others(x), keepdim=False
            ),
            lambda F, g, out, x, w, b, *, group, eps: F.sum(g, dim=others(g), keepdim=False),
        )[:n],
        saves=("x y" if n > 1 else "x", "x", "x")[:n],  # the bias: 0 twice, not absent
        keeps="x y"[: 2 * n - 1],
        formula="(x − mean) / √(var + eps) · w + b",
        rule=("(h − mean(h) − x̂ · mean(h · x̂)) / √(var + eps), h = g · w", "Σ g · x̂", "Σ g")[:n],
        torch_name="NativeGroupNorm",
        family=_group_norm_of if n == 3 else None,
        register=n == 3,
    )


group_norm_op = _group_norm_of(3)


@public(method=False)
def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5, cudnn_enabled: bool = True,
) -> Tensor:  # fmt: skip
    """``input`` (N, C, ...) with each example normalised over groups of channels.

    ``weight`` and ``bias`` are (C,).
    """
    x = input.array
    if x.ndim < 2 or num_groups <= 0 or x.shape[1] % num_groups:
        raise RuntimeError(
            message(
                "Expected number of channels in input to be divisible by num_groups, but got input "
                f"of shape {list(x.shape)} and num_groups={num_groups}",
                "group_norm()",
            )
        )
    for name, t in (("weight", weight), ("bias", bias)):
        if t is None:
            continue
        if t.array.shape != x.shape[1:2]:
            raise RuntimeError(
                message(
                    f"Expected {name} to be a vector of size equal to the number of channels in "
                    f"input, but got {name} of shape {list(t.array.shape)} and input of shape "
                    f"{list(x.shape)}"
                )
            )
    one_dtype("group_norm", input, weight, bias)
    if x.dtype.kind not in "fV":
        raise not_floating("group_norm", input)
    if x.size and x.size // x.shape[1] * (x.shape[1] // num_groups) == 1:
        raise ValueError(
            message(
                "Expected more than 1 value per channel when training, got input size "
                f"{list(x.shape)}",
                "group_norm: a single value has no variance",
            )
        )
    operands = (input, *affine_operands(weight, bias, input))
    return several(group_norm_op, operands, {"group": num_groups, "eps": eps})


def local_response_norm(
    input: Tensor, size: int, alpha: float | Tensor = 1e-4, beta: float | Tensor = 0.75,
    k: float | Tensor = 1.0,
) -> Tensor:
    """x / (k + alpha * m)^beta, where m is the mean of x² over ``size`` channels around each.

    ``input`` is (N, C, ...) with at least three dimensions; channels that do not exist count as 0.
    Source: Krizhevsky et al. 2012.
    """
    x = input.array
    if x.ndim < 3:
        raise ValueError(
            message(
                f"Expected 3D or higher dimensionality input (got {x.ndim} dimensions)",
                f"local_response_norm: {describe(input)}",
            )
        )
    if not x.size:
        return input
    rows = (input * input).reshape(x.shape[0], 1, x.shape[1], -1)
    edges = [
        constant(input.node.dev.zeros((x.shape[0], 1, m, rows.array.shape[3]), x.dtype))
        for m in (size // 2, (size - 1) // 2)
    ]
    mean = avg_pool2d(cat([edges[0], rows, edges[1]], 2), (size, 1), 1)
    return input / (mean.reshape(x.shape) * alpha + k) ** beta
