"""Schedulers made of schedulers: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from ...base.errors import message
from ...engine.whole import effect
from ..optimizer import Optimizer
from .base import LRScheduler, group_values, set_rate
from .plateau import ReduceLROnPlateau


class _Combined(LRScheduler):
    """Holds schedulers of one optimizer; saves and loads them with its own state."""

    _schedulers: Sequence[LRScheduler]

    def _check(
        self,
        schedulers: Sequence[LRScheduler],
        optimizer: Optimizer | None,
        purpose: str = "",
    ) -> None:
        name = type(self).__name__
        if len(schedulers) < 1:
            raise ValueError(
                message(f"{name} expects at least one scheduler{purpose}, but got no scheduler.")
            )
        optimizer = optimizer or schedulers[0].optimizer
        for i, scheduler in enumerate(schedulers):
            if not hasattr(scheduler, "optimizer"):
                raise TypeError(
                    message(f"{name} at index {i} should have `optimizer` as its attribute.")
                )
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(
                    message(
                        f"{name} does not support `ReduceLROnPlateau` scheduler as it requires "
                        "additional kwargs to be specified when calling `step`, but got one at "
                        f"index {i} in the given schedulers sequence.",
                        fix="step it by itself",
                    )
                )
            if scheduler.optimizer is not optimizer:
                raise ValueError(
                    message(
                        f"{name} expects all schedulers to belong to the same optimizer, but got "
                        f"scheduler {type(scheduler).__name__} at index {i} has "
                        f"{scheduler.optimizer}, which is different from "
                        f"{type(optimizer).__name__}."
                    )
                )
        self.optimizer = optimizer
        self._schedulers = schedulers

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer, with the states of the schedulers."""
        state = super().state_dict()
        del state["_schedulers"]
        return state | {"_schedulers": [inner.state_dict() for inner in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        state = dict(state_dict)
        for scheduler, saved in zip(self._schedulers, state.pop("_schedulers"), strict=True):
            scheduler.load_state_dict(saved)
        super().load_state_dict(state)


class SequentialLR(_Combined):
    """One scheduler after the other: the next takes over at each epoch in `milestones`."""

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: list[LRScheduler],
        milestones: list[int],
        last_epoch: int = -1,
    ) -> None:
        self._check(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                message(
                    "Sequential Schedulers expects number of schedulers provided to be one more "
                    "than the number of milestone points, but got number of schedulers "
                    f"{len(schedulers)} and the number of milestones to be equal to "
                    f"{len(milestones)}"
                )
            )
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        # Each scheduler has made its first step when it was built: undone, but for the first one.
        for group in optimizer.param_groups:
            set_rate(group, group["initial_lr"])
        self.recursive_undo()
        now = self._schedulers[bisect_right(milestones, 0)]
        now._initial_step()
        self._last_lr = now.get_last_lr()

    def recursive_undo(self, sched: LRScheduler | None = None) -> None:
        """Take back the last step's count of all schedulers inside."""
        sched = self if sched is None else sched
        if hasattr(sched, "_schedulers"):
            for inner in sched._schedulers:
                self.recursive_undo(inner)
        elif hasattr(sched, "last_epoch"):
            sched.last_epoch -= 1

    @effect
    def step(self) -> None:  # type: ignore[override]  # no epoch, as in PyTorch
        """Step the scheduler whose turn it is."""
        self.last_epoch += 1
        i = bisect_right(self._milestones, self.last_epoch)
        now = self._schedulers[i]
        if i > 0 and self._milestones[i - 1] == self.last_epoch:
            now._update_lr(0)
        else:
            now.step()
        self._last_lr = now.get_last_lr()


class ChainedScheduler(_Combined):
    """All schedulers at once: each multiplies what the ones before have left."""

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        self._check(schedulers, optimizer, " to be chained")
        self._last_lr = group_values(self.optimizer)

    @effect
    def step(self) -> None:  # type: ignore[override]  # no epoch, as in PyTorch
        """Step each scheduler."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = group_values(self.optimizer)
