"""C or numpy? The one place that decides, by measurement; all of `Core` asks here or always takes C.

One call of C costs what one call of numpy costs, some 0.3 us. So C wins

* wherever one loop stands for two or more calls of numpy: softmax, losses, normalisation, convolution, pooling, cells of
  recurrent layers, optimizer steps, and formulas such as ``g * out * (1 - out)``. There C is always taken;
* for a single operation, on arrays that are large enough for several threads (``smallest``), provided that its functions are
  vector code (ext/functions.h), since numpy's are;
* for products of matrices, from a size on (``worthwhile``).
"""
from __future__ import annotations

import ast
from typing import Any

from ...arrays.dtypes import F32, F64
from ...notation import expr
from ..reference import UFUNCS
from ..table import LARGE

# ---- elementwise ---------------------------------------------------------------------------------------------------
ABSENT = frozenset({"erf", "erfc"})  # functions that numpy lacks, so that the reference kernel is a Python loop
# Functions for which C has vector code that is not slower than numpy's (log2 and log10 are, and for float64 all of numpy's are
# faster than the C library's, which takes one number at a time).
VECTORS = {F64: expr.CHEAP, F32: expr.CHEAP | {"exp", "exp2", "expm1", "log", "log1p", "sin", "cos", "tanh", "sigmoid", "softplus"}}


def smallest(name: str, formula: str, dtype: Any) -> int | None:
    """From how many elements on C's loop for ``formula`` is used in place of numpy's kernel ``name``; None: never.

    As measured, on arrays of 16, 1024 and 40,000 elements with one thread (``python -m benchmarks elementwise`` shows some). For
    one operation numpy's call is 1.6 times faster on 16 elements, and as fast on 40,000, where threads decide.
    """
    called = expr.functions(formula)
    if called & ABSENT:
        return 0
    if not called <= VECTORS[dtype] or any_power(formula):
        return None
    if name not in UFUNCS:
        return 0
    operations = sum(isinstance(n, (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call)) for n in ast.walk(expr.parse(formula)))
    return LARGE if operations == 1 else None  # a longer formula (hypot, logaddexp) is written with more care in numpy


def any_power(formula: str) -> bool:
    """Has it a power other than ``** 2``? That one is a product for the compiler; all others go to libm."""
    powers = [n for n in ast.walk(expr.parse(formula)) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Pow)]
    return any(not isinstance(n.right, ast.Constant) or n.right.value != 2 for n in powers)


# ---- products of matrices ------------------------------------------------------------------------------------------
LEAST = 2048  # elements; smaller operands are not even looked at
MULTIPLICATIONS = 1 << 17


def worthwhile(m: int, k: int, n: int) -> bool:
    """Whether C multiplies (m, k) by (k, n) sooner than numpy's BLAS, by measurement (``python -m benchmarks products``).

    numpy's call is shorter by 0.2 us, which decides up to 50 x 50, and few rows or columns fill C's tiles badly.
    """
    return m >= 8 and n >= 16 and m * k * n >= MULTIPLICATIONS
