"""Tensors that are filled or counted: zeros, ones, eye, arange, linspace."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes
from ..arrays.rounding import spaced
from ..backends import home
from ..base.errors import message
from ..base.naming import named
from ..engine.operands import element
from ..handles.methods import bind_methods
from ..handles.size import Size
from ..handles.tensor import Tensor
from ..ops.arguments import shape_of
from .data import tensor
from .finish import chosen, export, finish

if TYPE_CHECKING:
    from ..base.types import Array, DeviceLike, DTypeLike, Number


# ---- filled --------------------------------------------------------------------------------------
Create = Callable[..., Tensor]


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
        out: Tensor | None = None,
        layout: Any = None,
        pin_memory: bool = False,
        memory_format: Any = None,
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
        if out is not None:
            raise TypeError(
                message(f"{name}(): 'out' is not supported", fix=f"out.copy_(torch.{name}(...))")
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
        memory_format: Any = None,
        layout: Any = None,
    ) -> Tensor:
        d = chosen(dtype, input.array.dtype)
        dev = input.node.dev.of(d) if device is None else home(device, d)
        return finish(make(dev, input.array.shape, d), dev.device, requires_grad)

    def new(
        self: Tensor,
        *size: int | Sequence[int],
        dtype: DTypeLike | None = None,
        device: DeviceLike | None = None,
        requires_grad: bool = False,
    ) -> Tensor:
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
    lambda F, shape, d, **k: F.draws.normal(shape, d, **k),
    "Standard normal random numbers",
    random=True,
)


@export
def full(
    size: Sequence[int],
    fill_value: Tensor | Number,
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
    fill_value: Tensor | Number,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """full(input.shape, fill_value) in input's dtype."""
    out = new_full(input, input.array.shape, fill_value, dtype=dtype, device=device)
    return out.requires_grad_() if requires_grad else out


def new_full(
    self: Tensor, size: Sequence[int], fill_value: Tensor | Number, *,
    dtype: DTypeLike | None = None, device: DeviceLike | None = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """full() in this tensor's dtype and device, unless others are named."""
    value, d = _number(fill_value), chosen(dtype, self.array.dtype)
    dev = self.node.dev.of(d) if device is None else home(device, d)
    shape = shape_of((size,), "full")
    return finish(dev.full(shape, element(value, d).item(), d), dev.device, requires_grad)


def new_tensor(self: Tensor, data: Any, **options: Any) -> Tensor:
    """tensor() in this tensor's dtype and device, unless ``options`` name others."""
    return tensor(data, **{"dtype": self.dtype, "device": self.device, **options})


def new(self: Tensor, *data: int | Sequence[int]) -> Tensor:
    """PyTorch's old constructor: of sizes, without initial values; of a list or array, a copy."""
    if data and not isinstance(data[0], (int, Size)):
        return new_tensor(self, *data)
    return self.new_empty(*data or (0,))


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
    return finish(np.eye(n, m, dtype=chosen(dtype)), device, requires_grad)


@export
def arange(
    start: Tensor | Number | None = None,
    end: Tensor | Number | None = None,
    step: Tensor | Number = 1,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """start, start + step, ... up to but without ``end``.

    int64 if all three are integers, else of the default dtype.
    """
    if end is None:
        start, end = 0, start
    if end is None:
        raise TypeError(message("arange() takes at least an end", fix="torch.arange(10)"))
    first, stop, by = (_number(v) for v in (0 if start is None else start, end, step))
    if by == 0 or (stop - first) * by < 0:
        wrong = "upper bound and lower bound inconsistent with step sign"
        what = "step must be nonzero" if by == 0 else wrong
        raise RuntimeError(message(what, f"arange({first}, {stop}, {by})"))
    integers = all(isinstance(v, (int, np.integer)) for v in (first, stop, by))
    d = chosen(dtype, dtypes.I64 if integers else None)
    n = len(range(first, stop, by)) if integers else int(np.ceil((stop - first) / by))
    return finish((first + np.arange(n) * by).astype(d), device, requires_grad)


def _number(value: Tensor | Number) -> Any:
    return value.item() if isinstance(value, Tensor) else value


@export
def linspace(
    start: Tensor | Number,
    end: Tensor | Number,
    steps: int,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """``steps`` numbers evenly spaced from ``start`` to ``end``, both included."""
    d = chosen(dtype)
    if steps < 0:
        raise RuntimeError(
            message("number of steps must be non-negative", f"linspace(steps={steps})")
        )
    first, last = _number(start), _number(end)
    if d not in (dtypes.F32, dtypes.F64) or steps < 2:
        return finish(
            np.linspace(float(first), float(last), steps).astype(d), device, requires_grad
        )
    return finish(spaced(first, last, steps, d), device, requires_grad)


@export
def logspace(
    start: Tensor | Number,
    end: Tensor | Number,
    steps: int,
    base: float = 10.0,
    *,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """base ** linspace(start, end, steps)."""
    d = chosen(dtype)
    exponents = np.linspace(float(start), float(end), steps)
    return finish((float(base) ** exponents).astype(d), device, requires_grad)


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
    return _triangle(np.tril_indices, row, col, offset, dtype, device)


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
    return _triangle(np.triu_indices, row, col, offset, dtype, device)


def _triangle(
    indices: Any, row: int, col: int, offset: int, dtype: DTypeLike | None,
    device: DeviceLike | None,
) -> Tensor:  # fmt: skip
    both = np.stack(indices(row, offset, col))
    return finish(both.astype(chosen(dtype, dtypes.I64)), device, False)
