"""microtorch: a teaching-grade autograd engine with PyTorch's surface. ``import microtorch as torch`` runs small scripts.

The graph is in ``graph``, its derivatives in ``formulas`` and ``ops``, the walk in ``engine``; ``viz`` draws it.
"""
from __future__ import annotations

import math as _math
import os as _os
import warnings as _warnings

# numpy reports overflow and division by zero as warnings; PyTorch, and so microtorch, answers inf and nan in silence.
_warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"microtorch(\.|$)")

if not _os.path.isdir(_os.path.join(__path__[0], "viz")):  # a plain checkout: viz/ lies beside the package
    __path__.append(_os.path.dirname(__path__[0]))

from . import backends, creation, dtypes, ops
from .backends import choose_at_import as _choose
from .device import device
from .dtypes import dtype, finfo, get_default_dtype, iinfo, set_default_dtype
from .generator import Generator, default_generator
from .printing import set_printoptions
from .tensor import Size, Tensor
from .version import __version__

# isort: split
from . import autograd, nn, optim, random, utils
from .autograd import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from .autograd.grad_mode import is_inference_mode_enabled
from .nn.parameter import Parameter as _Parameter
from .scalar import Scalar

_choose()

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
globals().update({name: f for name, f in ops.FUNCTIONS.items() if not name.startswith("_") and name != "one_hot"})
