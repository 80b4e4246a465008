"""Numbers in equal steps: arange, linspace, logspace."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..arrays import dtypes, rounding
from ..backends import cpu, defines
from ..base.errors import message
from ..engine.argument_types import is_int
from ..engine.operands import NUMBERS, element
from ..engine.out import NOT_GIVEN
from .finish import chosen, export, finish, number

if TYPE_CHECKING:
    from ..base.types import (
        AnyNumber,
        Argument,
        Array,
        DeviceLike,
        DType,
        DTypeLike,
        Namespace,
        Setting,
    )
    from ..handles.tensor import Tensor

MOST = 2**60 - 1  # numbers of 8 bytes that an address can reach


def _whole(*numbers: Argument) -> Tensor:
    """``arange`` of one or two ints, the common case: a hot path."""
    for n in numbers:
        if type(n) is not int:
            return arange(*numbers)
    if not 1 <= len(numbers) <= 2:
        return arange(*numbers)
    first, end = numbers if len(numbers) == 2 else (0, *numbers)
    if not -MOST < first <= end < MOST:
        return arange(*numbers)
    return finish(np.arange(first, end), None, False)


def arange(
    start: Tensor | AnyNumber = NOT_GIVEN,
    end: Tensor | AnyNumber = NOT_GIVEN,
    step: Tensor | AnyNumber = 1,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """start, start + step, ... up to but without ``end``.

    int64 if all three are integers, else of the default dtype. In an integer dtype all three are
    cut to integers; for int64 that comes before the count, for the others after it. ValueError for
    an int64 step that is cut to 0.
    """
    if end is NOT_GIVEN:
        start, end = 0, start
    if end is NOT_GIVEN:
        raise TypeError(message("arange() takes at least an end", fix="torch.arange(10)"))
    first, stop, by = number(0 if start is NOT_GIVEN else start), number(end), number(step)
    given = first, stop, by
    _check_range(first, stop, by)
    integers = float not in map(type, given)
    integers = integers and all([isinstance(v, (int, np.integer)) for v in given])
    d = chosen(dtype, dtypes.I64 if integers else None)
    if d.kind in "bc":
        kind = dtypes.TORCH_TYPES[d.name]
        raise NotImplementedError(message(f"\"arange_cpu\" not implemented for '{kind}'"))
    size, whole = (stop - first) / by, integers or d.kind in "iu"
    if whole:
        integers = integers or d == dtypes.I64
        first, stop, by = (_to_int64(v, given) for v in given)
        if by == 0 and integers:
            what = "step must be nonzero"
            raise ValueError(message(what, f"arange{given} cuts it to 0", fix="a floating dtype"))
        size = -((first - stop) // by) if integers else size
    if size > MOST:
        raise RuntimeError(message("invalid size, possible overflow?", f"arange{given}"))
    n = math.ceil(size)
    numbers: Array
    if n and d.kind in "fV":
        exact = max(abs(first), abs(stop)) <= (256 if d.itemsize == 2 else 2**24)
        if not (exact and first == int(first) and by == int(by)):
            numbers = (
                cpu.of(d).stepped(first, by, n) if d in (dtypes.F32, dtypes.F64)
                else rounding.stepped(first, by, n, d)
            )  # fmt: skip
            return finish(numbers, device, requires_grad)
    numbers = np.arange(n, dtype=np.int64 if whole else np.float64)
    if by != 1:
        numbers *= by
    if first != 0:
        numbers += first
    return finish(numbers.astype(d, copy=False), device, requires_grad)


export(arange, plain=_whole)


def _check_range(first: Setting, stop: Setting, by: Setting) -> None:
    """RuntimeError where no numbers lead from ``first`` to ``stop``."""
    given = first, stop, by  # written out only where it raises: a float's digits take 0.2 us
    if _any_complex(*given):
        what = "value cannot be converted to type double without overflow"
        raise RuntimeError(message(what, f"arange{given}"))
    if not (math.isfinite(first) and math.isfinite(stop)):
        raise RuntimeError(message(f"unsupported range: {first} -> {stop}"))
    if not abs(by) > 0 or (stop - first) * by < 0:
        wrong = "upper bound and lower bound inconsistent with step sign"
        what = wrong if abs(by) > 0 else "step must be nonzero"
        raise RuntimeError(message(what, f"arange{given}"))


def _to_int64(value: float, given: tuple[Setting, ...]) -> int:
    if not -(2**63) <= value < 2**63:
        what = "value cannot be converted to type int64_t without overflow"
        raise RuntimeError(message(what, f"arange{given}"))
    return int(value)


@export
def linspace(
    start: Tensor | AnyNumber,
    end: Tensor | AnyNumber,
    steps: int,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """``steps`` numbers evenly spaced from ``start`` to ``end``, both included."""
    first, last = number(start, RuntimeError), number(end, RuntimeError)
    d = chosen(dtype, _of_ends(first, last))
    _check_ends("linspace", first, last, d)
    _check_steps("linspace", steps)
    if d not in (dtypes.F32, dtypes.F64) or steps < 2:
        numbers = _evenly(first, last, steps, complex if d.kind == "c" else float)
        return finish(numbers.astype(d), device, requires_grad)
    return finish(cpu.of(d).spaced(first, last, steps), device, requires_grad)


def _check_steps(name: str, steps: int) -> None:
    if not is_int(steps):
        what = f"argument 'steps' must be int, not {type(steps).__name__}"
        raise TypeError(message(what, fix="int(steps)"))
    if steps < 0:
        raise RuntimeError(
            message("number of steps must be non-negative", f"{name}(steps={steps})")
        )


def _check_ends(name: str, first: Setting, last: Setting, d: DType) -> None:
    """Raise for numbers that dtype d does not hold, which would be cut off or wrap around."""
    if d.kind == "f" and type(first) in NUMBERS and type(last) in NUMBERS:
        return
    kind = dtypes.TORCH_TYPES[d.name]
    if d.kind != "c" and (isinstance(first, complex) or isinstance(last, complex)):
        inferred = f"torch.{name}(): inferred dtype complex can't be safely cast to passed dtype"
        raise RuntimeError(message(f"{inferred} {kind}", f"from {first} to {last}"))
    if d.kind == "b":
        raise NotImplementedError(message(f"\"{name}_cpu\" not implemented for '{kind}'"))
    for end in (first, last) if d.kind in "iu" else ():
        element(end, d)


def _evenly(first: Setting, last: Setting, steps: int, kind: type) -> Array:
    """numpy's linspace; of one step, the first number, also where one of them is infinite."""
    if steps == 1:
        return np.array([kind(first)])
    return np.linspace(kind(first), kind(last), steps)


