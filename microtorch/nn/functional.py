"""torch.nn.functional: the functions behind the layers, without their parameters.

Activations are ops of the engine; here they get PyTorch's signatures (`inplace`,
`approximate`, `dim=None`).  What is written out below is composed of ops, so that each
step of it can be seen in a picture of the graph.  The losses are in `loss_functions`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ..arrays.dtypes import int64
from ..base.errors import message, unknown
from ..engine.record import constant
from ..handles.tensor import Tensor
from ..ops.conv import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from ..ops.embedding import embedding
from ..ops.fold import fold, unfold
from ..ops.norm import batch_norm, group_norm, instance_norm, layer_norm, rms_norm
from ..ops.pool import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    avg_pool1d,
    avg_pool2d,
    max_pool1d,
    max_pool2d,
)
from ..ops.surface import FUNCTIONS
from .layer_functions import dropout1d, dropout2d, padded_by_index, scaled_dot_product_attention
from .loss_functions import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)

_op = FUNCTIONS

# ---------------------------------------------------------------- activations

sigmoid = _op["sigmoid"]
tanh = _op["tanh"]
logsigmoid = _op["logsigmoid"]
softsign = _op["softsign"]


def _activation(name: str, input: Tensor, inplace: bool, **settings: Any) -> Tensor:
    """The op `name`; with inplace, its in-place form, which the graph records as well."""
    return getattr(input, f"{name}_")(**settings) if inplace else _op[name](input, **settings)


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)."""
    return input.relu_() if inplace else _relu(input)


