"""Linear algebra under ``torch.`` and as methods of tensors.

The functions stand in ``linalg/older.py``, which is imported when the first of them is called.
"""
from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from ..base.naming import named
from ..engine.entering import entered
from ..handles.methods import bind_methods
from ..ops.surface import FUNCTIONS

BOTH = (  # functions and methods
    "cholesky", "cholesky_inverse", "cholesky_solve", "det", "geqrf", "inverse", "logdet", "lu",
    "lu_solve", "matrix_exp", "matrix_power", "orgqr", "ormqr", "pinverse", "qr", "slogdet", "svd",
    "triangular_solve",
)  # fmt: skip
NAMES = (
    *BOTH, "chain_matmul", "lu_unpack", "nuclear_norm", "pca_lowrank", "svd_lowrank",
)  # fmt: skip


def _when_called(name: str) -> Callable[..., Any]:
    def function(input: Any, *args: Any, **kwargs: Any) -> Any:
        found = getattr(importlib.import_module("microtorch.linalg.older"), name)
        return found(input, *args, **kwargs)

    return entered(named(function, name, f"torch.{name}."))


bind_methods({name: _when_called(name) for name in BOTH})
FUNCTIONS["nuclear_norm"] = _when_called("nuclear_norm")  # for torch.norm(x, "nuc")
