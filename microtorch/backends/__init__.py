"""Where kernels come from: ``cpu`` is numpy memory, with the C core's kernels where they win and numpy's elsewhere.

The environment variable ``MICROTORCH_BACKEND`` (``core`` or ``reference``) or ``use("reference")`` chooses; without a word
the C core is used if it was compiled, and numpy alone if not (``core.reason`` says why).
"""
from __future__ import annotations

import importlib
import os
from typing import Any

from ..device import device
from ..dtypes import F32, F64
from ..errors import DeviceError, message, unknown
from .reference import LARGE, KernelTable, Reference, defines, definitions

transfer: Any = None  # set by ops: move a Tensor to another backend

__all__ = ["LARGE", "KernelTable", "Reference", "available", "cpu", "defines", "definitions", "use"]

# The CPU's backends; `use` changes their class, so every tensor follows
cpu = Reference.rest = Reference()
for _dtype in (F32, F64):
    Reference.by_dtype[_dtype] = Reference(_dtype)


def available() -> dict[str, bool]:
    """Names of CPU backends, and whether they can be used here."""
    from . import core

    return {"reference": True, "core": core.is_available()}


def use(name: str) -> None:
    """Take CPU kernels from ``"reference"`` (numpy) or ``"core"`` (C, with numpy for what C has no kernel for).

    Raises RuntimeError if the C core is not compiled, with the reason, and ValueError for another name.
    """
    from . import core

    if name not in ("reference", "core"):
        raise ValueError(f"no backend named '{name}'; the CPU backends are 'core' and 'reference'")
    if name == "core" and not core.is_available():
        raise RuntimeError(f"the C core is not available: {core.reason}")
    for backend in Reference.by_dtype.values():  # that of all other dtypes stays numpy's
        backend.choose(core.Core if name == "core" else Reference)


def current() -> str:
    """The name of the backend in use on the CPU."""
    return Reference.by_dtype[F32].name


def choose_at_import() -> None:
    """Called once by the package: what MICROTORCH_BACKEND asks for, else the C core if it is there, else numpy, saying why."""
    from . import core

    asked = os.environ.get("MICROTORCH_BACKEND", "")
    if asked:
        use(asked)
    elif core.is_available():
        use("core")
    else:
        core.announce()


def place(t: Any, where: Any) -> Any:
    """``t`` on device ``where``. Raises RuntimeError for a device that is not there."""
    where = where if isinstance(where, device) else device(where)
    here = t.node.dev.device
    if where.type == here.type and (where.index is None or where.index == here.index):
        return t
    return transfer(t, backend_for(where, t.array.dtype))


def host(array: Any) -> Any:
    """The array itself if it lies in host memory, else a copy of it there: for what shows or stores numbers."""
    return array.get() if hasattr(array, "get") else array


default: list[Any] = [None]  # the device that torch.set_default_device named


def home(where: Any, dtype: Any) -> Any:
    """The backend for a new tensor: on device ``where``, or on the default device if that is None."""
    where = default[0] if where is None else where
    return cpu.of(dtype) if where is None else backend_for(where, dtype)


def backend_for(where: Any, dtype: Any) -> Any:
    """The backend for arrays of ``dtype`` on device ``where``. Raises DeviceError for a device that is not there."""
    where = where if isinstance(where, device) else device(where)
    if where.type == "cpu":
        return cpu.of(dtype)
    if where.type == "opencl":
        from . import opencl

        return opencl.backend_for(where.index, dtype)
    raise unavailable(where)


def unavailable(where: device) -> Exception:
    """The error for a device that microtorch knows but this machine (or this build) does not offer."""
    known = {
        "cuda": "microtorch has no CUDA backend (torch.cuda.is_available() is False here)",
        "mps": "microtorch has no Metal backend",
        "xpu": "microtorch has no XPU backend",
        "meta": "microtorch has no meta tensors",
    }
    return DeviceError(
        message(f"device '{where}' is not available: {known[where.type]}",
                fix="'cpu' always works: device = 'cuda' if torch.cuda.is_available() else 'cpu'")
    )


def __getattr__(name: str) -> Any:
    if name in ("cudnn", "mps", "opencl"):  # what PyTorch has below torch.backends and scripts ask about
        return importlib.import_module(f"{__name__}.{name}")
    raise unknown("module 'torch.backends'", name, (*__all__, "core", "cudnn", "mps", "opencl"))
