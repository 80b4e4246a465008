"""How a call is read: PyTorch's other names of parameters, ``out=``, and arguments of wrong types.

``reading`` is put around a function where it is exported. A call by position, and one with the
function's own names, goes straight through; all else happens when a name is not one of them, or
when the call has failed (mistakes.py). Then the arguments are held against the function's
annotations, and what does not fit one is a TypeError, as in PyTorch, which looks at types before it
computes.
"""
from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from ..base.errors import message
from . import autocast
from .argument_types import NUMBERS, READ, TENSORS, check_type, is_one, kinds, parameters_of
from .handle import Handle
from .out import into

if TYPE_CHECKING:
    from ..base.types import Argument

F = TypeVar("F", bound=Callable[..., Any])

# PyTorch's other names of a parameter: numpy's, and those of its overloads
OTHER_NAMES = {
    "axis": "dim", "keepdims": "keepdim", "x2": "other", "self": "input",
    "sections": "indices_or_sections", "indices": "indices_or_sections",
    "tensor_indices_or_sections": "indices_or_sections", "split_size": "split_size_or_sections",
    "split_sizes": "split_size_or_sections", "element": "elements",
    "test_element": "test_elements", "input2": "tau", "input3": "other", "train": "training",
    "tensor1": "tensor", "tensor2": "other", "scalar1": "tensor", "scalar2": "other",
    "tensor": "input", "from": "from_",
}  # fmt: skip
# flags that functions which PyTorch writes in Python hand on to its C++, which looks at types
FLAGS = frozenset({
    "training", "is_causal", "log_target", "log_input", "ceil_mode", "normalized", "onesided",
    "return_complex", "scale_grad_by_freq", "sparse", "swap", "eps", "momentum",
})  # fmt: skip
FIRST = frozenset({"input", "self", "x", "a", "x1"})  # of the first parameter
# types, besides numbers, for which Python takes nearly anything: {} is an empty list of sizes
LOOKED_AT = frozenset({"bool", "DTypeLike", "dtype", "DeviceLike", "Shape", "Sequence[int]"})
UNREAD = (("", None),)  # stands for a call that is to be read
OTHERS = {*OTHER_NAMES, *FIRST, "out"}  # what is read, before a function takes it
# a function as the package calls it -> as users do, where that is made already
EXPORTED: dict[Callable[..., Any], Callable[..., Any]] = {}


def placed(
    name: str, parameters: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any],
    open_ended: bool = False,
) -> tuple[tuple[Any, ...], dict[str, Any]]:  # fmt: skip
    """A call with every keyword under the function's own name.

    TypeError where there is none, unless the function takes any (``open_ended``).
    """
    ours: dict[str, Any] = {}
    for given, value in kwargs.items():
        own = given
        if own not in parameters:
            own = OTHER_NAMES.get(given, given)
        if own not in parameters and given in FIRST and not args and parameters:
            own = parameters[0]
        if own not in parameters and not open_ended:
            what = f"{name}() got an unexpected keyword argument '{given}'"
            raise TypeError(message(what, f"its arguments are {', '.join(parameters)}"))
        if own in ours or own in parameters[: len(args)]:
            raise TypeError(message(f"{name}() got multiple values for argument '{own}'"))
        ours[own] = value
    return tuple(args), ours


