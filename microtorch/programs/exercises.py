"""``microtorch check exercise.py``: a pupil's own engine, op or backward beside this one.

The file is run, and what it defines is found by its name:

    class Value                       numbers with .data, .grad and .backward()
    def backward(root)                a dict of gradients of a graph of Scalars
    def f_backward(g, out, *inputs)   what op ``f`` contributes to its input, or a
                                      tuple: to each of them
    def f(*inputs)                    its value, if the engine has no ``f``
    class F(torch.autograd.Function)  forward and backward of an op
    f_inputs = (...)                  what to try ``f`` (or ``F``) on

Values are compared first, then gradients, then how the graph hangs together.
The answer is the first wrong number, where it stands, and what usually causes it.
"""
from __future__ import annotations

import argparse
import inspect
import os
import sys
import traceback
from collections.abc import Mapping

import microtorch as torch

from ..facade.alias import run_script
from . import exercise_ops, exercise_values
from .exercise_answers import Answer, patience


def check(given: str | os.PathLike[str] | Mapping[str, object] | type) -> list[Answer]:
    """Check a file, the names of a module (``globals()``), or one class.

    Returns an answer for each definition that was found; an answer is true where all is right.
    Raises LookupError where there is nothing to check, and whatever the file itself raises.
    """
    if isinstance(given, type):
        return [_checked(given.__name__, given, {given.__name__: given})]
    if not isinstance(given, Mapping):
        given = run_script(given)
    found = {name: thing for name, thing in given.items() if _kind(name, thing)}
    if not found:
        what = "nothing to check: define a class Value, a function backward or NAME_backward, or a "
        raise LookupError(f"{what}subclass of torch.autograd.Function")
    return [_checked(name, thing, given) for name, thing in found.items()]


def _kind(name: str, thing: object) -> str:
    """What a definition of the file is; empty for what is not checked."""
    own = getattr(thing, "__module__", "") in ("__main__", "builtins") or not str(
        getattr(thing, "__module__", "")
    ).startswith(("microtorch", "torch"))
    if isinstance(thing, type) and own:
        if issubclass(thing, torch.autograd.Function) and thing is not torch.autograd.Function:
            return "function"
        return "value" if name == "Value" or hasattr(thing, "backward") else ""
    if inspect.isfunction(thing) and own:
        return "backward" if name == "backward" else "vjp" if name.endswith("_backward") else ""
    return ""


def _checked(name: str, thing: object, given: Mapping[str, object]) -> Answer:
    with patience():
        return _answer(name, thing, given, _kind(name, thing))


def _answer(name: str, thing: object, given: Mapping[str, object], kind: str) -> Answer:
    if kind == "value" and isinstance(thing, type):
        return exercise_values.check_class(thing)
    if isinstance(thing, type) and issubclass(thing, torch.autograd.Function):
        return exercise_ops.check_function(thing, given)
    if kind == "backward" and callable(thing):
        return exercise_values.check_backward(thing)
    if kind == "vjp" and callable(thing):
        return exercise_ops.check_vjp(name.removesuffix("_backward"), thing, given)
    raise LookupError(f"{name} has no backward to check")


# ---- the command ---------------------------------------------------------------------------------
def command(arguments: list[str] | None = None) -> int:
    """``microtorch check exercise.py``. Returns 0 where all is right, else 1."""
    parser = argparse.ArgumentParser(
        prog="microtorch check",
        description="Compare your own Value, op or backward with the engine: the first wrong\n"
        "number, where it stands, and a picture of it beside the file.",
        epilog=__doc__.partition("\n\n")[2] if __doc__ else "",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("exercise", nargs="+", help="the Python file")
    options = parser.parse_args(arguments)
    status = 0
    for path in options.exercise:
        if not os.path.isfile(path):
            parser.error(f"no file {path}")
        try:
            answers = check(path)
        except LookupError as error:
            print(f"microtorch check: {path}: {error}", file=sys.stderr)
            status = 1
            continue
        except Exception as error:
            print(f"microtorch check: {path} does not run:", file=sys.stderr)
            print(_said(error), end="", file=sys.stderr)
            status = 1
            continue
        for answer in answers:
            draw(answer, path)
            print(answer)
            status |= not answer
    return status


def _said(error: Exception) -> str:
    """The traceback from the pupil's first line on."""
    frames = traceback.extract_tb(error.__traceback__)
    first = next((k for k, f in enumerate(frames) if "microtorch" not in f.filename), len(frames))
    head = traceback.format_list(frames[first:])
    return "".join([*head, *traceback.format_exception_only(error)])


def draw(answer: Answer, path: str) -> None:
    """Save the picture of what is wrong beside the file, where Graphviz is there."""
    wrong = answer.wrong
    if wrong is None or wrong.root is None or not wrong.remarks:
        return
    from ..viz.asking.marking import marked
    from ..viz.drawing.render import RenderError

    try:
        graph = marked(wrong.root, wrong.names, wrong.remarks)
        answer.picture = graph.save(f"{os.path.splitext(path)[0]}.svg")
    except (RenderError, ImportError, OSError):
        answer.picture = ""
