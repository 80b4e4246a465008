"""``torch.cuda.amp``: PyTorch's older names, for CUDA. There is none, so they warn and do nothing.
"""
from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from ..arrays import dtypes
from ..base.errors import missing, warn
from . import amp

if TYPE_CHECKING:
    pass

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]
__path__: list[str] = []  # a package to Python, below which PyTorch's modules are found

custom_fwd = functools.partial(amp.custom_fwd, device_type="cuda")
custom_bwd = functools.partial(amp.custom_bwd, device_type="cuda")


def _older(name: str) -> None:
    warn(
        f"`torch.cuda.amp.{name}(args...)` is deprecated. Please use "
        f"`torch.amp.{name}('cuda', args...)` instead.",
        FutureWarning,
    )


class autocast(amp.autocast):
    """``torch.autocast("cuda")``."""

    def __init__(
        self, enabled: bool = True, dtype: dtypes.dtype = dtypes.float16, cache_enabled: bool = True
    ):
        _older("autocast")
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """``torch.amp.GradScaler("cuda")``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _older("GradScaler")
        super().__init__("cuda", *args, **kwargs)

__getattr__ = missing("torch.cuda.amp", __all__)
