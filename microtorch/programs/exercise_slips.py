"""One slip of the pen: which small change of a rule gives the pupil's number?

The formula table has the derivative of each op. Each of its places is changed in the ways in which
one errs: a sign, a factor left out, the result where the input belongs. Where one of them gives the
number that was found, the answer can say what went wrong, and not only that something did.
"""
from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..notation import expr, formulas
from ..notation.formulas import LETTERS

SIGNS: dict[type[ast.operator], tuple[ast.operator, str]] = {
    ast.Add: (ast.Sub(), "a − where a + belongs"),
    ast.Sub: (ast.Add(), "a + where a − belongs"),
}
INVERSE: dict[type[ast.operator], tuple[ast.operator, str]] = {
    ast.Mult: (ast.Div(), "divided where one multiplies"),
    ast.Div: (ast.Mult(), "multiplied where one divides"),
}
OUT = "the input stands where the result belongs"
IN = "the result stands where the input belongs"


def slip(
    op: str, position: int, inputs: Sequence[object], out: object, g: object, got: object,
    names: Sequence[str],
) -> str:  # fmt: skip
    """What makes ``got`` of the derivative of ``op`` by the input at ``position``; "" if unknown.

    Arrays are compared element by element; ``g`` is the gradient of the result ``out``, and
    ``names`` are those of the inputs.
    """
    if op not in formulas.TABLE or position >= len(formulas.TABLE[op][1]):
        return ""
    rule = formulas.TABLE[op][1][position]
    static = {k: v for k, v in formulas.ARGUMENTS.get(op, {}).items() if v is not None}
    if rule is None or len(static) < len(formulas.ARGUMENTS.get(op, {})):
        return ""
    letters = LETTERS[: len(formulas.TABLE[op][1])]
    try:
        values = np.broadcast_arrays(*[np.asarray(v, float) for v in (g, out, *inputs, got)])
    except ValueError:  # shapes that do not fit have a hint of their own
        return ""
    rows = [v.ravel() for v in values]
    shown = expr.text_dialect(dict(zip(letters, names, strict=False)))
    for text, said in _slips(rule, shown):
        f = expr.compile_scalar(text, ", ".join(["g", "out", *letters, *static]), op)
        if _gives(f, rows, list(static.values())):
            return said
    return ""


def _gives(f: Callable[..., float], rows: list[np.ndarray], static: list[float]) -> bool:
    for *given, got in zip(*[row.tolist() for row in rows], strict=True):
        try:
            if not np.isclose(f(*given, *static), got, rtol=1e-5, atol=1e-7):
                return False
        except (ArithmeticError, ValueError):
            return False
    return True


def _slips(rule: str, shown: expr.Dialect) -> Iterator[tuple[str, str]]:
    """The rule with one place changed, and what that change is; the usual ones first."""
    tree = expr.parse(rule)
    yield f"-({rule})", "the sign: a minus is missing, or there is one too many"
    for given, said in (({"out": "x"}, OUT), ({"x": "out"}, IN)):
        if given.keys() & expr.names(rule):
            yield _renamed(tree, given), said
    places = enumerate(ast.walk(tree))
    found = [made for k, node in places for made in _changes(node, k, tree, shown)]
    seen = {rule}
    for rank in range(3):
        for text, said, order in found:
            if order == rank and text not in seen:
                seen.add(text)
                yield text, said
    names = expr.names(rule)
    if {"x", "y"} & names:
        swapped = {"x": "y", "y": "x"}
        yield _renamed(tree, swapped), "the two inputs are exchanged"


def _changes(
    node: ast.AST, k: int, tree: ast.expr, shown: expr.Dialect
) -> Iterator[tuple[str, str, int]]:
    """The formula with its k-th node changed, what was changed, and how unusual that is."""
    if isinstance(node, ast.Name):
        if node.id == "g":
            yield _with(tree, k, ast.Constant(1)), ARRIVES, 0
        elif node.id == "out":
            yield _with(tree, k, ast.Name("x")), OUT, 1
        elif node.id == "x":
            yield _with(tree, k, ast.Name("out")), IN, 1
    elif isinstance(node, ast.UnaryOp):
        yield _with(tree, k, node.operand), "a minus is missing", 0
    elif isinstance(node, ast.Call) and len(node.args) == 1:
        yield _with(tree, k, node.args[0]), f"{expr.called(node)} is missing", 2
    elif isinstance(node, ast.BinOp):
        kind = type(node.op)
        if kind in SIGNS:
            other, said = SIGNS[kind]
            yield _with(tree, k, ast.BinOp(node.left, other, node.right)), said, 0
            sign = "+" if kind is ast.Add else "−"
            lost_term = f"the “{sign} {_text(node.right, shown)}” is missing"
            yield _with(tree, k, node.left), lost_term, 1
        elif kind in INVERSE:
            for kept, lost in ((node.right, node.left), (node.left, node.right)):
                known = "g" not in expr.names(ast.unparse(lost))
                if known and (kind is ast.Mult or kept is node.left):
                    word = "factor" if kind is ast.Mult else "divisor"
                    yield _with(tree, k, kept), f"the {word} {_text(lost, shown)} is missing", 1
            other, said = INVERSE[kind]
            yield _with(tree, k, ast.BinOp(node.left, other, node.right)), said, 2


ARRIVES = "the gradient that arrives (g, or out.grad) is not multiplied in"


def _text(node: ast.expr, shown: expr.Dialect) -> str:
    return expr.render(ast.unparse(node), shown)


def _with(tree: ast.expr, k: int, new: ast.expr) -> str:
    """The formula with its k-th node, in the order of a walk, exchanged."""
    made = copy.deepcopy(tree)
    old = list(ast.walk(made))[k]

    class Exchange(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return copy.deepcopy(new) if node is old else self.generic_visit(node)

    return ast.unparse(Exchange().visit(made))


def _renamed(tree: ast.expr, names: dict[str, str]) -> str:
    made = copy.deepcopy(tree)
    for node in ast.walk(made):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
    return ast.unparse(made)
