"""The C text that an op runs: ``source("tanh_vjp0")``. The texts are in the compiled module."""
from __future__ import annotations

import re
from functools import cache
from typing import Any

from ...base.errors import describe, message, nearest
from . import library


@cache
def texts() -> dict[str, str]:
    """``{kernel: C text}`` for all kernels, in the order of the table (made by ext/texts.py).

    Raises RuntimeError without the C core.
    """
    lib = library.required()
    part = cache(lambda number: library.ffi.string(lib.part(int(number))).decode())
    out: dict[str, str] = {}
    while (name := lib.name_of(len(out))) != library.ffi.NULL:
        numbers = library.ffi.string(lib.parts_of(len(out))).decode().split()
        out[library.ffi.string(name).decode()] = "\n".join(map(part, numbers))
    return out


@cache
def loops(op: str) -> tuple[str, ...]:
    """The kernels that the C core has for ``op`` or ``"<op>_vjp<i>"``; none if numpy does it all.

    Most methods of `Core` run the kernel of their own name; the others say which (library.calls).
    """
    from . import Core

    for name in (op, re.sub(r"_vjp\d$", "_vjps", op)):  # one derivative, or all in one kernel
        if name in texts():
            return (name,)
    return getattr(getattr(Core, op, None), "calls", ())


def source(op: str, dtype: Any = "float32") -> str:
    """The C text of the loop that ``op`` runs, with the helpers it uses: ``source("softmax")``.

    ``"<op>_vjp<i>"`` is the contribution to the gradient of input ``i``, if that is one loop. The
    text is compiled for float32 and float64; here ``real`` is replaced by the type for ``dtype``.
    On small arrays numpy may run instead, whose call is cheaper; `smallest` decides.

    Raises RuntimeError without the C core, ValueError for an op that has no loop of its own and for
    another dtype.
    """
    name = str(getattr(dtype, "name", dtype)).removeprefix("torch.")
    real = {"float32": "float", "float64": "double"}.get(name)
    if real is None:
        given = dtype if isinstance(dtype, str) else describe(dtype)
        raise ValueError(
            message(f"source(): the C core has loops for float32 and float64, but got {given}")
        )
    names = loops(op)
    if not names:
        raise ValueError(message(f"source(): the C core has no loop for '{op}'",
                                 "if that is an op, functions of numpy or other ops do it",
                                 fix="core.texts.texts() has all loops." + nearest(op, texts())))
    return "\n".join(readable(texts()[name], real) for name in names)


def readable(text: str, real: str) -> str:
    """The text for one type, without the macros that make names for two."""
    text = re.sub(r"\b(?:NAME|FN|ALL)\((\w+)\)", r"\1", text)
    text = re.sub(r"^KERNEL\((\w+)\)", r"void \1", text, flags=re.MULTILINE)
    return re.sub(r"\breal\b", real, text)
