"""torch.utils: data loading, checkpoints, summaries, timing.

And a pause of the garbage collector, for building deep graphs.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from ..base.errors import missing
from ..base.promises import on_demand

__all__ = ["benchmark", "checkpoint", "data", "dlpack", "gc_paused"]


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


# nn and optim come here without them
__getattr__ = on_demand(globals(), dict.fromkeys(__all__, ""), missing(__name__, __all__))
