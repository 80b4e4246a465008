"""microtorch: a teaching-grade autograd engine with PyTorch's surface.

``import microtorch as torch`` runs small PyTorch scripts. The graph is in ``graph/``, the formulas
in ``notation/``, how an op runs and how backward walks in ``engine/``; ``viz`` draws and explains
it. Where each name of this module is found is said in ``facade/namespace.py``.
"""
from __future__ import annotations

import math as _math
import os as _os
import sys as _sys

# a checkout: viz/ lies beside the package
if not _os.path.isdir(_os.path.join(__path__[0], "viz")):
    __path__.append(_os.path.dirname(__path__[0]))

from .base.pausing import collector_paused as _collector_paused

with _collector_paused():
    from . import autograd, backends, version
    from .arrays import dtypes as _dtypes
    from .arrays.device import device
    from .arrays.dtypes import dtype, finfo, get_default_dtype, iinfo, set_default_dtype
    from .autograd import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
    from .autograd.grad_mode import is_inference_mode_enabled
    from .base.naming import settle as _settle
    from .facade import namespace as _namespace
    from .facade import paths as _paths
    from .handles.size import Size
    from .handles.tensor import Tensor
    from .version import __version__

    backends.choose_at_import()
    globals().update({name: getattr(_dtypes, name) for name in _dtypes.NAMES})

pi, e, inf, nan, newaxis = _math.pi, _math.e, _math.inf, _math.nan, None
torch = _sys.modules[__name__]  # torch.torch, which PyTorch's import of itself left behind
__all__ = _namespace.ALL
# from here on PyTorch's import paths, and ours of earlier versions, are known
_paths.install(__all__)


def __getattr__(name: str) -> object:
    found = globals().setdefault(name, _namespace.find(name))  # of several threads, the first's
    _settle(__name__, {name: found})
    return found


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]


if _os.environ.get("MICROTORCH_VIZ", "0") not in ("", "0"):  # show any program's steps when it ends
    from .viz.showing.program import watch_program

    watch_program(_os.environ["MICROTORCH_VIZ"])
