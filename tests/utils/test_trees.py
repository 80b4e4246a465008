"""torch.utils._pytree: leaves of nested containers."""
from collections import OrderedDict, deque

import pytest
from microtorch.utils._pytree import (
    tree_any,
    tree_flatten,
    tree_leaves,
    tree_map,
    tree_map_only,
    tree_unflatten,
)

TREE = {"b": [1, (2, None)], "a": OrderedDict(z=3), "d": deque([4]), "s": {5}}


def test_there_and_back():
    leaves, spec = tree_flatten(TREE)
    assert leaves == [1, 2, None, 3, 4, {5}] and spec.num_leaves == 6
    assert tree_unflatten(leaves, spec) == TREE and tree_flatten(TREE)[1] == spec
    with pytest.raises(ValueError, match=r"has length 1 but the spec .* holds 6 items"):
        tree_unflatten([1], spec)


def test_functions_of_leaves():
    assert tree_map(lambda a, b: (a, b), {"x": [1]}, {"x": [[2]]}) == {"x": [(1, [2])]}
    assert tree_map_only(int, lambda x: -x, [1, "a", (2,)]) == [-1, "a", (-2,)]
    assert tree_leaves([(1, 2), 3], is_leaf=lambda x: type(x) is tuple) == [(1, 2), 3]
    assert tree_any(lambda x: x == 3, TREE)
    with pytest.raises(ValueError, match="Node type mismatch"):
        tree_map(max, [1], (2,))
    with pytest.raises(ValueError, match="Node arity mismatch"):
        tree_map(max, [1], [2, 3])
