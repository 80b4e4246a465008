"""microtorch.viz: pictures of computation graphs, and the chain rule step by step.

    from microtorch import viz
    viz.draw(loss).save("loss.svg")

Everything is made from one ``Trace`` (tracing.py), plain data read off the graph. Importing this package imports
neither graphviz nor rich: each name loads its module when first used, and microtorch itself never imports this package.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .asking.crash import draw_error, draw_errors
    from .asking.explain import explain_grad
    from .asking.recording import diff, record
    from .asking.zooming import Zoom, expand, zoom
    from .drawing.picture import Graph, draw, draw_dot, make_dot
    from .drawing.render import RenderError
    from .reading.trace import GraphTooLarge, Trace
    from .showing.stepper import Stepper, quiz, step
    from .telling.differences import check
    from .telling.table import trace

__all__ = [
    "Graph",
    "GraphTooLarge",
    "RenderError",
    "Stepper",
    "Trace",
    "Zoom",
    "check",
    "diff",
    "draw",
    "draw_dot",
    "draw_error",
    "draw_errors",
    "expand",
    "explain_grad",
    "make_dot",
    "quiz",
    "record",
    "step",
    "trace",
    "zoom",
]

_HOME = {
    "Graph": "drawing.picture",
    "GraphTooLarge": "reading.trace",
    "RenderError": "drawing.render",
    "Stepper": "showing.stepper",
    "Trace": "reading.trace",
    "check": "telling.differences",
    "diff": "asking.recording",
    "draw": "drawing.picture",
    "draw_dot": "drawing.picture",
    "draw_error": "asking.crash",
    "draw_errors": "asking.crash",
    "expand": "asking.zooming",
    "explain_grad": "asking.explain",
    "make_dot": "drawing.picture",
    "quiz": "showing.stepper",
    "record": "asking.recording",
    "step": "showing.stepper",
    "trace": "telling.table",
    "Zoom": "asking.zooming",
    "zoom": "asking.zooming",
}  # modules are named so that none hides a function: `viz.draw` is the function


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'microtorch.viz' has no attribute '{name}'; it has {', '.join(sorted(_HOME))}")
    value = getattr(importlib.import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
