"""Samples of signs, neighbours, mantissas, rounded quotients and bounds; what scipy computes, and
what takes integers only, is tested in test_special.py.
"""

import math

import numpy as np

from .elementwise import Sample

X = np.array([[0.3, -1.7, 2.6], [-0.4, 5.1, -3.3]])
Y = np.array([[1.2, -0.7, 0.9], [0.8, -2.3, 1.9]])
EDGES = np.array([1.0, -1.0, 0.0, -0.0, math.inf, -math.inf, math.nan])


def each(function, kind=float):
    return np.vectorize(function, otypes=[kind])


def of_torch(name, **keywords):
    return lambda torch, *xs: getattr(torch, name)(*xs, **keywords)


def predicate(name, function):
    return [Sample((EDGES,), {}, each(function, bool), of_torch(name))]


def pair(name, function, data=()):
    return [Sample((X, Y), {}, each(function), of_torch(name), data)]


def rounded(mode, function):
    return [Sample((X, Y), {}, each(function), of_torch("div", rounding_mode=mode))]


SAMPLES_SPECIAL = {
    "signbit": predicate("signbit", lambda x: math.copysign(1, x) < 0),
    "isposinf": predicate("isposinf", lambda x: math.isinf(x) and x > 0),
    "isneginf": predicate("isneginf", lambda x: math.isinf(x) and x < 0),
    "isreal": predicate("isreal", lambda x: True),
    "copysign": pair("copysign", math.copysign),
    "heaviside": pair("heaviside", lambda x, y: float(x > 0), (0, 1)),
    "div_floor": rounded("floor", lambda x, y: float(math.floor(x / y))),
    "div_trunc": rounded("trunc", lambda x, y: float(math.trunc(x / y))),
    "clamp_max_tensor": pair("clamp_min", max),
    "clamp_min_tensor": pair("clamp_max", min),
    "mantissa": [
        Sample((X,), {}, each(lambda x: math.frexp(x)[0]), lambda torch, x: torch.frexp(x)[0])
    ],
}
SCIPY = (
    "airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 digamma erfcx erfinv i0 i0e i1 i1e igamma "
    "igammac lgamma log_ndtr modified_bessel_i0 modified_bessel_i1 modified_bessel_k0 "
    "modified_bessel_k1 ndtri polygamma scaled_modified_bessel_k0 scaled_modified_bessel_k1 "
    "spherical_bessel_j0 zeta"
)
EXCUSED_SPECIAL = {
    **dict.fromkeys(SCIPY.split(), "test_special.py: computed by scipy, which may be absent"),
    **dict.fromkeys(
        ("bitwise_left_shift", "bitwise_right_shift", "gcd", "lcm"),
        "test_special.py: of integers only",
    ),
    "nextafter": "test_special.py: its result is another one in float32",
}
