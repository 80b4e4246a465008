"""Tensors that are filled or counted: zeros, ones, eye, arange, linspace."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..arrays import dtypes
from ..arrays.rounding import fma
from ..backends import home
from ..base.errors import message
from ..base.naming import named
from ..engine.record import constant
from ..handles.methods import bind_methods
from ..handles.tensor import Tensor
from ..ops.arguments import shape_of
from .data import tensor
from .finish import export, finish

# ---- filled --------------------------------------------------------------------------------------
Make = Callable[..., Any]


def _filled(name: str, make: Make, doc: str, random: bool = False) -> None:
    def create(
        *size: Any,
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        out: Any = None,
        layout: Any = None,
        pin_memory: bool = False,
        memory_format: Any = None,
        **named: Any,
    ) -> Tensor:
        draw = {}
        if named:
            size = (named.pop("size"),) if "size" in named else size
            if random and "generator" in named:
                draw["generator"] = named.pop("generator")
            if named:
                raise TypeError(
                    message(f"{name}() got an unexpected keyword argument '{next(iter(named))}'")
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
        d = dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype)
        dev = home(device, d)
        return finish(make(dev, shape, d, **draw), dev.device, requires_grad)

    def like(
        input: Tensor,
        *,
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        memory_format: Any = None,
        layout: Any = None,
    ) -> Tensor:
        d = input.array.dtype if dtype is None else dtypes.as_numpy(dtype)
        dev = home(device or input.device, d)
        return finish(make(dev, input.array.shape, d), dev.device, requires_grad)

    def new(
        self: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        d = self.array.dtype if dtype is None else dtypes.as_numpy(dtype)
        dev = home(device or self.device, d)
        return finish(make(dev, shape_of(size, f"new_{name}"), d), dev.device, requires_grad)

    for suffix, f, what in (
        ("", create, ""),
        ("_like", like, " in the shape, dtype and device of ``input``"),
    ):
        f.__doc__ = doc + what + "."
        globals()[name + suffix] = export(named(f, name + suffix))
    if name in ("zeros", "ones", "empty"):
        doc = f"{doc} in this tensor's dtype and device."
        bind_methods({f"new_{name}": named(new, f"new_{name}", doc)})


_filled(
    "empty",
    lambda F, shape, d: F.empty(shape, d),
    "A tensor whose elements are whatever the memory held",
)


_filled("zeros", lambda F, shape, d: F.zeros(shape, d), "A tensor of zeros")


_filled("ones", lambda F, shape, d: F.full(shape, 1, d), "A tensor of ones")


_filled(
    "rand",
    lambda F, shape, d, **k: F.draws.uniform(shape, d, **k),
    "Uniform random numbers in [0, 1)",
    random=True,
)


_filled(
    "randn",
    lambda F, shape, d, **k: F.draws.normal(shape, d, **k),
    "Standard normal random numbers",
    random=True,
)


@export
def full(
    size: Sequence[int],
    fill_value: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of ``size`` filled with one number, of that number's dtype unless given."""
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    d = dtypes.of_number(value) if dtype is None else dtypes.as_numpy(dtype)
    shape = shape_of((size,), "full")
    dev = home(device, d)
    return finish(dev.full(shape, value, d), dev.device, requires_grad)


@export
def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """full(input.shape, fill_value) in input's dtype."""
    return full(
        input.array.shape,
        fill_value,
        dtype=dtype or input.dtype,
        device=device or input.device,
        requires_grad=requires_grad,
    )


def _new_full(self: Tensor, size: Sequence[int], fill_value: Any, **options: Any) -> Tensor:
    return full(size, fill_value, **{"dtype": self.dtype, "device": self.device, **options})


def _new_tensor(self: Tensor, data: Any, **options: Any) -> Tensor:
    return tensor(data, **{"dtype": self.dtype, "device": self.device, **options})


for _f, _doc in (
    (_new_full, "full() in this tensor's dtype."),
    (_new_tensor, "tensor() in this tensor's dtype."),
):
    _name = _f.__name__[1:]
    bind_methods({_name: named(_f, _name, _doc)})


@export
def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The identity matrix (n, m)."""
    return finish(
        np.eye(n, m, dtype=dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype)),
        device,
        requires_grad,
    )


@export
def arange(
    start: Any = None,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """start, start + step, ... up to but without ``end``; int64 if all are integers, else the
    default dtype.
    """
    if end is None:
        start, end = 0, start
    if end is None:
        raise TypeError(message("arange() takes at least an end", fix="torch.arange(10)"))
    start = 0 if start is None else start
    start, end, step = (v.item() if isinstance(v, Tensor) else v for v in (start, end, step))
    if step == 0 or (end - start) * step < 0:
        what = (
            "step must be nonzero"
            if step == 0
            else "upper bound and lower bound inconsistent with step sign"
        )
        raise RuntimeError(message(what, f"arange({start}, {end}, {step})"))
    integers = all(isinstance(v, (int, np.integer)) for v in (start, end, step))
    d = (
        dtypes.as_numpy(dtype)
        if dtype is not None
        else dtypes.I64
        if integers
        else dtypes.default_numpy()
    )
    n = int(np.ceil((end - start) / step)) if not integers else len(range(start, end, step))
    return finish((start + np.arange(n) * step).astype(d), device, requires_grad)


@export
def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``steps`` numbers evenly spaced from ``start`` to ``end``, both included."""
    d = dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype)
    if steps < 0:
        raise RuntimeError(
            message("number of steps must be non-negative", f"linspace(steps={steps})")
        )
    first, last = (v.item() if isinstance(v, Tensor) else v for v in (start, end))
    if d not in (dtypes.F32, dtypes.F64) or steps < 2:
        return finish(
            np.linspace(float(first), float(last), steps).astype(d), device, requires_grad
        )
    # from both ends to the middle, each number rounded once: PyTorch's numbers, to the last bit
    first, last, half = d.type(first), d.type(last), steps // 2
    step = (last - first) / d.type(steps - 1)
    up = fma(np.arange(half).astype(d), step, first)
    down = fma(np.arange(steps - half - 1, -1, -1).astype(d), -step, last)
    return finish(np.concatenate([up, down]), device, requires_grad)


@export
def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """base ** linspace(start, end, steps)."""
    d = dtypes.default_numpy() if dtype is None else dtypes.as_numpy(dtype)
    return finish(
        (float(base) ** np.linspace(float(start), float(end), steps)).astype(d),
        device,
        requires_grad,
    )


@export
def tril_indices(row: int, col: int, offset: int = 0) -> Tensor:
    """Row and column indices (2, n) of the lower triangle."""
    return constant(np.stack(np.tril_indices(row, offset, col)).astype(np.int64))


@export
def triu_indices(row: int, col: int, offset: int = 0) -> Tensor:
    """Row and column indices (2, n) of the upper triangle."""
    return constant(np.stack(np.triu_indices(row, offset, col)).astype(np.int64))
