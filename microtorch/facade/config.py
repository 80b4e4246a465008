"""``torch.__config__``: how this copy of microtorch runs."""
from __future__ import annotations

import os
import platform

import numpy

from .. import backends
from ..backends import core, opencl
from ..backends.opencl.runtime import device_names
from ..version import MICROTORCH, __version__
from . import settings


def show() -> str:
    """Versions, and whether the compiled core is in use; the devices; and why what is not there is
    not."""
    in_use = "in use" if backends.current() == "core" else "built, not in use"
    compiled = in_use if core.is_available() else f"no, numpy does its work ({core.reason})"
    python, arrays = f"Python {platform.python_version()}", f"numpy {numpy.__version__}"
    return "\n".join(
        (
            f"microtorch {MICROTORCH} (torch.__version__ {__version__}), {python}, {arrays}",
            f"compiled core: {compiled}",
            f"devices: {_devices()}",
        )
    )


def _devices() -> str:
    """All devices by the names that ``torch.device`` takes."""
    missing = opencl.reason()
    if missing:
        return f"cpu ({missing.splitlines()[0]})"
    names = [f"opencl:{i} ({name})" for i, name in enumerate(device_names())]
    return ", ".join(["cpu", *names])


def parallel_info() -> str:
    """Threads: how many the C core's loops use, how many CPUs there are, and the settings that were
    read."""
    has_affinity = hasattr(os, "sched_getaffinity")
    usable = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count()
    read = ("MICROTORCH_NUM_THREADS", "OMP_NUM_THREADS")
    missing = "none, since the C core is not there"
    loops = "threads of the C core" if core.is_available() else missing
    return "\n".join(
        (
            f"torch.get_num_threads() : {settings.get_num_threads()}",
            f"CPUs : {os.cpu_count()}, of which this process may use {usable}",
            "Environment variables:",
            *(f"    {name} : {os.environ.get(name, '[not set]')}" for name in read),
            f"Parallel backend: {loops}",
        )
    )
