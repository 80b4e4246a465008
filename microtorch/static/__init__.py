"""The static graph: a run of a function, written down as a program (``microtorch.compile``)."""
from .compiled import Compiled
from .module import CompiledModule, compile

__all__ = ["Compiled", "CompiledModule", "compile"]
