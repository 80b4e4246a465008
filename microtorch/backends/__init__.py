"""Backends: kernels by the name of an op, for one kind of memory and one dtype.

- ``reference``  numpy, which defines every op; ``core/``: C kernels for the same memory
- ``opencl/``    a memory and kernels of its own
- ``expansion``  runs an op on Scalars
- ``cpu``        chooses among the first two; ``places``: from a device to its backend; ``table``:
                 from an op to its kernel, once found
"""
from __future__ import annotations

import importlib
from typing import Any

from ..arrays.device import default
from ..base.errors import unknown
from .cpu import available, choose_at_import, cpu, current, use
from .places import backend_for, home, host
from .reference import Reference
from .table import LARGE, KernelTable, defines, definitions

__all__ = [
    "LARGE", "KernelTable", "Reference", "available", "backend_for", "choose_at_import", "cpu",
    "current", "default", "defines", "definitions", "home", "host", "use",
]  # fmt: skip

# what PyTorch has below torch.backends and scripts ask about
_MODULES = {"core": ".core", "opencl": ".opencl"}
_MODULES |= {"cuda": "..facade.cuda_backend", "cudnn": "..facade.cudnn", "mps": "..facade.mps"}
_MODULES |= {name: "..facade.no_backend" for name in ("mkl", "mkldnn", "openmp", "opt_einsum")}


def __getattr__(name: str) -> Any:
    if name in _MODULES:  # as a name of this module from now on, which guards can watch
        globals()[name] = found = importlib.import_module(_MODULES[name], __name__)
        return found
    raise unknown("module 'torch.backends'", name, (*__all__, *_MODULES))
