"""Stochastic gradient descent, with momentum.

    g = grad + weight_decay * p            (-grad with maximize)
    v = momentum * v + (1 - dampening) * g          v starts as g
    p = p - lr * v                         (lr * (g + momentum * v) with nesterov)

Sutskever et al. 2013 put lr into v; this is PyTorch's form, in its order of operations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..backends import defines
from ..base.errors import message
from ..create.filled import full_like
from ..handles.tensor import Tensor
from .differentiable import arrays, cycled, gradients, rate, scale, setting
from .halves import in_16_bits
from .optimizer import Group, ParamsT
from .stepping import (
    Arrays,
    ByKernel,
    ascent,
    check_implementation,
    check_not_negative,
)

if TYPE_CHECKING:
    from ..base.types import Backend


@defines
@in_16_bits
def sgd_step(
    F: Backend,
    params: Arrays,
    grads: Arrays,
    buffers: Arrays,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> None:
    """One step of all `params`, in place.

    `buffers` hold v, and are empty without momentum; on the `first` step v is g.
    """
    for i, (p, g) in enumerate(zip(params, grads, strict=True)):
        g = ascent(p, g, weight_decay, maximize)
        if momentum:
            v = buffers[i]
            if first:
                v[...] = g
            else:
                scale(v, momentum)
                v += g if dampening == 0 else (1 - dampening) * g
            g = g + momentum * v if nesterov else v
        p -= lr * g


class SGD(ByKernel):
    """Gradient descent; see the module for the formula.

    `lr` 0.001, `momentum` 0, `dampening` 0, `weight_decay` 0 (all >= 0); `nesterov` needs
    momentum and no dampening; `maximize` climbs. `foreach` and `fused` choose between equal
    implementations in PyTorch and are accepted without effect.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_not_negative(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError(
                message(
                    "Nesterov momentum requires a momentum and zero dampening",
                    f"SGD: {momentum=}, {dampening=}",
                    fix="momentum=0.9, nesterov=True",
                )
            )
        check_implementation(foreach, fused, differentiable)
        defaults = {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
            "nesterov": nesterov, "maximize": maximize, "foreach": foreach,
            "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _call(self, dev: Backend, params: list[Tensor], group: Group) -> None:
        if not group["momentum"]:
            self._kernel(dev, params, (), group, False)
            return
        # v starts as g: is it the parameter's first step?
        starts: dict[bool, list[Tensor]] = {True: [], False: []}
        for p in params:
            state = self.state[p]
            first = state.get("momentum_buffer") is None
            if first:
                state["momentum_buffer"] = full_like(p, 0.0, device=p.device)
            starts[first].append(p)
        for first, some in starts.items():
            if some:
                buffers = arrays(dev, [self.state[p]["momentum_buffer"] for p in some])
                self._kernel(dev, some, buffers, group, first)

    @staticmethod
    def _kernel(
        dev: Backend, params: list[Tensor], buffers: Arrays, group: Group, first: bool
    ) -> None:
        dev.sgd_step(
            arrays(dev, params),
            gradients(dev, params),
            buffers,
            lr=rate(dev, group),
            momentum=cycled(dev, group, "momentum"),
            dampening=setting(dev, group, "dampening"),
            weight_decay=setting(dev, group, "weight_decay"),
            nesterov=group["nesterov"],
            maximize=group["maximize"],
            first=first,
        )
