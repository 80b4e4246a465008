"""Steps that become several statements, with values between them that the recording does not have.

``parts`` is the table, like that of calls.py. What ``new`` makes is a value of the program like any
other.
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .calls import geometry
from .look import Look, Table
from .statements import Call, Copy, Each, Lowered, Place, Sum, View, row_major
from .templates import Ref, Value

if TYPE_CHECKING:
    from ..base.types import Operand, Shape
    from .program import Program, Step

parts = Table()


def new(program: Program, shape: Shape, like: int) -> int:
    """The number of a new value that lies row by row, of the dtype of value ``like``."""
    d = program.values[like].dtype
    strides = tuple([n * d.itemsize for n in row_major(shape)])
    program.values.append(Value(tuple(shape), d, strides))
    return len(program.values) - 1


def laid_out(program: Program, step: Step, n: int) -> Copy:
    """Value n, copied to lie row by row."""
    shape = program.values[n].shape
    to = new(program, shape, n)
    return Copy(step, to, None, [(n, Place(to, 0, row_major(shape), shape))])


@parts.entry("kernel zeros", "kernel full")
def _filled(s: Look) -> list[Lowered] | None:
    value = s.given[1] if s.step.name == "full" else 0
    if not s.alone or type(value) not in (bool, int, float):
        return None
    return [Copy(s.step, s.step.result.number, float(value), [])]


@parts.entry("kernel mse_loss")
def _mse_loss(s: Look) -> list[Lowered] | None:
    x, y = s.given
    if not s.floats(x, y, s.step.result) or s.shape(x) != s.shape(y):
        return None
    result, n, reduction = s.step.result.number, s.size(x), s.attr("reduction")
    to = result if reduction == "none" else new(s.program, s.shape(x), x.number)
    square = Each(s.step, to, "(x - y) * (x - y)", {"x": x, "y": y})
    if reduction == "none":
        return [square]
    dims = tuple(range(len(s.shape(x))))
    return [square, Sum(s.step, result, to, dims, n if reduction == "mean" else 1)]


@parts.entry("vjp mse_loss_vjp0", "vjp mse_loss_vjp1")
def _mse_loss_vjp(s: Look) -> list[Lowered] | None:
    g, _, x, y = s.given
    if not s.floats(g, x, y, s.step.result) or s.shape(x) != s.shape(y):
        return None
    factor = 2.0 if s.step.name.endswith("0") else -2.0
    operands: dict[str, Operand] = {"g": g, "x": x, "y": y, "z": factor}
    if s.attr("reduction") == "mean":
        operands["z"] = factor / s.size(x)
    return [Each(s.step, s.step.result.number, "z * (x - y) * g", operands)]


@parts.entry("vjp sum_vjp0", "vjp mean_vjp0")
def _spread(s: Look) -> list[Lowered] | None:
    """g, repeated along the dimensions that were summed and not kept."""
    g, shape, dim = s.given[0], s.shape(s.step.result), s.attr("dim")
    if not s.floats(g, s.step.result) or dim is None or not s.rows(g):
        return None
    dims = {i % len(shape) for i in ((dim,) if type(dim) is int else dim)}
    kept = tuple([1 if i in dims else n for i, n in enumerate(shape)])
    if math.prod(kept) != s.size(g):
        return None
    seen = new(s.program, kept, g.number)
    operands: dict[str, Operand] = {"x": Ref(seen)}
    if mean := s.step.name.startswith("mean"):
        operands["y"] = math.prod(shape) // max(s.size(g), 1)
    formula = "x / y" if mean else "x"
    return [View(s.step, seen, g.number, 0, row_major(kept)),
            Each(s.step, s.step.result.number, formula, operands)]  # fmt: skip


@parts.entry("kernel conv_transpose2d", *(f"vjp conv_transpose2d_vjp{i}" for i in range(3)))
def _conv_transpose2d(s: Look) -> list[Lowered] | None:
    """A convolution the other way round: its derivatives as an op, and the op as a derivative."""
    vjp, result = s.step.kind == "vjp", s.step.result.number
    if not s.alone or s.attr("groups") != 1 or not s.rows(s.given[0]):
        return None
    if s.step.name.endswith("vjp2"):
        return [Sum(s.step, result, s.given[0].number, (0, 2, 3), 1)]
    x, w = s.given[2:4] if vjp else s.given[:2]
    (n, o, *out), (_, c, *kernel) = (
        s.shape(y) if type(y) is Ref else y.shape
        for y in (s.step.result if s.step.name.endswith("vjp0") else x,
                  s.step.result if s.step.name.endswith("vjp1") else w)
    )  # fmt: skip
    sizes, rest = geometry(s, tuple(kernel), (n, o, *out))
    given = [n, c, *s.attr("size"), o, *sizes, *s.attr("dilation"), *rest]
    if vjp:
        forward = s.step.name.endswith("vjp0")
        if not s.rows(w if forward else x, s.step.result):
            return None
        if forward:
            return [s.call("conv2d", *given, s.given[0], w, None, s.step.result)]
        return [s.call("conv2d_vjp1", *given, x, s.given[0], s.step.result)]
    bias = s.given[2] if len(s.given) > 2 else None
    if not s.rows(x, w, s.step.result) or (bias is not None and not s.rows(bias)):
        return None
    to = result if bias is None else new(s.program, s.shape(s.step.result), result)
    done: list[Lowered] = [Call(s.step, "conv2d_vjp0", [*given, x, w, Ref(to)], [to], [])]
    if bias is not None:
        seen = new(s.program, (c, 1, 1), bias.number)
        both: dict[str, Operand] = {"x": Ref(to), "y": Ref(seen)}
        done += [View(s.step, seen, bias.number, 0, (1, 1, 1)), Each(s.step, result, "x + y", both)]
    return done
