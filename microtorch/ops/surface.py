"""What is exported to users: ``public`` makes a function ``microtorch.<name>`` and a method."""
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from ..base.errors import message
from ..engine.entering import entered
from ..engine.handle import Handle
from ..engine.out import into
from .node_names import renaming

F = TypeVar("F", bound=Callable[..., Any])

METHODS: dict[str, Callable[..., Any]] = {}  # methods of Tensor (handles/methods.py binds them)
FUNCTIONS: dict[str, Callable[..., Any]] = {}  # exported as microtorch.<name>


# PyTorch's functions without ``out=``: views, and those that answer no tensor
NO_OUT = frozenset(
    "allclose block_diag broadcast_tensors broadcast_to cartesian_prod chunk clone combinations "
    "conj dropout einsum equal expand_as flatten imag is_nonzero is_same_size layer_norm linear "
    "max_pool1d max_pool2d meshgrid moveaxis movedim narrow one_hot permute ravel real reshape "
    "resolve_conj rms_norm rot90 rsub select split squeeze swapaxes swapdims t tensor_split tile "
    "transpose unbind unflatten unsqueeze".split()
)


def public(
    *, method: bool = True, function: bool = True, aliases: Sequence[str] = ()
) -> Callable[[F], F]:
    """Export a function of Tensors as ``microtorch.<name>`` and as a Tensor method.

    Its first parameter is the method's self. One with a parameter ``dim`` also takes numpy's names,
    ``axis`` and ``keepdims``, as PyTorch's do. The exported function takes ``out=``.
    """

    def export(f: F) -> F:
        f.__qualname__ = f.__name__  # as Python's own messages show it
        positional = f.__code__.co_varnames[: f.__code__.co_argcount]
        own = f.__name__.rstrip("_") if f.__name__.endswith("__") else f.__name__
        if "dim" in positional and "axis" not in f.__code__.co_varnames:
            f = function_with_out = numpy_names(f)
        else:
            function_with_out = f if own in NO_OUT else taking_out(f)
        cast, cast_with_out = entered(f), entered(function_with_out)
        for name in (own, *aliases):
            if method:
                METHODS[name] = renaming(told(cast, positional[1:]))
            if function:
                FUNCTIONS[name] = renaming(cast_with_out)
        return cast

    return export


def _no_tensor(f: F, e: AttributeError, args: tuple[Any, ...]) -> Exception:
    """PyTorch's TypeError, if what has no such attribute is an argument that is no Tensor."""
    for i, x in enumerate(args):
        if x is e.obj and not isinstance(x, Handle):
            what = f"argument {i + 1} must be Tensor, not {type(x).__name__}"
            return TypeError(message(f"{f.__name__}(): {what}", fix="torch.tensor(...)"))
    return e


def told(f: F, others: Sequence[str]) -> F:
    """``f`` with PyTorch's TypeError for what is no tensor, if one of ``others`` must be one."""
    if all(f.__annotations__.get(name) != "Tensor" for name in others):
        return f

    @functools.wraps(f)
    def method(*args: object, **kwargs: object) -> object:
        try:
            return f(*args, **kwargs)
        except AttributeError as e:
            raise _no_tensor(f, e, args) from None

    return cast(F, method)


def taking_out(f: F) -> F:
    """``f`` with a parameter ``out``, unless it has one."""
    code = f.__code__
    if "out" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        return f

    @functools.wraps(f)
    def function(*args: Any, **kwargs: Any) -> Any:
        try:
            if not kwargs:
                return f(*args)
            out = kwargs.pop("out", None)
            return f(*args, **kwargs) if out is None else into(out, f, args, kwargs)
        except AttributeError as e:
            raise _no_tensor(f, e, args) from None

    return cast(F, function)


def numpy_names(f: F) -> F:
    """``f``, which takes ``axis`` for ``dim``, ``keepdims`` for ``keepdim``, and ``out``."""
    takes_out = f.__name__ not in NO_OUT

    @functools.wraps(f)
    def function(*args: Any, **kwargs: Any) -> Any:
        if not kwargs:
            try:
                return f(*args)
            except AttributeError as e:
                raise _no_tensor(f, e, args) from None
        for theirs, ours in (("axis", "dim"), ("keepdims", "keepdim")):
            if theirs in kwargs and ours not in kwargs:
                kwargs[ours] = kwargs.pop(theirs)
        out = kwargs.pop("out", None) if takes_out else None
        return f(*args, **kwargs) if out is None else into(out, f, args, kwargs)

    vars(function)["numpy_names"] = True  # for scripts/stubs.py
    return cast(F, function)
