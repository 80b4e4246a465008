"""Batches: arrays whose every number is a column of numbers, one for each sample.

``value`` has the samples in its first dimension; where that has size 1, all samples share one
value, and nothing is computed twice. A rule says how a kernel of whole arrays computes what the op
means for one sample:

- elementwise ops: line up the dimensions of the samples, and broadcast
- views, reductions, scans: the same op, its dimensions counted from one later
- products: the batch is one more dimension of ``matmul``
- all others: a loop over the samples, whose results are stacked

Derivatives need no rules. They are made of the same kernels.
"""
from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from ..base.errors import message
from ..engine.handle import Unmet
from ..engine.record import constant
from .level import Kind, KindBackend, Level, frames, writable

if TYPE_CHECKING:
    from ..base.types import AnyArray, Array, Attrs, Backend, Dim, Kernel, Shape


class Batch(Kind):
    """An array of one sample's shape, which stands for as many as ``value`` has rows."""

    __slots__ = ()
    words = "vmap"

    def __init__(self, level: Level, value: Array):
        self.level, self.value, self.shape = level, value, value.shape[1:]

    @property
    def lead(self) -> int:
        """How many samples ``value`` has: all, or 1 that they share."""
        return self.value.shape[0]

    def sample(self, i: int) -> Array:
        """The array of one sample."""
        one: Array = self.value[i if self.lead > 1 else 0, ...]
        return one

    def around(self, inner: Callable[[Any, int], Any]) -> AnyArray:
        return Batch(self.level, inner(self.value, 1))

    def item(self) -> NoReturn:
        raise RuntimeError(
            message(
                "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap "
                "over calling .item() on a Tensor, please try to rewrite what you're doing with "
                "other operations. If error is occurring somewhere inside PyTorch internals, "
                "please file a bug report.",
                "every sample has a number of its own",
            )
        )

    def __bool__(self) -> NoReturn:
        raise RuntimeError(
            message(
                "vmap: It looks like you're attempting to use a Tensor in some data-dependent "
                "control flow. We don't support that yet.",
                "every sample may take another branch",
                fix="torch.where(condition, a, b) chooses for each",
            )
        )

    def __array__(self, dtype: AnyArray = None, copy: bool | None = None) -> NoReturn:
        raise Unmet(
            message(
                "Cannot access data pointer of Tensor that doesn't have storage",
                "inside of vmap a tensor stands for all samples, and is no numpy array",
            )
        )

    def __setitem__(self, index: AnyArray, value: AnyArray) -> None:
        place = index if isinstance(index, tuple) else (index,)
        if self.dev.mine(value) and value.lead > self.lead:
            raise not_in_place("copy_")
        if any(self.dev.mine(p) for p in place):
            target = writable(self.value)
            for i in range(self.lead):
                at = (i, *[p.sample(i) if self.dev.mine(p) else p for p in place])
                target[at] = value.sample(i) if self.dev.mine(value) else value
            return
        whole = (slice(None), *place)
        if self.dev.mine(value):
            value = beside(value, self.value[whole].ndim - 1)
        writable(self.value)[whole] = value

    def shown(self) -> str:
        """How a tensor of it is printed."""
        number = [f.level for f in frames.get()].index(self.level) + 1 if self.running() else "dead"
        inside = textwrap.indent(repr(constant(self.value)), "    ")
        return f"BatchedTensor(lvl={number}, bdim=0, value=\n{inside}\n)"

    def running(self) -> bool:
        """Has the vmap that made it not ended?"""
        return any(f.level is self.level for f in frames.get())

    __repr__ = shown


def not_in_place(name: str) -> RuntimeError:
    """The error for a write of many samples into memory that they share."""
    return RuntimeError(
        message(
            f"vmap: aten::{name}(self, *extra_args) is not possible because there exists a Tensor "
            "`other` in extra_args that has more elements than `self`. This happened due to "
            "`other` being vmapped over but `self` not being vmapped over in a vmap. Please try to "
            "use out-of-place operators instead of aten::" + name + ".",
            fix="make the tensor that is written with torch.zeros_like(x), or x.new_zeros(...), of "
            "a tensor that vmap maps over",
        )
    )


def moved(dev: Backend, x: Array, source: Dim, target: Dim) -> Array:
    """``x`` with dimension ``source`` at ``target``."""
    order = [i for i in range(x.ndim) if i != source % x.ndim]
    order.insert(target % x.ndim, source % x.ndim)
    return x if order == [*range(x.ndim)] else dev.permute(x, dims=tuple(order))


def beside(x: Batch, ndim: int) -> Array:
    """The values of ``x``, lined up with samples of ``ndim`` dimensions; without the first
    dimension where all samples share them.
    """
    value = x.value
    if x.lead == 1:
        return value.reshape(x.shape)
    if len(x.shape) < ndim:
        value = with_dims(x, ndim - len(x.shape))
    return value


