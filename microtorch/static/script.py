"""``torch.jit``: a function or module that runs as a program (facade/jit.py has the other names).

``script`` records when it is called, for each shape; there is no compiler of Python here, so an
``if`` on data makes the function run as it is written, with a warning. ``trace`` records at once.
A saved program is plain data and weights; it holds no code of Python.
"""
from __future__ import annotations

import inspect
import io
import os
import pickle
import textwrap
from typing import IO, TYPE_CHECKING, NamedTuple, TypeVar

from ..autograd.grad_mode import is_grad_enabled
from ..base.errors import message
from ..engine.record import constant
from ..files.load import load as load_file
from ..files.save import save as save_file
from ..handles.tensor import Tensor
from ..nn.messages import indent
from ..nn.module import Module
from ..nn.parameter import Parameter
from .compiled import Compiled
from .module import OptimizedModule, complete
from .stored import restored, stored
from .templates import replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..base.types import Array, Kernel, Operand

    File = str | os.PathLike[str] | IO[bytes]
    Extra = dict[str, bytes | str] | None  # further files, by name


def _source(function: Operand) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):  # made by exec, or typed at a prompt
        return ""


class TracerWarning(Warning):
    """What PyTorch warns of where it traces wrongly; never given here, but programs filter it."""


T = TypeVar("T")
PROGRAM, UNCALLED = "microtorch program", "microtorch module without a program"


class Error(Exception):
    """What PyTorch raises for a ``raise`` or an ``assert`` inside of a scripted function.

    Here such a function raises what it says; the class is there for programs that catch it.
    """


class Attribute(NamedTuple):
    """A value and its type; ``script`` makes it the value where it is an attribute of a module."""

    value: Operand
    type: Operand


def _shown(m: Module, traced: bool) -> str:
    """A module as PyTorch prints a scripted one, or a traced one: its classes, and no arguments."""
    if isinstance(m, ScriptModule) and complete(m):
        traced, m = isinstance(m, TopLevelTracedModule), m._orig_mod  # a part may be either
    name = _class_name(m)
    parts = [f"({key}): {indent(_shown(child, traced))}" for key, child in m.named_children()]
    parts = [f"original_name={name}", *parts]
    label = name if traced else "RecursiveScriptModule"
    return f"{label}({parts[0]})" if len(parts) == 1 else "\n  ".join([f"{label}(", *parts]) + "\n)"


def _save(compiled: Compiled, what: Operand, f: File, extra: Extra) -> None:
    """Write the program; where nothing was called yet, `what` it is of: its class or its name."""
    if not compiled.entries:
        try:
            save_file({"format": UNCALLED, "of": what, "extra": _as_bytes(extra)}, f)
            return
        except (TypeError, pickle.PicklingError):  # it has no name to be found by again
            pass
    entry, outputs = compiled.last()
    names, buffers, classes = entry.names, list[str](), {"": "PlaceholderModule"}
    if isinstance(what, Module):  # those of its state
        buffers = [name for name, _ in what.named_buffers()]
        classes = {name: _class_name(m) for name, m in what.named_modules()}
        known = {id(t): name for name, t in (*what.named_parameters(), *what.named_buffers())}
        names = names | {x.number: known[id(x.tensor)] for x in entry.leaves
                         if id(x.tensor) in known}  # fmt: skip
    more = {"buffers": buffers, "classes": classes, "extra": _as_bytes(extra)}
    save_file(stored(entry, outputs, names) | more, f)


def _class_name(m: Module) -> str:
    name: str = getattr(m, "original_name", type(m).__name__)
    return name


def _as_bytes(extra: Extra) -> dict[str, bytes]:
    return {k: v.encode() if isinstance(v, str) else bytes(v) for k, v in (extra or {}).items()}


class _InMemory:
    """``save_to_buffer``, and ``inlined_graph``: calls of functions are in a program already."""

    graph: Operand

    @property
    def inlined_graph(self) -> Operand:
        """The program."""
        return self.graph

    def save_to_buffer(self, _extra_files: Extra = None) -> bytes:
        """What ``save`` writes."""
        f = io.BytesIO()
        save(self, f, _extra_files)
        return f.getvalue()


