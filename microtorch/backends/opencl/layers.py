"""Fused kernels of whole layers, losses and optimizer steps: rows.cl, norm.cl, loss.cl, optim.cl. Each replaces a chain of kernels.

What a kernel here does not take (another dtype, a strided parameter) goes the way of the declaration, kernel by kernel.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..table import definition
from .array import Array
from .elementwise import C_TYPES, empty, upload
from .reduce import widths
from .runtime import Kernel, Runtime, text_of
from .windows import whole


def built(runtime: Runtime, file: str, name: str, signature: str, dtype: np.dtype, width: int = 0, variant: str = "") -> Kernel:
    """Kernel ``name`` of ``file`` for a floating dtype; T in ``signature`` stands for its letter. ``width``: work-items of a group
    (0: as for reductions); ``variant``: what its text begins with."""
    key = (file, name, dtype.char, variant)
    kernel = runtime.built.get(key)
    if kernel is None:
        c = C_TYPES[dtype.char]
        usual, v = widths(runtime)
        opening = runtime.opening(c, functions=True, vectors=v)
        text = f"{variant}#define WIDTH {width or usual}\n#define V {v}\n{opening}\n{text_of('vector')}{text_of(file)}"
        kernel = runtime.built[key] = runtime.kernel(text, name, signature.replace("T", dtype.char), name)
    return kernel


# ---- softmax -------------------------------------------------------------------------------------------------------
def along(name: str, arrays: tuple[Array, ...], dim: int) -> Array:
    """A row kernel of rows.cl along ``dim`` of arrays of one shape."""
    first = arrays[0]
    last = dim == first.ndim - 1
    rows = [whole(x if last else x.swapaxes(dim, -1)) for x in arrays]
    out = empty(first.runtime, rows[0].shape, first.dtype)
    if out.size:
        n = out.shape[-1]
        kernel = built(first.runtime, "rows", name, "i" + "b" * (len(rows) + 1), first.dtype)
        width = widths(first.runtime)[0]
        kernel((out.size // n * width,), (width,), n, *[x.buffer for x in rows], out.buffer)
    return out if last else out.swapaxes(dim, -1).copy()


# ---- normalisation -------------------------------------------------------------------------------------------------
def layer_norm(x: Array, w: Any, b: Any, n: int, eps: float, g: Any = None) -> Array:
    """Rows of ``n`` elements normalised, scaled and shifted; with ``g``, the derivative for x of that."""
    x = whole(x)
    w, b = (None if v is None else whole(v) for v in (w, b))
    out = empty(x.runtime, x.shape, x.dtype)
    if out.size:
        kernel = built(x.runtime, "rows", "layer_norm" if g is None else "layer_norm_vjp0", "iTbibbb", x.dtype)
        affine = 0 if w is None else 1 if b is None or g is not None else 2
        other = x if g is None and b is None else b if g is None else whole(g)
        width = widths(x.runtime)[0]
        kernel((x.size // n * width,), (width,), n, eps, x.buffer, affine, (x if w is None else w).buffer, other.buffer, out.buffer)
    return out


def per_channel(name: str, signature: str, x: Array, *arguments: Any, split: bool = False) -> None:
    """Run a kernel of norm.cl over x (N, C, ...), which is whole. ``split``: no sums are taken, so a channel may be cut up."""
    runtime = x.runtime
    batch, channels, places = x.shape[0], x.shape[1], math.prod(x.shape[2:])
    width, v = (1, widths(runtime)[1]) if runtime.on_cpu else (256, 1)
    columns = places == 1
    neighbours = 32 if columns else 1 << (places - 1).bit_length()
    across = min(width, neighbours)  # work-items side by side; the others of the group go down the batch
    groups = -(-channels // (across * v)) if columns else channels
    parts = min(-(-batch * across // width), max(1, 1024 // groups)) if split else 1
    kernel = built(runtime, "norm", name, "iiii" + signature, x.dtype, width, "#define COLUMNS\n" if columns else "")
    kernel((groups * width, parts), (width, 1), batch, channels, places, across, *arguments)


def affine_of(x: Array, w: Any, b: Any) -> tuple[Any, ...]:
    """What the kernels of norm.cl take for weight and bias: how many there are, and buffers, x's where one is missing."""
    w, b = (x if v is None else whole(v) for v in (w, None if w is None else b))
    return (0 if w is x else 1 if b is x else 2), w.buffer, b.buffer


def moments(x: Array) -> tuple[Array, Array]:
    x = whole(x)
    mean, var = (empty(x.runtime, x.shape[1:2], x.dtype) for _ in range(2))
    per_channel("moments", "bbb", x, x.buffer, mean.buffer, var.buffer)
    return mean, var


def batch_norm(x: Array, w: Any, b: Any, eps: float) -> Array:
    x = whole(x)
    out = empty(x.runtime, x.shape, x.dtype)
    per_channel("batch_norm", "Tbibbb", x, eps, x.buffer, *affine_of(x, w, b), out.buffer)
    return out


def fixed_norm(x: Array, mean: Array, var: Array, w: Any, b: Any, eps: float) -> Array:
    x, mean, var = whole(x), whole(mean), whole(var)
    out = empty(x.runtime, x.shape, x.dtype)
    per_channel("fixed_norm", "Tbbbibbb", x, eps, x.buffer, mean.buffer, var.buffer, *affine_of(x, w, b), out.buffer, split=True)
    return out


