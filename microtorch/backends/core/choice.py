"""C or numpy? The one place that decides, by measurement: `Core` asks here, or always takes C.

One call of C by way of cffi costs as much as one call of numpy, some 0.3 us. So C wins

* wherever one loop replaces two or more calls of numpy: softmax, losses, normalisation,
  convolution, pooling, cells of recurrent layers, optimizer steps, and formulas such as
  ``g * out * (1 - out)``. There C is always taken;
* for a single operation on arrays that are large enough for several threads (``smallest``), or for
  tables (ext/lookup.h), if its functions are vector code (ext/functions.h), since numpy's are;
* for products of matrices above a certain size (``worthwhile``).

Elementwise loops over few elements are called past cffi in 0.1 us (ext/direct.h). There C always
wins; ``smallest`` then tells of what that call hands on: of other layouts, most of all.
"""
from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ...arrays.dtypes import F32, F64
from ...notation import expr
from ..reference import UFUNCS
from ..table import large_from

if TYPE_CHECKING:
    from ...base.types import DType

# ---- elementwise ---------------------------------------------------------------------------------
ABSENT = frozenset({"erf", "erfc"})  # numpy lacks them, so the reference kernel is a Python loop
# whose C is as careful as numpy's loops, though its formula is longer than one operation
CAREFUL = frozenset({"logaddexp", "logaddexp2", "hypot"})
SLOW = frozenset({"fmod", "remainder", "hypot"})  # numpy's take one number at a time
BRANCHES = frozenset({"where"})  # numpy's branch, which costs ten times as much on a random mask
# Functions whose vector code in C is at least as fast as numpy's. It is slower for log2 and log10;
# and where C calls its library, which takes one number at a time.
DOUBLES = expr.CHEAP | {
    "atanh", "exp", "exp2", "expm1", "log", "log1p", "sigmoid", "softplus", "sin", "cos", "fmod",
    "remainder", "floor_divide",
}  # fmt: skip
VECTORS = {F64: DOUBLES, F32: DOUBLES | {"tanh"}}


def smallest(name: str, formula: str, dtype: DType) -> int | None:
    """How many elements it takes for C's loop for ``formula`` to replace numpy's kernel ``name``.

    None: it never does. This was measured on arrays of 16, 1024 and 40,000 elements with one thread
    (``python -m benchmarks elementwise`` shows some). For one operation numpy's call is 1.6 times
    faster on 16 elements, and as fast on 40,000, where threads decide. Functions with tables are as
    fast on 1,000 to 2,000 elements, and up to three times as fast on 16,000.
    """
    if formula == "0 * g":  # of a step: 0 whatever g is, also where it is no number
        return None
    called = expr.functions(formula)
    if called & ABSENT:
        return 0
    if not called <= VECTORS[dtype] or any_power(formula):
        return None
    if name not in UFUNCS or name in BRANCHES or name in SLOW:
        return 0
    # numpy writes the longer formulas (hypot, logaddexp) with more care
    return large_from(name) if operations_in(formula) == 1 or name in CAREFUL else None


def operations_in(formula: str) -> int:
    """How many calls of numpy a formula takes."""
    operation = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call)
    return sum(isinstance(n, operation) for n in ast.walk(expr.parse(formula)))


def any_power(formula: str) -> bool:
    """Has it a power other than ``** 2``? That one becomes a product; all others go to libm."""
    operations = [n for n in ast.walk(expr.parse(formula)) if isinstance(n, ast.BinOp)]
    powers = [n for n in operations if isinstance(n.op, ast.Pow)]
    return any(not isinstance(n.right, ast.Constant) or n.right.value != 2 for n in powers)


# ---- products of matrices ------------------------------------------------------------------------
LEAST = 2048  # elements; smaller operands always go to numpy, unless a bias is added
MULTIPLICATIONS = 1 << 17
FEW = 1 << 15  # multiplications; where a bias is added, for which numpy takes a second call, C wins


def worthwhile(m: int, k: int, n: int) -> bool:
    """Whether C multiplies (m, k) by (k, n) faster than numpy's BLAS.

    By measurement (``python -m benchmarks products``). numpy's call takes 0.2 us less, which
    decides up to 50 x 50, and a few rows or columns would leave C's tiles half empty.
    """
    return m * k * n >= MULTIPLICATIONS and fills_tiles(m, n)


def fills_tiles(m: int, n: int) -> bool:
    """Does a product of this shape fill C's tiles? Then C wins where a bias is added, too."""
    return m >= 8 and n >= 10
