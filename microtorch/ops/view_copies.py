"""``torch.expand_copy`` and its like: what a view shows, in memory of its own.

Each is the method of Tensor that makes the view, and a copy in rows; arguments, errors and
derivatives are the view's.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..arrays.memory_format import contiguous_format
from ..base.naming import named
from ..engine.argument_types import is_int
from .arguments import dim_of, tensors_only
from .surface import FUNCTIONS, one_list, public

if TYPE_CHECKING:
    from ..base.types import Argument
    from ..handles.tensor import Tensor

FUNCTIONS_OF_VIEWS = (
    "as_strided diagonal permute select split split_with_sizes squeeze t transpose unbind "
    "unsqueeze view_as_complex view_as_real"
).split()
METHODS_OF_VIEWS = ("detach", "expand", "unfold", "view")


def _alias(input: Tensor) -> Tensor:
    tensors_only("alias_copy", input=input)
    return input


def _slice(
    input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    d = dim_of(dim, input.array.ndim, "slice")
    return input[(slice(None),) * d + (slice(start, end, step),)]


def _copying(name: str, view: Callable[..., Argument]) -> Callable[..., Argument]:
    def function(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument:
        seen = view(input, *args, **kwargs)
        if isinstance(seen, (tuple, list)):
            return tuple(x.clone(memory_format=contiguous_format) for x in seen)
        return seen.clone(memory_format=contiguous_format)

    return named(function, f"{name}_copy", f"A copy of what {name} shows of the input.")


def _method(name: str) -> Callable[..., Argument]:
    """The method, which takes sizes in a list only, as PyTorch's functions do."""

    def function(input: Tensor, *args: Argument, **kwargs: Argument) -> Argument:
        if name != "unfold" and args and (len(args) > 1 or is_int(args[0])):
            raise one_list(f"{name}_copy", "size", args[0])
        return getattr(input, name)(*args, **kwargs)

    return function


def _function(name: str) -> Callable[..., Argument]:
    return lambda input, *args, **kwargs: FUNCTIONS[name](input, *args, **kwargs)


for _name, _view in {
    "alias": _alias, "slice": _slice,
    **{name: _method(name) for name in METHODS_OF_VIEWS},
    **{name: _function(name) for name in FUNCTIONS_OF_VIEWS},
}.items():  # fmt: skip
    public(method=False)(_copying(_name, _view))
