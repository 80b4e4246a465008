"""The rooms of viz: imports point to earlier rooms or sideways, and only reading sees the graph."""

import ast
from pathlib import Path

import pytest

VIZ = Path(__file__).parents[2] / "viz"
ROOMS = ["reading", "telling", "drawing", "asking", "showing"]
# What the other rooms may use of microtorch: how to complain, and the formulas and their text.
ALLOWED = {"errors", "expr", "formulas", "base", "notation"}
FILES = sorted(VIZ.rglob("*.py"))


def imports(path, tree=None):
    """The modules of viz that a file imports, as lists of names, and those of microtorch."""
    package = path.relative_to(VIZ).parent.parts
    ours, core = [], set()
    for node in ast.walk(tree or ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            core |= {
                a.name.partition(".")[2] for a in node.names if a.name.startswith("microtorch")
            }
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            base = [part for part in base if part]
            names = [a.name for a in node.names]
            modules = [name for name in names if (VIZ / Path(*base) / f"{name}.py").exists()]
            ours += [[*base, name] for name in modules] or [base]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "microtorch":
            inner = node.module.partition(".")[2]
            core |= {inner} if inner else {a.name for a in node.names}
    return ours, core


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(VIZ)))
def test_imports_point_down(path):
    room = path.relative_to(VIZ).parts[0]
    if room not in ROOMS:
        return
    ours, _ = imports(path)
    up = [m for m in ours if m[0] not in ROOMS[: ROOMS.index(room) + 1]]
    assert not up, f"{path.name} of {room} imports {up}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(VIZ)))
def test_only_reading_knows_the_engine(path):
    room = path.relative_to(VIZ).parts[0]
    if room in ROOMS[1:]:
        _, core = imports(path)
        found = {m for m in core if m.split(".")[0] not in ALLOWED}
        assert not found, f"{path.name} of {room} imports {sorted(found)} of microtorch"
        text = path.read_text(encoding="utf-8")
        assert "computation.nodes" not in text and "found.nodes" not in text, (
            "nodes are for reading"
        )


def test_modules_form_no_circle():
    """Nor do imports inside functions; only those under TYPE_CHECKING may point anywhere."""
    graph = {}
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tree.body = [
            n
            for n in tree.body
            if not (isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test))
        ]
        graph[path.relative_to(VIZ).with_suffix("").parts] = {
            tuple(m) for m in imports(path, tree)[0]
        }
    done, open_ = set(), []

    def visit(name):
        assert name not in open_, " -> ".join(
            "/".join(n) for n in [*open_[open_.index(name) :], name]
        )
        if name not in done:
            open_.append(name)
            for other in sorted(graph.get(name, ())):
                visit(other)
            open_.pop()
            done.add(name)

    for name in sorted(graph):
        visit(name)
