"""Tensors that are filled: zeros, ones, full, rand, eye; and the indices of triangles."""
from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes, quiet
from ..arrays.device import default
from ..arrays.memory_format import preserve_format
from ..arrays.memory_order import in_memory_order, outermost_first
from ..backends import cpu, home
from ..base.errors import message, no_memory
from ..base.naming import named
from ..engine.argument_types import check_type, is_int
from ..engine.handle import NotDense
from ..engine.operands import element
from ..engine.record import constant_of
from ..handles.tensor import Tensor
from ..ops.arguments import given_once, shape_of
from ..ops.surface import METHODS
from .finish import check_layout, chosen, export, finish, number

if TYPE_CHECKING:
    from ..arrays.layout import layout
    from ..arrays.memory_format import memory_format
    from ..base.types import (
        AnyNumber,
        Argument,
        Array,
        Backend,
        DeviceLike,
        DType,
        DTypeLike,
        Setting,
        Shape,
    )  # fmt: skip


# ---- filled --------------------------------------------------------------------------------------
Create = Callable[..., Tensor]


def sizes_of(size: Sequence[int | Sequence[int]], name: str) -> Shape:
    """``shape_of`` a new tensor. RuntimeError for negative sizes."""
    shape = shape_of(size, name)
    if shape and min(shape) < 0:
        raise RuntimeError(
            message(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
        )
    return shape


def laid_out_as(
    input: Tensor, memory_format: memory_format | None, dev: Backend,
    make: Callable[..., Array], d: DType, **draw: Setting,
) -> Array:  # fmt: skip
    """``make(dev, shape, d, **draw)`` in the shape of ``input``, and in its order in memory.

    As ``memory_format`` says if it is given. Normal numbers are drawn in another way where they
    do not lie in rows (``normal`` in arrays/continuous.py).
    """
    x = input.array
    if memory_format not in (None, preserve_format):
        check_type("torch", "memory_format", "memory_format", memory_format)
        return memory_format.made(x.shape, lambda shape: make(dev, shape, d, **draw))
    if x.flags.c_contiguous:
        return make(dev, x.shape, d, **draw)
    order = [i for i in outermost_first(x) if x.shape[i] > 1]
    if make is _normal:
        draw["contiguous"] = order == sorted(order)
    return in_memory_order(x, lambda shape: make(dev, shape, d, **draw))


def _normal(F: Backend, shape: Shape, d: DType, **options: Any) -> Array:
    return F.draws.normal(shape, d, **options)


def _list_in(more: dict[str, Argument], name: str) -> Argument:
    """The list of sizes that is given by name; TypeError for a number."""
    size = more.pop("size", None)
    if is_int(size):
        what = f"{name}(): argument 'size' must be tuple of ints, not {type(size).__name__}"
        raise TypeError(message(what, fix=f"size=({size},)"))
    return size


def _options(name: str, more: dict[str, Any], random: bool = False) -> dict[str, Any]:
    """What is left of the keyword arguments: of a ``random`` function its generator.

    TypeError for any other.
    """
    for keyword in more:
        if not random or keyword != "generator":
            raise TypeError(message(f"{name}() got an unexpected keyword argument '{keyword}'"))
    return more


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
        **more: Setting,
    ) -> Tensor:
        draw = {}
        if more or not size:
            size = given_once(name, "size", size, _list_in(more, name))
            draw = _options(name, more, random)
        shape = sizes_of(size, name)
        d = chosen(dtype)
        dev = home(device, d)
        if memory_format is not None:
            array = memory_format.made(shape, lambda shape: make(dev, shape, d, **draw))
            return finish(array, dev.device, requires_grad)
        return finish(make(dev, shape, d, **draw), dev.device, requires_grad)

    def plain(*size: Argument) -> Tensor:
        """``create`` of sizes alone: a hot path."""
        shape = size[0] if len(size) == 1 and type(size[0]) is tuple else size or create()
        for n in shape:
            if type(n) is not int or n < 0:
                return create(*size)
        if default.device is not None or (warnings.filters or quiet.NONE)[0] is not quiet.own:
            return create(*size)
        d = dtypes.default_numpy()
        dev = cpu.of(d)
        array = make(dev, shape, d)
        if type(array) is not np.ndarray:  # it is recorded, for a static graph
            return finish(array, dev.device, False)
        return constant_of(array, dev)

    def like(
        input: Tensor,
        *,
        dtype: DTypeLike | None = None,
        device: DeviceLike | None = None,
        requires_grad: bool = False,
        memory_format: memory_format | None = None,
        **more: Setting,
    ) -> Tensor:
        try:
            own = input.array.dtype
        except NotDense as met:
            if name not in ("zeros", "empty"):
                raise
            return met.tensor.without_elements(dtype, requires_grad)
        d = chosen(dtype, own)
        dev = input.node.dev.of(d) if device is None else home(device, d)
        draw = _options(f"{name}_like", more, random) if more else {}
        array = laid_out_as(input, memory_format, dev, make, d, **draw)
        return finish(array, dev.device, requires_grad)

    def plain_like(input: Tensor) -> Tensor:
        """``like`` without options, of an array in rows: a hot path."""
        x = getattr(input, "array", None)
        if type(x) is not np.ndarray or not x.flags.c_contiguous:
            return like(input)
        dev = input.node.dev
        array = make(dev, x.shape, x.dtype)
        if type(array) is not np.ndarray:  # it is recorded, for a static graph
            return finish(array, dev.device, False)
        return constant_of(array, dev)

    def new(
        self: Tensor,
        *size: int | Sequence[int],
        dtype: DTypeLike | None = None,
        device: DeviceLike | None = None,
        requires_grad: bool = False,
        layout: layout | None = None,
        pin_memory: bool = False,
        **more: Setting,
    ) -> Tensor:
        check_layout(f"new_{name}", layout)
        if more or not size:
            size = given_once(f"new_{name}", "size", size, _list_in(more, f"new_{name}"))
            _options(f"new_{name}", more)
        d = chosen(dtype, self.array.dtype)
        dev = self.node.dev.of(d) if device is None else home(device, d)
        try:
            array = make(dev, sizes_of(size, f"new_{name}"), d)
        except (MemoryError, ValueError) as e:
            raise no_memory(e) from None
        return finish(array, dev.device, requires_grad)

    if not random:
        method_doc = f"{doc} in this tensor's dtype and device."
        METHODS[f"new_{name}"] = named(new, f"new_{name}", method_doc)
    like_doc = f"{doc} in the shape, dtype and device of ``input``."
    return (
        export(named(create, name, f"{doc}."), plain=plain),
        export(named(like, f"{name}_like", like_doc), plain=plain_like),
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


def _list_of_sizes(size: Sequence[int], name: str) -> Shape:
    """``sizes_of`` a list; TypeError for one number, whose place a value has otherwise."""
    given = size if type(size) is tuple else _list_in({"size": size}, name)
    return sizes_of((given,), name)


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
    value = number(fill_value)
    d = chosen(dtype, dtypes.of_number(value))
    shape = _list_of_sizes(size, "full")
    dev = home(device, d)
    if type(value) is not float or d is not dtypes.F32 or not abs(value) < 1e38:
        value = element(value, d).item()
    return finish(dev.full(shape, value, d), dev.device, requires_grad)


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
    value = element(number(fill_value), d).item()
    array = laid_out_as(input, memory_format, dev, lambda F, shape, d: F.full(shape, value, d), d)
    return finish(array, dev.device, requires_grad)


def new_full(
    self: Tensor, size: Sequence[int], fill_value: Tensor | AnyNumber, *,
    dtype: DTypeLike | None = None, device: DeviceLike | None = None, requires_grad: bool = False,
    layout: layout | None = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """full() in this tensor's dtype and device, unless others are named."""
    check_layout("new_full", layout)
    value, d = number(fill_value), chosen(dtype, self.array.dtype)
    dev = self.node.dev.of(d) if device is None else home(device, d)
    shape = _list_of_sizes(size, "new_full")
    return finish(dev.full(shape, element(value, d).item(), d), dev.device, requires_grad)


METHODS["new_full"] = new_full


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
        if size is not None and not is_int(size):
            kind = type(size).__name__
            raise TypeError(message(f"eye(): argument '{name}' must be int, not {kind}"))
        if size is not None and size < 0:
            raise RuntimeError(message(f"{name} must be greater or equal to 0, got {size}"))
    return finish(np.eye(n, m, dtype=chosen(dtype)), device, requires_grad)


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
