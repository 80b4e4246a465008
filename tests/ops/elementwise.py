"""Samples of the elementwise ops: for each row of formulas.py, a row.

It says where the inputs lie, and what the op is as a function of Python floats.
"""

import math
from typing import Any, NamedTuple

import numpy as np


class Sample(NamedTuple):
    inputs: tuple[Any, ...]
    attrs: dict[str, Any]
    reference: Any
    torch: Any = None  # (torch, *tensors) -> tensor
    data: tuple[int, ...] = ()  # inputs that never require gradient, although they are floating


class Row(NamedTuple):
    """One elementwise op. ``domains``: one interval per input.

    ``torch``: PyTorch's function as (torch, *tensors) -> tensor, or its name where that differs.
    """

    domains: tuple[tuple[float, float], ...]
    reference: Any
    torch: Any = None
    attrs: tuple[dict[str, float], ...] = ({},)


ANY, POSITIVE, UNIT = (-3.0, 3.0), (0.2, 3.0), (-0.9, 0.9)


def activation(name):
    return lambda torch, x, **attrs: getattr(torch.nn.functional, name)(x, **attrs)


def phi(x):
    """The normal distribution function."""
    return (1 + math.erf(x / math.sqrt(2))) / 2


ELEMENTWISE = {
    "add": Row((ANY, ANY), lambda x, y: x + y),
    "sub": Row((ANY, ANY), lambda x, y: x - y),
    "mul": Row((ANY, ANY), lambda x, y: x * y),
    "div": Row((ANY, POSITIVE), lambda x, y: x / y),
    "neg": Row((ANY,), lambda x: -x),
    "pow": Row((POSITIVE, ANY), math.pow),
    "reciprocal": Row((POSITIVE,), lambda x: 1 / x),
    "square": Row((ANY,), lambda x: x**2),
    "sqrt": Row((POSITIVE,), math.sqrt),
    "rsqrt": Row((POSITIVE,), lambda x: x**-0.5),
    "abs": Row((ANY,), math.fabs),
    "fmod": Row((ANY, (0.7, 0.9)), math.fmod),
    "remainder": Row((ANY, (0.7, 0.9)), lambda x, y: x - math.floor(x / y) * y),
    "hypot": Row((ANY, POSITIVE), math.hypot),
    "exp": Row((ANY,), math.exp),
    "exp2": Row((ANY,), lambda x: 2.0**x),
    "expm1": Row((ANY,), math.expm1),
    "log": Row((POSITIVE,), math.log),
    "log2": Row((POSITIVE,), math.log2),
    "log10": Row((POSITIVE,), math.log10),
    "log1p": Row((UNIT,), math.log1p),
    "logaddexp": Row((ANY, ANY), lambda x, y: math.log(math.exp(x) + math.exp(y))),
    "logaddexp2": Row((ANY, ANY), lambda x, y: math.log2(2**x + 2**y)),
    "xlog1py": Row(
        (ANY, POSITIVE),
        lambda x, y: x * math.log1p(y),
        lambda torch, x, y: torch.special.xlog1py(x, y),
    ),
    "entr": Row(
        (POSITIVE,), lambda x: -x * math.log(x), lambda torch, x: torch.special.entr(x)
    ),
    "logit": Row(((0.1, 0.9),), lambda x: math.log(x / (1 - x))),
    "xlogy": Row((ANY, POSITIVE), lambda x, y: x * math.log(y)),
    "sin": Row((ANY,), math.sin),
    "cos": Row((ANY,), math.cos),
    "tan": Row(((-1.2, 1.2),), math.tan),
    "asin": Row((UNIT,), math.asin),
    "acos": Row((UNIT,), math.acos),
    "atan": Row((ANY,), math.atan),
    "atan2": Row((ANY, POSITIVE), math.atan2),
    "sinh": Row((ANY,), math.sinh),
    "cosh": Row((ANY,), math.cosh),
    "tanh": Row((ANY,), math.tanh),
    "asinh": Row((ANY,), math.asinh),
    "acosh": Row(((1.3, 4.0),), math.acosh),
    "atanh": Row((UNIT,), math.atanh),
    "deg2rad": Row((ANY,), math.radians),
    "rad2deg": Row((ANY,), math.degrees),
    "sinc": Row((ANY,), lambda x: math.sin(math.pi * x) / (math.pi * x)),
    "ndtr": Row((ANY,), phi, lambda torch, x: torch.special.ndtr(x)),
    "erf": Row((ANY,), math.erf),
    "erfc": Row((ANY,), math.erfc),
    "sigmoid": Row((ANY,), lambda x: math.exp(x) / (1 + math.exp(x))),
    "relu": Row((ANY,), lambda x: x if x > 0 else 0.0),
    "relu6": Row(((-3.0, 9.0),), lambda x: min(max(x, 0.0), 6.0), activation("relu6")),
    "leaky_relu": Row(
        (ANY,),
        lambda x, negative_slope=0.01: x if x > 0 else negative_slope * x,
        activation("leaky_relu"),
        ({}, {"negative_slope": 0.2}),
    ),
    "prelu": Row((ANY, POSITIVE), lambda x, y: x if x > 0 else y * x,
                 lambda torch, x, y: torch.where(x > 0, x, y * x)),
    "elu": Row(
        (ANY,),
        lambda x, alpha=1.0: x if x > 0 else alpha * math.expm1(x),
        activation("elu"),
        ({}, {"alpha": 0.7}),
    ),
    "celu": Row(
        (ANY,),
        lambda x, alpha=1.0: x if x > 0 else alpha * math.expm1(x / alpha),
        activation("celu"),
        ({}, {"alpha": 0.7}),
    ),
    "selu": Row(
        (ANY,),
        lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * math.expm1(x)),
        activation("selu"),
    ),
    "silu": Row((ANY,), lambda x: x / (1 + math.exp(-x)), activation("silu")),
    "mish": Row((ANY,), lambda x: x * math.tanh(math.log(1 + math.exp(x))), activation("mish")),
    "gelu": Row((ANY,), lambda x: x * phi(x), activation("gelu")),
    "gelu_tanh": Row(
        (ANY,),
        lambda x: x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        lambda torch, x: torch.nn.functional.gelu(x, approximate="tanh"),
    ),
    "softplus": Row(
        (ANY,),
        lambda x, beta=1.0, threshold=20.0: (
            x if x * beta > threshold else math.log(1 + math.exp(beta * x)) / beta
        ),
        activation("softplus"),
        ({}, {"beta": 2.0}, {"beta": 2.0, "threshold": 1.5}),
    ),
    "logsigmoid": Row((ANY,), lambda x: -math.log(1 + math.exp(-x)), activation("logsigmoid")),
    "softsign": Row((ANY,), lambda x: x / (1 + abs(x)), activation("softsign")),
    "threshold": Row(
        (ANY,),
        lambda x, threshold, value: x if x > threshold else value,
        activation("threshold"),
        ({"threshold": 0.5, "value": 2.0},),
    ),
    "hardshrink": Row(
        (ANY,),
        lambda x, lambd=0.5: x if abs(x) > lambd else 0.0,
        activation("hardshrink"),
        ({}, {"lambd": 1.25}),
    ),
    "softshrink": Row(
        (ANY,),
        lambda x, lambd=0.5: math.copysign(max(abs(x) - lambd, 0.0), x),
        activation("softshrink"),
        ({}, {"lambd": 1.25}),
    ),
    "hardtanh": Row(
        (ANY,),
        lambda x, min_val=-1.0, max_val=1.0: min(max(x, min_val), max_val),
        activation("hardtanh"),
        ({}, {"min_val": -2.0, "max_val": 0.5}),
    ),
    "hardsigmoid": Row(
        ((-5.0, 5.0),), lambda x: min(max(x + 3, 0), 6) / 6, activation("hardsigmoid")
    ),
    "hardswish": Row(
        ((-5.0, 5.0),), lambda x: x * min(max(x + 3, 0), 6) / 6, activation("hardswish")
    ),
    "smooth_l1": Row(
        (ANY, ANY),
        lambda x, y, beta=1.0: (
            (x - y) ** 2 / (2 * beta) if abs(x - y) < beta else abs(x - y) - beta / 2
        ),
        lambda torch, x, y, **attrs: torch.nn.functional.smooth_l1_loss(
            x, y, reduction="none", **attrs
        ),
        ({}, {"beta": 0.5}),
    ),
    "huber": Row(
        (ANY, ANY),
        lambda x, y, delta=1.0: (
            (x - y) ** 2 / 2 if abs(x - y) <= delta else delta * (abs(x - y) - delta / 2)
        ),
        lambda torch, x, y, **attrs: torch.nn.functional.huber_loss(
            x, y, reduction="none", **attrs
        ),
        ({}, {"delta": 0.5}),
    ),
    "bce_with_logits": Row(
        (UNIT, ANY),
        lambda x, y: (1 - x) * y + math.log(1 + math.exp(-y)),
        lambda torch, x, y: torch.nn.functional.binary_cross_entropy_with_logits(
            y, x, reduction="none"
        ),
    ),
    "maximum": Row((ANY, ANY), max),
    "minimum": Row((ANY, ANY), min),
    "fmax": Row((ANY, ANY), max),
    "fmin": Row((ANY, ANY), min),
    "lerp": Row((ANY, ANY, UNIT), lambda x, y, z: x + z * (y - x)),
    "lerp_by": Row(
        (ANY, ANY),
        lambda x, y, weight: x + weight * (y - x),
        lambda torch, x, y, weight: torch.lerp(x, y, weight),
        ({"weight": 0.3}, {"weight": 0.9}),
    ),
    "add_scaled": Row(
        (ANY, ANY),
        lambda x, y, alpha: x + alpha * y,
        lambda torch, x, y, alpha: torch.add(x, y, alpha=alpha),
        ({"alpha": -0.4},),
    ),
    "addcmul": Row(
        (ANY, ANY, ANY), lambda x, y, z, value=1: x + value * y * z, None, ({}, {"value": -0.4})
    ),
    "addcdiv": Row(
        (ANY, ANY, POSITIVE), lambda x, y, z, value=1: x + value * y / z, None,
        ({}, {"value": 0.6}),
    ),
    "clamp_between": Row(
        (ANY, (-1.0, 0.5), (0.0, 1.0)),
        lambda x, y, z: min(max(x, y), z),
        lambda torch, x, y, z: torch.clamp(x, y, z),
    ),
    "clamp_min": Row((ANY,), lambda x, min: x if x > min else min, None, ({"min": -0.5},)),
    "clamp_max": Row((ANY,), lambda x, max: x if x < max else max, None, ({"max": 0.5},)),
    "clamp": Row(
        (ANY,),
        lambda x, min, max: min if x < min else max if x > max else x,
        None,
        ({"min": -0.5, "max": 0.6},),
    ),
    "sign": Row((ANY,), lambda x: math.copysign(1, x)),
    "sgn": Row((ANY,), lambda x: math.copysign(1, x)),
    "floor": Row((ANY,), math.floor),
    "ceil": Row((ANY,), math.ceil),
    "round": Row((ANY,), round),
    "trunc": Row((ANY,), math.trunc),
    "frac": Row((ANY,), lambda x: x - math.trunc(x)),
    "nan_to_num": Row(
        (ANY,),
        lambda x, nan, posinf, neginf: x,
        None,
        ({"nan": 0.0, "posinf": 3.0, "neginf": -3.0},),
    ),
}


def inputs_for(row, shape=(2, 3)):
    """Arrays in the row's domains, away from each other and from the kinks of these ops."""
    n = math.prod(shape)
    arrays = []
    for i, (low, high) in enumerate(row.domains):
        places = (0.5 + np.arange(n) * 7 % max(n, 1) + 0.17 * (i + 1)) / (max(n, 1) + 0.7)
        a = low + (high - low) * np.roll(places, i)
        near = np.abs(a - np.round(2 * a) / 2) < 0.02  # multiples of 1/2
        arrays.append(np.where(near, a + 0.05, a).reshape(shape))
    return tuple(arrays)


def elementwise_samples(name, row):
    def torch_function(torch, *tensors, **attrs):
        return getattr(torch, name)(*tensors, **attrs)

    of = row.torch or torch_function
    return [
        Sample(
            inputs_for(row),
            attrs,
            lambda *xs, **a: np.vectorize(lambda *v: float(row.reference(*v, **a)), otypes=[float])(
                *xs
            ),
            lambda torch, *xs, a=attrs: of(torch, *xs, **a),
        )
        for attrs in row.attrs
    ]