class ScriptModule(_InMemory, OptimizedModule):
    """A module that runs as a program: ``script`` and ``trace`` return one of the classes below.

    As a base class of the user's, with no module given, it is a Module like another.
    """

    def __init__(self, module: Module | None = None, fullgraph: bool = False, use_c: bool = True):
        if module is None:
            Module.__init__(self)
            return
        super().__init__(module, fullgraph, use_c)
        # the keys of its state are those of the module: all that it has is the module's
        del self._modules["_orig_mod"]
        vars(self)["_orig_mod"] = module
        for name in ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"):
            vars(self)[name] = vars(module)[name]

    def __repr__(self) -> str:
        """As PyTorch prints it; a class of the user's own as any module."""
        return _shown(self, False) if complete(self) else super().__repr__()

    @property
    def original_name(self) -> str:
        """What the module's class is called."""
        return type(self._orig_mod).__name__

    @property
    def code(self) -> str:
        """The source of ``forward``, and below it the program, if there is one yet."""
        made = _program_of(self)
        text = _source(type(self._orig_mod).forward)
        return f"{text}\n{made.code}" if made.entries else text

    def save(self, f: File, _extra_files: Extra = None) -> None:
        """Write the program of the last call's shapes to a file for ``jit.load``.

        Where there is none yet, the module is written as ``torch.save`` does, and the program that
        loads it must have its class. RuntimeError where it writes to memory (train mode).
        """
        _save(_program_of(self), vars(self)["_orig_mod"], f, _extra_files)


class RecursiveScriptModule(ScriptModule):
    """What ``script`` makes of a Module. A container is one still: ``len``, ``in``, ``m[0]``."""

    def __len__(self) -> int:
        return len(self._orig_mod)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Operand]:
        yield from vars(self)["_orig_mod"]

    def __getitem__(self, key: Operand) -> Operand:
        return vars(self)["_orig_mod"][key]

    def __contains__(self, key: Operand) -> bool:
        return key in vars(self)["_orig_mod"]


class TopLevelTracedModule(RecursiveScriptModule):
    """What ``trace`` makes of a Module."""


def _program_of(module: ScriptModule) -> Compiled:
    made: Compiled | None = vars(module).get("_compiled")
    if made is None:
        raise RuntimeError(
            message(
                f"{type(module).__name__} is a class of its own, and not a recorded module",
                fix="torch.jit.script(module) makes one",
            )
        )
    return made


class ScriptFunction(_InMemory, Compiled):
    """A function that runs as a program: what ``script`` and ``trace`` return of a function."""

    @property
    def name(self) -> str:
        """What the function is called."""
        return self.__name__

    @property
    def qualified_name(self) -> str:
        """Its name with PyTorch's prefix."""
        return f"__torch__.{self.__name__}"

    @property
    def code(self) -> str:
        """The function's source, and below it the program, if there is one yet."""
        text = _source(self.function)
        return f"{text}\n{super().code}" if self.entries else text

    def save(self, f: File, _extra_files: Extra = None) -> None:
        """Write the program of the last call's shapes to a file for ``jit.load``.

        Where there is none yet, the function's name is written.
        """
        _save(self, self.function, f, _extra_files)

    def compile(self, *example: Operand) -> ScriptFunction:
        """This function. With an example, its program is made now: three calls on the example."""
        for _ in range(3 if example else 0):
            self(*example)
        return self


