"""Special functions: values by scipy, which is an optional extra; derivatives as formulas.

``torch.special`` (facade/special.py) exports them. What numpy's functions suffice for is a row of
formulas.py, or a composition here.
"""
from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes
from ..backends.reference import Reference
from ..base.errors import MissingKernel, message
from ..base.naming import named
from ..engine.calling import reading
from ..engine.op import Formula, Op
from ..engine.record import constant
from ..engine.short import several
from ..notation import expr
from ..notation.formulas import LETTERS
from .arguments import refuse_complex
from .elementwise import ELEMENTWISE, checked, only
from .surface import FUNCTIONS, METHODS, public

if TYPE_CHECKING:
    from ..base.types import Array, Gradient, Namespace, Operand, Vjp
    from ..handles.tensor import Tensor


def scipy_special() -> Any:
    """The module ``scipy.special``. Raises ImportError where scipy is not installed."""
    try:
        return importlib.import_module("scipy.special")
    except ImportError:
        raise ImportError(
            message("this function needs scipy", fix='pip install "microtorch[special]"')
        ) from None


def _forward(name: str, function: str) -> Callable[..., Array]:
    """The kernel of the op ``name``: ``function`` of scipy.special."""

    def forward(F: Namespace, *x: Array) -> Array:
        special = scipy_special()
        if any(type(a) is not np.ndarray and np.ndim(a) for a in x) or x[0].dtype.kind == "O":
            raise MissingKernel(
                message(
                    f"{name} is computed by scipy, on arrays of numbers in the computer's memory",
                    fix="x.cpu()",
                )
            )
        own = ADAPTED.get(name) or Reference.threaded(getattr(special, function))
        return np.asarray(own(*x), x[0].dtype)

    return forward


def _lgamma(x: Array) -> Array:
    out = np.where(x == -np.inf, np.inf, Reference.threaded(scipy_special().gammaln)(x))
    size = np.abs(x)
    if (near := np.abs(np.abs(x - 1.5) - 0.5) < 0.1).any():  # the zeros, 1 and 2: by the series
        out[near] = scipy_special().loggamma(x[near].astype(complex)).real + 0.0
    small = (size < 1e-300) & (size > 0)  # where scipy's gives an infinity
    return np.where(small, -np.log(np.where(small, size, 1)), out) if small.any() else out


def _igammac(x: Array, y: Array) -> Array:
    """1 - igamma where that keeps its digits: scipy's own takes up to 4 us a number there."""
    a, b = np.broadcast_arrays(x.astype(np.float64), y.astype(np.float64))
    lower = Reference.threaded(scipy_special().gammainc)(a, b)
    out = np.asarray(1 - lower)
    rest = ~(lower < (0.9 if x.dtype == np.float64 else 1 - 1e-6))
    if rest.any():
        out[rest] = scipy_special().gammaincc(a[rest], b[rest])
    return out.astype(x.dtype, copy=False)


def _airy(x: Array) -> Array:
    out: Array = scipy_special().airy(x)[0]
    if (far := np.isnan(out) & np.isfinite(x)).any():  # where scipy's gives up: the first term
        size = np.abs(np.where(far, x, 1)).astype(np.float64)
        wave = np.sin(size**1.5 / 1.5 + np.pi / 4) / (np.sqrt(np.pi) * size**0.25)
        out = np.where(far, np.where(x > 0, 0, wave), out)
    return out


# functions of which scipy's has other arguments or another domain
ADAPTED: dict[str, Callable[..., Array]] = {
    "lgamma": _lgamma,
    "airy_ai": _airy,
    "spherical_bessel_j0": lambda x: scipy_special().spherical_jn(0, np.abs(x)),
    "zeta": lambda x, y: np.where(x < 1, np.nan, scipy_special().zeta(x, y)),
    "igammac": _igammac,
}


def without_derivative(name: str) -> Vjp:
    """The derivative of a function that PyTorch has none for."""

    def vjp(F: Namespace, g: Gradient, out: Operand, *inputs: Operand) -> Gradient:
        raise NotImplementedError(
            message(f"the derivative for '{name}' is not implemented.", fix="x.detach()")
        )

    return vjp


