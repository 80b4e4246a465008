"""``step``: the chain rule step by step over the user's own program."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from microtorch.base import errors

from ..drawing import film
from ..drawing.saved import suffix_of, write
from ..reading.attention import Tokens, names_of
from ..reading.names import Given, given_names, node_of
from ..reading.ranks import Absent, Ranks, asked, first_rank, warn
from ..reading.ranks import together as all_ranks
from ..reading.spelling import spell_small_ops
from ..reading.take import Drawable, Root, caller, take
from ..reading.trace import Trace
from ..telling.pushing import add_pushes, checked, only_reverse
from ..telling.steps import add_steps
from ..telling.table import Table
from ..telling.together import side_by_side
from ..telling.words import display_names
from . import terminal
from .html import Quiz, page
from .notebook import mimebundle

if TYPE_CHECKING:
    from .programs import ProgramStepper

TEXTS = ("html", "txt", "json", "md", "tex")
FILMS = ("svg", "gif", "apng", "webp", "pdf")
FORMATS = (*TEXTS, *FILMS)


class Stepper:
    """The steps of one computation: ``run()`` in a terminal, ``frames()``, ``save()`` as a file."""

    def __init__(self, trace: Trace, quiz: Quiz | None = None):
        self.trace, self.quiz = trace, quiz

    def __len__(self) -> int:
        return len(self.trace.steps)

    def frames(self, width: int = 80, height: int = 24, color: bool = False) -> list[str]:
        """The terminal screens, first to last."""
        return list(terminal.frames(self.trace, width, height, color))

    def run(self) -> None:
        """Step with the keyboard; where there is no terminal, print all screens.

        Of several processes the first one does.
        """
        if not self.trace.roots or first_rank():
            terminal.run(self.trace)

    def save(self, path: str | os.PathLike[str], **look: Any) -> str:
        """Write all steps; the suffix decides the form. Returns the path.

        .html                 the page: one file for any browser, without network
        .txt .json .md .tex   the screens, the trace, the table
        .svg                  a picture that moves by itself, in a page or a README
        .gif .apng .webp      a film; needs Pillow (pip install "microtorch[anim]")
        .pdf                  ``x-01.pdf``, ``x-02.pdf``, ...; prints the LaTeX that shows them

        For a film, ``look`` takes ``speed`` (2.0 is twice as fast), ``theme``, ``rankdir``,
        ``depth``, and for bitmaps ``dpi``.
        """
        path, suffix = os.fspath(path), suffix_of(path, FORMATS)
        if suffix in FILMS:
            return film.save(self.trace, path, suffix, **look)
        if look:
            names = ", ".join("." + f for f in FILMS)
            raise TypeError(f"save({path!r}): {', '.join(look)} is for films ({names})")
        return write(path, self._text(suffix))

    def _text(self, suffix: str) -> str:
        if suffix == "html":
            return page(self.trace, self.quiz)
        if suffix == "txt":
            return ("\n" + "─" * 80 + "\n").join(self.frames()) + "\n"
        if suffix == "json":
            spell_small_ops(self.trace, display_names(self.trace))  # so that the file has it all
            return self.trace.to_json(indent=1)
        table = Table(self.trace)
        return (table.to_markdown() if suffix == "md" else table.to_latex()) + "\n"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows: the page in a frame, and a picture where no frame is allowed."""
        return mimebundle(self.trace, self.quiz, repr(self))

    def __repr__(self) -> str:
        ways = ".run() in a terminal, .save('steps.html') for a browser"
        return f"<Stepper of {len(self)} steps; {ways}>"


def step(
    loss: Root,
    params: Given = None,
    names: Given = None,
    ranks: bool | None = None,
    tokens: Tokens = None,
    mode: str = "reverse",
    wrt: Root = None,
    direction: Any = None,
) -> Stepper | ProgramStepper:
    """The steps of a Tensor's or Scalar's computation, forward and backward.

    Of a compiled function or Module: the parts of the program that it runs, each beside its lines
    of C and the memory plan (programs.py).

    In a program of several processes the graphs of all of them are shown, and the all-reduce
    between them: by itself where the loss comes from a DistributedDataParallel, with ``ranks=True``
    where the program calls all_reduce itself, never with ``ranks=False``. Every process calls it.

    ``tokens``: names for the rows and columns of attention (a list, or a tuple of two lists).

    With ``mode="forward"`` there is one sweep over this process's graph, in which each value has
    its tangent beside it: how it moves with the leaf ``wrt`` (a Tensor, Scalar or name) in a
    ``direction`` (of its shape, or the index of one element; by default 1 for each element). There
    is no view of attention and of other processes then: ``tokens`` and ``ranks=True`` are refused.

    Works before and after backward(), and changes nobody's ``.grad``. Raises TypeError and
    GraphError as ``draw`` does, GraphError where values that backward needs were freed or
    overwritten, and for ``ranks=True`` in a program of one process; ValueError for a direction of
    no leaf, and for tokens that fit no attention.
    """
    if node_of(loss) is None and not isinstance(loss, Drawable):
        from .programs import step_program  # loads what compiles, which few programs need

        program = step_program(loss)
        if program is not None:
            return program
    if not checked(mode, wrt, direction):
        trace = _steps(loss, "step", params, names, ranks)
        trace.tokens = names_of(trace, tokens)
        return Stepper(trace)
    only_reverse(tokens=tokens is not None, ranks=asked(ranks) is True)
    trace = take(loss, "step", caller(), given_names(params, names))
    return Stepper(add_pushes(trace, wrt, direction))


def quiz(loss: Root, seed: object = None, params: Given = None, names: Given = None) -> Stepper:
    """The stepper as a quiz: each contribution is hidden until it is predicted.

    ``viz.quiz(loss).save("quiz.html")``. With ``seed`` (a student's number or name) the leaves of a
    scalar graph get values of that student's own: the signs stay, the sizes change. Raises as
    ``step`` does.
    """
    return Stepper(_steps(loss, "quiz", params, names), {"seed": seed})


def _steps(
    loss: Root, function: str, params: Given, names: Given, ranks: bool | None = False
) -> Trace:
    taken = take(loss, function, caller(), given_names(params, names), gradients=True)
    trace = with_steps(taken, function, ranks)
    if not any(s.phase == "backward" for s in trace.steps):
        fix = ""
        if any(word in trace.note for word in ("overwritten", "freed")):
            fix = f"call {function}(loss) before optimizer.step(), or compute the loss again"
        elif "one number" in trace.note:
            fix = f"reduce it, {function}(x.sum()), or take an element, {function}(x[0])"
        what = f"{function}(): {trace.note or 'no gradient can be computed'}"
        raise errors.GraphError(errors.message(what, fix=fix))
    return trace


def with_steps(trace: Trace, function: str, ranks: bool | None) -> Trace:
    """The trace with its steps, or that of all processes; ``ranks`` as in ``step``."""
    together = all_ranks(trace, function, ranks)
    return add_steps(trace) if together is None else _of_all(trace, together)


def _of_all(trace: Trace, ranks: Ranks) -> Trace:
    """The trace of every process in one; of this one alone, with a warning, where one is absent."""
    names = display_names(trace)
    try:
        shares = ranks.average(trace, names)
        for node in trace.nodes:
            node.rank = ranks.group.rank()
        add_steps(trace)
        spell_small_ops(trace, display_names(trace))
        found = ranks.bring((trace.to_json(), shares))
    except Absent as error:
        warn(error)
        for node in trace.nodes:
            node.rank = None
        return add_steps(trace)
    return side_by_side([Trace.from_json(text) for text, _ in found], [s for _, s in found])
