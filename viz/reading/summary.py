"""Numbers and arrays as a trace keeps them: small ones whole, of large ones a summary."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from microtorch.backends import host

from .trace import Value

FULL = 1024  # up to so many elements a trace keeps them all
ROWS, COLUMNS = 4, 16  # cells of a thumbnail


def summary(x: Any) -> Value | None:
    """A number or array as a ``Value``. Of complex numbers the range and the cells are their sizes.

    None for None, and for the gradients of several outputs, which are no array.
    """
    if x is None or isinstance(x, dict):
        return None
    if isinstance(x, (int, float)):
        return Value(number=x, rms=abs(float(x)), low=float(x), high=float(x))
    x = np.asarray(host(x))
    if x.size == 1:
        v = x.reshape(()).item()
        f = abs(v) if isinstance(v, complex) else float(v)
        full = x.tolist() if x.ndim else None
        cells: list[list[float | None]] = [[f]] if x.ndim else []
        return Value(v, abs(f), f, f, cells, False, full)
    if x.size == 0:
        return Value(full=x.tolist())
    f = (np.abs(x) if x.dtype.kind == "c" else x).astype(np.float64)
    with np.errstate(all="ignore"):
        cells, pooled = thumbnail(f)
    full = x.tolist() if x.size <= FULL else None
    return Value(None, rms(f), float(f.min()), float(f.max()), cells, pooled, full)


def rms(x: Any) -> float:
    """The root mean square over the elements, also where their squares over- or underflow."""
    f = np.asarray(host(x))
    f = (np.abs(f) if f.dtype.kind == "c" else f).astype(np.float64, copy=False)
    if not f.size:
        return 0.0
    with np.errstate(all="ignore"):
        size = float(np.sqrt(np.mean(f * f)))
        if size == 0.0 or math.isinf(size):
            scale = float(np.abs(f).max())
            finite = 0 < scale < math.inf
            size = scale * float(np.sqrt(np.mean((f / scale) ** 2))) if finite else scale
    return size


def thumbnail(f: np.ndarray) -> tuple[list[list[float | None]], bool]:
    """At most ROWS x COLUMNS cells, and whether each is the average of several elements.

    A vector is one row.
    """
    f = f.reshape(1, -1) if f.ndim < 2 else f.reshape(-1, f.shape[-1])
    if f.shape[1] == 1:
        f = f.T  # vectors lie down
    pooled = f.shape[0] > ROWS or f.shape[1] > COLUMNS
    for axis, most in ((0, ROWS), (1, COLUMNS)):
        if f.shape[axis] > most:
            starts = np.linspace(0, f.shape[axis], most + 1).astype(int)[:-1]
            sizes = np.diff(np.append(starts, f.shape[axis]))
            f = np.add.reduceat(f, starts, axis=axis) / (sizes[:, None] if axis == 0 else sizes)
    return f.tolist(), pooled


def number(x: Any) -> float | None:
    """The one element of a value; None for several, for what was freed, and for a complex one."""
    if x is None or isinstance(x, dict) or np.size(x) != 1 or np.iscomplexobj(x):
        return None
    return float(np.asarray(x).reshape(()))
