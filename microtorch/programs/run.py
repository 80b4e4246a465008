"""The commands ``microtorch draw`` and ``microtorch step``; ``python -m microtorch.viz`` is both.

The script runs as it is, also if it was written for torch (facade/alias.py). What its last
``backward()`` computed is shown, or the variable that ``--var`` names. A script that fails leaves
the picture of its failure.
"""
from __future__ import annotations

import argparse
import os
import sys
from contextlib import nullcontext
from typing import Any

from ..facade import alias
from ..viz.drawing import picture
from ..viz.drawing.options import CHOICES, Options
from ..viz.drawing.render import RenderError
from ..viz.drawing.style import THEMES
from ..viz.reading.ranks import first_rank
from ..viz.reading.watching import Watch
from ..viz.showing import stepper
from ..viz.showing.stepper import Stepper, with_steps
from .writable import output

Variables = dict[str, Any]  # the script's, by name
DRAWN = frozenset(picture.FORMATS)
STEPPED = frozenset(stepper.FORMATS)


def draw(arguments: list[str] | None = None) -> int:
    """``microtorch draw script.py -o graph.svg``. Returns the exit status."""
    about = "Run a script and draw the graph of its last backward()."
    return _run_and_show("microtorch draw", about, arguments, "draw")


def step(arguments: list[str] | None = None) -> int:
    """``microtorch step script.py``: in the terminal, or with -o as a file."""
    about = "Run a script and step through its last backward()."
    return _run_and_show("microtorch step", about, arguments, "step")


def draw_or_step(arguments: list[str] | None = None) -> int:
    """``python -m microtorch.viz script.py``: draws; with --step or a stepper's suffix, steps."""
    about = "Run a script and show the graph of its last backward()."
    return _run_and_show("python -m microtorch.viz", about, arguments, "")


def _run_and_show(prog: str, about: str, arguments: list[str] | None, what: str) -> int:
    """``what``: "draw", "step", or "" where the options decide."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    own: list[str] = []  # the arguments of the script itself
    if "--" in given:
        split = given.index("--")
        given, own = given[:split], given[split + 1 :]
    parser = _parser(prog, about, what)
    options, unknown = parser.parse_known_args(given)
    if unknown:
        words = " ".join(unknown)
        parser.error(f"{words}: no option of {prog}; what is for the script comes after --")
    steps = _checked(parser, options, what)
    watch = Watch(getattr(options, "saved", False))
    of_program = options.program or getattr(options, "memory", False)
    try:
        # a backward that is watched runs as it is written, and so would a compiled function
        with nullcontext() if of_program else watch:
            variables = alias.run_script(options.script, own)
    except SystemExit as stop:  # a script that ends itself
        if stop.code not in (None, 0):
            return stop.code if isinstance(stop.code, int) else 1
        variables = {}
    except Exception as error:
        return _report_failure(error, options, steps)
    try:
        if of_program:
            _show_program(variables, options, steps)
        else:
            show = _show_steps if steps else _save_drawing
            show(watch, variables, options)
    except BrokenPipeError:  # an OSError, and no mistake: the command's own end (__main__.py)
        raise
    except (
        LookupError, RenderError, RuntimeError, ImportError, OSError, TypeError, ValueError
    ) as error:  # fmt: skip
        print(f"{prog}: {error}", file=sys.stderr)
        return 1
    return 0


def _formats(what: str) -> frozenset[str]:
    return {"draw": DRAWN, "step": STEPPED}.get(what, DRAWN | STEPPED)


def _parser(prog: str, about: str, what: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog, description=about, epilog="Arguments of the script itself come after --"
    )
    add = parser.add_argument
    add("script", help="the Python file")
    suffixes = " ".join(f".{f}" for f in sorted(_formats(what)))
    help = f"where to; the suffix decides the form: {suffixes}"
    add("-o", "--output", metavar="FILE", type=output(_formats(what)), help=help)
    add("--var", default="", metavar="NAME", help="the variable to show, such as loss")
    add("--depth", type=int, metavar="N", help="collapse modules at this depth (0: the outermost)")
    add("--theme", choices=sorted(THEMES), default="light")
    directions = [c for c in CHOICES["rankdir"] if c]
    add("--rankdir", choices=directions, help="LR: left to right, TB: top to bottom")
    help = "the program of the compiled function that --var names, or of the only one there is"
    add("--program", action="store_true", help=help)
    if what == "draw":
        add("--legend", action="store_true", help="say what the colours mean")
        add("--saved", action="store_true", help="what each op keeps for backward, in bytes")
        add("--attrs", action="store_true", help="each op's arguments, such as dim and stride")
        add("--memory", action="store_true", help="the memory plan of that program")
    else:
        help = "hide each contribution until it is predicted (.html)"
        add("--quiz", action="store_true", help=help)
    if not what:
        help = "step, also where the suffix could be a picture"
        add("--step", action="store_true", help=help)
    return parser


def _checked(parser: argparse.ArgumentParser, options: argparse.Namespace, what: str) -> bool:
    """Are steps wanted, not a drawing? Ends the program with a message if the options disagree."""
    if not os.path.isfile(options.script):
        parser.error(f"no file {options.script}")
    suffix = _suffix(options)
    steps = what == "step"
    if not what:
        steps = options.step or options.quiz or (suffix in STEPPED and suffix not in DRAWN)
    if steps and suffix and suffix not in STEPPED:
        suffixes = " ".join(f".{f}" for f in sorted(STEPPED))
        parser.error(f"-o {options.output}: steps are saved as {suffixes}")
    if getattr(options, "quiz", False) and suffix != "html":
        parser.error("--quiz is a page: -o quiz.html")
    return steps


def _suffix(options: argparse.Namespace) -> str:
    return os.path.splitext(options.output or "")[1].lower().lstrip(".")


def _named_after(options: argparse.Namespace, suffix: str) -> str:
    """A file of the script's name."""
    return os.path.splitext(os.path.basename(options.script))[0] + suffix


