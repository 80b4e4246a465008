"""The schema of a custom op: what it takes, writes to and returns, as PyTorch writes it.

    (Tensor x, Tensor(a1!) out, float k=2.0, *, bool twice=False) -> (Tensor, Tensor)

``infer_schema`` writes one from a function's annotations; ``Schema`` reads one, and brings the
arguments of a call into its order.
"""
from __future__ import annotations

import ast
import collections.abc
import functools
import inspect
import operator
import re
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from ..arrays import dtypes
from ..arrays.device import device
from ..arrays.dtypes import dtype
from ..base.errors import message
from ..handles.tensor import Tensor

if TYPE_CHECKING:
    from ..base.types import Argument, Setting, Tree

Number = int | float | bool
BASES: dict[Any, str] = {
    Tensor: "Tensor", int: "SymInt", float: "float", bool: "bool", str: "str", Number: "Scalar",
    dtype: "ScalarType", device: "Device",
}  # fmt: skip
IN_LISTS = ("Tensor", "Tensor?", "SymInt", "float", "bool", "Scalar")
RETURNS: dict[Any, str] = {t: BASES[t] for t in (Tensor, int, float, bool, Number)}
RETURNS |= {list[Tensor]: "Tensor[]", typing.List[Tensor]: "Tensor[]"}  # noqa: UP006
# what a value of each type may be, and of numbers, what becomes of it
PLAIN: dict[str, Any] = {
    "Tensor": Tensor, "str": str, "ScalarType": dtype, "Device": (device, str),
    "Scalar": (int, float, complex),
}  # fmt: skip
NUMBERS: dict[str, tuple[type, Any]] = {
    "SymInt": (int, int), "int": (int, int), "float": (float, float | int), "bool": (bool, int),
}  # fmt: skip
# one argument of a schema: type, mark of a write, ? or [], name, default
ARGUMENT = re.compile(
    r"""(\w+)(\(\w+!?\))?(\S*)\s+(\w+)\s*(?:=\s*("[^"]*"|'[^']*'|\[[^]]*\]|[^,]*))?(?:,\s*|$)"""
)


def _parameter_type(annotation: object) -> str | None:
    """The schema's type for a parameter's annotation; None if there is none."""
    if annotation in BASES:
        return BASES[annotation]
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if type(None) in parts and len(parts) > 1:
        rest = [part for part in parts if part is not type(None)]
        inner = _parameter_type(functools.reduce(operator.or_, rest))
        return None if inner is None or inner.endswith("?") else f"{inner}?"
    if origin in (list, collections.abc.Sequence):
        inner = _parameter_type(parts[0])
        return f"{inner}[]" if inner in IN_LISTS else None
    return None


def infer_schema(
    prototype_function: Callable[..., Any], /, *, mutates_args: str | Iterable[str],
    op_name: str | None = None,
) -> str:  # fmt: skip
    """The schema of a function by its annotations; ``op_name`` stands in front of it.

    ``mutates_args``: the names of the arguments that it writes to, or "unknown": all tensors.
    Raises ValueError where an annotation is missing or is none that an op may have.
    """
    signature = inspect.signature(prototype_function)

    def wrong(what: str) -> NoReturn:
        raise ValueError(
            message(f"infer_schema(func): {what} Got func with signature {signature})")
        )

    def meant(annotation: object) -> object:
        if not isinstance(annotation, str):
            return annotation
        try:  # of a file with `from __future__ import annotations`
            return eval(annotation, prototype_function.__globals__)
        except Exception as e:
            wrong(
                f"Unsupported type annotation {annotation}. It is not a type. "
                f"({type(e).__name__}: {e})"
            )

    if isinstance(mutates_args, str) and mutates_args != "unknown":
        raise ValueError(
            message(
                "mutates_args must either be a sequence of the names of the arguments that are "
                "mutated or the string 'unknown'. "
            )
        )
    written = mutates_args if isinstance(mutates_args, str) else frozenset(mutates_args)
    if absent := written - signature.parameters.keys() if isinstance(written, frozenset) else ():
        wrong(f"{set(absent)} in mutates_args were not found in the custom op's signature.")
    out: list[str] = []
    for i, (name, p) in enumerate(signature.parameters.items()):
        if p.kind not in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
            wrong("We do not support positional-only args, varargs, or varkwargs.")
        if p.kind is p.KEYWORD_ONLY and "*" not in out:
            out.append("*")
        if p.annotation is p.empty:
            wrong(f"Parameter {name} must have a type annotation.")
        kind = _parameter_type(meant(p.annotation))
        if kind is None:
            wrong(
                f"Parameter {name} has unsupported type {p.annotation}. The valid types are: "
                f"{', '.join(t.__name__ for t in BASES if t is not Number)}, None besides, and "
                "lists of them."
            )
        if kind.startswith("Tensor") if written == "unknown" else name in written:
            if not kind.startswith("Tensor"):
                wrong(
                    f"Parameter {name} is in mutable_args but only Tensors or collections of "
                    "Tensors can be mutated"
                )
            kind = f"Tensor(a{i}!){kind.removeprefix('Tensor')}"
        out.append(f"{kind} {name}" + ("" if p.default is p.empty else f"={_text(p.default)}"))
    returned = _return_type(meant(signature.return_annotation), wrong)
    return f"{op_name or ''}({', '.join(out)}) -> {returned}"


