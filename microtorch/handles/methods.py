"""The methods of Tensor and of Scalar that are functions: one loop binds them.

Which they are, with their signatures, the stub ``methods.pyi`` says, for editors and type checkers.
``python scripts/stubs.py --write`` writes it anew.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..engine import basic_ops
from ..engine.handle import Handle
from ..graph import Node
from ..ops import (
    addmm,
    arrange,
    compare,
    complex,
    conv,
    cross,
    ctc,
    diagonal,
    distances,
    einsum,
    elementwise,
    embedding,
    fold,
    fourier,
    gather,
    index,
    index_along,
    join,
    learned,
    loss,
    max_pool,
    norm,
    numerical,
    order,
    parts,
    polynomials,
    pool,
    products,
    reduce,
    regions,
    scan,
    scatter_reduce,
    search,
    select,
    shape,
    special,
    statistics,
    strided,
    taps,
    vector_norm,
    volumes,
)  # fmt: skip
from ..ops.node_names import name_ops
from ..ops.surface import METHODS
from .inplace import inplace_methods

# importing a family declares its ops and enters its functions into METHODS
FAMILIES = (
    addmm, arrange, basic_ops, compare, complex, conv, cross, ctc, diagonal, distances, einsum,
    elementwise, embedding, fold, fourier, gather, index, index_along, join, learned, loss,
    max_pool, norm, numerical, order, parts, polynomials, pool, products, reduce, regions, scan,
    scatter_reduce, search, select, shape, special, statistics, strided, taps, vector_norm,
    volumes,
)  # fmt: skip


class Methods(Handle):
    """The functions of ``ops/``, their in-place twins, and what ``bind_methods`` adds later."""

    __slots__ = ()


class ScalarMethods(Node):
    """The arithmetic of a Scalar, which scalar.py makes, and its ``backward``."""

    __slots__ = ()


def bind_methods(methods: Mapping[str, Callable[..., Any]], to: type = Methods) -> None:
    """Make functions methods of every Tensor (or Scalar): their first parameter is self."""
    for name, f in methods.items():
        setattr(to, name, f)


name_ops()
bind_methods(METHODS)
bind_methods(inplace_methods())
