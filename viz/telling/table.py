"""The primal and adjoint table of the textbooks: values down, gradients up.

print(viz.trace(loss))        viz.trace(loss).to_markdown()        viz.trace(loss).to_latex()
viz.trace(loss)["net.2"]      one row whole: value, gradient, parents, children, line (records.py)

After Griewank and Walther 2008, Evaluating Derivatives, chapter 3.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator, Sequence
from textwrap import wrap

from microtorch.base import errors

from ..reading import numbers
from ..reading.recorded import Recording
from ..reading.take import Root, caller, take
from ..reading.trace import Contribution, Push, Trace, TraceNode
from .lookup import UnknownKey, rows
from .matrices import block
from .pushing import add_pushes, checked
from .records import Record, Replay, record, replay
from .steps import add_steps
from .words import cut, display_names, expression, partial

FORMULA, VALUE, RULE, GRADIENT = 1, 2, 3, 4  # columns
NAMED, READABLE = 18, 24  # letters of a name with its formula and of a rule's line, at least
TERMS = 6  # of a sum of contributions
HEADS = ("", "forward: values ↓", "value", "backward: gradients ↑", "gradient")
FORWARD = ("", "forward: values ↓", "value", "and their tangents ↓", "tangent")


class Table:
    """The rows of a trace as text, Markdown and LaTeX; ``.trace`` has the data.

    Of a run that was recorded it also answers ``t[key]`` (the keys: lookup.py), iterates over the
    records of its rows, and plays the run again.
    """

    def __init__(self, trace: Trace, recording: Recording | None = None):
        self.trace = trace
        self._recording = recording
        names = display_names(trace)
        self.heads = HEADS if trace.mode == "reverse" else FORWARD
        backward: dict[int, list[str]] = {}
        pushed = {s.node: s.rule for s in trace.steps if isinstance(s, Push)}
        for step in trace.steps:
            if isinstance(step, Contribution):
                backward.setdefault(step.node, []).append(step.rule.partition("+= ")[2])
        self.rows: list[tuple[str, str, str, str, str]] = []
        for t in trace.nodes:
            if t.role == "constant":
                continue
            text = expression(trace, t.id, names)
            forward = f"{names[t.id]} = {text}" if t.op else f"{names[t.id]}  {text}"
            average = t.role == "average"
            left = "average" if average else partial(names, trace.top(t.id), t.id)
            rule = "1" if t.id == trace.top(t.id) else _sum(backward.get(t.id, []))
            grad = describe_gradient(t)
            back = f"{left} = {rule}" if rule and t.needs else ""
            back = back if trace.mode == "reverse" else pushed.get(t.id, "")
            self.rows.append((str(len(self.rows) + 1), forward, describe(t), back, grad))

    # ---- the run behind it -----------------------------------------------------------------------
    @property
    def recording(self) -> Recording:
        """The values of the run. Raises GraphError for a table of a trace from a file."""
        if self._recording is None:
            what = "this table has no recorded run behind it"
            fix = "make it with viz.trace(loss), in the process that computed the loss"
            raise errors.GraphError(errors.message(what, fix=fix))
        return self._recording

    def __getitem__(self, key: str | int | Root) -> Record:
        """The record of a row, variable, module or op; or that of a Tensor or Scalar itself.

        Raises KeyError with the nearest names for an unknown key, IndexError for an unknown row.
        """
        if isinstance(key, (str, int)):
            return record(self.trace, self.recording, key)
        i = self.recording.found.index(key)
        if i < 0:
            what = f"this {type(key).__name__} took no part in the run; t[{self.names()[0]!r}] did"
            raise UnknownKey(what)
        return Record(self.trace, self.recording, i)

    def __iter__(self) -> Iterator[Record]:
        return (Record(self.trace, self.recording, i) for i in rows(self.trace))

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, key: object) -> bool:
        try:
            self[key]
        except LookupError:
            return False
        return True

    def names(self) -> list[str]:
        """What the table calls its rows, in order; each is a key."""
        shown = display_names(self.trace)
        return [shown[i] for i in rows(self.trace)]

    def replay(self) -> Replay:
        """Run each op again from its recorded inputs: does it give its recorded output?

        What does not is noise: an op that draws random numbers, or a value that was changed. Each
        op also runs on noise in place of its inputs, and should then give another output. Values
        that backward had freed were computed again already when the trace was made.
        """
        return replay(self.trace, self.recording)

    def __str__(self) -> str:
        """The table as wide as the terminal: with the numbers of small matrices, if they fit, and
        long rules on several lines.
        """
        room = shutil.get_terminal_size((100, 24)).columns
        for shown in (VALUE, GRADIENT), (GRADIENT,), ():
            cells = self._cells(shown)
            widths = self._widths(cells)
            spare, widest = room - (self._width(cells) - widths[RULE]), widths[RULE]
            if spare >= min(widest, READABLE) or not shown:
                break
        named = max(NAMED, widths[FORMULA] - max(0, READABLE - spare))
        for row in cells:
            row[FORMULA] = [cut(row[FORMULA][0], named)]
            row[RULE] = wrap(
                row[RULE][0], max(spare, READABLE), subsequent_indent="    ",
                break_long_words=False, break_on_hyphens=False,
            ) or [""]  # fmt: skip
        return self._written(cells)

    def _cells(self, shown: tuple[int, ...]) -> list[list[list[str]]]:
        """The lines of each cell; of the columns ``shown`` the matrices."""
        drawn = [t for t in self.trace.nodes if t.role != "constant"]
        out = []
        for t, row in zip(drawn, self.rows, strict=True):
            cells = [[text] for text in row]
            matrices = {VALUE: t.value, GRADIENT: t.grad if t.grad_state == "known" else None}
            for k in shown:
                cells[k] = block(matrices[k]) or cells[k]
            out.append(cells)
        return out

    def _widths(self, cells: list[list[list[str]]]) -> list[int]:
        columns = [[len(line) for row in cells for line in row[k]] for k in range(5)]
        return [max(len(self.heads[k]), *columns[k]) for k in range(5)]

    def _width(self, cells: list[list[list[str]]]) -> int:
        return sum(self._widths(cells)) + 11

    def _written(self, cells: list[list[list[str]]]) -> str:
        widths = self._widths(cells)
        right = (0, VALUE, GRADIENT)

        def line(r: Sequence[str]) -> str:
            padded = [
                f"{c:>{w}}" if k in right else f"{c:<{w}}"
                for k, (c, w) in enumerate(zip(r, widths, strict=True))
            ]
            return ("  ".join(padded[:3]) + "  │  " + "  ".join(padded[3:])).rstrip()

        rule = "─" * (sum(widths[:3]) + 6) + "┼" + "─" * (sum(widths[3:]) + 4)
        lines = [line(self.heads), rule]
        for row in cells:
            lines += [line(r) for r in itertools.zip_longest(*row, fillvalue="")]
        return "\n".join(lines)

    __repr__ = __str__

    def to_markdown(self) -> str:
        """A pipe table; bars in names are escaped."""
        rows = [[c.replace("\\", "\\\\").replace("|", "\\|") for c in r] for r in self.rows]
        lines = [f"| {' | '.join(self.heads)} |".replace("|  |", "| # |"), "|--:|:--|--:|:--|--:|"]
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
        if self.trace.mode == "forward":
            heads = (*heads[:3], r"and their tangents $\downarrow$", "tangent")
        lines += [" & ".join(heads) + r" \\", r"\midrule"]
        lines += [" & ".join(latex(c) for c in r) + r" \\" for r in self.rows]
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _sum(terms: list[str]) -> str:
    """The sum of a value's contributions; of many the first, the last, and how many there are."""
    if len(terms) > TERMS:
        terms = [*terms[: TERMS - 2], f"… {len(terms) - TERMS + 1} more …", terms[-1]]
    return " + ".join(terms)


