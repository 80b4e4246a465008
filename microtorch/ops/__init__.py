"""Ops: one family a file, with declaration, derivative and public function side by side.

    neg    = Op.elementwise("neg")                                     # a row of formulas.py
    matmul = Op("matmul", forward, vjps=(..., ...), saves=("y", "x"))  # where a row is not enough

``engine/op.py`` has the declaration and the contract of a derivative; ``surface`` exports the
functions to users. Importing ``ops.surface`` declares nothing; each family declares its own ops.
"""
from __future__ import annotations

import sys
from importlib.util import find_spec


def __getattr__(name: str) -> object:
    """``torch.ops.mylib``: the ops that a program has registered. A file of ours goes first."""
    registered = sys.modules.get("microtorch.facade.op_names")
    if registered is not None and name in registered.REGISTRY:
        if find_spec(f"{__name__}.{name}") is None:
            return registered.OpNamespace(name)
    raise AttributeError(
        f"no op is registered under torch.ops.{name}\n  fix: torch.library.custom_op registers "
        "one; PyTorch's own (aten) are found as torch.<name>"
    )
