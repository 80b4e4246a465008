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
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from ..backends.table import definition
from ..base.errors import message
from ..engine.handle import Unmet
from ..engine.record import constant
from ..engine.registry import REGISTRY
from ..notation import formulas
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
                "control flow. We don't support that yet, please shout over at "
                "https://github.com/pytorch/functorch/issues/257 .",
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
            value = _beside(value, self.value[whole].ndim - 1)
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


def _beside(x: Batch, ndim: int) -> Array:
    """The values of ``x``, lined up with samples of ``ndim`` dimensions; without the first
    dimension where all samples share them.
    """
    value = x.value
    if x.lead == 1:
        return value.reshape(x.shape)
    if len(x.shape) < ndim:
        value = _with_dims(x, ndim - len(x.shape))
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
        kernel, rule = getattr(self.inner, name), rule_of(name)
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


# ---- rules ---------------------------------------------------------------------------------------
class Call(NamedTuple):
    """A call of a kernel: that of the values, its name, and what it is given."""

    kernel: Kernel
    name: str
    args: tuple[AnyArray, ...]  # arrays, and attributes that are given by position
    attrs: Attrs


Rule = Callable[["Batched", Call], Any]
RULES: dict[str, Rule] = {}
ELEMENTWISE = frozenset({
    *formulas.COMPARISONS, "logical_and", "logical_or", "logical_xor", "logical_not", "isnan",
    "isinf", "isfinite", "signbit", "isposinf", "isneginf", "isreal", "bitwise_and", "bitwise_or",
    "bitwise_xor", "bitwise_not", "floor_divide", "div_floor", "div_trunc", "copysign", "nextafter",
    "heaviside", "gcd", "lcm", "bitwise_left_shift", "bitwise_right_shift", "clamp_max_tensor",
    "clamp_min_tensor", "lgamma", "digamma", "erfinv", "erfcx", "log_ndtr", "ndtri", "i0", "i0e",
    "i1", "i1e", "igamma", "igammac", "zeta", "polygamma", "mantissa", "cast", "clone", "tie",
    "conj", "real", "imag", "complex", "view_as_real", "view_as_complex",
})  # fmt: skip
# ops of one array that work on any number of dimensions, if their attributes are counted anew
SHIFTED = frozenset(
    "reshape squeeze unsqueeze transpose permute expand flip roll sum mean var std prod amax amin "
    "logsumexp norm cross softmax log_softmax cumsum cumprod logcumsumexp recurrence tril triu "
    "diagonal diagonal_backward unfold_dimension spread layer_norm_statistics taps tapped".split()
)
DIMENSIONS = frozenset({"dim", "dims", "dim0", "dim1", "dim2"})


@cache
def rule_of(name: str) -> Rule | None:
    """The rule of a kernel; None: it runs for each sample."""
    op = REGISTRY.get(name)
    if name in ELEMENTWISE or (op is not None and name in formulas.TABLE):
        return elementwise
    if name in SHIFTED:
        return shifted
    if name not in RULES and op is not None and op.view:
        raise NotImplementedError(
            message(
                f"vmap: {name} is not possible: its result shows the memory of its input, and no "
                "rule says how for a batch",
                fix="other operations that give the same values",
            )
        )
    return RULES.get(name)


@cache
def parameters_of(name: str) -> Sequence[str]:
    """The names of the parameters of a kernel's definition."""
    try:
        code = definition(name).__code__
    except (AttributeError, KeyError):
        return ()
    return code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]


def elementwise(dev: Batched, call: Call) -> AnyArray:
    """Line up the samples' dimensions; numpy broadcasts the rest."""
    kernel, args, attrs = call.kernel, call.args, call.attrs
    batches = [x for x in args if dev.mine(x)]
    lead = 0 if any(x.lead == 0 for x in batches) else max(x.lead for x in batches)
    ndim = max(np.ndim(x) if not isinstance(x, Kind) else x.ndim for x in args)
    out = kernel(*[_beside(x, ndim) if dev.mine(x) else x for x in args], **attrs)
    out = dev.inner.array(out)
    return Batch(dev.level, out.reshape((1, *out.shape)) if lead == 1 else out)


