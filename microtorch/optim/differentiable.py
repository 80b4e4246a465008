"""Steps that are recorded, so that gradients flow through them: ``differentiable=True``.

A step is a kernel on raw arrays, whose definition stands beside its optimizer (stepping.py). On
tensors the same definition records its operations: ``RECORDED`` takes the place of a backend, and
what a kernel is given are the tensors themselves. So a parameter must be no leaf, as in PyTorch:

    w = weight.clone()                  w.grad = a gradient, made with create_graph=True
    SGD([w], lr=0.1, differentiable=True).step()        w now depends on weight and on the gradient

What a step remembers is copied before it is written over: the last step's derivative reads it. A
learning rate, momentum or weight decay that is a tensor gets its gradient, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends.table import definition
from ..base.errors import message
from ..engine.recorded import Recorded
from ..handles.tensor import Tensor
from ..utils import kernels
from .halves import Rounded

if TYPE_CHECKING:
    from ..base.types import Argument, Array, Backend
    from .optimizer import Group


class _Recorded:
    """Stands for a backend: each kernel is its definition, on tensors."""

    def __getattr__(self, name: str) -> Argument:
        return partial(definition(name), Recorded())


RECORDED: Argument = _Recorded()


def arrays(dev: Backend, tensors: Iterable[Argument]) -> tuple[Array, ...]:
    """What a kernel of `dev` takes for tensors: their memory, or themselves."""
    if dev is RECORDED:
        return tuple(tensors)
    return tuple([tensor.array for tensor in tensors])


def gradients(dev: Backend, tensors: Iterable[Argument]) -> tuple[Array, ...]:
    """The same for their gradients."""
    if dev is RECORDED:
        return tuple([tensor.node.grad for tensor in tensors])
    return tuple([tensor.node.grad.array for tensor in tensors])


def rate(dev: Backend, group: Group) -> Argument:
    """The learning rate of a group: a number, but where its own gradient may be asked for."""
    return group["lr"] if dev is RECORDED else kernels.rate(group)


def cycled(dev: Backend, group: Group, key: str, i: int | None = None) -> Argument:
    """A momentum, or number `i` of the betas, in the same way."""
    if dev is RECORDED:
        return group[key] if i is None else group[key][i]
    return kernels.cycled(group, key, i)


def setting(dev: Backend, group: Group, key: str) -> Argument:
    """A setting that no schedule changes, in the same way: kernels take numbers, not Tensors."""
    return group[key] if dev is RECORDED else kernels.number(group[key])


def with_gradient(params: Iterable[Tensor]) -> list[Tensor]:
    """The parameters that a recorded step changes: those with a gradient, all real and dense."""
    found = [p for p in params if p.node.grad is not None]
    for p in found:
        if p.is_complex() or p.node.grad.is_sparse:
            raise NotImplementedError(
                message(
                    "differentiable=True takes real parameters with dense gradients in microtorch",
                    fix="torch.view_as_real(p), or write the step with tensor operations",
                )
            )
    return found


def renewed(state: dict[str, Any]) -> None:
    """Put copies in the place of what a step remembers, since the last step's derivative reads it.
    """
    for name, value in state.items():
        if isinstance(value, Tensor):
            state[name] = value.clone()


# ---- in definitions of kernels: what arrays and tensors do in different ways ---------------------
def root(x: Argument) -> Argument:
    """The square root."""
    return x.sqrt() if isinstance(x, (Tensor, Rounded)) else np.sqrt(x)


def scale(x: Argument, factor: Argument) -> None:
    """x * factor, in place."""
    if isinstance(factor, Tensor):  # whose derivative reads x
        x.copy_(x.clone() * factor)
    elif isinstance(x, Rounded):
        x.scale(factor)
    else:
        x *= factor


def largest(x: Argument, y: Argument) -> Argument:
    """The larger of both, kept in x."""
    if isinstance(x, Tensor):
        return x.copy_(x.clone().maximum(y))
    if isinstance(x, Rounded):
        return x.largest(y)
    return np.maximum(x, y, out=x)
