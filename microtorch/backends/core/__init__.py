"""The C core as a backend: numpy's memory, C's kernels where they win, numpy's everywhere else.

`microtorch._core` is compiled when the package is installed (ext/build_core.py). Where it is
missing, `is_available()` is False, `reason` says why in one sentence, and everything runs on numpy:
`Core` adds speed, never meaning.
"""
from __future__ import annotations

from typing import Any

from ...base.errors import unknown
from . import library
from .backend import Core, Rest
from .casts import fill
from .choice import smallest
from .elementwise import run
from .library import announce, get_num_threads, is_available, isas, set_num_threads, use_isa
from .products import matmul_naive
from .random import Random
from .ufuncs import threaded

__all__ = [
    "Core", "Random", "Rest", "announce", "fill", "get_num_threads", "is_available", "isas",
    "matmul_naive", "run", "set_num_threads", "smallest", "source", "threaded", "use_isa",
]  # fmt: skip


def source(op: str, dtype: Any = "float32") -> str:
    """The C text of the loop that ``op``, or ``"<op>_vjp<i>"``, runs; see `texts.source`."""
    from . import texts

    return texts.source(op, dtype)


def __getattr__(name: str) -> Any:
    if name in ("reason", "lib", "ffi", "isa"):  # they may change while the program runs
        return getattr(library, name)
    raise unknown("module 'torch.backends.core'", name, (*__all__, "reason", "isa"))
