"""A computation as mathematics: ``viz.latex(loss, w)`` is the function, and its derivative by w.

    L = (\\tanh(x w + b) - y)^2
    dL/dw = dL/do do/dn dn/dw = 2 (o - y) (1 - o^2) x

Of numbers (Scalars, and tensors without dimensions) the whole function is written as one formula,
and the derivative by the chain rule: as a product along each path, with the derivative of each op
put in, simplified (notation/algebra.py), and written out in the leaves. Of tensors each op is an
equation of its own, and the derivative is the list of what backward computes on its way to the
leaf.
"""

from __future__ import annotations

import os
import re

from microtorch.base import errors
from microtorch.notation import algebra, expr
from microtorch.notation.algebra import Term
from microtorch.notation.formulas import LETTERS

from ..reading import numbers
from ..reading.take import Root, caller, take
from ..reading.trace import Contribution, Trace, TraceNode, Value
from .lookup import find
from .steps import add_steps, attributes, rule_of
from .table import latex as cell
from .words import display_names, expression

ARITHMETIC = frozenset(
    {"add", "sub", "mul", "div", "neg", "pow", "square", "reciprocal", "sqrt", "rsqrt", "abs"}
)  # written out; other ops by their names
PATHS = 6  # written as products
LONG = 60  # names and numbers of a formula; in a longer one, intermediates keep their names
ROWS = 6  # of a matrix that is written out
EQUATIONS = {  # of tensor ops, by the LaTeX of their operands
    "matmul": r"{0} \, {1}",
    "linear": r"{0} \, {1}^{{\top}} + {2}",
    "mse_loss": r"\frac{{1}}{{n}} \sum \left({0} - {1}\right)^2",
    "sum": r"\sum {0}",
    "mean": r"\frac{{1}}{{n}} \sum {0}",
    "transpose": r"{0}^{{\top}}",
}


