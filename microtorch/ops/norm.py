"""Normalisation: subtract the mean, divide by the standard deviation, then scale and shift.

    x̂ = (x - mean(x)) / sqrt(var(x) + eps)          over some dimensions
    out = x̂ * weight + bias

``batch_norm`` takes the statistics per channel (dimension 1) over all others (Ioffe and Szegedy
2015), ``layer_norm`` over the last dimensions, one example at a time (Ba et al. 2016). A change of
x also changes its mean and its variance, hence the two subtractions in the derivative (with means
over the same dimensions, and h = g * weight):

    x̄ = (h - mean(h) - x̂ * mean(h * x̂)) / sqrt(var(x) + eps)

Backward computes the statistics from x again, which is cheaper than keeping x̂ and right for
derivatives of any order.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes
from ..backends import defines
from ..base.errors import ShapeError, describe, message
from ..engine.handle import Handle
from ..engine.hot import several
from ..engine.op import Op
from ..engine.record import constant
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
    var = _mean(F, centred * centred, dims)
    if kept is None:
        rstd = F.rsqrt(var + eps)
        return centred * rstd, rstd
    if kept != np.float16:
        n = math.prod([x.shape[i] for i in dims])
        var = _divided(F, var * n, n, kept)
    rstd = _rounded(F, F.rsqrt(var + eps), kept)
    return (x - _rounded(F, mean, kept)) * rstd, rstd


def _rounded(F: Namespace, x: Operand, dtype: DType) -> Operand:
    return F.cast(F.cast(x, dtype=dtype), dtype=x.dtype)


def _divided(F: Namespace, total: Operand, n: int, dtype: DType) -> Operand:
    """A sum of squares as a variance: bfloat16 throughout. In half the sum would overflow."""
    return _rounded(F, _rounded(F, total, dtype) / float(dtype.type(n)), dtype)


def _to_input(
    F: Namespace, h: Gradient, x: Operand, dims: Shape, eps: float, kept: DType | None = None
) -> Gradient:
    """x̄ of the module's docstring."""
    normal, rstd = standardized(F, x, dims, eps, kept)
    return rstd * (h - _mean(F, h, dims) - normal * _mean(F, h * normal, dims))


# ---- per channel, over the batch -----------------------------------------------------------------
def _others(x: Operand) -> Shape:
    """All dimensions but the channels."""
    return (0, *range(2, x.ndim))


def _per_channel(F: Namespace, w: Operand, x: Operand) -> Operand:
    return F.reshape(w, shape=(1, -1) + (1,) * (x.ndim - 2))


@defines
def moments(F: Namespace, x: Array) -> tuple[Array, Array]:
    """Mean and variance (divided by n) of each channel, two arrays (C,)."""
    n = x.size // x.shape[1] if x.size else math.nan
    mean = np.add.reduce(x, _others(x)) / n
    centred = x - _per_channel(F, mean, x)
    return mean, np.add.reduce(centred * centred, _others(x)) / n


def _batch_norm(
    F: Namespace, x: Array, w: Array | None = None, b: Array | None = None, *, eps: float,
    kept: DType | None = None,
) -> Array:  # fmt: skip
    if kept is not None:
        w, b = (v if v is None else _per_channel(F, v, x) for v in (w, b))
        return _affine(standardized(F, rows(x), _others(x), eps, kept)[0], w, b)
    return F.fixed_norm(x, *F.moments(x), *(v for v in (w, b) if v is not None), eps=eps)


def _affine(out: Array, w: Array | None, b: Array | None) -> Array:
    """out * w + b, in the memory of ``out``."""
    if w is not None:
        out *= w
    if b is not None:
        out += b
    return out


def _batch_norm_vjp_w(
    F: Namespace, g: Gradient, out: Operand, x: Operand, w: Operand, b: Operand = None, *,
    eps: float, kept: DType | None = None,
) -> Gradient:  # fmt: skip
    return F.sum(g * standardized(F, x, _others(x), eps, kept)[0], dim=_others(x), keepdim=False)


