"""A Module that runs as a program: what ``compile(module)`` returns."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ..nn.module import Module
from .compiled import Compiled
from .program import Program

if TYPE_CHECKING:
    from ..base.types import Operand


class CompiledModule(Module):
    """A Module around another, ``_orig_mod``, whose calls are recorded and run as a program.

    Parameters, buffers and modes are those of the other; keys of its state begin with "_orig_mod.",
    as in PyTorch.
    """

    def __init__(self, module: Module, fullgraph: bool = False):
        super().__init__()
        self._orig_mod = module
        self.training = module.training
        vars(self)["_compiled"] = Compiled(module, fullgraph)

    def forward(self, *args: Operand, **kwargs: Operand) -> Operand:
        """The module's output."""
        return vars(self)["_compiled"](*args, **kwargs)

    @property
    def graph(self) -> Program:
        """The program that was made last."""
        made: Compiled = vars(self)["_compiled"]
        return made.graph

    @property
    def code(self) -> str:
        """The program as the Python function that the interpreter runs."""
        made: Compiled = vars(self)["_compiled"]
        return made.code

    @property
    def reason(self) -> str:
        """Why the module runs as it is written, or ""."""
        made: Compiled = vars(self)["_compiled"]
        return made.reason

    def compile(self, *example: Operand) -> CompiledModule:
        """This module. With an example, its program is made now: three calls on the example."""
        if example:
            for _ in range(3):
                self(*example)
        return self