def _look(options: argparse.Namespace) -> dict[str, Any]:
    """The options that drawings and films have in common."""
    return {"theme": options.theme, "rankdir": options.rankdir, "depth": options.depth}


def _drawn(options: argparse.Namespace) -> Options:
    """The options of a drawing; those that a command lacks stay as they are by default."""
    flags = {"legend": "legend", "saved": "show_saved", "attrs": "show_attrs"}
    given = {name: getattr(options, flag, False) for flag, name in flags.items()}
    return Options(**_look(options), **given)


def _show_program(variables: Variables, options: argparse.Namespace, steps: bool) -> None:
    """The program of a compiled function: drawn, stepped, or its memory plan."""
    from ..viz.drawing.program import program
    from ..viz.drawing.shelves import memory
    from ..viz.reading.compiled import account, compiled_of
    from ..viz.showing.programs import ProgramStepper

    found = {k: v for k, v in variables.items() if compiled_of(v) is not None}
    if options.var:
        found = {k: v for k, v in found.items() if k == options.var}
    if len({*map(id, found.values())}) != 1:
        there = ", ".join(k for k, v in variables.items() if compiled_of(v) is not None)
        if not there:
            raise LookupError("no variable holds a compiled function, f = torch.compile(f)")
        what = "which program? --var names the compiled function"
        if options.var:
            what = f"no compiled function is called {options.var}"
        raise LookupError(f"{what}. There are: {there}")
    (f, *_) = found.values()
    look = _drawn(options)
    picture = memory(f, options.theme) if getattr(options, "memory", False) else program(f, look)
    if not steps and picture is not None:
        print(picture.save(options.output or _named_after(options, ".svg")))
        return
    made = ProgramStepper(account(f, "step"))
    if options.output is None:
        made.run()
    else:
        print(made.save(options.output))


def _save_drawing(watch: Watch, variables: Variables, options: argparse.Namespace) -> None:
    root = watch.find(variables, options.var)
    look = _drawn(options)
    look.check()
    trace = watch.trace(root, "draw", variables)
    if not first_rank():
        return
    path = options.output or _named_after(options, ".svg")
    print(picture.drawn(trace, look).save(path))


def _show_steps(watch: Watch, variables: Variables, options: argparse.Namespace) -> None:
    root = watch.find(variables, options.var)
    trace = with_steps(watch.trace(root, "step", variables, gradients=True), "step", None)
    if not any(s.phase == "backward" for s in trace.steps):
        raise RuntimeError(trace.note or "no gradient can be computed")
    if not first_rank():  # its part is in the trace of the first one, which speaks for all
        return
    made = Stepper(trace, {"seed": None} if options.quiz else None)
    if options.output is None:
        made.run()
        return
    look = _look(options) if _suffix(options) in stepper.FILMS else {}
    print(made.save(options.output, **look))


def _report_failure(error: Exception, options: argparse.Namespace, steps: bool) -> int:
    """The script's own traceback, and the picture of what failed where a tensor was involved."""
    place = error.__traceback__
    while place is not None and place.tb_frame.f_code.co_filename in (__file__, alias.__file__):
        place = place.tb_next  # begin at the script's first line, as python would
    path = ""
    if options.output and not steps:
        from ..viz.asking.crash import draw_error

        try:
            path = draw_error(error, **_look(options)).save(options.output)
        except (ValueError, RuntimeError):  # no tensor was involved, or Graphviz is missing
            pass
    error = error.with_traceback(place)
    sys.excepthook(type(error), error, place)  # of several processes: it ends the others, too
    if path:
        print(f"The graph up to there: {path}", file=sys.stderr)
    return 1
