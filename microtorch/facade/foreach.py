"""``torch._foreach_add(tensors, 1)`` and its family: one op on every tensor of a list.

Optimizers that are written for PyTorch call them, since one call there is one kernel for all
tensors. Here it is one op after the other, of the functions that there are for a single tensor; so
derivatives, dtypes and errors are theirs. What follows the first list is a list of the same length
or one value for all. A name that ends in ``_`` writes into the tensors and gives the list back; the
others give a tuple.
"""
from __future__ import annotations

import functools
import numbers
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..base.errors import message, missing
from ..base.naming import named
from ..handles.tensor import Tensor

if TYPE_CHECKING:
    from ..base.types import Argument

UNARY = (
    "abs acos asin atan ceil cos cosh erf erfc exp expm1 floor frac lgamma log log10 log1p log2 "
    "neg reciprocal round rsqrt sigmoid sign sin sinh sqrt tan tanh trunc".split()
)
# the names of the operands after the list; several names for one, as PyTorch's overloads have them
OPERANDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(UNARY, ()),
    **dict.fromkeys(
        "add clamp_max clamp_min div maximum minimum mul sub".split(), ("other scalar scalars",)
    ),
    "addcdiv": ("tensor1", "tensor2", "value scalars"),
    "addcmul": ("tensor1", "tensor2", "value scalars"),
    "lerp": ("tensors1", "weight weights"),
    "pow": ("exponent",),
}
NEW_ONLY = {"clone": (), "max": (), "mm": ("mat2",), "norm": ("ord",), "powsum": ("ord",)}
IN_PLACE_ONLY = {"copy": ("src", "non_blocking"), "zero": ()}
LISTS = {"tensor1", "tensor2", "tensors1", "mat2", "src"}  # these are lists of tensors, always
# options by name, which all tensors share
OPTIONS = {
    "add": "alpha", "sub": "alpha", "clone": "memory_format", "norm": "dtype", "powsum": "dtype",
}  # fmt: skip
DEFAULTS = {"norm": (2,), "powsum": (2,), "addcdiv": (1,), "addcmul": (1,), "copy": (False,)}
NAMES = [
    *(f"_foreach_{name}" for name in (*OPERANDS, *NEW_ONLY)),
    *(f"_foreach_{name}_" for name in (*OPERANDS, *IN_PLACE_ONLY)),
]


def _limit(x: Tensor, other: Argument, tensors: str, number: str) -> Tensor:
    """``maximum`` and ``minimum``, which take no number for one tensor."""
    return getattr(x, tensors if isinstance(other, Tensor) else number)(other)


def _addcmul(x: Tensor, one: Tensor, two: Tensor, value: Argument, name: str = "addcmul") -> Tensor:
    return getattr(x, name)(one, two, value=value)


def _power_sum(x: Tensor, ord: Argument, dtype: Argument = None) -> Tensor:
    return (x.abs() ** ord).sum(dtype=dtype)


def _norm(x: Tensor, ord: Argument, dtype: Argument = None) -> Tensor:
    from ..linalg import vector_norm

    return vector_norm(x, ord, dtype=dtype)


ONE: dict[str, Callable[..., Tensor]] = {
    "maximum": functools.partial(_limit, tensors="maximum", number="clamp_min"),
    "minimum": functools.partial(_limit, tensors="minimum", number="clamp_max"),
    "addcmul": _addcmul,
    "addcdiv": functools.partial(_addcmul, name="addcdiv"),
    "addcmul_": functools.partial(_addcmul, name="addcmul_"),
    "addcdiv_": functools.partial(_addcmul, name="addcdiv_"),
    "maximum_": lambda x, other: x.copy_(ONE["maximum"](x, other)),
    "minimum_": lambda x, other: x.copy_(ONE["minimum"](x, other)),
    "norm": _norm,
    "powsum": _power_sum,
}


def _tensors(function: str, name: str, position: int, value: Argument) -> Sequence[Tensor]:
    """``value`` as a list of tensors. Raises TypeError for anything else."""
    if not isinstance(value, (list, tuple)):
        raise TypeError(
            message(
                f"{function}(): argument '{name}' (position {position + 1}) must be tuple of "
                f"Tensors, not {type(value).__name__}",
                fix="a list of tensors" + ": [x]" * isinstance(value, Tensor),
            )
        )
    for i, item in enumerate(value):
        if not isinstance(item, Tensor):
            raise TypeError(
                message(
                    f"expected Tensor as element {i} in argument {position}, but got "
                    f"{type(item).__name__}",
                    f"{function}() on a list of {len(value)}",
                )
            )
    return value


