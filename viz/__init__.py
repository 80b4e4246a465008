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
    from .differences import check
    from .picture import Graph, draw, draw_dot, make_dot
    from .render import RenderError
    from .stepper import Stepper, step
    from .table import trace
    from .tracing import GraphTooLarge, Trace

__all__ = [
    "Graph",
    "GraphTooLarge",
    "RenderError",
    "Stepper",
    "Trace",
    "check",
    "draw",
    "draw_dot",
    "make_dot",
    "step",
    "trace",
]

_HOME = {
    "Graph": "picture",
    "GraphTooLarge": "tracing",
    "RenderError": "render",
    "Stepper": "stepper",
    "Trace": "tracing",
    "check": "differences",
    "draw": "picture",
    "draw_dot": "picture",
    "make_dot": "picture",
    "step": "stepper",
    "trace": "table",
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
