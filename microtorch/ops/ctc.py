"""Connectionist temporal classification: labels of unknown places (Graves et al. 2006).

A sequence of T frames, each with log-probabilities of C classes, is read as S labels: runs of a
class count once, and the class ``blank`` not at all. The loss is minus the log of the sum of the
probabilities of all readings that give the labels. With blanks put between the labels, l' has
2 S + 1 states, and the sum over readings goes from frame to frame:

    alpha[t, s] = lp[t, l'[s]] + log(e^alpha[t-1, s] + e^alpha[t-1, s-1] (+ e^alpha[t-1, s-2]))

with the last term where l'[s] is a label other than l'[s-2]. ``beta`` is the same from the end. The
gradient is PyTorch's: that of the loss with respect to the numbers whose log_softmax ``lp`` is,

    lp̄[t, c] = (e^lp[t, c] - Σ_{s: l'[s] = c} e^(alpha[t, s] + beta[t, s] - lp[t, c] + loss)) · g

so the gradient of such numbers, behind log_softmax, is right, and ``lp`` must be normalised.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..base.errors import describe, message
from ..engine.apply import apply
from ..engine.handle import Handle
from ..engine.op import Op
from ..engine.record import constant
from ..engine.whole import whole
from .elementwise import no_derivative
from .surface import public

if TYPE_CHECKING:
    from ..base.types import Array, Gradient, Namespace, Operand, Setting
    from ..handles.tensor import Tensor

NOTHING = -math.inf
Lengths: TypeAlias = "Tensor | Sequence[int] | int"


# ---- sums over readings --------------------------------------------------------------------------
def _states(targets: Array, blank: int) -> Array:
    """l' (N, 2 S + 1): the labels (N, S) with blanks around each."""
    out = np.full((len(targets), 2 * targets.shape[1] + 1), blank, np.int64)
    out[:, 1::2] = targets
    return out


def _logsumexp(*terms: Array) -> Array:
    """log Σ exp, elementwise; -inf where all are."""
    most = np.maximum.reduce(terms)
    safe = np.where(most == NOTHING, 0, most)
    total = np.add.reduce([np.exp(t - safe) for t in terms])
    with np.errstate(divide="ignore"):
        return safe + np.log(total)


def _shifted(x: Array, by: int) -> Array:
    """x[:, s - by] in the place of s, -inf where there is none."""
    out = np.full_like(x, NOTHING)
    n = x.shape[1]
    if abs(by) < n:
        if by > 0:
            out[:, by:] = x[:, :-by]
        else:
            out[:, :by] = x[:, -by:]
    return out


def _forward_sums(lp: Array, states: Array, lengths: Array, sizes: Array) -> tuple[Array, Array]:
    """alpha (T, N, 2 S + 1), and the loss (N,) of each sequence."""
    t, n, _ = lp.shape
    count = states.shape[1]
    alpha = np.full((t, n, count), NOTHING, lp.dtype)
    rows = np.arange(n)
    # a label may follow another one without a blank, unless they are the same
    jumps = np.zeros(states.shape, bool)
    jumps[:, 3::2] = states[:, 3::2] != states[:, 1:-2:2]
    emitted = np.take_along_axis(lp, np.broadcast_to(states, (t, n, count)), 2) if t else alpha
    if t:
        alpha[0, :, 0] = emitted[0, :, 0]
        alpha[0, :, 1:2] = np.where(sizes[:, None] > 0, emitted[0, :, 1:2], NOTHING)
    for i in range(1, t):
        last = alpha[i - 1]
        skip = np.where(jumps, _shifted(last, 2), NOTHING)
        alpha[i] = emitted[i] + _logsumexp(last, _shifted(last, 1), skip)
    if not t:
        return alpha, np.where(sizes == 0, 0.0, math.inf).astype(lp.dtype)
    end = alpha[np.maximum(lengths - 1, 0), rows]
    final = end[rows, 2 * sizes]
    before = np.where(sizes > 0, end[rows, np.maximum(2 * sizes - 1, 0)], NOTHING)
    total = -_logsumexp(final, before)
    return alpha, np.where(lengths > 0, total, np.where(sizes == 0, 0.0, math.inf)).astype(lp.dtype)


