"""Losses for outputs of many classes, or of unknown places: with the last layer, or with a search.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...base.errors import describe, message
from ...engine.whole import writers
from ...handles.tensor import Tensor
from ...ops.ctc import Lengths
from ...ops.join import cat
from ...ops.select import where
from .. import functional as F
from ..common_types import DeviceLike, DTypeLike
from ..module import Module
from .containers import ModuleList, Sequential
from .linear import Linear
from .losses import _Loss, _WeightedLoss


class CTCLoss(_Loss):
    """-log of the probability of labels whose places are not known; see functional.ctc_loss.

    log_probs (T, N, C), targets (N, S) or one after the other, and the lengths of both.
    """

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(
        self, log_probs: Tensor, targets: Tensor, input_lengths: Lengths, target_lengths: Lengths
    ) -> Tensor:
        return F.ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            self.zero_infinity,
        )


# ---------------------------------------------------------------- linear layer and cross entropy


@dataclass(frozen=True)
class LinearCrossEntropyOptions:
    """PyTorch's settings for computing linear_cross_entropy in pieces, which saves memory.

    They are accepted here, and change nothing: the loss is computed as a whole.
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: DTypeLike = None


class LinearCrossEntropyLoss(_WeightedLoss):
    """The cross entropy of a Linear layer's outputs, which belongs to the loss (`linear`).

    (N, in_features) and class indices (N,), or with `out_features` (d1, ...) indices (N, d1, ...),
    or class probabilities (N, num_classes, d1, ...).
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: LinearCrossEntropyOptions | None = None,
    ) -> None:
        if weight is not None and tuple(weight.shape) != (num_classes,):
            raise RuntimeError(
                message(
                    f"expected weight shape to be {(num_classes,)}, got {tuple(weight.shape)}",
                    "LinearCrossEntropyLoss: one weight for each class",
                )
            )
        if not 0 <= label_smoothing <= 1:
            raise RuntimeError(
                message(
                    f"expected label_smoothing to be in range [0, 1], got {label_smoothing}",
                )
            )
        super().__init__(weight, reduction=reduction)
        self.num_classes, self.out_features = num_classes, out_features
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing
        rows = math.prod(out_features, start=num_classes)
        self.linear = Linear(in_features, rows, bias, device, dtype)
        self.options = options

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        shape = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return F.linear_cross_entropy(
            input,
            self.linear.weight.reshape((*shape, self.linear.in_features)),
            target,
            linear_bias=None if bias is None else bias.reshape(shape),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, "
            f"reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )


# ---------------------------------------------------------------- adaptive softmax


class _ASMoutput(NamedTuple):
    """`output` (N,): the log-probability of each target; `loss`: minus their mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """A softmax over very many classes, frequent ones first (Grave et al. 2017).

    Classes below `cutoffs[0]` are outputs of `head`. Each further cluster of classes is one output
    of the head, and a network of its own in `tail`, whose hidden size shrinks by `div_value` from
    cluster to cluster. Only the clusters that the targets need are computed.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: DeviceLike = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        cuts = list(cutoffs)
        if not cuts:
            raise ValueError(
                message("cutoffs should be a sequence of length larger than 0", "[100, 1000]")
            )
        if (
            cuts != sorted(set(cuts))
            or cuts[0] <= 0
            or cuts[-1] > n_classes - 1
            or any(int(c) != c for c in cuts)
        ):
            raise ValueError(
                message(
                    "cutoffs should be a sequence of unique, positive integers sorted in an "
                    "increasing order, where each value is between 1 and n_classes-1",
                    f"{cutoffs=}, {n_classes=}",
                )
            )
        self.in_features, self.n_classes = in_features, n_classes
        self.cutoffs = [*cuts, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            hidden = int(in_features // div_value ** (i + 1))
            classes = self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(
                Sequential(
                    Linear(in_features, hidden, False, device, dtype),
                    Linear(hidden, classes, False, device, dtype),
                )
            )

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        self.head.reset_parameters()
        for cluster in self.tail:
            for layer in cluster.children():
                layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        """(log-probability of each target (N,), the loss), for inputs (N, in_features)."""
        given = f"input {describe(input_)}, target {describe(target_)}"
        if target_.ndim > 1:
            raise RuntimeError(
                message("0D or 1D target tensor expected, multi-target not supported", given)
            )
        if target_.ndim == 1 and input_.shape[0] != target_.shape[0]:
            raise RuntimeError(
                message(
                    "Input and target should have the same size in the batch dimension.", given
                )
            )
        if input_.ndim != target_.ndim + 1:
            raise RuntimeError(
                message(
                    f"{target_.ndim}D target tensor expects {target_.ndim + 1}D input tensors, but "
                    f"found inputs with size {input_.shape}",
                    given,
                )
            )
        batched = target_.ndim == 1
        input = input_ if batched else input_.unsqueeze(0)
        target = target_ if batched else target_.unsqueeze(0)
        if target.numel() and not bool(((target >= 0) & (target < self.n_classes)).all()):
            raise RuntimeError(
                message(
                    f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                    f"[{int(target.min())}, {int(target.max())}] were found.",
                    given,
                )
            )
        output = input.new_zeros(target.shape[0])
        place = target.clone()  # of each target among the head's outputs
        for i, (low, high) in enumerate(zip(self.cutoffs, self.cutoffs[1:], strict=False)):
            inside = (target >= low) & (target < high)
            if writers:  # a program's sizes do not depend on data: the cluster of all rows
                if inside.any():
                    place = where(inside, self.shortlist_size + i, place)
                    log_p = F.log_softmax(self.tail[i](input), dim=1)
                    within = (target - low).clamp(0, high - low - 1).unsqueeze(1)
                    output = where(inside, log_p.gather(1, within).squeeze(1), output)
                continue
            rows = inside.nonzero(as_tuple=True)[0]
            if rows.numel() == 0:
                continue
            place[rows] = self.shortlist_size + i
            log_p = F.log_softmax(self.tail[i](input[rows]), dim=1)
            found = log_p.gather(1, (target[rows] - low).unsqueeze(1)).squeeze(1)
            output = output.index_copy(0, rows, found)
        head = F.log_softmax(self.head(input), dim=1)
        output = output + head.gather(1, place.unsqueeze(1)).squeeze(1)
        loss = (-output).mean()
        return _ASMoutput(output if batched else output.squeeze(0), loss)

    def _full(self, input: Tensor, head: Tensor) -> Tensor:
        """The log-probabilities of all classes, from the head's outputs."""
        short = F.log_softmax(head, dim=1)
        parts = [short[:, : self.shortlist_size]]
        for i in range(self.n_clusters):
            within = F.log_softmax(self.tail[i](input), dim=1)
            parts.append(within + short[:, self.shortlist_size + i].unsqueeze(1))
        return cat(parts, 1)

    def log_prob(self, input: Tensor) -> Tensor:
        """Log-probabilities (N, n_classes) of all classes, for inputs (N, in_features)."""
        return self._full(input, self.head(input))

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class (N,) of each input, int64."""
        head = self.head(input)
        output: Tensor = head.argmax(1)
        if writers:
            return where(output >= self.shortlist_size, self._full(input, head).argmax(1), output)
        rows = (output >= self.shortlist_size).nonzero(as_tuple=True)[0]
        if rows.numel():
            output[rows] = self._full(input[rows], head[rows]).argmax(1)
        return output
