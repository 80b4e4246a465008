"""Results that stay on the graph although nothing is derived through them.

Drawn numbers, and comparisons that were written into a floating tensor, have the derivative 0, as
in PyTorch. Of distinct elements and of counts there is none: backward that reaches them raises,
where a constant would drop a gradient in silence.
"""
from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ..base.errors import describe, message
from ..engine.op import Op
from ..engine.record import constant, record
from ..engine.recorded import tied
from ..graph import mode
from .elementwise import no_derivative

if TYPE_CHECKING:
    from ..base.types import Array, Vjp
    from ..handles.tensor import Tensor


def settled(
    name: str, value: Array, *inputs: Tensor, zero: int = -1, written: bool = False
) -> Tensor:
    """``value`` as a tensor that came from ``inputs``, of which the first is on its device.

    ``zero``: the derivative is 0, and this the number in PyTorch's name of the node. ``written``:
    it is written in place, where PyTorch allows it of complex numbers, too.
    """
    dev = inputs[0].node.dev
    if value.dtype is not dev.dtype:
        dev = dev.of(value.dtype)
    needs = False
    for x in inputs if mode.get().grad else ():
        needs = x.node.needs or needs
    if not needs or value.dtype.kind not in "fcV":
        return constant(value, dev)
    if zero >= 0 and value.dtype.kind == "c" and not written:
        what = f"{name} does not support automatic differentiation for outputs with complex dtype."
        raise RuntimeError(message(what, describe(value), fix="x.detach()"))
    return record(_op(name, len(inputs), zero), inputs, value, dev, None)


def _zero_of(i: int) -> Vjp:
    return lambda F, g, out, *inputs: F.cast(F.zero(g), dtype=inputs[i].dtype)


def linked(value: Tensor, *sources: Tensor) -> Tensor:
    """``value`` on a path that leads to ``sources`` as well, of which it takes no element.

    Their gradient is 0, and not None, as that of what a function was given is in PyTorch.
    """
    for x in sources:
        if x.node.needs and mode.get().grad:
            value = tied(value, x)
    return value


@cache
def _op(name: str, n: int, zero: int) -> Op:
    error = NotImplementedError if name == "unique" else RuntimeError  # as PyTorch's
    op = Op(
        name,
        None,
        vjps=[_zero_of(i) if zero >= 0 else no_derivative(name, "", error) for i in range(n)],
        rule=("0" if zero >= 0 else "not implemented",) * n,
        register=False,
    )
    if zero > 0:
        op.node.__name__ = op.node.__qualname__ = op.node.__name__[:-1] + str(zero)
    return op
