"""microtorch: a teaching-grade autograd engine with PyTorch's surface. ``import microtorch as torch`` runs small scripts.

The graph is in ``graph``, its derivatives in ``formulas`` and ``ops``, the walk in ``engine``; ``viz`` draws it.
What every program needs is imported here; ``nn``, ``optim``, ``linalg`` and the like are imported when they are first named.
"""
from __future__ import annotations

import importlib as _importlib
import math as _math
import os as _os
import warnings as _warnings
from typing import Any as _Any

# numpy reports overflow and division by zero as warnings; PyTorch, and so microtorch, answers inf and nan in silence.
_warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"microtorch(\.|$)")

if not _os.path.isdir(_os.path.join(__path__[0], "viz")):  # a plain checkout: viz/ lies beside the package
    __path__.append(_os.path.dirname(__path__[0]))

from . import autograd, backends, creation, dtypes, errors, ops, version
from . import settings as _settings
from .autograd import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from .autograd.grad_mode import is_inference_mode_enabled
from .device import device
from .dtypes import dtype, finfo, get_default_dtype, iinfo, set_default_dtype
from .printing import set_printoptions
from .scalar import Scalar
from .tensor import Size, Tensor
from .version import __version__

backends.choose_at_import()

float16 = half = dtypes.float16
float32 = float = dtypes.float32
float64 = double = dtypes.float64
int8 = dtypes.int8
int16 = short = dtypes.int16
int32 = int = dtypes.int32
int64 = long = dtypes.int64
uint8 = dtypes.uint8
bool = dtypes.bool
pi, e, inf, nan = _math.pi, _math.e, _math.inf, _math.nan
# ops that PyTorch, too, has only in nn.functional
_NN_ONLY = frozenset(
    "elu gelu gelu_tanh hardsigmoid hardswish hardtanh leaky_relu linear logsigmoid mish one_hot relu6 silu softplus "
    "softsign".split()
)
_functions = {name: f for name, f in ops.FUNCTIONS.items() if not name.startswith("_") and name not in _NN_ONLY}
_functions["clone"] = Tensor.clone
_functions |= {name: getattr(_settings, name) for name in _settings.__all__}
globals().update(_functions)

# imported when first used: name -> module (and, if not the module itself, the name in it)
_MODULES = (
    "__config__", "accelerator", "cuda", "linalg", "nn", "opencl", "optim", "random", "special", "testing", "utils", "vision"
)  # fmt: skip
_LAZY = {name: (name, "") for name in _MODULES}
_LAZY |= {name: ("serialization", name) for name in ("load", "save")}
_LAZY |= {name: ("linalg", name) for name in ("cholesky", "det", "slogdet")} | {"inverse": ("linalg", "inv")}
_LAZY |= {"OutOfMemoryError": ("errors", "OutOfMemoryError")}
_LAZY |= {"is_anomaly_enabled": ("autograd", "is_anomaly_enabled")}
_LAZY |= {"default_generator": ("generator", "default_generator"), "viz": ("viz", "")}

# what PyTorch has and microtorch has not: told apart from a misspelt name
_ABSENT = frozenset(
    "bfloat16 cfloat compile complex64 complex128 complex distributed fft func jit layout mps multiprocessing onnx profiler "
    "quantization sparse sparse_coo_tensor vmap view_as_complex view_as_real xpu export fx hub".split()
)

__all__ = sorted(
    {
        "Generator", "Scalar", "Size", "Tensor", "__version__", "autograd", "backends", "bool", "device", "double", "dtype", "e",
        "enable_grad", "finfo", "float", "float16", "float32", "float64", "get_default_dtype", "half", "iinfo", "inf",
        "inference_mode", "int", "int16", "int32", "int64", "int8", "is_grad_enabled", "is_inference_mode_enabled", "long", "nan",
        "no_grad", "pi", "set_default_dtype", "set_grad_enabled", "set_printoptions", "short", "uint8", "version",
        *_functions, *(name for name in _LAZY if name != "viz"),
    }
)  # fmt: skip


def __getattr__(name: str) -> _Any:
    if name in _LAZY:
        module, part = _LAZY[name]
        found = _importlib.import_module(f"{__name__}.{module}")
        value = getattr(found, part) if part else found
        globals()[name] = value
        return value
    if name in _ABSENT:
        raise AttributeError(f"torch.{name} is part of PyTorch, but not of microtorch.")
    raise errors.unknown("module 'torch'", name, __all__)


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]


if _os.environ.get("MICROTORCH_VIZ", "0") not in ("", "0"):  # show the stepper of any program when it ends
    _importlib.import_module(f"{__name__}.viz.showing.program").watch_program(_os.environ["MICROTORCH_VIZ"])
