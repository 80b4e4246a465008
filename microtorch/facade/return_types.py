"""``torch.return_types``: the classes of results that have several parts, under PyTorch's names.

``isinstance(torch.max(x, 0), torch.return_types.max)``.
"""
from __future__ import annotations

from ..linalg import results as _results
from ..ops.order import PAIRS as _PAIRS
from ..ops.order import aminmax
from ..ops.parts import Frexp as frexp
from ..ops.statistics import histogram, histogramdd

globals().update(_PAIRS)
globals().update({_results.name_of(kind): kind for kind in _results.KINDS})

__all__ = [
    *_PAIRS, *map(_results.name_of, _results.KINDS), "aminmax", "frexp", "histogram", "histogramdd",
]  # fmt: skip
