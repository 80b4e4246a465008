"""Names: of functions, as a program writes them, and of values, each once."""
from __future__ import annotations

import builtins
import importlib
import keyword
import re
from collections.abc import Callable
from functools import lru_cache
from types import ModuleType
from typing import Any

# where functions of tensors stand, and what a program calls the place; the first name counts
PLACES = ("torch", "torch.nn.functional", "torch.linalg", "torch.special", "torch.fft")
TAKEN = frozenset([*keyword.kwlist, *dir(builtins), "inf", "nan", "NoneType", "torch", "device"])


def module(place: str) -> ModuleType:
    """The module that a program knows as ``torch.<...>``."""
    return importlib.import_module(place.replace("torch", "microtorch", 1))


@lru_cache(maxsize=1)
def functions() -> dict[str, list[str]]:
    """By place, the names of the functions that a program can call there."""
    found = {}
    for place in PLACES:
        owner = module(place)
        names = [n for n in dir(owner) if not n.startswith("_") and n not in NO_TENSORS]
        names += ["_assert"] if place == "torch" else []
        found[place] = [n for n in names if _is_function(getattr(owner, n))]
    return found


# what makes tensors of numbers, or sets something: it is called while a graph is recorded
NO_TENSORS = frozenset(
    "compile find get_default_dtype is_grad_enabled is_storage is_tensor load manual_seed progress "
    "save seed set_default_device set_default_dtype set_grad_enabled set_num_threads "
    "set_printoptions typename".split()
)


def _is_function(f: object) -> bool:
    return callable(f) and not isinstance(f, type) and hasattr(f, "__name__")


@lru_cache(maxsize=1)
def _known() -> dict[Any, str]:
    """A function -> its name with its place."""
    found: dict[Any, tuple[tuple[bool, bool], str]] = {}
    for place, names in functions().items():
        owner = module(place)
        for name in names:
            f = getattr(owner, name)
            inside = place.replace("torch", "microtorch", 1) + "."
            here = f"{f.__module__}.".startswith(inside)
            # of several names the function's own, where it is defined, or the first
            rank = (here and place != "torch", name == f.__name__)
            if f not in found or rank > found[f][0]:
                found[f] = rank, f"{place}.{name}"
    return {f: name for f, (_, name) in found.items()}


def qualified(f: Callable[..., Any]) -> str:
    """``torch.relu``, ``operator.add``, ``__main__.mine``."""
    known = _known().get(f)
    if known is not None:
        return known
    name = getattr(f, "__name__", type(f).__name__)
    place = (getattr(f, "__module__", None) or "builtins").replace("_operator", "operator")
    return f"{place}.{name}"


class Namespace:
    """Names that are given once each."""

    def __init__(self) -> None:
        self.used: set[str] = set()
        self._count: dict[str, int] = {}

    def new(self, wanted: str) -> str:
        """``wanted`` as a name of Python's, with a number where it is taken: add, add_1, ..."""
        name = re.sub(r"[^0-9a-zA-Z_]+", "_", wanted) or "_unnamed"
        name = f"_{name}" if name[0].isdigit() else name
        split = re.fullmatch(r"(.*)_(\d+)", name)
        base, number = (split[1], int(split[2])) if split else (name, self._count.get(name, 0))
        while name in self.used or name in TAKEN:
            number += 1
            name = f"{base}_{number}"
        self.used.add(name)
        self._count[base] = number
        return name


def snake(text: str) -> str:
    """``ReLU`` as ``relu``, ``myModule`` as ``my_module``."""
    out = ""
    for before, c in zip(" " + text, text, strict=False):
        out += "_" + c.lower() if c.isupper() and before.islower() else c.lower()
    return out
