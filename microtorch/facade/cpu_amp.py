"""``torch.cpu.amp``: PyTorch's older name of ``torch.amp`` for the CPU."""
from __future__ import annotations

from ..arrays import dtypes
from ..base.errors import missing, warn
from . import amp

__all__ = ["GradScaler", "autocast"]


def _older(name: str) -> None:
    warn(
        f"`torch.cpu.amp.{name}(args...)` is deprecated. Please use "
        f"`torch.amp.{name}('cpu', args...)` instead.",
        FutureWarning,
    )


class autocast(amp.autocast):
    """``torch.autocast("cpu")``."""

    def __init__(
        self, enabled: bool = True, dtype: dtypes.dtype = dtypes.bfloat16,
        cache_enabled: bool = True,
    ):  # fmt: skip
        _older("autocast")
        super().__init__("cpu", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """``torch.amp.GradScaler("cpu")``."""

    def __init__(
        self, init_scale: float = 2.0**16, growth_factor: float = 2.0, backoff_factor: float = 0.5,
        growth_interval: int = 2000, enabled: bool = True,
    ) -> None:  # fmt: skip
        _older("GradScaler")
        super().__init__(
            "cpu", init_scale, growth_factor, backoff_factor, growth_interval, enabled
        )


__getattr__ = missing("torch.cpu.amp", __all__)
