"""``torch.__config__``: how this copy of microtorch runs."""
from __future__ import annotations

import os
import platform

import numpy

from .. import backends
from ..backends import core
from ..version import __version__
from . import settings


def show() -> str:
    """Versions, and whether the compiled core is in use; if it is not there, why."""
    compiled = (
        "compiled core: in use"
        if backends.current() == "core"
        else "compiled core: built, not in use"
    )
    return "\n".join(
        (
            f"microtorch {__version__}, Python {platform.python_version()}, numpy "
            f"{numpy.__version__}",
            compiled
            if core.is_available()
            else f"compiled core: no, numpy does its work ({core.reason})",
            "devices: cpu",
        )
    )


def parallel_info() -> str:
    """Threads: how many the C core's loops use, how many CPUs there are, and the settings that were
    read.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return "\n".join(
        (
            f"torch.get_num_threads() : {settings.get_num_threads()}",
            f"CPUs : {os.cpu_count()}, of which this process may use {usable}",
            "Environment variables:",
            *(
                f"    {name} : {os.environ.get(name, '[not set]')}"
                for name in ("MICROTORCH_NUM_THREADS", "OMP_NUM_THREADS")
            ),
            f"Parallel backend: {'threads of the C core' if core.is_available() else 'none, since the C core is not there'}",
        )
    )
