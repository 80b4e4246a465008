"""``torch.special``: the elementwise functions under scipy's names."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..base.errors import missing
from ..engine.calling import reading
from ..ops import polynomials as polynomials  # they, too, are entered into SPECIAL
from ..ops.special import SPECIAL, multigammaln
from ..ops.surface import FUNCTIONS

# the same functions as torch's; of some, scipy has another name
_NAMES = (
    "digamma", "entr", "erf", "erfc", "erfinv", "exp2", "expm1", "i0", "log1p", "log_softmax",
    "logit", "logsumexp", "ndtr", "polygamma", "round", "sinc", "softmax", "xlog1py", "xlogy",
)  # fmt: skip
_OTHER_NAMES = {
    "expit": "sigmoid", "gammaln": "lgamma", "gammainc": "igamma", "gammaincc": "igammac",
    "psi": "digamma",
}  # fmt: skip
_functions: dict[str, Callable[..., Any]] = {
    **SPECIAL,
    **{name: FUNCTIONS[name] for name in _NAMES},
    **{theirs: FUNCTIONS[ours] for theirs, ours in _OTHER_NAMES.items()},
    "multigammaln": reading(multigammaln),
}
for _ours in ("lgamma", "igamma", "igammac"):
    del _functions[_ours]
globals().update(_functions)
__all__ = sorted(_functions)
__getattr__ = missing("torch.special", __all__)
