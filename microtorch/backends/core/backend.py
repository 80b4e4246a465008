"""``Core``: one class per family of kernels, each in a file named like its C file.

A method has the name and the arguments of its op; what C declines (a layout, a dtype) goes to the
op's definition. Most files are imported when the first of their kernels is asked for, by the table
contents.py, which scripts/contents.py writes.
"""
from __future__ import annotations

import importlib
from functools import cached_property
from typing import TYPE_CHECKING

from .casts import Casts
from .contents import FAMILIES
from .elementwise import Elementwise
from .halves import Halves
from .library import Kernels
from .products import Products
from .reductions import Reductions

if TYPE_CHECKING:
    from ...base.types import Argument
    from ..reference import Reference


class Core(Products, Reductions, Halves, Elementwise):
    """The CPU backend of float32 and float64 arrays, with C's kernels."""

    name = "core"

    @cached_property
    def kernels(self) -> Kernels:
        """The hand-written C kernels for arrays of this dtype."""
        return Kernels(self.dtype)


class Rest(Casts):
    """The backend of all other dtypes: whole numbers and masks in C where it has them (whole.py),
    the rest in numpy, with several threads (ufuncs.py).
    """


class Later:
    """Stands for a method of a family that nobody has asked for yet; then all of its take place."""

    def __init__(self, to: type[Reference], name: str, module: str, family: str):
        self.to, self.name, self.module, self.family = to, name, module, family

    def __get__(self, backend: Reference | None, owner: type[Reference]) -> Argument:
        module = importlib.import_module(f"{__package__}.{self.module}")
        for name, method in vars(getattr(module, self.family)).items():
            if not name.startswith("__"):
                setattr(self.to, name, method)
        return vars(self.to)[self.name].__get__(backend, owner)


for _module, (_family, _names) in FAMILIES.items():
    _to = Rest if _module == "whole" else Core
    for _name in _names.split():
        setattr(_to, _name, Later(_to, _name, _module, _family))
