"""The exceptions, and how their messages are put together.

    Exception
    ├── RuntimeError        what PyTorch raises for shapes, devices, graphs
    │   ├── ShapeError      operands whose shapes do not fit
    │   ├── DeviceError     tensors on different devices, a device that is not there
    │   │   └── NoCuda      the device is a GPU of CUDA or XPU; also an AssertionError
    │   ├── GraphError      backward where it cannot run: no graph, freed graph, no gradient
    │   ├── InplaceError    a leaf or a saved value overwritten
    │   ├── OutOfMemoryError    a device without room for an array
    │   └── NotImplementedError
    │       └── MissingKernel   an op that a device's backend cannot run
    ├── TypeError
    │   ├── DTypeError      a dtype or an argument type that an op does not take
    │   └── NoTensor        something else in the place of a tensor
    └── IndexError
        └── DimError        a dimension that is out of range

Each class derives from the one PyTorch raises in the same place, so a script's ``except
RuntimeError`` works unchanged, and bears its name (``seen_as``): that is what a traceback shows,
and what it is pickled as. Each message says what was asked, with which shapes and dtypes, on
which line, and what would most likely mend it.
"""
from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, TypeVar

from ..graph import Site, here, told_frame
from .absent import absent

E = TypeVar("E", bound=type[Exception])
_theirs: dict[type, type[Exception]] = {}


def class_seen(error: Exception) -> type[Exception]:
    """The class that stands for an exception's where it is sent to another process."""
    return _theirs.get(type(error), type(error))


def seen_as(theirs: type[Exception]) -> Callable[[E], E]:
    """Class decorator: tracebacks and pickles name the class of PyTorch's that it stands for."""

    def rename(ours: E) -> E:
        ours.__name__, ours.__qualname__ = theirs.__name__, theirs.__qualname__
        ours.__module__ = theirs.__module__
        _theirs[ours] = theirs
        if "__reduce__" not in vars(ours):
            setattr(ours, "__reduce__", lambda self: (theirs, self.args))  # noqa: B010
        return ours

    return rename


@seen_as(RuntimeError)
class ShapeError(RuntimeError):
    """Operands whose shapes do not fit together."""


@seen_as(RuntimeError)
class DeviceError(RuntimeError):
    """Tensors on different devices, or a device that does not exist here."""


@seen_as(AssertionError)
class NoCuda(DeviceError, AssertionError):
    """A device of CUDA or XPU: AssertionError in a PyTorch without it, RuntimeError in others."""


@seen_as(RuntimeError)
class GraphError(RuntimeError):
    """Backward was asked for where it cannot run."""


@seen_as(RuntimeError)
class InplaceError(RuntimeError):
    """An in-place write that would make a gradient wrong."""


class OutOfMemoryError(RuntimeError):
    """The device has no memory left for an array."""


@seen_as(RuntimeError)
class NoMemory(RuntimeError, MemoryError):
    """No memory of the host for an array: PyTorch's class and Python's."""


@seen_as(NotImplementedError)
class MissingKernel(NotImplementedError):
    """An op that the device's backend cannot run, or a numpy function in it."""


@seen_as(TypeError)
class DTypeError(TypeError):
    """A dtype or argument type that the op does not take."""


@seen_as(TypeError)
class NoTensor(TypeError, AttributeError):
    """Something else in the place of a tensor.

    PyTorch raises the one where a function is written in C++, and the other where in Python.
    """


@seen_as(IndexError)
class DimError(IndexError):
    """A dimension out of range."""


@seen_as(IndexError)
class OutOfRange(IndexError, RuntimeError):
    """An index of no element.

    PyTorch raises the one where it reads elements (of a vector), and the other where it reads rows.
    """


# what a kernel raises where it cannot take its operands; an AxisError is one of the first and third
FAILED = (ValueError, TypeError, IndexError, MemoryError)


def no_memory(e: Exception) -> Exception:
    """What to raise for numpy's error where it found no room for an array; other errors as is."""
    if isinstance(e, MemoryError):
        return NoMemory(message(f"DefaultCPUAllocator: can't allocate memory: {e}"))
    if "maximum supported dimension" in str(e):
        return RuntimeError(message("more dimensions than numpy's arrays have", str(e)))
    if "array is too big" in str(e) or "Maximum allowed dimension" in str(e):
        return NoMemory(message(f"Storage size calculation overflowed: {e}"))
    return e


