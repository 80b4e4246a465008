"""The C core as a backend: numpy's memory, C's kernels where they win, numpy's everywhere else.

`microtorch._core` is compiled when the package is installed (ext/build_core.py). Where it is
missing, `is_available()` is False, `reason` says why in one sentence, and everything runs on numpy:
`Core` adds speed, never meaning.

`Core` is put together from one class per family of kernels, each in a file named like its C file. A
method has the name and the arguments of its op. What C declines (a layout, a dtype) goes to the
op's definition.
"""
from __future__ import annotations

from functools import cached_property
from typing import Any

from ...base.errors import unknown
from . import library
from .choice import smallest
from .convolution import Convolution
from .elementwise import Elementwise, run
from .embedding import Embedding
from .library import (
    Kernels,
    announce,
    get_num_threads,
    is_available,
    isas,
    set_num_threads,
    use_isa,
)
from .loss import Losses
from .normalisation import Normalisation
from .optimizers import Optimizers
from .products import Products, matmul_naive
from .recurrent import Recurrent
from .reductions import Reductions

__all__ = [
    "Core", "announce", "get_num_threads", "is_available", "isas", "matmul_naive", "run",
    "set_num_threads", "smallest", "source", "use_isa",
]  # fmt: skip


class Core(
    Products, Convolution, Reductions, Losses, Normalisation, Embedding, Optimizers, Recurrent,
    Elementwise,
):  # fmt: skip
    """The CPU backend of float32 and float64 arrays, with C's kernels."""

    name = "core"

    @cached_property
    def kernels(self) -> Kernels:
        """The hand-written C kernels for arrays of this dtype."""
        return Kernels(self.dtype)


def source(op: str, dtype: Any = "float32") -> str:
    """The C text of the loop that ``op``, or ``"<op>_vjp<i>"``, runs; see `texts.source`."""
    from . import texts

    return texts.source(op, dtype)


def __getattr__(name: str) -> Any:
    if name in ("reason", "lib", "ffi", "isa"):  # they may change while the program runs
        return getattr(library, name)
    raise unknown("module 'torch.backends.core'", name, (*__all__, "reason", "isa"))
