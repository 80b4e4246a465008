"""Softmax and the losses built on it.

``log_softmax`` subtracts the largest element first, so nothing overflows. Cross-entropy is
``nll_loss(log_softmax(x))``: the derivatives of the two multiply out to the formula of the
textbooks, ``softmax(x) - onehot(target)``.
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.dtypes import I64, TORCH_TYPES
from ..base.errors import describe, message
from ..base.naming import named
from ..engine.apply import apply
from ..engine.op import Op
from ..engine.short import kept_dtype, several, single
from .arguments import dim_of, no_gradient_of, not_floating, owned, rows
from .surface import public

if TYPE_CHECKING:
    from ..base.types import Array, Attrs, DType, DTypeLike, Gradient, Namespace, Operand
    from ..handles.tensor import Tensor


# ---- softmax -------------------------------------------------------------------------------------
def _softmax(F: Namespace, x: Array, dim: int) -> Array:
    e = F.exp(x - np.maximum.reduce(x, axis=dim, keepdims=True) if x.size else x)
    return rows(e / np.add.reduce(e, axis=dim, keepdims=True))


def _log_softmax(F: Namespace, x: Array, dim: int) -> Array:
    centred = x - np.maximum.reduce(x, axis=dim, keepdims=True) if x.size else x
    return rows(centred - F.log(np.add.reduce(F.exp(centred), axis=dim, keepdims=True)))


softmax_op = Op(
    "softmax",
    _softmax,
    vjps=(lambda F, g, out, x, dim: out * (g - F.sum(g * out, dim=(dim,), keepdim=True)),),
    saves=("out",),
    formula="exp(x) / Σ exp(x)",
    rule=("out · (g − Σ g · out)",),
)
log_softmax_op = Op(
    "log_softmax",
    _log_softmax,
    vjps=(lambda F, g, out, x, dim: g - F.exp(out) * F.sum(g, dim=(dim,), keepdim=True),),
    saves=("out",),
    formula="x − log Σ exp(x)",
    rule=("g − exp(out) · Σ g",),
)


def _publish(op: Op) -> None:
    def function(input: Tensor, dim: int, dtype: DTypeLike | None = None) -> Tensor:
        if dtype is not None:
            input = input.to(dtype)
        if input.array.dtype.kind not in "fV":
            raise not_floating(f"{op.name}_kernel_impl", input)
        d = dim_of(dim, input.array.ndim, op.name)
        if not input.array.ndim:
            return owned(function(input.reshape(1), 0).reshape(()))
        return single(op, input, {"dim": d})

    doc = f"{op.formula} along ``dim``, computed without overflow."
    public()(named(function, op.name, doc))


_publish(softmax_op)
_publish(log_softmax_op)


# ---- negative log-likelihood ---------------------------------------------------------------------
def _raw(x: Operand) -> Array:
    return x.array if hasattr(x, "node") else x


def _terms(
    t: Array, w: Array | None, ignore_index: int
) -> tuple[tuple[Array, ...], Array | None, Any]:
    """(numpy's index of each sample's element, each sample's weight, the sum of the weights).

    The weights are None if all are 1. Classes lie in dimension 1. Ignored samples get class 0 and
    weight 0. Raises IndexError for a negative class, which numpy would count from the end.
    """
    weight = None if w is None else w[np.where(t == ignore_index, 0, t)]
    if t.size and (t.min() < 0 or ignore_index >= 0):
        counted = t != ignore_index
        weight = counted if weight is None else weight * counted
        t = np.where(counted, t, 0)
        if t.min() < 0:
            raise IndexError("negative class index")
    if t.ndim == 1:
        places: tuple[Array, ...] = (np.arange(len(t)), t)
    else:
        batch, *rest = np.ogrid[tuple(slice(n) for n in t.shape)]
        places = (batch, t, *rest)
    return places, weight, t.size if weight is None else np.add.reduce(weight, axis=None)


def _nll(
    F: Namespace, x: Array, t: Array, w: Array | None = None, *, reduction: str, ignore_index: int
) -> Array:
    places, weight, total = _terms(t, w, ignore_index)
    each = -x[places]
    if weight is not None:
        each = each * weight
    if reduction == "none":
        return each
    loss: Array = np.add.reduce(each, axis=None)
    if reduction == "sum":
        return loss
    return loss / (_of_dtype(total, x.dtype) if x.dtype.kind == "f" else total)


def _of_dtype(total: Array, d: DType) -> Array:
    return total.astype(d) if hasattr(total, "astype") else d.type(total)


def _nll_vjp(
    F: Namespace, g: Gradient, out: Operand, x: Operand, t: Operand, w: Operand = None, *,
    reduction: str, ignore_index: int,
) -> Gradient:  # fmt: skip
    d = x.dtype if isinstance(x.dtype, np.dtype) else x.dtype.numpy
    places, weight, total = _terms(_raw(t), None if w is None else _raw(w), ignore_index)
    factor = -np.ones((), d) if weight is None else -weight.astype(d)
    if reduction == "mean":
        factor = factor / _of_dtype(total, d)
    if weight is not None:
        # not 0 / 0 where all are ignored
        factor = np.where(_raw(t) == ignore_index, d.type(0), factor)
    return F.place(g * factor, index=places, shape=x.shape, unique=True)


def explain_target(op: Op, tensors: Sequence[Tensor], attrs: Attrs, e: Exception) -> Exception:
    x, t = tensors[0].array, tensors[1].array
    if isinstance(e, IndexError) and t.size:
        bad = t[(t != attrs["ignore_index"]) & ((t < 0) | (t >= x.shape[1]))]
        if bad.size:
            return IndexError(
                message(
                    f"Target {int(bad.reshape(-1)[0])} is out of bounds.",
                    f"{op.name}: input {describe(x)} has classes 0..{x.shape[1] - 1}, target "
                    f"{describe(t)}",
                    fix="targets count from 0; the last layer needs one output per class",
                )
            )
    return RuntimeError(message(f"{op.name}: {e}", f"input {describe(x)}, target {describe(t)}"))


@cache
def _nll_of(n: int) -> Op:
    """The op of n inputs: a weight that is not given cannot be read."""
    return Op(
        "nll_loss",
        _nll,
        vjps=(_nll_vjp, None, None)[:n],
        # x for nothing but that PyTorch's second derivative is 0 there, not absent
        saves=("x y" if n == 2 else "x y z", "", "")[:n],
        rule=("−g · weight / Σ weight at the target, 0 elsewhere", None, None)[:n],
        explain=explain_target,
        family=_nll_of if n == 3 else None,
        register=n == 3,
    )


nll_op = _nll_of(3)


def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The mean of ``-input[i, target[i]]``: the negative log-likelihood of the target classes.

    ``input`` (N, C, ...) has log-probabilities, ``target`` (N, ...) int64 classes; one unbatched
    sample is (C,) and (). ``weight`` (C,) weighs the classes. Targets equal to ``ignore_index`` do
    not count. ``reduction`` is "mean", "sum" or "none". Raises as PyTorch's ``nll_loss`` does.
    """
    x, t = input.array, target.array
    if reduction not in REDUCTIONS:
        check_reduction(reduction)
    if weight is None and x.ndim == 2 and t.dtype is I64 and x.shape[:1] == t.shape:  # as mostly
        attrs = {"reduction": reduction, "ignore_index": ignore_index}
        return kept_dtype(_nll_of(2), attrs, input, target)
    if x.ndim == 1 and t.ndim == 0:
        out = nll_loss(input.reshape(1, -1), target.reshape(1), weight, ignore_index, reduction)
        return owned(out.reshape(())) if reduction == "none" else out
    if t.dtype != I64:
        raise RuntimeError(
            message(
                f"expected scalar type Long but found {TORCH_TYPES[t.dtype.name]}",
                f"nll_loss: target {describe(target)} must be class indices",
                fix="target.long()",
            )
        )
    if weight is not None and weight.array.dtype != x.dtype:
        wanted, given = TORCH_TYPES[x.dtype.name], TORCH_TYPES[weight.array.dtype.name]
        raise RuntimeError(
            message(
                f"expected scalar type {wanted} but found {given}",
                f"nll_loss: input {describe(input)}, weight {describe(weight)}",
                fix="weight.to(input.dtype)",
            )
        )
    if x.ndim < 2 or x.shape[:1] + x.shape[2:] != t.shape:
        raise ValueError(
            message(
                f"Expected input batch_size ({x.shape[0] if x.ndim else 0}) to match target "
                f"batch_size ({t.shape[0] if t.ndim else 0}).",
                f"nll_loss: input {describe(input)} (N, C, ...), target {describe(target)} (N, "
                "...)",
                fix="the target holds one class index per sample, without a class dimension",
            )
        )
    operands = (input, target) if weight is None else (input, target, weight)
    if weight is not None:
        no_gradient_of("nll_loss_forward", weight=weight)
    if weight is not None and weight.array.shape != x.shape[1:2]:
        raise RuntimeError(
            message(
                "weight tensor should be defined either for all classes or no classes",
                f"nll_loss: {x.shape[1]} classes, weight {describe(weight)}",
            )
        )
    attrs = {"reduction": reduction, "ignore_index": ignore_index}
    if weight is None:
        return kept_dtype(_nll_of(2), attrs, input, target)
    return apply(nll_op, operands, attrs)


REDUCTIONS = ("mean", "sum", "none")


def check_reduction(reduction: str) -> None:
    """Raise ValueError unless ``reduction`` is one of PyTorch's three."""
    if reduction not in REDUCTIONS:
        what = f"{reduction} is not a valid value for reduction"
        raise ValueError(message(what, fix="use 'mean', 'sum' or 'none'"))


# ---- squared error -------------------------------------------------------------------------------
def _mse(F: Namespace, x: Array, y: Array, reduction: str) -> Array:
    d = x - y
    d = d * d
    if reduction == "none":
        return d
    total: Array = np.add.reduce(d, axis=None)
    if reduction == "sum":
        return total
    return total / d.size if d.size else total * x.dtype.type(np.nan)


def _mse_vjp(F: Namespace, g: Gradient, x: Operand, y: Operand, reduction: str) -> Gradient:
    """The contribution to x̄; with x and y exchanged, to ȳ."""
    d = x - y
    n = int(np.prod(d.shape)) if reduction == "mean" else 1
    return g * ((2 / n if n else 0) * d)


mse_op = Op(
    "mse_loss",
    _mse,
    vjps=(
        lambda F, g, out, x, y, reduction: _mse_vjp(F, g, x, y, reduction),
        lambda F, g, out, x, y, reduction: _mse_vjp(F, g, y, x, reduction),
    ),
    saves=("x y", "x y"),
    result="same",
    formula="mean((x − y)²)",
    rule=("g · 2 (x − y) / n", "g · 2 (y − x) / n"),
)


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """(input - target) ** 2, with the reduction "mean", "sum" or "none"; shapes broadcast."""
    check_reduction(reduction)
    return several(mse_op, (input, target), {"reduction": reduction})
