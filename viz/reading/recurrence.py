"""What is found in a graph beside its nodes: recurrences (passes.py), origins (origins.py)."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class State:
    """What is handed on: its ``name``, where it starts (None: nowhere), its node in each pass."""

    name: str
    first: int | None
    nodes: list[int]


@dataclass(slots=True)
class Recurrence:
    """``passes``: the op nodes of each, in order; ``inputs``: the leaves that only one pass reads.

    ``shared``: the leaves that all read; ``line``, ``file``: of the loop, where the source has one.
    """

    passes: list[list[int]]
    states: list[State]
    shared: list[int]
    inputs: list[list[int]] = field(default_factory=list)
    file: str = ""
    line: int | None = None


@dataclass(slots=True)
class Origin:
    """Leaf ``node`` was made from node ``of`` in ``line`` of the source, outside of the graph."""

    node: int
    of: int
    line: int
    why: str
