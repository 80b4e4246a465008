"""Averages of a model's weights along training: SWA and EMA.

averaged = AveragedModel(model)                                   mean of all (Izmailov 2018)
averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.999))     decaying mean
...
averaged.update_parameters(model)           # after each epoch, or each step
update_bn(loader, averaged)                 # statistics of batch norm for the new weights
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any, TypeAlias

from ..arrays.dtypes import int64
from ..autograd import no_grad
from ..base.errors import message, missing
from ..create.data import tensor
from ..handles.tensor import Tensor
from ..nn.common_types import DeviceLike
from ..nn.layers.normalization import _BatchNorm
from ..nn.modes import modes_kept
from ..nn.module import Module
from .lr_scheduler.base import LRScheduler, check_annealing, one_per_group
from .optimizer import Optimizer

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

Tensors: TypeAlias = list[Tensor] | tuple[Tensor, ...]
Average: TypeAlias = Callable[[Tensor, Tensor, Any], Tensor]
MultiAverage: TypeAlias = Callable[[Tensors, Tensors, Any], None]


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(
            message(
                f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.",
                fix="0.999",
            )
        )


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAverage:
    """averaged = decay * averaged + (1 - decay) * current, of many parameters in place."""
    _check_decay(decay)
    weight: Any = 1 - decay

    @no_grad()
    def ema_update(averaged: Tensors, current: Tensors, _: Any) -> None:
        for mean, new in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(new, weight)
            else:
                mean.copy_(mean * decay + new * (1 - decay))

    return ema_update


def get_swa_multi_avg_fn() -> MultiAverage:
    """averaged += (current - averaged) / (count + 1), of many parameters in place."""

    @no_grad()
    def swa_update(averaged: Tensors, current: Tensors, num_averaged: Any) -> None:
        count = num_averaged + 1
        for mean, new in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(new, 1 / count if not isinstance(count, Tensor) else
                           (1 / count.double()).to(mean.dtype))  # fmt: skip
            else:
                mean.copy_(mean + (new - mean) / count)

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """decay * averaged + (1 - decay) * current, of one parameter."""
    _check_decay(decay)

    @no_grad()
    def ema_update(averaged: Tensor, current: Tensor, num_averaged: Any) -> Tensor:
        return decay * averaged + (1 - decay) * current

    return ema_update


def get_swa_avg_fn() -> Average:
    """averaged + (current - averaged) / (count + 1), of one parameter."""

    @no_grad()
    def swa_update(averaged: Tensor, current: Tensor, num_averaged: Any) -> Tensor:
        return averaged + (current - averaged) / (num_averaged + 1)

    return swa_update


class AveragedModel(Module):
    """A copy of a model whose parameters are the average of those seen by `update_parameters`.

    The mean of all, or `avg_fn(averaged, current, count)` for each parameter, or
    `multi_avg_fn(averaged, current, count)` on lists, in place. Buffers are averaged with
    `use_buffers`, else copied.
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: DeviceLike = None,
        avg_fn: Average | None = None,
        multi_avg_fn: MultiAverage | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError(
                message(
                    "Only one of avg_fn and multi_avg_fn should be provided", fix="leave one out"
                )
            )
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, dtype=int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model makes of it."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Take the parameters of `model` into the average; the first time they are copied."""
        pairs = [
            (mean.detach(), new.detach().to(mean.device))
            for mean, new in zip(self._averaged(self.module), self._averaged(model), strict=False)
        ]
        if self.n_averaged == 0:
            for mean, new in pairs:
                mean.copy_(new)
        elif self.avg_fn is not None:
            for mean, new in pairs:
                mean.copy_(self.avg_fn(mean, new, self.n_averaged))
        else:
            average = self.multi_avg_fn or get_swa_multi_avg_fn()
            alike: dict[Any, tuple[list[Tensor], list[Tensor]]] = {}
            for mean, new in pairs:
                means, news = alike.setdefault((str(mean.device), mean.dtype), ([], []))
                means.append(mean)
                news.append(new)
            for means, news in alike.values():
                average(means, news, self.n_averaged)
        if not self.use_buffers:
            for mean, new in zip(self.module.buffers(), model.buffers(), strict=True):
                mean.detach().copy_(new.detach().to(mean.device))
        self.n_averaged += 1

    def _averaged(self, model: Module) -> Iterable[Tensor]:
        buffers = model.buffers() if self.use_buffers else ()
        return chain(model.parameters(), buffers)


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: DeviceLike = None) -> None:
    """Compute the running statistics of all batch norms anew, from one pass over `loader`.

    A batch is a tensor, or a list or tuple whose first element is the input.
    """
    layers = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    with modes_kept(model):
        try:
            model.train()
            for layer in layers:
                layer.reset_running_stats()
                layer.momentum = None  # the plain mean of all batches
            for batch in loader:
                input = batch[0] if isinstance(batch, (list, tuple)) else batch
                model(input if device is None else input.to(device))
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum


class SWALR(LRScheduler):
    """lr goes to `swa_lr` within `anneal_epochs`, along a cosine or a line, and stays there."""

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        rates = one_per_group("swa_lr", optimizer, swa_lr)
        for rate, group in zip(rates, optimizer.param_groups, strict=True):
            group["swa_lr"] = rate
        check_annealing(anneal_strategy)
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(
                message(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
            )
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _done(self, step: int) -> float:
        """The share of the way to swa_lr that is done after `step` steps."""
        t = max(0, min(1, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def get_lr(self) -> list[Any]:
        self._warn_outside_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._done(step - 1), self._done(step)
        rates = []
        for group in self.optimizer.param_groups:
            rate, goal = group["lr"], group["swa_lr"]
            start = goal if before == 1 else (rate - before * goal) / (1 - before)
            rates.append(goal * now + start * (1 - now))
        return rates


__getattr__ = missing(__name__, __all__)
