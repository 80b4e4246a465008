"""What an argument may be: the types of annotations, as PyTorch tests and names them."""
from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.device import device
from ..arrays.dtypes import dtype
from ..arrays.layout import layout
from ..arrays.memory_format import memory_format
from ..base.errors import NoTensor, message
from .handle import Handle
from .operands import COERCE

if TYPE_CHECKING:
    from ..base.types import Argument


def _is_tensor(x: object) -> bool:
    return isinstance(x, Handle) or type(x) in COERCE


def is_one(x: Argument, kinds: str) -> bool:
    """A tensor of one element, whose dtype is of ``kinds``: PyTorch reads it as a number, unless it
    requires gradient, which a number does not carry.
    """
    if not isinstance(x, Handle) or x.array.ndim or x.array.dtype.kind not in kinds:
        return False
    return not x.node.needs


def is_int(x: object) -> bool:
    """What PyTorch takes for an int: no bool, but an integer tensor of one element."""
    if type(x) is int:
        return True
    if isinstance(x, (bool, Handle, np.ndarray)):
        return is_one(x, "iu")
    return hasattr(x, "__index__")


def _is_number(x: object) -> bool:
    return isinstance(x, (bool, int, float, complex, np.number)) or is_one(x, "biufcV")


def _is_float(x: object) -> bool:
    real = isinstance(x, (bool, int, float, np.floating, np.integer))
    return real or is_one(x, "biufV")


def _is_type(x: object) -> bool:
    return isinstance(x, dtype) or (isinstance(x, type) and x in (bool, int, float, complex))


def _is_generator(x: object) -> bool:
    from ..arrays.generator import Generator

    return isinstance(x, Generator)


def _all(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda x: isinstance(x, (tuple, list)) and all(test(v) for v in x)


def _one_or_all(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda x: test(x) or _all(test)(x)


# annotation -> (does a value fit it?, how PyTorch names the type)
TYPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "Tensor": (_is_tensor, "Tensor"),
    "TensorLike": (lambda x: _is_tensor(x) or _is_number(x), "Tensor"),
    "bool": (lambda x: isinstance(x, (bool, np.bool_)), "bool"),
    "int": (is_int, "int"),
    "float": (_is_float, "float"),
    "Number": (_is_number, "Number"),
    "AnyNumber": (_is_number, "Number"),
    "Norm": (lambda x: isinstance(x, str), "str"),
    "str": (lambda x: isinstance(x, str), "str"),
    "None": (lambda x: x is None, "None"),
    "Dims": (lambda x: x is None or _one_or_all(is_int)(x), "tuple of ints"),
    "Pair": (_one_or_all(is_int), "tuple of ints"),
    "Size": (_one_or_all(is_int), "tuple of ints"),
    "Shape": (_all(is_int), "tuple of ints"),
    "Sequence[int]": (_all(is_int), "tuple of ints"),
    "Sequence[float]": (_all(_is_float), "tuple of floats"),
    "Sequence[Tensor]": (_all(_is_tensor), "tuple of Tensors"),
    "DTypeLike": (_is_type, "torch.dtype"),
    "dtype": (_is_type, "torch.dtype"),
    "DeviceLike": (lambda x: isinstance(x, (device, str)) or is_int(x), "torch.device"),
    "layout": (lambda x: isinstance(x, layout), "torch.layout"),
    "memory_format": (lambda x: isinstance(x, memory_format), "torch.memory_format"),
    "Generator": (_is_generator, "torch.Generator"),
}  # fmt: skip


INTS = frozenset({"int", "Dims", "Pair", "Size", "Sequence[int]"})
NUMBERS = frozenset({"float", "Number", "AnyNumber"})
READ = INTS | NUMBERS  # what a tensor of one element may stand for, unless it requires gradient
TENSORS = frozenset({"Tensor", "TensorLike", "Any"})


@functools.cache
def kinds(annotation: str) -> Sequence[str]:
    return [kind.strip() for kind in annotation.split("|")]


def misfit(annotation: str, value: object) -> str:
    """What a value should have been to fit an annotation; "" if it does, or if nobody can tell."""
    possible = kinds(annotation)
    if not TYPES.keys() >= set(possible) or any(TYPES[kind][0](value) for kind in possible):
        return ""
    return " or ".join(dict.fromkeys(TYPES[k][1] for k in possible if k != "None"))


def no_fit(should: str) -> type[TypeError]:
    """The class of the error for what is not what it ``should`` be."""
    return NoTensor if should == "Tensor" else TypeError


def check_type(name: str, argument: str, annotation: str, value: object, fix: str = "") -> None:
    """TypeError for a value that does not fit the annotation of a function's argument."""
    if should := misfit(annotation, value):
        what = f"argument '{argument}' must be {should}, not {type(value).__name__}"
        raise no_fit(should)(message(f"{name}(): {what}", fix=fix or remedy(value, should)))


def flags(name: str, **given: object) -> None:
    """TypeError for a flag of a function that is no bool."""
    for argument, value in given.items():
        check_type(name, argument, "bool", value)


@functools.cache
def parameters_of(f: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """A function's parameters, read once: to inspect it takes longer than most of them do."""
    return inspect.signature(f).parameters


MAKES = {
    "Tensor": "torch.tensor(...) makes a tensor",
    "torch.Generator": "torch.Generator().manual_seed(seed)",
    "torch.memory_format": "torch.contiguous_format, torch.channels_last, ...",
    "torch.dtype": "torch.float32, torch.int64, ...",
}


def remedy(value: object, should: str) -> str:
    """What most likely was meant by a value that is not what it ``should`` be."""
    if should.startswith(("Number", "float")) and isinstance(value, Handle) and value.node.needs:
        return "x.item() is its number, through which no gradient flows"
    if should == "tuple of ints" and is_int(value):
        return f"({value},) is a tuple of one"
    return MAKES.get(should, "")
