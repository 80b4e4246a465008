"""Activations that are methods of tensors, too: prelu and hardshrink."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..arrays.dtypes import TORCH_TYPES
from ..base.errors import describe, message
from .arguments import element
from .elementwise import ELEMENTWISE
from .surface import public

if TYPE_CHECKING:
    from ..handles.tensor import Tensor


@public()
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, else weight * x; ``weight`` has one value, or one per channel (dim 1 of x).

    Raises RuntimeError for a weight of another dtype or size, NotImplementedError for integers.
    Source: He et al. 2015.
    """
    _floating("prelu", input)
    if weight.array.dtype != input.array.dtype:
        ours, theirs = (TORCH_TYPES[t.array.dtype.name] for t in (input, weight))
        raise RuntimeError(
            message(
                f"prelu: Type promoting not supported. Got {ours} and {theirs}",
                fix="weight.to(input.dtype)",
            )
        )
    if weight.array.ndim > 1:
        raise RuntimeError(
            message(
                "prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = "
                f"{weight.array.ndim}",
                describe(weight),
            )
        )
    if weight.array.size != 1:
        if not input.array.ndim:
            raise RuntimeError(message("Not allow zero-dim input tensor.", describe(weight)))
        channels = input.array.shape[1] if input.array.ndim > 1 else 1
        if weight.array.size != channels:
            raise RuntimeError(
                message(
                    "Mismatch of parameter numbers and input channel size. Found parameter "
                    f"numbers = {weight.array.size} and channel size = {channels}.",
                    f"prelu: input {describe(input)}, weight {describe(weight)}",
                    fix="the weight has 1 element, or one for each channel (dimension 1)",
                )
            )
        weight = weight.reshape(channels, *[1] * (input.array.ndim - 2))
    elif weight.array.ndim and not input.array.ndim:
        weight = weight.squeeze(0)
    return ELEMENTWISE["prelu"](input, weight)


@public()
def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| > lambd, else 0. NotImplementedError for integers."""
    _floating("hardshrink", input)
    if input.array.dtype.itemsize == 2:  # the bound itself is of the dtype
        lambd = element(lambd, input).item()
    return ELEMENTWISE["hardshrink"](input, lambd=lambd)


def _floating(name: str, input: Tensor) -> None:
    if input.array.dtype.kind not in "fV":
        kind = TORCH_TYPES[input.array.dtype.name]
        raise NotImplementedError(
            message(f"\"{name}_cpu\" not implemented for '{kind}'", fix="input.float()")
        )
