"""Norms of vectors: ``norm`` of any order, and what is made of it, ``dist`` and ``renorm``."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.dtypes import TORCH_TYPES, as_numpy, wider
from ..backends.variances import squares
from ..base.errors import describe, message
from ..engine.handle import Handle
from ..engine.op import Op
from ..engine.short import single
from .arguments import dim_of, dims_of, rows, tensors_only
from .reduce import add_up, equal_to, keep
from .surface import FUNCTIONS, public

if TYPE_CHECKING:
    from ..arrays.dtypes import dtype
    from ..base.types import Array, Dims, Gradient, Namespace, Number, Operand
    from ..handles.tensor import Tensor


def _norm(F: Namespace, x: Array, dim: Dims, keepdim: bool, p: float = 2.0) -> Array:
    """(Σ |x|**p) ** (1/p), and its limits for p = 0, inf and -inf."""
    if p == 2 and x.dtype.kind == "f":
        return F.sqrt(F.sum(x * x, dim=dim, keepdim=keepdim))
    if p == 2:
        return F.sqrt(rows(add_up(squares(x), axis=dim, keepdims=keepdim)))
    if p == 0:
        return rows(add_up((x != 0).astype(x.real.dtype), axis=dim, keepdims=keepdim))
    size = np.abs(x)
    if math.isinf(p):
        choose: Any = np.maximum.reduce if p > 0 else np.minimum.reduce
        # all sizes are at least 0, which is therefore the norm of no elements
        return rows(choose(size, axis=dim, keepdims=keepdim, initial=0 if p > 0 else None))
    if p == 1:
        return rows(add_up(size, axis=dim, keepdims=keepdim))
    return rows(add_up(F.pow(size, p), axis=dim, keepdims=keepdim)) ** (1 / p)


def _norm_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, dim: Dims, keepdim: bool, p: float = 2.0
) -> Gradient:
    """Where the norm has no derivative (at x = 0, or of equal extremes), PyTorch's subgradient."""
    g, size = keep(F, g, x, dim), keep(F, out, x, dim)
    if p == 0:
        return F.zero(x)
    if p == 1:
        return g * F.sgn(x)
    if math.isinf(p):
        equal = F.cast(equal_to(F, F.abs(x), size), dtype=out.dtype)
        return g * F.sgn(x) * equal / F.sum(equal, dim=dim, keepdim=True)
    if p == 2:
        return g * F.where(size == 0, 0, x / size)
    if p > 2:
        power = x * F.pow(F.abs(x), p - 2)
    else:
        power = F.where(x == 0, 0, F.sgn(x) * F.pow(F.abs(x), p - 1))
    scale = F.pow(F.where(size == 0, 1, size), 1 - p)  # inf * 0 is NaN, in what is derived of it
    return power * (g * F.where(size == 0, 0, scale))


norm_op = Op(
    "norm",
    _norm,
    vjps=(_norm_vjp,),
    saves=("x out",),
    rule=("g · sign(x) (|x| / out)**(p − 1)",),
    torch_name="LinalgVectorNorm",
    complex="own",
)


def in_dtype(name: str, x: Tensor, dtype: dtype | None) -> Tensor:
    """``x`` in the dtype that is asked for, which must hold all that ``x`` may be."""
    if dtype is None:
        return x
    given, asked = x.array.dtype, as_numpy(dtype)
    names = TORCH_TYPES[given.name], TORCH_TYPES[asked.name]
    what = ""
    if given.kind not in "fcV":
        what = f"Expected a floating point or complex tensor as input. Got {names[0]}"
    elif asked.kind not in "fcV":
        what = f"dtype should be floating point or complex, but got {names[1]}"
    elif (given.kind == "c") != (asked.kind == "c"):
        kind = "complex" if given.kind == "c" else "real"
        what = f"dtype should be {kind} for {kind} inputs, but got {names[1]}"
    elif wider(given, asked) != asked:
        what = (
            f"the dtype of the input ({names[0]}) should be convertible without narrowing to the "
            f"specified dtype ({names[1]})"
        )
    if what:
        raise RuntimeError(message(f"linalg.{name}: {what}", describe(x), fix="norm(x).to(dtype)"))
    return x.to(dtype=dtype)


@public()
def norm(
    input: Tensor, p: Number | str | None = "fro", dim: Dims = None, keepdim: bool = False,
    dtype: dtype | None = None,
) -> Tensor:  # fmt: skip
    """The p-norm over ``dim`` (all if None); p is a number, inf, -inf, or "fro", which means 2."""
    if input.array.dtype.kind not in "fcV":
        what = "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
        raise RuntimeError(message(what + TORCH_TYPES[input.array.dtype.name], fix="x.float()"))
    input = in_dtype("matrix_norm" if p == "nuc" else "vector_norm", input, dtype)
    if p == "nuc":  # linalg/norms.py
        if dim is None and input.array.ndim > 2:
            raise RuntimeError(
                message(
                    "linalg.matrix_norm: nuclear norm of a tensor of more than two dimensions",
                    describe(input),
                    fix="dim=(-2, -1)",
                )
            )
        return FUNCTIONS["nuclear_norm"](input, dim, keepdim)
    if isinstance(p, str) and p != "fro":
        what = f"norm: p={p!r} is not a vector norm"
        raise RuntimeError(message(what, fix=f"torch.linalg.matrix_norm(x, {p!r})"))
    order = 2.0 if p is None or isinstance(p, str) else float(p)
    dims = None if dim is None else dims_of(dim, input.array.ndim, "norm") or None
    if order < 0 or order == math.inf:
        taken = input.array.shape if dims is None else [input.array.shape[d] for d in dims]
        if 0 in taken and (order < 0 or dims is not None or input.array.ndim):
            raise RuntimeError(
                message(
                    f"linalg.vector_norm cannot compute the {order:g} norm on an empty tensor "
                    "because the operation does not have an identity",
                    describe(input),
                )
            )
    if p == "fro" and dims is not None and len(dims) > 2:
        raise RuntimeError(
            message(
                f"linalg.matrix_norm: dim must be a 2-tuple. Got {' '.join(map(str, dims))}",
                describe(input),
                fix="p=2",
            )
        )
    attrs: dict[str, Any] = {"dim": dims, "keepdim": keepdim}
    return single(norm_op, input, attrs if order == 2 else attrs | {"p": order})


@public()
def dist(input: Tensor, other: Tensor, p: Number = 2) -> Tensor:
    """The p-norm of ``input - other``."""
    if not isinstance(input, Handle) or not isinstance(other, Handle):
        tensors_only("dist", input=input, other=other)
    return norm(input - other, p)


@public()
def renorm(input: Tensor, p: Number, dim: int, maxnorm: Number) -> Tensor:
    """``input`` with each slice along ``dim`` scaled down to a p-norm of ``maxnorm`` if above."""
    if not p > 0:
        raise RuntimeError(message("renorm: non-positive-norm not supported", f"p={p}"))
    if not maxnorm >= 0:
        raise RuntimeError(message(f"renorm: expected maxnorm to be >= 0 but got {maxnorm:g}"))
    ndim = input.array.ndim
    if ndim < 2:
        what = f"renorm: input needs at least 2 dimensions, got {ndim} dimensions"
        raise RuntimeError(message(what, describe(input)))
    d = dim_of(dim, ndim, "renorm")
    size = norm(input, p, tuple(i for i in range(ndim) if i != d), keepdim=True)
    above = size > maxnorm
    return input.contiguous() * (maxnorm / (size + 1e-7)).where(above, 1.0)
