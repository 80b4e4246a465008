"""torch.utils: data loading, checkpoints, summaries, timing.

And a pause of the garbage collector, for building deep graphs.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..base.errors import missing

__all__ = ["benchmark", "checkpoint", "data", "dlpack", "gc_paused"]

# modules under other names (facade/paths.py)
_FACADE = ("_pytree", "hooks", "model_zoo", "tensorboard")


@contextmanager
def gc_paused() -> Iterator[None]:
    """Switch Python's cyclic garbage collector off inside the block.

    The collector walks all objects again and again while a graph of many nodes is built: for a
    million nodes that is most of the time.  Graphs have no cycles, so nothing is lost meanwhile.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


_missing = missing(__name__, __all__)


def __getattr__(name: str) -> Any:
    if name in __all__:  # loaded when first named: nn and optim come here without them
        return importlib.import_module(f"{__name__}.{name}")
    if name in _FACADE:
        return importlib.import_module(f"{__name__}.{name}")
    return _missing(name)
