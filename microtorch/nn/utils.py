"""torch.nn.utils: gradient clipping, and parameters as one vector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..autograd import no_grad
from ..backends import defines
from ..engine.record import constant
from ..handles.tensor import Tensor
from ..ops.surface import FUNCTIONS

_op = FUNCTIONS


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in parameters if p.grad is not None]


@defines
def total_norm(F: Any, arrays: tuple[Any, ...]) -> Any:
    """The root of the sum of all squares: the norm of the arrays' norms, as an array ()."""
    norms = np.stack([np.sqrt(np.add.reduce(x * x, axis=None)) for x in arrays])
    return np.asarray(np.sqrt(np.add.reduce(norms * norms)))


@defines
def scale(F: Any, arrays: tuple[Any, ...], factor: float) -> None:
    """Multiply all elements, in place."""
    for x in arrays:
        x *= factor


def _one_backend(tensors: Sequence[Tensor]) -> Any:
    """The backend of all tensors, for one call on their memory; None if they differ in dtype or device, or carry a graph."""
    first = tensors[0].node.dev if tensors else None
    same = all(t.node.dev is first and not t.node.needs for t in tensors)
    return first if same and first is not None and first.device.type == "cpu" else None


def get_total_norm(tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0) -> Tensor:
    """The norm of all values of `tensors` together, as a 0-d tensor; norm_type may be float("inf")."""
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if not tensors:
        return _op["tensor"](0.0)
    dev = _one_backend(tensors)
    if dev is not None and norm_type == 2:
        return constant(dev.total_norm(tuple([t.array for t in tensors])), dev)
    with no_grad():
        norms = _op["stack"]([t.detach().norm(float(norm_type)) for t in tensors])
        return norms.norm(float(norm_type))


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients, in place, so that their norm taken together is at most `max_norm`; returns the old norm.

    RuntimeError if that norm is nan or inf and error_if_nonfinite is set. `foreach` is accepted and ignored.
    """
    grads = _gradients(parameters)
    total = get_total_norm(grads, norm_type)
    if error_if_nonfinite and not bool(total.isfinite()):
        raise RuntimeError(
            f"The total norm of order {float(norm_type)} for gradients from `parameters` is non-finite, so it cannot "
            "be clipped. To disable this error and scale the gradients by the non-finite norm anyway, "
            "set `error_if_nonfinite=False`"
        )
    with no_grad():
        # 1e-6 as in PyTorch: the clipped norm ends a little below max_norm, and a norm of 0 divides safely.
        factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
        dev = _one_backend(grads)
        if dev is None:
            for grad in grads:
                grad.mul_(factor)
        elif float(factor) != 1:
            dev.scale(tuple([grad.array for grad in grads]), float(factor))
            for grad in grads:
                grad._written("clip_grad_norm_")
    return total


def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """Limit each element of the gradients, in place, to [-clip_value, clip_value]."""
    with no_grad():
        for grad in _gradients(parameters):
            grad.clamp_(-float(clip_value), float(clip_value))


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All values of `parameters` in one 1-d tensor; gradients flow back through it."""
    return _op["cat"]([parameter.reshape(-1) for parameter in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give each parameter its slice of `vec`: the inverse of parameters_to_vector."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    parameters = list(parameters)
    wanted = sum(parameter.numel() for parameter in parameters)
    if wanted > vec.numel():
        raise RuntimeError(f"vector_to_parameters: the parameters hold {wanted} values, but vec only {vec.numel()}")
    start = 0
    for parameter in parameters:
        end = start + parameter.numel()
        parameter.data = vec[start:end].reshape(parameter.shape).detach()
        start = end
