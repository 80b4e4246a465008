"""What is exported to users: ``public`` makes a function ``microtorch.<name>`` and a method."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..base.naming import alias
from ..base.promises import Promises
from ..engine.calling import EXPORTED
from ..engine.entering import called, entered
from .node_names import naming

F = TypeVar("F", bound=Callable[..., Any])

# methods of Tensor (handles/methods.py binds them), and what is exported as microtorch.<name>.
# Those of a family are made when the first of them is asked for (contents.py)
METHODS: Promises[Callable[..., Any]] = Promises()
FUNCTIONS: Promises[Callable[..., Any]] = Promises()


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
                FUNCTIONS[name] = alias(users, name)
        return inner

    return export