def operands_given(
    name: str, parameters: Sequence[str], n: int, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The ``n`` operands of an op, and its static arguments by name: a call as it was given."""
    args, kwargs = placed(name, parameters, args, kwargs)
    given = dict(zip(parameters, args, strict=False)) | kwargs
    if len(args) > (most := len(parameters)):
        what = f"{most} positional argument{'s' * (most > 1)} but more were given"
        raise TypeError(message(f"{name}() takes {what}"))
    if any(p not in given for p in parameters[:n]):
        raise TypeError(
            message(
                f"{name}() received an invalid combination of arguments - got "
                f"({', '.join(type(x).__name__ for x in (*args, *kwargs.values()))})",
                f"its operands are {', '.join(parameters[:n])}",
            )
        )
    return tuple([given.pop(p) for p in parameters[:n]]), given


def _reader(
    f: Callable[..., Any], out: bool, strict: bool
) -> tuple[
    int, set[type | tuple[type, ...]], dict[str, set[type]],
    Callable[..., tuple[Any, dict[str, Any], Any]],
]:  # fmt: skip
    """So many arguments by position need no look, and neither do those after them whose types were
    seen to fit, nor the types that were seen to fit a name; what reads a call that has others.
    """
    code = f.__code__
    n = code.co_argcount + code.co_kwonlyargcount
    names = code.co_varnames[:n]
    out = out and "out" not in names
    open_ended = bool(code.co_flags & inspect.CO_VARKEYWORDS)
    first, fits, known, look = looker(f, strict)

    def read(args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any], Any]:
        """The call with the function's own names, and ``out``."""
        if len(args) > first:
            args = look(args)
        parameters, as_is = parameters_of(f), True
        for name, value in kwargs.items():
            own = name if name in parameters else OTHER_NAMES.get(name, name)
            as_is = as_is and (name in parameters or (open_ended and name not in OTHERS))
            if isinstance(value, (np.generic, Handle)) and own in names:
                kwargs[name] = value = _number_in(f, own, value)
            if type(value) not in known.get(own, ()):
                fitting(f, own, value, known, strict)
        if as_is:
            return args, kwargs, None
        target = kwargs.pop("out", None) if out else None
        return *placed(f.__name__, names, args, kwargs, open_ended), target

    return first, fits, known, read


def looker(
    f: Callable[..., Any], strict: bool = True
) -> tuple[
    int, set[type | tuple[type, ...]], dict[str, set[type]],
    Callable[[Sequence[Any]], Sequence[Any]],
]:  # fmt: skip
    """What looks at arguments by position, from the first on that Python takes anything for: all is
    true or false, a bool counts as an int (of a dimension it does not in `dim_of`) and as a
    dtype, and a Tensor that is taken for a number would lose its gradient.

    Returns the number of those before it, the types of the others that fit, those per name, and
    the function, which gives the arguments with Python's numbers for numpy's, which would promote
    what they are multiplied with: TypeError for one that does not fit.
    """
    names = f.__code__.co_varnames[: f.__code__.co_argcount]
    marked = [i for i, p in enumerate(names) if _is_marked(f, p, strict)]
    first = marked[0] if marked else sys.maxsize
    fits: set[type | tuple[type, ...]] = set()  # one alone also by itself
    known: dict[str, set[type]] = {}  # per parameter that was ever looked at

    def look(args: Sequence[Any]) -> Sequence[Any]:
        given = [
            (p, _number_in(f, p, x) if isinstance(x, (np.generic, Handle)) else x)
            for p, x in zip(names[first:], args[first:], strict=False)
        ]
        for name, value in given:
            if type(value) not in known.get(name, ()):
                fitting(f, name, value, known, strict)
        types = tuple(map(type, args[first:]))
        if all(t in known.get(p, ()) for t, (p, _) in zip(types, given, strict=False)):
            fits.update((types, types[0]) if len(types) == 1 else (types,))
        return (*args[:first], *[x for _, x in given], *args[len(names) :])

    return first, fits, known, look


def _number_in(f: Callable[..., Any], name: str, value: Argument) -> Argument:
    """Python's number for one of numpy's, and for a tensor that stands for an int."""
    annotation = f.__annotations__.get(name)
    if not isinstance(annotation, str) or TENSORS & (possible := {*kinds(annotation)}):
        return value
    one = isinstance(value, np.generic) or ("int" in possible and is_one(value, "iu"))
    return value.item() if one else value


def _is_marked(f: Callable[..., Any], name: str, strict: bool) -> bool:
    possible = {*kinds(str(f.__annotations__.get(name, "")))}
    if possible & NUMBERS and not possible & TENSORS:
        return True
    if not strict and name not in FLAGS:
        return False
    if possible & LOOKED_AT:
        return True
    return "int" in possible and not name.startswith("dim")


def reading(
    f: F, out: bool = True, strict: bool = True,
    before: Callable[..., Any] | None = None, after: Callable[..., Any] | None = None,
    rank: int = 0, of_regions: bool = False,
) -> F:  # fmt: skip
    """``f``, which takes PyTorch's names of its parameters, and ``out=`` unless it has its own.

    ``strict``: flags must be bools, and what is named of its parameter's type. (Functions that
    PyTorch writes in Python take anything, and fail later.)
    ``before(function, args, kwargs)`` may take the call over: what it returns, unless None, is the
    result; it is asked ``of_regions`` of autocast alone, or always. ``after(result, args, kwargs)``
    gives the result otherwise (entering.py has both): of a tensor that was not recorded only if it
    has ``rank`` dimensions or more.
    """
    if getattr(f, "reading", False):
        return f
    if f in EXPORTED:
        return cast(F, EXPORTED[f])
    first, fits, known, read = _reader(f, out, strict)

    @functools.wraps(f)
    def function(*args: Argument, **kwargs: Argument) -> Argument:
        target = None
        try:
            if before is not None and (autocast.regions or not of_regions):
                if (taken := before(function, args, kwargs)) is not None:
                    return taken
            seen = (n := len(args)) <= first or (
                type(args[-1]) if n == first + 1
                else (type(args[-2]), type(args[-1])) if n == first + 2
                else tuple(map(type, args[first:]))  # at twice the time
            ) in fits
            if seen and not kwargs:
                result = f(*args)
            else:
                for name, value in kwargs.items() if seen else UNREAD:
                    if type(value) not in known.get(name, ()):
                        args, kwargs, target = read(args, kwargs)
                        break
                result = f(*args, **kwargs) if target is None else into(target, f, args, kwargs)
            if after is None:
                return result
            if rank:
                made = result[0] if isinstance(result, tuple) and result else result
                if (m := getattr(made, "node", None)) and not m.op and made.array.ndim < rank:
                    return result  # nothing was recorded. (A sparse tensor has no node)
            return after(result, args, kwargs)
        except Exception as e:
            from .mistakes import mistaken, plain

            if (again := plain(f, args, kwargs)) is not None:
                more = {} if target is None else {"out": target}
                return function(*again[0], **again[1], **more)
            if (other := mistaken(f, args, kwargs, e, strict)) is e:
                raise
            raise other from None

    vars(function)["reading"] = True  # for scripts/stubs.py
    return cast(F, function)


def fitting(
    f: Callable[..., Any], name: str, value: object, known: dict[str, set[type]],
    strict: bool = True,
) -> None:  # fmt: skip
    """TypeError if ``f`` has a parameter of this name that the value does not fit.

    Unless ``strict``, only flags and Tensors in the place of numbers are looked at. The types that
    always fit are noted in ``known``.
    """
    parameter = parameters_of(f).get(name)
    if parameter is None or parameter.kind is parameter.VAR_KEYWORD:
        return
    annotation = parameter.annotation
    if isinstance(annotation, str) and value is not parameter.default and (
        strict or name in FLAGS or (isinstance(value, Handle) and READ & {*kinds(annotation)})
    ):
        check_type(f.__name__, name, annotation, value)
    if not isinstance(value, Handle) or "Tensor" in str(annotation):  # one may stand for a number
        known.setdefault(name, set()).add(type(value))
