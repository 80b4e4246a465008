"""Functions of compiled C as built-in functions of Python.

ctypes needs half a microsecond for a call, about as long as a small program runs. A built-in
function is called in a tenth of that, and gets the addresses of its arguments as one array in C:
for arrays of numpy, that is all that a program has to be told (``GLUE`` in source.py).
"""
from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..base.types import Kernel, Operand

MANY, KEYWORDS = 0x80, 0x02  # METH_FASTCALL of CPython's PyMethodDef: any number of arguments


class Method(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int),
        ("text", ctypes.c_char_p),
    )  # fmt: skip


_kept: list[Method] = []  # what built-in functions point to, for good


@cache
def method(loaded: ctypes.CDLL, name: str, flags: int = MANY) -> Method:
    """What Python is to know of the function ``name`` of a library."""
    function = ctypes.cast(getattr(loaded, name), ctypes.c_void_p)
    made = Method(name.encode(), function, flags, None)
    _kept.append(made)
    return made


def builtin(loaded: ctypes.CDLL, name: str, own: Operand = None) -> Kernel:
    """The function ``name`` of a library, which is loaded for good; ``own``: its ``self``."""
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype = ctypes.py_object
    made: Kernel = make(ctypes.byref(method(loaded, name)), ctypes.py_object(own), None)
    return made


def descriptor(loaded: ctypes.CDLL, name: str, kind: type) -> Kernel:
    """The function ``name`` of a library, which takes keywords, too, as a method of a class."""
    make = ctypes.pythonapi.PyDescr_NewMethod
    make.restype = ctypes.py_object
    which = ctypes.byref(method(loaded, name, MANY | KEYWORDS))
    made: Kernel = make(ctypes.py_object(kind), which)
    return made


def address(function: Kernel) -> int:
    """Where the C function of a built-in function begins."""
    ask = ctypes.pythonapi.PyCFunction_GetFunction
    ask.restype, ask.argtypes = ctypes.c_size_t, [ctypes.py_object]
    found: int = ask(function)
    return found
