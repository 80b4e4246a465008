"""Convolutions in groups, and of volumes, of exported programs: a table like that of calls.py.

One function of c/places.c makes what comes out, what goes in, or the weights. Transposed, a
convolution is the derivative of one.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .bodies import Body
from .look import Look, Table
from .parts import new
from .statements import Lowered, Sum
from .tabled import call, known
from .templates import Ref

if TYPE_CHECKING:
    from ..base.types import Array

volumes = Table()


@volumes.entry(*(f"{kind} {name}{d}d{end}" for name in ("conv", "conv_transpose") for d in (2, 3)
                for kind, end in (("kernel", ""), *[("vjp", f"_vjp{i}") for i in range(3)])))
def _convolution(s: Look) -> list[Lowered] | None:  # fmt: skip
    """One function, read in three ways; transposed, its derivative is the op."""
    vjp, out = s.step.kind == "vjp", s.step.result
    if s.step.name.endswith("vjp2"):
        dims = tuple([d for d in range(len(s.shape(s.given[0]))) if d != 1])
        return [Sum(s.step, out.number, s.given[0].number, dims, 1)]
    turned = "transpose" in s.step.name
    way = int(s.step.name[-1]) + 1 if vjp else 0
    x, k = s.given[2:4] if vjp else s.given[:2]
    shapes = [s.shape(y) if type(y) is Ref else y.shape for y in (x, k)]
    bias = s.given[2] if not vjp and len(s.given) > 2 else None
    made = s.shape(s.given[0] if vjp else out)
    small, large = (shapes[0], made) if turned else (made, shapes[0])  # out, and in, of c/places.c
    if len(shapes[0]) not in (4, 5):
        return None

    def three(xs: Sequence[int], fill: int = 1) -> list[int]:
        return [fill] * (3 - len(xs)) + [*xs]

    begins = [before for before, _ in s.attr("padding")]
    sizes = [*large[:2], small[1], s.attr("groups")]
    for part in (large[2:], shapes[1][2:], small[2:], s.attr("stride")):
        sizes += three(part)
    sizes += [*three(begins, 0), *three(s.attr("dilation"))]
    g, plain = s.given[0], out
    if turned and bias is not None:
        plain = Ref(new(s.program, made, out.number))
    if turned:
        given = ((x, k, plain), (g, k, out), (x, g, out))[way]
        name = ("conv3d_vjp0", "conv3d", "conv3d_vjp1")[way]
    else:
        given = ((x, k, out), (g, k, out), (g, x, out))[way]
        name = ("conv3d", "conv3d_vjp0", "conv3d_vjp1")[way]
    if not s.rows(*given) or (bias is not None and not s.rows(bias)):
        return None
    body = Body(s)
    between = (None if turned else bias,) if name == "conv3d" else ()
    operands = [sizes, *given[:2], *between, given[2]]
    body.done.append(call(s, name, *operands, makes=given[2]))
    if plain is not out:
        seen = body.seen(bias, (made[1], *[1] * (len(made) - 2)))
        body.each("x + y", made, out, x=plain, y=seen)
    return body.done


# ops whose kernels are derivatives of others, for they are differentiated themselves
DERIVED = {
    "conv2d_weight": "conv2d_vjp1", "conv3d_weight": "conv3d_vjp1",
    "avg_spread": "avg_pool2d_vjp0", "avg_spread3d": "avg_pool3d_vjp0",
    "adaptive_spread": "adaptive_avg_pool2d_vjp0", "adaptive_spread3d": "adaptive_avg_pool3d_vjp0",
}  # fmt: skip


@volumes.entry(*(f"kernel {name}" for name in DERIVED))
def _derived(s: Look) -> list[Lowered] | None:
    """As the step that stands in a backward pass: of (g, out, x, weight), where what is only asked
    for its shape may be the result."""
    x, *g = s.given
    name, given = DERIVED[s.step.name], (*g, x, x, s.step.result) if g else (x, x, s.step.result)
    step = replace(s.step, name=name, kind="vjp", arguments=given)
    return volumes.lowered(s.program, step, True)


@volumes.entry(*(f"{kind} {name}_pool{d}d{end}" for name in ("avg", "adaptive_avg") for d in (2, 3)
                 for kind, end in (("kernel", ""), ("vjp", "_vjp0"))))  # fmt: skip
def _means(s: Look) -> list[Lowered] | None:
    """Means of windows, of which a table says where each begins and ends."""
    vjp, (x, out) = s.step.kind == "vjp", (s.given[0], s.step.result)
    if not s.rows(x, out):
        return None
    large, small = (s.shape(y)[2:] for y in ((out, x) if vjp else (x, out)))
    divisor, fixed = s.attr("divisor"), not s.step.name.startswith("adaptive")
    def find() -> Array:
        ends = list[int]()
        for d, (n, m) in enumerate(zip(large, small, strict=True)):
            for i in range(m):
                if fixed:
                    begin = i * s.attr("stride")[d] - s.attr("padding")[d][0]
                    end = begin + s.attr("kernel")[d]
                else:
                    begin, end = i * n // m, -(-(i + 1) * n // m)
                ends += [max(begin, 0), min(end, n)]
        return np.array([0, 1] * (3 - len(large)) + ends)

    missing = [1] * (3 - len(large))
    table = known(s, (2 * (len(missing) + sum(small)),), find)
    body, made, counts = Body(s), out, None
    if type(divisor) is tuple:  # for each window; then what is summed is divided
        counts, dtype = Ref(new(s.program, small, x.number)), s.program.values[x.number].dtype
        s.program.later[counts.number] = lambda: np.array(divisor, dtype).reshape(small)
        if vjp:
            x = body.each("x / y", s.shape(x), x=x, y=counts)
        else:
            made = Ref(new(s.program, s.shape(out), out.number))
    each = 1 if counts is not None else divisor or 0
    sizes = [math.prod(s.shape(x)[:2]), *missing, *large, *missing, *small, each]
    name = "means_of_windows_vjp0" if vjp else "means_of_windows"
    body.done.append(call(s, name, *sizes, table, x, made, makes=made))
    if made is not out:
        body.each("x / y", s.shape(out), out, x=made, y=counts)
    return body.done
