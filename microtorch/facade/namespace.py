"""What ``microtorch.<name>`` finds, and where.

Functions of ops/ and create/ are entered when they are declared. What not every program needs
(``nn``, ``optim``, ``linalg``, ...) is imported when it is first named. Of a name that is not here
the error says whether PyTorch has it, or what it may be a misspelling of.
"""
from __future__ import annotations

import importlib
from typing import Any

from ..arrays import memory_format
from ..base.errors import unknown
from ..create import data, filled, random
from ..handles.tensor import Tensor
from ..ops.surface import FUNCTIONS
from . import linear_algebra, settings

# importing them has entered their functions into FUNCTIONS
ENTERED = (data, filled, linear_algebra, random)

# ops that PyTorch, too, has only in nn.functional
NN_ONLY = frozenset(
    "elu gelu gelu_tanh hardsigmoid hardswish hardtanh leaky_relu linear logsigmoid mish one_hot "
    "relu6 silu softplus softsign entr ndtr xlog1py".split()
)
functions = {
    name: f for name, f in FUNCTIONS.items() if not name.startswith("_") and name not in NN_ONLY
}
functions.pop("nuclear_norm", None)  # torch.norm calls it; users find it in linalg/older.py
functions["clone"] = Tensor.clone
functions |= {name: getattr(settings, name) for name in settings.__all__}

# imported when first used: name -> module, and the name in it ("": the module itself)
LAZY = {name: (name, "") for name in ("linalg", "nn", "optim", "utils", "vision", "viz")}
LAZY |= {
    name: (f"facade.{name}", "")
    for name in ("accelerator", "cuda", "opencl", "random", "special", "testing")
}
LAZY |= {name: ("files", name) for name in ("load", "save")}
LAZY |= {name: ("arrays.memory_format", name) for name in memory_format.NAMES}
LAZY |= {name: ("linalg.older", name) for name in linear_algebra.NAMES}
LAZY |= {name: ("nn.functional", name) for name in ("cosine_similarity", "pairwise_distance")}
LAZY |= {"compile": ("static", "compile"), "jit": ("static.script", "")}
LAZY |= {
    "__config__": ("facade.config", ""),
    "OutOfMemoryError": ("base.errors", "OutOfMemoryError"),
    "default_generator": ("arrays.generator", "default_generator"),
    "is_anomaly_enabled": ("autograd", "is_anomaly_enabled"),
}

ABSENT = frozenset(
    "bfloat16 cfloat complex64 complex128 complex distributed fft func layout mps "
    "multiprocessing onnx profiler quantization sparse sparse_coo_tensor vmap view_as_complex "
    "view_as_real xpu export fx hub".split()
)

EAGER = (
    "Generator Scalar Size Tensor __version__ autograd backends bool device double dtype e "
    "enable_grad finfo float float16 float32 float64 get_default_dtype half iinfo inf "
    "inference_mode int int16 int32 int64 int8 is_grad_enabled is_inference_mode_enabled long nan "
    "no_grad pi set_default_dtype set_grad_enabled set_printoptions short uint8 version".split()
)
ALL = sorted({*EAGER, *functions, *(name for name in LAZY if name != "viz")})


def find(name: str) -> Any:
    """The value of ``microtorch.<name>``, imported if need be.

    Raises AttributeError if there is none.
    """
    if name in LAZY:
        module, part = LAZY[name]
        found = importlib.import_module(f"microtorch.{module}")
        return getattr(found, part) if part else found
    if name in ABSENT:
        raise AttributeError(f"torch.{name} is part of PyTorch, but not of microtorch.")
    raise unknown("module 'torch'", name, ALL)
