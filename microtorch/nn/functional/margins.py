"""Losses with a margin: right answers shall lead wrong ones by it.

The elements of a loss are a composition of ops; `reduction` then takes their mean or their sum.
"""

from __future__ import annotations

from collections.abc import Callable

from ...arrays.dtypes import int64
from ...base.errors import describe, message
from ...create.counted import arange
from ...handles.tensor import Tensor
from ...ops.arguments import everywhere, owned, tensors_only
from ...ops.select import where
from .activations import logsigmoid
from .distances import pairwise_distance
from .reduction import both, check_reduction, legacy_reduction, put_into, reduce_loss


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, -target (input1 - input2) + margin): target 1 ranks input1 higher, -1 input2."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            message(
                "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
                f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape} ",
            )
        )
    return reduce_loss((-target * (input1 - input2) + margin).clamp_min(0), reduction)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """For distances: the input itself where target is 1, max(0, margin - input) where it is -1."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    near = where(target != -1, input, 0.0)
    far = where(target != 1, (margin - input).clamp_min(0), 0.0)
    return reduce_loss(near + far, reduction)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos(input1, input2) where target is 1, max(0, cos - margin) where it is -1.

    Shapes: inputs (N, D) with target (N,), or (D,) with a target of no dimension.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    if target.ndim > 1:
        raise RuntimeError(
            message(
                "0D or 1D target tensor expected, multi-target not supported",
                f"cosine_embedding_loss: target {describe(target)}",
            )
        )
    if not input1.ndim == input2.ndim == target.ndim + 1:
        raise RuntimeError(
            message(
                f"{target.ndim}D target tensor expects {target.ndim + 1}D input tensors, but found "
                f"inputs with sizes {list(input1.shape)} and {list(input2.shape)}.",
                fix="target has one number for each pair of rows",
            )
        )
    tiny = 1e-12
    squares = ((input1 * input1).sum(-1) + tiny) * ((input2 * input2).sum(-1) + tiny)
    cosine = (input1 * input2).sum(-1) / squares.sqrt()
    near = where(target == 1, 1 - cosine, 0.0)
    far = where(target == -1, (cosine - margin).clamp_min(0), 0.0)
    return reduce_loss(near + far, reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, ‖anchor - positive‖ - ‖anchor - negative‖ + margin), with norms of order p.

    With `swap`, the distance to the negative is also measured from the positive, and the smaller
    one counts (Balntas et al. 2016).
    """

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return pairwise_distance(x, y, p, eps)

    return triplet_margin_with_distance_loss(
        anchor,
        positive,
        negative,
        distance_function=distance,
        margin=margin,
        swap=swap,
        reduction=legacy_reduction(size_average, reduce, reduction),
    )


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), for any distance d."""
    if margin <= 0:
        raise ValueError(message(f"margin must be greater than 0, got {margin}"))
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            message(
                "The anchor, positive, and negative tensors are expected to have the same number "
                f"of dimensions, but got: anchor {anchor.ndim}D, positive {positive.ndim}D, and "
                f"negative {negative.ndim}D inputs",
            )
        )
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return reduce_loss((margin + near - far).clamp_min(0), reduction)


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-target input)), for targets 1 and -1."""
    tensors_only("soft_margin_loss", input=input, target=target)
    reduction = legacy_reduction(size_average, reduce, reduction)
    return reduce_loss(put_into(-logsigmoid(target * input), input), reduction)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Binary cross entropy of sigmoid(input), averaged over the classes (input's last dim)."""
    reduction = legacy_reduction(size_average, reduce, reduction)
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    dim = max(input.ndim - 1, 0)  # of a target with more dimensions it is not the last
    return reduce_loss(loss.sum(dim) / input.shape[dim], reduction)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Sum over wrong classes j of max(0, margin - input[target] + input[j])^p / C.

    Shapes: input (N, C) or (C,), target int64 (N,) or (); `weight` (C,) scales by target.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    check_reduction(reduction)
    if p not in (1, 2):
        raise ValueError(message("only p == 1 and p == 2 supported", f"multi_margin_loss: {p=}"))
    if weight is not None and weight.ndim != 1:
        raise ValueError(message("weight must be one-dimensional", f"got {describe(weight)}"))
    _check_scores("multi_margin_loss", input)
    scores = input.reshape(-1, input.shape[-1]) if input.ndim else input.reshape(1, 1)
    rows, classes = scores.shape
    if target.ndim > 1 or target.numel() != rows:
        raise RuntimeError(
            message(
                "multi_margin_loss: target tensor should be 1-D with size equal to the number of "
                f"rows of the input, {rows}, but got {list(target.shape)}",
                both(input, target),
            )
        )
    _check_labels("multi_margin_loss", target, 0, classes)
    if weight is not None and weight.numel() != classes:
        raise RuntimeError(
            message(
                f"inconsistent weight size, expected {classes} but got {list(weight.shape)}",
                f"multi_margin_loss: input {describe(input)}",
            )
        )
    label = target.reshape(-1, 1)
    excess = (margin - scores.gather(1, label) + scores).relu()
    if p == 2:
        excess = excess * excess
    if weight is not None:
        excess = excess * weight[label]
    wrong = arange(classes, device=input.device) != label
    loss = where(wrong, excess, 0.0).sum(1) / classes
    return reduce_loss(owned(loss.reshape(target.shape)), reduction)


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Sum over right classes y and wrong ones j of max(0, 1 - input[y] + input[j]) / C.

    Shapes: input (N, C) or (C,), target int64 of the same shape. A row of the target lists its
    classes; the first -1 ends the list.
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    check_reduction(reduction)
    _check_scores("multilabel_margin_loss", input)
    if input.shape != target.shape:
        raise RuntimeError(
            message(
                f"inconsistent target size: {list(target.shape)} for input of size: "
                f"{list(input.shape)}",
                f"multilabel_margin_loss: {both(input, target)}",
                fix="pad each row of the target with -1",
            )
        )
    classes = input.shape[-1] if input.ndim else 1
    _check_labels("multilabel_margin_loss", target, -1, classes)
    scores, labels = input.reshape(-1, classes), target.reshape(-1, classes)
    listed = (labels < 0).to(int64).cumsum(1) == 0
    labels = labels.clamp_min(0)
    each = arange(classes, device=input.device)
    right = ((labels.unsqueeze(2) == each) & listed.unsqueeze(2)).any(1)
    excess = (1 - scores.gather(1, labels).unsqueeze(2) + scores.unsqueeze(1)).relu()
    counted = listed.unsqueeze(2) & ~right.unsqueeze(1)
    loss = where(counted, excess, 0.0).sum((1, 2)) / classes
    return reduce_loss(owned(loss.reshape(input.shape[:-1])), reduction)


def _check_scores(name: str, input: Tensor) -> None:
    """The scores are (N, C), (C,) or one number; N may be 0, C not."""
    if input.ndim > 2 or (input.ndim and input.shape[-1] == 0):
        raise RuntimeError(
            message(
                "Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
                f"{list(input.shape)}",
                f"{name}: input {describe(input)}",
            )
        )


def _check_labels(name: str, target: Tensor, least: int, classes: int) -> None:
    if target.dtype is not int64:
        raise RuntimeError(
            message(
                f"{name}: expected scalar type Long but found {target.dtype} for the target",
                fix="target.long()",
            )
        )
    if target.numel() and not everywhere((target >= least) & (target < classes)):
        raise RuntimeError(
            message(
                f"{name}: target out of range",
                f"labels are from {least} to {classes - 1}, but got {int(target.min())} to "
                f"{int(target.max())}",
            )
        )
