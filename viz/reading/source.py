"""The user's source by position: the variable that takes an expression's value, and its operands.

A node knows the exact span of the expression that made it (``Site``, from ``co_positions`` on
Python 3.11 and later). The syntax tree of the file knows what stands around that span: ``h = x @
w`` names the result ``h`` and the operands ``x`` and ``w``. Python 3.10 knows only the line; there
an assignment is found if its line is unambiguous.
"""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from typing import TypeAlias

from microtorch.graph import Site

UNDER = ("no_grad", "inference_mode")
LONGEST = 24  # a longer target is no name any more, unless it is a variable
_LOOPS = (
    ast.For,
    ast.While,
    ast.AsyncFor,
    ast.ListComp,
    ast.GeneratorExp,
    ast.SetComp,
    ast.DictComp,
)


Span: TypeAlias = tuple[int, int | None, int | None, int | None]


def span(node: ast.expr | ast.stmt) -> Span:
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset


def text(node: ast.AST) -> str:
    """A name as pictures show it: ``w``, ``self.w`` as ``w``, ``w[0]``; empty for other things."""
    if isinstance(node, ast.Starred):
        node = node.value
    inner = node
    while isinstance(inner, (ast.Attribute, ast.Subscript)):
        if isinstance(inner, ast.Subscript) and not isinstance(
            inner.slice, (ast.Constant, ast.UnaryOp, ast.Name)
        ):
            return ""
        inner = inner.value
    if not isinstance(inner, ast.Name):
        return ""
    name = ast.unparse(node).removeprefix("self.")
    return name if len(name) <= LONGEST or inner is node else ""


class Source:
    """One file: targets by span of the assigned expression, expressions by span, loops by line."""

    def __init__(self, file: str):
        lines = linecache.getlines(file)
        self.text = "".join(lines)
        self.targets: dict[Span, str] = {}
        self.lines: dict[
            int, str
        ] = {}  # line of the statement -> its single target, for Python 3.10
        self.expressions: dict[Span, ast.AST] = {}
        # name -> what was assigned to it, the line, and the `with no_grad()` around it
        self.assignments: dict[str, list[tuple[ast.expr, int, str]]] = {}
        self.loops: list[tuple[int, int, int]] = []  # first line, last line of a loop; its own line
        try:
            tree = ast.parse(self.text)
        except (SyntaxError, ValueError):
            return
        self.under = _under(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                self._assign(node.targets[0], node.value)
            elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
                self._assign(node.target, node.value)
            elif isinstance(node, ast.AugAssign):
                self.targets[span(node)] = text(
                    node.target
                )  # the operation's position is the whole statement's
                self.lines.setdefault(node.lineno, text(node.target))
                self.expressions[span(node)] = node
            if isinstance(node, (ast.BinOp, ast.Call, ast.UnaryOp, ast.Subscript, ast.Attribute)):
                self.expressions[span(node)] = node
            if isinstance(node, _LOOPS):
                self.loops.append((node.lineno, node.end_lineno or node.lineno, node.lineno))

    def _assign(self, target: ast.AST, value: ast.expr) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts):
                for t, v in zip(target.elts, value.elts, strict=True):
                    self._assign(t, v)
            return
        self.targets[span(value)] = name = text(target)
        self.assignments.setdefault(name, []).append(
            (value, value.lineno, self.under.get(value.lineno, ""))
        )
        self.lines.setdefault(value.lineno, text(target))

    def target(self, site: Site) -> str:
        """The variable assigned by the expression at ``site``, or an empty string."""
        if site.column is None:
            return self.lines.get(site.line, "")
        return self.targets.get((site.line, site.end_line, site.column, site.end_column), "")

    def expression(self, site: Site) -> ast.AST | None:
        if site.column is None:
            return None
        return self.expressions.get((site.line, site.end_line, site.column, site.end_column))

    def loop(self, line: int) -> int | None:
        """The line of the innermost loop around ``line``, or None."""
        around = [(last - first, own) for first, last, own in self.loops if first <= line <= last]
        return min(around)[1] if around else None


def _under(tree: ast.AST) -> dict[int, str]:
    """The lines that run under ``no_grad`` or ``inference_mode``."""
    out: dict[int, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.With, ast.AsyncWith)):
            words = " ".join(ast.unparse(item.context_expr) for item in node.items)
            for word in UNDER:
                if word in words:
                    out |= dict.fromkeys(range(node.lineno, (node.end_lineno or 0) + 1), word)
    return out


@lru_cache(maxsize=64)
def _cached(file: str, content: int) -> Source:
    return Source(file)


def of(file: str) -> Source:
    """The index of a file as it is now; it is empty where there is no file."""
    return _cached(file, hash(tuple(linecache.getlines(file))))


def operands(expression: ast.AST | None, n: int, method: bool = True) -> list[str]:
    """What the user calls the ``n`` operands of an expression; empty for what is no plain name.

    ``method``: may the object of a method be one of them?
    """
    found = expression.args if isinstance(expression, ast.Call) and not method else parts(
        expression, n
    )
    return [text(p) for p in found] if len(found) == n else [""] * n


def parts(expression: ast.AST | None, n: int) -> list[ast.AST]:
    """The operands of an expression that has ``n``, as far as their number tells."""
    parts: list[ast.AST] = []
    if isinstance(expression, ast.BinOp):
        parts = [expression.left, expression.right]
    elif isinstance(expression, ast.AugAssign):
        parts = [expression.target, expression.value]
    elif isinstance(expression, ast.UnaryOp):
        parts = [expression.operand]
    elif isinstance(expression, (ast.Subscript, ast.Attribute)):  # x[0], x.T
        parts = [expression.value]
    elif isinstance(expression, ast.Call):
        parts = list(expression.args)
        if len(parts) == n - 1 and isinstance(expression.func, ast.Attribute):
            parts = [expression.func.value, *parts]
    return parts


def line_of(site: Site) -> str:
    """Where a line of the user's stands, and what it says."""
    code = linecache.getline(site.file, site.line).strip()
    return f"{site}  {code}".rstrip()
