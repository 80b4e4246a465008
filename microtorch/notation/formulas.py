"""Every elementwise op as one row of text: its value, and its derivative for each input.

    "div": ("x / y", ("g / y", "-g * x / y / y"))

``x``, ``y``, ``z`` are the inputs in order, ``out`` is the result, and ``g`` the gradient of the
loss with respect to ``out``. A derivative is the *contribution* of the op to that input's gradient;
``None`` means that no gradient flows there. Other names are static arguments, whose defaults stand
in ``ARGUMENTS``.

From a row, ``expr.py`` derives the numpy kernel, the backward rule, the Scalar function, the C and
OpenCL text, the rule that the stepper prints, and the values that backward reads, which an in-place
op may therefore not overwrite. To add an op, nothing else has to be written but its test samples.

The grammar is frozen: names, numbers, ``+ - * / **``, one comparison, and calls of other ops. An op
whose value is a call of itself (``exp(x)``) is *primitive*: each backend supplies it. This file
imports nothing, so that the build can load it by path.
"""

LETTERS = "xyzwvut"  # how formulas, and the declarations of ops, name an op's inputs
Row = tuple[str, tuple["str | None", ...]]

# the names that stand for arrays, in the order of the parameters of a kernel in C
ARRAYS = ("g", "out", "x", "y", "z")

# parts of the derivative of gelu_tanh
_NEAR = "minimum(maximum(x, -30), 30)"
_CUBIC = f"1.5957691216057308 * ({_NEAR} + 0.044715 * {_NEAR} * {_NEAR} * {_NEAR})"
_TAIL = f"sigmoid(where(x > 0, -({_CUBIC}), {_CUBIC}))"

# the smaller part of 2**x + 2**y, over the larger
_LESS = "exp2(where(x > y, y - x, x - y))"

# the derivative of sinc, over x, near 0: (-1)**k * 2k * pi**2k / (2k + 1)! * x**(2k - 2) for k from
# 1 to 7, of which double sees no more where x is below 0.1
_SMALL = "where(abs(x) < 0.1, x, 0)"
_SQUARE = f"{_SMALL} * {_SMALL}"
_SERIES = (
    f"-3.289868133696453 + {_SQUARE} * ("
    f"3.2469697011334144 + {_SQUARE} * ("
    f"-1.1445109447325053 + {_SQUARE} * ("
    f"0.2091827825412384 + {_SQUARE} * ("
    f"-0.023460810354558236 + {_SQUARE} * ("
    f"0.001781145516372852 + {_SQUARE} * ("
    "-9.766223126318933e-05))))))"
)

