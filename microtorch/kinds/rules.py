"""How a kernel of whole arrays computes, for all samples at once, what an op means for one.

What has no rule here runs for each sample on its own (``Batched.looped``).
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends.table import definition
from ..base.errors import message
from ..engine.registry import REGISTRY
from ..notation import formulas
from .batched import Batch, Batched, Call, Rule, beside, finding, with_dims
from .level import Kind

if TYPE_CHECKING:
    from ..base.types import AnyArray

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
    out = kernel(*[beside(x, ndim) if dev.mine(x) else x for x in args], **attrs)
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
            return Batch(dev.level, kernel(with_dims(x, extra), **given))
    if not x.ndim and name not in ("reshape", "squeeze", "unsqueeze", "expand", "permute"):
        return dev.looped(kernel, args, attrs)
    return Batch(dev.level, dev.inner.array(kernel(*[a.value for a in arrays], **given)))


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
    return Batch(dev.level, kernel(beside(g, ndim) if g.lead > 1 else g.value, **given))


@rule("as_strided")
def _as_strided(dev: Batched, call: Call) -> AnyArray:
    x = call.args[0].value
    given = dict(zip(("size", "stride", "offset", "own"), call.args[1:], strict=False))
    given |= call.attrs
    own = tuple([step // x.itemsize for step in x.strides])
    if own[1:] != tuple(given["own"]):
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
    out = kernel(beside(a, ndim), beside(b, ndim))
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


finding.append(rule_of)
