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
    from .crash import draw_error, draw_errors
    from .differences import check
    from .explain import explain_grad
    from .picture import Graph, draw, draw_dot, make_dot
    from .recording import diff, record
    from .render import RenderError
    from .stepper import Stepper, quiz, step
    from .table import trace
    from .tracing import GraphTooLarge, Trace
    from .zooming import Zoom, expand, zoom

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
    "Graph": "picture",
    "GraphTooLarge": "tracing",
    "RenderError": "render",
    "Stepper": "stepper",
    "Trace": "tracing",
    "check": "differences",
    "diff": "recording",
    "draw": "picture",
    "draw_dot": "picture",
    "draw_error": "crash",
    "draw_errors": "crash",
    "expand": "zooming",
    "explain_grad": "explain",
    "make_dot": "picture",
    "quiz": "stepper",
    "record": "recording",
    "step": "stepper",
    "trace": "table",
    "Zoom": "zooming",
    "zoom": "zooming",
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
