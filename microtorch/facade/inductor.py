"""``torch._inductor``: its settings, which scripts make before they compile."""
from __future__ import annotations

from ..base.errors import missing
from . import compiler_config as config

__all__ = ["config"]
__getattr__ = missing("torch._inductor", __all__)