def _backward_sums(lp: Array, states: Array, lengths: Array, sizes: Array) -> Array:
    """beta (T, N, 2 S + 1): sums over what follows, this frame included."""
    t, n, _ = lp.shape
    count = states.shape[1]
    beta = np.full((t, n, count), NOTHING, lp.dtype)
    rows = np.arange(n)
    jumps = np.zeros(states.shape, bool)  # from s to s + 2
    jumps[:, 1:-2:2] = states[:, 3::2] != states[:, 1:-2:2]
    emitted = np.take_along_axis(lp, np.broadcast_to(states, (t, n, count)), 2) if t else beta
    ends = np.full((n, count), NOTHING, lp.dtype)
    ends[rows, 2 * sizes] = 0
    ends[rows[sizes > 0], 2 * sizes[sizes > 0] - 1] = 0
    following = np.full((n, count), NOTHING, lp.dtype)
    for i in reversed(range(t)):
        skip = np.where(jumps, _shifted(following, -2), NOTHING)
        inner = _logsumexp(following, _shifted(following, -1), skip)
        here = np.where((lengths == i + 1)[:, None], ends, inner)
        beta[i] = np.where((lengths > i)[:, None], emitted[i] + here, NOTHING)
        following = beta[i]
    return beta


# ---- the ops -------------------------------------------------------------------------------------
def _ctc_loss(
    F: Namespace, lp: Array, targets: Array, lengths: Array, sizes: Array, blank: int,
    zero_infinity: bool,
) -> Array:  # fmt: skip
    loss = _forward_sums(lp, _states(targets, blank), lengths, sizes)[1]
    return np.where(loss == math.inf, lp.dtype.type(0), loss) if zero_infinity else loss


def _ctc_gradient(
    F: Namespace, g: Array, lp: Array, targets: Array, lengths: Array, sizes: Array, blank: int,
    zero_infinity: bool,
) -> Array:  # fmt: skip
    states = _states(targets, blank)
    alpha, loss = _forward_sums(lp, states, lengths, sizes)
    beta = _backward_sums(lp, states, lengths, sizes)
    t, n, _ = lp.shape
    # states beyond a sequence's own end, which alpha goes on into, have beta = -inf
    emitted = np.take_along_axis(lp, np.broadcast_to(states, alpha.shape), 2)
    with np.errstate(invalid="ignore"):  # where the loss is inf, inf - inf is nan
        share = np.exp(alpha + beta - emitted + loss[:, None])
    out = np.exp(lp)
    place = (np.arange(t)[:, None, None], np.arange(n)[:, None], states)
    np.subtract.at(out, place, share)
    out[:, loss == math.inf] = math.nan  # of the symbols that the target lacks, too, as in PyTorch
    out = np.where((np.arange(t)[:, None] < lengths)[..., None], out * g[:, None], 0)
    if zero_infinity:
        out = np.where((loss == math.inf)[:, None], 0, out)
    return out.astype(lp.dtype)


def _ctc_vjp(
    F: Namespace, g: Gradient, out: Operand, lp: Operand, targets: Operand, lengths: Operand,
    sizes: Operand, **settings: Setting,
) -> Gradient:  # fmt: skip
    return F.ctc_gradient(g, lp, targets, lengths, sizes, **settings)


ctc_loss_op = Op(
    "ctc_loss",
    _ctc_loss,
    vjps=(_ctc_vjp, None, None, None),
    saves=("x y z w", "", "", ""),
    formula="−log Σ over readings of the labels",
    rule=("(exp(x) − share of the readings) · g", None, None, None),
    torch_name="CtcLoss",
)
ctc_gradient_op = Op(
    "ctc_gradient",
    _ctc_gradient,
    vjps=(no_derivative("_ctc_loss_backward"),) * 2 + (None, None, None),
    rule=("not implemented", "not implemented", None, None, None),
    torch_name="CtcLossBackward",
)


# ---- the function --------------------------------------------------------------------------------
def _lengths(given: Lengths, name: str, batch: int) -> Array:
    """Lengths as an array (N,)."""
    values = given.detach().cpu().array if isinstance(given, Handle) else np.asarray(given)
    if values.dtype.kind not in "iu":
        raise RuntimeError(message(f"{name} must be integral", f"ctc_loss: {describe(given)}"))
    values = values.reshape(-1).astype(np.int64)
    if len(values) != batch:
        raise RuntimeError(
            message(
                f"{name} must be of size batch_size",
                f"ctc_loss: {len(values)} lengths for a batch of {batch}",
            )
        )
    return values


def _padded(targets: Tensor, sizes: Array, blank: int) -> Array:
    """Labels as (N, S), where S is the largest target length; the rest is blank."""
    y = targets.detach().cpu().array
    most = int(sizes.max()) if len(sizes) else 0
    out = np.full((len(sizes), most), blank, np.int64)
    if y.ndim == 1:
        if int(sizes.sum()) != len(y) and not (y.ndim == 1 and len(sizes) == 1):
            raise RuntimeError(
                message(
                    "Expected tensor to have size equal to the sum of target_lengths at dimension "
                    f"0, but got size {len(y)} (while checking arguments for ctc_loss_cpu)",
                    f"target_lengths sum up to {int(sizes.sum())}",
                )
            )
        ends = np.cumsum(sizes)
        for row, (size, end) in enumerate(zip(sizes, ends, strict=True)):
            out[row, :size] = y[end - size : end]
        return out
    if y.shape[0] != len(sizes) or y.shape[1] < most:
        raise RuntimeError(
            message(
                f"Expected tensor to have size at least {most} at dimension 1, but got size "
                f"{y.shape[1]} (while checking arguments for ctc_loss_cpu)",
                f"targets {describe(targets)}",
            )
        )
    for row, size in enumerate(sizes):
        out[row, :size] = y[row, :size]
    return out


