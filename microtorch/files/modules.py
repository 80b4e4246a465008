"""Whole modules in a file: by which name their classes are written, and which are read.

A file names the classes, and holds their attributes. Reading makes no class and calls none: a
class is taken from where the running program already has it, an object of it is made without its
`__init__`, and its attributes are set. So only `weights_only=False` reads them, and only classes
derived from `nn.Module`.
"""

from __future__ import annotations

import sys
import types

from ..base.errors import message
from ..nn import functional
from ..nn.module import Module
from ..ops.surface import FUNCTIONS

_OURS, _THEIRS = __package__.partition(".")[0], "torch"
nn = sys.modules[f"{_OURS}.nn"]
_STORES = ("_parameters", "_buffers", "_modules")
_SAME = {"NonDynamicallyQuantizableLinear": "Linear"}  # PyTorch's, in its attention


def written(x: object) -> str:
    """The name by which a file calls a class or a function of tensors; empty for what has none."""
    name, module = getattr(x, "__qualname__", ""), getattr(x, "__module__", None) or ""
    if isinstance(x, type) and issubclass(x, Module) and "<locals>" not in name:
        if getattr(nn, name, None) is x:
            return f"torch.nn.{name}"
        if module.startswith(f"{_OURS}.vision"):
            return f"torchvision{module.removeprefix(f'{_OURS}.vision')}.{name}"
        if module.startswith(f"{_OURS}."):
            return f"{_THEIRS}{module.removeprefix(_OURS)}.{name}"
        return f"{module}.{name}"
    if isinstance(x, types.FunctionType):
        if getattr(functional, name, None) is x:
            return f"torch.nn.functional.{name}"
        if FUNCTIONS.get(name) is x:
            return f"torch.{name}"
    return ""


def read(module: str, name: str) -> object:
    """The class derived from Module, or the function of tensors, that has this name in the program.

    None where it has none. Nothing is imported.
    """
    if module == "torch.nn.functional":
        found = getattr(functional, name, None) if name in functional.__all__ else None
        return found if isinstance(found, types.FunctionType) else None
    if module == "torch":
        return FUNCTIONS.get(name)
    kind: object = None
    if module == "torch.nn" or module.startswith("torch.nn.modules."):
        kind = getattr(nn, _SAME.get(name, name), None)
    else:
        first, *rest = f"{module}.{name}".split(".")
        path = [{"torch": _OURS, "torchvision": f"{_OURS}.vision"}.get(first, first), *rest]
        n = len(path) - 1
        while n > 1 and ".".join(path[:n]) not in sys.modules:  # the name of a class in a class
            n -= 1
        kind = sys.modules.get(".".join(path[:n]))
        for part in path[n:]:
            kind = vars(kind).get(part) if isinstance(kind, (type, types.ModuleType)) else None
    return kind if isinstance(kind, type) and issubclass(kind, Module) else None


def make(kind: type[Module], *args: object) -> Module:
    """An object of the class, of which `__init__` has not run. TypeError for arguments."""
    if args:
        raise TypeError(message(f"a {kind.__name__} is made from arguments"))
    made: Module = object.__new__(kind)
    return made


def restore(x: Module, state: object) -> None:
    """Give a module its attributes. TypeError for what is no module's state."""
    if not isinstance(state, dict) or not all(type(k) is str for k in state):
        raise TypeError(message("the attributes of a module are no dict of names"))
    if not all(isinstance(state.get(k), dict) for k in _STORES) or vars(x):
        raise TypeError(message(f"the attributes of a module lack its {', '.join(_STORES)}"))
    vars(x).update(state)
    x.__dict__.setdefault("_scope_label", type(x).__name__)
