"""What PyTorch's derivatives keep of a function's operands and results, where ours keep less.

A function that is one kernel in PyTorch keeps its operands, or only their sizes, and backward
refuses when one of them was overwritten. Here it may be composed of ops that need less, or keep a
copy of an index. The gradient would be right; it is refused all the same, so that a program that
works here works there.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .checks import watch
from .handle import Handle
from .record import packers

if TYPE_CHECKING:
    from ..base.types import Operand
    from ..graph import Node

# function -> what all its derivatives keep: parameters, "out" for the result. Or parameter -> what
# its derivative keeps, where that differs. "view": a view of them is kept, a tensor of its own
KEPT: dict[str, str | dict[str, str]] = {
    # elements by index
    "take": "input index", "take_along_dim": "input view",
    "index_select": "index", "masked_select": "input mask", "index_fill": "index",
    "index_put": "indices", "masked_scatter": "mask", "index_add": {"source": "index source"},
    "index_copy": {"input": "index", "source": "index source"},
    "put": {"input": "index", "source": "index source"},
    "index_reduce": "input index source out", "scatter_reduce": "input index src out",
    "embedding_bag": "input offsets",
    # elementwise
    "addcdiv": {"input": "tensor2", "tensor1": "tensor2", "tensor2": "tensor1 tensor2"},
    "addcmul": {"tensor1": "tensor2", "tensor2": "tensor1"}, "clamp": "input min max",
    "complex": {"real": "real", "imag": "imag"}, "polar": "out",
    "copysign": "out", "sgn": "input out",
    "ldexp": "other out", "nan_to_num": "input", "mvlgamma": "input",
    # sums and products
    "cumprod": "input out", "prod": "input",
    "nansum": "input", "nanmean": "input", "cross": {"input": "other", "other": "input"},
    "dist": "input other", "cdist": "x1 x2", "pdist": "input out",
    "bilinear": {"input1": "input2 weight", "input2": "input1 weight", "weight": "input1 input2"},
    "grid_sample": "input grid", "grid_sampler": "input grid",
    "cholesky_solve": "input", "triangular_solve": "input",
    # losses
    "smooth_l1_loss": "input target", "huber_loss": "input target",
    "soft_margin_loss": "input target", "multi_margin_loss": "input",
    "multilabel_margin_loss": "input target",
    "binary_cross_entropy_with_logits": "target weight pos_weight",
}  # fmt: skip


def keep(node: Node, kept: str | dict[str, str], given: dict[str, Any]) -> None:
    """Let a result's node watch what PyTorch's keeps of a call's arguments, ``given`` by name."""
    if packers:  # hooks keep it, in a form of the user's
        return
    names = kept
    if not isinstance(names, str):
        names = " ".join([v for k, v in names.items() if k in given and _needs(given[k])])
    sources: list[Node] = []
    for name in names.split():
        values = given.get(name, ())
        for x in values if isinstance(values, (tuple, list)) else (values,):
            if isinstance(x, Handle) and x.node is not node:
                sources.append(x.node)
    if "out" in names.split():
        sources.append(node)
    if sources:
        watch(node, sources, tensors="view" not in names.split())


def _needs(x: Operand) -> bool:
    return isinstance(x, Handle) and x.node.needs
