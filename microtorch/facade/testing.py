"""``torch.testing``:

``assert_close``, with PyTorch's tolerances and a report of how far apart two tensors are.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..base.errors import describe, missing
from ..handles.tensor import Tensor

__all__ = ["assert_close"]

# (rtol, atol) for values of the dtype, in both operands the coarser
_TOLERANCES = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: Any = None,
) -> None:
    """Raise AssertionError unless |actual - expected| <= atol + rtol * |expected| everywhere, with
    equal shapes and dtypes.

    Takes tensors, numbers, and sequences and mappings of them. ``rtol`` and ``atol`` default to
    PyTorch's for the dtype, and are given both or neither. ``msg`` replaces the report, or, called
    with it, rewrites it.
    """
    if (rtol is None) != (atol is None):
        raise ValueError(
            f"rtol and atol must both be specified or both be unspecified, but got rtol={rtol} and "
            f"atol={atol}"
        )
    report = _difference(actual, expected, "", rtol, atol, equal_nan, check_dtype)
    if report:
        raise AssertionError(report if msg is None else msg(report) if callable(msg) else msg)


def _difference(
    a: Any, b: Any, at: str, rtol: Any, atol: Any, equal_nan: bool, check_dtype: bool
) -> str:
    """What differs first, or an empty string."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        if a.keys() != b.keys():
            return f"The keys of the mappings do not match{at}: {sorted(map(str, a))} and {sorted(map(str, b))}"
        pairs = [(k, a[k], b[k]) for k in a]
    elif _sequence(a) and _sequence(b):
        if len(a) != len(b):
            return f"The length of the sequences mismatch{at}: {len(a)} != {len(b)}"
        pairs = [(i, v, w) for i, (v, w) in enumerate(zip(a, b, strict=True))]
    else:
        return _values(a, b, at, rtol, atol, equal_nan, check_dtype)
    for key, v, w in pairs:
        found = _difference(v, w, f"{at}[{key!r}]", rtol, atol, equal_nan, check_dtype)
        if found:
            return found
    return ""


def _sequence(x: Any) -> bool:
    return isinstance(x, Sequence) and not isinstance(x, str)


def _values(
    a: Any, b: Any, at: str, rtol: Any, atol: Any, equal_nan: bool, check_dtype: bool
) -> str:
    item = f"\n\nThe failure occurred for item {at}" if at else ""
    if a is None or b is None or isinstance(a, str) or isinstance(b, str):
        return "" if a == b else f"{a!r} and {b!r} are not equal{item}"
    if isinstance(a, Tensor) != isinstance(b, Tensor):
        raise TypeError(
            f"No comparison pair was able to handle inputs of type {type(a)} and {type(b)}.{item}"
        )
    x, y = (t.array if isinstance(t, Tensor) else np.asarray(t) for t in (a, b))
    if x.shape != y.shape:
        return (
            f"The values for attribute 'shape' do not match: {describe(x)} != {describe(y)}.{item}"
        )
    if check_dtype and isinstance(a, Tensor) and x.dtype != y.dtype:
        return f"The values for attribute 'dtype' do not match: torch.{x.dtype.name} != torch.{y.dtype.name}.{item}"
    if rtol is None:
        defaults = [_TOLERANCES.get(v.dtype.name, (0.0, 0.0)) for v in (x, y)]
        rtol, atol = max(d[0] for d in defaults), max(d[1] for d in defaults)
    x, y = (v.astype(np.float64) if v.dtype.kind == "f" else v for v in (x, y))
    close = np.isclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan)
    if close.all():
        return ""
    with np.errstate(all="ignore"):
        absolute = np.where(close, 0, np.abs(x.astype(np.float64) - y.astype(np.float64)))
        relative = np.where(close, 0, absolute / np.abs(y))
    worst_a, worst_r = (
        np.unravel_index(np.nanargmax(np.nan_to_num(e, nan=np.inf)), x.shape)
        for e in (absolute, relative)
    )
    if x.ndim == 0:
        kind = "Tensor-likes" if isinstance(a, Tensor) else "Scalars"
        return (
            f"{kind} are not close!\n\nExpected {y.item()} but got {x.item()}.\nAbsolute "
            f"difference: {absolute.item()} "
            f"(up to {atol} allowed)\nRelative difference: {relative.item()} (up to {rtol} "
            f"allowed){item}"
        )
    wrong = int((~close).sum())
    return (
        f"Tensor-likes are not {'equal' if rtol == atol == 0 else 'close'}!\n\n"
        f"Mismatched elements: {wrong} / {x.size} ({100 * wrong / x.size:.1f}%)\n"
        f"Greatest absolute difference: {absolute[worst_a]} at index {tuple(map(int, worst_a))} "
        f"(up to {atol} allowed)\n"
        f"Greatest relative difference: {relative[worst_r]} at index {tuple(map(int, worst_r))} "
        f"(up to {rtol} allowed){item}"
    )


__getattr__ = missing(__name__, __all__)