def _spread(function: str, names: str, position: int, value: Argument, n: int) -> Sequence[Any]:
    """One operand for each of ``n`` tensors: of a list its elements, else ``value`` for all."""
    name = names.split()[0]
    if name in LISTS or (isinstance(value, (list, tuple)) and not _all_numbers(value)):
        if name == "value":
            raise _invalid(function, name, value, "a number, or a list of numbers")
        _tensors(function, name, position, value)
        wrong = f"Tensor lists must have the same number of tensors, got {n} and {len(value)}"
    elif isinstance(value, (list, tuple)):
        wrong = "Tensor list must have same number of elements as scalar list."
    elif isinstance(value, Tensor) and name == "value":
        if value.ndim != 1:
            raise RuntimeError(
                message(
                    "Expected packed scalar Tensor to be of dimension 1. Got "
                    f"{value.ndim} instead.",
                    fix=f"{function}(..., value=x.item())" if value.ndim == 0 else "",
                )
            )
        value = value.tolist()
        wrong = f"Expected length of scalars to match input of length {n} but got {len(value)}"
        wrong += " instead."
    elif isinstance(value, Tensor):
        if value.ndim:
            kind = RuntimeError if function.rstrip("_")[9:] in ("add", "div", "mul") else TypeError
            raise kind(
                message(
                    f"scalar tensor expected to be 0 dim but it has {value.ndim} dimensions and "
                    f"{value.numel()} elements.",
                    fix=f"one tensor for each: {function}(tensors, [x] * len(tensors))",
                )
            )
        return [value] * n
    elif isinstance(value, numbers.Number):
        return [value] * n
    else:
        raise _invalid(
            function, name, value, "a number, a tensor, or a list of one of them for each tensor"
        )
    if len(value) != n:
        raise RuntimeError(message(wrong, f"{function}(): '{name}' for {n} tensors"))
    return value


def _all_numbers(value: Sequence[Any]) -> bool:
    return bool(value) and all(isinstance(item, numbers.Number) for item in value)


def _invalid(function: str, name: str, value: Argument, fix: str) -> TypeError:
    return TypeError(
        message(
            f"{function}() received an invalid combination of arguments - "
            f"'{name}' is of type {type(value).__name__}",
            fix=fix,
        )
    )


def _arguments(
    function: str, known: tuple[str, ...], default: tuple[Any, ...],
    given: tuple[Any, ...], by_name: dict[str, Any],
) -> list[Any]:  # fmt: skip
    """The operands in order, from those by position and those by name."""
    values = list(given)
    for names in known[len(values) :]:
        name = next((n for n in names.split() if n in by_name), None)
        if name is not None:
            values.append(by_name.pop(name))
        elif len(values) >= len(known) - len(default):
            values.append(default[len(values) - len(known)])
    if len(values) != len(known) or by_name:
        got = [f"{len(given) + 1} by position", *(f"{name}=" for name in by_name)]
        takes = ["a list of tensors", *(names.split()[0] for names in known)]
        raise TypeError(
            message(
                f"{function}() received an invalid combination of arguments - got "
                + ", ".join(got),
                f"it takes {', '.join(takes)}",
            )
        )
    return values


def _made(name: str) -> Callable[..., Any]:
    """The function for ``_foreach_add`` or ``_foreach_add_``."""
    own = name.removeprefix("_foreach_")
    plain = own.removesuffix("_")
    known = {**OPERANDS, **NEW_ONLY, **IN_PLACE_ONLY}[plain]
    one = ONE.get(own) or getattr(Tensor, own)
    option = OPTIONS.get(plain)

    def foreach(self: Argument, *operands: Argument, **options: Argument) -> Argument:
        shared = {option: options.pop(option)} if option in options else {}
        values = _arguments(name, known, DEFAULTS.get(plain, ()), operands, options)
        of_number = plain == "pow" and own == plain and isinstance(self, numbers.Number)
        if of_number:
            return tuple(self**x for x in _tensors(name, "exponent", 1, values[0]))
        tensors = _tensors(name, "self", 0, self)
        if not tensors:
            raise RuntimeError(message("Tensor list must have at least one tensor.", f"{name}()"))
        columns = [
            _spread(name, names, i, value, len(tensors))
            for i, (names, value) in enumerate(zip(known, values, strict=True), 1)
        ]
        if "alpha" in shared and not isinstance(columns[0][0], Tensor):
            raise TypeError(
                message(
                    f"{name}(): argument 'other' (position 2) must be tuple of Tensors, not "
                    f"{type(values[0]).__name__}",
                    fix="alpha multiplies tensors; multiply the number",
                )
            )
        results = tuple(one(*each, **shared) for each in zip(tensors, *columns, strict=True))
        return self if own != plain else results

    return named(foreach, name, f"``Tensor.{own}`` of every tensor of a list.")


_missing = missing("torch", ())


def __getattr__(name: str) -> Argument:
    if name not in NAMES:
        return _missing(name)
    return globals().setdefault(name, _made(name))
