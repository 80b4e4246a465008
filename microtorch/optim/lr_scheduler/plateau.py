"""Rates that fall when a measured value no longer improves."""

from __future__ import annotations

import math
from typing import Any, SupportsFloat

from ...base.errors import message, warn
from ..optimizer import Optimizer
from .base import EPOCH_WARNING, LRScheduler, check_optimizer, group_values, set_rate


class ReduceLROnPlateau(LRScheduler):
    """lr *= factor when a measured value has not improved for more than `patience` epochs.

    `step(value)` takes the value, usually the validation loss. "Improved" means less than
    best * (1 - threshold) for mode="min" (more than best * (1 + threshold) for "max"), or by
    `threshold` itself with threshold_mode="abs".
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1.0:
            raise ValueError(
                message("Factor should be < 1.0.", f"ReduceLROnPlateau: factor={factor}")
            )
        check_optimizer(optimizer)
        self.factor = factor
        groups = len(optimizer.param_groups)
        self.default_min_lr = None if isinstance(min_lr, (list, tuple)) else min_lr
        limits = list(min_lr) if isinstance(min_lr, (list, tuple)) else [min_lr] * groups
        if len(limits) != groups:
            raise ValueError(
                message(
                    f"expected {groups} min_lrs, got {len(limits)}",
                    fix="one number, or one for each parameter group",
                )
            )
        self.min_lrs = limits
        self.optimizer = optimizer
        self.patience = patience
        self.cooldown = cooldown
        self.eps = eps
        self.last_epoch = 0
        self._last_lr = group_values(optimizer)
        self._init_is_better(mode, threshold, threshold_mode)
        self._reset()

    def _init_is_better(self, mode: str, threshold: float, threshold_mode: str) -> None:
        if mode not in ("min", "max"):
            raise ValueError(message(f"mode {mode} is unknown!", fix="'min' or 'max'"))
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(
                message(f"threshold mode {threshold_mode} is unknown!", fix="'rel' or 'abs'")
            )
        self.mode_worse = math.inf if mode == "min" else -math.inf
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode

    def _reset(self) -> None:
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    @property
    def in_cooldown(self) -> bool:
        return self.cooldown_counter > 0

    def _is_better(self, a: float, best: float) -> bool:
        """Is `a` an improvement on `best`?"""
        if self.threshold_mode == "rel":
            sign = -1 if self.mode == "min" else 1
            limit = best * (1.0 + sign * self.threshold)
        else:
            limit = best - self.threshold if self.mode == "min" else best + self.threshold
        return a < limit if self.mode == "min" else a > limit

    # PyTorch's signature: unlike every other scheduler it takes the value
    def step(self, metrics: SupportsFloat, epoch: int | None = None) -> None:  # type: ignore[override]
        """Report the epoch's value; reduces the rates if it is time."""
        current = float(metrics)
        if epoch is None:
            epoch = self.last_epoch + 1
        else:
            warn(EPOCH_WARNING)
        self.last_epoch = epoch
        if self._is_better(current, self.best):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr(epoch)
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = group_values(self.optimizer)

    def _reduce_lr(self, epoch: int) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise RuntimeError(
                    message(
                        f"The number of param groups in the `optimizer` ({len(groups)}) differs "
                        "from when `ReduceLROnPlateau` was initialized "
                        f"({len(self.min_lrs)}), usually due to a new param group being added to "
                        "the optimizer. Please modify the `min_lrs` field to match the length of "
                        "the `optimizer` param groups."
                    )
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, smallest in zip(groups, self.min_lrs, strict=True):
            old = float(group["lr"])
            new = max(old * self.factor, smallest)
            if old - new > self.eps:
                set_rate(group, new)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a saved state. The optimizer's own is loaded besides."""
        self.__dict__.update(state_dict)
        self._init_is_better(self.mode, self.threshold, self.threshold_mode)
