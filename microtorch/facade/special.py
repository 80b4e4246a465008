"""``torch.special``: the elementwise functions under scipy's names."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.errors import message, missing
from ..ops.surface import FUNCTIONS

if TYPE_CHECKING:
    from ..handles.tensor import Tensor

_NAMES = (
    "erf", "erfc", "exp2", "expm1", "log1p", "logsumexp", "log_softmax", "softmax", "xlogy",
    "round",
)  # fmt: skip
__all__ = ["expit", "logit", *_NAMES]
globals().update({name: FUNCTIONS[name] for name in _NAMES})


def expit(input: Tensor) -> Tensor:
    """The logistic function 1 / (1 + exp(-x)): torch.sigmoid."""
    return FUNCTIONS["sigmoid"](input)


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)), the inverse of expit.

    With ``eps``, x is first limited to [eps, 1 - eps].
    """
    if input.array.dtype.kind != "f":
        raise RuntimeError(message("logit: Expected a floating point tensor", fix="x.float()"))
    if eps is not None:
        input = input.clamp(eps, 1 - eps)
    return FUNCTIONS["log"](input / (1 - input))


__getattr__ = missing(__name__, __all__)