def shifted(dev: Batched, call: Call) -> AnyArray:
    """The same op on the whole array, with its dimensions counted from one later."""
    kernel, name, args, attrs = call.kernel, call.name, call.args, call.attrs
    n = next((i for i, x in enumerate(args) if not hasattr(x, "dtype")), len(args))
    given = dict(zip(parameters_of(name)[n:], args[n:], strict=False)) | attrs
    arrays = args[:n]
    if not all(map(dev.mine, arrays)) or len({x.lead for x in arrays}) > 1:
        return dev.looped(kernel, args, attrs)
    x = arrays[0]
    if "ndim" in given or ("shape" in given and -1 in given["shape"] and x.lead == 0):
        return dev.looped(kernel, args, attrs)
    ndim = len(given["shape"]) if "shape" in given else x.ndim
    for key in DIMENSIONS & given.keys():
        given[key] = _later(given[key], ndim)
    if name == "permute":
        given["dims"] = (0, *given["dims"])
    if "shape" in given:
        given["shape"] = (x.lead, *given["shape"])
        if name == "expand" and len(given["shape"]) > x.ndim + 1:
            extra = len(given["shape"]) - x.ndim - 1
            return Batch(dev.level, kernel(_with_dims(x, extra), **given))
    if not x.ndim and name not in ("reshape", "squeeze", "unsqueeze", "expand", "permute"):
        return dev.looped(kernel, args, attrs)
    return Batch(dev.level, dev.inner.array(kernel(*[a.value for a in arrays], **given)))


def _with_dims(x: Batch, extra: int) -> Array:
    place = (slice(None),) + (None,) * extra
    value: Array = x.value[place]
    return value


def _later(dim: AnyArray, ndim: int) -> AnyArray:
    if dim is None:
        return tuple(range(1, ndim + 1))
    if isinstance(dim, (tuple, list)):
        return tuple([d % max(ndim, 1) + 1 for d in dim])
    return dim % max(ndim, 1) + 1


def rule(*names: str) -> Callable[[Rule], Rule]:
    """A decorator: the rule of these ops."""

    def enter(f: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, f))
        return f

    return enter


@rule("t")
def _t(dev: Batched, call: Call) -> AnyArray:
    args = call.args
    if args[0].ndim < 2:
        return args[0]
    return dev.transpose(args[0], dim0=0, dim1=1)


@rule("slice", "select", "index", "getitem")
def _read(dev: Batched, call: Call) -> AnyArray:
    kernel, args, attrs = call.kernel, call.args, call.attrs
    x, *rest = args
    index = rest[0] if rest else attrs["index"]
    place = index if isinstance(index, tuple) else (index,)
    if _separated(place) or any(isinstance(p, Kind) for p in place):
        return dev.looped(kernel, args, attrs)
    return Batch(dev.level, kernel(x.value, index=(slice(None), *place)))


def _separated(place: Sequence[Any]) -> bool:
    """Do slices stand between the arrays of an index, or masks in it?

    numpy puts the arrays' dimensions first then, before that of the samples.
    """
    arrays = [i for i, p in enumerate(place) if hasattr(p, "dtype")]
    if not arrays:
        return False
    taken = [i for i, p in enumerate(place) if hasattr(p, "dtype") or type(p) is int]
    return taken[-1] - taken[0] >= len(taken) or any(
        place[i].dtype.kind == "b" and place[i].ndim == 0 for i in arrays
    )


@rule("place")
def _place(dev: Batched, call: Call) -> AnyArray:
    kernel, name, args, attrs = call.kernel, call.name, call.args, call.attrs
    g, *rest = args
    given = dict(zip(parameters_of(name)[1:], rest, strict=False)) | attrs
    place = given["index"]
    if _separated(place) or any(isinstance(p, Kind) for p in place):
        return dev.looped(kernel, args, attrs)
    ndim = np.broadcast_to(np.False_, given["shape"])[place].ndim
    given |= {"index": (slice(None), *place), "shape": (g.lead, *given["shape"])}
    return Batch(dev.level, kernel(_beside(g, ndim) if g.lead > 1 else g.value, **given))