class LoadedProgram(ScriptModule):
    """A program from a file. It runs for the shapes and dtypes that it was saved for, forward."""

    def __init__(self, data: dict[str, Operand]):
        super().__init__()
        vars(self)["_data"] = data
        self._program, function, kept = restored(data)
        for path, name in data.get("classes", {}).items():
            if path:
                vars(self._part(path.split(".")))["original_name"] = name
        vars(self)["_run"] = function
        self._inputs = [n for n, place, _ in data["leaves"] if place >= 0]
        for n, place, name in data["leaves"]:
            if place < 0:
                self._take(name.split("."), kept[n], name in data.get("buffers", ()))
        self._places = [place for _, place, _ in data["leaves"] if place >= 0]

    @property
    def original_name(self) -> str:
        """What the module's class was called that was saved."""
        name: str = vars(self)["_data"].get("classes", {}).get("", "PlaceholderModule")
        return name

    def __repr__(self) -> str:
        return _shown(self, False)

    def save(self, f: File, _extra_files: Extra = None) -> None:
        """Write the program, and the weights as they are now."""
        save_file({**vars(self)["_data"], "extra": _as_bytes(_extra_files)}, f)

    def _part(self, path: list[str]) -> Module:
        """The module at a path; those on the way are made."""
        home: Module = self
        for part in path:
            if part not in home._modules:
                home.add_module(part, Module())
            home = home._modules[part]
        return home

    def _take(self, path: list[str], array: Array, buffer: bool) -> None:
        """A weight under the name that it had."""
        home, name = self._part(path[:-1]), path[-1]
        while hasattr(home, name):
            name += "_"
        if buffer:
            home.register_buffer(name, constant(array))
        else:
            home.register_parameter(name, Parameter(constant(array), requires_grad=False))
        (home._buffers if buffer else home._parameters)[name].array = array

    def forward(self, *tensors: Tensor) -> Operand:
        """What the saved function returned; RuntimeError for other shapes, strides or dtypes."""
        values = self._program.values
        if len(tensors) != len({*self._places}):
            raise TypeError(
                message(f"{self._program.name} takes {len({*self._places})} tensors, "
                        f"but got {len(tensors)}")
            )  # fmt: skip
        if is_grad_enabled() and any(t.requires_grad for t in tensors):
            raise RuntimeError(
                message(
                    f"{self._program.name} comes from a file, which holds the forward pass alone, "
                    "but it is given a tensor that requires grad",
                    fix="call it under torch.no_grad(), or on x.detach(); for gradients load a "
                    "state_dict() into the module itself",
                )
            )
        given = [tensors[i].array for i in self._places]
        for n, array in zip(self._inputs, given, strict=True):
            value = values[n]
            if (value.shape, value.dtype, value.strides) != (
                array.shape, array.dtype, array.strides
            ):  # fmt: skip
                raise RuntimeError(
                    message(
                        f"{self._program.name} was saved for {value}, but got "
                        f"{array.dtype.name} {list(array.shape)}, strides {array.strides}",
                        fix="save it after a call on these shapes",
                    )
                )
        found = vars(self)["_run"](*given)
        return replaced(self._program.outputs, lambda ref: constant(found[ref.number]))

    @property
    def graph(self) -> Operand:
        """The program."""
        return self._program

    @property
    def code(self) -> str:
        """The program as a Python function."""
        text: str = vars(self)["_run"].text
        return text


def script(obj: Operand, *args: Operand, **kwargs: Operand) -> Operand:
    """A Module or a function that runs as a program. It is recorded when it is called.

    A class that is no Module, a list and a dict stay as they are: what is in them is followed
    anyhow. The further arguments of PyTorch's ``script`` are accepted without effect.
    """
    if isinstance(obj, ScriptFunction) or "_compiled" in getattr(obj, "__dict__", ()):
        return obj
    if isinstance(obj, Module):
        for m in obj.modules():
            vars(m).update({k: v.value for k, v in vars(m).items() if isinstance(v, Attribute)})
        return RecursiveScriptModule(obj)
    if isinstance(obj, list | dict):
        return obj
    if inspect.isclass(obj):
        if issubclass(obj, Module):
            raise RuntimeError(
                message(
                    f"Type '{obj}' cannot be compiled since it inherits from nn.Module, consider "
                    "passing an instance instead"
                )
            )
        return obj  # its methods are Python here: what they compute is recorded like all else
    if not callable(obj):
        raise TypeError(message(f"jit.script takes a Module or a function, but got {obj!r}"))
    return ScriptFunction(obj)