@cache
def _batch_norm_of(n: int) -> Op:
    """The op of n inputs: x, perhaps weight, perhaps bias."""
    return Op(
        "batch_norm",
        _batch_norm,
        vjps=(
            lambda F, g, out, x, w=None, b=None, *, eps, kept=None: _to_input(
                F, g if w is None else g * _per_channel(F, w, x), x, _others(x), eps, kept
            ),
            _batch_norm_vjp_w,
            lambda F, g, out, x, w, b, *, eps, kept=None: F.sum(g, dim=_others(g), keepdim=False),
        )[:n],
        saves=("x y" if n > 1 else "x", "x", "x")[:n],  # the bias: 0 twice, not absent
        keeps="x y"[: 2 * n - 1],
        formula="(x − mean) / √(var + eps) · w + b",
        rule=("(h − mean(h) − x̂ · mean(h · x̂)) / √(var + eps), h = g · w", "Σ g · x̂", "Σ g")[:n],
        torch_name="NativeBatchNorm",
        family=_batch_norm_of if n == 3 else None,
        register=n == 3,
    )


batch_norm_op = _batch_norm_of(3)


# ---- per channel, with given statistics: (x - mean) / sqrt(var + eps) * w + b --------------------
def _fixed_norm(
    F: Namespace, x: Array, mean: Array, var: Array, w: Array | None = None,
    b: Array | None = None, *, eps: float,
) -> Array:  # fmt: skip
    out = (rows(x) - _per_channel(F, mean, x)) * _per_channel(F, F.rsqrt(var + eps), x)
    w, b = (v if v is None else _per_channel(F, v, x) for v in (w, b))
    return _affine(out, w, b)


def _fixed_norm_vjp_x(
    F: Namespace, g: Gradient, out: Operand, x: Operand, mean: Operand, var: Operand,
    w: Operand = None, b: Operand = None, *, eps: float,
) -> Gradient:  # fmt: skip
    rstd = F.rsqrt(var + eps)
    return g * _per_channel(F, rstd if w is None else rstd * w, x)


def _fixed_norm_vjp_w(
    F: Namespace, g: Gradient, out: Operand, x: Operand, mean: Operand, var: Operand,
    w: Operand, b: Operand = None, *, eps: float,
) -> Gradient:  # fmt: skip
    d = F.sum(g * (x - _per_channel(F, mean, x)), dim=_others(g), keepdim=False)
    return d * F.rsqrt(var + eps)


@cache
def _fixed_norm_of(n: int) -> Op:
    return Op(
        "fixed_norm",
        _fixed_norm,
        vjps=(
            _fixed_norm_vjp_x,
            None,
            None,
            _fixed_norm_vjp_w,
            lambda F, g, out, x, mean, var, w, b, *, eps: F.sum(g, dim=_others(g), keepdim=False),
        )[:n],
        saves=("z w" if n > 3 else "z", "", "", "x y z", "x")[:n],  # the bias: as above
        keeps="x w" if n > 3 else "x",
        formula="(x − y) / √(z + eps) · w + v",
        rule=("g · w / √(z + eps)", None, None, "Σ g · (x − y) / √(z + eps)", "Σ g")[:n],
        torch_name="NativeBatchNorm",
        family=_fixed_norm_of if n == 5 else None,
        register=n == 5,
    )


fixed_norm_op = _fixed_norm_of(5)


def _one_dtype(name: str, input: Tensor, *parameters: Tensor | None) -> DType:
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


def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
    weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """``input`` (N, C, ...) with each channel normalised, then scaled and shifted.

    ``training``: by the channel's own mean and variance; else by the running ones. Training also
    moves the running statistics (C,), if given: r = (1 - momentum) r + momentum * s, with the
    unbiased variance. ``weight`` and ``bias`` are (C,). Raises ValueError for one value per channel
    in training.
    """
    if training and eps <= 0:
        raise ValueError(message(f"batch_norm eps must be positive during training, but got {eps}"))
    return per_channel(input, running_mean, running_var, weight, bias, training, momentum, eps)


