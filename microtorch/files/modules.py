"""Whole modules in a file: by which name their classes are written, and which are read.

A file names the classes, and holds their attributes. Reading calls no class and runs no code but
the `__setstate__` of a class that the program itself has, as PyTorch does: a class is taken from
where the running program already has it, an object of it is made without its `__init__`, and its
attributes are set. So only `weights_only=False` reads them, and only classes derived from
`nn.Module`. When the whole file is read, all that makes a module work is checked.
"""

from __future__ import annotations

import importlib
import re
import sys
import types
from collections import OrderedDict
from collections.abc import Callable

from ..base.errors import message
from ..handles.tensor import Tensor
from ..nn import functional
from ..nn.contents import LAYERS
from ..nn.messages import typename
from ..nn.module import Module
from ..nn.parameter import Parameter, is_lazy
from ..ops.surface import FUNCTIONS
from .errors import refused

_OURS, _THEIRS = __package__.partition(".")[0], "torch"
nn = sys.modules[f"{_OURS}.nn"]
layers = sys.modules[f"{_OURS}.nn.layers"]
# in which file of torch/nn/modules a class lies: by its name, else by the file where it is here
_BY_NAME = (
    ("BatchNorm", "batchnorm"), ("InstanceNorm", "instancenorm"), ("LazyConv", "conv"),
    ("LazyLinear", "linear"), ("AdaptiveLog", "adaptive"), ("ChannelShuffle", "channelshuffle"),
)  # fmt: skip
_BY_FILE = {
    "activations": "activation", "attention": "activation", "containers": "container",
    "distances": "distance", "local_response": "normalization", "losses": "loss",
    "margin_losses": "loss", "output_losses": "loss", "parameter_lists": "container",
    "resampling": "upsampling", "rnn_cells": "rnn", "shuffles": "pixelshuffle",
}  # fmt: skip
# ours, whose classes a file of PyTorch or torchvision may name although nothing asked for them yet
_LIBRARY = (f"{_OURS}.nn", f"{_OURS}.optim", f"{_OURS}.vision")
# where PyTorch's C++ functions lie, as its pickles name them
_FUNCTIONAL = {"torch.nn.functional", "torch._C._nn"}
_TOP = {"torch", "torch.functional", "torch._C._linalg", "torch._C._special"}
_OTHER_NAMES = {"log_sigmoid": "logsigmoid"}
VARIABLE_FUNCTIONS = "torch._C._VariableFunctionsClass"  # whose attributes they are
_STORES: dict[str, type] = {"_parameters": Parameter, "_buffers": Tensor, "_modules": Module}
_HOOKS = (
    "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks",
    "_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)  # fmt: skip
# of PyTorch's attributes those that say more about hooks
_ABOUT_HOOKS = (
    "_forward_hooks_with_kwargs", "_forward_pre_hooks_with_kwargs", "_forward_hooks_always_called",
)  # fmt: skip


# ---- names ---------------------------------------------------------------------------------------
def written(x: object) -> str:
    """The name by which a file calls a class or a function of tensors; empty for what has none."""
    name, module = getattr(x, "__qualname__", ""), getattr(x, "__module__", None) or ""
    if isinstance(x, type) and issubclass(x, Module) and "<locals>" not in name:
        inside = module.removeprefix(f"{_OURS}.")
        if inside == module:
            return f"{module}.{name}"  # the user's
        if inside.startswith("nn.layers.") or inside == "nn.module":
            file = inside.rpartition(".")[2]
            for pattern, place in _BY_NAME:
                if re.search(pattern, name):
                    return f"torch.nn.modules.{place}.{name}"
            return f"torch.nn.modules.{_BY_FILE.get(file, file)}.{name}"
        if inside.startswith("vision."):
            return f"torchvision{inside.removeprefix('vision')}.{name}"
        return f"torch.{inside}.{name}" if module.startswith(_LIBRARY) else ""
    if isinstance(x, types.FunctionType):
        if getattr(functional, name, None) is x:
            return f"torch.nn.functional.{name}"
        if FUNCTIONS.get(name) is x:
            return f"torch.{name}"
    return ""


def read(module: str, name: str) -> object:
    """The class derived from Module, or the function of tensors, that has this name in the program.

    None where it has none. Nothing is imported but files of this package.
    """
    if module in _FUNCTIONAL:
        name = _OTHER_NAMES.get(name, name)
        found = getattr(functional, name, None) if name in functional.__all__ else None
        return found if isinstance(found, types.FunctionType) else None
    if module in _TOP:
        name = name.removeprefix(f"{module.rpartition('.')[2].lstrip('_')}_")  # special_expit
        return FUNCTIONS.get(name)
    kind: object = None
    if module == "torch.nn" or module.startswith("torch.nn.modules."):
        kind = getattr(layers, name) if name in LAYERS else vars(nn).get(name)
    else:
        first, *rest = f"{module}.{name}".split(".")
        path = [{"torch": _OURS, "torchvision": f"{_OURS}.vision"}.get(first, first), *rest]
        _import(".".join(path[:-1]))
        kind = located(path)
    return kind if isinstance(kind, type) and issubclass(kind, Module) else None


def located(path: list[str]) -> object:
    """What is found under this name in the modules that are imported; None where nothing is."""
    n = len(path) - 1
    while n > 1 and ".".join(path[:n]) not in sys.modules:  # the name of a class in a class
        n -= 1
    found: object = sys.modules.get(".".join(path[:n]))
    for part in path[n:]:
        found = vars(found).get(part) if isinstance(found, (type, types.ModuleType)) else None
    return found


def _import(path: str) -> None:
    """Import a file of this package's library, if there is one of this name."""
    if path not in sys.modules and f"{path}.".startswith(tuple(f"{x}." for x in _LIBRARY)):
        try:
            importlib.import_module(path)
        except ImportError:
            return


def function_of(holder: object, name: object) -> object:
    """What `getattr` gives in a file: a function of PyTorch's own class of functions."""
    if holder != VARIABLE_FUNCTIONS or not isinstance(name, str):
        raise refused(f"getattr is called for {typename(holder)}: it is for torch's functions only")
    found = FUNCTIONS.get(name) or read("torch.nn.functional", name)
    if found is None:
        raise refused(f"it names a function that is not here: torch.{name}")
    return found


# ---- attributes ----------------------------------------------------------------------------------
def state_of(x: Module) -> object:
    """The attributes as a file holds them: what `__getstate__` gives, as PyTorch has it.

    TypeError for hooks, which are code; ValueError for a lazy module that was never called;
    RuntimeError for a module that contains itself.
    """
    _no_cycle([x], lambda what, fix: RuntimeError(message(f"cannot save: {what}", fix=fix)))
    state = x.__getstate__()
    if not isinstance(state, dict) or not state.keys() >= _STORES.keys():
        return state  # the user's own
    if any(is_lazy(value) for store in x._stores() for value in store.values()):
        raise ValueError(
            message(
                f"cannot save a {typename(x)}, which has no weights before its first call",
                fix="call the module with a batch first",
            )
        )
    if any(state.get(name) for name in _HOOKS):
        raise TypeError(
            message(
                f"cannot save hooks, which are code: a {typename(x)} has some",
                fix="torch.save(model.state_dict(), f); or remove the hooks, and register them "
                "again on what is loaded",
            )
        )
    own = {k: v for k, v in state.items() if k not in ("_hooked", "_scope_label")}
    about: dict[str, object] = {k: OrderedDict() for k in (*_HOOKS, *_ABOUT_HOOKS)}
    return {**own, **about, "_is_full_backward_hook": None}


def make(kind: type[Module], *args: object) -> Module:
    """An object of the class, of which `__init__` has not run. TypeError for arguments."""
    if args:
        raise TypeError(message(f"a {kind.__name__} is made from arguments"))
    made: Module = object.__new__(kind)
    return made


def is_ours(x: Module) -> bool:
    """Is its state set by a function of this package, not of the user?"""
    return type(x).__setstate__.__module__.partition(".")[0] == _OURS


def restore(x: Module, state: object) -> None:
    """Give a module its attributes. TypeError for what is no module's state."""
    if not isinstance(state, dict) or any(type(k) is not str for k in state):
        raise TypeError(message("the attributes of a module are no dict of names"))
    if not state.keys() >= _STORES.keys():
        raise TypeError(message(f"the attributes of a module lack its {', '.join(_STORES)}"))
    x.__setstate__(state)


def settle(found: list[Module]) -> None:
    """All of a file is read: check its modules, and give them what files do not hold.

    TypeError for what cannot be in a module, FileError for one that contains itself or has hooks.
    """
    for x in found:
        _check(x)
    _no_cycle(found, refused)
    for x in found:
        for name in (*_HOOKS, *_ABOUT_HOOKS, "_is_full_backward_hook", "_hooked", "_scope_label"):
            vars(x).pop(name, None)
        vars(x).update({k: v for k, v in x._first_attributes().items() if k not in vars(x)})
    for x in found:
        for name, child in x._modules.items():
            if child is not None:
                child._label(x._child_label(name))


def _check(x: Module) -> None:
    kind, own = type(x).__name__, vars(x)
    for store, wanted in _STORES.items():
        entries = own.get(store)
        if not isinstance(entries, dict):
            raise TypeError(message(f"the attributes of a {kind} lack {store}, a dict"))
        for name, value in entries.items():
            if type(name) is not str or not (value is None or isinstance(value, wanted)):
                raise TypeError(
                    message(
                        f"{store}[{name!r}] of a {kind} is a {typename(value)}, and should be "
                        f"a {wanted.__name__} or None"
                    )
                )
    if type(own.get("training", True)) is not bool:
        raise TypeError(message(f"training of a {kind} is a {typename(own['training'])}, no bool"))
    unsaved = own.get("_non_persistent_buffers_set", set())
    if not isinstance(unsaved, set) or any(type(name) is not str for name in unsaved):
        raise TypeError(message(f"_non_persistent_buffers_set of a {kind} is no set of names"))
    for name in (*_HOOKS, *_ABOUT_HOOKS):
        if own.get(name):
            raise refused(
                f"a {kind} in it has hooks ({name}), which are code",
                fix="where the file was written, remove them; register them again here",
            )


def _no_cycle(roots: list[Module], error: Callable[..., Exception]) -> None:
    """Raise if a module is among its own children, or theirs."""
    done: set[int] = set()
    entered: set[int] = set()  # on the way down to where we are
    stack: list[tuple[Module, bool]] = [(x, False) for x in roots]
    while stack:
        x, leave = stack.pop()
        if leave:
            entered.discard(id(x))
            done.add(id(x))
        elif id(x) in entered:
            raise error(
                f"a {type(x).__name__} contains itself: it is a child of its own, or of its "
                "children",
                fix="keep such a reference in a list, which makes no child of it: "
                "child.parent = [module]",
            )
        elif id(x) not in done:
            entered.add(id(x))
            stack.append((x, True))
            stack += [(c, False) for c in x._modules.values() if c is not None]
