"""Activations with PyTorch's signatures (`inplace`, `approximate`, `dim=None`)."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from ...arrays.dtypes import dtype, float64
from ...base.errors import describe, message
from ...create.filled import empty, ones_like
from ...handles.tensor import Tensor
from ...ops.select import where
from ...ops.surface import FUNCTIONS

sigmoid: Callable[[Tensor], Tensor] = FUNCTIONS["sigmoid"]
tanh: Callable[[Tensor], Tensor] = FUNCTIONS["tanh"]
logsigmoid: Callable[[Tensor], Tensor] = FUNCTIONS["logsigmoid"]


def _activation(name: str, input: Tensor, inplace: bool, **settings: float) -> Tensor:
    """The op `name`; with inplace, its in-place form, which the graph records as well."""
    if inplace:
        return getattr(input, f"{name}_")(**settings)
    return FUNCTIONS[name](input, **settings)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return input / (input.abs() + 1) if input.is_complex() else _softsign(input)


_softsign = FUNCTIONS["softsign"]


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)."""
    return input.relu_() if inplace else _relu(input)


_relu = FUNCTIONS["relu"]


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
                message(
                    "Mismatch of parameter numbers and input channel size. Found parameter "
                    f"numbers = {weight.numel()} and channel size = {channels}.",
                    f"prelu: input {describe(input)}, weight {describe(weight)}",
                    fix="the weight has 1 element, or one for each channel (dimension 1)",
                )
            )
        weight = weight.reshape([channels] + [1] * (input.ndim - 2))
    return FUNCTIONS["prelu"](input, weight)


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
    """x times the normal distribution function of x.

    approximate="tanh" takes the formula with tanh.
    """
    if approximate not in ("none", "tanh"):
        raise RuntimeError(
            message(
                f"approximate argument must be either none or tanh, but got {approximate!r}",
                fix='gelu(x) is exact, gelu(x, approximate="tanh") the formula with tanh',
            )
        )
    return FUNCTIONS["gelu" if approximate == "none" else "gelu_tanh"](input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x), also called swish."""
    return _activation("silu", input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x))."""
    return _activation("mish", input, inplace)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta; x itself where beta * x > threshold."""
    return FUNCTIONS["softplus"](input, beta=beta, threshold=threshold)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x limited to [min_val, max_val]."""
    if min_val > max_val:
        raise ValueError(
            message(
                "min_val cannot be greater than max_val",
                f"hardtanh: {min_val=}, {max_val=}",
                fix="exchange them",
            )
        )
    return _activation("hardtanh", input, inplace, min_val=min_val, max_val=max_val)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x + 3, 0), 6) / 6."""
    return _activation("hardsigmoid", input, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * hardsigmoid(x)."""
    return _activation("hardswish", input, inplace)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else `value`."""
    low = input <= threshold
    return input.masked_fill_(low, value) if inplace else input.masked_fill(low, value)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| > lambd, else 0."""
    return input.masked_fill((input >= -lambd) & (input <= lambd), 0)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved towards 0 by lambd; 0 where |x| <= lambd."""
    if lambd < 0:
        raise RuntimeError(
            message(
                f"lambda must be greater or equal to 0, but found to be {lambd}.",
                f"softshrink: {describe(input)}",
            )
        )
    if not input.dtype.is_floating_point:
        raise NotImplementedError(
            message(f"softshrink is not implemented for {input.dtype}", fix="input.float()")
        )
    # x * 0, not 0: NaN stays NaN
    inner = where(input < -lambd, input + lambd, input * 0)
    return where(input > lambd, input - lambd, inner)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a * sigmoid(b), where a and b are the halves of x along `dim` (Dauphin et al. 2017)."""
    if input.ndim == 0:
        raise RuntimeError(
            message(
                "glu does not support scalars because halving size must be even",
                fix="the input is split in two halves along `dim`",
            )
        )
    size = input.size(dim)
    if size % 2:
        raise RuntimeError(
            message(
                f"Halving dimension must be even, but dimension {dim % input.ndim} is size {size}",
                f"glu: input {describe(input)}",
            )
        )
    first, second = input.chunk(2, dim)
    return first * second.sigmoid()


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """x where x > 0, else a * x (Xu et al. 2015).

    While training, a is drawn anew for each element, uniform in [lower, upper]; else it is their
    mean.
    """
    if lower > upper:
        raise RuntimeError(
            message(
                "Lower bound should be less than or equal to the upper bound",
                f"rrelu: {lower=}, {upper=}",
                fix="exchange them",
            )
        )
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    slope = ones_like(input.detach())
    low = input.detach() <= 0
    # PyTorch draws in double precision, and only for the elements that need a slope.
    draws = empty((int(low.sum().item()),), dtype=float64, device=input.device)
    slope[low] = draws.uniform_(lower, upper).to(input.dtype)
    return input.mul_(slope) if inplace else input * slope


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return input - input.tanh()


def _softmax_dim(name: str, ndim: int) -> int:
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. "
        "Change the call to include dim=X as an argument.",
        stacklevel=3,
    )
    return 0 if ndim in (0, 1, 3) else 1


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: dtype | None = None
) -> Tensor:
    """exp(x) / sum(exp(x)) along `dim`."""
    if dim is None:
        dim = _softmax_dim("softmax", input.ndim)
    return (input if dtype is None else input.to(dtype)).softmax(dim)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: dtype | None = None
) -> Tensor:
    """softmax(-x) along `dim`."""
    if dim is None:
        dim = _softmax_dim("softmin", input.ndim)
    return (-input if dtype is None else (-input).to(dtype)).softmax(dim)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: dtype | None = None
) -> Tensor:
    """x - log(sum(exp(x))) along `dim`: the logarithm of softmax, without its overflow."""
    if dim is None:
        dim = _softmax_dim("log_softmax", input.ndim)
    return (input if dtype is None else input.to(dtype)).log_softmax(dim)
