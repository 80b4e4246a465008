"""Products of matrices, of layers and their derivatives, as statements: which are loops of C."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .look import cheaper_turned, one_thread
from .parts import laid_out, new
from .statements import Each, Lowered, Product, Sum, View
from .templates import Ref

if TYPE_CHECKING:
    from ..base.types import Operand, Shape
    from .program import Program, Step

# multiplications up to which a product of two matrices is written as loops: where the right one has
# first to be laid out anew, and where not
SMALL_PRODUCT, MEDIUM_PRODUCT = 1 << 17, 1 << 19
# and where the C core would have one thread, too; and numbers of what is then read again and again,
# and must stay in the cache
LARGE_PRODUCT, LARGE_MATRIX = 1 << 25, 1 << 16
# sizes of products that may leave out what relu has made 0 (c/products.c: product_of_few)
DEEPEST_OF_FEW, NARROWEST_OF_FEW = 256, 112
SHORTEST = 3  # features of a layer that is made number by number
# products: the places of the factors among a step's arguments, and which of them are transposed
PRODUCTS = {
    "kernel linear": (0, 1, False, True),
    "vjp linear_vjp0": (0, 3, False, False),
    "vjp linear_vjp1": (0, 2, True, False),
    "kernel matmul": (0, 1, False, False),
    "operator matmul": (0, 1, False, False),
    "vjp matmul_vjp0": (0, 3, False, True),
    "vjp matmul_vjp1": (2, 0, True, False),
}


def product(program: Program, step: Step, result: int, alone: bool) -> list[Lowered] | None:
    """linear, a product of matrices, and their derivatives."""
    if any(program.values[n].dtype != program.values[result].dtype for n in step.reads()):
        return None
    if program.values[result].dtype.kind != "f":
        return None
    given, values = step.arguments, program.values
    shape = values[result].shape
    name = f"{step.kind} {step.name}"
    if name == "vjp linear_vjp2" and type(given[0]) is Ref:
        n = given[0].number
        return [Sum(step, result, n, tuple(range(len(values[n].shape) - 1)), 1)]
    found = _multiplied(step, result)
    if found is None:
        return None
    a, b = values[found.x].shape, values[found.y].shape
    if not a or not b or not shape:
        return None
    before: list[Lowered] = []
    if step.name.startswith("linear"):  # all dimensions but the last are rows
        for m in (found.x, found.y):
            if len(values[m].shape) != 2 and not values[m].contiguous:
                before.append(copy := laid_out(program, step, m))
                if m == found.x:
                    found = found._replace(x=copy.result)
                else:
                    found = found._replace(y=copy.result)
        a, b, shape = _as_matrix(a), _as_matrix(b), _as_matrix(shape)
    if len(a) < 2 or len(b) < 2 or len(a) != len(b) or a[:-2] != b[:-2] or shape[:-2] != a[:-2]:
        return None
    inner = a[-2] if found.x_turned else a[-1]
    rows, columns = (a[-1] if found.x_turned else a[-2]), (b[-2] if found.y_turned else b[-1])
    if (rows, columns) != shape[-2:] or inner != (b[-1] if found.y_turned else b[-2]):
        return None
    if inner == 1 and found.bias is None and not found.x_turned and not found.y_turned:
        both: dict[str, Operand] = {"x": Ref(found.x), "y": Ref(found.y)}
        if len(values[found.x].shape) == len(values[result].shape) == len(values[found.y].shape):
            return [*before, Each(step, result, "x * y", both)]
    if name == "kernel linear" and len(values[found.x].shape) == 2 and inner <= SHORTEST:
        return _short_linear(program, found)
    if rows * columns * inner > MEDIUM_PRODUCT and inner <= DEEPEST_OF_FEW and (
        found.x_turned and len(shape) == 2 and columns >= NARROWEST_OF_FEW
        and any(s.name == "relu_vjp0" and found.x in s.gives() for s in program.steps)
    ):  # fmt: skip
        return [*before, found._replace(few=True)]
    y = values[found.y]
    lies = y.strides[-2 if found.y_turned else -1] == y.dtype.itemsize
    most = MEDIUM_PRODUCT if lies else SMALL_PRODUCT
    if len(shape) == 2 and one_thread():
        again = rows if not lies and cheaper_turned(rows, columns, inner) else columns
        most = LARGE_PRODUCT if again * inner <= LARGE_MATRIX else most
    return [*before, found] if alone or rows * columns * inner <= most else None


def _multiplied(step: Step, result: int) -> Product | None:
    """The product that a step is."""
    place = PRODUCTS.get(f"{step.kind} {step.name}")
    if place is None:
        return None
    i, j, x_turned, y_turned = place
    given = step.arguments
    bias = given[2] if step.name == "linear" and len(given) == 3 else None
    if len(given) <= max(i, j):
        return None
    x, y = given[i], given[j]
    if type(x) is not Ref or type(y) is not Ref or not (bias is None or type(bias) is Ref):
        return None
    b = bias.number if type(bias) is Ref else None
    return Product(step, result, x.number, y.number, x_turned, y_turned, b)


def _as_matrix(shape: Shape) -> Shape:
    return math.prod(shape[:-1]), shape[-1]


def _short_linear(program: Program, s: Product) -> list[Lowered]:
    """A layer of few features, number by number, so that it shares the loop of what follows."""
    views: list[Lowered] = []
    terms: dict[str, str] = {}
    operands: dict[str, Operand] = {}
    x, w = program.values[s.x], program.values[s.y]
    (row, column), (output, feature) = ([k // v.dtype.itemsize for k in v.strides] for v in (x, w))
    for i in range(x.shape[1]):
        for name, n, shape, start, strides in (
            (f"x{i}", s.x, (x.shape[0], 1), column, (row, 1)),
            (f"w{i}", s.y, (w.shape[0],), feature, (output,)),
        ):
            seen = new(program, shape, n)
            views.append(View(s.step, seen, n, i * start, strides))
            operands[name] = Ref(seen)
        terms[f"x{i}"] = f"x{i} * w{i}"
    if s.bias is not None:
        operands["bias"] = Ref(s.bias)
        terms["bias"] = "bias"
    return [*views, Each(s.step, s.result, " + ".join(terms.values()), operands)]
