"""Python's collector of cycles, paused while much is made that stays."""
from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Inside, nobody looks for cycles; afterwards it is as before.

    An import makes thousands of objects, and all of them stay. To look through them again and again
    took a fifteenth of its time.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
