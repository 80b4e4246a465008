"""Elementwise kernels, written from the rows of formulas.py.

One row makes one kernel for its value and one for each derivative: ``g * out * (1 - out)`` is a single pass over memory.
The text depends on the dtypes and on how the operands lie:

* *flat*: all operands lie row by row in one shape: work-item i computes element i. An operand may also be a single element
  in memory (letter ``0``) or a number, which is an argument of the kernel (``n``).
* *strided*: views and broadcasting. The dimensions are first merged as far as they lie evenly (``array.collapsed``); the
  work-items run along one of them, and the index of the others is taken apart by divisions, once per work-item.

``python -m microtorch.backends.opencl source sigmoid`` prints what is generated.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...base.errors import DeviceError, describe, message
from ...notation import expr, formulas
from .array import Array, collapsed, expanded_steps, is_row_major, row_major
from .runtime import Kernel, Runtime

C_TYPES = {"f": "float", "d": "double", "e": "half", "b": "char", "h": "short", "i": "int", "l": "long", "q": "long",
           "B": "uchar", "?": "uchar"}  # fmt: skip  # by numpy's dtype.char
BOOL, F32, F64 = np.dtype(bool), np.dtype(np.float32), np.dtype(np.float64)

# values that are no formulas: OpenCL C text
TEXTS = {
    "logical_and": "x && y", "logical_or": "x || y", "logical_xor": "!x != !y", "logical_not": "!x",
    "isnan": "x != x", "isinf": "isinf(x)", "isfinite": "isfinite(x)",
    "bitwise_and": "x & y", "bitwise_or": "x | y", "bitwise_xor": "x ^ y", "bitwise_not": "~x",
    "floor_divide": "floor_quotient(x, y)", "copied": "x",
}  # fmt: skip
PREDICATES = frozenset({*formulas.COMPARISONS, "logical_and", "logical_or", "logical_xor", "logical_not", "isnan", "isinf",
                        "isfinite"})  # fmt: skip
OPS = frozenset({*formulas.TABLE, *formulas.COMPARISONS, *TEXTS})
INTEGER_TEXTS = {"isinf": "0", "isfinite": "1", "isnan": "0"}


def rendered(formula: str, t: str) -> str:
    """The formula as an OpenCL C expression of type ``t``."""
    return expr.render(formula, expr.opencl_dialect(t))


def kind_of(t: np.dtype) -> str:
    """The C type in which values of a dtype are computed: float16 is only stored as such."""
    return "float" if t.char == "e" else C_TYPES[t.char]


class Elementwise:
    """The kernels of one value or one derivative on one device: call it as the numpy function of that name."""

    def __init__(self, runtime: Runtime, name: str, formula: str, parameters: Sequence[str], scalars: dict[str, Any]):
        """``parameters`` names the arguments of a call; the ones that the formula reads become operands of the kernel."""
        self.runtime, self.name, self.formula = runtime, name, formula
        read = expr.names(formula)
        self.positions = tuple(i for i, p in enumerate(parameters) if p in read)
        self.letters = tuple(parameters[i] for i in self.positions)
        self.scalars = tuple((s, default) for s, default in scalars.items() if s in read)
        self.variants: dict[Any, tuple[Kernel, Any]] = {}

    # ---- running ----------------------------------------------------------------------------------------------------
    def __call__(self, *values: Any, out: Any = None, dtype: Any = None, **attrs: Any) -> Array:
        # hot path: the flat kernel on operands that are already right
        shape: Any = None
        operands = [values[p] for p in self.positions]
        key: list[Any] = [dtype]
        arguments: list[Any] = []
        if out is not None:
            return self.strided(operands, attrs, dtype, out)
        for x in operands:
            kind = type(x)
            if kind is Array:
                if not x.ndim:
                    key.append("0" + x.dtype.char)
                elif shape is None and x.flat:
                    shape = x.shape
                    key.append(x.dtype.char)
                elif x.flat and x.shape == shape:
                    key.append(x.dtype.char)
                else:
                    return self.strided(operands, attrs, dtype, None)
                arguments.append(x.buffer)
                arguments.append(x.at)
            elif kind is float or kind is int or kind is bool:
                key.append(kind)
                arguments.append(x)
            else:
                return self.strided(operands, attrs, dtype, None)
        variant = self.variants.get(tuple(key))
        if variant is None:
            variant = self.variant(tuple(key), operands, dtype, 1)
        kernel, result = variant
        if shape is None:
            shape = ()
        runtime = self.runtime
        out = Array(runtime, None, result, shape)
        out.buffer = runtime.allocate(out.size * result.itemsize)
        if out.size:
            for s, default in self.scalars:
                arguments.append(attrs.get(s, default))
            kernel.each((out.size,), out.size, *arguments, out.buffer, 0)
        return out

    def strided(self, operands: list[Any], attrs: dict[str, Any], dtype: Any, out: Any) -> Array:
        """Any operands: broadcasting, views, numpy scalars, a given result."""
        arrays = [x for x in operands if type(x) is Array]
        if any(type(x) not in (Array, float, int, bool) for x in operands):
            operands = [x if type(x) in (Array, float, int, bool) else self.number(x, arrays) for x in operands]
            arrays = [x for x in operands if type(x) is Array]
        if out is None:
            plan = planned(None, None, *[(x.shape, x.steps) for x in arrays])
            result = self.result(operands, dtype)
            out = Array(self.runtime, None, result, plan.shape, plan.out_steps)
            out.buffer = self.runtime.allocate(out.size * result.itemsize)
        else:
            dtype = out.dtype
            plan = planned(out.shape, out.steps, *[(x.shape, x.steps) for x in arrays])
            if not out.flags.writeable:
                raise ValueError("assignment destination is read-only")
            if any(overlaps(x, out) for x in arrays):
                copied = [x.copy() if type(x) is Array and overlaps(x, out) else x for x in operands]
                return self.strided(copied, attrs, out.dtype, out)
        if not out.size:
            return out
        ndim, steps = len(plan.sizes), iter(plan.steps)
        key: list[Any] = [dtype] if ndim < 2 else [dtype, ndim]
        arguments: list[Any] = [out.size] if ndim < 2 else [*plan.sizes]
        for x in operands:
            if type(x) is not Array:
                key.append(type(x))
                arguments.append(x)
            elif ndim < 2:  # evenly spaced throughout: the flat kernel, at an offset
                key.append(x.dtype.char if next(steps) else "0" + x.dtype.char)
                arguments += (x.buffer, x.at)
            else:
                key.append(x.dtype.char)
                arguments += (x.buffer, x.at, *next(steps))
        variant = self.variants.get(tuple(key)) or self.variant(tuple(key), operands, dtype, max(ndim, 1))
        arguments += [attrs.get(s, default) for s, default in self.scalars]
        if ndim < 2:
            variant[0].each((out.size,), *arguments, out.buffer, out.at)
        else:
            variant[0].each((plan.sizes[-1], out.size // plan.sizes[-1]), *arguments, out.buffer, out.at, *plan.to)
        return out

    def number(self, x: Any, arrays: Sequence[Array]) -> Any:
        """A numpy scalar (or 0-d array) beside device arrays, as a number or an array; anything larger is an error."""
        if isinstance(x, (np.generic, np.ndarray)) and np.ndim(x) == 0:
            if any(np.can_cast(x.dtype, a.dtype) for a in arrays):
                return x.item()
            return upload(self.runtime, np.asarray(x))
        if isinstance(x, np.ndarray):
            raise DeviceError(
                message(
                    "Expected all tensors to be on the same device, but found at least two devices",
                    f"{self.name}: a numpy array, {describe(x)}, beside an array on {self.runtime.device}",
                    fix=f"torch.tensor(x, device='{self.runtime.device}')",
                )
            )
        raise TypeError(f"{self.name}: unsupported operand {type(x).__name__}")

    # ---- writing the text -------------------------------------------------------------------------------------------
    def result(self, operands: Sequence[Any], dtype: Any) -> np.dtype:
        """The dtype of the result for these operands: numpy's."""
        if dtype is not None:
            return dtype
        if self.name in PREDICATES:
            return BOOL
        return self.computed(operands)

    def result_of(self, t: np.dtype) -> np.dtype:
        """The dtype of the result of operands of dtype ``t``."""
        return BOOL if self.name in PREDICATES else t

    def computed(self, operands: Sequence[Any]) -> np.dtype:
        """The dtype of the computation."""
        first = operands[1:] if self.name == "where" else operands
        d = np.result_type(*[x.dtype if type(x) is Array else x for x in first])
        if d.kind != "f" and self.name not in TEXTS and self.name not in PREDICATES and not self.exact():
            d = F64 if self.runtime.doubles else F32
        return d

    def exact(self) -> bool:
        """Does the formula make integers from integers?"""
        exact = not any(sign in self.formula for sign in "/.") and expr.functions(self.formula) <= expr.INTEGER_FUNCTIONS
        return exact and not any(isinstance(default, float) for _, default in self.scalars)

    def variant(self, key: Any, operands: Sequence[Any], dtype: Any, ndim: int) -> tuple[Kernel, Any]:
        """The built kernel for operands of these kinds, and its result's dtype."""
        result = self.result(operands, dtype)
        t = self.computed(operands)
        if self.name in ("copied", "where") and result.kind != "f":
            t = result if all(type(x) is not Array or x.dtype.kind != "f" for x in operands) else t
        if t == F64 and not self.runtime.doubles:
            raise RuntimeError(
                message(f"{self.name}: {self.runtime.device} ({self.runtime.name}) has no float64 arithmetic (cl_khr_fp64)",
                        "operands: " + ", ".join(map(describe, operands)), fix="x.float()")
            )
        kinds = [k for k in key[1:] if not isinstance(k, int)]
        text, signature = self.text(kinds, t, result, ndim)
        built = self.variants[key] = self.runtime.kernel(text, f"{self.name}_{kind_of(t)}", signature, self.name), result
        return built

    def text(self, kinds: Sequence[Any], t: np.dtype, result: np.dtype, ndim: int) -> tuple[str, str]:
        """The program for operands of the ``kinds`` of a key, computed in ``t``: (OpenCL C, signature)."""
        kind = kind_of(t)
        scalar = {"float": "f", "double": "d"}.get(kind, "l")
        lines, parameters, signature = [], [], ""
        dims = [] if ndim == 1 else [f"n{d}" for d in range(ndim)]
        parameters += ["const int n"] if ndim == 1 else [f"const int {n}" for n in dims]
        signature += "i" * ndim
        strides = lambda at: "".join(f", const int {at}{d}" for d in range(ndim)) if dims else ""  # noqa: E731
        place = lambda at: f"{at} + " + " + ".join(f"i{d} * {at}{d}" for d in range(ndim)) if dims else f"{at} + i"  # noqa: E731
        for letter, k in zip(self.letters, kinds, strict=True):
            if not isinstance(k, str):
                parameters.append(f"const {C_TYPES[scalar]} {letter}_")
                signature += scalar
                value = f"{letter}_"
            else:
                name, at, c = letter.upper(), f"{letter}_at", C_TYPES[k[-1]]
                alone = "restrict " if k[0] == "0" else ""  # so that a single element is read once, and not before every write
                parameters.append(f"__global const {c} *{alone}{name}, const int {at}{strides(at)}")
                signature += "bi" + "i" * (ndim if dims else 0)
                index = at if k[0] == "0" else place(at)
                value = f"vload_half({index}, {name})" if c == "half" else f"{name}[{index}]"
            own = self.name.startswith("where") and letter == "x"
            lines.append(f"const {'uchar' if own else kind} {letter} = {value};")
        for s, _ in self.scalars:
            parameters.append(f"const {C_TYPES[scalar]} {s}")
            signature += scalar
        c = C_TYPES[result.char]
        parameters.append(f"__global {c} *RESULT, const int result_at{strides('to') if dims else ''}")
        signature += "bi" + "i" * (ndim if dims else 0)
        value = self.value(kind, t, result)
        index = "result_at + " + " + ".join(f"i{d} * to{d}" for d in range(ndim)) if dims else "result_at + i"
        store = f"vstore_half_rte({value}, {index}, RESULT);" if c == "half" else f"RESULT[{index}] = {value};"
        head, each = [], "EACH(i, n)"
        if dims:
            last = ndim - 1
            head.append("int rest = get_global_id(1);")
            for d in range(last - 1, 0, -1):
                head.append(f"const int i{d} = rest % n{d}; rest /= n{d};")
            head.append("const int i0 = rest;")
            each = f"EACH(i{last}, n{last})"
        far = self.periodic(kind)
        if far:
            question = loop(each, [*lines, *(f"far |= FAR({x});" for x in far)])
            head += ["int far = 0; // is one of these angles beyond the reach of functions.cl?", question]
        body = "\n    ".join([*head, loop(each, [*lines, store])])
        separator = ",\n        "
        return (
            f"// {self.name}: {self.formula}\n{self.runtime.opening(kind, functions=self.calls())}\n"
            f"__kernel void {self.name}_{kind}({separator.join(parameters)})\n{{\n    {body}\n}}\n",
            signature,
        )

    def calls(self) -> bool:
        """Does the formula call something that functions.cl has?"""
        return self.name not in TEXTS and ("**" in self.formula or not expr.functions(self.formula) <= expr.CHEAP - {"round"})

    def periodic(self, kind: str) -> list[str]:
        """Of what the formula takes a sine, cosine or tangent by functions.cl, which has to know whether a number is large."""
        if kind != "float" or not self.runtime.own_functions or not self.calls():
            return []
        return expr.arguments(self.formula, {"sin", "cos", "tan"}, expr.OPENCL)

    def value(self, kind: str, t: np.dtype, result: np.dtype) -> str:
        """The expression, converted to the result's type."""
        integer = kind not in ("float", "double")
        if self.name in TEXTS:
            text = INTEGER_TEXTS[self.name] if integer and self.name in INTEGER_TEXTS else TEXTS[self.name]
            if self.name == "bitwise_not" and t == BOOL:
                text = "!x"
        else:
            text = rendered(self.formula, kind)
        if self.name in PREDICATES or result.char == "e" or C_TYPES[result.char] == kind:
            return text
        if result == BOOL:
            return f"(({text}) != 0)"
        if not integer and result.kind in "iu":  # a negative float to an unsigned type goes by way of a signed one
            return f"({C_TYPES[result.char]})(long)({text})"
        return f"({C_TYPES[result.char]})({text})"


