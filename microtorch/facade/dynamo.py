"""``torch._dynamo``: what scripts set or call there; nothing of it has an effect.

``torch.compile`` records a run here (static/), and has no graph breaks, guards or caches that
could be configured. `OptimizedModule` is what it returns of a module.
"""
from __future__ import annotations

from collections.abc import Sequence

from ..base.errors import missing
from ..static.module import OptimizedModule
from . import compiler_config as config
from .compiler import allow_in_graph, assume_constant_result, disable, is_compiling, reset

__all__ = [
    "OptimizedModule", "allow_in_graph", "assume_constant_result", "config", "disable",
    "disallow_in_graph", "forbid_in_graph", "graph_break", "is_compiling", "list_backends",
    "mark_dynamic", "mark_static", "maybe_mark_dynamic", "reset",
]  # fmt: skip

disallow_in_graph = forbid_in_graph = allow_in_graph


def list_backends(exclude_tags: Sequence[str] | None = ("debug", "experimental")) -> list[str]:
    """What torch.compile's ``backend`` may be: "inductor", which writes C, and "eager", which has
    the tag "debug".
    """
    return ["inductor"] if "debug" in (exclude_tags or ()) else ["eager", "inductor"]


def graph_break(msg: str = "") -> None:
    """No text is compiled that could be broken up."""


def mark_dynamic(t: object, index: object, **bounds: object) -> None:
    """Without effect: a compiled step records anew where a shape is new."""


mark_static = maybe_mark_dynamic = mark_dynamic
__getattr__ = missing("torch._dynamo", __all__)
