"""Losses between probabilities: binary cross entropy, Kullback-Leibler divergence."""

from __future__ import annotations

from typing import Any

from numpy import ndarray

from ...arrays.draw_checks import are_chances
from ...arrays.dtypes import F32, F64
from ...autograd import Function, is_grad_enabled
from ...base.errors import describe, message, warn
from ...engine.record import constant
from ...engine.registry import REGISTRY
from ...engine.short import several
from ...handles.tensor import Tensor
from ...ops.arguments import everywhere, not_floating, refuse_complex, tensors_only
from .activations import logsigmoid
from .reduction import both, legacy_reduction, put_into, reduce_loss


class BinaryCrossEntropy(Function):
    """-(y log x + (1 - y) log(1 - x)) with logarithms not below -100.

    A Function of its own because the parts' derivatives would be 0 * inf at x = 0 and x = 1.
    The gradient is (x - y) / max(x (1 - x), 1e-12).
    """

    node_name = "BinaryCrossEntropyBackward0"

    @staticmethod
    def forward(ctx: Any, input: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(input, target)
        return _elements(input, target)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None]:
        input, target = ctx.saved_tensors
        by_input = grad * (_Slope.apply if is_grad_enabled() else _slope)(input, target)
        by_target = grad * ((-input).log1p() - input.log()) if ctx.needs_input_grad[1] else None
        return by_input, by_target


def _slope(input: Tensor, target: Tensor) -> Tensor:
    return (input - target) / (input * (1 - input)).clamp_min(1e-12)


class _Slope(Function):
    """The gradient, (x - y) / max(x (1 - x), 1e-12), when it is to be differentiated itself.

    The derivative of the quotient is a small difference of terms like 1 / x² near x = 0 and x = 1;
    ((x - y)² + y (1 - y)) / max(x (1 - x), 1e-12)² is the same number without it.
    """

    @staticmethod
    def forward(ctx: Any, input: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(input, target)
        return _slope(input, target)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        input, target = ctx.saved_tensors
        width = (input * (1 - input)).clamp_min(1e-12)
        above = (input - target).square() + target * (1 - target)
        return grad * above / (width * width), -grad / width


def _elements(input: Tensor, target: Tensor) -> Tensor:
    """The loss of each element, of which nothing is recorded."""
    x, y, F = input.array, target.array, input.node.dev
    plain = type(x) is type(y) is ndarray and x.ndim
    same = target.node.dev is F and F.dtype in (F32, F64)
    if plain and x.flags.c_contiguous and y.flags.c_contiguous and same:
        # the kernels alone take half of the time
        other = F.mul(F.clamp_min(F.log1p(F.neg(x)), min=-100), F.sub(y, 1))
        return constant(F.sub(other, F.mul(F.clamp_min(F.log(x), min=-100), y)), F)
    # each operand lies in memory as the input does, or comes second: so does the loss
    other = _floor((-input).log1p()) * (target - 1)
    return other - _floor(input.log()) * target


def _floor(logarithm: Tensor) -> Tensor:
    """A logarithm of at least -100: ``clamp_min`` itself, which has nothing to check here."""
    return several(REGISTRY["clamp_min"], (logarithm,), {"min": -100})


def _in_unit(value: Tensor) -> bool:
    """Are all elements from 0 to 1?"""
    if type(value.array) is ndarray:
        return are_chances(value.array)
    return not value.numel() or everywhere((value >= 0) & (value <= 1))


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-(target log(input) + (1 - target) log(1 - input)), for probabilities in [0, 1].

    `weight` rescales elements.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if target.shape != input.shape:
        raise ValueError(
            message(
                f"Using a target size ({target.shape}) that is different to the input size "
                f"({input.shape}) is deprecated. Please ensure they have the same size.",
                both(input, target),
                fix="target.reshape(input.shape)" if target.numel() == input.numel() else "",
            )
        )
    if target.dtype != input.dtype:
        raise RuntimeError(
            message(
                f"Found dtype {target.dtype} but expected {input.dtype}",
                both(input, target),
                fix="target.to(input.dtype)",
            )
        )
    for name, value in (("input", input), ("target", target)):
        if not _in_unit(value):
            raise RuntimeError(
                message(
                    f"all elements of {name} should be between 0 and 1",
                    f"found values from {value.min().item():.4g} to {value.max().item():.4g}",
                    fix="binary_cross_entropy takes probabilities; logits go into "
                    "binary_cross_entropy_with_logits"
                    if name == "input"
                    else "targets are probabilities: 0, 1 or between",
                )
            )
    if weight is not None:
        tensors_only("binary_cross_entropy", weight=weight)
    followed = input.node.needs or target.node.needs or type(input.array) is not ndarray
    loss = (BinaryCrossEntropy.apply if followed else _elements)(input, target)
    return reduce_loss(loss if weight is None else put_into(loss * weight, loss), reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """binary_cross_entropy(sigmoid(input), target) without its loss of precision.

    (1 - y) x - log sigmoid(x). `pos_weight` multiplies the part of the positive targets; it
    broadcasts against input.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if target.shape != input.shape:
        raise ValueError(
            message(
                f"Target size ({target.shape}) must be the same as input size ({input.shape})",
                both(input, target),
                fix="target.reshape(input.shape)" if target.numel() == input.numel() else "",
            )
        )
    if not target.is_floating_point():
        raise RuntimeError(
            message(
                "binary_cross_entropy_with_logits: target must be floating point, "
                f"but is {target.dtype}",
                both(input, target),
                fix="target.to(input.dtype)",
            )
        )
    for name, factor in (("weight", weight), ("pos_weight", pos_weight)):
        if factor is not None:
            tensors_only("binary_cross_entropy_with_logits", **{name: factor})
    if not input.is_floating_point():
        raise not_floating("log_sigmoid_cpu", input)
    loss = several(REGISTRY["bce_with_logits"], (target, input))
    if pos_weight is not None:
        loss = loss - (pos_weight - 1) * target * logsigmoid(input)
    loss = put_into(loss, target)
    return reduce_loss(loss if weight is None else put_into(loss * weight, loss), reduction)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """target * (log(target) - input), the Kullback-Leibler divergence.

    `input` are log-probabilities. reduction="batchmean" divides the sum by input.shape[0], which
    is the mathematical definition.
    """
    refuse_complex("kl_div", input, target)
    if any(t.array.dtype.kind in "biu" for t in (input, target)):
        raise RuntimeError(
            message(
                "kl_div: Integral inputs not supported.",
                f"input {describe(input)}, target {describe(target)}",
                fix="probabilities are floating: target.float()",
            )
        )
    by_batch = reduction == "batchmean" and input.ndim  # whatever the old flags ask for, too
    old = size_average is not None or reduce is not None
    reduction = legacy_reduction(size_average, reduce, reduction)
    if reduction == "mean" and not by_batch and not old:
        warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support "
            "size.'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition.'mean' will be changed to behave the same as 'batchmean' in the next "
            "major release.",
        )
    if log_target:
        loss = target.exp() * (target - input)
    else:
        loss = target.xlogy(target) - target * input
    loss = loss.sum() if reduction == "batchmean" else reduce_loss(loss, reduction)
    return loss / input.shape[0] if by_batch else loss