def message(what: str, *details: str, fix: str = "", at: Site | None = None) -> str:
    """Assemble a message: what happened, one line per detail, the user's line, the likely fix."""
    at = at or here()
    lines = [
        what,
        *(f"  {d}" for d in details if d),
        f"  at {at.file}, line {at.line}, in {at.function}",
    ]
    if fix:
        lines.append(f"  fix: {fix}")
    return "\n".join(lines)


def warn(what: str, category: type[Warning] = UserWarning) -> None:
    """``warnings.warn``, which names the user's line, however deep below it this is called."""
    frame = told_frame(sys._getframe(1))
    names = frame.f_globals
    module = names.get("__name__", "<string>")  # with None, Python would drop it without a word
    warnings.warn_explicit(
        what, category, frame.f_code.co_filename, frame.f_lineno, module,
        names.setdefault("__warningregistry__", {}),
    )  # fmt: skip


def describe(x: object) -> str:
    """``float32 (3, 4)`` for an array or tensor; the type's name for anything else."""
    array = getattr(x, "array", x)
    if hasattr(array, "shape") and hasattr(array, "dtype"):
        return f"{array.dtype.name} {tuple(array.shape)}"
    return type(x).__name__


def nearest(name: str, known: Iterable[str]) -> str:
    """`` Did you mean 'x'?`` for the nearest known name, or an empty string."""
    best = nearest_name(name, known)
    return f" Did you mean '{best}'?" if best else ""


def nearest_name(name: str, known: Iterable[str]) -> str:
    """The nearest known name, or an empty string."""
    folded: dict[str, list[str]] = {}  # nn.Relu is nearest to nn.ReLU
    for k in known:
        if name.startswith("_") or not k.startswith("_"):  # nobody means a private name
            folded.setdefault(k.lower(), []).append(k)
    import difflib  # which takes longer than most modules here, and is needed by errors only

    match = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    if not match:
        return ""
    return max(folded[match[0]], key=lambda k: sum(map(str.__eq__, k, name)))


def not_iterable(parameters: object, call: str) -> TypeError:
    """For something else than parameters, such as the module that has them; ``call``: who asked."""
    uncalled = "model.parameters() has brackets" if callable(parameters) else ""
    whole = f"{call}(model.parameters(), ...)" if hasattr(parameters, "parameters") else uncalled
    return TypeError(message(f"'{type(parameters).__name__}' object is not iterable", fix=whole))


@seen_as(AttributeError)
class UnknownName(AttributeError):
    """A name that is not there.

    The nearest one is looked for when the message is read: ``hasattr`` asks in silence.
    """

    def __init__(self, owner: str, name: str, known: Iterable[str] | Callable[[], Iterable[str]]):
        super().__init__(f"{owner} has no attribute '{name}'")
        self.name, self._known = name, known

    def __str__(self) -> str:
        known = self._known() if callable(self._known) else self._known
        near = nearest(self.name or "", known)
        return f"{self.args[0]}.{near}" if near else self.args[0]

    def __reduce__(self) -> tuple[type[AttributeError], tuple[str]]:
        return AttributeError, (str(self),)  # the owner's names need not be picklable


@seen_as(AttributeError)
class NoAttribute(AttributeError):
    """An object has no such attribute: ``NoAttribute(object, name, fix)``.

    ``hasattr`` and ``getattr(x, name, default)`` throw it away unread, so nothing is looked up and
    no text is made before somebody reads it, the fix by a function of both.
    """

    def __str__(self) -> str:
        x, name, fix = self.args
        owner, known = f"'{type(x).__name__}' object", dir(x)
        text, instead = str(UnknownName(owner, name, known)), fix(x, name)
        return f"{text}\n  fix: {instead}" if instead else text

    def __repr__(self) -> str:
        return f"AttributeError({str(self)!r})"

    __reduce__ = UnknownName.__reduce__


def unknown(
    owner: str, name: str, known: Iterable[str] | Callable[[], Iterable[str]]
) -> AttributeError:
    """The AttributeError for a name that ``owner`` does not have, with the nearest one it has."""
    return UnknownName(owner, name, known)


# paths below microtorch that another module answers; facade/paths.py fills it
second_names: set[str] = set()


