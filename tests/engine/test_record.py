"""A node is filled in few places, each known: what all others do is call ``record`` or ``fill``."""

import ast
from pathlib import Path

import microtorch

PACKAGE = Path(microtorch.__file__).parent

# who stores a node's creation time: the general text, and the hot paths that write it out
PLACES = {
    ("engine/record.py", "constant_node"),
    ("engine/record.py", "constant_of"),
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
