"""The methods of a Tensor that are functions: one loop binds them.

Which they are, with their signatures, the stub ``methods.pyi`` says.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..engine import basic_ops
from ..engine.handle import Handle
from ..ops import (
    conv,
    diagonal,
    elementwise,
    embedding,
    fold,
    gather,
    index,
    join,
    loss,
    norm,
    order,
    pool,
    products,
    reduce,
    scan,
    select,
    shape,
)  # fmt: skip
from ..ops.surface import METHODS
from .inplace import inplace_methods

# importing a family declares its ops and enters its functions into METHODS
FAMILIES = (
    basic_ops, conv, diagonal, elementwise, embedding, fold, gather, index, join, loss,
    norm, order, pool, products, reduce, scan, select, shape,
)  # fmt: skip


class Methods(Handle):
    """The functions of ``ops/``, their in-place twins, and what ``bind_methods`` adds later."""

    __slots__ = ()


def bind_methods(methods: Mapping[str, Callable[..., Any]]) -> None:
    """Make functions methods of every Tensor: their first parameter is self."""
    for name, f in methods.items():
        setattr(Methods, name, f)


bind_methods(METHODS)
bind_methods(inplace_methods())