def trace(
    func: Kernel | Module, example_inputs: Operand = None, *args: Operand, **kwargs: Operand
) -> Operand:
    """A program made now, by calls on ``example_inputs`` (a tensor, or a tuple of arguments).

    The function is called three times, and the program runs once: what it writes to, such as the
    statistics of batch norm, is written each time. RuntimeError says why there can be no program.
    """
    named: dict[str, Operand] = kwargs.get("example_kwarg_inputs") or {}
    given = () if example_inputs is None else example_inputs
    example: Sequence[Operand] = (given,) if isinstance(given, Tensor) else tuple(given)
    known = "_compiled" in getattr(func, "__dict__", ())
    made = TopLevelTracedModule(func) if isinstance(func, Module) and not known else script(func)
    compiled: Compiled = vars(made)["_compiled"] if isinstance(made, ScriptModule) else made
    compiled.own_outputs = True
    written_down(compiled, made, *example, **named)
    return made


def written_down(compiled: Compiled, call: Kernel, *args: Operand, **kwargs: Operand) -> None:
    """Let a function have a program for these arguments; RuntimeError says why it has none."""
    compiled.fullgraph, before = True, compiled.count
    try:
        for _ in range(8):
            call(*args, **kwargs)
            if compiled.count > before:
                break
    finally:
        compiled.fullgraph = False


def save(m: Operand, f: File, _extra_files: Extra = None) -> None:
    """Write the program of a scripted module or function, and ``_extra_files``, to a file."""
    m.save(f, _extra_files=_extra_files)


def load(f: File, map_location: Operand = None, _extra_files: Extra = None) -> Operand:
    """A program from a file that ``save`` wrote. PyTorch's own archives are refused.

    ``_extra_files``: a dict whose keys name further files that it was saved with; their bytes are
    put there. ValueError where there is no file.
    """
    if isinstance(f, str | os.PathLike) and not os.path.isfile(f):
        what = "is a directory" if os.path.isdir(f) else "does not exist"
        raise ValueError(message(f"The provided filename {os.fspath(f)} {what}"))
    data = load_file(f, map_location, weights_only=False)
    if isinstance(data, dict) and _extra_files:
        found = data.get("extra", {})
        _extra_files.update({k: found[k] for k in _extra_files if k in found})
    if isinstance(data, dict) and data.get("format") == UNCALLED:
        return script(data["of"])
    if not isinstance(data, dict) or data.get("format") != PROGRAM:
        raise RuntimeError(
            message(
                "the file holds no program of microtorch",
                fix="jit.save writes one; torch.load reads tensors and state dicts",
            )
        )
    return of_data(LoadedProgram, data)


def of_data(kind: Callable[[dict[str, Operand]], T], data: dict[str, Operand]) -> T:
    """A program that a file describes; RuntimeError if the data describe none."""
    try:
        return kind(data)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as e:
        why = f"{type(e).__name__}: {e}"
        raise RuntimeError(message("the file is damaged: its program is none", why)) from None


def freeze(mod: Operand, *args: Operand, **kwargs: Operand) -> Operand:
    """The module itself, which must be in eval mode: a program reads its weights where they are."""
    if not isinstance(mod, ScriptModule):
        raise RuntimeError(
            message(
                "Freezing expects a ScriptModule as input. Please use torch.jit.script or "
                "torch.jit.trace to script your 'nn.Module'."
            )
        )
    if mod.training:
        raise RuntimeError(
            message(
                "Freezing is currently only implemented for modules in eval mode. Please call "
                ".eval() on your module before freezing."
            )
        )
    return mod


optimize_for_inference = freeze


def trace_module(
    mod: Module, inputs: dict[str, Operand], *args: Operand, **kwargs: Operand
) -> Operand:
    """``trace`` of each method that ``inputs`` names, with its example. ``save`` writes forward."""
    made = trace(mod, inputs["forward"]) if "forward" in inputs else TopLevelTracedModule(mod)
    for name, example in inputs.items():
        if name != "forward":
            vars(made)[name] = trace(getattr(mod, name), example)
    return made
