"""Elementwise kernels in C (ext/functions.h, and loops generated from formulas.py)."""
from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy._core import multiarray

from ...arrays.dtypes import BOOL, F32
from ...arrays.pairs import pairs
from ...notation import expr, formulas
from ..reference import UFUNCS, Reference
from ..table import LARGE, SPREAD, definition, large_from
from .choice import BRANCHES, smallest
from .library import SUFFIXES, called, ffi, lib

if TYPE_CHECKING:
    from ...base.types import Array, DType, Namespace, Operand


class Elementwise(Reference):
    """The kernels of formulas.py, each made when it is first asked for.

    Besides an op's name there is ``<op>_vjp<i>(g, out, *inputs, **arguments)``: the contribution to
    the gradient of input ``i``, in one pass over memory.

    Most are called with nothing between Python and C (``_direct``). What C does not take so is for
    a function of Python, which chooses between numpy and C by size and layout.
    """

    def _found(self, name: str) -> Any:
        found = self._kernel(name, large_from(name) - 1)
        if found is None:
            own = name in Reference.__dict__
            found = getattr(super(), name) if own else super()._found(name)
            large = self._kernel(name, large_from(name)) if name in UFUNCS else None
            if large is not None:
                formula, inputs = formulas.TABLE[name]
                # C and numpy round these alike; last digits must not depend on a layout
                if len(inputs) == 2 and expr.functions(formula) <= expr.CHEAP:
                    found = getattr(found, "small", found)
                    large = by_layout(found, large, large_from(name) * F32.itemsize)
                found = self._direct(name, large)
        elif "_vjp" in name:
            vars(found)["with_F"] = self._direct(name, vars(found)["with_F"])
        else:
            found = self._direct(name, found)
        return found

    def small(self, name: str) -> Callable[..., Any]:
        """The kernel of an op for few elements: of one operation numpy's, which can write over its
        first operand.
        """
        one = name in UFUNCS and self._kernel(name, large_from(name) - 1) is None
        return UFUNCS[name] if one else getattr(self, name)

    def into(self, name: str) -> Callable[..., Any] | None:
        return getattr(self._kernel(name, large_from(name)), "into", None)

    def _direct(self, name: str, otherwise: Callable[..., Any]) -> Callable[..., Any]:
        """C's function of the parameters of ``otherwise`` (F first in that of a derivative).

        What its loop does not take it hands to ``otherwise`` (ext/direct.h).
        """
        op, vjp, index = name.partition("_vjp")
        texts = formulas.TABLE.get(op)
        if texts is None or op in BRANCHES or formulas.ARGUMENTS.get(op):
            return otherwise  # a loop of operands of several dtypes, or of numbers
        inputs = "xyz"[: len(texts[1])]
        parameters = ["F", "g", "out", *inputs] if vjp else [*inputs]
        read = expr.names(texts[1][int(index)] or "" if vjp else texts[0])
        places = [parameters.index(a) for a in formulas.ARRAYS if a in read]
        loop = ffi.addressof(lib, f"{name}_{SUFFIXES[self.dtype]}")
        made: list[Callable[..., Any]] = []
        lib.add_direct(
            id(made), id(multiarray._ARRAY_API), int(ffi.cast("uintptr_t", loop)), id(otherwise),
            [*SUFFIXES].index(self.dtype), len(parameters), len(places), places, LARGE,
        )  # fmt: skip
        return made[0] if made else otherwise

    def complex_loop(self, name: str, *arrays: Array) -> bool:
        loop = called(f"{name}_{SUFFIXES[self.dtype]}")
        parts = [pairs(np.ascontiguousarray(x)) for x in arrays[:-1]] + [pairs(arrays[-1])]
        return bool(loop(arrays[-1].size, *parts))

    def large(self, name: str) -> Callable[..., Any]:
        """The kernel of an op for arrays of ``large_from(name)`` elements and more."""
        return self._kernel(name, large_from(name)) or getattr(self, name)

    def in_16_bits(self, name: str, kernel: Callable[..., Any], dtype: DType) -> Callable[..., Any]:
        """``kernel``, of arrays of float16 or bfloat16, by C's loop ``name`` if it has one.

        The loop converts stretches of them on its way, where ``kernel`` converts them as wholes.
        """
        if self.dtype != F32:
            return kernel
        return self._kernel(name, large_from(name), dtype, kernel) or kernel

    def _kernel(
        self, name: str, size: int, short: Any = None, whole: Callable[..., Any] | None = None
    ) -> Callable[..., Any] | None:
        """The function that runs C's kernel ``name``; None if there is none for ``size``.

        ``short``: a dtype of 16 bits for operands and result; ``whole`` then does what C declines.
        """
        op, vjp, index = name.partition("_vjp")
        row = formulas.TABLE.get(op)
        if op in formulas.VALUES:
            row = formulas.VALUES[op], ("",) * len(expr.names(formulas.VALUES[op]))
        if row is None or not hasattr(lib, f"{name}_{SUFFIXES.get(self.dtype)}"):
            return None
        formula = row[1][int(index)] if vjp else row[0]
        if formula is None:
            return None
        least = smallest(name, formula, self.dtype)
        if least is None or least > size:
            return None
        inputs, scalars = "xyz"[: len(row[1])], formulas.ARGUMENTS.get(op, {})
        parameters = ("g", "out", *inputs) if vjp else tuple(inputs)
        named = "".join(f", {s}" if v is None else f", {s}={v}" for s, v in scalars.items())
        if whole is not None:
            ours = whole if vjp else with_F(whole)
        elif vjp:
            signature = f"F, {', '.join(parameters)}{', *' + named if named else ''}"
            ours = expr.compile_python(formula, signature, name)
        elif name in UFUNCS or name in Reference.__dict__:
            own = getattr(super(), name) if name in Reference.__dict__ else UFUNCS[name]

            def ours(F: Namespace, *args: Array) -> Array:
                return own(*args)
        else:
            ours = definition(name)
        read = expr.names(formula)
        arrays = [a for a in formulas.ARRAYS if a in read]
        used = [s for s in scalars if s in read]
        return _caller(name, parameters, named, arrays, used, {
            "loop": called(f"{name}_{SUFFIXES[self.dtype]}"), "numpy": ours, "F": self,
            "dtype": short or self.dtype, "empty": np.empty, "result_of": result_of,
        })  # fmt: skip


