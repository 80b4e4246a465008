"""Activations with PyTorch's signatures (`inplace`, `approximate`, `dim=None`)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from numpy import generic

from ...arrays.dtypes import bool as bool_dtype
from ...arrays.dtypes import dtype, float64, uint8
from ...arrays.memory_format import contiguous_format
from ...base.errors import describe, message, warn
from ...create.filled import empty, empty_like, ones_like, zeros_like
from ...engine.argument_types import check_type
from ...engine.operands import element
from ...engine.out import into
from ...engine.registry import REGISTRY
from ...engine.short import several
from ...engine.whole import whole
from ...handles.tensor import Tensor
from ...ops.arguments import not_floating, tensors_only
from ...ops.learned import hardshrink as hardshrink
from ...ops.learned import prelu as prelu
from ...ops.select import rounded
from ...ops.surface import FUNCTIONS

if TYPE_CHECKING:
    from ...create.random import Generator

NUMBERS = (float, int)
sigmoid: Callable[[Tensor], Tensor] = FUNCTIONS["sigmoid"]
tanh: Callable[[Tensor], Tensor] = FUNCTIONS["tanh"]
logsigmoid: Callable[[Tensor], Tensor] = FUNCTIONS["logsigmoid"]


def _activation(name: str, input: Tensor, inplace: bool, **settings: float) -> Tensor:
    """The op `name`; with inplace, its in-place form, which the graph records as well."""
    if settings:
        if not all([type(v) in NUMBERS for v in settings.values()]):
            settings = _read_settings(name, settings)
        elif not inplace and type(input) is Tensor:
            return several(REGISTRY[name], (input,), settings)  # there is nothing to check
    if inplace:
        return getattr(input, f"{name}_")(**settings)
    return FUNCTIONS[name](input, **settings)


def _read_settings(name: str, settings: dict[str, float]) -> dict[str, float]:
    """Python's numbers for numpy's, which would promote a gradient. Raise for what is no real one.
    """
    for setting, value in settings.items():
        check_type(name, setting, "Number", value)
        if isinstance(value, complex):
            what = "value cannot be converted to type float without overflow"
            raise RuntimeError(message(what, f"{name}: {setting}={value}"))
    return {s: v.item() if isinstance(v, generic) else v for s, v in settings.items()}


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


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha * (exp(x) - 1)."""
    return _activation("elu", input, inplace, alpha=alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """elu with the scale and alpha that keep mean 0 and variance 1 (Klambauer et al. 2017)."""
    return _activation("selu", input, inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha * (exp(x / alpha) - 1)."""
    if not alpha:
        raise RuntimeError(message("ZeroDivisionError: alpha cannot be 0 for CELU"))
    return _activation("celu", input, inplace, alpha=alpha)


def gelu(input: Tensor, approximate: str = "none", out: Tensor | None = None) -> Tensor:
    """x times the normal distribution function of x.

    approximate="tanh" takes the formula with tanh.
    """
    if out is not None:
        return into(out, gelu, (input, approximate), {})
    if not isinstance(approximate, str):
        kind = type(approximate).__name__
        raise TypeError(message(f"gelu(): argument 'approximate' must be str, not {kind}"))
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


def softplus(
    input: Tensor, beta: float = 1.0, threshold: float = 20.0, out: Tensor | None = None
) -> Tensor:
    """log(1 + exp(beta * x)) / beta; x itself where beta * x > threshold."""
    if out is not None:
        return into(out, softplus, (input, beta, threshold), {})
    return _activation("softplus", input, False, beta=beta, threshold=threshold)


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
    tensors_only("hardtanh", input=input)
    if not input.is_floating_point():  # integers stay integers
        low, high = int(min_val), int(max_val)
        wrong = ""
        if input.dtype is bool_dtype:
            wrong = "Bool inputs not supported for hardtanh"
        elif input.dtype is uint8 and min(low, high) < 0:
            wrong = "cannot do hardtanh on an unsigned type with negative limits"
        if wrong:
            raise RuntimeError(message(wrong, f"hardtanh: {describe(input)}", fix="input.float()"))
        return input.clamp_(low, high) if inplace else input.clamp(low, high)
    return _activation("hardtanh", input, inplace, min_val=min_val, max_val=max_val)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x + 3, 0), 6) / 6."""
    return _activation("hardsigmoid", input, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * hardsigmoid(x)."""
    return _activation("hardswish", input, inplace)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else `value`."""
    if not input.dtype.is_floating_point:
        threshold, value = int(threshold), int(value)
    for number in (threshold, value):
        element(number, input.array.dtype)  # raises for one that the dtype does not hold
    return _activation("threshold", input, inplace, threshold=threshold, value=value)


def softshrink(input: Tensor, lambd: float = 0.5, out: Tensor | None = None) -> Tensor:
    """x moved towards 0 by lambd; 0 where |x| <= lambd."""
    if out is not None:
        return into(out, softshrink, (input, lambd), {})
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
    if input.array.dtype.itemsize == 2:  # the one activation that rounds its setting
        lambd = rounded(lambd, input)
    return FUNCTIONS["softshrink"](input, lambd=lambd)


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
    if input.array.dtype.kind not in "fV":
        raise not_floating("glu_cpu", input)
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
    check_type("rrelu", "training", "bool", training)
    if lower > upper:
        raise RuntimeError(
            message(
                "Lower bound should be less than or equal to the upper bound",
                f"rrelu: {lower=}, {upper=}",
                fix="exchange them",
            )
        )
    input = input if inplace else input.contiguous()
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    slope = whole("rrelu_slope", _slope, input.detach(), lower=lower, upper=upper, generator=None)
    return input.mul_(slope) if inplace else input * slope


def _slope(
    input: Tensor, lower: float, upper: float, generator: Generator | None
) -> Tensor:
    slope, low = ones_like(input), input <= 0
    # PyTorch draws in double precision, and only for the elements that need a slope.
    draws = empty((int(low.sum().item()),), dtype=float64, device=input.device)
    slope[low] = draws.uniform_(lower, upper, generator=generator).to(input.dtype)
    return slope


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return input - input.tanh()


def _softmax_dim(name: str, ndim: int) -> int:
    warn(
        f"Implicit dimension choice for {name} has been deprecated. "
        "Change the call to include dim=X as an argument.",
    )
    return 0 if ndim in (0, 1, 3) else 1


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: dtype | None = None
) -> Tensor:
    """exp(x) / sum(exp(x)) along `dim`."""
    if dim is None:
        dim = _softmax_dim("softmax", input.ndim)
    return (input if dtype is None else input.to(dtype=dtype)).softmax(dim)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: dtype | None = None
) -> Tensor:
    """softmax(-x) along `dim`."""
    if dim is None:
        dim = _softmax_dim("softmin", input.ndim)
    return (-input if dtype is None else (-input).to(dtype=dtype)).softmax(dim)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: dtype | None = None
) -> Tensor:
    """x - log(sum(exp(x))) along `dim`: the logarithm of softmax, without its overflow."""
    if dim is None:
        dim = _softmax_dim("log_softmax", input.ndim)
    return (input if dtype is None else input.to(dtype=dtype)).log_softmax(dim)