def _text(default: Setting) -> str:
    if isinstance(default, (str, device)):
        return f'"{default}"'
    return str(list(default) if isinstance(default, tuple) else default).removeprefix("torch.")


def _return_type(annotation: object, wrong: Callable[[str], NoReturn]) -> str:
    if annotation is None:
        return "()"
    if annotation is inspect.Parameter.empty:
        wrong("No return type annotation was provided. Please add one.")
    several = typing.get_origin(annotation) is tuple
    parts = typing.get_args(annotation) if several else (annotation,)
    if any(part not in RETURNS for part in parts):
        wrong(
            f"Return has unsupported type {annotation}. The valid types are: Tensor, list[Tensor], "
            "int, float, bool, and tuples of them."
        )
    names = [RETURNS[part] for part in parts]
    return f"({', '.join(names)})" if len(names) > 1 else f"(({names[0]}))" if several else names[0]


class Parameter(NamedTuple):
    """One argument of a schema."""

    name: str
    type: str  # without the mark of a write
    written: bool
    named: bool  # by keyword only
    default: Setting = inspect.Parameter.empty


class Schema:
    """A schema that has been read. ``str()`` gives PyTorch's text of it.

    Raises RuntimeError for a text that is none, or has a type that no op takes here.
    """

    def __init__(self, qualname: str, text: str) -> None:
        self.name, self.text = qualname, text.strip()
        found = re.fullmatch(r"\((.*)\)\s*->\s*(.+)", self.text, re.DOTALL)
        if found is None:
            raise RuntimeError(
                message(
                    f"{qualname}: no schema: {text!r}",
                    fix='write it as in "(Tensor x, float k=2.0) -> Tensor"',
                )
            )
        self.parameters = list(self._read(found[1].strip()))
        self.positional = [p for p in self.parameters if not p.named]
        outputs = found[2][1:-1] if found[2].startswith("(") else found[2]
        alone = outputs.startswith("(")  # ((Tensor)) is a tuple of one, (Tensor) is none
        outputs = re.sub(r"\(\w+!?\)", "", outputs[1:-1] if alone else outputs)
        self.returns = [part.split()[0] for part in outputs.split(",") if part.strip()]
        self.several = alone or len(self.returns) > 1

    def __str__(self) -> str:
        return self.name + self.text

    def _read(self, text: str) -> Iterator[Parameter]:
        named = False
        while text:
            if star := re.match(r"\*,?\s*", text):
                named, text = True, text[star.end() :]
                continue
            found = ARGUMENT.match(text)
            if found is None or found[1] not in PLAIN | NUMBERS:
                raise RuntimeError(
                    message(
                        f"{self.name}: an argument that cannot be read: {text!r}",
                        fix=f"the types are {', '.join(PLAIN | NUMBERS)}, with ? or [] behind them",
                    )
                )
            kind, mark, behind, name, default = found.groups()
            kind += behind
            given = inspect.Parameter.empty if default is None else _default(kind, default.strip())
            yield Parameter(name, kind, "!" in (mark or ""), named, given)
            text = text[found.end() :]

    def bind(
        self, args: tuple[Argument, ...], kwargs: dict[str, Argument]
    ) -> tuple[tuple[Argument, ...], dict[str, Argument]]:
        """Those by position, defaults filled in, and those by keyword only, in their types.

        Raises RuntimeError, as PyTorch does, for what does not fit.
        """
        if len(args) > len(self.positional):
            self._wrong(
                f"expected at most {len(self.positional)} argument(s) but received {len(args)} "
                "argument(s)."
            )
        given = dict(zip([p.name for p in self.positional], args, strict=False))
        for name, value in kwargs.items():
            if name in given or all(p.name != name for p in self.parameters):
                self._wrong(f"Unknown keyword argument '{name}', or one that is given twice.")
            given[name] = value
        for p in self.parameters:
            value = given.get(p.name, p.default)
            if value is inspect.Parameter.empty:
                self._wrong(f"is missing value for argument '{p.name}'.")
            try:
                given[p.name] = _as(p.type, value)
            except TypeError:
                self._wrong(
                    f"Expected a value of type '{p.type.replace('SymInt', 'int')}' for argument "
                    f"'{p.name}' but instead found type '{type(value).__name__}'."
                )
        return (
            tuple([given[p.name] for p in self.positional]),
            {p.name: given[p.name] for p in self.parameters if p.named},
        )

    def passed(self, inputs: tuple[Argument, ...]) -> int:
        """How many of the arguments are left without those at the end that have their defaults."""
        n = len(inputs)
        while n and not isinstance(inputs[n - 1], Tensor) and (
            inputs[n - 1] == self.positional[n - 1].default
        ):
            n -= 1
        return n

    def returned(self, result: Tree) -> Tree:
        """What a kernel returned in the form of the schema: tuples, lists, numbers of a type.

        None may stand for a tensor. Raises RuntimeError for what does not fit.
        """
        if not self.returns:
            fits, outputs = result is None, []
        elif self.several:
            fits = isinstance(result, (tuple, list)) and len(result) == len(self.returns)
            outputs = list(result) if fits else []
        else:
            fits, outputs = True, [result]
        try:
            if fits:
                pairs = zip(self.returns, outputs, strict=True)
                outputs = [_as("Tensor?" if kind == "Tensor" else kind, y) for kind, y in pairs]
        except TypeError:
            fits = False
        if not fits:
            raise RuntimeError(
                message(
                    f"Unable to cast {result!r} to {self.text.partition('->')[2].strip()}",
                    f"returned by the kernel of {self}",
                )
            )
        return tuple(outputs) if self.several else outputs[0] if outputs else None

    def _wrong(self, what: str) -> NoReturn:
        raise RuntimeError(message(f"{self.name}() {what}", f"Declaration: {self}"))


def _default(kind: str, text: str) -> Setting:
    if isinstance(found := getattr(dtypes, text, None), dtype):
        return found
    if text in ("inf", "-inf", "nan"):
        return float(text)
    value = ast.literal_eval({"true": "True", "false": "False"}.get(text, text))
    return device(value) if kind == "Device" else value


def _as(kind: str, value: Argument) -> Argument:
    """A value as a kernel gets it: numbers in the type of the schema, several as a list.

    A tensor without gradient stands for the number in it. TypeError for what does not fit.
    """
    if kind.endswith("?"):
        return None if value is None else _as(kind[:-1], value)
    if kind.endswith("]"):
        inner, _, count = kind[:-1].rpartition("[")
        if isinstance(value, (list, tuple, range)):
            return [_as(inner, v) for v in value]
        if count:  # int[2] takes one number for both
            return [_as(inner, value)] * int(count)
        raise TypeError
    one = isinstance(value, Tensor) and kind in NUMBERS and not value.requires_grad
    if isinstance(value, np.generic) or (one and value.numel() == 1):
        value = value.item()
    make, taken = NUMBERS.get(kind) or (None, PLAIN[kind])
    if not isinstance(value, taken):
        raise TypeError
    return value if make is None else make(value)
