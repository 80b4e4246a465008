"""Tensors that are filled or counted: zeros, ones, eye, arange, linspace."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes, rounding
from ..arrays.memory_format import preserve_format
from ..arrays.memory_order import in_memory_order, outermost_first
from ..arrays.rounding import stepped
from ..backends import cpu, defines, home
from ..base.errors import message
from ..base.naming import named
from ..engine.operands import element
from ..handles.methods import bind_methods
from ..handles.size import sizes_or_data
from ..handles.tensor import Tensor
from ..ops.arguments import shape_of
from .data import tensor
from .finish import check_layout, chosen, export, finish

if TYPE_CHECKING:
    from ..arrays.layout import layout
    from ..arrays.memory_format import memory_format
    from ..base.types import (
        AnyNumber,
        Array,
        Backend,
        DeviceLike,
        DType,
        DTypeLike,
        Namespace,
        Shape,
    )  # fmt: skip


# ---- filled --------------------------------------------------------------------------------------
Create = Callable[..., Tensor]


def laid_out_as(
    input: Tensor, memory_format: object, dev: Backend, make: Callable[..., Array], d: DType
) -> Array:
    """``make(dev, shape, d)`` in the shape of ``input``, and in its order in memory.

    In rows if ``memory_format`` asks for that. Normal numbers are drawn in another way where they
    do not lie in rows (``normal`` in arrays/continuous.py).
    """
    x = input.array
    if x.flags.c_contiguous or memory_format not in (None, preserve_format):
        return make(dev, x.shape, d)
    order = [i for i in outermost_first(x) if x.shape[i] > 1]
    more = {"contiguous": order == sorted(order)} if make is _normal else {}
    return in_memory_order(x, lambda shape: make(dev, shape, d, **more))


def _normal(F: Backend, shape: Shape, d: DType, **options: Any) -> Array:
    return F.draws.normal(shape, d, **options)


def _filled(
    name: str, make: Callable[..., Array], doc: str, random: bool = False
) -> tuple[Create, Create]:
    """Export ``name`` and ``name_like``; ``make(backend, shape, dtype)`` makes the array.

    zeros, ones and empty are also methods (``new_zeros``). ``random``: make takes a generator.
    """

    def create(
        *size: int | Sequence[int],
        dtype: DTypeLike | None = None,
        device: DeviceLike | None = None,
        requires_grad: bool = False,
        memory_format: memory_format | None = None,
        **more: Any,
    ) -> Tensor:
        draw = {}
        if more:
            size = (more.pop("size"),) if "size" in more else size
            if random and "generator" in more:
                draw["generator"] = more.pop("generator")
            if more:
                raise TypeError(
                    message(f"{name}() got an unexpected keyword argument '{next(iter(more))}'")
                )
        shape = shape_of(size, name)
        if any(n < 0 for n in shape):
            raise RuntimeError(
                message(
                    f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}"
                )
            )
        d = chosen(dtype)
        dev = home(device, d)
        return finish(make(dev, shape, d, **draw), dev.device, requires_grad)

    def like(
        input: Tensor,
        *,
        dtype: DTypeLike | None = None,
        device: DeviceLike | None = None,
        requires_grad: bool = False,
        memory_format: memory_format | None = None,
    ) -> Tensor:
        d = chosen(dtype, input.array.dtype)
        dev = input.node.dev.of(d) if device is None else home(device, d)
        return finish(laid_out_as(input, memory_format, dev, make, d), dev.device, requires_grad)

    def new(
        self: Tensor,
        *size: int | Sequence[int],
        dtype: DTypeLike | None = None,
        device: DeviceLike | None = None,
        requires_grad: bool = False,
        layout: layout | None = None,
        pin_memory: bool = False,
    ) -> Tensor:
        check_layout(f"new_{name}", layout)
        d = chosen(dtype, self.array.dtype)
        dev = self.node.dev.of(d) if device is None else home(device, d)
        return finish(make(dev, shape_of(size, f"new_{name}"), d), dev.device, requires_grad)

    if not random:
        method_doc = f"{doc} in this tensor's dtype and device."
        bind_methods({f"new_{name}": named(new, f"new_{name}", method_doc)})
    like_doc = f"{doc} in the shape, dtype and device of ``input``."
    return (
        export(named(create, name, f"{doc}.")),
        export(named(like, f"{name}_like", like_doc)),
    )


empty, empty_like = _filled(
    "empty",
    lambda F, shape, d: F.empty(shape, d),
    "A tensor whose elements are whatever the memory held",
)
zeros, zeros_like = _filled("zeros", lambda F, shape, d: F.zeros(shape, d), "A tensor of zeros")
ones, ones_like = _filled("ones", lambda F, shape, d: F.full(shape, 1, d), "A tensor of ones")
rand, rand_like = _filled(
    "rand",
    lambda F, shape, d, **k: F.draws.uniform(shape, d, **k),
    "Uniform random numbers in [0, 1)",
    random=True,
)
randn, randn_like = _filled(
    "randn",
    _normal,
    "Standard normal random numbers",
    random=True,
)


@export
def full(
    size: Sequence[int],
    fill_value: Tensor | AnyNumber,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of ``size`` filled with one number, of that number's dtype unless given."""
    value = _number(fill_value)
    d = chosen(dtype, dtypes.of_number(value))
    shape = shape_of((size,), "full")
    dev = home(device, d)
    return finish(dev.full(shape, element(value, d).item(), d), dev.device, requires_grad)


