"""torch.nn.utils.stateless: where functional_call was before it came to torch.func."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from ...base.errors import warn
from ...func.modules import functional_call as call
from ...func.modules import replaced
from ...handles.tensor import Tensor
from ..module import Module

if TYPE_CHECKING:
    from ...base.types import Argument

__all__ = ["functional_call"]


def functional_call(
    module: Module,
    parameters_and_buffers: Mapping[str, Tensor],
    args: Argument = None,
    kwargs: dict[str, Argument] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Argument:
    """``torch.func.functional_call``, with a FutureWarning."""
    warn(
        "`torch.nn.utils.stateless.functional_call` is deprecated as of PyTorch 2.0 and will be "
        "removed in a future version of PyTorch. Please use `torch.func.functional_call` instead "
        "which is a drop-in replacement.",
        FutureWarning,
    )
    return call(
        module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict
    )


def _reparametrize_module(
    module: Module,
    parameters_and_buffers: Mapping[str, Tensor],
    tie_weights: bool = False,
    strict: bool = False,
    stack_weights: bool = False,
) -> AbstractContextManager[None]:
    """While the context lasts, the module has these tensors; arguments as of ``functional_call``.

    ``stack_weights`` is accepted: contexts in one another are always left in the right order.
    """
    return replaced(module, parameters_and_buffers, tie_weights, strict)