# op -> (scipy's name, the derivative for each input: a formula, as in formulas.py, or a function).
# Division by x is written so that 0 gives no NaN in derivatives of the derivative.
Row = tuple[str, tuple["str | Vjp", ...]]
TINY = "abs(x) <= 2.220446049250313e-16"  # 1 / x may overflow, and the result shows no x
INCOMPLETE_GAMMA = "exp((x - 1) * log(y) - y - lgamma(x))"
# 1 / x² for what is far above 0, where the two terms of erfcx's derivative would cancel
FAR = "(1 / (maximum(x, 50) * maximum(x, 50)))"
TABLE: dict[str, Row] = {
    "lgamma": ("gammaln", ("g * digamma(x)",)),
    "digamma": ("psi", (lambda F, g, out, x: g * F.polygamma(x, n=1),)),
    "erfinv": ("erfinv", ("0.8862269254527580 * g * exp(out * out)",)),
    "erfcx": (
        "erfcx",
        (
            f"g * where(x > 50, -0.5641895835477563 * {FAR} * (1 - {FAR} * (1.5 - {FAR} * (3.75 - "
            f"{FAR} * 13.125))), 2 * x * out - 1.1283791670955126)",
        ),
    ),
    # the density over ndtr, which far below 0 are too small: their exponents would cancel
    "log_ndtr": (
        "log_ndtr",
        (
            "g * where(x < 0, 0.7978845608028654 / erfcx(minimum(x, 0) * -0.7071067811865476),"
            " 0.3989422804014327 * exp(where(x < 0, 0, -out) - x * x / 2))",
        ),
    ),
    "ndtri": ("ndtri", ("2.5066282746310002 * g * exp(out * out / 2)",)),
    # modified Bessel functions of the first kind; the names in e are scaled by exp(-|x|)
    "i0": ("i0", ("g * i1(x)",)),
    "i0e": ("i0e", ("g * (i1e(x) - sign(x) * out)",)),
    "i1": ("i1", (f"where({TINY}, g / 2, g * (i0(x) - out / where({TINY}, 1, x)))",)),
    "i1e": (
        "i1e",
        (f"where({TINY}, g / 2, g * (i0e(x) - out * (sign(x) + 1 / where({TINY}, 1, x))))",),
    ),
    "igamma": ("gammainc", (without_derivative("igamma: input"), f"g * {INCOMPLETE_GAMMA}")),
    "igammac": ("gammaincc", (without_derivative("igammac: input"), f"-g * {INCOMPLETE_GAMMA}")),
    "zeta": ("zeta", (without_derivative("zeta"), "-g * x * zeta(x + 1, y)")),
    # without derivatives, in PyTorch too
    **{name: (function, ()) for name, function in {
        "airy_ai": "airy", "bessel_j0": "j0", "bessel_j1": "j1", "bessel_y0": "y0",
        "bessel_y1": "y1", "modified_bessel_i0": "i0", "modified_bessel_i1": "i1",
        "modified_bessel_k0": "k0", "modified_bessel_k1": "k1",
        "scaled_modified_bessel_k0": "k0e", "scaled_modified_bessel_k1": "k1e",
        "spherical_bessel_j0": "spherical_jn",
    }.items()},
}  # fmt: skip
# functions of torch and methods; the others are in torch.special only
IN_TORCH = frozenset("lgamma digamma erfinv i0 igamma igammac".split())
NO_HALF = frozenset(TABLE) - frozenset("lgamma digamma erfinv i0 i0e i1 i1e igamma igammac".split())
FLOATING = frozenset({"igamma", "igammac"})

SPECIAL: dict[str, Callable[..., Any]] = {}  # exported as torch.special.<name>


def _refuse_half(op: Op, tensors: Sequence[Tensor]) -> None:
    if any(t.array.dtype == np.float16 for t in tensors):
        raise NotImplementedError(
            message(f"\"{op.name}_cpu\" not implemented for 'Half'", fix="x.float()")
        )