TABLE: dict[str, Row] = {
    # arithmetic
    "add": ("x + y", ("g", "g")),
    "sub": ("x - y", ("g", "-g")),
    "mul": ("x * y", ("g * y", "g * x")),
    "div": ("x / y", ("g / y", "-g * x / y / y")),
    "neg": ("-x", ("-g",)),
    # several operations in one pass over memory
    "add_scaled": ("x + alpha * y", ("g", "alpha * g")),
    "addcmul": ("x + value * y * z", ("g", "value * g * z", "value * g * y")),
    "addcdiv": ("x + value * y / z", ("g", "value * g / z", "-value * g * y / z / z")),
    "pow": (
        "x ** y",
        (
            "where(y == 0, 0, g * y * x ** where(y == 0, 0, y - 1))",
            "where(x == 0, where(abs(out) <= 1, 0, g * out * log(x)), g * out * log(x))",
        ),
    ),
    "reciprocal": ("1 / x", ("-g * out * out",)),
    "square": ("x * x", ("2 * g * x",)),
    "sqrt": ("sqrt(x)", ("g / (2 * out)",)),
    "rsqrt": ("1 / sqrt(x)", ("-0.5 * g * out * out * out",)),
    "abs": ("abs(x)", ("g * sgn(x)",)),
    # x / |x|; of real numbers the sign, whose derivative is 0
    "sgn": (
        "sgn(x)",
        ("where(x == 0, 0, g - out * out * conj(g)) / (2 * where(x == 0, 1, abs(x)))",),
    ),
    "fmod": ("fmod(x, y)", ("g", "-g * trunc(x / y)")),
    "remainder": ("remainder(x, y)", ("g", "-g * floor(x / y)")),
    "hypot": ("sqrt(x * x + y * y)", ("g * x / out", "g * y / out")),
    # exponentials and logarithms
    "exp": ("exp(x)", ("g * out",)),
    "exp2": ("exp2(x)", ("g * out * 0.6931471805599453",)),
    "expm1": ("expm1(x)", ("g * (out + 1)",)),
    "log": ("log(x)", ("g / x",)),
    "log2": ("log2(x)", ("g / (x * 0.6931471805599453)",)),
    "log10": ("log10(x)", ("g / (x * 2.302585092994046)",)),
    "log1p": ("log1p(x)", ("g / (x + 1)",)),
    "logaddexp": (
        "where(x == y, x + 0.6931471805599453, maximum(x, y) + log1p(exp(-abs(x - y))))",
        # 1 - sigmoid(-d) in the place of sigmoid(d) > 1/2: its derivative keeps its digits
        (
            "where(x > y, g - g * sigmoid(where(x > y, y - x, x - y)),"
            " g * sigmoid(where(x > y, y - x, x - y)))",
            "where(x > y, g * sigmoid(where(x > y, y - x, x - y)),"
            " g - g * sigmoid(where(x > y, y - x, x - y)))",
        ),
    ),
    "logaddexp2": (
        "where(x == y, x + 1, maximum(x, y) + 1.4426950408889634 * log1p(exp2(-abs(x - y))))",
        # exp2 of what is below 0: it cannot overflow, and the smaller share keeps its digits
        (
            f"where(x > y, g / (1 + {_LESS}), g * {_LESS} / (1 + {_LESS}))",
            f"where(x > y, g * {_LESS} / (1 + {_LESS}), g / (1 + {_LESS}))",
        ),
    ),
    "xlogy": (
        "where(x == 0, where(y != y, y, 0), x * log(y))",
        # below 0 nothing is left of it where x is 0, or where no gradient arrives
        ("where(y <= 0, where(x == 0, 0, where(g == 0, 0, g * log(y))), g * log(y))", "g * x / y"),
    ),
    "xlog1py": (
        "where(x == 0, where(y != y, y, 0), x * log1p(y))",
        (
            "where(y <= -1, where(x == 0, 0, where(g == 0, 0, g * log1p(y))), g * log1p(y))",
            "g * x / (y + 1)",
        ),
    ),
    # -inf below 0
    "entr": (
        "where(x > 0, -x * log(x), where(x < 0, log(1 + sign(x)), x))",
        ("-g * (1 + log(x))",),
    ),
    # NaN outside of [0, 1]
    "logit": (
        "log(x / (1 - x))",
        ("where(x < 0, 0 * log(x), where(x > 1, 0 * log(-x), g / (x * (1 - x))))",),
    ),
    # trigonometry and hyperbolic functions
    "sin": ("sin(x)", ("g * cos(x)",)),
    "cos": ("cos(x)", ("-g * sin(x)",)),
    "tan": ("tan(x)", ("g * (1 + out * out)",)),
    "asin": ("asin(x)", ("g / sqrt(1 - x * x)",)),
    "acos": ("acos(x)", ("-g / sqrt(1 - x * x)",)),
    "atan": ("atan(x)", ("g / (1 + x * x)",)),
    "atan2": (
        "atan2(x, y)",
        (
            "where(x * x + y * y == 0, 0, g * y / (x * x + y * y))",
            "where(x * x + y * y == 0, 0, -g * x / (x * x + y * y))",
        ),
    ),
    "sinh": ("sinh(x)", ("g * cosh(x)",)),
    "cosh": ("cosh(x)", ("g * sinh(x)",)),
    "tanh": ("tanh(x)", ("g * (1 - out * out)",)),
    "asinh": ("asinh(x)", ("g / sqrt(x * x + 1)",)),
    "acosh": ("acosh(x)", ("g / sqrt(x * x - 1)",)),
    "atanh": ("atanh(x)", ("g / (1 - x * x)",)),
    "deg2rad": ("x * 0.017453292519943295", ("g * 0.017453292519943295",)),
    "rad2deg": ("x * 57.29577951308232", ("g * 57.29577951308232",)),
    # sin(pi x) / (pi x); near 0 its derivative would be a difference of equals
    "sinc": (
        "where(x == 0, 1 + 0 * x, sin(x * 3.141592653589793) / (x * 3.141592653589793))",
        (
            f"where(abs(x) < 0.1, g * {_SMALL} * ({_SERIES}),"
            " g * (cos(x * 3.141592653589793) - out) / where(abs(x) < 0.1, 1, x))",
        ),
    ),
    # the error function (Abramowitz and Stegun 7.1.1); 1.128... is 2 / sqrt(pi)
    "erf": ("erf(x)", ("g * 1.1283791670955126 * exp(-x * x)",)),
    "erfc": ("erfc(x)", ("-g * 1.1283791670955126 * exp(-x * x)",)),
    # the normal distribution function; its density is exp(-x * x / 2) / sqrt(2 pi)
    "ndtr": (
        "0.5 * erfc(x * -0.7071067811865476)",
        ("g * 0.3989422804014327 * exp(-0.5 * x * x)",),
    ),
    # activations (torch.nn.functional); choices are written so that a NaN in x lets g through: a
    # gradient of 0 would hide it
    "sigmoid": ("1 / (1 + exp(-x))", ("g * out * (1 - out)",)),
    "relu": ("maximum(x, 0)", ("where(out <= 0, 0, g)",)),
    "relu6": ("minimum(maximum(x, 0), 6)", ("where(x <= 0, 0, where(x >= 6, 0, g))",)),
    "leaky_relu": ("where(x > 0, x, x * negative_slope)", ("where(x > 0, g, g * negative_slope)",)),
    "prelu": ("where(x > 0, x, y * x)", ("where(x > 0, g, g * y)", "where(x > 0, 0, g * x)")),
    # where x >= 0, exp of a constant: it cannot overflow, and the second derivative is 0, at 0 too
    "elu": (
        "where(x > 0, x, alpha * expm1(x))",
        ("where(x > 0, g, g * alpha * exp(where(x >= 0, 0, x)))",),
    ),
    "celu": (
        "where(x > 0, x, alpha * expm1(x / alpha))",
        ("where(x > 0, g, g * exp(where(x >= 0, 0, x) / alpha))",),
    ),
    # Klambauer et al. 2017, Self-Normalizing Neural Networks: scale = 1.0507..., scale * alpha =
    # 1.7580...
    "selu": (
        "where(x > 0, 1.0507009873554805 * x, 1.7580993408473766 * expm1(x))",
        (
            "where(x > 0, 1.0507009873554805 * g, "
            "1.7580993408473766 * g * exp(where(x >= 0, 0, x)))",
        ),
    ),
    "silu": ("x / (1 + exp(-x))", ("g * sigmoid(x) * (1 + x * (1 - sigmoid(x)))",)),
    "mish": (
        "x * tanh(softplus(x))",
        ("g * (tanh(softplus(x)) + x * sigmoid(x) * (1 - tanh(softplus(x)) * tanh(softplus(x))))",),
    ),
    # Hendrycks and Gimpel 2016, Gaussian Error Linear Units: x times the normal distribution
    # function at x
    "gelu": (
        "0.5 * x * (1 + erf(x * 0.7071067811865476))",
        (
            "g * (0.5 * (1 + erf(x * 0.7071067811865476))"
            " + x * 0.3989422804014327 * exp(-0.5 * x * x))",
        ),
    ),
    # (1 + tanh(v / 2)) / 2 is sigmoid(v), of which here is what is below 1/2, and beyond 30 nothing
    "gelu_tanh": (
        "0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))",
        (
            f"g * (where(x > 0, 1 - {_TAIL}, {_TAIL}) + 1.5957691216057308 * {_NEAR}"
            f" * (1 + 0.134145 * {_NEAR} * {_NEAR}) * {_TAIL} * (1 - {_TAIL}))",
        ),
    ),
    # log(1 + exp(x)), written so that exp never overflows
    "softplus": (
        "where(x * beta > threshold, x,"
        " (maximum(x * beta, 0) + log1p(exp(-abs(x * beta)))) / beta)",
        # at the threshold itself the second derivative is 0, as in PyTorch
        (
            "where(x * beta > threshold, g,"
            " g * sigmoid(where(x * beta == threshold, threshold, x * beta)))",
        ),
    ),
    # as in logaddexp, sigmoid of what is below 0
    "logsigmoid": (
        "minimum(x, 0) - log1p(exp(-abs(x)))",
        (
            "where(x > 0, g * sigmoid(where(x > 0, -x, x)), g - g * sigmoid(where(x > 0, -x, x)))",
        ),
    ),
    "softsign": ("x / (1 + abs(x))", ("g / ((1 + abs(x)) * (1 + abs(x)))",)),
    "hardtanh": (
        "minimum(maximum(x, min_val), max_val)",
        ("where(x <= min_val, 0, where(x >= max_val, 0, g))",),
    ),
    "threshold": ("where(x <= threshold, value, x)", ("where(x <= threshold, 0, g)",)),
    "hardshrink": ("where(abs(x) <= lambd, 0, x)", ("where(abs(x) <= lambd, 0, g)",)),
    "softshrink": (
        "where(x > lambd, x - lambd, where(x < -lambd, x + lambd, 0 * x))",
        ("where(abs(x) <= lambd, 0, g)",),
    ),
    "hardsigmoid": (
        "minimum(maximum(x + 3, 0), 6) / 6",
        ("where(x > -3, where(x < 3, g / 6, 0), 0)",),
    ),
    "hardswish": (
        "x * minimum(maximum(x + 3, 0), 6) / 6",
        ("where(x <= -3, 0, where(x < 3, g * (x / 3 + 0.5), g))",),
    ),
    # losses of a difference (Girshick 2015; Huber 1964)
    "smooth_l1": (
        "where(abs(x - y) < beta, 0.5 * (x - y) * (x - y) / beta, abs(x - y) - 0.5 * beta)",
        (
            "where(x - y <= -beta, -g, where(x - y >= beta, g, g * (x - y) / beta))",
            "where(x - y <= -beta, g, where(x - y >= beta, -g, -g * (x - y) / beta))",
        ),
    ),
    "huber": (
        "where(abs(x - y) <= delta, 0.5 * (x - y) * (x - y), delta * (abs(x - y) - 0.5 * delta))",
        (
            "where(x - y <= -delta, -g * delta, where(x - y >= delta, g * delta, g * (x - y)))",
            "where(x - y <= -delta, g * delta, where(x - y >= delta, -g * delta, -g * (x - y)))",
        ),
    ),
    # binary cross entropy of x, the target, and y, the logit. Its derivative is sigmoid(y) - x,
    # from whichever of sigmoid(y) and sigmoid(-y) is small: 1 - sigmoid(-y) would be 0 for y far
    # below 0, where the gradient is small, but all there is
    "bce_with_logits": (
        "(1 - x) * y - (minimum(y, 0) - log1p(exp(-abs(y))))",
        (
            "-g * y",
            "g * where(y < 0, sigmoid(where(y < 0, y, -y)) - x,"
            " 1 - x - sigmoid(where(y < 0, y, -y)))",
        ),
    ),
    # choices
    "maximum": (
        "maximum(x, y)",
        # both have it where one is NaN, as in PyTorch
        ("where(x < y, 0, where(x == y, g / 2, g))", "where(y < x, 0, where(x == y, g / 2, g))"),
    ),
    "minimum": (
        "minimum(x, y)",
        ("where(x > y, 0, where(x == y, g / 2, g))", "where(y > x, 0, where(x == y, g / 2, g))"),
    ),
    # a NaN gives way to a number
    "fmax": (
        "where(x >= y, x, where(y != y, x, y))",
        ("where(x >= y, g, where(y != y, g, 0))", "where(x >= y, 0, where(y != y, 0, g))"),
    ),
    "fmin": (
        "where(x <= y, x, where(y != y, x, y))",
        ("where(x <= y, g, where(y != y, g, 0))", "where(x <= y, 0, where(y != y, 0, g))"),
    ),
    # from the end that is nearer, so that 0 and 1 give the ends themselves
    "lerp": (
        "where(abs(z) < 0.5, x + z * (y - x), y - (y - x) * (1 - z))",
        ("g * (1 - z)", "g * z", "g * (y - x)"),
    ),
    "lerp_by": (
        "where(abs(weight) < 0.5, x + weight * (y - x), y - (y - x) * (1 - weight))",
        ("g * (1 - weight)", "g * weight"),
    ),
    "where": ("where(x, y, z)", (None, "where(x, g, 0)", "where(x, 0, g)")),
    "clamp_min": ("maximum(x, min)", ("where(x >= min, g, 0)",)),
    "clamp_max": ("minimum(x, max)", ("where(x <= max, g, 0)",)),
    "clamp": ("minimum(maximum(x, min), max)", ("where(x >= min, where(x <= max, g, 0), 0)",)),
    "clamp_between": (
        "minimum(maximum(x, y), z)",
        (
            "where(x >= y, where(x <= z, g, 0), 0)",
            "where(y < z, where(x < y, g, 0), 0)",
            "where(x > z, g, where(z < y, g, 0))",
        ),
    ),
    # steps: flat almost everywhere, so the derivative is 0, as in PyTorch
    "sign": ("sign(x)", ("0 * g",)),
    "floor": ("floor(x)", ("0 * g",)),
    "ceil": ("ceil(x)", ("0 * g",)),
    "round": ("round(x)", ("0 * g",)),
    "trunc": ("trunc(x)", ("0 * g",)),
    "frac": ("x - trunc(x)", ("g",)),
    # x - x is 0 of finite numbers, and NaN of others
    "nan_to_num": (
        "where(x - x == 0, x, where(x > 0, posinf, where(x < 0, neginf, nan)))",
        ("where(x - x == 0, g, 0 * g)",),
    ),
}