class Call(NamedTuple):
    """A call of a kernel: that of the values, its name, and what it is given."""

    kernel: Kernel
    name: str
    args: tuple[AnyArray, ...]  # arrays, and attributes that are given by position
    attrs: Attrs


Rule = Callable[["Batched", Call], Any]
finding: list[Callable[[str], Rule | None]] = []  # the rule of a kernel (rules.py)


def with_dims(x: Batch, extra: int) -> Array:
    """The values of ``x`` with so many dimensions more in front of a sample's."""
    place = (slice(None),) + (None,) * extra
    value: Array = x.value[place]
    return value


class Batched(KindBackend):
    """Kernels by op name on batches."""

    name = "batched"
    memory = Batch

    def array(self, x: AnyArray) -> AnyArray:
        if self.mine(x):
            return x
        x = self.inner.array(x)
        return Batch(self.level, x.reshape((1, *x.shape)))

    def full(self, shape: Shape, value: AnyArray, dtype: AnyArray) -> AnyArray:
        # memory for each sample: it may be written
        size = self.level.size
        return Batch(self.level, self.inner.full((size, *shape), value, dtype))

    @property
    def draws(self) -> AnyArray:
        return self.inner.draws

    def __getattr__(self, name: str) -> AnyArray:
        if name.startswith("__") or name.endswith(("_vjps", "_step", "_vjp0", "_vjp1", "_vjp2")):
            raise AttributeError(name)
        kernel, rule = getattr(self.inner, name), finding[0](name)
        if rule is None:
            return lambda *args, **attrs: self.looped(kernel, args, attrs)
        return partial(self.ruled, kernel, name, rule)

    def ruled(
        self, kernel: Kernel, name: str, rule: Rule, /, *args: AnyArray, **attrs: AnyArray
    ) -> AnyArray:
        """A kernel by its rule."""
        if not any(map(self.mine, args)):
            return self.looped(kernel, args, attrs)
        return rule(self, Call(kernel, name, args, attrs))

    def looped(self, kernel: Callable[..., Any], args: AnyArray, attrs: AnyArray) -> AnyArray:
        """``kernel`` for each sample on its own; the results are stacked."""
        n = self.samples((args, attrs))
        if n is None:
            return kernel(*args, **attrs)
        if n == 0:  # nothing to compute, but the result's shape must be known
            one = self._sample((args, attrs), 0, empty=True)
            return self._stacked([kernel(*one[0], **one[1])], none=True)
        found = []
        for i in range(n):
            one = self._sample((args, attrs), i)
            found.append(kernel(*one[0], **one[1]))
        return self._stacked(found)

    def by_numpy(self, function: Callable[..., Any], args: AnyArray, named: AnyArray) -> AnyArray:
        """A function of numpy's on each sample."""
        return self.looped(function, args, named)

    def samples(self, value: AnyArray) -> int | None:
        """How many samples the batches in nested arguments have; None if there is no batch."""
        if self.mine(value):
            return int(value.lead)
        if isinstance(value, dict):
            value = value.values()
        elif not isinstance(value, (tuple, list)):
            return None
        known = [n for n in map(self.samples, value) if n is not None]
        return None if not known else 0 if 0 in known else max(known)

    def _sample(self, value: AnyArray, i: int, empty: bool = False) -> AnyArray:
        if self.mine(value):
            if empty:
                return self.inner.full(value.shape, 0, value.dtype)
            return value.sample(i)
        if isinstance(value, dict):
            return {k: self._sample(v, i, empty) for k, v in value.items()}
        if isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
            return type(value)([self._sample(v, i, empty) for v in value])
        return value

    def _stacked(self, found: Sequence[Any], none: bool = False) -> AnyArray:
        first = found[0]
        if isinstance(first, (tuple, list)):
            columns = zip(*found, strict=True)
            parts = [self._stacked(column, none) for column in columns]
            return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
        if first is None or not hasattr(first, "dtype"):
            return first
        arrays = [self.inner.array(x) for x in found]
        if any(x.shape != arrays[0].shape for x in arrays):
            raise RuntimeError(
                message(
                    "vmap: It looks like you're attempting to use an operation whose output has a "
                    "shape that depends on the data: the samples' results would differ in shape",
                    f"shapes {sorted({x.shape for x in arrays})}",
                    fix="torch.where, or a sum with a mask, has one shape for all",
                )
            )
        out = self.inner.of(arrays[0].dtype).stack(*arrays, dim=0)
        return Batch(self.level, out[:0] if none else out)


Batch.backend = Batched


def each(function: Callable[..., Any], *arrays: AnyArray) -> AnyArray:
    """``function`` of plain arrays, for each sample of all batches."""
    batches = [x for x in arrays if isinstance(x, Batch)]
    if not batches:
        return function(*arrays)
    outside = max(batches, key=lambda x: x.level.birth)
    return outside.dev.looped(partial(each, function), arrays, {})
