"""``torch.testing``: ``assert_close``, with PyTorch's tolerances and a report of what differs, and
``make_tensor``.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..arrays.dtypes import dtype, finfo, iinfo
from ..base.errors import describe, missing
from ..create import filled, random
from ..handles.tensor import Tensor
from ..ops.arguments import shape_of
from ..ops.surface import FUNCTIONS

if TYPE_CHECKING:
    from ..base.types import Array, DeviceLike

__all__ = ["assert_allclose", "assert_close", "make_tensor"]

# (rtol, atol) for values of a dtype; of two, the coarser counts
_TOLERANCES = {
    "bfloat16": (1.6e-2, 1e-5), "float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7), "complex64": (1.3e-6, 1e-5), "complex128": (1e-7, 1e-7),
}  # fmt: skip


class Closeness(NamedTuple):
    """When two values are close."""

    rtol: float | None  # None: the dtype's
    atol: float | None
    equal_nan: bool
    check_dtype: bool
    check_stride: bool
    subclasses: bool  # may a tensor of a subclass be compared with one of another class?


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
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raise AssertionError unless |actual - expected| <= atol + rtol * |expected| everywhere.

    Shapes and dtypes must be equal. Takes tensors, numbers, and sequences and mappings of them.
    ``check_stride`` compares these, too; ``allow_subclasses=False`` the tensors' classes.
    ``rtol`` and ``atol`` are PyTorch's for the dtype unless both are given. ``msg`` stands in place
    of the report; if it is a function, what it makes of the report does.
    """
    if (rtol is None) != (atol is None):
        raise ValueError(
            f"rtol and atol must both be specified or both be unspecified, but got rtol={rtol} and "
            f"atol={atol}"
        )
    close = Closeness(rtol, atol, equal_nan, check_dtype, check_stride, allow_subclasses)
    report = _difference(actual, expected, "", close)
    if report:
        raise AssertionError(report if msg is None else msg(report) if callable(msg) else msg)


def assert_allclose(
    actual: Any, expected: Any, rtol: float | None = None, atol: float | None = None,
    equal_nan: bool = True, msg: str = "",
) -> None:  # fmt: skip
    """``assert_close`` without a look at dtypes, as PyTorch called it first."""
    assert_close(
        actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False,
        msg=msg or None,
    )  # fmt: skip


def make_tensor(
    *shape: int | Sequence[int],
    dtype: dtype,
    device: DeviceLike,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: object = None,
) -> Tensor:
    """Random numbers on [low, high): [-9, 9) by default, integers to 9, and 0 or 1 of bools.

    ValueError for limits in the wrong order or outside of the dtype, and for integers' gradients.
    """
    sizes = shape_of(shape, "make_tensor")
    whole = not (dtype.is_floating_point or dtype.is_complex)
    if requires_grad and whole:
        what = "`requires_grad=True` is not supported for boolean and integral dtypes"
        raise ValueError(f"{what}, but got {dtype=}")
    first, last = (-9, 9 + whole) if dtype.numpy != np.bool_ else (0, 2)
    a, b = first if low is None else low, last if high is None else high
    least, most = (0, 2) if dtype.numpy == np.bool_ else _range(dtype)
    if a != a or b != b or a > b or (whole and a == b) or b <= least or a >= most:
        raise ValueError(f"`low` must be less than `high`, but got {a} and {b} of {dtype}")
    a, b = max(a, least), min(b, most)
    apart = noncontiguous and math.prod(sizes) > 1
    if apart:  # every second number of twice as many
        sizes = (*sizes[:-1], 2 * sizes[-1])
    if whole:
        out = random.randint(math.ceil(a), math.ceil(b), sizes, dtype=dtype, device=device)
    else:
        out = filled.empty(sizes, dtype=dtype, device=device)
        (FUNCTIONS["view_as_real"](out) if dtype.is_complex else out).uniform_(a, b)
    if apart:
        out = out[..., 1::2]
    if exclude_zero:
        out = out.masked_fill_(out == 0, 1 if whole else finfo(dtype).tiny)
    return out.requires_grad_(requires_grad)


def _range(d: dtype) -> tuple[float, float]:
    """The least and the greatest number of a dtype; no integer reaches the latter."""
    if d.is_floating_point or d.is_complex:
        return finfo(d).min, finfo(d).max
    return iinfo(d).min, iinfo(d).max + (d.itemsize < 8)