def loop(each: str, lines: list[str]) -> str:
    """``lines`` for each element."""
    body = "\n        ".join(lines)
    return f"{each} {{\n        {body}\n    }}"


# ---- memory --------------------------------------------------------------------------------------------------------
def empty(runtime: Runtime, shape: Sequence[int], dtype: Any) -> Array:
    """An array row by row, of whatever the memory held."""
    out = Array(runtime, None, dtype, tuple(shape))
    out.buffer = runtime.allocate(out.size * dtype.itemsize)
    return out


class Plan(NamedTuple):
    """How operands of some shapes and steps are run through: worked out once, then looked up."""

    shape: tuple[int, ...]
    out_steps: tuple[int, ...] | None  # of a new result; None: row by row
    sizes: tuple[int, ...]  # at most one, with steps of 1 or 0: the flat kernel will do
    to: tuple[int, ...]
    steps: tuple[Any, ...]  # per array: its steps, or whether it moves at all


@lru_cache(maxsize=4096)
def planned(shape: Any, out_steps: Any, *operands: tuple[tuple[int, ...], tuple[int, ...]]) -> Plan:
    """``shape`` and ``out_steps`` of the result (None: a new one). Raises ValueError where the shapes do not fit."""
    common = np.broadcast_shapes(*[s for s, _ in operands])
    new = shape is None
    if new:
        shape, out_steps = common, result_steps(common, operands)
    elif np.broadcast_shapes(common, shape) != shape:
        raise ValueError(f"could not broadcast input array from shape {common} into shape {shape}")
    to = row_major(shape) if out_steps is None else out_steps
    sizes, (to, *steps) = collapsed(shape, to, *[expanded_steps(s, t, shape) for s, t in operands])
    given = out_steps if new else None
    if not sizes:
        return Plan(shape, given, (), (), tuple(False for _ in steps))
    if len(sizes) == 1 and to[0] == 1 and all(s[0] in (0, 1) for s in steps):
        return Plan(shape, given, tuple(sizes), (1,), tuple(s[0] == 1 for s in steps))
    if len(sizes) == 1:
        sizes, to, steps = [1, *sizes], [0, *to], [[0, *s] for s in steps]
    if sizes[-1] < 32 and max(sizes) >= 4 * sizes[-1]:  # along a short dimension most work-items would be idle
        longest = sizes.index(max(sizes))
        for row in (sizes, to, *steps):
            row.append(row.pop(longest))
    return Plan(shape, given, tuple(sizes), tuple(to), tuple(map(tuple, steps)))


