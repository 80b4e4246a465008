"""The CPU: numpy's memory, with the C core's kernels where they win and numpy's elsewhere.

The environment variable ``MICROTORCH_BACKEND`` (``core`` or ``reference``) or ``use("reference")``
chooses. Otherwise the C core is used if it was compiled, and numpy alone if not (``core.reason``
says why).
"""
from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import fills
from ..arrays.dtypes import C64, C128, F16, F32, F64, on_bfloat16
from . import core
from .complex import Complex
from .half import Half
from .reference import Reference

if TYPE_CHECKING:
    from ..base.types import DType, Kernel

# The CPU's backends; `use` changes their class, so that every tensor follows.
cpu = Reference.rest = Reference()
for _dtype in (F32, F64):
    Reference.by_dtype[_dtype] = Reference(_dtype)
# the backends of these dtypes are numpy's, whichever is in use
NUMPYS: dict[DType, type[Reference]] = {F16: Half, C64: Complex, C128: Complex}
for _dtype, _kernels in NUMPYS.items():
    Reference.by_dtype[_dtype] = _kernels(_dtype)


def _know_bfloat16(d: DType) -> None:
    NUMPYS[d] = Half
    Reference.by_dtype.setdefault(d, Half(d))


on_bfloat16.append(_know_bfloat16)


def available() -> dict[str, bool]:
    """Names of CPU backends, and whether they can be used here."""
    return {"reference": True, "core": core.is_available()}


def plain(ufunc: Kernel) -> Kernel:
    """A ufunc as it is, where numpy computes with one thread."""
    return ufunc


def use(name: str) -> None:
    """Take CPU kernels from ``"reference"`` (numpy), or from ``"core"`` (C) where it has them.

    RuntimeError says why if the C core is not compiled. Another name is a ValueError.
    """
    if name not in ("reference", "core"):
        raise ValueError(f"no backend named '{name}'; the CPU backends are 'core' and 'reference'")
    if name == "core" and not core.is_available():
        raise RuntimeError(f"the C core is not available: {core.reason}")
    Reference.threaded = staticmethod(core.threaded if name == "core" else plain)
    Reference.fill = staticmethod(core.fill if name == "core" else np.copyto)
    Reference.rest.choose(core.Rest if name == "core" else Reference)
    for dtype, backend in Reference.by_dtype.items():  # all other dtypes are numpy's
        backend.choose(NUMPYS.get(dtype, core.Core if name == "core" else Reference))
    fills.in_use = core.Random() if name == "core" else fills.Fills()


def current() -> str:
    """The name of the backend in use on the CPU."""
    return Reference.by_dtype[F32].name


def choose_at_import() -> None:
    """Take what MICROTORCH_BACKEND asks for, else the C core, else numpy, and say why.

    The package calls it once.
    """
    asked = os.environ.get("MICROTORCH_BACKEND", "")
    if asked:
        use(asked)
    elif core.is_available():
        use("core")
    else:
        core.announce()