def _operands(
    log_probs: Tensor, targets: Tensor, inputs: Tensor | None, outputs: Tensor | None,
    numbers: tuple[Sequence[int], Sequence[int]], blank: int,
) -> tuple[Tensor, ...]:  # fmt: skip
    """The labels (N, S), both lengths, and what the mean divides each loss by."""
    steps, batch, classes = log_probs.array.shape
    lengths = _lengths(numbers[0] if inputs is None else inputs, "input_lengths", batch)
    sizes = _lengths(numbers[1] if outputs is None else outputs, "target_lengths", batch)
    if (sizes < 0).any() or (lengths < 0).any():
        raise RuntimeError(
            message("Expected lengths to have values of at least 0", f"{lengths=}, {sizes=}")
        )
    if batch and int(lengths.max()) > steps:
        raise RuntimeError(
            message(
                f"Expected input_lengths to have value at most {steps}, but got value "
                f"{int(lengths.max())} (while checking arguments for ctc_loss_cpu)",
                f"log_probs {describe(log_probs)} has {steps} frames",
            )
        )
    labels = _padded(targets, sizes, blank)
    outside = labels[(labels < 0) | (labels >= classes)]
    if len(outside):
        raise RuntimeError(
            message(
                f"ctc_loss: targets must be in 0..{classes - 1}, the classes of log_probs, "
                f"but one is {int(outside[0])}",
                f"targets {describe(targets)}, log_probs {describe(log_probs)}",
                fix="the last dimension of log_probs needs one class for each label and the blank",
            )
        )
    share = np.maximum(sizes, 1).astype(log_probs.array.dtype)
    return (*[constant(a) for a in (labels, lengths, sizes)],
            constant(share).to(log_probs.device))  # fmt: skip


@public(method=False)
def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Lengths, target_lengths: Lengths,
    blank: int = 0, reduction: str | int = "mean", zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """-log of the probability that ``log_probs`` (T, N, C) or (T, C) spell ``targets``.

    ``targets`` (N, S), or all of them one after the other (sum of target_lengths,), are int64
    classes other than ``blank``. Lengths (N,) are tensors or sequences of ints. ``reduction``:
    "none" (N,), "sum", or "mean": each loss divided by its target's length, then their mean.
    ``zero_infinity``: where the input is too short for the target, loss and gradient are 0.
    Raises RuntimeError for lengths that do not fit. There is no second derivative, as in PyTorch.
    """
    batched = log_probs.array.ndim == 3
    if log_probs.array.ndim not in (2, 3):
        raise RuntimeError(
            message(
                "ctc_loss: log_probs must be (T, N, C), or (T, C) without a batch",
                describe(log_probs),
            )
        )
    if log_probs.array.dtype.kind != "f":
        raise RuntimeError(
            message(
                "\"ctc_loss_cpu\" not implemented for integers",
                describe(log_probs),
                fix="log_probs = scores.log_softmax(-1)",
            )
        )
    if targets.array.dtype.kind not in "iu":
        raise RuntimeError(message("targets must be integral", f"ctc_loss: {describe(targets)}"))
    lp = log_probs if batched else log_probs.unsqueeze(1)
    classes = lp.array.shape[2]
    if not 0 <= blank < classes:
        raise RuntimeError(
            message("blank must be in label range", f"ctc_loss: {blank=} of {classes} classes")
        )
    home = lp.device
    operands = whole(
        "ctc_operands", _operands, lp.detach(), targets.detach(),
        *[x if isinstance(x, Handle) else None for x in (input_lengths, target_lengths)],
        numbers=tuple([() if isinstance(x, Handle) else np.ravel(x).tolist()
                       for x in (input_lengths, target_lengths)]),
        blank=blank,
    )  # fmt: skip
    *operands, share = operands
    settings = {"blank": blank, "zero_infinity": zero_infinity}
    loss = apply(ctc_loss_op, (lp.cpu(), *operands), settings).to(home)
    if reduction in ("none", 0):
        return loss if batched else loss.squeeze(0)
    if reduction in ("sum", 2):
        return loss.sum()
    if reduction not in ("mean", 1):
        raise ValueError(
            message(
                f"{reduction} is not a valid value for reduction", fix="use 'mean', 'sum' or 'none'"
            )
        )
    return (loss / share).mean()