_relu = _op["relu"]


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)."""
    return _activation("relu6", input, inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else negative_slope * x."""
    return _activation("leaky_relu", input, inplace, negative_slope=negative_slope)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, else weight * x; `weight` has one value, or one per channel (dim 1 of x)."""
    if weight.numel() != 1:
        channels = input.shape[1] if input.ndim > 1 else 1
        if weight.numel() != channels:
            raise RuntimeError(
                f"Mismatch of parameter numbers and input channel size. "
                f"Found parameter numbers = {weight.numel()} and channel size = {channels}."
            )
        weight = weight.reshape([channels] + [1] * (input.ndim - 2))
    return _op["where"](input > 0, input, weight * input)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha * (exp(x) - 1)."""
    return _activation("elu", input, inplace, alpha=alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """elu with the scale and alpha that keep mean 0 and variance 1 (Klambauer et al. 2017)."""
    return _activation("selu", input, inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha * (exp(x / alpha) - 1)."""
    return _activation("celu", input, inplace, alpha=alpha)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x times the normal distribution function of x; approximate="tanh" for the formula with tanh."""
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f"approximate argument must be either none or tanh, but got {approximate!r}")
    return (_op["gelu"] if approximate == "none" else _op["gelu_tanh"])(input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x), also called swish."""
    return _activation("silu", input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x))."""
    return _activation("mish", input, inplace)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta; x itself where beta * x > threshold."""
    return _op["softplus"](input, beta=beta, threshold=threshold)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x limited to [min_val, max_val]."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return _activation("hardtanh", input, inplace, min_val=min_val, max_val=max_val)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x + 3, 0), 6) / 6."""
    return _activation("hardsigmoid", input, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * hardsigmoid(x)."""
    return _activation("hardswish", input, inplace)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return input - input.tanh()


def _softmax_dim(name: str, ndim: int) -> int:
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=3,
    )
    return 0 if ndim in (0, 1, 3) else 1


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """exp(x) / sum(exp(x)) along `dim`."""
    if dim is None:
        dim = _softmax_dim("softmax", input.ndim)
    return _op["softmax"](input if dtype is None else input.to(dtype), dim)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """softmax(-x) along `dim`."""
    if dim is None:
        dim = _softmax_dim("softmin", input.ndim)
    return _op["softmax"](-input if dtype is None else (-input).to(dtype), dim)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """x - log(sum(exp(x))) along `dim`: the logarithm of softmax, without its overflow."""
    if dim is None:
        dim = _softmax_dim("log_softmax", input.ndim)
    return _op["log_softmax"](input if dtype is None else input.to(dtype), dim)


# ---------------------------------------------------------------- linear maps

linear: Callable[..., Tensor] = _op["linear"]


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y_k = x1 @ weight[k] @ x2 + bias_k; x1 (*, in1), x2 (*, in2), weight (out, in1, in2), y (*, out)."""
    if input1.shape[:-1] != input2.shape[:-1] or (input1.shape[-1], input2.shape[-1]) != tuple(weight.shape[1:]):
        raise RuntimeError(
            message(
                "bilinear(): input and weight shapes do not fit",
                f"input1 {tuple(input1.shape)}, input2 {tuple(input2.shape)}, weight {tuple(weight.shape)}",
                fix=f"expected input1 (*, {weight.shape[1]}) and input2 (*, {weight.shape[2]}) with the same *",
            )
        )
    # (*, 1, 1, in1) @ (out, in1, in2) -> (*, out, 1, in2), times x2 (*, 1, in2, 1) -> (*, out, 1, 1)
    rows = input1.unsqueeze(-2).unsqueeze(-2) @ weight
    output = (rows @ input2.unsqueeze(-2).unsqueeze(-1)).squeeze(-1).squeeze(-1)
    return output if bias is None else output + bias


# ---------------------------------------------------------------- dropout


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set elements to 0 with probability `p` and scale the others by 1 / (1 - p); the identity unless `training`.

    The mask is drawn from the default generator as PyTorch draws it.
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0 or input.numel() == 0:
        return input
    dev = input.node.dev
    noise = constant(dev.draws.dropout_noise(tuple(input.shape), input.array.dtype, p), dev)
    return input.mul_(noise) if inplace else input * noise


# ---------------------------------------------------------------- shapes and distances


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """int64 (*, num_classes) with 1 at the index given in int64 (*); -1 takes the largest index + 1."""
    if tensor.dtype is not int64:
        raise RuntimeError(
            message(
                "one_hot is only applicable to index tensor of type LongTensor.",
                f"got {tensor.dtype} {tuple(tensor.shape)}",
                fix="one_hot(tensor.long())",
            )
        )
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
    else:
        low, high = int(tensor.min().item()), int(tensor.max().item())
        if low < 0:
            raise RuntimeError(f"Class values must be non-negative. Got {low}.")
        if num_classes == -1:
            num_classes = high + 1
        if high >= num_classes:
            raise RuntimeError(f"Class values must be smaller than num_classes. Got {high} of {num_classes} classes.")
    classes = _op["arange"](num_classes, device=tensor.device)
    return (tensor.unsqueeze(-1) == classes).to(tensor.dtype)


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Add a border of `value` (0): `pad` is (left, right) of the last dim, then of the one before, ...; negative cuts.

    `mode` "reflect" mirrors the image at its edge, "replicate" repeats the edge, "circular" goes on at the other end.
    """
    if mode not in ("constant", "reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if len(pad) % 2:
        raise RuntimeError(f"Padding length must be divisible by 2, but got {tuple(pad)}")
    if len(pad) // 2 > input.ndim:
        raise RuntimeError(
            f"Padding length should be less than or equal to two times the input dimension "
            f"but got padding length {len(pad)} and input of dimension {input.ndim}"
        )
    if mode != "constant":
        return padded_by_index(input, pad, mode)
    borders = {input.ndim - 1 - i: (pad[2 * i], pad[2 * i + 1]) for i in range(len(pad) // 2)}
    shape, outer, inner = [], [], []
    for dim, size in enumerate(input.shape):
        before, after = borders.get(dim, (0, 0))
        total = size + before + after
        if total < 0:
            raise RuntimeError(f"F.pad: dim {dim} of size {size} cannot lose {-before - after} elements")
        shape.append(total)
        outer.append(slice(max(before, 0), total - max(after, 0)))
        inner.append(slice(max(-before, 0), size - max(-after, 0)))
    output = _op["full"](shape, 0 if value is None else value, dtype=input.dtype, device=input.device)
    output[tuple(outer)] = input[tuple(inner)]
    return output


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x / max(‖x‖_p, eps), norms taken along `dim`."""
    return input / input.norm(p, dim, keepdim=True).clamp_min(eps)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Cosine of the angle between vectors along `dim`: x1·x2 / (max(‖x1‖, eps) max(‖x2‖, eps))."""
    first = x1 / x1.norm(2, dim, keepdim=True).clamp_min(eps)
    second = x2 / x2.norm(2, dim, keepdim=True).clamp_min(eps)
    return (first * second).sum(dim)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """‖x1 - x2 + eps‖_p along the last dim."""
    return (x1 - x2 + eps).norm(p, -1, keepdim=keepdim)


__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "dropout1d",
    "dropout2d",
    "elu",
    "embedding",
    "fold",
    "gelu",
    "group_norm",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "huber_loss",
    "instance_norm",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "max_pool1d",
    "max_pool2d",
    "mish",
    "mse_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "prelu",
    "relu",
    "relu6",
    "rms_norm",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softmin",
    "softplus",
    "softsign",
    "tanh",
    "tanhshrink",
    "unfold",
]


def __getattr__(name: str) -> Any:
    raise unknown("torch.nn.functional", name, __all__)
