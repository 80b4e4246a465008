"""Normalisation per channel: batch_norm and instance_norm, with statistics that move.

``batch_norm`` takes mean and variance of each channel (dimension 1) over all other dimensions
(Ioffe and Szegedy 2015), or those that it is given (``fixed_norm``). The derivative is norm.py's.
"""
from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import defines
from ..base.errors import ShapeError, describe, message
from ..engine.handle import Handle
from ..engine.op import Op
from ..engine.short import several
from .arguments import no_gradient_of, not_floating, rows
from .norm import (
    affine,
    affine_operands,
    by_channel,
    divided,
    group_norm,
    one_dtype,
    others,
    rounded,
    standardized,
    through,
)  # fmt: skip

if TYPE_CHECKING:
    from ..base.types import Array, DType, Gradient, Namespace, Operand
    from ..handles.tensor import Tensor


# ---- per channel, over the batch -----------------------------------------------------------------
@defines
def moments(F: Namespace, x: Array) -> tuple[Array, Array]:
    """Mean and variance (divided by n) of each channel, two arrays (C,)."""
    n = x.size // x.shape[1] if x.size else math.nan
    mean = np.add.reduce(x, others(x)) / n
    error = np.add.reduce(x - by_channel(F, mean, x), others(x)) / n  # the mean's rounding
    mean = mean + error
    centred = x - by_channel(F, mean, x)
    return mean, np.add.reduce(centred * centred, others(x)) / n


def _standardized(
    F: Namespace, x: Operand, eps: float, kept: DType | None
) -> tuple[Operand, Operand]:
    """``standardized`` for derivatives; with ``kept``, arrays as the op itself has them."""
    if kept is not None and type(x) is np.ndarray:
        return _standardized_kept(F, x, eps, kept)
    return standardized(F, x, others(x), eps, kept)


def _standardized_kept(F: Namespace, x: Array, eps: float, kept: DType) -> tuple[Array, Array]:
    """What ``standardized`` is with ``kept``, by the kernel that finds both moments."""
    mean, var = F.moments(x)
    n = x.size // max(x.shape[1], 1)
    if kept != np.float16 and n:
        var = divided(F, var * n, n, kept)
    mean, rstd = rounded(F, mean, kept), rounded(F, F.rsqrt(var + eps), kept)
    rstd = by_channel(F, rstd, x)
    return F.mul(x - by_channel(F, mean, x), rstd), rstd


def _batch_norm(
    F: Namespace, x: Array, w: Array | None = None, b: Array | None = None, *, eps: float,
    kept: DType | None = None,
) -> Array:  # fmt: skip
    if kept is not None:
        w, b = (v if v is None else by_channel(F, v, x) for v in (w, b))
        return affine(_standardized_kept(F, rows(x), eps, kept)[0], w, b)
    return F.fixed_norm(x, *F.moments(x), *(v for v in (w, b) if v is not None), eps=eps)


def _batch_norm_vjp_w(
    F: Namespace, g: Gradient, out: Operand, x: Operand, w: Operand, b: Operand = None, *,
    eps: float, kept: DType | None = None,
) -> Gradient:  # fmt: skip
    return F.sum(g * _standardized(F, x, eps, kept)[0], dim=others(x), keepdim=False)


@cache
def _batch_norm_of(n: int) -> Op:
    """The op of n inputs: x, perhaps weight, perhaps bias."""
    return Op(
        "batch_norm",
        _batch_norm,
        vjps=(
            lambda F, g, out, x, w=None, b=None, *, eps, kept=None: through(
                F, g if w is None else g * by_channel(F, w, x), *_standardized(F, x, eps, kept),
                others(x),
            ),
            _batch_norm_vjp_w,
            lambda F, g, out, x, w, b, *, eps, kept=None: F.sum(g, dim=others(g), keepdim=False),
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
    out = (rows(x) - by_channel(F, mean, x)) * by_channel(F, F.rsqrt(var + eps), x)
    w, b = (v if v is None else by_channel(F, v, x) for v in (w, b))
    return affine(out, w, b)


def _fixed_norm_vjp_x(
    F: Namespace, g: Gradient, out: Operand, x: Operand, mean: Operand, var: Operand,
    w: Operand = None, b: Operand = None, *, eps: float,
) -> Gradient:  # fmt: skip
    rstd = F.rsqrt(var + eps)
    return g * by_channel(F, rstd if w is None else rstd * w, x)


def _fixed_norm_vjp_w(
    F: Namespace, g: Gradient, out: Operand, x: Operand, mean: Operand, var: Operand,
    w: Operand, b: Operand = None, *, eps: float,
) -> Gradient:  # fmt: skip
    d = F.sum(g * (x - by_channel(F, mean, x)), dim=others(g), keepdim=False)
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
            lambda F, g, out, x, mean, var, w, b, *, eps: F.sum(g, dim=others(g), keepdim=False),
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
    if running_mean is not None or running_var is not None:
        no_gradient_of("native_batch_norm", running_mean=running_mean, running_var=running_var)
    kept = one_dtype("batch_norm", input, weight, bias, running_mean, running_var)
    affine = affine_operands(weight, bias, input)
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
    if n and running_mean is not None and running_var is not None:
        wide = input.float() if x.dtype.itemsize == 2 else input
        mean, var = _unbiased_moments(wide, n, kept)
        move(running_mean, mean, momentum)
        move(running_var, var, momentum)
    return out


def _unbiased_moments(x: Tensor, n: int, kept: DType) -> tuple[Array, Array]:
    """Mean and variance of each channel, of n numbers, as a layer of dtype ``kept`` has them."""
    dev = x.node.dev
    mean, var = dev.moments(x.array)
    if kept.itemsize == 2 and kept != np.float16:
        return rounded(dev, mean, kept), divided(dev, var * n, n - 1, kept)
    return mean, var * (n / (n - 1))


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
