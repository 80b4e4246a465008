"""Losses as functions: one number from a prediction and its target.

All of them compute a loss per element (or per sample) and then reduce it: `reduction="none"` keeps
the elements, `"sum"` adds them, `"mean"` divides by their number (by the sum of the class weights
in nll_loss and cross_entropy).

The two losses of most programs, mse_loss and nll_loss, are ops of their own; the others are
composed of ops. Cross entropy is log_softmax followed by nll_loss: its gradient, softmax minus
one-hot, comes out of theirs.
"""

from __future__ import annotations

import warnings
from typing import Any

from ...arrays.dtypes import int64, uint8
from ...autograd import Function
from ...base.errors import describe, message
from ...handles.tensor import Tensor
from ...ops.loss import mse_loss as mse_loss_op
from ...ops.loss import nll_loss as nll_loss_op
from ...ops.select import where
from .activations import logsigmoid


def reduce_loss(loss: Tensor, reduction: str) -> Tensor:
    """Apply "mean", "sum" or "none"; ValueError for anything else."""
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    if reduction == "none":
        return loss
    raise ValueError(
        message(
            f"{reduction} is not a valid value for reduction", fix="use 'mean', 'sum' or 'none'"
        )
    )


def legacy_reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction that PyTorch's old pair of flags stands for, with its warning.

    `reduction` if both are None.
    """
    if size_average is None and reduce is None:
        return reduction
    chosen = "none" if reduce is False else "sum" if size_average is False else "mean"
    warnings.warn(
        "size_average and reduce args will be deprecated, please use "
        f"reduction='{chosen}' instead.",
        stacklevel=3,
    )
    return chosen


def _warn_sizes(input: Tensor, target: Tensor) -> None:
    """PyTorch's warning before (N, 1) and (N,) quietly become (N, N)."""
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            stacklevel=3,
        )


def _weighted(loss: Tensor, weight: Tensor | None, input: Tensor, reduction: str) -> Tensor:
    """Reduce an elementwise loss; with weights, its "mean" is their weighted mean."""
    if weight is None:
        return reduce_loss(loss, reduction)
    _check_weight(weight, input)
    if reduction == "mean":
        return (loss * weight).sum() / weight.sum()
    return reduce_loss(loss * weight, reduction)


def _check_weight(weight: Tensor, input: Tensor) -> None:
    if weight.shape != input.shape:
        raise ValueError(
            message(
                "Weights and input must have the same size.",
                f"weight {tuple(weight.shape)}, input {tuple(input.shape)}",
                fix="weight.expand_as(input)",
            )
        )


