"""``torch.utils._pytree``: functions of nested tuples, lists and dicts, leaf by leaf.

PyTorch's module is private, and packages of layers import it all the same. None and whatever else
is no such container is a leaf.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..base.errors import message
from ..base.types import Argument, Tree
from ..kinds.trees import Structure as TreeSpec
from ..kinds.trees import flatten, unflatten

__all__ = [
    "TreeSpec", "tree_all", "tree_any", "tree_flatten", "tree_leaves", "tree_map", "tree_map_",
    "tree_map_only", "tree_structure", "tree_unflatten",
]  # fmt: skip


def tree_flatten(tree: Tree, is_leaf: Callable[[Tree], bool] | None = None) -> tuple[Any, TreeSpec]:
    """The list of leaves in order, and what ``tree_unflatten`` needs besides."""
    return flatten(tree, is_leaf)


def tree_leaves(tree: Tree, is_leaf: Callable[[Tree], bool] | None = None) -> list[Any]:
    """The leaves in order."""
    return flatten(tree, is_leaf)[0]


def tree_structure(tree: Tree, is_leaf: Callable[[Tree], bool] | None = None) -> TreeSpec:
    """What a tree looks like without its leaves."""
    return flatten(tree, is_leaf)[1]


def tree_unflatten(leaves: Iterable[Any], treespec: TreeSpec) -> Tree:
    """The containers of ``treespec`` around these leaves. ValueError if there are too many or few.
    """
    leaves = list(leaves)
    if len(leaves) != treespec.num_leaves:
        raise ValueError(
            message(
                f"treespec.unflatten(leaves): `leaves` has length {len(leaves)} but the spec "
                f"refers to a pytree that holds {treespec.num_leaves} items ({treespec})."
            )
        )
    return unflatten(leaves, treespec)


def tree_map(
    func: Callable[..., Any],
    tree: Tree,
    *rests: Tree,
    is_leaf: Callable[[Tree], bool] | None = None,
) -> Tree:
    """A tree of ``func(leaf, *leaves at the same place of the other trees)``.

    ValueError if another tree is not like the first one; where the first has a leaf, it may go on.
    """
    leaves, spec = flatten(tree, is_leaf)
    return unflatten(map(func, leaves, *(_below(spec, rest) for rest in rests)), spec)


def tree_map_(func: Callable[..., Any], tree: Tree, *rests: Tree) -> Tree:
    """Call ``func`` as ``tree_map`` does, for what it does to the leaves. Returns the first tree.
    """
    tree_map(func, tree, *rests)
    return tree


def tree_map_only(kind: type | tuple[type, ...], func: Callable[[Any], Any], tree: Tree) -> Tree:
    """``func`` of the leaves of a type, or a tuple of types; the others as they are."""
    return tree_map(lambda x: func(x) if isinstance(x, kind) else x, tree)


def tree_all(pred: Callable[[Any], bool], tree: Tree) -> bool:
    """Is it true of all leaves?"""
    return all(map(pred, tree_leaves(tree)))


def tree_any(pred: Callable[[Any], bool], tree: Tree) -> bool:
    """Is it true of a leaf?"""
    return any(map(pred, tree_leaves(tree)))


def _below(spec: TreeSpec, tree: Argument) -> list[Any]:
    """What ``tree`` has in the places of the leaves of ``spec``."""
    if spec.kind is None:
        return [tree]
    if type(tree) is not spec.kind:
        raise ValueError(
            message(f"Node type mismatch; expected {spec.kind}, but got {type(tree)}.")
        )
    below: Argument = tree  # mypy has narrowed the type to object
    if len(below) != len(spec.keys):
        raise ValueError(
            message(f"Node arity mismatch; expected {len(spec.keys)}, but got {len(below)}.")
        )
    if isinstance(tree, dict) and set(tree) != set(spec.keys):
        raise ValueError(
            message(f"Node keys mismatch; expected {list(spec.keys)}, but got {list(tree)}.")
        )
    return [
        x for k, part in zip(spec.keys, spec.parts, strict=True) for x in _below(part, below[k])
    ]
