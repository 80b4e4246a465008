"""Matrix products: how operands of any shapes and steps become a batch of products (matmul.cl)."""
from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ...arrays.dtypes import F32
from .array import Array
from .layout import Shape, collapsed, expanded_steps, is_row_major
from .memory import C_TYPES, empty, whole
from .runtime import Kernel, Runtime, once, text_of
from .tiles import Tiles, tiles_for


@once
def kernel(runtime: Runtime, name: str, dtype: np.dtype, tiles: Tiles) -> Kernel:
    """Kernel ``name`` of matmul.cl."""
    sizes = "".join(f"#define {size} {value}\n" for size, value in tiles._asdict().items())
    floating = "#define FLOATING\n" if dtype.kind == "f" else ""
    opening = f"#define T {C_TYPES[dtype.char]}\n{floating}{sizes}"
    return runtime.kernel(opening + text_of("vector") + text_of("matmul"), name, "matmul")


class Product(NamedTuple):
    """How a product of two shapes and steps runs: sizes, steps of (batch, row, column), and the
    result's shape."""

    shape: Shape
    batch: int
    m: int
    n: int
    k: int
    x_steps: Shape | None  # None: the operand must be copied first
    y_steps: Shape | None


@lru_cache(maxsize=4096)
def product(xs: Shape, x_steps: Shape, ys: Shape, y_steps: Shape) -> Product:
    """Raises ValueError where the shapes do not fit."""
    if not xs or not ys:
        raise ValueError("matmul: an operand has no dimensions")
    vector_x, vector_y = len(xs) == 1, len(ys) == 1
    if vector_x:
        xs, x_steps = (1, *xs), (0, *x_steps)
    if vector_y:
        ys, y_steps = (*ys, 1), (*y_steps, 0)
    if xs[-1] != ys[-2]:
        raise ValueError(f"matmul: mismatch in its core dimension, {xs} @ {ys}")
    batch = np.broadcast_shapes(xs[:-2], ys[:-2])
    m, k, n = xs[-2], xs[-1], ys[-1]
    shape = batch + (() if vector_x else (m,)) + (() if vector_y else (n,))
    if len(ys) == 2 and len(xs) > 2 and is_row_major(xs, x_steps):
        # one matrix for a whole batch: one large product
        return Product(shape, 1, math.prod(batch) * m, n, k, (0, k, 1), (0, *y_steps))
    steps = (_even(xs, x_steps, batch), _even(ys, y_steps, batch))
    return Product(shape, math.prod(batch), m, n, k, *steps)


def _even(shape: Shape, steps: Shape, batch: Shape) -> Shape | None:
    """Steps (batch, row, column) if the matrices are evenly spaced in the order of the batch, else
    None."""
    over = expanded_steps(shape[:-2], steps[:-2], batch)
    sizes, (merged,) = collapsed(batch, over)
    real = [s for s, n in zip(over, batch, strict=True) if n != 1]
    if len(sizes) > 1 or any(a < b for a, b in pairwise(real)):
        return None
    return (merged[0] if merged else 0, *steps[-2:])


def launch(
    x: Array, y: Array, how: Product, tiles: Tiles | None = None, bias: Array | None = None
) -> Array:
    """A batch of products by the tiled kernel, or with ``tiles`` None by the naive one, which adds
    no ``bias`` (n,)."""
    runtime = x.runtime
    out = empty(runtime, how.shape, x.dtype)
    m, n, b = how.m, how.n, how.batch
    assert how.x_steps is not None and how.y_steps is not None
    operands = (x.buffer, x.at, *how.x_steps, y.buffer, y.at, *how.y_steps)
    arguments = (m, n, how.k, *operands, out.buffer)
    if tiles is None:
        naive = kernel(runtime, "matmul_naive", x.dtype, tiles_for(runtime, x.dtype))
        naive((n, m, b), (64, 1, 1), *arguments)
    else:
        columns, rows, _ = local = tiles.local
        size = (-(-m // tiles.BM) * columns, -(-n // tiles.BN) * rows, b)
        added = out if bias is None else bias
        tiled = kernel(runtime, "matmul_tiled", x.dtype, tiles)
        tiled(size, local, *arguments, bias is not None, added.buffer)
    return out


def matmul(x: Array, y: Array, naive: bool = False, bias: Array | None = None) -> Array:
    """numpy's matmul on device arrays (+ bias). Raises ValueError where the shapes do not fit."""
    if x.dtype != y.dtype:
        d = np.result_type(x.dtype, y.dtype)
        x, y = x.astype(d, copy=False), y.astype(d, copy=False)
    if x.dtype.char == "e":
        wide = None if bias is None else bias.astype(F32)
        return matmul(x.astype(F32), y.astype(F32), naive, wide).astype(x.dtype)
    how = product(x.shape, x.steps, y.shape, y.steps)
    if not how.k or not how.batch * how.m * how.n:
        out = x.dev.full(how.shape, 0, x.dtype)
        return out if bias is None else x.dev.add(out, bias, out=out)
    batch = how.shape[: max(x.ndim, y.ndim) - 2] if max(x.ndim, y.ndim) > 2 else ()
    if how.x_steps is None:
        return matmul(x.expand((*batch, *x.shape[-2:])).copy(), y, naive, bias)
    if how.y_steps is None:
        return matmul(x, y.expand((*batch, *y.shape[-2:])).copy(), naive, bias)
    tiles = None if naive else tiles_for(x.runtime, x.dtype)
    return launch(x, y, how, tiles, None if bias is None else whole(bias))
