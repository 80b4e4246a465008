"""Orthogonal polynomials of degree n at x, elementwise: ``torch.special.hermite_polynomial_h`` ...

scipy computes them. PyTorch has no derivatives for them either. A negative degree gives 0.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import MissingKernel, message
from ..base.naming import named
from ..engine.apply import apply
from ..engine.calling import reading
from ..engine.handle import Handle
from ..engine.op import Op
from .elementwise import only
from .special import SPECIAL, scipy_special, without_derivative

if TYPE_CHECKING:
    from ..base.types import Array, Namespace, TensorLike
    from ..handles.tensor import Tensor


def _with_second_kind(sign: int) -> Callable[..., Array]:
    """V (sign -1) and W (sign 1) from U: the sum or difference of two neighbours."""

    def value(special: Any, n: Array, x: Array) -> Array:
        before = np.where(n > 0, special.eval_chebyu(np.maximum(n - 1, 0), x), 0)
        return special.eval_chebyu(n, x) + sign * before

    return value


def _scipys(name: str) -> Callable[..., Array]:
    return lambda special, n, x: getattr(special, f"eval_{name}")(n, x)


def _shifted(function: Callable[..., Array]) -> Callable[..., Array]:
    """On [0, 1] in place of [-1, 1]."""
    return lambda special, n, x: function(special, n, 2 * x - 1)


CHEBYSHEV = {
    "t": _scipys("chebyt"), "u": _scipys("chebyu"),
    "v": _with_second_kind(-1), "w": _with_second_kind(1),
}  # fmt: skip
TABLE: dict[str, Callable[..., Array]] = {
    **{f"chebyshev_polynomial_{kind}": f for kind, f in CHEBYSHEV.items()},
    **{f"shifted_chebyshev_polynomial_{kind}": _shifted(f) for kind, f in CHEBYSHEV.items()},
    "hermite_polynomial_h": _scipys("hermite"),
    "hermite_polynomial_he": _scipys("hermitenorm"),
    "laguerre_polynomial_l": _scipys("laguerre"),
    "legendre_polynomial_p": _scipys("legendre"),
}


def _forward(name: str) -> Callable[..., Array]:
    function = TABLE[name]

    def forward(F: Namespace, x: Array, n: Array) -> Array:
        special = scipy_special()
        if type(x) is not np.ndarray or x.dtype.kind == "O":
            raise MissingKernel(
                message(
                    f"{name} is computed by scipy, on arrays of numbers in the computer's memory",
                    fix="x.cpu()",
                )
            )
        degree = np.where(np.isfinite(n), n, -1).astype(np.int64)  # a fraction is cut off
        out = np.where(degree < 0, 0, function(special, np.maximum(degree, 0), x))
        return np.asarray(out, x.dtype)

    return forward


def _function(name: str) -> Callable[..., Tensor]:
    op = Op(
        name,
        _forward(name),
        [without_derivative(f"{name}: {v}") for v in ("x", "n")],
        result="float",
        check=only("buif", f"{name}_cpu"),
        attributes=False,
    )

    def function(x: TensorLike, n: TensorLike) -> Tensor:
        if not isinstance(x, Handle) and not isinstance(n, Handle):
            raise TypeError(
                message(
                    f"{name}() received an invalid combination of arguments - got "
                    f"({type(x).__name__}, {type(n).__name__}), but one of them must be a Tensor"
                )
            )
        return apply(op, (x, n))

    return named(function, name, f"{name} of degree ``n`` at ``x``; either may be a number.", op=op)


SPECIAL |= {name: reading(_function(name)) for name in TABLE}
