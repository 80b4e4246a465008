"""The stubs say what is there: they are what scripts/stubs.py prints, and miss no method."""

import ast

from repository import ROOT, script

import microtorch as torch
from microtorch.handles.methods import Methods, ScalarMethods, bind_all


def test_they_are_up_to_date():
    stale = [str(path.relative_to(ROOT)) for path in script("stubs").out_of_date()]
    assert not stale, f"{stale}: python scripts/stubs.py --write"


def test_every_method_and_every_name_is_there():
    tree = ast.parse((ROOT / "microtorch/handles/methods.pyi").read_text(encoding="utf-8"))
    for cls in (Methods, ScalarMethods):
        (found,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == cls.__name__]
        assert {f.name for f in found.body} == {n for n, f in bind_all(cls).items() if callable(f)}
    tree = ast.parse((ROOT / "microtorch/__init__.pyi").read_text(encoding="utf-8"))
    names = {a.asname for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}
    names |= {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    names |= {n.target.id for n in tree.body if isinstance(n, ast.AnnAssign)}
    names |= {n.targets[0].id for n in tree.body if isinstance(n, ast.Assign)}
    assert set(torch.__all__) <= names