@defines
def stepped(F: Namespace, first: float, by: float, n: int) -> Array:
    """first + i * by, rounded as PyTorch's arange rounds it."""
    return rounding.stepped(first, by, n, cast("DType", F.dtype))


@defines
def spaced(F: Namespace, first: float, last: float, steps: int) -> Array:
    """At least two numbers from ``first`` to ``last``, each rounded once."""
    d: Setting = F.dtype
    return rounding.spaced(first, last, steps, d)


@export
def logspace(
    start: Tensor | AnyNumber,
    end: Tensor | AnyNumber,
    steps: int,
    base: float = 10.0,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """base ** linspace(start, end, steps); for an integer dtype start and end are cut to integers.
    """
    _check_steps("logspace", steps)
    first, last = number(start, RuntimeError), number(end, RuntimeError)
    d = chosen(dtype, _of_ends(first, last, base))
    _check_ends("logspace", first, last, d)
    kind = complex if d.kind == "c" else float
    ends: list[Any] = [kind(first), kind(last)]
    if d.kind not in "fcV":
        ends = [math.trunc(v.real) for v in ends]
    exponents = _evenly(ends[0], ends[1], steps, kind)
    return finish((kind(base) ** exponents).astype(d), device, requires_grad)


def _of_ends(*numbers: AnyNumber) -> DType:
    """The default dtype, or the complex one if one of the numbers is complex."""
    d = dtypes.default_numpy()
    return dtypes.complex_type(d) if _any_complex(*numbers) else d


def _any_complex(*numbers: Argument) -> bool:
    for v in numbers:
        if isinstance(v, complex):
            return True
    return False
