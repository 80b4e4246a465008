"""``torch.amp.GradScaler``: float16 gradients that are neither 0 nor inf.

float16 ends at 6e-8. So the loss is multiplied by a scale, and its gradients with it; before the
step they are divided by it again. Where a gradient came out inf or NaN, the scale was too large:
the step is left out and the scale is reduced. After many steps without one it is raised.
(Micikevicius et al., "Mixed precision training", 2018, section 3.2.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import dtypes
from ..autograd.grad_mode import no_grad
from ..base.errors import message, warn
from ..engine.record import constant
from ..engine.whole import effect
from ..handles.tensor import Tensor
from .optimizer import Optimizer

if TYPE_CHECKING:
    from ..base.types import Argument

READY, UNSCALED, STEPPED = "ready", "unscaled", "stepped"


class GradScaler:
    """Scales losses, divides gradients by the scale before a step, and adjusts the scale.

        scaler = torch.amp.GradScaler("cpu")
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)      # only where gradients are read or clipped in between
        scaler.step(optimizer)          # or not, if a gradient is inf or NaN
        scaler.update()

    ``init_scale`` (65536) is multiplied by ``backoff_factor`` (0.5) after a step that was left out,
    and by ``growth_factor`` (2) after ``growth_interval`` (2000) steps in a row that were made.
    With ``enabled=False`` everything is passed on as it is. So it is for the device "cuda", the
    default, which is not there: PyTorch warns and disables it, and so does this.

    Raises AssertionError for factors that make no sense.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._device = device
        if device == "cuda" and enabled:
            warn(
                "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.",
            )
            enabled = False
        self._enabled = enabled
        if enabled and growth_factor <= 1.0:
            raise AssertionError(message("The growth factor must be > 1.0."))
        if enabled and backoff_factor >= 1.0:
            raise AssertionError(message("The backoff factor must be < 1.0."))
        self._scale, self._in_a_row, self._used = float(np.float32(init_scale)), 0, False
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        # by optimizer: what was done since the last update, and was a gradient not finite?
        self._stages: dict[int, str] = {}
        self._found_inf: dict[int, bool] = {}

    # ---- a training step -------------------------------------------------------------------------
    def scale(self, outputs: Argument) -> Argument:
        """The loss, or a list or tuple of losses, times the scale.

        Raises ValueError for what is not made of tensors.
        """
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            self._used = True
            scale = np.array(self._scale, np.float32)  # a tensor: float16 does not hold the number
            return outputs * constant(outputs.node.dev.array(scale))
        if isinstance(outputs, (list, tuple)):
            return type(outputs)([self.scale(x) for x in outputs])
        if isinstance(outputs, Iterable):
            return map(self.scale, outputs)
        raise ValueError(message("outputs must be a Tensor or an iterable of Tensors"))

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of an optimizer's parameters by the scale, in place.

        Raises RuntimeError if that has been done since the last ``update``, or after ``step``;
        ValueError for float16 gradients, whose small ones are lost for good.
        """
        if not self._enabled:
            return
        self._check_used("unscale_")
        stage = self._stages.get(id(optimizer), READY)
        if stage == UNSCALED:
            raise RuntimeError(
                message(
                    "unscale_() has already been called on this optimizer since the last update()."
                )
            )
        if stage == STEPPED:
            raise RuntimeError(message("unscale_() is being called after step()."))
        factor, finite = float(np.float32(1 / self._scale)), True
        with no_grad():
            for p in (p for group in optimizer.param_groups for p in group["params"]):
                if p.grad is None:
                    continue
                if p.grad.dtype is dtypes.float16:
                    raise ValueError(
                        message(
                            "Attempting to unscale FP16 gradients.",
                            fix="keep the parameters in float32 and compute under torch.autocast",
                        )
                    )
                finite = finite and bool(p.grad.isfinite().all())
                p.grad.mul_(factor)
        self._stages[id(optimizer)], self._found_inf[id(optimizer)] = UNSCALED, not finite

    def step(self, optimizer: Optimizer, *args: Argument, **kwargs: Argument) -> Argument:
        """``optimizer.step()`` with unscaled gradients, unless one of them is inf or NaN.

        Returns what the step returns, None if it was left out. Raises RuntimeError for a second
        step since the last ``update``, and for a closure.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError(
                message("Closure use is not currently supported if GradScaler is enabled.")
            )
        self._check_used("step")
        stage = self._stages.get(id(optimizer), READY)
        if stage == STEPPED:
            raise RuntimeError(message("step() has already been called since the last update()."))
        if stage == READY:
            self.unscale_(optimizer)
        if all(p.grad is None for group in optimizer.param_groups for p in group["params"]):
            raise AssertionError(message("No inf checks were recorded for this optimizer."))
        self._stages[id(optimizer)] = STEPPED
        return None if self._found_inf[id(optimizer)] else optimizer.step(*args, **kwargs)

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Adjust the scale, or set it to ``new_scale``: once, after the steps of all optimizers."""
        if not self._enabled:
            return
        self._check_used("update")
        if new_scale is not None:
            if isinstance(new_scale, Tensor) and (
                new_scale.numel() != 1 or new_scale.requires_grad
            ):
                raise AssertionError(
                    message(
                        "new_scale should be a float or a 1-element torch.cuda.FloatTensor or "
                        "torch.FloatTensor with requires_grad=False."
                    )
                )
            self._scale = float(np.float32(float(new_scale)))
        elif not self._found_inf:
            raise AssertionError(message("No inf checks were recorded prior to update."))
        elif any(self._found_inf.values()):
            self._scale, self._in_a_row = float(np.float32(self._scale * self._backoff_factor)), 0
        else:
            self._count()
        self._stages.clear()
        self._found_inf.clear()

    @effect("_in_a_row")
    def _count(self) -> None:
        """One more update without inf or NaN; after enough of them the scale grows."""
        self._in_a_row += 1
        if self._in_a_row == self._growth_interval:
            grown = float(np.float32(self._scale) * np.float32(self._growth_factor))
            self._scale, self._in_a_row = grown if math.isfinite(grown) else self._scale, 0

    def _check_used(self, name: str) -> None:
        if not self._used:
            raise AssertionError(
                message(
                    f"Attempted {name} but _scale is None.  This may indicate your script "
                    "did not use scaler.scale(loss or outputs) earlier in the iteration."
                )
            )

    # ---- its numbers -----------------------------------------------------------------------------
    def is_enabled(self) -> bool:
        """Does it scale anything?"""
        return self._enabled

    def get_scale(self) -> float:
        """The scale; 1 if it is disabled."""
        return self._scale if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        self._growth_interval = new_interval

    def _get_growth_tracker(self) -> int:
        return self._in_a_row if self._enabled else 0

    def state_dict(self) -> dict[str, Any]:
        """Its numbers, as PyTorch's file has them; empty if it is disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._in_a_row,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave. RuntimeError if that was of a disabled one."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                message(
                    "The source state dict is empty, possibly because it was saved from a disabled "
                    "instance of GradScaler."
                )
            )
        self._scale, self._in_a_row = state_dict["scale"], state_dict["_growth_tracker"]
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]

    def __getstate__(self) -> dict[str, Any]:
        if self._stages:
            raise AssertionError(
                message(
                    "A GradScaler instance may only be pickled at the beginning of an "
                    "iteration, or at "
                    "the end after scaler.update()."
                )
            )
        return vars(self)