@export
def full_like(
    input: Tensor,
    fill_value: Tensor | AnyNumber,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
    memory_format: memory_format | None = None,
) -> Tensor:
    """full(input.shape, fill_value) in input's dtype, laid out in memory as input."""
    d = chosen(dtype, input.array.dtype)
    dev = input.node.dev.of(d) if device is None else home(device, d)
    value = element(_number(fill_value), d).item()
    array = laid_out_as(input, memory_format, dev, lambda F, shape, d: F.full(shape, value, d), d)
    return finish(array, dev.device, requires_grad)


def new_full(
    self: Tensor, size: Sequence[int], fill_value: Tensor | AnyNumber, *,
    dtype: DTypeLike | None = None, device: DeviceLike | None = None, requires_grad: bool = False,
    layout: layout | None = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """full() in this tensor's dtype and device, unless others are named."""
    check_layout("new_full", layout)
    value, d = _number(fill_value), chosen(dtype, self.array.dtype)
    dev = self.node.dev.of(d) if device is None else home(device, d)
    shape = shape_of((size,), "full")
    return finish(dev.full(shape, element(value, d).item(), d), dev.device, requires_grad)


def new_tensor(self: Tensor, data: Any, **options: Any) -> Tensor:
    """tensor() in this tensor's dtype and device, unless ``options`` name others."""
    return tensor(data, **{"dtype": self.dtype, "device": self.device, **options})


def new(self: Tensor, *data: int | Sequence[int], **given: object) -> Tensor:
    """PyTorch's old constructor: of sizes, without initial values; of a list or array, a copy."""
    shape, source = sizes_or_data(data, given)
    return new_tensor(self, source) if shape is None else self.new_empty(shape)


bind_methods({"new_full": new_full, "new_tensor": new_tensor, "new": new})


@export
def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """The identity matrix (n, m)."""
    for name, size in (("n", n), ("m", m)):
        if size is not None and size < 0:
            raise RuntimeError(message(f"{name} must be greater or equal to 0, got {size}"))
    return finish(np.eye(n, m, dtype=chosen(dtype)), device, requires_grad)


MOST = 2**60 - 1  # numbers of 8 bytes that an address can reach


@export
def arange(
    start: Tensor | AnyNumber | None = None,
    end: Tensor | AnyNumber | None = None,
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
    if end is None:
        start, end = 0, start
    if end is None:
        raise TypeError(message("arange() takes at least an end", fix="torch.arange(10)"))
    first, stop, by = (_number(v) for v in (0 if start is None else start, end, step))
    if any(isinstance(v, complex) for v in (first, stop, by)):
        what = "value cannot be converted to type double without overflow"
        raise RuntimeError(message(what, f"arange({first}, {stop}, {by})"))
    if not (math.isfinite(first) and math.isfinite(stop)):
        raise RuntimeError(message(f"unsupported range: {first} -> {stop}"))
    if not abs(by) > 0 or (stop - first) * by < 0:
        wrong = "upper bound and lower bound inconsistent with step sign"
        what = wrong if abs(by) > 0 else "step must be nonzero"
        raise RuntimeError(message(what, f"arange({first}, {stop}, {by})"))
    integers = all(isinstance(v, (int, np.integer)) for v in (first, stop, by))
    d = chosen(dtype, dtypes.I64 if integers else None)
    if d.kind in "bc":
        kind = dtypes.TORCH_TYPES[d.name]
        raise NotImplementedError(message(f"\"arange_cpu\" not implemented for '{kind}'"))
    call = f"arange({first}, {stop}, {by})"
    size, whole = (stop - first) / by, integers or d.kind in "iu"
    if whole:
        integers = integers or d == dtypes.I64
        first, stop, by = (_to_int64(v, call) for v in (first, stop, by))
        if by == 0 and integers:
            what = "step must be nonzero"
            raise ValueError(message(what, f"{call} cuts it to 0", fix="a floating dtype"))
        size = -((first - stop) // by) if integers else size
    if size > MOST:
        raise RuntimeError(message("invalid size, possible overflow?", call))
    n = math.ceil(size)
    if n and d.kind in "fV":
        exact = max(abs(first), abs(stop)) <= (256 if d.itemsize == 2 else 2**24)
        if not (exact and first == int(first) and by == int(by)):
            return finish(stepped(first, by, n, d), device, requires_grad)
    numbers: Array = np.arange(n, dtype=np.int64 if whole else np.float64)
    if by != 1:
        numbers *= by
    if first != 0:
        numbers += first
    return finish(numbers.astype(d, copy=False), device, requires_grad)


def _to_int64(value: float, call: str) -> int:
    if not -(2**63) <= value < 2**63:
        what = "value cannot be converted to type int64_t without overflow"
        raise RuntimeError(message(what, call))
    return int(value)


def _number(value: Tensor | AnyNumber) -> Any:
    return value.item() if isinstance(value, Tensor) else value


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
    first, last = _number(start), _number(end)
    d = chosen(dtype, _of_ends(first, last))
    if steps < 0:
        raise RuntimeError(
            message("number of steps must be non-negative", f"linspace(steps={steps})")
        )
    if d not in (dtypes.F32, dtypes.F64) or steps < 2:
        numbers = _evenly(first, last, steps, complex if d.kind == "c" else float)
        if d.kind in "iu" and steps:
            _to_int64(first, f"linspace({first}, {last})")
            _to_int64(last, f"linspace({first}, {last})")
        return finish(numbers.astype(d), device, requires_grad)
    return finish(cpu.of(d).spaced(first, last, steps), device, requires_grad)


def _evenly(first: Any, last: Any, steps: int, kind: type) -> Array:
    """numpy's linspace; of one step, the first number, also where one of them is infinite."""
    if steps == 1:
        return np.array([kind(first)])
    return np.linspace(kind(first), kind(last), steps)


@defines
def spaced(F: Namespace, first: float, last: float, steps: int) -> Array:
    """At least two numbers from ``first`` to ``last``, each rounded once."""
    d: Any = F.dtype
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
    if steps < 0:
        raise RuntimeError(
            message("number of steps must be non-negative", f"logspace(steps={steps})")
        )
    first, last = _number(start), _number(end)
    d = chosen(dtype, _of_ends(first, last, base))
    kind = complex if d.kind == "c" else float
    ends: list[Any] = [kind(first), kind(last)]
    if d.kind not in "fcV":
        ends = [math.trunc(v.real) for v in ends]
    exponents = _evenly(*ends, steps, kind)
    return finish((kind(base) ** exponents).astype(d), device, requires_grad)


def _of_ends(*numbers: AnyNumber) -> DType:
    """The default dtype, or the complex one if one of the numbers is complex."""
    d = dtypes.default_numpy()
    return dtypes.complex_type(d) if any(isinstance(v, complex) for v in numbers) else d


@export
def tril_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
) -> Tensor:
    """Row and column indices (2, n) of the lower triangle."""
    _check_sizes(row, col)
    ends = np.clip(np.arange(row) + offset + 1, 0, col)
    return _triangle(np.zeros_like(ends), ends, dtype, device)


@export
def triu_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
) -> Tensor:
    """Row and column indices (2, n) of the upper triangle."""
    _check_sizes(row, col)
    begins = np.clip(np.arange(row) + offset, 0, col)
    return _triangle(begins, np.full_like(begins, col), dtype, device)


def _check_sizes(row: int, col: int) -> None:
    for name, size in (("row", row), ("col", col)):
        if size < 0:
            raise RuntimeError(message(f"{name} must be non-negative, got {size}"))


def _triangle(
    begins: Array, ends: Array, dtype: DTypeLike | None, device: DeviceLike | None
) -> Tensor:
    """The indices of the elements from ``begins`` to ``ends`` of each row."""
    counts = ends - begins
    both = np.empty((2, int(counts.sum())), np.int64)
    both[0] = np.repeat(np.arange(len(counts)), counts)
    before = np.cumsum(counts) - counts
    both[1] = np.arange(both.shape[1])
    both[1] -= np.repeat(before - begins, counts)
    return finish(both.astype(chosen(dtype, dtypes.I64), copy=False), device, False)
