"""Functions that PyTorch has twice, under ``torch.`` with another signature than in nn.functional.

``torch.embedding(weight, indices)`` is ``nn.functional.embedding(indices, weight)``; the losses
take their reduction as a number; ``native_layer_norm`` also returns the statistics.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from ..base import errors
from ..base.errors import message, missing
from ..base.naming import named
from ..engine.argument_types import check_type
from ..engine.calling import reading
from ..engine.record import constant
from ..handles.tensor import Tensor
from ..nn import functional as F
from ..nn.functional.bags import MODES, largest
from ..nn.utils.norms import norm_except
from ..ops.arguments import owned
from ..ops.batch_norm import per_channel

if TYPE_CHECKING:
    from ..base.types import AnyNumber, Shape

LOSSES = {  # and their parameters, in PyTorch's order
    "binary_cross_entropy_with_logits": "input target weight pos_weight reduction",
    "cosine_embedding_loss": "input1 input2 target margin reduction",
    "ctc_loss": "log_probs targets input_lengths target_lengths blank reduction zero_infinity",
    "hinge_embedding_loss": "input target margin reduction",
    "kl_div": "input target reduction log_target",
    "margin_ranking_loss": "input1 input2 target margin reduction",
    "poisson_nll_loss": "input target log_input full eps reduction",
    "triplet_margin_loss": "anchor positive negative margin p eps swap reduction",
}
OTHERS = (
    "batch_norm", "constant_pad_nd", "embedding", "embedding_bag", "instance_norm",
    "native_batch_norm", "native_group_norm", "native_layer_norm", "norm_except_dim",
)  # fmt: skip
NAMES = (*LOSSES, *OTHERS)


def _assert(condition: object, message: str) -> None:
    """``assert`` as a function, which torch.fx records. Raises AssertionError."""
    if not condition:
        raise AssertionError(message)


def _check(cond: bool, message: Callable[[], str] | None = None) -> None:
    """RuntimeError with what ``message()`` says, unless ``cond``."""
    if not cond:
        text = "Expected cond to be True, but got False." if message is None else message()
        raise RuntimeError(errors.message(text))


def _check_is_size(
    i: int, message: Callable[[], str] | None = None, *, max: int | None = None
) -> None:
    """RuntimeError unless ``i`` may be a size: 0 or more, and ``max`` at most."""
    _check(i >= 0 and (max is None or i <= max), message)


def _assert_async(input: Tensor, assert_msg: str = "") -> None:
    """RuntimeError unless the tensor's single element is nonzero. On a GPU PyTorch does not wait
    for it; here it is asked at once.
    """
    if not bool(input):
        text = assert_msg or "Expected Tensor with single nonzero value, but got zero"
        raise RuntimeError(errors.message(text))


# ---- other orders of the arguments ---------------------------------------------------------------
def embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:  # fmt: skip
    """The rows of ``weight`` at ``indices``; no gradient flows to row ``padding_idx``."""
    padding = None if padding_idx < 0 else padding_idx
    return F.embedding(indices, weight, padding, scale_grad_by_freq=scale_grad_by_freq)


def embedding_bag(
    weight: Tensor, indices: Tensor, offsets: Tensor, scale_grad_by_freq: bool = False,
    mode: int = 0, sparse: bool = False, per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False, padding_idx: int | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """nn.functional.embedding_bag in ``mode`` 0 (sum), 1 (mean) or 2 (max), and three of int64: the
    bag of each index; how many rows each bag has (of sums: 0); of maxima which rows have them.
    """
    out = F.embedding_bag(
        indices, weight, offsets, None, 2, scale_grad_by_freq, MODES[mode], sparse,
        per_sample_weights, include_last_offset, padding_idx,
    )  # fmt: skip
    at, starts, bags = indices.numpy().reshape(-1), offsets.numpy(), len(out)
    bag = np.searchsorted(starts[:bags], np.arange(at.size), side="right") - 1
    end = starts[-1] if include_last_offset else at.size
    dropped = (np.arange(at.size) >= end) | (at == (-1 if padding_idx is None else padding_idx))
    sizes, best = np.zeros((2, bags), np.int64)
    if mode:
        sizes = best = np.bincount(bag[~dropped], minlength=bags)
    if MODES[mode] == "max":
        rows, empty = largest(weight.detach().numpy()[at], np.where(dropped, bags, bag), bags)
        best = np.where(empty, 0, at[rows]) if at.size else rows
    bag_of, counts, maxima = [constant(x.astype(np.int64)) for x in (bag, sizes, best)]
    return out, bag_of, counts, maxima


def batch_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None,
    running_var: Tensor | None, training: bool, momentum: float, eps: float,
    cudnn_enabled: bool = True,
) -> Tensor:  # fmt: skip
    """nn.functional.batch_norm, weight and bias first."""
    return per_channel(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None,
    running_var: Tensor | None, use_input_stats: bool, momentum: float, eps: float,
    cudnn_enabled: bool = True,
) -> Tensor:  # fmt: skip
    """nn.functional.instance_norm, weight and bias first."""
    return F.instance_norm(
        input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: AnyNumber = 0) -> Tensor:
    """nn.functional.pad with a constant."""
    return F.pad(input, pad, "constant", cast("float", value))


def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The norm over all dimensions but ``dim``; over all with dim=-1."""
    return norm_except(v, dim, pow)


