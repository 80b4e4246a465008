"""The steps of SGD and Adam, and the clipping of gradients, in C: one call for all.

What C declines, such as a parameter or a gradient that is not contiguous, takes the definition's
way (microtorch/optim, microtorch/nn/utils.py).
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..reference import Reference
from ..table import definition
from .library import calls

if TYPE_CHECKING:
    from ...base.types import Array

Arrays = tuple[Any, ...]


class Optimizers(Reference):
    kernels: Any

    @calls("sgd", "sgd_momentum")
    def sgd_step(
        self, params: Arrays, grads: Arrays, buffers: Arrays, *, lr: float, momentum: float,
        dampening: float, weight_decay: float, nesterov: bool, maximize: bool, first: bool,
    ) -> None:  # fmt: skip
        kernels, n = self.kernels, len(params)
        if momentum:
            numbers = lr, momentum, dampening, weight_decay, maximize, nesterov, first
            ran = kernels.sgd_momentum(n, *numbers, params, grads, buffers)
        else:
            ran = kernels.sgd(n, lr, weight_decay, maximize, params, grads)
        if not ran:
            definition("sgd_step")(
                self, params, grads, buffers, lr=lr, momentum=momentum, dampening=dampening,
                weight_decay=weight_decay, nesterov=nesterov, maximize=maximize, first=first,
            )  # fmt: skip

    @calls("adam", "amsgrad")
    def adam_step(
        self, params: Arrays, grads: Arrays, exp_avgs: Arrays, exp_avg_sqs: Arrays,
        max_exp_avg_sqs: Arrays, steps: Arrays, *, lr: float, beta1: float, beta2: float,
        eps: float, weight_decay: float, decoupled: bool, amsgrad: bool, maximize: bool,
    ) -> None:  # fmt: skip
        kernels, n = self.kernels, len(params)
        numbers = lr, beta1, beta2, eps, weight_decay, decoupled, maximize
        lists = params, grads, exp_avgs, exp_avg_sqs
        if amsgrad:
            ran = kernels.amsgrad(n, *numbers, *lists, max_exp_avg_sqs, steps)
        else:
            ran = kernels.adam(n, *numbers, *lists, steps)
        if not ran:
            definition("adam_step")(
                self, params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, lr=lr,
                beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay, decoupled=decoupled,
                amsgrad=amsgrad, maximize=maximize,
            )  # fmt: skip

    def total_norm(self, arrays: Arrays) -> Array:
        out = np.empty((), self.dtype)
        ran = self.kernels.total_norm(len(arrays), arrays, out)
        return out if ran else definition("total_norm")(self, arrays)

    def scale(self, arrays: Arrays, factor: float) -> None:
        if not self.kernels.scale(len(arrays), factor, arrays):
            definition("scale")(self, arrays, factor)