# ---------------------------------------------------------------- regression


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """(input - target)². Warns when the two shapes differ."""
    _warn_sizes(input, target)
    reduction = legacy_reduction(size_average, reduce, reduction)
    if weight is None:
        return mse_loss_op(input, target, reduction)
    return _weighted((input - target).square(), weight, input, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """|input - target|. Warns when the two shapes differ."""
    _warn_sizes(input, target)
    reduction = legacy_reduction(size_average, reduce, reduction)
    return _weighted((input - target).abs(), weight, input, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """d²/2beta where d = |input - target| < beta, else d - beta/2 (Girshick 2015).

    beta = 0 is l1_loss.
    """
    _warn_sizes(input, target)
    if beta < 0:
        raise RuntimeError(
            message(
                f"smooth_l1_loss does not support negative values for beta. Got {beta}.",
                fix="beta=1.0; 0 is l1_loss",
            )
        )
    distance = (input - target).abs()
    if beta > 0:
        near = 0.5 * distance.square() / beta
        distance = where(distance < beta, near, distance - 0.5 * beta)
    return reduce_loss(distance, legacy_reduction(size_average, reduce, reduction))


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """d²/2 where d = |input - target| <= delta, else delta * (d - delta/2) (Huber 1964)."""
    _warn_sizes(input, target)
    if delta <= 0:
        raise RuntimeError(
            message(
                f"huber_loss does not support non-positive values for delta. Got {delta}.",
                fix="delta=1.0",
            )
        )
    distance = (input - target).abs()
    near, far = 0.5 * distance.square(), delta * (distance - 0.5 * delta)
    loss = where(distance <= delta, near, far)
    if weight is not None:
        _check_weight(weight, input)
        loss = loss * weight  # its "mean" divides by the number of elements, as PyTorch's does
    return reduce_loss(loss, reduction)


# ---------------------------------------------------------------- classification


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(input)[target]: input are logits (C,), (N, C) or (N, C, d1, ...).

    `target` holds class indices, int64 () / (N,) / (N, d1, ...), or class probabilities of input's
    shape. `weight` (C,) scales the classes, targets equal to `ignore_index` do not count,
    `label_smoothing` e mixes every target with e/C of each class (Szegedy et al. 2016).
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if not isinstance(target, Tensor):
        raise TypeError(
            message(
                "cross_entropy_loss(): argument 'target' (position 2) must be Tensor, "
                f"not {type(target).__name__}",
                fix="torch.tensor(target)",
            )
        )
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(
            message(
                f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}",
                fix="label_smoothing=0.1",
            )
        )
    if input.ndim == 0:
        raise RuntimeError(
            message(
                "cross_entropy: input has no class dimension",
                f"got {_both(input, target)}",
                fix="input is (C,), (N, C) or (N, C, d1, ...)",
            )
        )
    class_dim = 0 if input.ndim == 1 else 1
    if input.shape == target.shape:
        return _soft_cross_entropy(
            input, target, weight, ignore_index, reduction, label_smoothing, class_dim
        )
    log_p = input.log_softmax(class_dim)
    if label_smoothing == 0.0:
        return nll_loss(log_p, target, weight, ignore_index=ignore_index, reduction=reduction)
    picked = nll_loss(log_p, target, weight, ignore_index=ignore_index, reduction="none")
    ignored = target.eq(ignore_index)
    spread = -(log_p if weight is None else log_p * _along(weight, log_p)).sum(class_dim)
    spread = where(ignored, 0.0, spread)
    loss = (1 - label_smoothing) * picked + label_smoothing / input.shape[class_dim] * spread
    if reduction != "mean":
        return reduce_loss(loss, reduction)
    counted = (~ignored).to(log_p.dtype)
    if weight is not None:
        counted = counted * weight[where(ignored, 0, target).to(int64)]
    return loss.sum() / counted.sum()


def _soft_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
    class_dim: int,
) -> Tensor:
    """Cross entropy with a probability for each class."""
    if not target.is_floating_point():
        raise RuntimeError(
            message(
                "Expected floating point type for target with class probabilities, "
                f"got {target.dtype}",
                _both(input, target),
                fix="target.float(); class indices have one dimension less than input",
            )
        )
    if ignore_index >= 0:
        raise RuntimeError(
            message(
                "ignore_index is not supported for floating point target",
                _both(input, target),
                fix="class indices: target.argmax(1)",
            )
        )
    classes = input.shape[class_dim]
    if label_smoothing > 0:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    products = input.log_softmax(class_dim) * target
    if weight is not None:
        products = products * _along(weight, input)
    loss = -products.sum(class_dim)
    if reduction == "mean":
        return loss.sum() / (input.numel() // classes)
    return reduce_loss(loss, reduction)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-input[target]: input are log-probabilities; shapes and arguments as in cross_entropy."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    plain = input.ndim == 2 and target.ndim == 1 and weight is None
    if plain and target.dtype is int64 and len(target) == len(input):
        return nll_loss_op(input, target, None, ignore_index, reduction)
    _check_indices(input, target, weight, 0 if input.ndim == 1 else 1)
    if target.dtype is not int64:
        target = target.to(int64)
    if input.ndim == 1 and target.ndim == 1:
        target = target.reshape(())
    return nll_loss_op(input, target, weight, ignore_index, reduction)


def _check_indices(input: Tensor, target: Tensor, weight: Tensor | None, class_dim: int) -> None:
    if target.dtype not in (int64, uint8):
        raise RuntimeError(
            message(
                f"expected target dtype to be Long or Byte, but got {target.dtype}",
                _both(input, target),
                fix="target.long() for class indices; class probabilities need the shape of input",
            )
        )
    if weight is not None and tuple(weight.shape) != (input.shape[class_dim],):
        raise RuntimeError(
            message(
                "weight tensor should be defined either for all "
                f"{input.shape[class_dim]} classes or no classes "
                f"but got weight tensor of shape: {list(weight.shape)}",
                _both(input, target),
            )
        )
    if input.ndim == 1:
        if target.ndim > 1 or target.numel() != 1:
            raise RuntimeError(
                message(
                    f"input (C,) takes one class index, but target has shape {tuple(target.shape)}",
                    _both(input, target),
                    fix="for a batch, input is (N, C)",
                )
            )
    elif input.ndim == 2 and target.ndim > 1:
        raise RuntimeError(
            message(
                "0D or 1D target tensor expected, multi-target not supported",
                _both(input, target),
                fix=f"target of shape ({input.shape[0]},), for example target.squeeze(1)",
            )
        )
    elif target.ndim == 0 or input.shape[0] != target.shape[0]:
        found = target.shape[0] if target.ndim else 1
        raise ValueError(
            message(
                f"Expected input batch_size ({input.shape[0]}) to match target batch_size "
                f"({found}).",
                _both(input, target),
            )
        )
    elif tuple(target.shape[1:]) != tuple(input.shape[2:]):
        expected = [input.shape[0], *input.shape[2:]]
        raise RuntimeError(
            message(
                f"Expected target size {expected}, got {list(target.shape)}",
                _both(input, target),
                fix="a class index for each place of the input, without the class dimension",
            )
        )


def _both(input: Tensor, target: Tensor) -> str:
    return f"input {describe(input)}, target {describe(target)}"


def _along(weight: Tensor, input: Tensor) -> Tensor:
    """`weight` (C,) shaped to multiply along the class dimension of `input`."""
    return weight.reshape([-1] + [1] * (input.ndim - 2)) if input.ndim > 2 else weight


# ---------------------------------------------------------------- probabilities


class BinaryCrossEntropy(Function):
    """-(y log x + (1 - y) log(1 - x)) with logarithms not below -100.

    A Function of its own because the parts' derivatives would be 0 * inf at x = 0 and x = 1.
    The gradient is (x - y) / max(x (1 - x), 1e-12).
    """

    @staticmethod
    def forward(ctx: Any, input: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(input, target)
        return (target - 1) * (-input).log1p().clamp_min(-100) - target * input.log().clamp_min(
            -100
        )

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None]:
        input, target = ctx.saved_tensors
        by_input = grad * (input - target) / (input * (1 - input)).clamp_min(1e-12)
        by_target = grad * ((-input).log1p() - input.log()) if ctx.needs_input_grad[1] else None
        return by_input, by_target


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
                _both(input, target),
                fix="target.reshape(input.shape)" if target.numel() == input.numel() else "",
            )
        )
    if target.dtype != input.dtype:
        raise RuntimeError(
            message(
                f"Found dtype {target.dtype} but expected {input.dtype}",
                _both(input, target),
                fix="target.to(input.dtype)",
            )
        )
    for name, value in (("input", input), ("target", target)):
        if value.numel() and not bool(((value >= 0) & (value <= 1)).all()):
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
    loss = BinaryCrossEntropy.apply(input, target)
    return reduce_loss(loss if weight is None else loss * weight, reduction)


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
                _both(input, target),
                fix="target.reshape(input.shape)" if target.numel() == input.numel() else "",
            )
        )
    if not target.is_floating_point():
        raise RuntimeError(
            message(
                "binary_cross_entropy_with_logits: target must be floating point, "
                f"but is {target.dtype}",
                _both(input, target),
                fix="target.to(input.dtype)",
            )
        )
    log_sigmoid = logsigmoid(input)
    if pos_weight is not None:
        log_sigmoid = ((pos_weight - 1) * target + 1) * log_sigmoid
    loss = (1 - target) * input - log_sigmoid
    return reduce_loss(loss if weight is None else loss * weight, reduction)


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
    reduction = legacy_reduction(size_average, reduce, reduction)
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support "
            "size.'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition.'mean' will be changed to behave the same as 'batchmean' in the next "
            "major release.",
            stacklevel=2,
        )
    if log_target:
        loss = target.exp() * (target - input)
    else:
        loss = target.xlogy(target) - target * input
    if reduction == "batchmean":
        return loss.sum() / input.shape[0] if input.ndim else loss.sum()
    return reduce_loss(loss, reduction)
