"""The commands ``microtorch draw`` and ``microtorch step``; ``python -m microtorch.viz`` is both.

The script runs as it is (also one written for torch: alias.py), and what its last ``backward()``
computed is shown; or the variable that ``--var`` names. A script that fails leaves the picture of
its failure.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from typing import Any

from ..facade import alias
from ..viz.drawing import picture
from ..viz.drawing.dot import Drawing
from ..viz.drawing.options import CHOICES, Options
from ..viz.drawing.picture import Graph
from ..viz.drawing.render import RenderError
from ..viz.drawing.style import THEMES
from ..viz.reading.watching import Watch
from ..viz.showing import stepper
from ..viz.showing.stepper import Stepper
from ..viz.telling.steps import add_steps

DRAWN = frozenset(picture.FORMATS)
STEPPED = frozenset(stepper.FORMATS)


def draw(arguments: list[str] | None = None) -> int:
    """``microtorch draw script.py -o graph.svg``. Returns the exit status."""
    return _main(
        "microtorch draw",
        "Run a script and draw the graph of its last backward().",
        arguments,
        "draw",
    )


def step(arguments: list[str] | None = None) -> int:
    """``microtorch step script.py``: in the terminal, or with -o as a file."""
    return _main(
        "microtorch step", "Run a script and step through its last backward().", arguments, "step"
    )


def main(arguments: list[str] | None = None) -> int:
    """``python -m microtorch.viz script.py``: draws, or with --step or a stepper's suffix, steps.
    """
    return _main(
        "python -m microtorch.viz",
        "Run a script and show the graph of its last backward().",
        arguments,
        "",
    )


def _main(prog: str, about: str, arguments: list[str] | None, what: str) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    given, own = (
        (given[: given.index("--")], given[given.index("--") + 1 :])
        if "--" in given
        else (given, [])
    )
    parser = argparse.ArgumentParser(
        prog=prog, description=about, epilog="Arguments of the script itself come after --"
    )
    parser.add_argument("script", help="the Python file")
    formats = DRAWN if what == "draw" else STEPPED if what == "step" else DRAWN | STEPPED
    suffixes = " ".join(f".{f}" for f in sorted(formats))
    parser.add_argument(
        "-o", "--output", metavar="FILE", help=f"where to; the suffix decides the form: {suffixes}"
    )
    parser.add_argument(
        "--var", default="", metavar="NAME", help="the variable to show, such as loss"
    )
    parser.add_argument(
        "--depth", type=int, metavar="N", help="collapse modules at this depth (0: the outermost)"
    )
    parser.add_argument("--theme", choices=sorted(THEMES), default="light")
    parser.add_argument(
        "--rankdir",
        choices=[c for c in CHOICES["rankdir"] if c],
        help="LR: left to right, TB: top to bottom",
    )
    if what == "draw":
        parser.add_argument("--legend", action="store_true", help="say what the colours mean")
    else:
        parser.add_argument(
            "--quiz",
            action="store_true",
            help="hide each contribution until it is predicted (.html)",
        )
    if not what:
        parser.add_argument(
            "--step", action="store_true", help="step, also where the suffix could be a picture"
        )
    options = parser.parse_args(given)
    if not os.path.isfile(options.script):
        parser.error(f"no file {options.script}")
    suffix = os.path.splitext(options.output or "")[1].lower().lstrip(".")
    if options.output and suffix not in formats:
        parser.error(
            f"-o {options.output}: {f'.{suffix} is not a format' if suffix else 'no suffix'}; use "
            f"one of {suffixes}"
        )
    steps = what == "step" or (
        not what and (options.step or options.quiz or (suffix in STEPPED and suffix not in DRAWN))
    )
    if steps and suffix and suffix not in STEPPED:
        parser.error(
            f"-o {options.output}: steps are saved as {' '.join('.' + f for f in sorted(STEPPED))}"
        )
    if getattr(options, "quiz", False) and suffix != "html":
        parser.error("--quiz is a page: -o quiz.html")
    watch = Watch()
    try:
        with watch:
            variables = alias.run(options.script, own)
    except SystemExit as stop:  # a script that ends itself
        if stop.code not in (None, 0):
            return stop.code if isinstance(stop.code, int) else 1
        variables = {}
    except Exception as error:
        return _failed(error, options, steps)
    try:
        print_ = _step if steps else _draw
        print_(watch, variables, options)
    except (LookupError, RenderError, RuntimeError, ImportError, TypeError, ValueError) as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 1
    return 0


def _look(options: Any) -> dict[str, Any]:
    return {"theme": options.theme, "rankdir": options.rankdir, "depth": options.depth}


def _draw(watch: Watch, variables: dict[str, Any], options: Any) -> None:
    root = watch.find(variables, options.var)
    look = Options(**_look(options), legend=getattr(options, "legend", False))
    look.check()
    trace = watch.trace(root, "draw", variables)
    path = options.output or os.path.splitext(os.path.basename(options.script))[0] + ".svg"
    print(Graph(trace, Drawing(trace, look).digraph).save(path))


def _step(watch: Watch, variables: dict[str, Any], options: Any) -> None:
    root = watch.find(variables, options.var)
    trace = add_steps(watch.trace(root, "step", variables, gradients=True))
    if not any(s.phase == "backward" for s in trace.steps):
        raise RuntimeError(trace.note or "no gradient can be computed")
    made = Stepper(trace, {"seed": None} if options.quiz else None)
    if options.output is None:
        made.run()
        return
    film = os.path.splitext(options.output)[1].lower().lstrip(".") in stepper.FILMS
    print(made.save(options.output, **(_look(options) if film else {})))


def _failed(error: Exception, options: Any, steps: bool) -> int:
    """The script's own traceback, and the picture of what failed where a tensor was involved."""
    place = error.__traceback__
    while place is not None and place.tb_frame.f_code.co_filename in (__file__, alias.__file__):
        place = place.tb_next  # begin at the script's first line, as python would
    traceback.print_exception(type(error), error, place)
    if options.output and not steps:
        from ..viz.asking.crash import draw_error

        try:
            print(
                f"The graph up to there: "
                f"{draw_error(error, **_look(options)).save(options.output)}",
                file=sys.stderr,
            )
        except (ValueError, RuntimeError):
            return 1
    return 1
