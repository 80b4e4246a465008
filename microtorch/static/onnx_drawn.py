"""Steps that draw random numbers, as nodes of ONNX: of the same distribution, not the same numbers.

They enter themselves into the table of onnx_nodes.py. A shape is an operand, not an attribute, so
that it may follow the inputs' (onnx_sizes.py).
"""
from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import draws
from .onnx_nodes import node

if TYPE_CHECKING:
    from ..base.types import DType, Operand
    from .onnx_writer import Writer
    from .program import Step

DRAWING = frozenset({"RandomNormalLike", "RandomUniformLike", "Multinomial"})
DOUBLE = np.dtype(np.float64)


def given(s: Step) -> dict[str, Operand]:
    """What a function of draws.py is given, by name."""
    bound = inspect.signature(getattr(draws, s.name)).bind(*s.arguments, **s.attrs)
    bound.apply_defaults()
    return bound.arguments


def drawn(w: Writer, s: Step, op: str, like: DType | None = None, **attrs: float) -> str:
    """Numbers of the shape of a step's result, and of its dtype or another."""
    zeros = w.node("ConstantOfShape", [w.numbers(*w.shape(s.result))])
    kind = w.onnx.helper.np_dtype_to_tensor_dtype(like or w.dtype(s.result))
    given: dict[str, Operand] = {k: float(v) for k, v in attrs.items()}
    return w.node(op, [zeros], dtype=kind, **given)


def cast_to(w: Writer, name: str, like: DType, output: str = "") -> str:
    return w.node("Cast", [name], output, to=w.onnx.helper.np_dtype_to_tensor_dtype(like))


@node("normal", "log_normal")
def _normal(w: Writer, s: Step) -> None:
    a = given(s)
    found = drawn(w, s, "RandomNormalLike", mean=a["mean"], scale=a["std"])
    w.node("Exp" if s.name == "log_normal" else "Identity", [found], w.out(s))


@node("uniform")
def _uniform(w: Writer, s: Step) -> None:
    a = given(s)
    found = drawn(w, s, "RandomUniformLike", low=a["low"], high=a["high"])
    w.node("Identity", [found], w.out(s))


@node("normal_tensors")
def _normal_tensors(w: Writer, s: Step) -> None:
    a, like = given(s), w.dtype(s.result)
    found = w.node("Mul", [drawn(w, s, "RandomNormalLike"), w.cast(a["std"], like)])
    w.node("Add", [found, w.cast(a["mean"], like)], w.out(s))


@node("bernoulli", "dropout_noise")
def _bernoulli(w: Writer, s: Step) -> None:
    """By a comparison: onnxruntime 1.32 draws 1 with probability 1 - p in an operation Bernoulli,
    and leaves out a training Dropout of ones."""
    a, like, out = given(s), np.dtype(np.float32), w.dtype(s.result)
    p = a["p"] if s.name == "bernoulli" else 1 - a["p"]
    chosen = w.node("Less", [drawn(w, s, "RandomUniformLike", like), w.cast(p, like)])
    if s.name == "bernoulli":
        cast_to(w, chosen, out, w.out(s))
        return
    kept = w.constant(np.asarray(1 / p if p else 0, out))
    w.node("Where", [chosen, kept, w.constant(np.zeros((), out))], w.out(s))


def _waiting(w: Writer, s: Step) -> str:
    """-log(1 - u): 1 / lambda of it is the time until something happens."""
    u = drawn(w, s, "RandomUniformLike", DOUBLE)
    return w.node("Neg", [w.node("Log", [w.node("Sub", [w.constant(np.ones(())), u])])])


@node("exponential", "geometric")
def _exponential(w: Writer, s: Step) -> None:
    a = given(s)
    by = a["lambd"] if s.name == "exponential" else -math.log1p(-a["p"])
    found = w.node("Div", [_waiting(w, s), w.constant(np.asarray(by, DOUBLE))])
    found = w.node("Ceil", [found]) if s.name == "geometric" else found
    cast_to(w, found, w.dtype(s.result), w.out(s))


@node("cauchy")
def _cauchy(w: Writer, s: Step) -> None:
    a, like = given(s), np.dtype(np.float32)  # for which onnxruntime has a tangent
    u = drawn(w, s, "RandomUniformLike", like, low=-math.pi / 2, high=math.pi / 2)
    found = w.node("Mul", [w.node("Tan", [u]), w.constant(np.asarray(a["sigma"], like))])
    found = w.node("Add", [found, w.constant(np.asarray(a["median"], like))])
    cast_to(w, found, w.dtype(s.result), w.out(s))


@node("randint")
def _randint(w: Writer, s: Step) -> None:
    a = given(s)
    u = drawn(w, s, "RandomUniformLike", DOUBLE, low=a["low"], high=a["high"])
    below = w.node("Min", [w.node("Floor", [u]), w.constant(np.asarray(a["high"] - 1, DOUBLE))])
    cast_to(w, below, w.dtype(s.result), w.out(s))


@node("randperm")
def _randperm(w: Writer, s: Step) -> None:
    """The order of random numbers."""
    u = drawn(w, s, "RandomUniformLike", DOUBLE)
    many = w.node("Shape", [u])
    _, places = w.several("TopK", [u, many], w.fresh("largest"), w.fresh("places"))
    cast_to(w, places, w.dtype(s.result), w.out(s))


@node("multinomial")
def _multinomial(w: Writer, s: Step) -> None:
    """With replacement the operation of ONNX; without, the largest of log p plus Gumbel noise."""
    a = given(s)
    x, n = a["weights"], a["num_samples"]
    scores = w.node("Log", [w.name(x)])
    if a["replacement"]:
        rows = w.node("Unsqueeze", [scores, w.numbers(0)]) if len(w.shape(x)) == 1 else scores
        found = w.node("Multinomial", [rows], sample_size=n, dtype=7)
        shape = w.numbers(*([0] if len(w.shape(x)) > 1 else []), n)
        w.node("Reshape", [found, shape], w.out(s))
        return
    u = w.node("RandomUniformLike", [scores])
    gumbel = w.node("Neg", [w.node("Log", [w.node("Neg", [w.node("Log", [u])])])])
    w.several("TopK", [w.node("Add", [scores, gumbel]), w.numbers(n)], w.fresh("largest"), w.out(s))


@node("rrelu_slope")
def _slope(w: Writer, s: Step) -> None:
    """1 where x > 0, else a number between two bounds."""
    x, like = s.arguments[0], w.dtype(s.result)
    u = drawn(w, s, "RandomUniformLike", low=s.attrs["lower"], high=s.attrs["upper"])
    positive = w.node("Greater", [w.name(x), w.constant(np.zeros((), like))])
    w.node("Where", [positive, w.constant(np.ones((), like)), u], w.out(s))
