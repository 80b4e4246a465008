"""The functions that make random arrays, as the backends have them (``backend.draws.uniform``).

Their files, and the generator's, are imported when one of them is first named.
"""
from __future__ import annotations

from ..base.errors import missing
from ..base.promises import on_demand

_FILES = {name: file for file, names in {
    "..continuous": "cauchy exponential log_normal normal normal_tensors trunc_normal uniform",
    "..discrete": "bernoulli dropout_noise geometric multinomial randint random randperm",
}.items() for name in names.split()}  # fmt: skip
__all__ = [*_FILES]
__getattr__ = on_demand(globals(), _FILES, missing(__name__, __all__))
