"""The computation graph: immutable nodes, one clock, one walk.

A ``Node`` is one value and how it was made (static single assignment, SSA): it names its ``op``,
its ``inputs`` (in the order of the user's code, constants included) and the ``value`` that came
out. A node never changes once it is made, except that backward may drop its arrays to free memory;
an in-place operation makes a *new* node and rebinds the user's handle.

``seq`` is read from a single clock, so **inputs are always older than the node that uses them**.
Everything follows: no cycle can exist, sorting by ``seq`` *is* a topological order, and reference
counting alone frees a graph.

Every reader (backward, pictures, stepper) walks the graph with ``in_order``, which does not
recurse: a chain of a million nodes is no harder than a short one.

The same clock dates in-place writes (``Storage.written``). A value saved by a node has been
overwritten exactly when its storage was written after the node was made:
``storage.written > node.seq``.
"""
from .clock import Storage, last_write, tick, ticks
from .hooks import Hooks, RemovableHandle
from .mode import Mode, Scope, mode
from .node import ABSENT, Node, edge, hooks_of, shown, storage_of
from .source import Site, here, is_library, last_user_code, told_frame, user_frame, users
from .walk import by_seq, check, in_order, reachable

__all__ = [
    "ABSENT", "Hooks", "Mode", "Node", "RemovableHandle", "Scope", "Site", "Storage",
    "by_seq", "check", "edge", "here", "hooks_of", "in_order", "is_library",
    "last_user_code", "last_write", "mode", "reachable", "shown", "storage_of",
    "tick",
    "ticks",
    "told_frame", "user_frame", "users",
]  # fmt: skip