# what Reference has as methods, __getattr__ is not asked for; an op looks it up once
for _name in formulas.TABLE.keys() & Reference.__dict__.keys():
    _made = cached_property(partial(Elementwise._found, name=_name))
    _made.__set_name__(Elementwise, _name)
    setattr(Elementwise, _name, _made)


def with_F(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel with a parameter more, the first one, which it does not need."""
    return lambda F, *args, **options: kernel(*args, **options)


def by_layout(
    small: Callable[..., Any], large: Callable[..., Any], border: int
) -> Callable[..., Any]:
    """``large`` where an operand has ``border`` bytes or more, or where two that broadcast make a
    result of some size, which takes numpy up to five times as long; else ``small``.
    """

    def kernel(x: Operand, y: Operand, **options: Operand) -> Operand:
        if type(x) is not np.ndarray or type(y) is not np.ndarray or options:
            return small(x, y, **options)
        n, m = x.nbytes, y.nbytes
        if n >= border or m >= border or (n * m >= SPREAD and x.shape != y.shape):
            return large(x, y)
        return small(x, y)

    return kernel


def result_of(dtype: DType, *arrays: Any) -> Array | None:
    """An empty array for the result, of the shape to which ``arrays`` broadcast, as numpy makes it.

    C declines one of another order of dimensions. None where they do not broadcast.
    """
    like = None
    for a in arrays:
        if a.ndim:
            if like is None:
                like = a
            elif a.strides != like.strides or a.shape != like.shape:
                break
    else:
        return np.empty((), dtype) if like is None else np.empty_like(like, dtype)
    try:
        if all([a.flags.c_contiguous for a in arrays]):
            return np.empty(np.broadcast(*arrays).shape, dtype)
        flags: Operand = [*[["readonly"]] * len(arrays), ["writeonly", "allocate"]]
        types = [*[None] * len(arrays), dtype]
        return np.nditer((*arrays, None), ["zerosize_ok"], flags, types).operands[-1]
    except ValueError:
        return None


def _caller(
    name: str, parameters: tuple[str, ...], named: str, arrays: list[str], scalars: list[str],
    scope: dict[str, Any],
) -> Callable[..., Any]:  # fmt: skip
    """A function of an op's parameters that calls C's loop, or numpy's kernel if C declines.

    C takes arrays of its dtype that broadcast to the first one's shape, and that in numpy's order
    of dimensions; else ``result_of`` tells what to compute. The function is written out as text,
    because collecting ``*args`` would cost as much as the loop on a small array.

    Its attribute ``with_F`` is the same function with the parameters of a vjp: F first. And
    ``into(result, *operands)`` has C write over ``result``, which may be one of the operands;
    False, and nothing is written, where C declines.
    """
    names = [part.partition("=")[0].strip() for part in named.split(", ")[1:]]
    keywords = "".join(f", {n}={n}" for n in names)
    operands = ", ".join([*scalars, *arrays, "result"])
    body = "\n".join([
        "    try:",
        f"        result = empty({arrays[0]}.shape, dtype)",
        f"        if loop({operands}):",
        "            return result",
        *([
            f"        if {arrays[0]}.ndim < {arrays[1]}.ndim:",
            f"            result = empty({arrays[1]}.shape, dtype)",
            f"            if loop({operands}):",
            "                return result",
        ] if len(arrays) == 2 else []),
        f"        result = result_of(dtype, {', '.join(arrays)})",
        f"        if result is not None and loop({operands}):",
        "            return result",
        "    except (AttributeError, TypeError):  # a number for an array, None for a number",
        "        pass",
        f"    return numpy(F, {', '.join(parameters)}{keywords})",
    ])
    # numpy's floating-point warnings are then known to be raised inside
    scope["__name__"] = "microtorch.formulas"
    signature = f"{', '.join(parameters)}{', *' + named if named else ''}"
    into = "\n".join([
        f"def into(result, {signature}):",
        "    try:",
        f"        return loop({operands}) == 1",
        "    except TypeError:  # an operand without a number",
        "        return False",
    ])
    text = f"def with_F(F, {signature}):\n{body}\ndef {name}({signature}):\n{body}\n{into}"
    exec(compile(text, f"<microtorch {name}>", "exec"), scope)
    scope[name].with_F, scope[name].into = scope["with_F"], scope["into"]
    return scope[name]


def run(name: str, *operands: Array | float) -> Array:
    """Run the C loop ``name`` (``"sigmoid"``, ``"tanh_vjp0"``), even where numpy is faster.

    Operands are in the order of the C function (``python ext/build_core.py --print`` shows them):
    numbers first, then arrays of float32 or float64, of one shape and dtype, or of bool for the
    condition of ``where``. Returns a new array. Raises RuntimeError without the C core,
    AttributeError for a name that has no loop, TypeError for a wrong number of operands or another
    dtype, ValueError for different shapes.
    """
    from .library import ffi, required

    arrays = [as_array(name, o) for o in operands if not isinstance(o, (int, float))]
    dtype = next((a.dtype for a in arrays if a.dtype != BOOL), F32)
    loop = getattr(required(), f"{name}_{SUFFIXES[dtype]}")
    count = len(ffi.typeof(loop).args) - 1
    if count != len(operands):
        raise TypeError(f"{name}_{SUFFIXES[dtype]} takes {count} operands, but got {len(operands)}")
    shapes = [str(a.shape) for a in arrays]
    dtypes = [a.dtype.name for a in arrays if a.dtype != BOOL]
    if len(set(shapes)) > 1:
        raise ValueError(f"{name} takes arrays of one shape, but got {', '.join(shapes)}")
    if len(set(dtypes)) > 1:
        raise TypeError(f"{name} takes arrays of one dtype, but got {', '.join(dtypes)}")
    out = np.empty(arrays[0].shape, dtype)
    numbers = [o for o in operands if isinstance(o, (int, float))]
    if not called(f"{name}_{SUFFIXES[dtype]}")(*numbers, *arrays, out):
        raise TypeError(f"{name} declined arrays of {', '.join(a.dtype.name for a in arrays)}")
    return out


def as_array(name: str, x: Array) -> Array:
    """``x`` as C can read it: float32 or float64, contiguous, aligned (copied if it is not)."""
    if isinstance(x, np.ndarray) and x.dtype == BOOL:
        return np.require(x, None, ["C", "A"])
    if not isinstance(x, np.ndarray) or x.dtype not in SUFFIXES:
        given = getattr(x, "dtype", type(x).__name__)
        raise TypeError(f"{name} takes float32 or float64 arrays, but got {given}")
    x = np.require(x, x.dtype.newbyteorder("="), ["C", "A"])
    return np.array(x, SUFFIXES_DTYPE[x.dtype.name], copy=None, subok=False)


SUFFIXES_DTYPE = {d.name: d for d in SUFFIXES}
