"""Nested tuples, lists and dicts of values, as a flat list and a structure, and back."""
from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ..base.types import Tree

DICTS = (dict, OrderedDict, defaultdict)


class Structure(NamedTuple):
    """What nested containers look like without their leaves. ``kind`` None: a leaf."""

    kind: type | None
    keys: tuple[Any, ...]
    parts: tuple[Structure, ...]

    @property
    def num_leaves(self) -> int:
        return 1 if self.kind is None else sum(part.num_leaves for part in self.parts)

    def __repr__(self) -> str:
        if self.kind is None:
            return "*"
        inside = ", ".join(
            f"{k!r}: {p}" if self.kind in DICTS else str(p)
            for k, p in zip(self.keys, self.parts, strict=True)
        )
        return f"{self.kind.__name__}({inside})"


LEAF = Structure(None, (), ())


def flatten(
    tree: Tree, is_leaf: Callable[[Tree], bool] | None = None
) -> tuple[list[Any], Structure]:
    """The leaves in order, and the structure. ``is_leaf`` may stop above the containers' ends."""
    leaves: list[Any] = []
    return leaves, _structure(tree, leaves, is_leaf)


def _structure(
    tree: Tree, leaves: list[Any], is_leaf: Callable[[Tree], bool] | None
) -> Structure:
    kind = type(tree)
    if is_leaf is not None and is_leaf(tree):
        leaves.append(tree)
        return LEAF
    if kind in DICTS:
        keys, values = tuple(tree), tuple(tree.values())
    elif kind in (tuple, list, deque) or (isinstance(tree, tuple) and hasattr(tree, "_fields")):
        keys, values = tuple(range(len(tree))), tuple(tree)
    else:
        leaves.append(tree)
        return LEAF
    return Structure(kind, keys, tuple([_structure(v, leaves, is_leaf) for v in values]))


def unflatten(leaves: Iterable[Any], structure: Structure) -> Tree:
    """The containers of ``structure`` around these leaves."""
    return _built(iter(leaves), structure)


def _built(leaves: Tree, structure: Structure) -> Tree:
    kind = structure.kind
    if kind is None:
        return next(leaves)
    parts = [_built(leaves, part) for part in structure.parts]
    if kind in DICTS:
        out: Tree = OrderedDict() if kind is OrderedDict else {}
        out.update(zip(structure.keys, parts, strict=True))
        return out
    return kind(*parts) if hasattr(kind, "_fields") else kind(parts)


def mapped(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """``function`` of every leaf."""
    leaves, structure = flatten(tree)
    return unflatten(map(function, leaves), structure)


def spread_over(prefix: Tree, structure: Structure) -> list[Any] | None:
    """A value for each leaf of ``structure``, where ``prefix`` may end above the leaves.

    None if they do not fit.
    """
    if structure.kind is None or not isinstance(prefix, (tuple, list, dict)):
        if structure.kind is None and isinstance(prefix, (tuple, list, dict)):
            return None
        return [prefix] * structure.num_leaves
    values: Sequence[Any]
    if isinstance(prefix, dict):
        if structure.kind not in DICTS or set(prefix) != set(structure.keys):
            return None
        values = [prefix[k] for k in structure.keys]
    else:
        if structure.kind in DICTS or len(prefix) != len(structure.parts):
            return None
        if type(prefix) is not structure.kind and not hasattr(structure.kind, "_fields"):
            return None
        values = prefix
    out: list[Any] = []
    for value, part in zip(values, structure.parts, strict=True):
        spread = spread_over(value, part)
        if spread is None:
            return None
        out += spread
    return out
