"""Questions and settings: ``torch.is_tensor``, ``torch.promote_types``, ``set_num_threads`` ...

A setting that has no effect here says so in its docstring. It is accepted so that scripts run.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import backends
from ..arrays import dtypes
from ..arrays.device import device
from ..backends import core
from ..base.errors import describe, message, warn
from ..engine.argument_types import flags
from ..engine.calling import reading
from ..handles.storage import UntypedStorage
from ..handles.tensor import Tensor
from ..ops.arguments import tensors_only

if TYPE_CHECKING:
    from ..base.types import AnyNumber, DeviceLike, TensorLike

_precision = "highest"
_deterministic = [False, False]  # the mode; only a warning?


def is_tensor(obj: object) -> bool:
    """Is it a Tensor?"""
    return isinstance(obj, Tensor)


def is_storage(obj: object) -> bool:
    """Is it the memory of a tensor?"""
    return isinstance(obj, UntypedStorage)


def numel(input: Tensor) -> int:
    """The number of elements."""
    return input.array.size


def is_floating_point(input: Tensor) -> bool:
    """Is its dtype bfloat16, float16, float32 or float64?"""
    return input.is_floating_point()


def is_complex(input: Tensor) -> bool:
    """Is its dtype complex64 or complex128?"""
    return input.is_complex()


def is_nonzero(input: Tensor) -> bool:
    """Is the one element of ``input`` not 0? RuntimeError if it has more or fewer."""
    tensors_only("is_nonzero", input=input)
    return bool(input)


def typename(obj: object) -> str:
    """The name of an object's type: "torch.FloatTensor" for a tensor."""
    if isinstance(obj, Tensor):
        return obj.type()
    kind = obj if isinstance(obj, type) else type(obj)
    module = "" if kind.__module__ in ("builtins", None) else f"{kind.__module__}."
    return module + kind.__qualname__


def promote_types(type1: dtypes.dtype, type2: dtypes.dtype) -> dtypes.dtype:
    """The smallest dtype to which both convert: int64 and float16 give float16."""
    operands = [(dtypes.as_numpy(type1), 2), (dtypes.as_numpy(type2), 2)]
    return dtypes.FROM_NUMPY[dtypes.promote(operands)]


def result_type(
    tensor: TensorLike, other: TensorLike | None = None, *, scalar: AnyNumber | None = None
) -> dtypes.dtype:
    """The dtype of an operation on both.

    Tensors with dimensions outrank 0-d tensors, which outrank Python numbers. ``scalar`` is
    PyTorch's name of a number that is given before the tensor.
    """
    if scalar is not None:
        tensor, other = scalar, tensor
    operands = []
    for x in (tensor, other):
        if isinstance(x, Tensor):
            operands.append((x.array.dtype, 2 if x.array.ndim else 1))
        elif isinstance(x, (bool, int, float, complex, np.number, np.bool_)):
            operands.append((dtypes.of_number(x), 0))
        else:
            raise TypeError(
                message(f"result_type(): expected a tensor or a number, but got {describe(x)}")
            )
    return dtypes.FROM_NUMPY[dtypes.promote(operands)]


for _name in ("numel", "is_floating_point", "is_complex", "result_type"):
    globals()[_name] = reading(globals()[_name], out=False)


def can_cast(from_: dtypes.dtype, to: dtypes.dtype) -> bool:
    """May a result of one dtype be stored in place in the other?"""
    return dtypes.can_cast(dtypes.as_numpy(from_), dtypes.as_numpy(to))


def set_num_threads(n: int) -> None:
    """Let the C core's long loops run on up to ``n`` threads, of which the calling one is one.

    Results do not depend on ``n``. At first it is MICROTORCH_NUM_THREADS, or OMP_NUM_THREADS, or
    the number of CPUs that this process may use. What numpy does itself, such as products of
    matrices without the C core, has threads of its own, which OMP_NUM_THREADS sets before the
    start. Raises RuntimeError unless ``n`` is a positive int.
    """
    if isinstance(n, bool) or not isinstance(n, int):
        raise RuntimeError(f"set_num_threads expects an int, but got {type(n).__name__}")
    if n <= 0:
        raise RuntimeError("set_num_threads expects a positive integer")
    core.set_num_threads(min(n, 2**31 - 1))


