"""scatter_reduce: elements combined where an index says, by sum, mean, product or extremum."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import MissingKernel, describe, message
from ..engine.apply import apply
from ..engine.op import Op
from ..engine.record import constant, laid
from ..engine.whole import on_arrays
from .arguments import owned, refuse_complex
from .gather import added, flat, operands
from .select import masked_fill
from .settled import linked
from .shape import expand, reshape
from .surface import FUNCTIONS, METHODS, public

if TYPE_CHECKING:
    from ..base.types import AnyNumber, Array, DType, Gradient, Namespace, Operand
    from ..handles.tensor import Tensor

UFUNCS: dict[str, Any] = {"prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


def _reduce(F: Namespace, x: Array, index: Array, src: Array, dim: int, reduce: str) -> Array:
    if type(x) is not np.ndarray:
        raise MissingKernel(message(f"scatter_reduce: no kernel for {reduce!r}", fix="x.cpu()"))
    out = x.reshape(-1).copy()
    UFUNCS[reduce].at(out, flat(index, x.shape, dim), src.reshape(-1))
    return out.reshape(x.shape)


def _shares(
    F: Namespace, g: Gradient, out: Operand, x: Operand, index: Operand, src: Operand, dim: int
) -> tuple[Gradient, Gradient, Gradient]:
    """Of an extremum: each winner's share of g, and who won, in the input and in the source."""
    mine = F.cast(F.eq(x, out), dtype=x.dtype)
    theirs = F.cast(F.eq(src, F.gather(out, index, dim=dim)), dtype=x.dtype)
    winners = mine + F.scatter_sum(theirs, index, shape=x.shape, dim=dim)
    return g / winners, mine, theirs


def _input_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, index: Operand, src: Operand,
    dim: int, reduce: str,
) -> Gradient:  # fmt: skip
    if reduce != "prod":
        share, mine, _ = _shares(F, g, out, x, index, src, dim)
        return share * mine
    ones = F.cast(F.eq(x, x), dtype=x.dtype)
    return g * F.scatter_reduce(ones, index, src, dim=dim, reduce="prod")


def _source_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, index: Operand, src: Operand,
    dim: int, reduce: str,
) -> Gradient:  # fmt: skip
    """Of a product: the product of the others, which is ``out / src`` where src is not 0.

    For a single 0 among the factors it is the product with a 1 in its place, for several it is 0.
    """
    if reduce != "prod":
        share, _, theirs = _shares(F, g, out, x, index, src, dim)
        return F.gather(share, index, dim=dim) * theirs
    zero = F.eq(src, 0)
    zeros = F.gather(
        F.scatter_sum(F.cast(zero, dtype=x.dtype), index, shape=x.shape, dim=dim), index, dim=dim
    )
    if hasattr(g, "node") and bool((zeros.array > 1).any()):
        raise RuntimeError(
            message(
                "scatter_reduce(): Double backward is unsupported for src when >1 zeros in src are "
                "scattered to the same position in self"
            )
        )
    single = F.cast(zero, dtype=x.dtype) * F.cast(F.eq(zeros, 1), dtype=x.dtype)
    rest = F.scatter_reduce(x, index, F.where(F.eq(single, 1), 1, src), dim=dim, reduce="prod")
    others = F.gather(g * out, index, dim=dim) / F.where(zero, 1, src)
    return F.where(F.eq(single, 1), F.gather(g * rest, index, dim=dim), others)


scatter_reduce_op = Op(
    "scatter_reduce",
    _reduce,
    vjps=(_input_vjp, None, _source_vjp),
    saves=("x y z out", "", "x y z out"),
    ties=False,
    complex="holomorphic",
    rule=("g × the product of the others, or g where it wins", None, "likewise, at the index"),
)


# ---- the function --------------------------------------------------------------------------------
def _identity(reduce: str, dtype: DType) -> Any:
    """What changes nothing when combined: 0, 1, or the least or greatest number."""
    if reduce in ("sum", "mean"):
        return 0
    if reduce == "prod":
        return 1
    if dtype.kind == "c":
        what = f"\"scatter_gather_tensor_cpu_reduce_{reduce}\" not implemented for complex numbers"
        raise NotImplementedError(message(what, fix="they have no order"))
    if dtype.kind == "b":
        return reduce == "amin"
    if dtype.kind in "fV":
        return -np.inf if reduce == "amax" else np.inf
    limits = np.iinfo(dtype)
    return int(limits.min if reduce == "amax" else limits.max)


