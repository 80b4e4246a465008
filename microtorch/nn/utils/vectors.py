"""All parameters of a model as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from ...base.errors import describe, message
from ...handles.tensor import Tensor
from ...ops.join import cat


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All values of `parameters` in one 1-d tensor; gradients flow back through it."""
    return cat([parameter.reshape(-1) for parameter in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give each parameter its slice of `vec`: the inverse of parameters_to_vector."""
    if not isinstance(vec, Tensor):
        raise TypeError(
            message(
                f"expected torch.Tensor, but got: {type(vec).__name__}",
                f"vector_to_parameters: vec is {describe(vec)}",
                fix="torch.tensor(vec)",
            )
        )
    parameters = list(parameters)
    wanted = sum(parameter.numel() for parameter in parameters)
    if wanted > vec.numel():
        raise RuntimeError(
            message(
                f"vector_to_parameters: the parameters hold {wanted} values, "
                f"but vec only {vec.numel()}",
                fix="vec must come from parameters_to_vector of the same parameters",
            )
        )
    start = 0
    for parameter in parameters:
        end = start + parameter.numel()
        parameter.data = vec[start:end].reshape(parameter.shape).detach()
        start = end


def _flatten_dense_tensors(tensors: Iterable[Tensor]) -> Tensor:
    """torch._utils's name of the same, which training in half precision is written with."""
    return parameters_to_vector(tensors)


def _unflatten_dense_tensors(flat: Tensor, tensors: Iterable[Tensor]) -> tuple[Tensor, ...]:
    """Views of parts of `flat`, in the shapes of `tensors`."""
    like = list(tensors)
    parts = flat.split([t.numel() for t in like])
    return tuple(part.view_as(t) for part, t in zip(parts, like, strict=True))
