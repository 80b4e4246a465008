"""Elementwise kernels in C, and where they take the place of numpy's: ``smallest`` decides.

A loop in C must earn its call. For one operation on a small array numpy's call is as cheap as any; C wins where one
loop stands for two or more numpy calls (derivatives such as ``g * out * (1 - out)``, activations made of comparisons), and on
arrays that are large enough for several threads.
"""
from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import expr, formulas
from ...dtypes import F32
from ..reference import LARGE, UFUNCS, Reference, definition
from .library import SUFFIXES, lib

ARRAYS = ("g", "out", "x", "y", "z")  # the names of a formula that stand for arrays, in the order of a kernel's parameters
ABSENT = frozenset({"erf", "erfc"})  # functions that numpy lacks, so that the reference kernel is a Python loop


def smallest(name: str, formula: str, dtype: Any) -> int | None:
    """From how many elements on C's loop for ``formula`` is used in place of numpy's kernel ``name``; None: never."""
    called = expr.functions(formula)
    if called & ABSENT:
        return 0
    if not called <= expr.CHEAP or "**" in formula:
        return None
    operations = sum(isinstance(n, (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call)) for n in ast.walk(expr.parse(formula)))
    if name in UFUNCS:  # one with a longer formula (hypot) is written with more care in numpy
        return LARGE if operations == 1 else None
    if "where" in called:  # np.where is slow and reads all three arrays
        return 0
    # np.maximum of an array and a number runs at half the speed of C's, so one is enough
    return 0 if operations >= 3 or called & {"maximum", "minimum"} else LARGE


class Elementwise(Reference):
    """The kernels of formulas.py. Besides the ops' names it answers to ``<op>_vjp<i>(g, out, *inputs, **arguments)``: the
    contribution to the gradient of input ``i``, in one pass over memory. Each kernel is made when it is first asked for.
    """

    def __getattr__(self, name: str) -> Any:
        found = self._kernel(name, LARGE - 1)
        if found is None:
            return super().__getattr__(name)
        setattr(self, name, found)
        return found

    def large(self, name: str) -> Callable[..., Any]:
        """The kernel of an op for arrays of LARGE elements and more."""
        return self._kernel(name, LARGE) or getattr(self, name)

    def _kernel(self, name: str, size: int) -> Callable[..., Any] | None:
        """The function that runs C's kernel ``name``; None if there is none, or for an op that is not worth it at ``size``."""
        op, vjp, index = name.partition("_vjp")
        row = formulas.TABLE.get(op)
        loop = getattr(lib, f"{name}_{SUFFIXES.get(self.dtype)}", None)
        if row is None or loop is None:
            return None
        formula = row[1][int(index)] if vjp else row[0]
        if formula is None:
            return None
        least = smallest(name, formula, self.dtype)
        if least is None or (least > size and not vjp):
            return None
        inputs, scalars = "xyz"[: len(row[1])], formulas.ARGUMENTS.get(op, {})
        parameters = ("g", "out", *inputs) if vjp else tuple(inputs)
        named = "".join(f", {s}" if v is None else f", {s}={v}" for s, v in scalars.items())
        if vjp:
            ours = expr.compile_python(formula, f"F, {', '.join(parameters)}{', *' + named if named else ''}", name)
        elif name in UFUNCS or name in Reference.__dict__:
            own = UFUNCS.get(name) or getattr(Reference, name)

            def ours(F: Any, *args: Any) -> Any:
                return own(*args)
        else:
            ours = definition(name)
        read = expr.names(formula)
        arrays = [a for a in ARRAYS if a in read]
        used = [s for s in scalars if s in read]
        return _caller(name, parameters, named, arrays, used, least if vjp else 0, {
            "loop": loop, "numpy": ours, "F": self, "dtype": self.dtype, "empty": np.empty,
        })


def _caller(
    name: str, parameters: tuple[str, ...], named: str, arrays: list[str], scalars: list[str], least: int, scope: dict[str, Any]
) -> Callable[..., Any]:
    """A function of an op's parameters that calls C's loop, or numpy's kernel where C declines: it takes arrays of one shape
    and its dtype. Written out as text, because collecting ``*args`` costs as much as the loop on a small array.
    """
    first = arrays[0]
    keywords = "".join(f", {part.split('=')[0].strip()}={part.split('=')[0].strip()}" for part in named.split(", ")[1:])
    fallback = f"numpy(F, {', '.join(parameters)}{keywords})"
    small = [f"        if {first}.size < {least}:", f"            return {fallback}"] if least else []
    operands = [*scalars, *(f"id({a})" for a in arrays), "id(result)"]
    source = "\n".join([
        f"def {name}({', '.join(parameters)}{', *' + named if named else ''}):",
        "    try:",
        *small,
        f"        result = empty({first}.shape, dtype)",
        f"        if loop({', '.join(operands)}):",
        "            return result",
        "    except (AttributeError, TypeError):  # a Python number for an array, None for a number",
        "        pass",
        f"    return {fallback}",
    ])
    scope["__name__"] = "microtorch.formulas"  # so that numpy's floating-point warnings are known to be raised inside
    exec(compile(source, f"<microtorch {name}>", "exec"), scope)
    return scope[name]


def run(name: str, *operands: Any) -> Any:
    """Run the C loop ``name`` (``"sigmoid"``, ``"tanh_vjp0"``) on arrays of one shape and dtype, whether it wins or not.

    Operands are in the order of the C function: numbers first, then arrays (``python ext/build_core.py --print`` shows
    them), float32 or float64. Returns a new array. Raises RuntimeError without the C core, AttributeError for a name that has
    no loop, TypeError for a wrong number of operands or another dtype, ValueError for different shapes.
    """
    from .library import ffi, required

    arrays = [as_array(name, o) for o in operands if not isinstance(o, (int, float))]
    dtype = arrays[0].dtype if arrays else F32
    loop = getattr(required(), f"{name}_{SUFFIXES[dtype]}")
    count = len(ffi.typeof(loop).args) - 1
    if count != len(operands):
        raise TypeError(f"{name}_{SUFFIXES[dtype]} takes {count} operands, but got {len(operands)}")
    if any(a.shape != arrays[0].shape for a in arrays):
        raise ValueError(f"{name} takes arrays of one shape, but got {', '.join(str(a.shape) for a in arrays)}")
    if any(a.dtype != dtype for a in arrays):
        raise TypeError(f"{name} takes arrays of one dtype, but got {', '.join(a.dtype.name for a in arrays)}")
    out = np.empty(arrays[0].shape, dtype)
    loop(*(o for o in operands if isinstance(o, (int, float))), *(id(a) for a in arrays), id(out))
    return out


def as_array(name: str, x: Any) -> Any:
    """``x`` as C can read it: float32 or float64, contiguous, aligned (copied if it is not)."""
    if not isinstance(x, np.ndarray) or x.dtype not in SUFFIXES:
        raise TypeError(f"{name} takes float32 or float64 arrays, but got {getattr(x, 'dtype', type(x).__name__)}")
    return np.array(np.require(x, x.dtype.newbyteorder("="), ["C", "A"]), SUFFIXES_DTYPE[x.dtype.name], copy=None, subok=False)


SUFFIXES_DTYPE = {d.name: d for d in SUFFIXES}
