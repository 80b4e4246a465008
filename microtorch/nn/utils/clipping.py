"""Clipping of gradients: by the norm of all of them together, or element by element."""

from __future__ import annotations

from collections.abc import Iterable
from types import GeneratorType
from typing import TYPE_CHECKING

import numpy as np

from ...autograd import no_grad
from ...backends import defines
from ...base.errors import message, not_iterable, warn
from ...create.data import tensor
from ...handles.tensor import Tensor
from ...ops.join import stack
from ...utils.kernels import arrays, common_backend, number, overwritten, tensor_on

if TYPE_CHECKING:
    from ...base.types import Array, Backend


@defines
def total_norm(F: Backend, arrays: tuple[Array, ...]) -> Array:
    """The root of the sum of all squares: the norm of the arrays' norms, as an array ()."""
    norms = np.stack([np.sqrt(np.add.reduce(x * x, axis=None)) for x in arrays])
    return np.asarray(np.sqrt(np.add.reduce(norms * norms)))


@defines
def scale(F: Backend, arrays: tuple[Array, ...], factor: float) -> None:
    """Multiply all elements, in place."""
    for x in arrays:
        x *= factor


@defines
def scale_by(F: Backend, arrays: tuple[Array, ...], factor: Array) -> None:
    """Multiply the `arrays`, in place, by the number in `factor`, unless it is 1."""
    number = float(factor)
    if number != 1:
        F.scale(arrays, number)


def _gradients(parameters: Tensor | Iterable[Tensor], name: str) -> list[Tensor]:
    """The gradients there are; ``name`` is that of the function that asks."""
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    if not isinstance(parameters, Iterable):
        raise not_iterable(parameters, name)
    return [p.grad for p in parameters if p.grad is not None]


def _backend(tensors: list[Tensor]) -> Backend | None:
    """The backend for one call on all tensors.

    None if they share none, or one of them carries a graph.
    """
    return None if any([t.requires_grad for t in tensors]) else common_backend(tensors)


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all values of `tensors` together, as a 0-d tensor.

    `norm_type` may be float("inf"). RuntimeError for a norm that is nan or inf if
    `error_if_nonfinite` is set. `foreach` is accepted and ignored.
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    order = number(norm_type)
    if not tensors:
        return tensor(0.0)
    return _norm(tensors, _backend(tensors), order, error_if_nonfinite)


def _norm(
    grads: list[Tensor], dev: Backend | None, norm_type: float, error_if_nonfinite: bool
) -> Tensor:
    """The norm of all values together, in one call where they have one backend."""
    if dev is not None and norm_type == 2:
        total = tensor_on(dev.total_norm(arrays(grads)), dev)
    else:
        with no_grad():
            total = stack([t.detach().norm(norm_type) for t in grads]).norm(norm_type)
    if error_if_nonfinite and not bool(total.isfinite()):
        raise RuntimeError(
            message(
                f"The total norm of order {norm_type} for gradients from `parameters` is "
                "non-finite, so it cannot be clipped. To disable this error and scale the "
                "gradients by the non-finite norm anyway, set `error_if_nonfinite=False`",
                f"the norm of {len(grads)} gradients is {total.item()}",
            )
        )
    return total


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients, in place, so that their norm taken together is at most `max_norm`.

    Returns the old norm; RuntimeError if it is nan or inf and `error_if_nonfinite` is set.
    `foreach` is accepted and ignored.
    """
    if isinstance(parameters, GeneratorType):
        parameters = list(parameters)
        if not parameters:
            warn(
                "`parameters` is an empty generator, no gradient clipping will occur.",
            )
    grads = _gradients(parameters, "clip_grad_norm_")
    order, most = number(norm_type), number(max_norm)
    if not grads:
        return tensor(0.0)
    dev = _backend(grads)
    total = _norm(grads, dev, order, error_if_nonfinite)
    _scale(grads, dev, most, total)
    return total


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    total_norm: Tensor,
    foreach: bool | None = None,
) -> None:
    """Scale the gradients, in place, by max_norm / total_norm where that is below 1.

    The second half of `clip_grad_norm_`; `get_total_norm` is the first.
    """
    grads = _gradients(parameters, "clip_grads_with_norm_")
    most = number(max_norm)
    if grads:
        _scale(grads, _backend(grads), most, total_norm)


def _scale(grads: list[Tensor], dev: Backend | None, max_norm: float, total: Tensor) -> None:
    with no_grad():
        # 1e-6 as in PyTorch: the clipped norm ends a little below max_norm, and 0 divides safely
        factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
        if dev is None:
            for grad in grads:
                grad.mul_(factor.to(grad.device))
        else:
            dev.scale_by(arrays(grads), factor.array)
            overwritten(grads, "clip_grad_norm_")


def clip_grad_norm(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The old name of clip_grad_norm_."""
    warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of "
        "`torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """Limit each element of the gradients, in place, to [-clip_value, clip_value]."""
    clip_value = number(clip_value)
    with no_grad():
        for grad in _gradients(parameters, "clip_grad_value_"):
            grad.clamp_(-clip_value, clip_value)
