"""Linear and bilinear maps."""

from __future__ import annotations

from ...base.errors import describe, message
from ...handles.tensor import Tensor
from ...ops.arguments import owned, tensors_only
from ...ops.conv import conv1d
from ...ops.products import linear

__all__ = ["bilinear", "conv_tbc", "linear"]


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y_k = x1 @ weight[k] @ x2 + bias_k.

    Shapes: x1 (*, in1), x2 (*, in2), weight (out, in1, in2), bias (out,), y (*, out).
    """
    if bias is not None:
        tensors_only("bilinear", bias=bias)
        if bias.dtype != weight.dtype or bias.shape != weight.shape[:1]:
            what = "bilinear(): bias must have the dtype of weight, and its first size"
            raise RuntimeError(message(what, f"{describe(bias)}, weight {describe(weight)}"))
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
    output = owned((rows @ input2.unsqueeze(-2).unsqueeze(-1)).squeeze(-1).squeeze(-1))
    return output if bias is None else output + bias


def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """conv1d of (T, N, C_in), with `weight` (k, C_in, C_out): the layout time, batch, channels."""
    if input.ndim != 3 or weight.ndim != 3:
        raise RuntimeError(
            message(
                "conv_tbc: Input must have 3 dims: time, batch, in_channel, and weight 3 dims: "
                "kernel_width, in_channels, out_channels",
                f"input {tuple(input.shape)}, weight {tuple(weight.shape)}",
            )
        )
    out = conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad)
    return out.permute(2, 0, 1)
