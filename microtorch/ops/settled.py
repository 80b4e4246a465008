"""Results that stay on the graph although nothing is derived through them.

Numbers drawn for given chances have the derivative 0, as in PyTorch. Of distinct elements and of
counts there is none: backward that reaches them raises, where a constant would drop a gradient in
silence.
"""
from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ..engine.op import Op
from ..engine.record import constant, record
from ..graph import mode
from .elementwise import no_derivative

if TYPE_CHECKING:
    from ..base.types import Array
    from ..handles.tensor import Tensor


def settled(name: str, value: Array, input: Tensor, zero: bool = False) -> Tensor:
    """``value`` as a tensor that came from ``input``. ``zero``: its shape is that of the input."""
    if not (input.node.needs and mode.get().grad and value.dtype.kind in "fcV"):
        return constant(value, input.node.dev)
    return record(_op(name, zero), [input], value, input.node.dev.of(value.dtype), None)


@cache
def _op(name: str, zero: bool) -> Op:
    return Op(
        name,
        None,
        vjps=(lambda F, g, out, x: F.zero(g),) if zero else (no_derivative(name),),
        rule=("0" if zero else "not implemented",),
        register=False,
    )
