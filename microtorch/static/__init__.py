"""The static graph: a run of a function, written down as a program (``microtorch.compile``)."""
from .compiled import Compiled
from .module import OptimizedModule, compile, in_place

__all__ = ["Compiled", "OptimizedModule", "compile", "in_place"]
