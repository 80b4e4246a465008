"""Rates that go up and down, and momentum the other way (Smith 2017, 2018).

Both are stepped after every batch, not after every epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...base.errors import message
from ..optimizer import Optimizer
from .base import (
    LRScheduler,
    check_annealing,
    check_optimizer,
    one_per_group,
    saved_function,
    set_rate,
)


class _Cyclic(LRScheduler):
    """What both share: the momentum of the optimizer, or the first of its betas."""

    cycle_momentum: bool
    use_beta1: bool

    def _begin_momentum(self, low: Any, high: Any, last_epoch: int) -> tuple[list[Any], list[Any]]:
        """Check the optimizer, write the limits into its groups, and return them."""
        optimizer = self.optimizer
        if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
            raise ValueError(
                message(
                    "optimizer must support momentum or beta1 with `cycle_momentum` option enabled",
                    f"{type(optimizer).__name__} has neither",
                    fix="cycle_momentum=False",
                )
            )
        self.use_beta1 = "betas" in optimizer.defaults
        lows = one_per_group("base_momentum", optimizer, low)
        highs = one_per_group("max_momentum", optimizer, high)
        if last_epoch == -1:
            for group, base, most in zip(optimizer.param_groups, lows, highs, strict=True):
                self._set_momentum(group, most)
                group["max_momentum"], group["base_momentum"] = most, base
        return lows, highs

    def _set_momentum(self, group: dict[str, Any], momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_Cyclic):
    """lr between `base_lr` and `max_lr` and back, `step_size_up` and `step_size_down` steps long.

    `mode`: "triangular"; "triangular2", where each cycle is half as high; "exp_range", where the
    height falls by `gamma` each step. Or `scale_fn`, of the number of the cycle or of the step
    (`scale_mode` "cycle" or "iterations").
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        base_lrs = one_per_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for rate, group in zip(base_lrs, optimizer.param_groups, strict=True):
                set_rate(group, rate)
        self.max_lrs = one_per_group("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError(
                message(
                    "mode is invalid and scale_fn is None",
                    f"CyclicLR: {mode=}",
                    fix='"triangular", "triangular2" or "exp_range"',
                )
            )
        self.mode, self.gamma = mode, gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums, self.max_momentums = self._begin_momentum(
                base_momentum, max_momentum, last_epoch
            )
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """The height of the cycle, or of the step, number x."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular2":
            return 1 / (2.0 ** (x - 1))
        return float(self.gamma**x) if self.mode == "exp_range" else 1.0

    def get_lr(self) -> list[Any]:
        """The next rates. Writes the momentum besides."""
        self._warn_outside_step()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        ratio = self.step_ratio
        height = x / ratio if x <= ratio else (x - 1) / (ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, low, high in zip(
                self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True
            ):
                self._set_momentum(group, high - (high - low) * height * scale)
        return [
            low + (high - low) * height * scale
            for low, high in zip(self.base_lrs, self.max_lrs, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """As the base class; `scale_fn` as its attributes if it is an object, else None."""
        state = super().state_dict()
        f = state.pop("_scale_fn_custom")
        return state | {"_scale_fn_custom": None if f is None else saved_function(f)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        state = dict(state_dict)
        saved = state.pop("_scale_fn_custom")
        super().load_state_dict(state)
        if saved is not None:
            self._scale_fn_custom.__dict__.update(saved)


class OneCycleLR(_Cyclic):
    """One cycle: from max_lr / div_factor up to `max_lr`, then far below where it began.

    It lasts `total_steps`, or `epochs` * `steps_per_epoch`; the share `pct_start` goes up.
    `three_phase` comes down to the beginning first, then to its final_div_factor-th part.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        up = float(pct_start * self.total_steps) - 1
        phases: list[tuple[float, str, str, str, str]] = [
            (up, "initial_lr", "max_lr", "max_momentum", "base_momentum")
        ]
        if three_phase:
            down = float(2 * pct_start * self.total_steps) - 2
            phases += [
                (down, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
                (self.total_steps - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
            ]
        else:
            phases.append(
                (self.total_steps - 1, "max_lr", "min_lr", "base_momentum", "max_momentum")
            )
        names = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
        self._schedule_phases: list[dict[str, Any]] = [
            dict(zip(names, phase, strict=True)) for phase in phases
        ]
        if not isinstance(pct_start, float) or pct_start < 0 or pct_start > 1:
            raise ValueError(
                message(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
            )
        check_annealing(anneal_strategy)
        self._anneal_func_type = anneal_strategy
        if last_epoch == -1:
            rates = one_per_group("max_lr", optimizer, max_lr)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["initial_lr"] = rate / div_factor
                group["max_lr"] = rate
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._begin_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _between(self, start: float, end: float, part: float) -> float:
        """The value when `part` of the way is done."""
        if self._anneal_func_type == "cos":
            return end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1)
        return (end - start) * part + start

    def get_lr(self) -> list[Any]:
        """The next rates. Writes the momentum besides."""
        self._warn_outside_step()
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                message(
                    f"Tried to step {step} times. The specified number of total steps is "
                    f"{self.total_steps}",
                    fix="total_steps counts all batches of all epochs",
                )
            )
        phases = self._schedule_phases
        i = next((i for i, phase in enumerate(phases) if step <= phase["end_step"]), -1)
        now = phases[i]
        i %= len(phases)
        start = phases[i - 1]["end_step"] if i else 0.0
        part = (step - start) / (now["end_step"] - start)
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(self._between(group[now["start_lr"]], group[now["end_lr"]], part))
            if self.cycle_momentum:
                ends = group[now["start_momentum"]], group[now["end_momentum"]]
                self._set_momentum(group, self._between(*ends, part))
        return rates


def _total_steps(total: int | None, epochs: int | None, per_epoch: int | None) -> int:
    if total is not None:
        counts = {"total_steps": total}
    elif epochs is not None and per_epoch is not None:
        counts = {"epochs": epochs, "steps_per_epoch": per_epoch}
    else:
        raise ValueError(
            message(
                "You must define either total_steps OR (epochs AND steps_per_epoch)",
                fix="total_steps=epochs * len(loader)",
            )
        )
    for name, count in counts.items():
        if count <= 0 or not isinstance(count, int):
            raise ValueError(message(f"Expected positive integer {name}, but got {count}"))
    return math.prod(counts.values())
