"""Fused kernels of whole layers, losses and optimizer steps: rows.cl, norm.cl, loss.cl, optim.cl.

Each replaces a chain of kernels. What a kernel here does not take (another dtype, a strided
parameter) goes the way of the declaration, kernel by kernel.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..table import definition
from .array import Array
from .layout import Shape
from .memory import C_TYPES, empty, upload, whole
from .reduce import widths
from .runtime import Kernel, Runtime, once, text_of

if TYPE_CHECKING:
    from .backend import OpenCL


@once
def kernel_of(
    runtime: Runtime, file: str, name: str, dtype: np.dtype, width: int = 0, columns: bool = False
) -> Kernel:
    """Kernel ``name`` of ``file`` for a floating dtype. ``width``: work-items of a group (0: as for
    reductions); ``columns``: the variant of norm.cl that is called so."""
    usual, v = widths(runtime)
    opening = runtime.opening(C_TYPES[dtype.char], functions=True, vectors=v)
    sizes = f"#define WIDTH {width or usual}\n#define V {v}\n"
    variant = "#define COLUMNS\n" if columns else ""
    text = f"{variant}{sizes}{opening}\n{text_of('vector')}{text_of(file)}"
    return runtime.kernel(text, name)


# ---- rows ----------------------------------------------------------------------------------------
def row_kernel(name: str, arrays: tuple[Array, ...], dim: int) -> Array:
    """A kernel of rows.cl along ``dim`` of arrays of one shape."""
    first = arrays[0]
    last = dim == first.ndim - 1
    rows = [whole(x if last else x.swapaxes(dim, -1)) for x in arrays]
    out = empty(first.runtime, rows[0].shape, first.dtype)
    if out.size:
        n, (width, _) = out.shape[-1], widths(first.runtime)
        kernel = kernel_of(first.runtime, "rows", name, first.dtype)
        buffers = [x.buffer for x in (*rows, out)]
        kernel((out.size // n * width,), (width,), n, *buffers)
    return out if last else out.swapaxes(dim, -1).copy()


def layer_norm(
    x: Array, w: Array | None, b: Array | None, n: int, eps: float, g: Array | None = None
) -> Array:
    """Rows of ``n`` elements normalised, scaled and shifted; with ``g``, the derivative for x of
    that."""
    x = whole(x)
    out = empty(x.runtime, x.shape, x.dtype)
    if not out.size:
        return out
    # the last operand is the bias, or the gradient; a buffer that is not read is x's
    name, last = ("layer_norm", b) if g is None else ("layer_norm_vjp0", g)
    affine = 0 if w is None else 1 if b is None or g is not None else 2
    buffers = [x.buffer if v is None else whole(v).buffer for v in (w, last)]
    kernel, (width, _) = kernel_of(x.runtime, "rows", name, x.dtype), widths(x.runtime)
    kernel((x.size // n * width,), (width,), n, eps, x.buffer, affine, *buffers, out.buffer)
    return out


# ---- channels ------------------------------------------------------------------------------------
def channel_kernel(name: str, x: Array, *arguments: object, split: bool = False) -> None:
    """Enqueue a kernel of norm.cl over x (N, C, ...), which is whole. ``split``: it takes no sums,
    so a channel may be cut up."""
    runtime = x.runtime
    batch, channels, places = x.shape[0], x.shape[1], math.prod(x.shape[2:])
    width, v = (1, widths(runtime)[1]) if runtime.on_cpu else (256, 1)
    columns = places == 1
    neighbours = 32 if columns else 1 << (places - 1).bit_length()
    across = min(width, neighbours)  # work-items side by side; the others go down the batch
    groups = -(-channels // (across * v)) if columns else channels
    parts = min(-(-batch * across // width), max(1, 1024 // groups)) if split else 1
    kernel = kernel_of(runtime, "norm", name, x.dtype, width, columns)
    shape = (batch, channels, places, across)
    kernel((groups * width, parts), (width, 1), *shape, *arguments)


def affine_of(x: Array, w: Array | None, b: Array | None) -> tuple[object, ...]:
    """What the kernels of norm.cl take for weight and bias: how many there are, and buffers, x's
    where one is missing."""
    b = None if w is None else b
    count = 0 if w is None else 1 if b is None else 2
    return count, *[x.buffer if v is None else whole(v).buffer for v in (w, b)]


def moments(x: Array) -> tuple[Array, Array]:
    x = whole(x)
    mean, var = (empty(x.runtime, x.shape[1:2], x.dtype) for _ in range(2))
    channel_kernel("moments", x, x.buffer, mean.buffer, var.buffer)
    return mean, var


def batch_norm(x: Array, w: Array | None, b: Array | None, eps: float) -> Array:
    x = whole(x)
    out = empty(x.runtime, x.shape, x.dtype)
    channel_kernel("batch_norm", x, eps, x.buffer, *affine_of(x, w, b), out.buffer)
    return out


def fixed_norm(
    x: Array, mean: Array, var: Array, w: Array | None, b: Array | None, eps: float
) -> Array:
    x, mean, var = whole(x), whole(mean), whole(var)
    out = empty(x.runtime, x.shape, x.dtype)
    given = (eps, x.buffer, mean.buffer, var.buffer, *affine_of(x, w, b))
    channel_kernel("fixed_norm", x, *given, out.buffer, split=True)
    return out


def batch_norm_vjps(
    g: Array, x: Array, w: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    g, x = whole(g), whole(x)
    dx = empty(x.runtime, x.shape, x.dtype)
    dw, db = (empty(x.runtime, x.shape[1:2], x.dtype) for _ in range(2))
    affine, weight, _ = affine_of(x, w, None)
    given = (eps, g.buffer, x.buffer, affine, weight)
    channel_kernel("batch_norm_vjps", x, *given, dx.buffer, dw.buffer, db.buffer)
    return dx, dw, db


# ---- negative log-likelihood ---------------------------------------------------------------------
def nll_terms(
    x: Array, t: Array, w: Array | None, ignore_index: int
) -> tuple[Array, Array, Array]:
    """(each sample's term, its weight, a flag that is set if a class is out of range)."""
    runtime = x.runtime
    x, t = whole(x), whole(t)
    terms, weights = empty(runtime, t.shape, x.dtype), empty(runtime, t.shape, x.dtype)
    bad = upload(runtime, np.zeros(1, np.int32))
    if t.size:
        kernel = kernel_of(runtime, "loss", "nll_terms", x.dtype)
        inner = math.prod(x.shape[2:])
        numbers = (t.size, x.shape[1], inner, ignore_index, w is not None)
        given = (x.buffer, t.buffer, (x if w is None else whole(w)).buffer)
        kernel((t.size,), (64,), *numbers, *given, terms.buffer, weights.buffer, bad.buffer)
    return terms, weights, bad


def nll_spread(
    F: OpenCL, g: Array, shape: Shape, t: Array, w: Array | None, ignore_index: int,
    total: Array | None, dtype: np.dtype,
) -> Array:  # fmt: skip
    """The gradient of the log-probabilities: -g * weight (/ total) at each sample's class."""
    out = F.full(shape, 0, dtype)
    t, g = whole(t), whole(g)
    if t.size:
        kernel = kernel_of(out.runtime, "loss", "nll_spread", dtype)
        inner, weighted, mean = math.prod(shape[2:]), w is not None, total is not None
        numbers = (t.size, shape[1], inner, ignore_index, weighted, mean, int(g.ndim > 0))
        weights, sums = (g if v is None else whole(v) for v in (w, total))
        buffers = [v.buffer for v in (g, t, weights, sums, out)]
        kernel((t.size,), (64,), *numbers, *buffers)
    return out


# ---- optimizers ----------------------------------------------------------------------------------
def plain(*arrays: Array) -> bool:
    """May a kernel run through all of these element by element?"""
    together = all(x.flat and x.dtype.char in "fd" for x in arrays)
    return together and not any(x.at for x in arrays[1:])  # the kernels know the first's offset


def sgd_step(
    F: OpenCL, params: Sequence[Array], grads: Sequence[Array], buffers: Sequence[Array], *,
    lr: float, momentum: float, dampening: float, weight_decay: float, nesterov: bool,
    maximize: bool, first: bool,
) -> None:  # fmt: skip
    for i, (p, g) in enumerate(zip(params, grads, strict=True)):
        state = buffers[i] if momentum else g
        if not plain(p, g, state):
            definition("sgd_step")(
                F, (p,), (g,), buffers[i : i + 1], lr=lr, momentum=momentum, dampening=dampening,
                weight_decay=weight_decay, nesterov=nesterov, maximize=maximize, first=first,
            )  # fmt: skip
        elif p.size:
            kernel = kernel_of(p.runtime, "optim", "sgd", p.dtype)
            numbers = (lr, momentum, 1 - dampening, weight_decay, maximize, nesterov, first)
            kernel.each((p.size,), p.size, *numbers, p.buffer, p.at, g.buffer, state.buffer)


def adam_step(
    F: OpenCL, params: Sequence[Array], grads: Sequence[Array], exp_avgs: Sequence[Array],
    exp_avg_sqs: Sequence[Array], max_exp_avg_sqs: Sequence[Array], steps: Sequence[np.ndarray], *,
    lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool,
    amsgrad: bool, maximize: bool,
) -> None:  # fmt: skip
    for i, (p, g) in enumerate(zip(params, grads, strict=True)):
        m, v = exp_avgs[i], exp_avg_sqs[i]
        largest = max_exp_avg_sqs[i] if amsgrad else v
        if not plain(p, g, m, v, largest):
            definition("adam_step")(
                F, (p,), (g,), (m,), (v,), max_exp_avg_sqs[i : i + 1], steps[i : i + 1], lr=lr,
                beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay, decoupled=decoupled,
                amsgrad=amsgrad, maximize=maximize,
            )  # fmt: skip
            continue
        steps[i][...] += 1
        t = float(steps[i])
        if p.size:
            kernel = kernel_of(p.runtime, "optim", "adam", p.dtype)
            decay = 0.0 if decoupled else weight_decay
            shrink = 1 - lr * weight_decay if decoupled else 1.0
            sizes = (lr / (1 - beta1**t), math.sqrt(1 - beta2**t), beta1, beta2, eps)
            arrays = [a.buffer for a in (g, m, v, largest)]
            kernel.each((p.size,), p.size, *sizes, decay, shrink, maximize, amsgrad, p.buffer, p.at,
                        *arrays)  # fmt: skip
