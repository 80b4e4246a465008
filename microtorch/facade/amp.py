"""``torch.amp``: mixed precision. What is cast to which type is said in engine/autocast.py.

    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = criterion(model(x), y)      # products in bfloat16, the loss in float32
    scaler.scale(loss).backward()          # float16 needs a scaler: small gradients would be 0
    scaler.step(optimizer)
    scaler.update()
"""
from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from contextvars import Token
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from ..arrays import dtypes
from ..arrays.device import device
from ..base.errors import message, missing, warn
from ..engine import autocast as casting
from ..handles.tensor import Tensor
from ..optim.grad_scaler import GradScaler

if TYPE_CHECKING:
    from ..base.types import Argument

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]

__path__: list[str] = []  # a package to Python, below which PyTorch's modules are found

F = TypeVar("F", bound=Callable[..., Any])


class autocast:
    """A region in which some functions compute in a type of 16 bits; also a decorator.

    ``device_type``: "cpu" has such regions. For "cuda" and others, which are not there, it warns
    and does nothing, as PyTorch does. ``dtype``: torch.bfloat16, the default, or torch.float16; for
    others it warns and does nothing. ``enabled=False``: within another region, one in which nothing
    is cast. ``cache_enabled``: is a weight that is used twice in the region cast once?

    Raises ValueError for a device that is not given by name, RuntimeError for one that has no name
    in PyTorch.
    """

    def __init__(
        self,
        device_type: str,
        dtype: dtypes.dtype | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ):
        if not isinstance(device_type, str):
            raise ValueError(
                f"Expected `device_type` of type `str`, got: `{type(device_type)}`"
            )
        self.device = device_type
        self.fast_dtype = get_autocast_dtype(device_type) if dtype is None else dtype
        self._enabled = enabled and self._possible()
        self._cache_enabled = casting.keeps[0] if cache_enabled is None else cache_enabled
        self._tokens: list[Token[casting.Region | None]] = []

    def _possible(self) -> bool:
        """Can there be such a region? Warns if not."""
        if self.device != "cpu":
            warn(
                f"{self.device.upper()} is not available or torch_xla is imported. Disabling "
                "autocast.",
            )
            return False
        supported = (dtypes.bfloat16, dtypes.float16)
        if self.fast_dtype not in supported:
            warn(
                "In CPU autocast, but the target dtype is not supported. Disabling autocast.\n"
                f"CPU Autocast only supports dtypes of {', '.join(map(str, supported))} currently.",
            )
            return False
        return True

    def __enter__(self) -> autocast:
        if self.device == "cpu":
            self._tokens.append(casting.enter(_region(self) if self._enabled else None))
        return self

    def __exit__(self, *exception: object) -> None:
        if self.device == "cpu":
            casting.leave(self._tokens.pop())

    def __call__(self, func: F) -> F:
        if not callable(func):
            raise TypeError(
                message(
                    f"autocast()(func) requires a callable, but got {type(func).__name__}. Did you "
                    "mean to use autocast as a context manager?",
                    fix="with torch.autocast(device_type='cpu'): output = model(input)",
                )
            )

        @functools.wraps(func)
        def function(*args: Argument, **kwargs: Argument) -> Argument:
            with self:
                return func(*args, **kwargs)

        return cast(F, function)


def _region(a: autocast) -> casting.Region:
    outer = casting.region.get()
    kept = outer.casts if outer is not None and outer.casts is not None else {}
    return casting.Region(a.fast_dtype.numpy, kept if a._cache_enabled else None)


# ---- asking and setting --------------------------------------------------------------------------
def _known(device_type: str) -> str:
    """The name of a device. Raises RuntimeError for one that PyTorch does not know."""
    return device(device_type).type


