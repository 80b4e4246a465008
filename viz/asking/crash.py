"""The picture of a crash: the graph up to the op that raised, with the shapes that disagree.

    viz.draw_error().save("crash.svg")      # after an exception in a notebook or at the prompt
    viz.draw_error(error)                   # of an exception that was caught
    viz.draw_errors("crash.svg")            # from now on: whenever an exception ends the program

reading/failure.py finds the op and its operands in the traceback. Here the op is drawn in yellow,
on top of the graphs of the operands.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any

from ..drawing import labels
from ..drawing.dot import Drawing
from ..drawing.options import Options
from ..drawing.picture import Graph
from ..reading import numbers
from ..reading.failure import last_error, trace_of
from ..reading.trace import Trace, TraceNode
from ..telling.words import INFIX


def draw_error(error: BaseException | None = None, **look: Any) -> Graph:
    """The graph up to the op that raised ``error``.

    Without an argument, that of the exception being handled, or of the last that nobody handled.
    ``look`` is that of ``draw``: theme, rankdir, depth, ... Raises ValueError where there is no
    exception, or no tensor in its traceback.
    """
    error = last_error(error)
    options = Options(**look)
    options.check()
    trace = trace_of(error)
    last = trace.nodes[-1]
    last.symbol = INFIX.get(last.op, last.op)
    kind = type(error).__name__
    words = [line.strip() for line in str(error).splitlines() if line.strip()]
    return Graph(trace, _Crash(trace, options, words or [kind], kind).digraph)


def draw_errors(path: str | os.PathLike[str] = "crash.svg") -> None:
    """From now on, a program that an op's exception ends also leaves its picture in ``path``."""
    path = os.fspath(path)
    before = sys.excepthook

    def hook(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        before(kind, error, traceback)
        try:
            print(f"The graph up to there: {draw_error(error).save(path)}", file=sys.stderr)
        except Exception as second:  # a hook that raises would hide the first error
            print(f"(no picture of it: {str(second).splitlines()[0]})", file=sys.stderr)

    sys.excepthook = hook


class _Crash(Drawing):
    """The graph with the failed op in yellow."""

    def __init__(self, trace: Trace, options: Options, words: list[str], kind: str):
        self.words, self.kind = words, kind
        super().__init__(trace, options)

    def _label(self, n: TraceNode) -> str:
        if n.id != self.trace.root:
            return super()._label(n)
        fill, ink = self.t.nan
        shapes = [numbers.shape(self.nodes[i].shape) for i in n.inputs]
        sign = f" {n.symbol} " if n.op in INFIX and len(shapes) == 2 else ", "
        rows = [
            labels.row(
                labels.cell(
                    labels.font(labels.bold(labels.escape(f"{n.op} raised {self.kind}")), ink)
                )
            ),
            "<HR/>",
            labels.row(
                labels.cell(
                    labels.font(labels.bold(labels.escape(sign.join(shapes), 80)), ink, 14),
                    "CENTER",
                )
            ),
        ]
        rows += [
            labels.row(labels.cell(labels.font(labels.escape(w, 100), ink, 10)))
            for w in self.words[:4]
        ]
        return labels.table(rows, ink, fill, 2.2)