def per_channel(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None,
    bias: Tensor | None, training: bool, momentum: float, eps: float,
) -> Tensor:  # fmt: skip
    """batch_norm with any ``eps``."""
    x = input.array
    if x.ndim < 2 and not x.size:
        return input.clone()
    if x.ndim < 2:
        raise ShapeError(
            message(
                "batch_norm: expected an input of at least 2 dimensions (N, C, ...)",
                describe(input),
            )
        )
    if input.array.dtype.kind not in "fV":
        raise not_floating("batch_norm", input)
    for name, v in (
        ("running_mean", running_mean),
        ("running_var", running_var),
        ("weight", weight),
        ("bias", bias),
    ):
        if v is not None and v.array.shape != (x.shape[1],):
            raise ShapeError(
                message(
                    f"{name} should contain {x.shape[1]} elements not {v.array.size}",
                    f"batch_norm: input {describe(input)} has {x.shape[1]} channels (dimension 1), "
                    f"{name} {describe(v)}",
                    fix=f"make the layer with num_features={x.shape[1]}",
                )
            )
    kept = _one_dtype("batch_norm", input, weight, bias, running_mean, running_var)
    affine = _affine_operands(weight, bias, input)
    if not training:
        for name, v in (("running_mean", running_mean), ("running_var", running_var)):
            if v is None:
                raise RuntimeError(message(f"{name} must be defined in evaluation mode"))
        return several(fixed_norm_op, (input, running_mean, running_var, *affine), {"eps": eps})
    if (running_mean is None) != (running_var is None):
        raise ValueError(
            message(
                "running_mean and running_var must either both be None or neither be None",
                "batch_norm: one would move, and the other stay",
            )
        )
    n = x.size // max(x.shape[1], 1)
    if n == 1:
        raise ValueError(
            message(
                "Expected more than 1 value per channel when training, got input size "
                f"torch.Size({list(x.shape)})",
                "a single value has no variance",
                fix="a batch of two or more, or model.eval()",
            )
        )
    rounding = {"kept": kept} if kept.itemsize == 2 else {}
    out = several(batch_norm_op, (input, *affine), {"eps": eps, **rounding})
    if n and running_mean is not None:
        wide = input.float() if x.dtype.itemsize == 2 else input
        dev = wide.node.dev
        mean, var = dev.moments(wide.array)
        if kept.itemsize == 2 and kept != np.float16:
            mean, unbiased = _rounded(dev, mean, kept), _divided(dev, var * n, n - 1, kept)
        else:
            unbiased = var * (n / (n - 1))
        for running, statistic in ((running_mean, mean), (running_var, unbiased)):
            if running is not None:
                move(running, statistic, momentum)
    return out


def move(running: Tensor, statistic: Array, momentum: float | Tensor) -> None:
    """Set running to (1 - momentum) running + momentum * statistic, in place.

    The momentum is a tensor where it is computed from data in a recording.
    """
    r = running.array
    if hasattr(statistic, "level") and not hasattr(r, "level"):
        raise RuntimeError(
            message(
                "Batch norm got a batched tensor as input while the running_mean or running_var, "
                "which will be updated in place, were not batched.",
                "vmap: each sample has statistics of its own, and the running ones are shared",
                fix="track_running_stats=False, model.eval(), or "
                "torch.func.replace_all_batch_norm_modules_(model)",
            )
        )
    share: Any = momentum.array if isinstance(momentum, Handle) else momentum
    kept = 1 - share
    if isinstance(momentum, Handle):
        share, kept = share.astype(r.dtype), kept.astype(r.dtype)
    if r.dtype == statistic.dtype:
        r *= kept
        r += share * statistic
    else:  # 16 bits, rounded once
        r[...] = kept * r.astype(statistic.dtype) + share * statistic
    running._written("batch_norm")


