"""Losses for classification: cross entropy, and negative log likelihood.

nll_loss is an op of its own. Cross entropy is log_softmax followed by nll_loss: its gradient,
softmax minus one-hot, comes out of theirs. With class weights, the "mean" of both divides by the
sum of the weights.
"""

from __future__ import annotations

from ...arrays.dtypes import I64, int64, uint8
from ...base.errors import describe, message
from ...engine import autocast
from ...handles.tensor import Tensor
from ...ops.loss import nll_loss as nll_loss_op
from ...ops.select import where
from .linear_maps import linear
from .reduction import both, legacy_reduction, reduce_loss


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
    shape, given = input.array.shape, target.array.shape
    if not shape:
        raise RuntimeError(
            message(
                "cross_entropy: input has no class dimension",
                f"got {both(input, target)}",
                fix="input is (C,), (N, C) or (N, C, d1, ...)",
            )
        )
    class_dim = 0 if len(shape) == 1 else 1
    if shape == given:
        return _soft_cross_entropy(
            input, target, weight, ignore_index, reduction, label_smoothing, class_dim
        )
    log_p = input.log_softmax(class_dim)
    if label_smoothing == 0.0:
        return nll_loss(log_p, target, weight, ignore_index=ignore_index, reduction=reduction)
    picked = nll_loss(log_p, target, weight, ignore_index=ignore_index, reduction=reduction)
    ignored = target.eq(ignore_index)
    spread = -(log_p if weight is None else log_p * _along(weight, log_p)).sum(class_dim)
    spread = where(ignored, 0.0, spread)
    if reduction == "mean":
        counted = (~ignored).to(log_p.dtype)
        if weight is not None:
            counted = counted * weight[where(ignored, 0, target).to(int64)]
        spread = spread.sum() / counted.sum()
    elif reduction == "sum":
        spread = spread.sum()
    return (1 - label_smoothing) * picked + label_smoothing / input.shape[class_dim] * spread


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
                both(input, target),
                fix="target.float(); class indices have one dimension less than input",
            )
        )
    if ignore_index >= 0:
        raise RuntimeError(
            message(
                "ignore_index is not supported for floating point target",
                both(input, target),
                fix="class indices: target.argmax(1)",
            )
        )
    classes = input.shape[class_dim]
    if label_smoothing > 0:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    products = input.log_softmax(class_dim) * target
    if weight is not None:
        _check_weight(weight, input, class_dim)
        products = products * _along(weight, input)
    loss = -products.sum(class_dim)
    if reduction == "mean":
        return loss.sum() / (input.numel() // classes if classes else 0)
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
    shape, t = input.array.shape, target.array
    if len(shape) == 2 and shape[:1] == t.shape and weight is None and t.dtype is I64:
        return nll_loss_op(input, target, None, ignore_index, reduction)
    _check_indices(input, target, weight, 0 if input.ndim == 1 else 1)
    if target.dtype is not int64:
        target = target.to(int64)
    if input.ndim == 1 and target.ndim == 1:
        target = target.reshape(())
    return nll_loss_op(input, target, weight, ignore_index, reduction)


def _check_weight(weight: Tensor, input: Tensor, class_dim: int) -> None:
    classes = input.shape[class_dim]
    if tuple(weight.shape) != (classes,):
        raise RuntimeError(
            message(
                f"weight tensor should be defined either for all {classes} classes or no classes "
                f"but got weight tensor of shape: {list(weight.shape)}",
                f"input {describe(input)}",
                fix="one weight for each class",
            )
        )


def _check_indices(input: Tensor, target: Tensor, weight: Tensor | None, class_dim: int) -> None:
    sizes = [x.shape[0] if x.ndim else 0 for x in (input, target)]
    if input.ndim != 1 and sizes[0] != sizes[1]:  # also of a target of another dtype
        raise ValueError(
            message(
                f"Expected input batch_size ({sizes[0]}) to match target batch_size ({sizes[1]}).",
                both(input, target),
                fix="one target for each row of the input, taken from the same batch",
            )
        )
    if target.dtype not in (int64, uint8):
        raise RuntimeError(
            message(
                f"expected target dtype to be Long or Byte, but got {target.dtype}",
                both(input, target),
                fix="target.long() for class indices; class probabilities need the shape of input",
            )
        )
    if weight is not None:
        _check_weight(weight, input, class_dim)
    if input.ndim == 1:
        if target.ndim > 1 or target.numel() != 1:
            raise ValueError(
                message(
                    f"For 1D input, 1D target must have size 1, but got target size: "
                    f"{target.numel()}",
                    both(input, target),
                    fix="for a batch, input is (N, C)",
                )
            )
    elif input.ndim == 2 and target.ndim > 1:
        raise RuntimeError(
            message(
                "0D or 1D target tensor expected, multi-target not supported",
                both(input, target),
                fix=f"target of shape ({input.shape[0]},), for example target.squeeze(1)",
            )
        )
    elif tuple(target.shape[1:]) != tuple(input.shape[2:]):
        expected = [input.shape[0], *input.shape[2:]]
        raise RuntimeError(
            message(
                f"Expected target size {expected}, got {list(target.shape)}",
                both(input, target),
                fix="a class index for each place of the input, without the class dimension",
            )
        )


def _along(weight: Tensor, input: Tensor) -> Tensor:
    """`weight` (C,) shaped to multiply along the class dimension of `input`."""
    return weight.reshape([-1] + [1] * (input.ndim - 2)) if input.ndim > 2 else weight


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: object = None,
) -> Tensor:
    """cross_entropy(linear(input, linear_weight, linear_bias), target).

    `input` (N, in) or (in,), `linear_weight` (C, in), or (C, d1, ..., in) for targets (N, d1, ...).
    `ignore_index` is -100 unless given, and may not be given with class probabilities. `options`
    change nothing here.
    """
    features, classes = input.shape[-1:], linear_weight.shape[:-1]
    given = f"input {tuple(input.shape)}, linear_weight {tuple(linear_weight.shape)}"
    if input.ndim not in (1, 2):
        raise RuntimeError(
            message(f"expected input with dimensionality 1 or 2, got {input.ndim}", given)
        )
    if linear_weight.ndim < 2:
        raise RuntimeError(
            message(
                "expected linear_weight with dimensionality at least 2, got "
                f"{linear_weight.ndim}",
                given,
            )
        )
    if features != linear_weight.shape[-1:]:
        raise RuntimeError(
            message(
                "expected equal input and linear_weight last dimensions (in_features), got "
                f"{input.shape[-1]} and {linear_weight.shape[-1]}, respectively",
                given,
            )
        )
    if linear_bias is not None and linear_bias.shape != classes:
        raise RuntimeError(
            message(
                f"expected linear_bias shape {tuple(classes)}, got {tuple(linear_bias.shape)}",
                given,
            )
        )
    if len(classes) > 1 and input.ndim == 1:
        raise RuntimeError(
            message("K-dimensional loss requires batched input, got unbatched input", given)
        )
    shape = (*input.shape[:-1], *classes)
    if ignore_index is not None and tuple(target.shape) == shape:
        raise RuntimeError(
            message("ignore_index cannot be specified when target contains probabilities", given)
        )
    rows = linear_weight.reshape(-1, *features)
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    return cross_entropy(
        autocast.wide(linear(input, rows, bias).reshape(shape)),
        target,
        weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )
