"""Ops: one family a file, with declaration, derivative and public function side by side.

    neg    = Op.elementwise("neg")                                     # a row of formulas.py
    matmul = Op("matmul", forward, vjps=(..., ...), saves=("y", "x"))  # where a row is not enough

``engine/op.py`` has the declaration and the contract of a derivative; ``surface`` exports the
functions to users. Importing ``ops.surface`` declares nothing; each family declares its own ops.

    element by element   elementwise signatures parts compare complex special polynomials learned
    shape and order      shape permute strided diagonal arrange join repeat roll view_copies
    picking, writing     index index_parsing index_along gather select regions embedding
    reductions           reduce scan scatter_reduce variance vector_norm statistics numerical
    order                order row_order search
    products             products addmm einsum cross distances fourier
    images               conv conv_ops volumes pool pool_ops max_pool windows fold taps
    norms and losses     norm batch_norm loss ctc
    for all of them      arguments surface settled node_names costs contents
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