# Rows that hold for complex numbers as well. Of a holomorphic function f the row says g * f'(x),
# and what is computed is g * conj(f'(x)): every factor of g conjugated (backends/complex.py).
HOLOMORPHIC = frozenset(
    "acos acosh add asin asinh atan atanh cos cosh div exp exp2 expm1 lerp log log10 log1p log2 "
    "logaddexp mul neg pow reciprocal rsqrt sigmoid silu sin sinc sinh sqrt square sub tan "
    "tanh".split()
)
# These functions are not holomorphic, and their rows say what is conjugated.
NOT_HOLOMORPHIC = frozenset({"abs", "sgn", "where"})
# where the complex rule is another text: of the two square roots it must take the right one, and
# complex numbers have no order
COMPLEX: dict[str, tuple["str | None", ...]] = {
    "acosh": ("g / (sqrt(x - 1) * sqrt(x + 1))",),
    "logaddexp": ("g * sigmoid(x - y)", "g * sigmoid(y - x)"),
}

LARGEST = 1.7976931348623157e308  # number of double, which Scalars are

# static arguments and their defaults; None: the caller must give it
ARGUMENTS: dict[str, dict[str, float | None]] = {
    "add_scaled": {"alpha": 1.0}, "addcmul": {"value": 1.0}, "addcdiv": {"value": 1.0},
    "lerp_by": {"weight": None},
    "leaky_relu": {"negative_slope": 0.01},
    "elu": {"alpha": 1.0},
    "celu": {"alpha": 1.0},
    "softplus": {"beta": 1.0, "threshold": 20.0},
    "hardtanh": {"min_val": -1.0, "max_val": 1.0},
    "threshold": {"threshold": None, "value": None},
    "hardshrink": {"lambd": 0.5},
    "softshrink": {"lambd": 0.5},
    "smooth_l1": {"beta": 1.0},
    "huber": {"delta": 1.0},
    "clamp_min": {"min": None},
    "clamp_max": {"max": None},
    "clamp": {"min": None, "max": None},
    "nan_to_num": {"nan": 0.0, "posinf": LARGEST, "neginf": -LARGEST},
}