def _declare(name: str, row: Row) -> Op:
    function, vjps = row
    inputs = LETTERS[: len(vjps)]
    formulas = [v if isinstance(v, str) else None for v in vjps]
    return Op(
        name,
        _forward(name, function),
        [
            v if not isinstance(v, str)
            else Formula(v, f"F, g, out, {', '.join(inputs)}", f"{name} vjp {i}")
            for i, v in enumerate(vjps)
        ],
        saves=["x out"] if name == "erfinv" else [
            " ".join(expr.names(v) & {*inputs, "out"}) if v else "x" for v in formulas
        ],
        result="float",
        rule=formulas,
        check=only("f", f"{name}_cpu") if name in FLOATING
        else _refuse_half if name in NO_HALF
        else None,
        attributes=False,
        renews=name == "erfinv",  # PyTorch reads x; here the result is read
    )  # fmt: skip


OPS = {name: _declare(name, row) for name, row in TABLE.items()}


def _polygamma(F: Namespace, x: Array, n: int) -> Array:
    special = scipy_special()
    return np.asarray(special.psi(x) if n == 0 else special.polygamma(n, x), x.dtype)


OPS["polygamma"] = Op(
    "polygamma",
    _polygamma,
    vjps=(lambda F, g, out, x, n: g * F.polygamma(x, n=n + 1),),
    saves=("x",),
    result="float",
    rule=("g * polygamma(n + 1, x)",),
)

for _name in TABLE:
    _function = named(checked(OPS[_name]), _name, f"{_name}, elementwise; scipy computes it.")
    SPECIAL[_name] = reading(_function)
    if _name in IN_TORCH:
        FUNCTIONS[_name], METHODS[_name] = SPECIAL[_name], _function


# ---- signatures with more than the operands ------------------------------------------------------
@public(method=False)
def polygamma(n: int, input: Tensor) -> Tensor:
    """The n-th derivative of digamma."""
    if type(n) is not int:
        raise TypeError(
            message(f"polygamma(): argument 'n' (position 1) must be int, not {type(n).__name__}")
        )
    if n < 0:
        raise RuntimeError(message("polygamma(n, x) does not support negative n.", f"n = {n}"))
    return several(OPS["polygamma"], (input,), {"n": n})


def _polygamma_method(self: Tensor, n: int) -> Tensor:
    """The n-th derivative of digamma."""
    return polygamma(n, self)


METHODS["polygamma"] = named(_polygamma_method, "polygamma")


@public()
def mvlgamma(input: Tensor, p: int) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension ``p``."""
    if p < 1:
        raise RuntimeError(message("p has to be greater than or equal to 1", f"p = {p}"))
    if input.array.dtype.kind == "b":
        raise RuntimeError(message("mvlgamma: bool tensors are not supported", fix="x.float()"))
    refuse_complex("lgamma_vml_cpu", input)
    x = input if input.array.dtype.kind in "fV" else input.to(dtypes.get_default_dtype())
    halves = constant(np.arange(p, dtype=x.array.dtype) / -2, x.node.dev)
    total = FUNCTIONS["sum"](OPS["lgamma"](x.unsqueeze(-1) + halves), -1)
    return total + p * (p - 1) / 4 * math.log(math.pi)


@public()
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)), the inverse of sigmoid. With ``eps``, x is limited to [eps, 1 - eps].

    A negative ``eps`` limits nothing, as in PyTorch. Where eps > 1 - eps what is below eps becomes
    eps, and all else 1 - eps.
    """
    if eps is None or eps < 0:
        return ELEMENTWISE["logit"](input)
    refuse_complex("logit_cpu", input)
    if input.array.dtype.kind not in "fV":
        input = input.to(dtypes.get_default_dtype())
    low = np.array(eps).astype(input.array.dtype)
    eps, most = float(low), float(np.ones_like(low) - low)
    where = FUNCTIONS["where"]  # the gradient of a NaN is NaN; that of clamp would be 0
    below = where(input > most, most, input)
    return ELEMENTWISE["logit"](where(input < eps, eps, below))


def multigammaln(input: Tensor, p: int) -> Tensor:
    """torch.mvlgamma, under scipy's name."""
    return mvlgamma(input, p)
