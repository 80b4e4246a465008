"""A node is filled in few places, each known: what all others do is call ``record`` or ``fill``."""

import ast
import gc
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

import microtorch as torch
from microtorch.backends.core import library
from microtorch.engine import record
from microtorch.engine.handle import Handle
from microtorch.graph import tick

PACKAGE = Path(torch.__file__).parent

# who stores a node's creation time: the general text, and the hot paths that write it out
PLACES = {
    ("engine/record.py", "constant_node"),
    ("engine/record.py", "written"),
    ("engine/record.py", "fill"),
    ("engine/leaf.py", "leaf"),
    ("engine/hot.py", "method"),  # of unary and of binary
    ("engine/short.py", "single"),
    ("engine/short.py", "several"),
    ("engine/hot.py", "view"),  # of viewing
    ("handles/scalar.py", "_fill"),
    ("handles/scalar_text.py", "METHOD"),
    # not made there, but dated anew after a write in place
    ("handles/views.py", "adopt"),
    ("handles/views.py", "_adopt"),
    ("handles/views.py", "write_region"),
    ("handles/metadata.py", "method"),
    ("reading/failure.py", "trace_of"),  # of viz: the op that failed, drawn as if it had a node
}


def stores(tree):
    """Names of functions, and of texts of functions, that store an attribute ``seq``."""

    def visit(node, name):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            name = getattr(node, "name", name)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            text = node.value.value
            if isinstance(text, str) and ".seq = " in text:
                yield node.targets[0].id
        if isinstance(node, ast.Attribute) and node.attr == "seq":
            if isinstance(node.ctx, ast.Store):
                yield name
        for child in ast.iter_child_nodes(node):
            yield from visit(child, name)

    return set(visit(tree, ""))


def test_nodes_are_filled_only_where_it_is_known():
    folders = [PACKAGE, PACKAGE.parent / "viz"]
    found = set()
    for folder in folders:
        for path in folder.rglob("*.py"):
            for name in stores(ast.parse(path.read_text(encoding="utf-8"))):
                found.add((path.relative_to(folder).as_posix(), name))
    assert found == PLACES


def test_functions_of_the_engine_are_short():
    """A function of the engine fits a screen: its signature and docstring not counted."""
    for path in (PACKAGE / "engine").glob("*.py"):
        if path.name in ("hot.py", "short.py"):  # texts that are written out on purpose
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                assert lines <= 46, (path.name, node.name, lines)


def test_constants_are_made_by_c_as_they_are_written():
    array, dev = np.ones((2, 3), np.float32), torch.ones(1).node.dev
    slots = ("value", "dev", "grad", "hooks", "storage", "needs", "inputs", "saved", "attrs",
             "code", "scope", "lasti")  # fmt: skip
    before = sys.getrefcount(array), sys.getrefcount(None)
    written, made = record.written(array, dev), record.constant_of(array, dev)
    for t in (written, made):
        assert type(t) is torch.Tensor and type(t.node) is record.Constant
        assert t.array is array and t.origin is None and vars(t) == {}
    assert all(getattr(written.node, s) is getattr(made.node, s) for s in slots)
    assert made.node.seq == written.node.seq + 1 == tick() - 1
    made.name, alive = "a", weakref.ref(made.node)
    assert gc.is_tracked(made) and vars(made) == {"name": "a"}
    del t, written, made
    assert alive() is None and sys.getrefcount(array) == before[0]
    for _ in range(100):
        record.constant_of(array, dev)
    assert sys.getrefcount(array) == before[0] and abs(sys.getrefcount(None) - before[1]) < 50
    for wrong in ((), (array,), (array, dev, None)):
        with pytest.raises(TypeError):
            record.constant_of(*wrong)


def test_what_stands_over_a_tensors_memory_is_told_of_constants(monkeypatch):
    """As a recording is (static/recording.py)."""
    seen, slot = [], vars(Handle)["array"]
    monkeypatch.setattr(torch.Tensor, "array", property(slot.__get__, lambda t, a: seen.append(a)),
                        raising=False)
    array = np.ones(3)
    record.constant_of(array, None)
    assert seen == [array]


def test_slots_are_found_where_they_lie():
    class Two:
        __slots__ = ("a", "b")

    class Three(Two):
        __slots__ = ("c",)

    if library.lib is not None:
        places = [library.place_of(Three, name) for name in "abc"]
        assert len({*places}) == 3 and min(places) >= object.__basicsize__
        assert places[:2] == [library.place_of(Two, name) for name in "ab"]