def _affine_operands(
    weight: Tensor | None, bias: Tensor | None, input: Tensor
) -> tuple[Tensor, ...]:
    """The operands that follow x: a bias without a weight gets a weight of ones."""
    if bias is None:
        return () if weight is None else (weight,)
    return (constant(np.ones_like(bias.array), input.node.dev) if weight is None else weight, bias)


# ---- per example, over the last dimensions -------------------------------------------------------
def _last(x: Operand, n: int) -> Shape:
    return tuple(range(x.ndim - n, x.ndim))


def _layer_norm(
    F: Namespace, x: Array, w: Array | None = None, b: Array | None = None, *, ndim: int, eps: float
) -> Array:
    return _affine(standardized(F, rows(x), _last(x, ndim), eps)[0], w, b)


@cache
def _layer_norm_of(n: int) -> Op:
    return Op(
        "layer_norm",
        _layer_norm,
        vjps=(
            lambda F, g, out, x, w=None, b=None, *, ndim, eps: _to_input(
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
    _one_dtype("layer_norm", input, weight, bias)
    operands = (input, *_affine_operands(weight, bias, input))
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
    return (out if weight is None else out * weight).to(d)


@public(method=False)
def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5, cudnn_enabled: bool = True,
) -> Tensor:  # fmt: skip
    """``input`` (N, C, ...) with each example normalised over groups of channels.

    ``weight`` and ``bias`` are (C,). Source: Wu and He 2018.
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
    _one_dtype("group_norm", input, weight, bias)
    per_group = x.shape[1] // num_groups * math.prod(x.shape[2:])
    if x.shape[0] * per_group == 1:
        raise ValueError(
            message(
                "Expected more than 1 value per channel when training, got input size "
                f"{list(x.shape)}",
                "group_norm: a single value has no variance",
            )
        )
    groups = input.reshape(x.shape[0], num_groups, per_group)
    out = layer_norm(groups, (per_group,), eps=eps).reshape(x.shape) if x.size else input.clone()
    channels = (-1,) + (1,) * (x.ndim - 2)
    if weight is not None:
        out = out * weight.reshape(channels)
    return out if bias is None else out + bias.reshape(channels)


def instance_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None,
    weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """``input`` (N, C, ...) with each channel of each example normalised over its places.

    By its own mean and variance with ``use_input_stats``, else by the running ones (C,). Running
    statistics that are given move towards the mean of the examples' own, as in batch_norm.
    ``weight`` and ``bias`` are (C,). Source: Ulyanov et al. 2016.
    """
    x = input.array
    # running statistics are read in the dtype of the parameters
    kept = (input if weight is None else weight).dtype
    mean, var = [v if v is None else v.to(kept) for v in (running_mean, running_var)]
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise RuntimeError(
                message(
                    "Expected running_mean and running_var to be defined when "
                    "use_input_stats is false",
                    "instance_norm()",
                )
            )
        return per_channel(input, mean, var, weight, bias, False, momentum, eps)
    n = math.prod(x.shape[2:])
    if n == 1:
        raise ValueError(
            message(
                "Expected more than 1 spatial element when training, got input size "
                f"torch.Size({list(x.shape)})",
                "instance_norm: a single value has no variance",
            )
        )
    if x.ndim < 2 or not x.size:
        return group_norm(input, x.shape[1], weight, bias, eps)
    # each channel of each example is one of a batch of one example, as in PyTorch
    rows, channels = x.shape[:2]
    mean, var, w, b = [v if v is None else v.repeat(rows) for v in (mean, var, weight, bias)]
    rows_of_all = input.reshape(1, rows * channels, *x.shape[2:])
    out = per_channel(rows_of_all, mean, var, w, b, True, momentum, eps)
    for running, moved in ((running_mean, mean), (running_var, var)):
        if running is not None and moved is not None:
            running.detach().copy_(moved.reshape(rows, channels).mean(0))
    return out.reshape(x.shape)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
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
