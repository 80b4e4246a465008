"""The static graph: a run of a function, written down as a program (``microtorch.compile``)."""
from .compiled import Compiled
from .module import CompiledModule, compile, in_place

__all__ = ["Compiled", "CompiledModule", "compile", "in_place"]
