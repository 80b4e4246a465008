"""Matrix products: the kernels of matmul.cl, and which variant of the tiled one a device gets.

A variant is a set of tile sizes. ``tune(device)`` times them all on the device and writes the order to a file
(``record_path``), which later processes read; without it a device gets the first that suits its kind.

    python -m microtorch.backends.opencl tune
"""
from __future__ import annotations

import json
import math
import os
import time
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .array import Array, collapsed, expanded_steps, is_row_major
from .elementwise import C_TYPES, empty, upload
from .runtime import Kernel, Runtime, runtime, text_of

SIGNATURE = "iii" + "biiii" * 2 + "b"


class Variant(NamedTuple):
    """Tile of a work-group (BM x BN, BK deep), block of a work-item (RM x RN), and the width of its vectors."""

    BM: int
    BN: int
    BK: int
    RM: int
    RN: int
    V: int

    @property
    def local(self) -> tuple[int, int, int]:
        return self.BN // self.RN, self.BM // self.RM, 1


CPU = (Variant(32, 64, 64, 32, 64, 16), Variant(16, 64, 64, 16, 64, 16), Variant(64, 32, 128, 8, 32, 16),
       Variant(32, 32, 64, 32, 32, 8), Variant(64, 64, 16, 8, 8, 8))  # fmt: skip
GPU = (Variant(64, 64, 16, 8, 8, 4), Variant(128, 128, 16, 8, 8, 4), Variant(64, 64, 16, 4, 4, 4),
       Variant(128, 64, 16, 8, 4, 4), Variant(32, 32, 16, 2, 4, 4))  # fmt: skip


def fits(device: Runtime, variant: Variant, dtype: np.dtype) -> bool:
    """May a work-group be as large, and its local memory, on this device?"""
    items = variant.local[0] * variant.local[1]
    memory = (variant.BM + variant.BN) * variant.BK * dtype.itemsize
    return items <= device.cl_device.max_work_group_size and memory <= device.cl_device.local_mem_size


def record_path() -> str:
    """Where tuning runs are recorded: MICROTORCH_CACHE, or the user's cache folder."""
    folder = os.environ.get("MICROTORCH_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache"), "microtorch"
    )
    return os.path.join(folder, "opencl_matmul.json")


def _name(device: Runtime) -> str:
    return f"{device.name}, driver {device.cl_device.driver_version}"


def variant_for(device: Runtime, dtype: np.dtype) -> Variant:
    """The variant for this device: the recorded one, or the first of its kind that fits."""
    chosen = device.built.get(("variant", dtype.char))
    if chosen is None:
        candidates = list(CPU if device.on_cpu else GPU)
        try:
            with open(record_path(), encoding="utf-8") as file:
                candidates.insert(0, Variant(*json.load(file)[_name(device)]["variant"]))
        except (OSError, ValueError, KeyError, TypeError):
            pass  # never tuned, or by another version: the default is right, too
        chosen = next((v for v in candidates if fits(device, v, dtype)), Variant(16, 16, 16, 1, 1, 1))
        device.built["variant", dtype.char] = chosen
    return chosen


def text(dtype: np.dtype, variant: Variant) -> str:
    defines = "".join(f"#define {name} {value}\n" for name, value in variant._asdict().items())
    floating = "#define FLOATING\n" if dtype.kind == "f" else ""
    return f"#define T {C_TYPES[dtype.char]}\n{floating}{defines}{text_of('vector')}{text_of('matmul')}"


def kernel(device: Runtime, dtype: np.dtype, variant: Variant, name: str) -> Kernel:
    key = (name, dtype.char, variant)
    found = device.built.get(key)
    if found is None:
        signature = SIGNATURE + ("ib" if name == "matmul_tiled" else "")
        found = device.built[key] = device.kernel(text(dtype, variant), name, signature, "matmul")
    return found


