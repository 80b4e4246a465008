"""Run a script written for torch, unchanged: ``microtorch run script.py``.

In a program it is ``run_script("script.py")``. Inside the run, and only there, ``import torch``
finds microtorch: a finder at the front of ``sys.meta_path`` answers every import of ``torch``,
``torch.nn.functional``, ... with the module of the same name below ``microtorch``, and
``torchvision`` with ``microtorch.vision``. The modules are the same objects under a second name,
not copies. A PyTorch that is installed, or even imported already, stays untouched: its modules are
put aside during the run and put back.

The script sees what it would see under ``python script.py``: it is ``__main__``, ``sys.argv`` is
its command line, and its folder comes first on ``sys.path``.
"""
from __future__ import annotations

import argparse
import builtins
import importlib
import io
import os
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from typing import Any

from ..base.absent import absent
from ..base.errors import nearest
from .paths import OLD, PYTORCH, SecondName

ALIASES = {
    "torch": "microtorch", "torchvision": "microtorch.vision",
    "functorch": "microtorch.facade.functorch",
}  # fmt: skip
SCRIPT = "MICROTORCH_SCRIPT"  # its path, for processes that it spawns (spawned.py)


def _aliased(name: str) -> bool:
    return name.partition(".")[0] in ALIASES


class _Finder(SecondName):
    """Finds ``torch.x.y`` by importing ``microtorch.x.y``, and 'loads' it by handing that out."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        first, dot, rest = fullname.partition(".")
        if first not in ALIASES:
            return None
        ours = ALIASES[first] + dot + rest
        if first == "torch" and rest in OLD:  # torch.tensor is a function, and no module of PyTorch
            raise ModuleNotFoundError(f"No module named '{fullname}'", name=fullname)
        try:
            module = importlib.import_module(ours)
        except ModuleNotFoundError as error:
            if error.name != ours:
                raise  # the module exists, but something that it imports does not
            if said := absent(ours.partition(".")[2]):
                raise ModuleNotFoundError(said, name=fullname) from None
            # None would let the next finder look for torch.x in microtorch's folder, and load it a
            # second time
            base = ALIASES[first]
            public = {*sys.modules[base].__all__, *(n.partition(".")[0] for n in PYTORCH)}
            known = [
                first + n[len(base) :]
                for n in sys.modules
                if n.startswith(f"{base}.") and n[len(base) + 1 :].partition(".")[0] in public
            ]
            raise ModuleNotFoundError(
                f"No module named '{fullname}': microtorch, which stands in for {first} here, has "
                f"no {ours}.{nearest(fullname, known)}",
                name=fullname,
            ) from None
        _enter_hidden(ours, fullname)
        return self.spec(fullname, module)


def _enter_hidden(ours: str, theirs: str) -> None:
    """Enter the loaded modules in package `ours` whose name means another thing there.

    `import torch.autograd.gradcheck` would bind the module to the function's name otherwise: a
    module that is in `sys.modules` is not bound again.
    """
    package = vars(sys.modules[ours])
    for name, module in list(sys.modules.items()):
        above, _, last = name.rpartition(".")
        if above == ours and last not in OLD and package.get(last, module) is not module:
            sys.modules.setdefault(f"{theirs}.{last}", module)


def alias_for_good() -> None:
    """``import torch`` gives microtorch from now on, in a process that runs nothing else."""
    sys.meta_path.insert(0, _Finder())
    _say("torch")


def _say(module: str) -> None:
    """The classes that name the package itself as their module name this one from now on.

    Libraries find the package of a tensor by it (``type(x).__module__``), and programs print it.
    """
    package = sys.modules[ALIASES["torch"]]
    for name in ("Size", "Tensor", "device", "dtype"):
        getattr(package, name).__module__ = module


@contextmanager
def torch_is_microtorch() -> Iterator[None]:
    """In the block ``import torch`` gives microtorch, ``import torchvision`` its ``vision``."""
    aside = {name: sys.modules.pop(name) for name in list(sys.modules) if _aliased(name)}
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    said = sys.modules[ALIASES["torch"]].Tensor.__module__
    _say("torch")
    try:
        yield
    finally:
        _say(said)  # a run may lie within another
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if _aliased(name)]:
            del sys.modules[name]
        sys.modules.update(aside)


def run_script(
    script: str | os.PathLike[str], arguments: Sequence[str] = ()
) -> dict[str, Any]:
    """Run a script as ``python script arguments...`` would, and return its globals.

    ``torch`` in it means microtorch. What the script raises, ``SystemExit`` included, passes
    through. Afterwards ``sys.argv``, ``sys.path``, ``__main__`` and torch are as before, and
    modules that the script imported from its own folder are forgotten, since they hold microtorch
    under the name torch. Raises OSError if the file cannot be read, SyntaxError if it is not
    Python.
    """
    path = os.path.abspath(script)
    with io.open_code(path) as file:
        # dont_inherit: the script does not share this file's `from __future__ import annotations`
        code = compile(file.read(), path, "exec", dont_inherit=True)
    main = types.ModuleType("__main__")
    main.__file__ = path
    main.__dict__["__builtins__"] = builtins
    main.__spec__ = ModuleSpec(f"{__package__}.spawned", None)  # what a spawned process runs
    folder = os.path.dirname(path)
    before = (sys.argv, sys.path, sys.modules.get("__main__"), set(sys.modules))
    outer = os.environ.get(SCRIPT)
    os.environ[SCRIPT] = path
    sys.argv, sys.path = [os.fspath(script), *arguments], [folder, *sys.path]
    sys.modules["__main__"] = main
    try:
        with torch_is_microtorch():
            exec(code, main.__dict__)
    finally:
        if outer is None:
            del os.environ[SCRIPT]
        else:
            os.environ[SCRIPT] = outer
        sys.argv, sys.path = before[:2]
        if before[2] is not None:
            sys.modules["__main__"] = before[2]
        for name in set(sys.modules) - before[3]:
            if _lies_in(folder, name):
                del sys.modules[name]
    return main.__dict__


def _lies_in(folder: str, module: str) -> bool:
    """Did the script get this module from its own folder?"""
    top = module.partition(".")[0]
    return top != __package__ and any(
        os.path.exists(os.path.join(folder, file)) for file in (top + ".py", top)
    )


def command(arguments: list[str] | None = None) -> int:
    """``microtorch run``. Returns 1 if the script raised; the traceback is the script's own."""
    parser = argparse.ArgumentParser(
        prog="microtorch run",
        description="Run a script written for PyTorch, unchanged, on microtorch.",
    )
    parser.add_argument("script", help="the Python file")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="its command line")
    options = parser.parse_args(arguments)
    if not os.path.isfile(options.script):
        parser.error(f"no file {options.script}")
    return status(options.script, options.arguments)


def status(script: str | os.PathLike[str], arguments: Sequence[str]) -> int:
    """Run a script, show what it raised as python does, and return 1 then, else 0."""
    try:
        run_script(script, arguments)
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next  # begin at the script's first line, as python would
        error = error.with_traceback(trace)
        sys.excepthook(type(error), error, trace)  # init_process_group's ends the other ranks
        return 1
    return 0
