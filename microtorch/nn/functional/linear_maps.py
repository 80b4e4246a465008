"""Linear and bilinear maps."""

from __future__ import annotations

from ...base.errors import message
from ...handles.tensor import Tensor
from ...ops.products import linear

__all__ = ["bilinear", "linear"]


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y_k = x1 @ weight[k] @ x2 + bias_k.

    Shapes: x1 (*, in1), x2 (*, in2), weight (out, in1, in2), bias (out,), y (*, out).
    """
    sizes = (input1.shape[-1], input2.shape[-1])
    if input1.shape[:-1] != input2.shape[:-1] or sizes != tuple(weight.shape[1:]):
        raise RuntimeError(
            message(
                "bilinear(): input and weight shapes do not fit",
                f"input1 {tuple(input1.shape)}, input2 {tuple(input2.shape)}, "
                f"weight {tuple(weight.shape)}",
                fix=f"expected input1 (*, {weight.shape[1]}) and input2 (*, {weight.shape[2]}) "
                "with the same *",
            )
        )
    # (*, 1, 1, in1) @ (out, in1, in2) -> (*, out, 1, in2), times (*, 1, in2, 1) -> (*, out, 1, 1)
    rows = input1.unsqueeze(-2).unsqueeze(-2) @ weight
    output = (rows @ input2.unsqueeze(-2).unsqueeze(-1)).squeeze(-1).squeeze(-1)
    return output if bias is None else output + bias
