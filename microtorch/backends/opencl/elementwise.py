"""Elementwise kernels: one object per value or derivative, called as the numpy function.

Which kernel runs depends on the dtypes and on how the operands lie:

* *flat*: all operands lie row by row in one shape: work-item i computes element i. An operand may
  also be a single element in memory, or a number, which is an argument of the kernel.
* *strided*: views and broadcasting. The dimensions are first merged as far as they lie evenly
  (``layout.collapsed``). The work-items run along one of them, and the index of the others is taken
  apart by divisions, once per work-item.
"""
from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...arrays.dtypes import BOOL, F32, F64
from ...base.errors import DeviceError, describe, message
from .array import Array, Operand
from .codegen import Expression, Kind, expression, kind_of
from .layout import Shape, collapsed, expanded_steps, is_row_major, row_major
from .memory import upload
from .runtime import Kernel, Runtime


class Elementwise:
    """The kernels of one expression on one device, built as kinds of operands appear."""

    def __init__(self, runtime: Runtime, expression: Expression):
        self.runtime, self.expression = runtime, expression
        self.positions, self.scalars = expression.positions, tuple(expression.scalars.items())
        # (dtype asked for, dimensions, a kind for each operand) -> kernel, dtype of the result
        self.built: dict[tuple[Any, ...], tuple[Kernel, np.dtype]] = {}

    def __call__(
        self, *values: Any, out: Array | None = None, dtype: np.dtype | None = None, **attrs: Any
    ) -> Array:
        # hot path: the flat kernel on operands that are already right
        operands = [values[p] for p in self.positions]
        if out is not None:
            return self.strided(operands, attrs, dtype, out)
        shape: Shape | None = None
        key: list[Any] = [dtype, 1]
        arguments: list[Any] = []
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
        kernel, result = self.built.get(tuple(key)) or self.build(tuple(key), operands)
        out = Array(self.runtime, None, result, () if shape is None else shape)
        if out.size:
            for s, default in self.scalars:
                arguments.append(attrs.get(s, default))
            kernel.each((out.size,), out.size, *arguments, out.buffer, 0)
        return out

    def strided(
        self, operands: list[Any], attrs: dict[str, Any], dtype: np.dtype | None, out: Array | None
    ) -> Array:
        """Any operands: broadcasting, views, numpy scalars, a given result."""
        known = (Array, float, int, bool)
        if any(type(x) not in known for x in operands):
            arrays = [x for x in operands if type(x) is Array]
            operands = [x if type(x) in known else self.number(x, arrays) for x in operands]
        arrays = [x for x in operands if type(x) is Array]
        if out is None:
            plan = planned(None, None, *[(x.shape, x.steps) for x in arrays])
            result = self.result(operands, dtype)
            out = Array(self.runtime, None, result, plan.shape, plan.out_steps)
        else:
            dtype = out.dtype
            plan = planned(out.shape, out.steps, *[(x.shape, x.steps) for x in arrays])
            if not out.flags.writeable:
                raise ValueError("assignment destination is read-only")
            if any(overlaps(x, out) for x in arrays):
                safe = [x.copy() if type(x) is Array and overlaps(x, out) else x for x in operands]
                return self.strided(safe, attrs, dtype, out)
        if not out.size:
            return out
        ndim, steps = len(plan.sizes), iter(plan.steps)
        key: list[Any] = [dtype, max(ndim, 1)]
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
        kernel, _ = self.built.get(tuple(key)) or self.build(tuple(key), operands)
        arguments += [attrs.get(s, default) for s, default in self.scalars]
        if ndim < 2:
            kernel.each((out.size,), *arguments, out.buffer, out.at)
        else:
            last = plan.sizes[-1]
            kernel.each((last, out.size // last), *arguments, out.buffer, out.at, *plan.to)
        return out

    def number(self, x: object, arrays: Sequence[Array]) -> Operand:
        """A numpy scalar (or 0-d array) beside device arrays, as a number or an array; anything
        larger is an error."""
        if isinstance(x, (np.generic, np.ndarray)) and np.ndim(x) == 0:
            if any(np.can_cast(x.dtype, a.dtype) for a in arrays):
                number: float = x.item()
                return number
            return upload(self.runtime, np.asarray(x))
        name = self.expression.name
        if isinstance(x, np.ndarray):
            here = self.runtime.device
            raise DeviceError(
                message(
                    "Expected all tensors to be on the same device, "
                    "but found at least two devices",
                    f"{name}: a numpy array, {describe(x)}, beside an array on {here}",
                    fix=f"torch.tensor(x, device='{here}')",
                )
            )
        raise TypeError(f"{name}: unsupported operand {type(x).__name__}")

    # ---- dtypes, and building --------------------------------------------------------------------
    def result(self, operands: Sequence[Operand], dtype: np.dtype | None) -> np.dtype:
        """The dtype of the result for these operands: numpy's, if none is asked for."""
        if dtype is not None:
            return dtype
        return BOOL if self.expression.is_predicate else self.computed(operands)

    def computed(self, operands: Sequence[Operand]) -> np.dtype:
        """The dtype of the computation."""
        values = operands[1:] if self.expression.name == "where" else operands
        d = np.result_type(*[x.dtype if isinstance(x, Array) else x for x in values])
        if d.kind != "f" and not self.expression.takes_integers():
            d = F64 if self.runtime.doubles else F32
        return d

    def build(self, key: tuple[Any, ...], operands: Sequence[Operand]) -> tuple[Kernel, np.dtype]:
        """The kernel for operands of these kinds, and its result's dtype."""
        dtype, ndim = key[:2]
        kinds: Sequence[Kind] = key[2:]
        name, runtime = self.expression.name, self.runtime
        result, t = self.result(operands, dtype), self.computed(operands)
        if name in ("copied", "where") and result.kind != "f":
            if all(not isinstance(x, Array) or x.dtype.kind != "f" for x in operands):
                t = result  # integers are only moved
        if t == F64 and not runtime.doubles:
            here = f"{runtime.device} ({runtime.name})"
            what = f"{name}: {here} has no float64 arithmetic (cl_khr_fp64)"
            given = "operands: " + ", ".join(map(describe, operands))
            raise RuntimeError(message(what, given, fix="x.float()"))
        text = self.expression.program(runtime, kinds, t, result, ndim)
        built = self.built[key] = runtime.kernel(text, f"{name}_{kind_of(t)}", name), result
        return built


# ---- how operands are run through ----------------------------------------------------------------
class Plan(NamedTuple):
    """How operands of some shapes and steps are run through: worked out once, then looked up."""

    shape: Shape
    out_steps: Shape | None  # of a new result; None: row by row
    sizes: Shape  # at most one, with steps of 1 or 0: the flat kernel will do
    to: Shape
    steps: tuple[Any, ...]  # per array: its steps, or whether it moves at all


@lru_cache(maxsize=4096)
def planned(
    shape: Shape | None, out_steps: Shape | None, *operands: tuple[Shape, Shape]
) -> Plan:
    """``shape`` and ``out_steps`` of the result (None: a new one). Raises ValueError where the
    shapes do not fit."""
    common = np.broadcast_shapes(*[s for s, _ in operands])
    given = None
    if shape is None:
        shape = common
        given = out_steps = result_steps(common, operands)
    elif np.broadcast_shapes(common, shape) != shape:
        what = f"could not broadcast input array from shape {common} into shape {shape}"
        raise ValueError(what)
    target = row_major(shape) if out_steps is None else out_steps
    all_steps = [expanded_steps(s, t, shape) for s, t in operands]
    sizes, (to, *steps) = collapsed(shape, target, *all_steps)
    if not sizes:
        return Plan(shape, given, (), (), tuple(False for _ in steps))
    if len(sizes) == 1 and to[0] == 1 and all(s[0] in (0, 1) for s in steps):
        return Plan(shape, given, tuple(sizes), (1,), tuple(s[0] == 1 for s in steps))
    if len(sizes) == 1:
        sizes, to, steps = [1, *sizes], [0, *to], [[0, *s] for s in steps]
    if sizes[-1] < 32 and max(sizes) >= 4 * sizes[-1]:  # along a short one work-items would idle
        longest = sizes.index(max(sizes))
        for row in (sizes, to, *steps):
            row.append(row.pop(longest))
    return Plan(shape, given, tuple(sizes), tuple(to), tuple(map(tuple, steps)))


def result_steps(shape: Shape, operands: Sequence[tuple[Shape, Shape]]) -> Shape | None:
    """Steps for a new result: without gaps, its dimensions in memory in the order that the first
    operand of its shape has. None: row by row."""
    same = [t for s, t in operands if s == shape]
    if not same or any(is_row_major(shape, t) for t in same):
        return None
    order = sorted(range(len(shape)), key=lambda d: -abs(same[0][d]))
    inside = row_major([shape[d] for d in order])
    return tuple(inside[order.index(d)] for d in range(len(order)))


def overlaps(x: Array, out: Array) -> bool:
    """Might writing ``out`` change elements of ``x`` that are still to be read? Not if both are the
    very same elements."""
    same = x.at == out.at and x.steps == out.steps and x.shape == out.shape
    return x.buffer is out.buffer and not same


def elementwise(runtime: Runtime, name: str) -> Elementwise | None:
    """The kernels called ``name`` (an op, or ``<op>_vjp<i>``), or None if it is not elementwise."""
    found = expression(name)
    return None if found is None else Elementwise(runtime, found)
