"""`torch._C`: what libraries beside PyTorch call of its compiled part, and no more.

torchmetrics reports there which of its classes are made. Programs of before torch.linalg had its
LinAlgError catch it under its name there. A class that wants plain Tensors of its instances has
`_disabled_torch_function_impl` as its `__torch_function__`; here it gets them anyway. Editors put
imports of it into programs that mean `torch.Generator`, or a class of TorchScript's that they never
use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arrays.dtypes import dtype  # noqa: F401
from ..arrays.generator import default_generator  # noqa: F401
from ..base.errors import missing
from ..create.random import Generator  # noqa: F401
from ..linalg import LinAlgError as _LinAlgError  # noqa: F401
from ..static.script import Error as JITException  # noqa: F401
from ..static.turns import recording_now

if TYPE_CHECKING:
    from ..base.types import Argument, Kernel


class Value:
    """A value in a graph of TorchScript's, in annotations: nothing here is one."""


class ScriptMethod:
    """A method of TorchScript's, in annotations: nothing here is one."""


def _log_api_usage_once(event: str) -> None:
    """Counts uses inside of PyTorch's owner; here, as in PyTorch elsewhere, nobody is told."""


def _get_tracing_state() -> bool | None:
    """Is a function being recorded? None if not."""
    return recording_now() or None


def _disabled_torch_function_impl(
    func: Kernel, types: Argument, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
) -> Argument:
    """What the function returns."""
    return func(*args, **kwargs or {})


__getattr__ = missing("torch._C", ())
