"""What all schedulers share: counting epochs, writing the rates, saving."""

from __future__ import annotations

import types
import weakref
from collections.abc import Iterable
from functools import wraps
from typing import Any, cast

from ...base.errors import message, warn
from ...base.naming import named
from ...engine.whole import effect
from ...handles.tensor import Tensor
from ..optimizer import Optimizer

EPOCH_WARNING = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where "
    "possible. Please use `scheduler.step()` to step the scheduler. During the deprecation, if "
    "epoch is different from None, the closed form is used instead of the new chainable form, "
    "where available."
)


def check_optimizer(optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            message(
                f"{type(optimizer).__name__} is not an Optimizer",
                fix="make the optimizer first: StepLR(torch.optim.SGD(params), 10)",
            )
        )


def one_per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """A setting as a list with one value for each parameter group."""
    groups = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [copied(value) for _ in range(groups)]
    if len(value) != groups:
        raise ValueError(
            message(
                f"{name} must have the same length as optimizer.param_groups. "
                f"{name} has {len(value)} values, param_groups has {groups}.",
                fix="one number, or one for each parameter group",
            )
        )
    return [copied(item) for item in value]


def check_annealing(strategy: str) -> None:
    """ValueError for a way between two rates that there is not."""
    if strategy not in ("cos", "linear"):
        what = f"anneal_strategy must be one of 'cos' or 'linear', instead got {strategy}"
        raise ValueError(message(what))


def copied(value: Any) -> Any:
    """A number as it is, a tensor as a copy: nobody else then writes into it."""
    return value.clone() if isinstance(value, Tensor) else value


def group_values(optimizer: Optimizer, name: str = "lr") -> list[Any]:
    """A setting of each parameter group."""
    return [copied(group[name]) for group in optimizer.param_groups]


def set_rate(group: dict[str, Any], rate: Any) -> None:
    """Write a group's rate, into the tensor where it is one.

    A rate that is a tensor, too, stays one: a gradient flows back through it.
    """
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate.squeeze() if isinstance(rate, Tensor) else rate)
    else:
        group["lr"] = rate


class LRScheduler:
    """Base class; a subclass defines `get_lr`, the list of new rates, one per parameter group."""

    _get_lr_called_within_step: bool = False
    _is_initial: bool = False  # in __init__? On resuming, the optimizer's rates are already right

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{number}] when resuming "
                    "scheduler with last_epoch >= 0: load the optimizer's state first, or start "
                    "with last_epoch=-1"
                )
        self.base_lrs = group_values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        _count_steps(optimizer)
        self._initial_step()

    def _initial_step(self) -> None:
        """Begin with the rates of the first epoch."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self) -> list[Any]:
        """The rates of epoch `last_epoch`, computed from the present ones."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_lr()")

    def _get_closed_form_lr(self) -> list[Any]:
        """The same from the initial rates, where there is a formula for it."""
        return self.get_lr()

    def get_last_lr(self) -> list[Any]:
        """The rates now in force."""
        return self._last_lr

    @effect
    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch and write its rates into the optimizer.

        `epoch`, deprecated, names another epoch to go to.
        """
        if self._step_count == 1:
            self._check_order()
        self._step_count += 1
        if epoch is not None:
            warn(EPOCH_WARNING)
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._get_lr_called_within_step = True
        try:
            # A jump to an epoch needs the closed form: the chainable form only knows the next one.
            rates = self.get_lr() if epoch is None else self._get_closed_form_lr()
        finally:
            self._get_lr_called_within_step = False
        self._write(rates)

    def _write(self, rates: Iterable[Any]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            set_rate(group, rate)
        self._last_lr = group_values(self.optimizer)

    def _check_order(self) -> None:
        """Warn if the optimizer has not stepped, or if nobody can know."""
        step = self.optimizer.__dict__.get("step")
        if step is not None and not hasattr(step, "_wrapped_by_lr_sched"):
            warn(
                "Seems like `optimizer.step()` has been overridden after learning rate scheduler "
                "initialization. Please, make sure to call `optimizer.step()` before "
                "`lr_scheduler.step()`.",
            )
        elif not getattr(self.optimizer, "_opt_called", False):
            warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. "
                "You should call them in the opposite order: `optimizer.step()` before "
                "`lr_scheduler.step()`. Failure to do this will result in skipping the first "
                "value of the learning rate schedule.",
            )

    def _warn_outside_step(self) -> None:
        """get_lr computes the next rates: a user who calls it wants get_last_lr."""
        if not self._get_lr_called_within_step:
            warn(
                "To get the last learning rate computed by the scheduler, "
                "please use `get_last_lr()`.",
            )

    def _rates(self) -> list[Any]:
        return group_values(self.optimizer)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a saved state. The optimizer's own is loaded besides."""
        self.__dict__.update(state_dict)


class _LRScheduler(LRScheduler):
    """The name of the base class in older programs."""


def saved_function(function: Any) -> dict[str, Any] | None:
    """What a state dict keeps of a function: nothing, or the attributes of a callable object."""
    return None if isinstance(function, types.FunctionType) else dict(function.__dict__)


def _count_steps(optimizer: Optimizer) -> None:
    """Let `optimizer._opt_called` tell whether step() has run: wrap it, on this instance only."""
    if hasattr(optimizer, "_opt_called"):
        return
    optimizer._opt_called = False
    # Weak: a closure over the optimizer, stored on the optimizer, would be a cycle.
    owner = weakref.ref(optimizer)

    @wraps(type(optimizer).step)
    def counted(*args: Any, **kwargs: Any) -> Any:
        self = owner()
        assert self is not None  # it is the one that calls
        self._opt_called = True
        # not if the program has put its own there
        if getattr(self.__dict__.get("step"), "__code__", None) is code:
            del self.__dict__["step"]  # seen once: from now on step() is the class's own again
        return type(self).step(self, *args, **kwargs)

    # not `counted` itself: a function in its own closure is a cycle
    code = cast("types.FunctionType", counted).__code__
    optimizer.__dict__["step"] = named(counted, "step", _wrapped_by_lr_sched=True)