def launch(x: Array, y: Array, how: Product, variant: Variant | None = None, bias: Array | None = None) -> Array:
    """A batch of products by the tiled kernel in ``variant``, or by the naive one; ``bias`` (n,) is added to each row."""
    device = x.runtime
    out = empty(device, how.shape, x.dtype)
    m, n, b = how.m, how.n, how.batch
    arguments = (m, n, how.k, x.buffer, x.at, *how.x_steps, y.buffer, y.at, *how.y_steps, out.buffer)
    if variant is None:
        kernel(device, x.dtype, variant_for(device, x.dtype), "matmul_naive")((n, m, b), (64, 1, 1), *arguments)
    else:
        columns, rows, _ = local = variant.local
        tiled = kernel(device, x.dtype, variant, "matmul_tiled")
        tiled((-(-m // variant.BM) * columns, -(-n // variant.BN) * rows, b), local, *arguments, bias is not None,
              (out if bias is None else bias).buffer)  # fmt: skip
    return out


class Product(NamedTuple):
    """How a product of two shapes and steps runs: sizes, steps of (batch, row, column), and the result's shape."""

    shape: tuple[int, ...]
    batch: int
    m: int
    n: int
    k: int
    x_steps: tuple[int, ...] | None  # None: the operand must be copied first
    y_steps: tuple[int, ...] | None


@lru_cache(maxsize=4096)
def product(xs: tuple[int, ...], x_steps: tuple[int, ...], ys: tuple[int, ...], y_steps: tuple[int, ...]) -> Product:
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
    if len(ys) == 2 and len(xs) > 2 and is_row_major(xs, x_steps):  # one matrix for a whole batch: one large product
        return Product(shape, 1, math.prod(batch) * m, n, k, (0, k, 1), (0, *y_steps))
    return Product(shape, math.prod(batch), m, n, k, *(_even(s, t, batch) for s, t in ((xs, x_steps), (ys, y_steps))))


def _even(shape: tuple[int, ...], steps: tuple[int, ...], batch: tuple[int, ...]) -> tuple[int, ...] | None:
    """Steps (batch, row, column) if the matrices are evenly spaced in the order of the batch, else None."""
    over = expanded_steps(shape[:-2], steps[:-2], batch)
    sizes, (merged,) = collapsed(batch, over)
    real = [s for s, n in zip(over, batch, strict=True) if n != 1]
    if len(sizes) > 1 or any(a < b for a, b in pairwise(real)):
        return None
    return (merged[0] if merged else 0, *steps[-2:])


def matmul(x: Array, y: Array, naive: bool = False, bias: Array | None = None) -> Array:
    """numpy's matmul on device arrays (+ bias). Raises ValueError where the shapes do not fit."""
    if x.dtype != y.dtype:
        d = np.result_type(x.dtype, y.dtype)
        x, y = x.astype(d, copy=False), y.astype(d, copy=False)
    if x.dtype.char == "e":
        wide = [None if v is None else v.astype(np.float32) for v in (x, y, bias)]
        return matmul(wide[0], wide[1], naive, wide[2]).astype(np.float16)
    how = product(x.shape, x.steps, y.shape, y.steps)
    if not how.k or not how.batch * how.m * how.n:
        out = x.dev.full(how.shape, 0, x.dtype)
        return out if bias is None else x.dev.add(out, bias, out=out)
    batch = how.shape[: max(x.ndim, y.ndim) - 2] if max(x.ndim, y.ndim) > 2 else ()
    if how.x_steps is None:
        return matmul(x.expand((*batch, *x.shape[-2:])).copy(), y, naive, bias)
    if how.y_steps is None:
        return matmul(x, y.expand((*batch, *y.shape[-2:])).copy(), naive, bias)
    if bias is not None and (bias.at or not bias.flat):
        bias = bias.copy()
    return launch(x, y, how, None if naive else variant_for(x.runtime, x.dtype), bias)


# ---- choosing the variant ------------------------------------------------------------------------------------------
def measure(device: Runtime, size: int, variant: Variant | None, rounds: int = 5) -> float:
    """Floating-point operations per second (1e9) of a float32 product of two ``size`` x ``size`` matrices."""
    x, y = (upload(device, np.random.default_rng(i).standard_normal((size, size), np.float32)) for i in (0, 1))
    how = product(x.shape, x.steps, y.shape, y.steps)
    launch(x, y, how, variant)
    device.synchronize()
    best = min(seconds(lambda: launch(x, y, how, variant), device) for _ in range(rounds))
    return 2 * size**3 / best / 1e9


def seconds(run: Any, device: Runtime) -> float:
    start = time.perf_counter()
    run()
    device.synchronize()
    return time.perf_counter() - start


def tune(index: int = 0, size: int = 1024) -> list[tuple[Variant, float]]:
    """Time every variant that fits device ``index``, record the fastest for later processes; returns all, fastest first."""
    device = runtime(index)
    d = np.dtype(np.float32)
    speeds = [(v, measure(device, size, v)) for v in dict.fromkeys(CPU + GPU) if fits(device, v, d)]
    speeds.sort(key=lambda pair: -pair[1])
    path = record_path()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
    except (OSError, ValueError):
        record = {}
    record[_name(device)] = {"variant": list(speeds[0][0]), "gflops": round(speeds[0][1], 1), "size": size}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(record, file, indent=1)
    for key in [k for k in device.built if k[0] == "variant"]:
        del device.built[key]
    return speeds