def get_num_threads() -> int:
    """On how many threads long loops run: at most what set_num_threads was given, and 256."""
    return core.get_num_threads()


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Remembered without effect: every algorithm here is deterministic."""
    flags("use_deterministic_algorithms", mode=mode, warn_only=warn_only)
    _deterministic[:] = [bool(mode), bool(mode and warn_only)]


def are_deterministic_algorithms_enabled() -> bool:
    """What use_deterministic_algorithms was given; every algorithm is deterministic anyway."""
    return _deterministic[0]


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Was `warn_only` given?"""
    return _deterministic[1]


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """The same as a number or a word: 0 "default", 1 "warn", 2 "error"."""
    words = {"default": 0, "warn": 1, "error": 2}
    mode = words.get(debug_mode) if isinstance(debug_mode, str) else debug_mode
    if mode not in (0, 1, 2):
        raise RuntimeError(
            "invalid value of debug_mode, expected 0, 1, or 2, or one of `default`, `warn`, "
            f"`error`, but got {debug_mode}"
        )
    use_deterministic_algorithms(mode > 0, warn_only=mode == 1)


def get_deterministic_debug_mode() -> int:
    """0, 1 or 2: see set_deterministic_debug_mode."""
    return 0 if not _deterministic[0] else 1 if _deterministic[1] else 2


def set_num_interop_threads(n: int) -> None:
    """Accepted without effect: ops run one after another. RuntimeError unless ``n`` is positive."""
    if n <= 0:
        raise RuntimeError(message("set_num_interop_threads expects a positive integer"))


def get_num_interop_threads() -> int:
    """1: ops run one after another."""
    return 1


def set_flush_denormal(mode: bool) -> bool:
    """False, as PyTorch answers where the processor cannot: denormal numbers are kept."""
    return False


def set_float32_matmul_precision(precision: str) -> None:
    """Accepted without effect ("highest", "high", "medium"): float32 products are in float32."""
    global _precision
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(message(f"{precision!r} is not one of 'highest', 'high', or 'medium'."))
    _precision = precision


def get_float32_matmul_precision() -> str:
    """What set_float32_matmul_precision was given."""
    return _precision


def set_default_device(where: DeviceLike | None) -> None:
    """Say where this thread makes new tensors unless their maker names a device; None: on the CPU.

    Raises RuntimeError for a device that is not there.
    """
    backends.default.put(
        None if where is None else backends.backend_for(where, dtypes.F32).device
    )


def get_default_device() -> device:
    """Where new tensors are made: on the CPU unless ``set_default_device`` said otherwise."""
    return backends.default.device or device("cpu")


def set_default_tensor_type(t: Any) -> None:
    """PyTorch's old way to set the default dtype: "torch.DoubleTensor", or the type itself."""
    warn(
        "torch.set_default_tensor_type() is deprecated as of PyTorch 2.1, please use "
        "torch.set_default_dtype() and torch.set_default_device() as alternatives."
    )
    name = t if isinstance(t, str) else f"torch.{getattr(t, '__name__', t)}"
    kinds = {
        "torch.FloatTensor": dtypes.float32,
        "torch.DoubleTensor": dtypes.float64,
        "torch.HalfTensor": dtypes.float16,
        "torch.BFloat16Tensor": dtypes.bfloat16,
    }
    if name.startswith("torch.cuda."):
        raise TypeError(
            message(
                f"type {name} not available. Torch not compiled with CUDA enabled.",
                fix="ask torch.cuda.is_available() first: it is False here",
            )
        )
    if name not in kinds:
        raise TypeError(
            message(
                f"only floating-point types are supported as the default type, but got {name}",
                fix="torch.set_default_dtype(torch.float64)",
            )
        )
    dtypes.set_default_dtype(kinds[name])