# the names of an op's operands in a user's call, where they are not `input` and `other`
OPERANDS: dict[str, tuple[str, ...]] = {
    "pow": ("input", "exponent"), "heaviside": ("input", "values"), "prelu": ("input", "weight"),
    "addcmul": ("input", "tensor1", "tensor2"), "addcdiv": ("input", "tensor1", "tensor2"),
    "lerp": ("input", "end", "weight"), "lerp_by": ("input", "end"),
    "clamp_between": ("input", "min", "max"), "where": ("condition", "input", "other"),
    "bce_with_logits": ("target", "input"),
}  # fmt: skip

# PyTorch's names of backward nodes, where they are not the op's name in CamelCase
TORCH_NAMES: dict[str, str] = {
    "logsigmoid": "LogSigmoid", "gelu_tanh": "Gelu", "clamp_min": "Clamp", "clamp_max": "Clamp",
    "add_scaled": "Add", "lerp_by": "Lerp", "clamp_between": "Clamp",
    "smooth_l1": "SmoothL1Loss", "huber": "HuberLoss",
    "bce_with_logits": "BinaryCrossEntropyWithLogits",
}  # fmt: skip

# values that C computes in one pass; their ops, if they are any, are declared elsewhere, and so are
# their derivatives
VALUES: dict[str, str] = {
    "copysign": "copysign(x, y)", "heaviside": "where(x == 0, y, where(x > 0, 1, 0))",
    "cube": "x * x * x", "floor_divide": "floor_divide(x, y)",
    "angle": "where(x < 0, 3.141592653589793, where(x != x, x, 0))",
}  # fmt: skip

# comparisons have values, but no derivatives
COMPARISONS: dict[str, str] = {
    "lt": "x < y", "le": "x <= y", "gt": "x > y", "ge": "x >= y", "eq": "x == y", "ne": "x != y",
}  # fmt: skip
