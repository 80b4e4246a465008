"""The primal and adjoint table of the textbooks: values down, gradients up.

print(viz.trace(loss))        viz.trace(loss).to_markdown()        viz.trace(loss).to_latex()

After Griewank and Walther 2008, Evaluating Derivatives, chapter 3.
"""

from __future__ import annotations

import re

from ..reading import numbers
from ..reading.take import Root, caller, take
from ..reading.trace import Contribution, Trace, TraceNode
from .steps import add_steps
from .words import display_names, expression, partial

HEADS = ("", "forward: values ↓", "value", "backward: gradients ↑", "gradient")


class Table:
    """The rows of a trace as text, Markdown and LaTeX; ``.trace`` has the data."""

    def __init__(self, trace: Trace):
        self.trace = trace
        names = display_names(trace)
        backward: dict[int, list[str]] = {}
        for step in trace.steps:
            if isinstance(step, Contribution):
                backward.setdefault(step.node, []).append(step.rule.partition("+= ")[2])
        self.rows: list[tuple[str, str, str, str, str]] = []
        for t in trace.nodes:
            if t.role == "constant":
                continue
            text = expression(trace, t.id, names)
            forward = f"{names[t.id]} = {text}" if t.op else f"{names[t.id]}  {text}"
            left = partial(names, trace.root, t.id)
            rule = "1" if t.id == trace.root else " + ".join(backward.get(t.id, []))
            grad = describe_gradient(t)
            back = f"{left} = {rule}" if rule and t.needs else ""
            self.rows.append((str(len(self.rows) + 1), forward, describe(t), back, grad))

    def __str__(self) -> str:
        widths = [max(len(r[k]) for r in (HEADS, *self.rows)) for k in range(5)]
        right = (0, 2, 4)

        def line(r: tuple[str, ...]) -> str:
            cells = [
                f"{c:>{w}}" if k in right else f"{c:<{w}}"
                for k, (c, w) in enumerate(zip(r, widths, strict=True))
            ]
            return ("  ".join(cells[:3]) + "  │  " + "  ".join(cells[3:])).rstrip()

        rule = "─" * (sum(widths[:3]) + 6) + "┼" + "─" * (sum(widths[3:]) + 4)
        return "\n".join([line(HEADS), rule, *(line(r) for r in self.rows)])

    __repr__ = __str__

    def to_markdown(self) -> str:
        """A pipe table; bars in names are escaped."""
        rows = [[c.replace("\\", "\\\\").replace("|", "\\|") for c in r] for r in self.rows]
        lines = [f"| {' | '.join(HEADS)} |".replace("|  |", "| # |"), "|--:|:--|--:|:--|--:|"]
        return "\n".join(lines + [f"| {' | '.join(r)} |" for r in rows])

    _repr_markdown_ = to_markdown

    def to_latex(self) -> str:
        """A ``tabular`` (needs booktabs), every symbol in mathematics."""
        lines = [r"\begin{tabular}{rlrlr}", r"\toprule"]
        heads = (
            "",
            r"forward: values $\downarrow$",
            "value",
            r"backward: gradients $\uparrow$",
            "gradient",
        )
        lines += [" & ".join(heads) + r" \\", r"\midrule"]
        lines += [" & ".join(latex(c) for c in r) + r" \\" for r in self.rows]
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def describe(t: TraceNode) -> str:
    """The value in one column: its number, or the shape of an array."""
    if t.value is None:
        return "freed"
    return (
        numbers.number(t.number) if t.number is not None and not t.shape else numbers.shape(t.shape)
    )


def describe_gradient(t: TraceNode) -> str:
    if not t.needs:
        return ""
    if t.grad_state != "known" or t.grad is None:
        return numbers.MISSING
    return (
        numbers.number(t.grad.number)
        if t.grad.number is not None
        else numbers.rms(t.grad.rms)
    )


_SYMBOLS = {
    "∂": r"\partial ", "·": r"\cdot ", "×": r"\times ", "−": "-", "ᵀ": r"^{\top}", "Σ": r"\sum ",
    "…": r"\dots ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "∞": r"\infty ", "&": r"\&",
    "%": r"\%", "#": r"\#", "_": r"\_",
    "$": r"\$", "{": r"\{", "}": r"\}", "\\": r"\backslash ", "~": r"\sim ", "^": r"\wedge ",
    "→": r"\to ", "–": r"\text{--}",
}  # fmt: skip


def latex(s: str) -> str:
    """One cell: words upright, the rest mathematics. The user's characters become no commands."""
    if not s:
        return ""
    s = re.sub(r" ?([=+×·−@/]) ?", r"\1", s)  # TeX spaces operators itself
    out, position = [], 0
    for m in re.finditer(
        r"[A-Za-z]\d+\b|[A-Za-z][\w.]*[A-Za-z][\w.]*|[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+|[₀₁₂₃₄₅₆₇₈₉]+|(?<=\d)e−\d+", s
    ):
        out.append(_math(s[position : m.start()]))
        word = m[0]
        if word.startswith("e−"):
            out.append(r"\mathrm{e}{-}" + word[2:])
        elif word[0] in "⁰¹²³⁴⁵⁶⁷⁸⁹⁻":
            out.append("^{" + word.translate(_RAISED) + "}")
        elif word[0] in "₀₁₂₃₄₅₆₇₈₉":
            out.append("_{" + word.translate(_LOWERED) + "}")
        elif word[1:].isdigit():
            out.append(f"{word[0]}_{{{word[1:]}}}")
        else:
            out.append(r"\mathrm{" + "".join(_SYMBOLS.get(c, c) for c in word) + "}")
        position = m.end()
    out.append(_math(s[position:]))
    return "$" + "".join(out).strip() + "$"


_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


def _math(s: str) -> str:
    return "".join(_SYMBOLS.get(c, r"\ " if c == " " else c) for c in s)


def trace(loss: Root) -> Table:
    """The table of a Tensor's or Scalar's computation, both sweeps.

    Works before and after backward, and changes no ``.grad``. Raises TypeError and GraphError as
    ``draw`` does, and GraphTooLarge above 1,000 nodes.
    """
    return Table(add_steps(take(loss, "trace", caller(), gradients=True, most=1000)))