def elsewhere(module: str, name: str) -> ModuleType | None:
    """The module that PyTorch has at ``module.name``, where ours stands in another place."""
    path = f"{module}.{name}".partition(".")[2]
    return importlib.import_module(f"microtorch.{path}") if path in second_names else None


def missing(module: str, known: Iterable[str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module: an unknown name raises and offers the nearest known one.

    ``dir(module)``, and so completion, has the known ones also where they are not imported yet.
    """
    names = [name for name in known if not name.startswith("_")]
    if (place := sys.modules.get(module)) is not None:
        vars(place).setdefault("__dir__", lambda: sorted({*vars(place), *names}))

    def __getattr__(name: str) -> Any:
        found = elsewhere(module, name)
        if found is not None:
            return found
        if said := absent(f"{module}.{name}".partition(".")[2]):
            raise AttributeError(said)
        raise unknown(f"module '{module.replace('microtorch', 'torch', 1)}'", name, names)

    return __getattr__


def dim_error(dim: int, ndim: int, op: str) -> DimError:
    low, high = -max(ndim, 1), max(ndim, 1) - 1
    return DimError(
        message(
            f"Dimension out of range (expected to be in range of [{low}, {high}], but got {dim})",
            f"{op}() on a tensor with {ndim} dimension{'s' * (ndim != 1)}",
        )
    )


def broadcast_error(op: str, inputs: list[Any]) -> ShapeError:
    """Shapes that do not broadcast, and the dimension that disagrees, in PyTorch's sentence."""
    shapes = [tuple(x.shape) for x in inputs]
    for a in shapes:
        for b in shapes:
            n = max(len(a), len(b))
            padded_a, padded_b = (1,) * (n - len(a)) + a, (1,) * (n - len(b)) + b
            for dim in reversed(range(n)):
                p, q = padded_a[dim], padded_b[dim]
                if p != q and 1 not in (p, q):
                    return ShapeError(
                        message(
                            f"The size of tensor a ({p}) must match the size of tensor b ({q}) "
                            f"at non-singleton dimension {dim}",
                            f"{op}: " + " with ".join(describe(x) for x in inputs),
                            fix=_broadcast_fix(a, b),
                        )
                    )
    return ShapeError(message(f"{op}: the operands do not fit", *map(describe, inputs)))


def _broadcast_fix(a: tuple[int, ...], b: tuple[int, ...]) -> str:
    if a == b[::-1]:
        return "one operand looks transposed: try b.T"
    if len(a) != len(b):
        short, long, who = (a, b, "a") if len(a) < len(b) else (b, a, "b")
        if len(short) == 1 and short[0] in long[:-1]:
            made = f"{who}.unsqueeze(-1) makes it {(*short, 1)}"
            return f"{made}, which broadcasts along the last dimension"
    return (
        "shapes are compared from the right; each pair must be equal or contain a 1 "
        "(see reshape, unsqueeze)"
    )


def matmul_error(a: Any, b: Any) -> ShapeError:
    """Inner dimensions that disagree, with the axis that is at fault named."""
    x, y = tuple(a.shape), tuple(b.shape)
    if not x or not y:
        return ShapeError(
            message(
                f"both arguments to matmul need to be at least 1D, but they are {len(x)}D and "
                f"{len(y)}D",
                f"matmul: {describe(a)} @ {describe(b)}",
                fix="use * to multiply by a scalar",
            )
        )
    inner_x, inner_y = x[-1], y[-2] if len(y) > 1 else y[-1]
    if inner_x == inner_y:
        return broadcast_error("matmul (batch dimensions)", [a, b])
    what = "mat1 and mat2 shapes cannot be multiplied"
    if len(x) == len(y) == 2:
        what += f" ({x[0]}x{x[1]} and {y[0]}x{y[1]})"
    fix = "the last size of the left operand must equal the second-last of the right one"
    if len(y) > 1 and inner_x == y[-1]:
        fix = f"transpose the right operand: a @ b.T (shape {(*y[:-2], y[-1], y[-2])})"
    elif len(x) > 1 and x[-2] == inner_y:
        fix = f"transpose the left operand: a.T @ b (shape {(*x[:-2], x[-1], x[-2])})"
    return ShapeError(
        message(what, f"matmul: {describe(a)} @ {describe(b)}: {inner_x} ≠ {inner_y}", fix=fix)
    )