@rule("as_strided")
def _as_strided(dev: Batched, call: Call) -> AnyArray:
    x = call.args[0].value
    given = dict(zip(("size", "stride", "offset", "own"), call.args[1:], strict=False))
    given |= call.attrs
    own = tuple([step // x.itemsize for step in x.strides])
    if type(x) is not np.ndarray or own[1:] != tuple(given["own"]):
        return dev.looped(call.kernel, call.args, call.attrs)
    given |= {"size": (len(x), *given["size"]), "stride": (own[0], *given["stride"]), "own": own}
    return Batch(dev.level, call.kernel(x, **given))


@rule("matmul")
def _matmul(dev: Batched, call: Call) -> AnyArray:
    kernel, args = call.kernel, call.args
    x, y = map(dev.array, args)
    if x.ndim == 0 or y.ndim == 0:
        raise ValueError("matmul: 0-d operand")
    rows, columns = x.ndim > 1, y.ndim > 1
    a = x if rows else dev.getitem(x, index=(None,))
    b = y if columns else dev.getitem(y, index=(..., None))
    ndim = max(a.ndim, b.ndim)
    lead = 0 if 0 in (a.lead, b.lead) else max(a.lead, b.lead)
    out = kernel(_beside(a, ndim), _beside(b, ndim))
    out = Batch(dev.level, out.reshape((1, *out.shape)) if lead == 1 else out)
    if not rows:
        out = dev.getitem(out, index=(..., 0, slice(None)))
    if not columns:
        out = dev.getitem(out, index=(..., 0))
    return out


@rule("linear")
def _linear(dev: Batched, call: Call) -> AnyArray:
    kernel, args = call.kernel, call.args
    x, w, *bias = map(dev.array, args)
    if w.lead == 1 and all(b.lead == 1 for b in bias) and x.lead > 1:
        whole = [v.value.reshape(v.shape) for v in (w, *bias)]
        return Batch(dev.level, kernel(x.value, *whole))
    if any(b.shape != w.shape[:1] for b in bias):
        raise ValueError("bias")
    out = dev.matmul(x, dev.t(w))
    return dev.add(out, bias[0]) if bias else out


@rule("cat", "stack")
def _joined(dev: Batched, call: Call) -> AnyArray:
    kernel, name, args, attrs = call.kernel, call.name, call.args, call.attrs
    xs = [dev.array(x) for x in args]
    leads = {x.lead for x in xs}
    lead = 0 if 0 in leads else max(leads)
    ndim = max(x.ndim for x in xs)
    if len({x.ndim for x in xs}) > 1:  # empty vectors, which cat passes over
        return dev.looped(kernel, args, attrs)
    wide = [
        x.value if x.lead == lead else dev.inner.expand(x.value, shape=(lead, *x.shape)) for x in xs
    ]
    dim = attrs["dim"] % (ndim + (name == "stack")) + 1
    return Batch(dev.level, kernel(*wide, dim=dim))


@rule("copy")
def _copy(dev: Batched, call: Call) -> AnyArray:
    args = call.args
    x, source = map(dev.array, args)
    wide = dev.expand(source, shape=x.shape)
    value = dev.inner.expand(wide.value, shape=(max(x.lead, source.lead), *x.shape))
    return Batch(dev.level, dev.inner.cast(value, dtype=x.dtype))


@rule("zero")
def _zero(dev: Batched, call: Call) -> AnyArray:
    kernel, args = call.kernel, call.args
    return dev.array(kernel(args[0].value))


@rule("clone")
def _clone(dev: Batched, call: Call) -> AnyArray:
    kernel, args, attrs = call.kernel, call.args, call.attrs
    x = args[0]
    return Batch(dev.level, kernel(x.value, **attrs))


@rule("gather", "scatter_sum", "scatter", "max", "min", "median", "sort", "topk", "cummax",
      "cummin", "kthvalue", "nanmedian", "mode")  # fmt: skip
def _along(dev: Batched, call: Call) -> AnyArray:
    """Ops that read or write along one dimension, at an index for every element."""
    kernel, args, attrs = call.kernel, call.args, call.attrs
    xs = [dev.array(x) for x in args]
    leads = {x.lead for x in xs}
    if 0 in leads or not all(x.ndim for x in xs):
        return dev.looped(kernel, args, attrs)
    lead = max(leads)
    wide = [
        x.value if x.lead == lead else dev.inner.expand(x.value, shape=(lead, *x.shape)) for x in xs
    ]
    given = dict(attrs)
    given["dim"] = attrs["dim"] % max(xs[0].ndim, 1) + 1
    if "shape" in given:
        given["shape"] = (lead, *given["shape"])
    return Batch(dev.level, kernel(*wide, **given))
