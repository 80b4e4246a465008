"""``compile``, and what it makes of a Module."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import TYPE_CHECKING

from ..base.errors import message, nearest
from ..nn.module import Module
from .compiled import Compiled
from .program import Program
from .scalars.entry import ScalarProgram

if TYPE_CHECKING:
    from ..base.types import Kernel, Operand


OWN = frozenset({*vars(Module()), "training"})  # what a wrapper has for itself


class OptimizedModule(Module):
    """A Module around another, ``_orig_mod``, whose calls are recorded and run as a program.

    Parameters, buffers and modes are those of the other; keys of its state begin with "_orig_mod.",
    as in PyTorch.
    """

    def __init__(self, module: Module, fullgraph: bool = False, use_c: bool = True):
        super().__init__()
        self._orig_mod = module
        self.training = module.training
        vars(self)["_compiled"] = Compiled(module, fullgraph, use_c)

    def __getattr__(self, name: str) -> Operand:
        """What is no attribute here is the other's."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if not complete(self):
                raise
            return getattr(self._orig_mod, name)

    def __setattr__(self, name: str, value: Operand) -> None:
        """What is set here is set there."""
        if name in OWN or not complete(self):
            super().__setattr__(name, value)
        if complete(self) and (name not in OWN or name == "training"):
            setattr(self._orig_mod, name, value)

    def forward(self, *args: Operand, **kwargs: Operand) -> Operand:
        """The module's output."""
        return vars(self)["_compiled"](*args, **kwargs)

    @property
    def graph(self) -> Program | ScalarProgram:
        """The program that was made last."""
        made: Compiled = vars(self)["_compiled"]
        return made.graph

    def c_source(self) -> str:
        """The C file of the program that was made last; "" where none of its steps is C."""
        made: Compiled = vars(self)["_compiled"]
        return made.c_source()

    def export(
        self, folder: str | PathLike[str], target: str = "c",
        data: Sequence[Operand] | None = None, text: bool = False,
    ) -> None:  # fmt: skip
        """Write the program that was made last as C with a ``main``, and as a page
        (``target="wasm"``); ``text``: its weights as text, too. See static/export.py.
        """
        made: Compiled = vars(self)["_compiled"]
        made.export(folder, target=target, data=data, text=text)

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

    def compile(self, *example: Operand) -> OptimizedModule:
        """This module. With an example, its program is made now: three calls on the example."""
        if example:
            for _ in range(3):
                self(*example)
        return self


def complete(module: Module) -> bool:
    """Is a wrapper more than begun?"""
    return "_compiled" in vars(module)


def in_place(module: Module, **options: Operand) -> None:
    """Let a Module's ``forward`` run as a program; ``options``: those of ``compile``."""
    vars(module)["forward"] = compile(module.forward, **options)


# PyTorch's; all but "eager" mean the same here
BACKENDS = ("inductor", "eager", "aot_eager", "cudagraphs", "onnxrt", "openxla", "tvm")
MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")


def _check_choice(name: str, given: Operand, known: Sequence[str]) -> None:
    """RuntimeError for a misspelt name; other objects are passed on as scripts have them."""
    if isinstance(given, str) and given not in known:
        what = f"compile(): invalid {name}: {given!r}.{nearest(given, known)}"
        raise RuntimeError(message(what, fix=f"one of {', '.join(known)}"))


def compile(
    model: Kernel | None = None, *, fullgraph: bool = False, dynamic: bool | None = None,
    backend: Operand = "inductor", mode: str | None = None, options: Operand = None,
    disable: bool = False,
) -> Operand:  # fmt: skip
    """Record ``model``, a function or a Module, and run it as its program from then on.

    As a decorator, too. ``fullgraph=True`` raises RuntimeError where a program cannot be made; else
    a warning says why, once, and the function runs as it is written. ``disable=True`` gives the
    function back. ``backend="eager"`` asks for the interpreter alone: the same kernels, to the bit.
    ``dynamic``, ``mode`` and ``options`` choose between equal implementations in PyTorch and are
    accepted without effect.
    """
    if model is None:
        again: Callable[[Kernel], Operand] = lambda f: compile(  # noqa: E731
            f, fullgraph=fullgraph, disable=disable, backend=backend
        )
        return again
    if disable:
        return model
    _check_choice("backend", backend, BACKENDS)
    _check_choice("mode", mode, MODES)
    use_c = backend != "eager"
    if not callable(model):
        raise TypeError(message(f"compile() takes a function or a Module, not {model!r}"))
    if isinstance(model, Module):
        return OptimizedModule(model, fullgraph, use_c)
    return Compiled(model, fullgraph, use_c)
