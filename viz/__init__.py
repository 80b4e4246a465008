"""microtorch.viz: pictures of computation graphs, and the chain rule step by step.

    from microtorch import viz
    viz.draw(loss).save("loss.svg")

Five rooms; each imports from those before it and from none behind:

    reading   the graph becomes a Trace, plain data
    telling   the Trace becomes words, steps, tables
    drawing   the Trace becomes a picture: Graphviz, and films of it
    asking    questions: why no gradient, what does this op do, what did training do
    showing   what stands on a screen: terminal, page, notebook

Only reading sees the graph. Importing this package imports neither graphviz nor rich: each name
loads its module when first used. microtorch itself imports this package only where a program asks
for a page: MICROTORCH_VIZ=1, and export(target="wasm").
"""

from __future__ import annotations

import importlib
from typing import Any

from microtorch.base.errors import unknown

__all__ = [
    "Graph", "GraphTooLarge", "MemoryPlan", "Poster", "ProgramPicture", "ProgramStepper",
    "RenderError", "Stepper", "Trace", "Zoom", "check", "diff", "draw", "draw_dot",
    "draw_error", "draw_errors", "expand", "explain_grad", "intervene", "latex", "make_dot",
    "memory", "quiz", "record", "step", "summary", "timeline", "trace", "zoom",
]  # fmt: skip

# The module of each name. No module has the name of a function: `viz.draw` is the function.
_HOME = {
    "asking.changes": ("diff",),
    "asking.crash": ("draw_error", "draw_errors"),
    "asking.explain": ("explain_grad",),
    "asking.intervening": ("intervene",),
    "asking.recording": ("record",),
    "asking.zooming": ("Zoom", "expand", "zoom"),
    "drawing.picture": ("Graph", "draw", "draw_dot", "make_dot"),
    "drawing.poster": ("Poster", "summary"),
    "drawing.program": ("ProgramPicture",),
    "drawing.render": ("RenderError",),
    "drawing.shelves": ("MemoryPlan", "memory"),
    "drawing.timeline": ("timeline",),
    "reading.trace": ("GraphTooLarge", "Trace"),
    "showing.programs": ("ProgramStepper",),
    "showing.stepper": ("Stepper", "quiz", "step"),
    "telling.differences": ("check",),
    "telling.mathematics": ("latex",),
    "telling.table": ("trace",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    home = _MODULE.get(name)
    if home is None:
        raise unknown("module 'microtorch.viz'", name, _MODULE)
    value = getattr(importlib.import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