def batch_norm_vjps(g: Array, x: Array, w: Any, eps: float) -> tuple[Array, Array, Array]:
    g, x = whole(g), whole(x)
    dx = empty(x.runtime, x.shape, x.dtype)
    dw, db = (empty(x.runtime, x.shape[1:2], x.dtype) for _ in range(2))
    affine, w, _ = affine_of(x, w, None)
    per_channel("batch_norm_vjps", "Tbbibbbb", x, eps, g.buffer, x.buffer, affine, w, dx.buffer, dw.buffer, db.buffer)
    return dx, dw, db


# ---- negative log-likelihood ---------------------------------------------------------------------------------------
def nll_terms(x: Array, t: Array, w: Any, ignore_index: int) -> tuple[Array, Array, Array]:
    """(each sample's term, its weight, a flag that is set if a class is out of range)."""
    runtime = x.runtime
    x, t = whole(x), whole(t)
    terms, weights = empty(runtime, t.shape, x.dtype), empty(runtime, t.shape, x.dtype)
    bad = upload(runtime, np.zeros(1, np.int32))
    if t.size:
        kernel = built(runtime, "loss", "nll_terms", "iiilibbbbbb", x.dtype)
        inner = math.prod(x.shape[2:])
        kernel((t.size,), (64,), t.size, x.shape[1], inner, ignore_index, w is not None, x.buffer, t.buffer,
               (x if w is None else whole(w)).buffer, terms.buffer, weights.buffer, bad.buffer)  # fmt: skip
    return terms, weights, bad


def nll_spread(F: Any, g: Array, shape: Any, t: Array, w: Any, ignore_index: int, total: Any, dtype: Any) -> Array:
    """The gradient of the log-probabilities: -g * weight (/ total) at each sample's class."""
    out = F.full(shape, 0, dtype)
    t, g = whole(t), g if g.ndim == 0 else whole(g)
    if t.size:
        kernel = built(out.runtime, "loss", "nll_spread", "iiiliiibbbbb", dtype)
        g = g.copy() if g.at else g
        kernel((t.size,), (64,), t.size, shape[1], math.prod(shape[2:]), ignore_index, w is not None, total is not None,
               int(g.ndim > 0), g.buffer, t.buffer, (g if w is None else whole(w)).buffer, (g if total is None else total).buffer,
               out.buffer)  # fmt: skip
    return out


# ---- optimizers ----------------------------------------------------------------------------------------------------
def plain(*arrays: Any) -> bool:
    """May a kernel run through all of these element by element?"""
    return all(x.flat and x.dtype.char in "fd" and (i == 0 or not x.at) for i, x in enumerate(arrays))


def sgd_step(F: Any, params: Any, grads: Any, buffers: Any, *, lr: float, momentum: float, dampening: float, weight_decay: float,
             nesterov: bool, maximize: bool, first: bool) -> None:  # fmt: skip
    for i, (p, g) in enumerate(zip(params, grads, strict=True)):
        state = buffers[i] if momentum else g
        if not plain(p, g, state):
            definition("sgd_step")(F, (p,), (g,), buffers[i : i + 1], lr=lr, momentum=momentum, dampening=dampening,
                                   weight_decay=weight_decay, nesterov=nesterov, maximize=maximize, first=first)  # fmt: skip
        elif p.size:
            kernel = built(p.runtime, "optim", "sgd", "iTTTTiiibibb", p.dtype)
            kernel.each((p.size,), p.size, lr, momentum, 1 - dampening, weight_decay, maximize, nesterov, first, p.buffer, p.at,
                   g.buffer, state.buffer)  # fmt: skip


def adam_step(F: Any, params: Any, grads: Any, exp_avgs: Any, exp_avg_sqs: Any, max_exp_avg_sqs: Any, steps: Any, *, lr: float,
              beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool, amsgrad: bool,
              maximize: bool) -> None:  # fmt: skip
    for i, (p, g) in enumerate(zip(params, grads, strict=True)):
        m, v = exp_avgs[i], exp_avg_sqs[i]
        largest = max_exp_avg_sqs[i] if amsgrad else v
        if not plain(p, g, m, v, largest):
            definition("adam_step")(F, (p,), (g,), (m,), (v,), max_exp_avg_sqs[i : i + 1], steps[i : i + 1], lr=lr, beta1=beta1,
                                    beta2=beta2, eps=eps, weight_decay=weight_decay, decoupled=decoupled, amsgrad=amsgrad,
                                    maximize=maximize)  # fmt: skip
            continue
        steps[i][...] += 1
        t = float(steps[i])
        if p.size:
            kernel = built(p.runtime, "optim", "adam", "iTTTTTTTiibibbbb", p.dtype)
            kernel.each((p.size,), p.size, lr / (1 - beta1**t), math.sqrt(1 - beta2**t), beta1, beta2, eps,
                   0.0 if decoupled else weight_decay, 1 - lr * weight_decay if decoupled else 1.0, maximize, amsgrad,
                   p.buffer, p.at, g.buffer, m.buffer, v.buffer, largest.buffer)  # fmt: skip