def is_autocast_available(device_type: str) -> bool:
    """Does PyTorch have regions for this type of device? (Here "cpu" alone has them.)"""
    return _known(device_type) in casting.types


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Is a region open in which operands are cast? Without argument the question is about CUDA."""
    return _known(device_type) == "cpu" and casting.region.get() is not None


def get_autocast_dtype(device_type: str) -> dtypes.dtype:
    """The type of the region that is open, or of one that names none."""
    now = casting.region.get()
    if _known(device_type) == "cpu" and now is not None:
        return dtypes.FROM_NUMPY[now.dtype]
    if device_type not in casting.types:
        raise RuntimeError(message("unsupported scalarType", f"autocast on '{device_type}'"))
    return casting.types[device_type]


def set_autocast_dtype(device_type: str, dtype: dtypes.dtype) -> None:
    """Set the type of regions that name none."""
    casting.types[_known(device_type)] = dtype


def set_autocast_enabled(device_type: str | bool, enabled: bool | None = None) -> None:
    """Begin a region that lasts, or end it; ``with torch.autocast(...)`` is the safer way.

    One argument alone is meant for CUDA.
    """
    if isinstance(device_type, bool):
        enabled, device_type = device_type, "cuda"
    if _known(device_type) == "cpu" and enabled != is_autocast_enabled("cpu"):
        casting.enter(_region(autocast("cpu")) if enabled else None)


def set_autocast_cpu_dtype(dtype: dtypes.dtype) -> None:
    """``set_autocast_dtype`` of the CPU."""
    set_autocast_dtype("cpu", dtype)


def set_autocast_cpu_enabled(enabled: bool) -> None:
    """``set_autocast_enabled`` of the CPU."""
    set_autocast_enabled("cpu", enabled)


def is_autocast_cache_enabled() -> bool:
    """Do regions that do not say otherwise keep the casts of weights?"""
    return casting.keeps[0]


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Set what ``is_autocast_cache_enabled`` answers."""
    casting.keeps[0] = enabled


def clear_autocast_cache() -> None:
    """Forget the casts of weights made so far in the region that is open."""
    now = casting.region.get()
    if now is not None and now.casts is not None:
        now.casts.clear()


def is_autocast_cpu_enabled() -> bool:
    """PyTorch's older name of ``is_autocast_enabled("cpu")``."""
    return is_autocast_enabled("cpu")


def get_autocast_cpu_dtype() -> dtypes.dtype:
    """PyTorch's older name of ``get_autocast_dtype("cpu")``."""
    return get_autocast_dtype("cpu")


def get_autocast_gpu_dtype() -> dtypes.dtype:
    """PyTorch's older name of ``get_autocast_dtype("cuda")``."""
    return get_autocast_dtype("cuda")


# ---- custom functions ----------------------------------------------------------------------------
def _cast(value: Argument, device_type: str, dtype: dtypes.dtype) -> Argument:
    """``value`` with its floating tensors, but for those of float64, in ``dtype``."""
    if isinstance(value, Tensor):
        here = value.device.type == device_type
        return casting.converted(value, dtype.numpy) if here else value
    if isinstance(value, (str, bytes, np.ndarray)):
        return value
    if isinstance(value, Mapping):
        return {k: _cast(v, device_type, dtype) for k, v in value.items()}
    if isinstance(value, Iterable):
        parts = (_cast(v, device_type, dtype) for v in value)
        return type(value)(parts) if isinstance(value, (list, tuple)) else parts
    return value


def custom_fwd(
    fwd: Argument = None, *, device_type: str, cast_inputs: dtypes.dtype | None = None
) -> Argument:
    """A decorator for the ``forward`` of a ``torch.autograd.Function`` that is used in regions.

    With ``cast_inputs`` its tensors are cast to that type within a region, and nothing is cast
    inside. Without, the region goes on inside, and ``custom_bwd`` opens it again for ``backward``.
    """
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(ctx: Argument, *args: Argument, **kwargs: Argument) -> Argument:
        ctx._dtype = get_autocast_dtype(device_type)
        on = is_autocast_enabled(device_type)
        ctx._fwd_used_autocast = on and cast_inputs is None
        if not on or cast_inputs is None:
            return fwd(ctx, *args, **kwargs)
        with autocast(device_type, enabled=False):
            kwargs = _cast(kwargs, device_type, cast_inputs)
            return fwd(ctx, *_cast(args, device_type, cast_inputs), **kwargs)

    return forward


def custom_bwd(bwd: Argument = None, *, device_type: str) -> Argument:
    """A decorator for the ``backward`` that belongs to a ``forward`` with ``custom_fwd``.

    It runs in the region that ``forward`` ran in.
    """
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(ctx: Argument, *args: Argument, **kwargs: Argument) -> Argument:
        with autocast(device_type, ctx._dtype, enabled=ctx._fwd_used_autocast):
            return bwd(ctx, *args, **kwargs)

    return backward

__getattr__ = missing("torch.amp", __all__)
