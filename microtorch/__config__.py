"""``torch.__config__``: how this copy of microtorch runs."""
from __future__ import annotations

import platform

import numpy

from . import backends, settings
from .version import __version__


def show() -> str:
    """Versions, and whether the compiled core is in use; if it is not there, why."""
    from .backends import core

    compiled = "compiled core: in use" if backends.current() == "core" else "compiled core: built, not in use"
    return "\n".join(
        (
            f"microtorch {__version__}, Python {platform.python_version()}, numpy {numpy.__version__}",
            compiled if core.is_available() else f"compiled core: no, numpy does its work ({core.reason})",
            "devices: cpu",
        )
    )


def parallel_info() -> str:
    """Threads."""
    return f"torch.get_num_threads() : {settings.get_num_threads()}"