def result_steps(shape: tuple[int, ...], operands: Sequence[Any]) -> tuple[int, ...] | None:
    """Steps for a new result: without gaps, its dimensions in memory in the order that the first operand of its shape has."""
    same = [t for s, t in operands if s == shape]
    if not same or any(is_row_major(shape, t) for t in same):
        return None
    order = sorted(range(len(shape)), key=lambda d: -abs(same[0][d]))
    inside = row_major([shape[d] for d in order])
    return tuple(inside[order.index(d)] for d in range(len(order)))


def overlaps(x: Array, out: Array) -> bool:
    """Might writing ``out`` change elements of ``x`` that are still to be read? Not if both are the very same elements."""
    return x.buffer is out.buffer and not (x.at == out.at and x.steps == out.steps and x.shape == out.shape)


def upload(runtime: Runtime, array: np.ndarray) -> Array:
    """A copy of a numpy array in the device's memory, its dimensions in the same order in memory."""
    if array.dtype.char not in C_TYPES:
        raise TypeError(message(f"OpenCL arrays hold numbers, not {array.dtype}"))
    order = None
    if array.ndim > 1 and not array.flags.c_contiguous:
        order = sorted(range(array.ndim), key=lambda d: -abs(array.strides[d]))
        array = array.transpose(order)
    array = np.ascontiguousarray(array).reshape(array.shape)
    out = empty(runtime, array.shape, array.dtype.newbyteorder("="))
    if array.size:
        try:
            runtime.cl.enqueue_copy(runtime.queue, out.buffer, array)
        except runtime.cl.Error as error:
            raise runtime.failed("writing an array", error) from None
    if order is None:
        return out
    back = sorted(range(len(order)), key=order.__getitem__)
    return Array(runtime, out.buffer, out.dtype, tuple(out.shape[d] for d in back), tuple(out.steps[d] for d in back))


def make(runtime: Runtime, name: str) -> Callable[..., Array] | None:
    """The elementwise kernel called ``name`` (an op, or ``<op>_vjp<i>``), or None if there is no such thing."""
    op, vjp, index = name.partition("_vjp")
    if not vjp:
        if name in TEXTS:
            return Elementwise(runtime, name, TEXTS[name], "xy" if "y" in expr.names(TEXTS[name]) else "x", {})
        if name in formulas.COMPARISONS:
            return Elementwise(runtime, name, formulas.COMPARISONS[name], "xy", {})
    row = formulas.TABLE.get(op)
    if row is None or (vjp and int(index) >= len(row[1])):
        return None
    inputs, scalars = "xyz"[: len(row[1])], formulas.ARGUMENTS.get(op, {})
    if not vjp:
        return Elementwise(runtime, name, row[0], inputs, scalars)
    formula = row[1][int(index)]
    if formula is None or formula == "g":  # g itself: no kernel
        return None
    return Elementwise(runtime, name, formula, ("g", "out", *inputs), scalars)

