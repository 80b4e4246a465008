"""Steps on complex numbers, as nodes of ONNX, which has none: each value is two real ones.

The table ``RULES``, by the name of a step. A rule gets the parts of what the step is given, and
gives those of its result; the imaginary part of a real number is "". What only moves or adds
elements has no rule: its nodes are written twice, once for each part.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..notation import expr
from .onnx_nodes import NODES
from .templates import Ref

if TYPE_CHECKING:
    from ..base.types import DType, Operand
    from .onnx_writer import Writer
    from .program import Step

    Pair = tuple[str, str]
    Rule = Callable[..., Pair]

RULES: dict[str, Rule] = {}
TWICE = frozenset(
    "reshape view flatten squeeze unsqueeze transpose permute t expand broadcast_to flip roll "
    "slice select getitem index border cat stack clone copy asarray laid place diagonal "
    "as_strided unfold_dimension sum tril triu gather".split()
)


def rule(*names: str) -> Callable[[Rule], Rule]:
    def keep(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return keep


def concerned(w: Writer, s: Step) -> bool:
    """Is a complex number among what a step is given or gives?"""
    return any(w.program.values[n].dtype.kind == "c" for n in (*s.reads(), *s.gives()))


def write(w: Writer, s: Step) -> None:
    """The nodes of such a step."""
    if type(s.result) is not Ref or s.attrs.get("out") is not None:
        raise w.refuse(" of complex numbers")
    n = s.result.number
    if s.name in RULES:
        like = real(w.dtype(s.result))
        real_part, imaginary = RULES[s.name](w, s, like, *[parts(w, x, like) for x in s.arguments])
    elif s.name in TWICE and all(w.dtype(x).kind == "c" for x in s.arguments if type(x) is Ref):
        real_part = once(w, s)
        whole = {m: w.names[m] for m in s.reads() if m in w.imaginary}
        w.names.update({m: w.imaginary[m] for m in whole})
        imaginary = once(w, s)
        w.names.update(whole)
    else:
        raise w.refuse(" of complex numbers")
    w.names[n] = real_part
    if w.dtype(s.result).kind == "c":
        w.imaginary[n] = imaginary or zeros(w, real_part)


def once(w: Writer, s: Step) -> str:
    """The name of what the real step gives."""
    w.names.pop(s.result.number, None)
    NODES[s.name](w, s)
    return w.names.pop(s.result.number)


def real(like: DType) -> DType:
    return np.zeros(0, like).real.dtype


def zeros(w: Writer, like: str) -> str:
    return w.node("CastLike", [w.node("ConstantOfShape", [w.node("Shape", [like])]), like])


def parts(w: Writer, x: Operand, like: DType) -> Pair:
    """The names of the real and the imaginary part."""
    if type(x) is Ref and x.number in w.program.constants:
        x = w.program.constants[x.number]
    if type(x) is not Ref:
        if not isinstance(x, (int, float, complex, np.ndarray, np.generic)):
            return "", ""
        array = np.asarray(x)
        imaginary = w.constant(array.imag.astype(like)) if array.dtype.kind == "c" else ""
        return w.constant(array.real.astype(like)), imaginary
    if w.dtype(x).kind == "c":
        return w.name(x), w.imaginary[x.number]
    return w.cast(x, like), ""


# ---- from and to real numbers --------------------------------------------------------------------
def apart(w: Writer, x: str) -> Pair:
    """The two elements along the last dimension."""
    first, second = (w.node("Gather", [x, w.constant(np.asarray(i))], axis=-1) for i in (0, 1))
    return first, second


def joined(w: Writer, x: Pair) -> str:
    """A last dimension of 2, or of 1 for real numbers."""
    if not x[1]:
        return w.node("Unsqueeze", [x[0], w.numbers(-1)])
    return w.node("Concat", [w.node("Unsqueeze", [y, w.numbers(-1)]) for y in x], axis=-1)


RULES["view_as_complex"] = lambda w, s, like, x: apart(w, x[0])
RULES["view_as_real"] = lambda w, s, like, x: (joined(w, x), "")
RULES["complex"] = lambda w, s, like, x, y: (x[0], y[0])
RULES["real"] = lambda w, s, like, x: (x[0], "")
RULES["imag"] = lambda w, s, like, x: (x[1], "")
RULES["conj"] = lambda w, s, like, x: (x[0], w.node("Neg", [x[1]]))
RULES["cast"] = RULES["astype"] = lambda w, s, like, x, *more: x


@rule("abs")
def _abs(w: Writer, s: Step, like: DType, x: Pair) -> Pair:
    return w.node("ReduceL2", [joined(w, x), w.numbers(-1)], keepdims=0), ""


@rule("angle")
def _angle(w: Writer, s: Step, like: DType, x: Pair) -> Pair:
    return w.formula(expr.parse("atan2(x, y)"), {"x": x[1], "y": x[0]}, like), ""


# ---- arithmetic ----------------------------------------------------------------------------------
@rule("neg")
def _neg(w: Writer, s: Step, like: DType, x: Pair) -> Pair:
    return w.node("Neg", [x[0]]), w.node("Neg", [x[1]])


@rule("exp")
def _exp(w: Writer, s: Step, like: DType, x: Pair) -> Pair:
    size = w.node("Exp", [x[0]])
    real_part, imaginary = (w.node("Mul", [size, w.node(op, [x[1]])]) for op in ("Cos", "Sin"))
    return real_part, imaginary


@rule("add", "sub")
def _add(w: Writer, s: Step, like: DType, x: Pair, y: Pair) -> Pair:
    op = s.name.title()
    ones = [[a or zeros(w, z[0]) for a, z in ((x[i], x), (y[i], y))] for i in (0, 1)]
    return w.node(op, ones[0]), w.node(op, ones[1])


@rule("mul", "matmul")
def _product(w: Writer, s: Step, like: DType, x: Pair, y: Pair) -> Pair:
    """(a + bi)(c + di) = (ac - bd) + (ad + bc)i."""
    op = "MatMul" if s.name == "matmul" else "Mul"
    if not x[1] or not y[1]:
        return w.node(op, [x[0], y[0]]), w.node(op, [x[1] or x[0], y[1] or y[0]])
    ac, bd, ad, bc = (w.node(op, [x[i], y[j]]) for i, j in ((0, 0), (1, 1), (0, 1), (1, 0)))
    return w.node("Sub", [ac, bd]), w.node("Add", [ad, bc])


@rule("div")
def _quotient(w: Writer, s: Step, like: DType, x: Pair, y: Pair) -> Pair:
    if not y[1]:
        return w.node("Div", [x[0], y[0]]), w.node("Div", [x[1], y[0]])
    squares = [w.node("Mul", [a, a]) for a in y]
    size = w.node("Add", squares)
    top = _product(w, s, like, x, (y[0], w.node("Neg", [y[1]])))
    return w.node("Div", [top[0], size]), w.node("Div", [top[1], size])


# ---- transforms ----------------------------------------------------------------------------------
def transformed(w: Writer, x: str, d: int, inverse: int, onesided: int = 0) -> str:
    """DFT along dimension d of what has a last dimension of 1 or 2; ONNX wants a batch around it.
    """
    around = w.node("Unsqueeze", [x, w.numbers(0)])
    given, attrs = [around], dict[str, "Operand"](axis=d + 1)
    if w.opset >= 20:
        given, attrs = [around, "", w.constant(np.asarray(d + 1))], {}
    found = w.node("DFT", given, inverse=inverse, onesided=onesided, **attrs)
    return w.node("Squeeze", [found, w.numbers(0)])


def scaled(w: Writer, s: Step, like: DType, x: Pair, n: int, inverse: bool) -> Pair:
    """The inverse of ONNX has divided by n."""
    by = {"none": 1.0, "count": 1 / n, "root": 1 / math.sqrt(n)}[s.attrs["scale"]]
    by *= n if inverse else 1
    if by == 1:
        return x
    factor = w.constant(np.asarray(by, like))
    return w.node("Mul", [x[0], factor]), x[1] and w.node("Mul", [x[1], factor])


def points(w: Writer, s: Step, x: Operand) -> tuple[list[int], int]:
    """The dimensions, and how many numbers there are in them."""
    shape = w.shape(x)
    dims = [d % len(shape) for d in s.attrs["dims"]]
    return dims, math.prod(shape[d] for d in dims)


@rule("fft_c2c")
def _complex_to_complex(w: Writer, s: Step, like: DType, x: Pair) -> Pair:
    dims, n = points(w, s, s.arguments[0])
    inverse = bool(s.attrs["inverse"])
    found = joined(w, x)
    for d in dims:
        found = transformed(w, found, d, int(inverse))
    return scaled(w, s, like, apart(w, found), n, inverse)


@rule("fft_r2c")
def _real_to_complex(w: Writer, s: Step, like: DType, x: Pair) -> Pair:
    dims, n = points(w, s, s.arguments[0])
    found = transformed(w, joined(w, x), dims[-1], 0, 1)
    for d in dims[:-1]:
        found = transformed(w, found, d, 0)
    return scaled(w, s, like, apart(w, found), n, False)


@rule("fft_c2r")
def _complex_to_real(w: Writer, s: Step, like: DType, x: Pair) -> Pair:
    """The other half of the spectrum is the conjugate of the first, from behind."""
    dims, _ = points(w, s, s.arguments[0])
    n, d, size = math.prod(w.shape(s.result)[i] for i in dims), dims[-1], s.attrs["size"]
    found = joined(w, (x[0], x[1] or zeros(w, x[0])))
    for i in dims[:-1]:
        found = transformed(w, found, i, 1)
    first, second = apart(w, found)
    behind = np.arange(size - size // 2 - 1, 0, -1)
    halves = [w.node("Gather", [y, w.constant(behind)], axis=d) for y in (first, second)]
    whole = [w.node("Concat", [y, z], axis=d)
             for y, z in ((first, halves[0]), (second, w.node("Neg", [halves[1]])))]  # fmt: skip
    found = transformed(w, joined(w, (whole[0], whole[1])), d, 1)
    return scaled(w, s, like, (apart(w, found)[0], ""), n, True)