# ---- normalised values with their statistics -----------------------------------------------------
def _statistics(x: Tensor, dims: Sequence[int], eps: float) -> tuple[Tensor, Tensor]:
    """The mean, and 1 / sqrt(variance + eps)."""
    mean = x.mean(dims, keepdim=True)
    return mean, (x.var(dims, correction=0, keepdim=True) + eps).rsqrt()


def native_layer_norm(
    input: Tensor, normalized_shape: Shape, weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """layer_norm, and the mean and 1 / standard deviation that it divides by: constants."""
    out = F.layer_norm(input, normalized_shape, weight, bias, eps)
    dims = range(input.ndim - len(normalized_shape), input.ndim)
    return out, *_statistics(input.detach(), list(dims), eps)


def native_group_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, N: int, C: int, HxW: int,
    group: int, eps: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """group_norm of (N, C, HxW), and each group's mean and 1 / standard deviation (N, group)."""
    out = F.group_norm(input, group, weight, bias, eps)
    mean, scale = _statistics(input.reshape(N, group, C // group * HxW), [2], eps)
    return out, owned(mean.squeeze(2)), owned(scale.squeeze(2))


def native_batch_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None,
    running_var: Tensor | None, training: bool, momentum: float, eps: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """batch_norm, and in training each channel's mean and 1 / standard deviation, as constants."""
    out = per_channel(input, running_mean, running_var, weight, bias, training, momentum, eps)
    if not training:
        return out, input.new_empty(0), input.new_empty(0)
    mean, scale = _statistics(input.detach(), [i for i in range(input.ndim) if i != 1], eps)
    return out, owned(mean.reshape(-1)), owned(scale.reshape(-1))


# ---- losses --------------------------------------------------------------------------------------
def _reduced(name: str) -> Callable[..., Tensor]:
    """nn.functional's loss; ``reduction`` is 1 (mean), 2 (sum), none otherwise, or a name.

    Where none is given there is none, as in PyTorch. Its poisson_nll_loss has no defaults.
    """
    loss, parameters = getattr(F, name), LOSSES[name].split()

    def function(*args: object, **kwargs: object) -> Tensor:
        given = dict(zip(parameters, args, strict=False)) | kwargs
        if len(args) > len(parameters):
            raise TypeError(
                message(f"{name}() takes {len(parameters)} arguments, but {len(args)} were given")
            )
        left = [p for p in parameters if p not in given] if name == "poisson_nll_loss" else ()
        if left:
            raise TypeError(message(f"{name}() missing {len(left)} required arguments: {left}"))
        reduction = given.pop("reduction", 0)
        if not isinstance(reduction, str):
            check_type(name, "reduction", "int", reduction)
            reduction = {1: "mean", 2: "sum"}.get(cast("int", reduction), "none")
        out: Tensor = loss(**given, reduction=reduction)
        return out

    return named(function, name, f"nn.functional.{name} with a number for the reduction.")


globals().update({name: _reduced(name) for name in LOSSES})
globals().update({name: reading(globals()[name], out=False) for name in OTHERS})
__all__ = list(NAMES)
__getattr__ = missing(__name__, __all__)