@public()
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """``src`` combined where ``index`` says along ``dim``: "sum", "mean", "prod", "amax", "amin".

    ``include_self``: what ``input`` has there is combined as well.
    """
    if reduce not in ("sum", "mean", "prod", "amax", "amin"):
        raise RuntimeError(
            message(
                f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
            )
        )
    if reduce in ("amax", "amin"):
        refuse_complex(f"scatter_gather_tensor_cpu_reduce_{reduce}", input)
    x, d, i, s = operands("scatter_reduce", input, dim, index, src)
    if not i.array.size:
        return linked(input.clone(), s)
    if i.array.shape != s.array.shape:
        s = s[tuple(slice(n) for n in i.array.shape)]
    if reduce == "mean" or not include_self:
        counts = _counts(x, d, i)
    if not include_self:
        x = masked_fill(x, counts > 0, _identity(reduce, x.array.dtype))
    if reduce in ("sum", "mean"):
        out = x + added(x, d, i, s, x.array.shape)
        if reduce == "mean":
            n = (counts + 1 if include_self else counts.clamp(min=1)).to(x.dtype)
            out = out // n if x.array.dtype.kind in "biu" else out / n
    else:
        out = apply(scatter_reduce_op, (x, i, s), {"dim": d, "reduce": reduce})
    return laid(owned(reshape(out, *input.array.shape)))


def _counts(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """How many elements of the source go to each place."""
    ones = constant(index.node.dev.full(index.array.shape, 1, np.int64), index.node.dev)
    return added(x, dim, index, ones, x.array.shape)


# ---- segments ------------------------------------------------------------------------------------
@public(method=False)
def segment_reduce(
    data: Tensor, reduce: str, *, lengths: Tensor | None = None, indices: Tensor | None = None,
    offsets: Tensor | None = None, axis: int = 0, unsafe: bool = False,
    initial: AnyNumber | None = None,
) -> Tensor:  # fmt: skip
    """Pieces of ``data`` one after the other along ``axis``, each combined to one element.

    ``reduce``: "sum", "mean", "prod", "max" or "min". The pieces have these ``lengths`` (..., n),
    or begin and end at ``offsets`` (..., n + 1), whose last dimension is ``axis``. ``initial`` is
    combined with each. An empty piece gives it, or else 0, NaN, 1, -inf and inf.
    """
    if reduce not in ("sum", "mean", "prod", "max", "min"):
        raise RuntimeError(message(f"segment_reduce(): unsupported reduction {reduce}"))
    if indices is not None or (lengths is None and offsets is None):
        raise RuntimeError(message("segment_reduce(): Either lengths or offsets must be defined."))
    given = lengths if lengths is not None else offsets
    assert given is not None
    if given.array.dtype.kind not in "iu":
        raise NotImplementedError(
            message("segment_reduce(): lengths and offsets are integers", describe(given))
        )
    if given.array.ndim != axis + 1:
        raise RuntimeError(
            message(f"segment_reduce(): Expected axis to be the last dimension of lengths but got "
                    f"{axis}.", describe(given))
        )  # fmt: skip
    pieces = on_arrays(
        "segment_reduce", _pieces, given.array, offsets=lengths is None,
        size=data.array.shape[axis], unsafe=unsafe,
    )  # fmt: skip
    place, counts = (constant(a, getattr(a, "dev", None)) for a in pieces)
    n, rest = counts.array.shape[-1], (1,) * (data.array.ndim - place.array.ndim)
    index = expand(reshape(place, place.array.shape + rest), data.array.shape)
    kind = {"max": "amax", "min": "amin", "mean": "sum"}.get(reduce, reduce)
    shape = (*data.array.shape[:axis], n + 1, *data.array.shape[axis + 1 :])
    none = np.full(shape, _identity(kind, data.array.dtype), data.array.dtype)
    out = scatter_reduce(constant(none), axis, index, data, kind, include_self=False)
    out = METHODS["narrow"](out, axis, 0, n)
    if initial is not None and reduce in ("max", "min"):
        better = out < initial if reduce == "max" else out > initial
        out = FUNCTIONS["where"](better, initial, out)
    elif initial is not None:
        out = out * initial if reduce == "prod" else out + initial
    if reduce != "mean":
        return owned(out)
    divisor = counts if initial is None else counts.clamp(1)
    return out / reshape(divisor, divisor.array.shape + rest).to(data.dtype)


def _pieces(given: Array, offsets: bool, size: int, unsafe: bool) -> tuple[Array, Array]:
    """The piece of each element, n for none; and how many elements each piece has."""
    counts = np.diff(given) if offsets else given
    if (counts < 0).any():
        raise RuntimeError(message("lengths contains negative value!", f"{counts}"))
    if not unsafe and (counts.sum(-1) != size).any():
        raise RuntimeError(
            message(
                "segment_reduce(): Expected all rows of lengths along axis to sum to "
                "data.size(lengths.dim()-1) when !unsafe.",
                f"{size} elements, lengths {counts.tolist()}",
            )
        )
    # how many pieces end before an element
    ends = counts.cumsum(-1).clip(max=size).reshape(math.prod(counts.shape[:-1]), counts.shape[-1])
    ends = ends + np.arange(len(ends))[:, None] * (size + 1)
    ending = np.bincount(ends.ravel(), minlength=len(ends) * (size + 1))
    return ending.reshape(*counts.shape[:-1], size + 1)[..., :-1].cumsum(-1), counts