class Latex:
    """LaTeX text. ``print`` it; a notebook typesets it; ``save("loss.tex")`` writes it.

    ``function``    the equations of the function
    ``chain``       those of its derivative; empty where none was asked for
    ``formula``     the simplified derivative in the grammar of notation/formulas.py, whose names
                    are in ``symbols``; empty for tensors
    """

    def __init__(self, function: list[str], chain: list[str], formula: str = ""):
        self.function, self.chain, self.formula = function, chain, formula
        self.symbols: dict[str, str] = {}

    def __str__(self) -> str:
        lines = " \\\\\n  ".join([*self.function, *self.chain])
        return f"\\begin{{aligned}}\n  {lines}\n\\end{{aligned}}"

    __repr__ = __str__

    def _repr_latex_(self) -> str:
        return f"$$\n{self}\n$$"

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write a ``.tex`` file to ``\\input`` between ``\\[`` and ``\\]`` (needs amsmath)."""
        path = os.fspath(path)
        if not path.endswith(".tex"):
            raise ValueError(errors.message(f"save({path!r}): LaTeX goes into a .tex file"))
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"{self}\n")
        return path


def latex(loss: Root, wrt: Root | str | None = None, *, values: bool = False) -> Latex:
    """A computation, and its derivative by ``wrt``, as LaTeX.

    ``wrt``: a Tensor or Scalar that took part, or a key of ``viz.trace``; None: the function alone.
    ``values``: with the numbers put in, and the result. Changes no ``.grad``. Raises as ``trace``
    does, and GraphError where no gradient flows to ``wrt``.
    """
    trace = add_steps(take(loss, "latex", caller(), gradients=True, most=1000))
    leaf = None
    if isinstance(wrt, (str, int)):
        leaf = find(trace, wrt)
    elif wrt is not None:
        assert trace.computation is not None
        leaf = trace.computation.index(wrt)
    if leaf is not None and (leaf < 0 or not trace.nodes[leaf].needs):
        name = display_names(trace)[leaf] if leaf >= 0 else "what wrt names"
        what = f"no gradient flows from {display_names(trace)[trace.root]} to {name}"
        raise errors.GraphError(errors.message(what, fix="viz.explain_grad(p, loss) tells why"))
    numeric = all(_is_number(t) for t in trace.nodes)
    return (_Numbers if numeric else _Tensors)(trace, leaf, values).written


def _is_number(t: TraceNode) -> bool:
    """Can a node be written as a formula of numbers?"""
    if t.shape or not t.op:
        return not t.shape
    try:
        expr.parse(t.formula)
        for rule in t.rules:
            expr.parse(rule or "g")
    except expr.FormulaError:
        return False
    return True


class _Numbers:
    """The formula of a graph of numbers, and its derivative."""

    def __init__(self, trace: Trace, leaf: int | None, values: bool):
        self.trace, self.names = trace, display_names(trace)
        self.symbols = {f"n{t.id}": cell(self.names[t.id])[1:-1] for t in trace.nodes}
        self.inline = {k: _part(v) for k, v in self.symbols.items()}
        self.kept: set[int] = set()
        terms = self._terms(set())
        if algebra.size(terms[trace.root]) > LONG:
            self.kept = {t.id for t in trace.nodes if t.op and t.name and t.id != trace.root}
            terms = self._terms(self.kept)
        if algebra.size(terms[trace.root]) > LONG:
            self.kept = {t.id for t in trace.nodes if t.op and t.id != trace.root}
            terms = self._terms(self.kept)
        function = []
        for i in [*sorted(self.kept), trace.root]:
            own = self._made(i, [self._shown(j, terms) for j in trace.nodes[i].inputs])
            function.append(f"{self.symbols[f'n{i}']} &= {self._print(own)}")
        if values:
            function[-1] += self._in_numbers(own, trace.nodes[trace.root].value)
        chain: list[str] = []
        text = ""
        if leaf is not None:
            chain, text = self._derivative(leaf, terms, values)
        self.written = Latex(function, chain, text)
        self.written.symbols = {f"n{i}": name for i, name in enumerate(self.names)}

    def _shown(self, j: int, terms: list[Term]) -> Term:
        return ("v", f"n{j}") if j in self.kept else terms[j]

    def _terms(self, kept: set[int]) -> list[Term]:
        """Each value in the leaves, and in the values that are ``kept`` as names."""
        out: list[Term] = []
        for t in self.trace.nodes:
            if t.role == "constant" and t.number is not None:
                out.append(algebra.number(t.number))
            elif not t.op or t.id in kept:
                out.append(("v", f"n{t.id}"))
            else:
                out.append(self._made(t.id, [out[j] for j in t.inputs]))
        return out

    def _made(self, i: int, inputs: list[Term]) -> Term:
        t = self.trace.nodes[i]
        if t.op in ARITHMETIC:
            return algebra.read(t.formula, dict(zip(LETTERS, inputs, strict=False)))
        return ("f", t.op, *inputs)

    def _slope(self, i: int, position: int, values: list[Term]) -> Term:
        """∂(node i)/∂(operand), from the formula table."""
        t = self.trace.nodes[i]
        put = dict(zip(LETTERS, (values[j] for j in t.inputs), strict=False))
        put |= {"g": algebra.ONE, "out": values[i]}
        put |= {k: algebra.number(v) for k, v in attributes(t).items()}
        rule = rule_of(self.trace, t, position)
        return algebra.read(rule, put) if rule else algebra.ZERO

    def _derivative(
        self, leaf: int, terms: list[Term], values: bool
    ) -> tuple[list[str], str]:
        root = self.trace.root
        every: list[Term] = [
            algebra.number(t.number)
            if t.role == "constant" and t.number is not None
            else ("v", f"n{t.id}")
            for t in self.trace.nodes
        ]
        paths = self._paths(leaf)
        left = self._partial(root, leaf)
        lines = []
        if 0 < len(paths) <= PATHS and max(map(len, paths)) <= 2 * PATHS:
            products = [
                r" \, ".join(self._partial(e[0], e[1]) for e in path) or "1" for path in paths
            ]
            lines.append(f"{left} &= {' + '.join(products)}")
            slopes = [[self._slope(i, p, every) for i, _, p in path] for path in paths]
            local = algebra.total(*(algebra.product(*factors) for factors in slopes))
            first = self._print(local)
            lines.append(f"&= {first}")
        else:
            local, first = algebra.ZERO, ""
        back: dict[int, Term] = {root: algebra.ONE}
        for t in reversed(self.trace.nodes):
            if t.id in back and t.op:
                for p, j in enumerate(t.inputs):
                    if self.trace.nodes[j].needs:
                        part = algebra.product(back[t.id], self._slope(t.id, p, self._known(terms)))
                        back[j] = algebra.total(back.get(j, algebra.ZERO), part)
        simple = back.get(leaf, algebra.ZERO)
        last = self._print(simple)
        if last != first:
            lines.append(f"{'' if lines else left + ' '}&= {last}")
        if values:
            shown = local if first else simple
            lines.append("&" + self._in_numbers(shown, self.trace.nodes[leaf].grad).lstrip())
        return lines, algebra.text(simple)

    def _known(self, terms: list[Term]) -> list[Term]:
        return [self._shown(i, terms) for i in range(len(terms))]

    def _paths(self, leaf: int) -> list[list[tuple[int, int, int]]]:
        """The ways from the root to a leaf as edges (node, operand, position); not all of many."""
        reach = {leaf}
        for t in self.trace.nodes:
            if t.needs and not reach.isdisjoint(t.inputs):
                reach.add(t.id)
        found: list[list[tuple[int, int, int]]] = []
        stack: list[tuple[int, list[tuple[int, int, int]]]] = [(self.trace.root, [])]
        while stack and len(found) <= PATHS:
            i, path = stack.pop()
            if i == leaf:
                found.append(path)
                continue
            inputs = list(enumerate(self.trace.nodes[i].inputs))
            stack += [(j, [*path, (i, j, p)]) for p, j in reversed(inputs) if j in reach]
        return found

    def _partial(self, i: int, j: int) -> str:
        a, b = self.symbols[f"n{i}"], self.symbols[f"n{j}"]
        return rf"\frac{{\partial {_part(a)}}}{{\partial {_part(b)}}}"

    def _print(self, term: Term) -> str:
        return expr.render(algebra.text(term), algebra.latex_dialect(self.inline))

    def _in_numbers(self, term: Term, result: Value | None) -> str:
        """``= 2 \\cdot 0.5 = 1``: the formula with numbers for its names, and what comes out."""
        shown = {
            f"n{t.id}": algebra.latex_number(t.number)
            for t in self.trace.nodes
            if t.number is not None
        }
        dialect = algebra.latex_dialect(shown)
        dialect = dialect.but(signs={**dialect.signs, "*": r"\cdot"})
        text = expr.render(algebra.text(term), dialect)
        number = None if result is None else result.number
        value = "" if number is None else algebra.latex_number(number)
        return "".join(f" = {s}" for s in dict.fromkeys([text, value]) if s)


class _Tensors:
    """One equation for each op, and one for each gradient on the way to the leaf."""

    def __init__(self, trace: Trace, leaf: int | None, values: bool):
        self.trace, self.names = trace, display_names(trace)
        function = [self._equation(t) for t in trace.nodes if t.op]
        if values:
            function[-1] += _equals(trace.nodes[trace.root].value)
        self.written = Latex(function, [] if leaf is None else self._derivative(leaf, values))

    def _equation(self, t: TraceNode) -> str:
        inputs = [_part(cell(self.names[j])[1:-1]) for j in t.inputs]
        if t.op in EQUATIONS and len(inputs) >= (3 if t.op == "linear" else 1):
            right = EQUATIONS[t.op].format(*inputs)
        else:
            right = cell(expression(self.trace, t.id, self.names))[1:-1]
        return f"{cell(self.names[t.id])[1:-1]} &= {right}"

    def _derivative(self, leaf: int, values: bool) -> list[str]:
        reach = {leaf}
        for t in self.trace.nodes:
            if t.needs and not reach.isdisjoint(t.inputs):
                reach.add(t.id)
        rules: dict[int, list[str]] = {}
        for s in self.trace.steps:
            if isinstance(s, Contribution) and s.node in reach:
                left, _, right = s.rule.partition("+= ")
                rules.setdefault(s.node, [left.strip()]).append(right)
        lines = []
        for i in sorted(rules, reverse=True):
            left, *rights = rules[i]
            lines.append(f"{cell(left)[1:-1]} &= {' + '.join(cell(r)[1:-1] for r in rights)}")
            if values:
                lines[-1] += _equals(self.trace.nodes[i].grad)
        return lines


def _part(s: str) -> str:
    return rf"\left({s}\right)" if re.search(r"[-+=/]|\\cdot", s) else s


def _equals(v: Value | None) -> str:
    """`` = `` and the number, or the matrix if it is small; else the size of its elements."""
    if v is None:
        return ""
    if v.number is not None:
        return f" = {algebra.latex_number(v.number)}"
    rows = v.full if isinstance(v.full, list) else None
    if rows and not isinstance(rows[0], list):
        rows = [rows]
    small = rows and len(rows) <= ROWS and all(
        isinstance(r, list) and len(r) <= ROWS and not any(isinstance(x, list) for x in r)
        for r in rows
    )
    if not rows or not small:
        return rf" \qquad (\text{{{numbers.rms(v.rms).replace('−', '-')}}})"
    lines = [
        " & ".join(f"{x:.4g}" for x in r if isinstance(x, (int, float)))
        for r in rows
        if isinstance(r, list)
    ]
    body = r" \\ ".join(lines)
    return rf" = \begin{{pmatrix}} {body} \end{{pmatrix}}"
