"""What the page has to know of a tensor op beside its shapes: the arguments that place its terms.

page/products.js spells out ops that are too large to come written out cell by cell
(asking/grids.py), and ops that are windows. It reads ``stride``, ``dim`` and the like from here.
"""

from __future__ import annotations

import ast
from typing import Any

from ..reading.trace import TraceNode

WINDOWS = frozenset(
    "conv2d conv3d conv_transpose2d conv_transpose3d avg_pool2d avg_pool3d max_pool2d "
    "max_pool3d".split()
)
ALGEBRA = frozenset(
    "inv solve det slogdet cholesky choleskysolve solvetriangular pinv lstsq matrixexp qr eigh svd "
    "lu".split()
)
NORMS = frozenset({"layer_norm", "group_norm", "batch_norm"})
KNOWN = WINDOWS | ALGEBRA | NORMS | frozenset(
    "adaptive_max_pool2d adaptive_max_pool3d conv2d_weight conv3d_weight ctc_loss "
    "max min median nanmedian mode kthvalue sort topk median_of_all amax amin cummax cummin "
    "matmul linear sum mean softmax log_softmax mse_loss nll_loss "
    "reshape squeeze unsqueeze expand t permute transpose output steps BinaryCrossEntropy".split()
)
BARE = ALGEBRA | {"steps", "BinaryCrossEntropy"}  # Functions of the library, without arguments


def geometry(t: TraceNode) -> dict[str, Any] | None:
    """The static arguments of an op that products.js knows; None for any other op."""
    if t.op not in KNOWN:
        return None
    if t.op in BARE:
        return {}
    if t.op in WINDOWS and "stride" not in t.attrs:  # called by its name, with places alone
        return None
    try:
        return {k: ast.literal_eval(v) for k, v in t.attrs.items()}
    except (ValueError, SyntaxError):  # an argument that is no plain data, or was cut off
        return None
