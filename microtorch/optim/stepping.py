"""What the steps of all optimizers share.

A step is a kernel of the backend, such as `sgd_step`: one call for all parameters of a group that
lie on one device and have one dtype, on tuples of raw arrays, in place. Its definition in numpy
stands beside the optimizer; the C core and other devices have kernels of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

from ..arrays.dtypes import float32
from ..autograd import enable_grad
from ..base.errors import message
from ..create.data import tensor
from ..create.filled import full_like
from ..handles.tensor import Tensor
from ..utils.kernels import by_backend, overwritten
from .optimizer import Closure, Group, Optimizer

if TYPE_CHECKING:
    from ..base.types import Array, Backend

Arrays: TypeAlias = "tuple[Array, ...]"
KernelCall: TypeAlias = "Callable[[Backend, list[Tensor], Group], None]"


def step_groups(
    optimizer: Optimizer, closure: Closure | None, call: KernelCall
) -> Tensor | float | None:
    """Call `call(dev, params, group)` for the parameters of each group that have a gradient.

    All `params` of one call are on `dev`. Returns closure(), if given.
    """
    loss = None
    if closure is not None:
        with enable_grad():
            loss = closure()
    writer = type(optimizer).__name__
    for group in optimizer.param_groups:
        for dev, params in by_backend(group["params"]).items():
            call(dev, params, group)
            overwritten(params, writer)
    return loss


def states(
    optimizer: Optimizer, params: Iterable[Tensor], *names: str, value: float = 0.0
) -> list[Arrays]:
    """What a step remembers of the parameters.

    For each of `names` the arrays, then the counts "step", one per parameter. Made on first use:
    tensors like the parameter, filled with `value`; the count is float32 on the CPU, and the
    kernel adds 1 to it.
    """
    found: list[list[Array]] = [[] for _ in range(len(names) + 1)]
    for p in params:
        state = optimizer.state[p]
        if not state:
            state["step"] = tensor(0.0, dtype=float32)
        for name, column in zip(names, found, strict=False):
            if name not in state:  # also where a setting such as amsgrad is switched on later
                state[name] = full_like(p, value, device=p.device)
            column.append(state[name].array)
        found[-1].append(state["step"].array)
    return [tuple(column) for column in found]


def ascent(p: Array, g: Array, weight_decay: float, maximize: bool) -> Array:
    """Where the function rises, to step against.

    The gradient, or its negative with `maximize`, and weight_decay * p.
    """
    if maximize:
        g = -g
    return g + weight_decay * p if weight_decay else g


def check_not_negative(**settings: float) -> None:
    """ValueError as PyTorch raises it for a setting that is negative."""
    words = {"lr": "learning rate", "eps": "epsilon value"}
    for name, value in settings.items():
        if not value >= 0.0:
            what = f"Invalid {words.get(name, f'{name} value')}: {value}"
            raise ValueError(message(what, fix=f"{name} >= 0"))


def not_differentiable(optimizer: str, differentiable: bool) -> None:
    """NotImplementedError where PyTorch would record the step."""
    if differentiable:
        raise NotImplementedError(
            message(
                f"{optimizer}(differentiable=True) is not available in microtorch",
                fix="write the step with tensor operations",
            )
        )
