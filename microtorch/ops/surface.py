"""What is exported to users: ``public`` makes a function ``microtorch.<name>`` and a method."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import CO_VARARGS
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..base.errors import message
from ..base.naming import alias, named, with_parameters
from ..base.promises import Promises
from ..engine.argument_types import is_int
from ..engine.calling import EXPORTED
from ..engine.entering import called, entered
from .node_names import naming

if TYPE_CHECKING:
    from ..base.types import Dims
    from ..handles.tensor import Tensor

F = TypeVar("F", bound=Callable[..., Any])

# methods of Tensor (handles/methods.py binds them), and what is exported as microtorch.<name>.
# Those of a family are made when the first of them is asked for (contents.py)
METHODS: Promises[Callable[..., Any]] = Promises()
FUNCTIONS: Promises[Callable[..., Any]] = Promises()
# what writes a function's result into its first operand, if it can (handles/twins.py); made with it
OVER: dict[str, Callable[..., bool]] = {}


def writes_over(name: str) -> Callable[[F], F]:
    """A decorator of what does ``name`` in the memory of its first operand, of which nothing is
    recorded. It answers False if nothing was written.
    """

    def note(f: F) -> F:
        OVER[name] = f
        return f

    return note


# PyTorch's functions without ``out=``: views, and those that answer no tensor
NO_OUT = frozenset(
    "allclose block_diag broadcast_tensors broadcast_to cartesian_prod chunk clone combinations "
    "conj dropout einsum equal expand_as flatten imag is_nonzero is_same_size layer_norm linear "
    "max_pool1d max_pool2d meshgrid moveaxis movedim narrow permute ravel real reshape "
    "resolve_conj rms_norm rot90 rsub select split squeeze swapaxes swapdims t tensor_split tile "
    "transpose unbind unflatten unsqueeze".split()
)

# functions of which the call itself is much of the time: they read PyTorch's names by themselves
DIRECT = frozenset(
    "add expand flatten linear matmul mean mul permute reshape sub sum t transpose view".split()
)


def public(
    *, method: bool = True, function: bool = True, aliases: Sequence[str] = ()
) -> Callable[[F], F]:
    """Export a function of Tensors as ``microtorch.<name>`` and as a Tensor method.

    Its first parameter is the method's self. Users call it as ``engine/calling.py`` says; what is
    returned is for the package, which names arguments as the function does.
    """

    def export(f: F) -> F:
        f.__qualname__ = f.__name__  # as Python's own messages show it
        own = f.__name__.rstrip("_") if f.__name__.endswith("__") else f.__name__
        inner = users = entered(f)
        if own not in DIRECT:
            users = EXPORTED[inner] = called(f, out=own not in NO_OUT, shown=naming(f.__name__))
        for name in (own, *aliases):
            if method:
                METHODS[name] = alias(users, name)
            if function:
                FUNCTIONS[name] = alias(_of_a_list(f, users), name)
        return inner

    return export


def _of_a_list(f: Callable[..., Any], users: F) -> F:
    """``users``; where the method takes sizes one by one, the function that takes a list of them.

    ``x.flip(0, 1)`` and ``torch.flip(x, (0, 1))``: PyTorch has it so. Of ``squeeze`` and its like,
    whose dimensions may be left out, ``more`` is the method's alone.
    """
    code = f.__code__
    if not code.co_flags & CO_VARARGS:
        return users
    name, several = f.__name__, code.co_varnames[code.co_argcount + code.co_kwonlyargcount]
    if f.__annotations__[several] == "int":

        def alone(input: Tensor, dim: Dims = None) -> Tensor:
            made: Tensor = f(input, dim)
            return made

        return cast(F, called(named(alone, name, f.__doc__), out=name not in NO_OUT))
    if f.__annotations__[several] != "Sizes":
        return users

    def function(input: Tensor, sizes: Sequence[int]) -> Tensor:
        if type(sizes) is not tuple and is_int(sizes):
            raise one_list(name, parameter, sizes)
        made: Tensor = f(input, sizes)
        return made

    parameter = code.co_varnames[1]  # of the list's name
    made = named(with_parameters(function, "input", parameter), name, f.__doc__)
    made.__annotations__[parameter] = made.__annotations__.pop("sizes")
    return cast(F, made if name in DIRECT else called(made, out=name not in NO_OUT))


def one_list(name: str, parameter: str, given: object) -> TypeError:
    """The error for one size in the place of a list."""
    what = f"argument '{parameter}' (position 2) must be tuple of ints, not {type(given).__name__}"
    return TypeError(message(f"{name}(): {what}", fix=f"torch.{name}(x, ({given},))"))