def gumbel_softmax(
    logits: Tensor, tau: float | Tensor = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """A sample of the distribution softmax(logits), softened so that it has a gradient.

    softmax((logits + Gumbel noise) / tau) along `dim` (Jang et al. 2017). With `hard` the value is
    one-hot and the gradient that of the soft sample. `eps` has no effect, as in PyTorch.
    """
    if eps != 1e-10:
        warn("`eps` parameter is deprecated and has no effect.")
    waits = empty_like(logits, memory_format=contiguous_format).exponential_()
    soft: Tensor = ((logits - waits.log()) / tau).softmax(dim)
    if not hard:
        return soft
    index = soft.detach().argmax(dim, keepdim=True)
    one_hot = zeros_like(soft.detach()).scatter_(dim, index, 1.0)
    return one_hot - soft.detach() + soft


# ---------------------------------------------------------------- in place


def _written(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`f`, which writes its result into its input."""

    @functools.wraps(f)
    def written(input: Tensor, *args: float, **settings: float) -> Tensor:
        return f(input, *args, **settings, inplace=True)

    written.__name__ = written.__qualname__ = f"{f.__name__}_"
    return written


celu_, elu_, hardtanh_ = _written(celu), _written(elu), _written(hardtanh)
leaky_relu_, relu_, rrelu_ = _written(leaky_relu), _written(relu), _written(rrelu)
selu_, threshold_ = _written(selu), _written(threshold)
