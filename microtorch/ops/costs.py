"""How many multiply-adds an op computes: those of products of matrices and of convolutions.

Each of these ops is linear in either operand, so its derivative by one of them multiplies the same
pairs of numbers again: it costs as much as the op itself.
"""
from __future__ import annotations

import math
from collections.abc import Sequence

from ..base.types import Shape


def multiply_adds(name: str, result: Shape, operands: Sequence[Shape], equation: str = "") -> int:
    """Of one call, by the shapes of its result and its operands; 0 for the name of another op.

    ``equation``: einsum's. Padding counts like the image, a product of two numbers like a matrix's.
    """
    if name in ("linear", "matmul"):
        return math.prod(result) * operands[0][-1]
    if name == "einsum":
        return _contraction(equation, operands)
    if not name.startswith("conv"):
        return 0
    first, second = operands[:2]
    if name.startswith("conv_transpose"):
        return math.prod(first) * math.prod(second[1:])
    if name.endswith("_weight"):  # of the input and the result's gradient
        return math.prod(second) * math.prod(result[1:])
    return math.prod(result) * math.prod(second[1:])


def _contraction(equation: str, operands: Sequence[Shape]) -> int:
    """Of an einsum, its operands taken in one after the other; an outer product alone is none."""
    left, _, result = equation.partition("->")
    terms = left.split(",")
    sizes = {c: n for term, shape in zip(terms, operands, strict=True)
             for c, n in zip(term, shape, strict=True)}  # fmt: skip
    total, made = 0, set(terms[0])
    for i, term in enumerate(terms[1:], 2):
        pair = made | set(term)
        made = pair & set(result).union(*terms[i:])
        if made != pair:
            total += math.prod(sizes[c] for c in pair)
    return total
