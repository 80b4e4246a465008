"""Sparse matrices by coordinates: torch.sparse_coo_tensor, and the products of graph networks.

A sparse tensor is `indices` (sparse dimensions, n) and `values` (n, *dense dimensions): the places
that are not 0, and what stands there. Each function here is a few ops on these two, so that
gradients flow to the values and to what is dense. Ops that know nothing of sparse tensors refuse
them; `to_dense()` makes a tensor that all take.

The gradient of a sparse leaf is sparse, at the leaf's places, as in PyTorch.
"""

from .coo import SparseTensor
from .functions import (
    DoubleTensor,
    FloatTensor,
    IntTensor,
    LongTensor,
    addmm,
    log_softmax,
    mm,
    softmax,
    sparse_coo_tensor,
    sparse_mask,
    sum,
    to_sparse,
    to_sparse_coo,
)

__all__ = [
    "DoubleTensor",
    "FloatTensor",
    "IntTensor",
    "LongTensor",
    "SparseTensor",
    "addmm",
    "log_softmax",
    "mm",
    "softmax",
    "sparse_coo_tensor",
    "sparse_mask",
    "sum",
    "to_sparse",
    "to_sparse_coo",
]
