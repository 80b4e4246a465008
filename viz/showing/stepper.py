"""``step``: the chain rule step by step over the user's own program, from the same trace as every picture."""

from __future__ import annotations

import os
import sys
from typing import Any

from microtorch import errors
from microtorch.graph import user_frame

from ..drawing.picture import _given
from ..reading.trace import Trace
from ..telling.steps import add_steps

TEXTS = ("html", "txt", "json", "md", "tex")
FILMS = ("svg", "gif", "apng", "webp", "pdf")
FORMATS = (*TEXTS, *FILMS)


class Stepper:
    """The steps of one computation: ``run()`` in a terminal, ``frames()`` as screens, ``save()`` as a file."""

    def __init__(self, trace: Trace, quiz: dict[str, Any] | None = None):
        self.trace, self.quiz = trace, quiz

    def __len__(self) -> int:
        return len(self.trace.steps)

    def frames(self, width: int = 80, height: int = 24, color: bool = False) -> list[str]:
        """The terminal screens, first to last."""
        from .terminal import frames

        return list(frames(self.trace, width, height, color))

    def run(self) -> None:
        """Step with the keyboard; where there is no terminal, print all screens."""
        from .terminal import run

        run(self.trace)

    def save(self, path: str | os.PathLike[str], **look: Any) -> str:
        """Write all steps; the suffix decides the form. Returns the path.

        .html                 the page: one file for any browser, without network
        .txt .json .md .tex   the screens, the trace, the table
        .svg                  a picture that moves by itself, in a page or a README
        .gif .apng .webp      a film; needs Pillow (pip install microtorch[anim])
        .pdf                  ``x-01.pdf``, ``x-02.pdf``, ...; prints the LaTeX that shows them

        Of a film, ``look`` is: ``speed`` (2.0 is twice as fast), ``theme``, ``rankdir``, ``depth``; ``dpi`` of bitmaps.
        """
        path = os.fspath(path)
        suffix = os.path.splitext(path)[1].lower().lstrip(".")
        if suffix not in FORMATS:
            valid = ", ".join(f".{f}" for f in FORMATS)
            raise ValueError(
                f"save({path!r}): {f'.{suffix} is not a format' if suffix else 'no suffix'}; use one of {valid}"
            )
        if suffix in FILMS:
            from ..drawing import animate

            return animate.save(self.trace, path, suffix, **look)
        if look:
            raise TypeError(f"save({path!r}): {', '.join(look)} is for films ({', '.join('.' + f for f in FILMS)})")
        from ..telling.table import Table

        if suffix == "html":
            from .html import page

            text = page(self.trace, self.quiz)
        elif suffix == "txt":
            text = ("\n" + "─" * 80 + "\n").join(self.frames()) + "\n"
        elif suffix == "json":
            text = self.trace.to_json(indent=1)
        else:
            table = Table(self.trace)
            text = (table.to_markdown() if suffix == "md" else table.to_latex()) + "\n"
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows: the page in a frame, and a picture where frames are not allowed."""
        from .notebook import mimebundle

        return mimebundle(self.trace, self.quiz, repr(self))

    def __repr__(self) -> str:
        return f"<Stepper of {len(self)} steps; .run() in a terminal, .save('steps.html') for a browser>"


def step(loss: Any, params: Any = None, names: Any = None) -> Stepper:
    """The steps of a Tensor's or Scalar's computation, forward and backward. Works before and after backward().

    Changes nobody's ``.grad``. Raises TypeError and GraphError as ``draw`` does, and GraphError where values that
    backward needs were freed or overwritten.
    """
    return Stepper(_steps(loss, "step", sys._getframe(1), params, names))


def quiz(loss: Any, seed: Any = None, params: Any = None, names: Any = None) -> Stepper:
    """The stepper as a quiz: ``viz.quiz(loss).save("quiz.html")`` hides each contribution until it is predicted.

    With ``seed`` (a student's number or name) the leaves of a scalar graph get values of that student's own: the signs
    stay, the sizes change. Raises as ``step`` does.
    """
    return Stepper(_steps(loss, "quiz", sys._getframe(1), params, names), {"seed": seed})


def _steps(loss: Any, function: str, frame: Any, params: Any, names: Any) -> Trace:
    trace = Trace.skeleton(loss, function, most=10_000)
    trace.fill(user_frame(frame), _given(params, names), gradients=True)
    add_steps(trace)
    if not any(s["phase"] == "backward" for s in trace.steps):
        gone = any(word in trace.note for word in ("overwritten", "freed"))
        fix = f"call {function}(loss) before optimizer.step(), or compute the loss again" if gone else ""
        raise errors.GraphError(errors.message(f"{function}(): {trace.note or 'no gradient can be computed'}", fix=fix))
    return trace
