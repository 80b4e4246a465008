"""Matrix products: the kernels of matmul.cl, and which variant of the tiled one a device gets.

A variant is a set of tile sizes. ``tune(device)`` times them all on the device and writes the order to a file
(``record_path``), which later processes read; without it a device gets the first that suits its kind.

    python -m microtorch.backends.opencl tune
"""
from __future__ import annotations

import json
import os
import time
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .array import Array, collapsed
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
    return f"#define T {C_TYPES[dtype.char]}\n{floating}{defines}{text_of('matmul')}"


def kernel(device: Runtime, dtype: np.dtype, variant: Variant, name: str) -> Kernel:
    key = (name, dtype.char, variant)
    found = device.built.get(key)
    if found is None:
        found = device.built[key] = device.kernel(text(dtype, variant), name, SIGNATURE, "matmul")
    return found


def launch(x: Array, y: Array, variant: Variant | None = None) -> Array:
    """x (b, m, k) @ y (b, k, n) -> (b, m, n), by the tiled kernel in ``variant``, or by the naive one."""
    (b, m, k), n, device = x.shape, y.shape[2], x.runtime
    out = empty(device, (b, m, n), x.dtype)
    arguments = (m, n, k, x.buffer, x.at, *x.steps, y.buffer, y.at, *y.steps, out.buffer)
    if variant is None:
        kernel(device, x.dtype, variant_for(device, x.dtype), "matmul_naive")((n, m, b), (64, 1, 1), *arguments)
    else:
        columns, rows, _ = local = variant.local
        tiled = kernel(device, x.dtype, variant, "matmul_tiled")
        tiled((-(-m // variant.BM) * columns, -(-n // variant.BN) * rows, b), local, *arguments)
    return out


def matmul(x: Array, y: Array, naive: bool = False) -> Array:
    """numpy's matmul on device arrays of one dtype. Raises ValueError where the shapes do not fit."""
    if not x.ndim or not y.ndim:
        raise ValueError("matmul: an operand has no dimensions")
    a = x.reshape(1, -1) if x.ndim == 1 else x
    b = y.reshape(-1, 1) if y.ndim == 1 else y
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(f"matmul: mismatch in its core dimension, {x.shape} @ {y.shape}")
    half = a.dtype.char == "e"
    if half:
        a, b = a.astype(np.float32), b.astype(np.float32)
    elif a.dtype != b.dtype:
        d = np.result_type(a.dtype, b.dtype)
        a, b = a.astype(d, copy=False), b.astype(d, copy=False)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    m, n, k = a.shape[-2], b.shape[-1], a.shape[-1]
    shape = (*batch, *((m,) if x.ndim > 1 else ()), *((n,) if y.ndim > 1 else ()))
    if not a.size or not b.size:
        return x.dev.full((*batch, m, n), 0, a.dtype).reshape(shape).astype(x.dtype, copy=False)
    if b.ndim == 2 and a.ndim > 2 and a.flat:  # one matrix for a whole batch: one large product
        a, merged = a.reshape(1, -1, k), True
    else:
        a, merged = _batched(a, batch), False
    b = _batched(b, () if merged else batch)
    variant = None if naive else variant_for(x.runtime, a.dtype)
    out = launch(a, b, variant).reshape(shape)
    out = Array(out.runtime, out.buffer, out.dtype, out.shape)
    return out.astype(np.float16) if half else out


def _batched(x: Array, batch: tuple[int, ...]) -> Array:
    """x as (b, rows, columns) with evenly spaced matrices: a view, or a copy where the batch dimensions do not merge."""
    if x.ndim == 2:
        count = int(np.prod(batch))
        return x.view_of((count, *x.shape), (0, *x.steps))
    if x.ndim == 3 and len(batch) == 1:
        return x.expand((*batch, *x.shape[-2:]))
    x = x.expand((*batch, *x.shape[-2:]))
    sizes, (steps,) = collapsed(batch, x.steps[:-2])
    if len(sizes) > 1 or any(a < b for a, b in pairwise(x.steps[:-2])):
        return x.copy().reshape((-1, *x.shape[-2:]))
    return x.view_of((int(np.prod(batch)), *x.shape[-2:]), (steps[0] if steps else 0, *x.steps[-2:]))


# ---- choosing the variant ------------------------------------------------------------------------------------------
def measure(device: Runtime, size: int, variant: Variant | None, rounds: int = 5) -> float:
    """Floating-point operations per second (1e9) of a float32 product of two ``size`` x ``size`` matrices."""
    x, y = (upload(device, np.random.default_rng(i).standard_normal((1, size, size), np.float32)) for i in (0, 1))
    launch(x, y, variant)
    device.synchronize()
    best = min(_seconds(lambda: launch(x, y, variant), device) for _ in range(rounds))
    return 2 * size**3 / best / 1e9


def _seconds(run: Any, device: Runtime) -> float:
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
