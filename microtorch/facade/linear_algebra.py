"""Linear algebra under ``torch.`` and as methods of tensors.

The functions stand in ``linalg/older.py``, which is imported when the first of them is called.
"""
from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

from ..base.naming import named
from ..engine.entering import entered
from ..handles.methods import promise_methods
from ..ops.surface import FUNCTIONS, METHODS

BOTH = (  # functions and methods
    "cholesky", "cholesky_inverse", "cholesky_solve", "det", "geqrf", "inverse", "logdet", "lu",
    "lu_solve", "matrix_exp", "matrix_power", "orgqr", "ormqr", "pinverse", "qr", "slogdet", "svd",
    "triangular_solve",
)  # fmt: skip
NAMES = (
    *BOTH, "chain_matmul", "frobenius_norm", "lobpcg", "lu_unpack", "nuclear_norm", "pca_lowrank",
    "svd_lowrank",
)  # fmt: skip


def when_called(name: str, module: str = "linalg.older") -> Callable[..., Any]:
    """The function ``name`` of a module that is imported when it is first called."""

    def function(input: Any, *args: Any, **kwargs: Any) -> Any:
        found = getattr(importlib.import_module(f"microtorch.{module}"), name)
        return found(input, *args, **kwargs)

    return entered(named(function, name, f"torch.{name}."))


FUNCTIONS.promise(["nuclear_norm"], when_called)  # for torch.norm(x, "nuc")
SPECTRA = ("istft", "stft")
SPARSE = ("sparse_mask", "to_sparse", "to_sparse_coo")
METHODS.promise(BOTH, when_called)
METHODS.promise(SPARSE, partial(when_called, module="sparse"))
METHODS.promise(SPECTRA, partial(when_called, module="fft.short_time"))
promise_methods((*BOTH, *SPARSE, *SPECTRA), METHODS.__getitem__)