def _difference(a: Any, b: Any, at: str, close: Closeness) -> str:
    """What differs first, or an empty string. ``at``: the way from the arguments to here."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        if a.keys() != b.keys():
            keys = f"{sorted(map(str, a))} and {sorted(map(str, b))}"
            return f"The keys of the mappings do not match{at}: {keys}"
        pairs = [(k, a[k], b[k]) for k in a]
    elif _sequence(a) and _sequence(b):
        if len(a) != len(b):
            return f"The length of the sequences mismatch{at}: {len(a)} != {len(b)}"
        pairs = [(i, v, w) for i, (v, w) in enumerate(zip(a, b, strict=True))]
    else:
        return _value_difference(a, b, at, close)
    for key, v, w in pairs:
        found = _difference(v, w, f"{at}[{key!r}]", close)
        if found:
            return found
    return ""


def _sequence(x: object) -> bool:
    return isinstance(x, Sequence) and not isinstance(x, str)


def _in_double(v: Any) -> Any:
    """Floating and complex numbers with parts of float64; others as they are."""
    if v.dtype.kind == "c":
        return v.astype(np.complex128)
    return v.astype(np.float64) if v.dtype.kind in "fV" else v


def _value_difference(a: Any, b: Any, at: str, close: Closeness) -> str:
    item = f"\n\nThe failure occurred for item {at}" if at else ""
    if a is None or b is None:
        return "" if a is b else f"{a!r} and {b!r} are not equal{item}"
    strange = isinstance(a, str) or isinstance(b, str)
    if not close.subclasses and isinstance(a, Tensor):
        strange = strange or type(a) is not type(b)
    if strange or isinstance(a, Tensor) != isinstance(b, Tensor):
        raise TypeError(
            f"No comparison pair was able to handle inputs of type {type(a)} and {type(b)}.{item}"
        )
    x, y = (t.array if isinstance(t, Tensor) else np.asarray(t) for t in (a, b))
    if x.shape != y.shape:
        shapes = f"{describe(x)} != {describe(y)}"
        return f"The values for attribute 'shape' do not match: {shapes}.{item}"
    if close.check_dtype and isinstance(a, Tensor) and x.dtype != y.dtype:
        names = f"torch.{x.dtype.name} != torch.{y.dtype.name}"
        return f"The values for attribute 'dtype' do not match: {names}.{item}"
    if close.check_stride and isinstance(a, Tensor) and a.stride() != b.stride():
        strides = f"{a.stride()} != {b.stride()}"
        return f"The values for attribute 'stride()' do not match: {strides}.{item}"
    defaults = [_TOLERANCES.get(v.dtype.name, (0.0, 0.0)) for v in (x, y)]
    rtol = max(d[0] for d in defaults) if close.rtol is None else close.rtol
    atol = max(d[1] for d in defaults) if close.atol is None else close.atol
    x, y = (_in_double(v) for v in (x, y))
    equal = np.isclose(x, y, rtol=rtol, atol=atol, equal_nan=close.equal_nan)
    if equal.all():
        return ""
    kind = "Tensor-likes" if isinstance(a, Tensor) or x.ndim else "Scalars"
    return f"{kind} are not {_report(x, y, equal, rtol, atol)}{item}"


def _report(x: Array, y: Array, equal: Array, rtol: float, atol: float) -> str:
    """How far apart two arrays are, as PyTorch says it."""
    with np.errstate(all="ignore"):
        absolute = np.where(equal, 0, np.abs(x * 1.0 - y))
        relative = np.where(equal, 0, absolute / np.abs(y))
    if x.ndim == 0:
        return (
            f"close!\n\nExpected {y.item()} but got {x.item()}.\n"
            f"Absolute difference: {absolute.item()} (up to {atol} allowed)\n"
            f"Relative difference: {relative.item()} (up to {rtol} allowed)"
        )
    wrong = int((~equal).sum())
    return (
        f"{'equal' if rtol == atol == 0 else 'close'}!\n\n"
        f"Mismatched elements: {wrong} / {x.size} ({100 * wrong / x.size:.1f}%)\n"
        f"Greatest absolute difference: {_greatest(absolute)} (up to {atol} allowed)\n"
        f"Greatest relative difference: {_greatest(relative)} (up to {rtol} allowed)"
    )


def _greatest(differences: Array) -> str:
    flat = np.nanargmax(np.nan_to_num(differences, nan=np.inf))
    place = tuple(map(int, np.unravel_index(flat, differences.shape)))
    return f"{differences[place]} at index {place}"


__getattr__ = missing("torch.testing", __all__)
