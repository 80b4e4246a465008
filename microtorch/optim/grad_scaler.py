"""``torch.amp.GradScaler``: float16 gradients that are neither 0 nor inf.

float16 ends at 6e-8. So the loss is multiplied by a scale, and its gradients with it; before the
step they are divided by it again. Where a gradient came out inf or NaN, the scale was too large:
the step is left out and the scale is reduced. After many steps without one it is raised.
(Micikevicius et al., "Mixed precision training", 2018, section 3.2.)

The scale, and the number of steps since it last changed, are tensors that ``update`` writes to, by
arithmetic without a condition: so a compiled step (static/) is one program for every scale.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING, Any

from ..arrays import dtypes
from ..autograd.grad_mode import no_grad
from ..base.errors import message, warn
from ..create.filled import full
from ..handles.tensor import Tensor
from ..ops.select import where
from .optimizer import Optimizer

if TYPE_CHECKING:
    from ..arrays.device import device as Device
    from ..base.types import Argument


class OptState(Enum):
    """What has been done with an optimizer since the last update."""

    READY = 0
    UNSCALED = 1
    STEPPED = 2


def _ready() -> dict[str, Any]:
    return {"stage": OptState.READY, "found_inf_per_device": {}}


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
        self._init_scale, self._init_growth_tracker = init_scale, 0
        # () float32 and () int32, which the first call of ``scale`` makes
        self._scale: Tensor | None = None
        self._growth_tracker: Tensor | None = None
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        # by optimizer's id: its stage, and whether a gradient was not finite, as () float32
        self._per_optimizer_states: defaultdict[int, dict[str, Any]] = defaultdict(_ready)

    # ---- a training step -------------------------------------------------------------------------
    def scale(self, outputs: Argument) -> Argument:
        """The loss, or a list or tuple of losses, times the scale.

        Raises ValueError for what is not made of tensors.
        """
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            if self._scale is None:
                at = outputs.device
                self._scale = full((), self._init_scale, dtype=dtypes.float32, device=at)
                tracked = self._init_growth_tracker
                self._growth_tracker = full((), tracked, dtype=dtypes.int32, device=at)
            return outputs * self._scale.to(outputs.device)
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
        scale, _ = self._numbers("unscale_")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is OptState.UNSCALED:
            raise RuntimeError(
                message(
                    "unscale_() has already been called on this optimizer since the last update()."
                )
            )
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError(message("unscale_() is being called after step()."))
        finite: dict[Device, Tensor] = {}
        with no_grad():
            factor = scale.double().reciprocal().float()
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
                numbers, at = p.grad._values() if p.grad.is_sparse else p.grad, p.grad.device
                good = numbers.isfinite().all()
                finite[at] = good if at not in finite else finite[at] & good
                numbers.mul_(factor.to(at))
            state["found_inf_per_device"] = {at: 1 - good.float() for at, good in finite.items()}
        state["stage"] = OptState.UNSCALED

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
        self._numbers("step")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError(message("step() has already been called since the last update()."))
        if state["stage"] is OptState.READY:
            self.unscale_(optimizer)
        found = state["found_inf_per_device"].values()
        if not found:
            raise AssertionError(message("No inf checks were recorded for this optimizer."))
        out = None if any(bool(x > 0) for x in found) else optimizer.step(*args, **kwargs)
        state["stage"] = OptState.STEPPED
        return out

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Adjust the scale, or set it to ``new_scale``: once, after the steps of all optimizers."""
        if not self._enabled:
            return
        scale, tracker = self._numbers("update")
        if new_scale is not None:
            if isinstance(new_scale, Tensor) and (
                new_scale.device.type != self._device
                or new_scale.numel() != 1
                or new_scale.requires_grad
            ):
                raise AssertionError(
                    message(
                        "new_scale should be a float or a 1-element torch.cuda.FloatTensor or "
                        "torch.FloatTensor with requires_grad=False."
                    )
                )
            if isinstance(new_scale, Tensor):
                scale.copy_(new_scale)
            else:
                scale.fill_(new_scale)
        else:
            states = self._per_optimizer_states.values()
            found = [x.to(scale.device) for s in states for x in s["found_inf_per_device"].values()]
            if not found:
                raise AssertionError(message("No inf checks were recorded prior to update."))
            self._adjust(scale, tracker, sum(found[1:], found[0]) > 0)
        self._per_optimizer_states.clear()

    def _adjust(self, scale: Tensor, tracker: Tensor, found_inf: Tensor) -> None:
        """Write the next scale and number of steps to their tensors, which are rounded once."""
        exact = scale.double()
        reduced = (exact * self._backoff_factor).float()
        grown = (exact * self._growth_factor).float()
        due = tracker.add_(1) == self._growth_interval
        kept = where(due & grown.isfinite(), grown, scale)
        scale.copy_(where(found_inf, reduced, kept))
        tracker.masked_fill_(found_inf | due, 0)

    def _found_inf_per_device(self, optimizer: Optimizer) -> dict[Device, Tensor]:
        state = self._per_optimizer_states[id(optimizer)]
        found: dict[Device, Tensor] = state["found_inf_per_device"]
        return found

    def _numbers(self, name: str) -> tuple[Tensor, Tensor]:
        """The scale and the steps since it changed; AssertionError if nothing has been scaled."""
        if self._scale is None or self._growth_tracker is None:
            raise AssertionError(
                message(
                    f"Attempted {name} but _scale is None.  This may indicate your script "
                    "did not use scaler.scale(loss or outputs) earlier in the iteration."
                )
            )
        return self._scale, self._growth_tracker

    # ---- its numbers -----------------------------------------------------------------------------
    def is_enabled(self) -> bool:
        """Does it scale anything?"""
        return self._enabled

    def get_scale(self) -> float:
        """The scale; 1 if it is disabled."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else self._scale.item()

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
        if not self._enabled:
            return 0
        tracker = self._growth_tracker
        return self._init_growth_tracker if tracker is None else int(tracker.item())

    def state_dict(self) -> dict[str, Any]:
        """Its numbers, as PyTorch's file has them; empty if it is disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._get_growth_tracker(),
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
        if self._scale is None or self._growth_tracker is None:
            self._init_scale = state_dict["scale"]
            self._init_growth_tracker = state_dict["_growth_tracker"]
        else:
            self._scale.fill_(state_dict["scale"])
            self._growth_tracker.fill_(state_dict["_growth_tracker"])
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]

    def __getstate__(self) -> dict[str, Any]:
        if not self._enabled:
            return vars(self)
        if self._per_optimizer_states:
            raise AssertionError(
                message(
                    "A GradScaler instance may only be pickled at the beginning of an "
                    "iteration, or at "
                    "the end after scaler.update()."
                )
            )
        tracked = self._get_growth_tracker()
        now = {"_init_scale": self.get_scale(), "_init_growth_tracker": tracked}
        return vars(self) | now | {"_scale": None, "_growth_tracker": None}