def describe(t: TraceNode) -> str:
    """The value in one column: its number, or the shape of an array."""
    if t.value is None:
        return "" if t.role == "average" else "freed"
    return (
        numbers.number(t.number) if t.number is not None and not t.shape else t.size
    )


def describe_gradient(t: TraceNode) -> str:
    if not t.needs:
        return ""
    if t.grad_state != "known" or t.grad is None:
        return numbers.MISSING
    return numbers.number(t.grad.number) if t.grad.number is not None else numbers.rms(t.grad.rms)


_SYMBOLS = {
    "∂": r"\partial ", "·": r"\cdot ", "×": r"\times ", "−": "-", "ᵀ": r"^{\top}", "Σ": r"\sum ",
    "…": r"\dots ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "∞": r"\infty ", "&": r"\&",
    "%": r"\%", "#": r"\#", "_": r"\_",
    "$": r"\$", "{": r"\{", "}": r"\}", "\\": r"\backslash ", "~": r"\sim ", "^": r"\wedge ",
    "→": r"\to ", "–": r"\text{--}",
} | {c: f"{command} " for c, command in numbers.GREEK.items() if c != "Σ"}  # fmt: skip


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


def trace(
    loss: Root, mode: str = "reverse", wrt: Root = None, direction: object = None
) -> Table:
    """The table of a Tensor's or Scalar's computation, both sweeps; and the run, to ask.

        t = viz.trace(loss)
        print(t)                  the table
        print(t["net.2"])         one value; also .value .grad .shape .parents .children .line
        t.replay()                each op again

    Works before and after backward, and changes no ``.grad``. It keeps copies of all values, so it
    stays true when training goes on. ``mode="forward"`` has tangents in place of gradients; ``wrt``
    and ``direction`` are those of ``viz.step``, and so are its errors. Raises TypeError and
    GraphError as ``draw`` does, and GraphTooLarge above 1,000 nodes.
    """
    forward = checked(mode, wrt, direction)
    taken = take(loss, "trace", caller(), gradients=not forward, most=1000)
    recording = Recording.of(taken)
    return Table(add_pushes(taken, wrt, direction) if forward else add_steps(taken), recording)
