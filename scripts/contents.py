"""The table microtorch/ops/contents.py: what each family of ops/ declares.

    python scripts/contents.py             says whether the table is out of date; fails if it is
    python scripts/contents.py --write     writes it anew

By the table a family is imported when the first of its names is asked for. The families are
imported here one by one, each after those that it needs, and what has come with it is its own.
"""
from __future__ import annotations

import argparse
import ast
import importlib
import sys
import textwrap
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
OPS = ROOT / "microtorch/ops"
TABLE = OPS / "contents.py"
# they declare nothing, or are promised name by name
NO_FAMILIES = ("__init__", "arguments", "contents", "elementwise", "node_names", "surface")
KINDS = ("ops", "kernels", "functions", "methods")
START = '''"""What each family of ops/ declares: ops, other kernels, functions and methods.

Written by scripts/contents.py.
"""
from __future__ import annotations

CONTENTS = {
'''


def needed(family: str) -> list[str]:
    """The modules of ops/ that a family imports when it is imported."""
    tree = ast.parse((OPS / f"{family}.py").read_text(encoding="utf-8"))
    found: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            found += [node.module] if node.module else [alias.name for alias in node.names]
    return found


def in_order() -> list[str]:
    """The families, each after those that it needs."""
    done: list[str] = []

    def visit(name: str) -> None:
        if name not in done:
            for other in needed(name):
                visit(other)
            done.append(name)

    for path in sorted(OPS.glob("*.py")):
        visit(path.stem)
    return [name for name in done if name not in NO_FAMILIES]


def bare_package() -> None:
    """A package microtorch that imports nothing by itself."""
    package = sys.modules["microtorch"] = ModuleType("microtorch")
    package.__path__ = [str(ROOT / "microtorch")]


def contents() -> dict[str, dict[str, list[str]]]:
    """Per family and kind, the names. In a process that has not imported microtorch."""
    bare_package()
    for name in NO_FAMILIES:
        if name != "contents":
            importlib.import_module(f"microtorch.ops.{name}")
    for path in (ROOT / "microtorch/engine").glob("*.py"):  # declares what the engine needs
        importlib.import_module(f"microtorch.engine.{path.stem}")
    surface = importlib.import_module("microtorch.ops.surface")
    kernels = importlib.import_module("microtorch.backends.table").definitions
    registry = importlib.import_module("microtorch.engine.registry").REGISTRY
    dicts = dict(zip(KINDS, (registry, kernels, surface.FUNCTIONS, surface.METHODS), strict=True))
    entered: dict[tuple[str, str], str] = {}
    found: dict[str, dict[str, list[str]]] = {}
    for family in in_order():
        before = {kind: dict.copy(d) for kind, d in dicts.items()}
        loaded = set(sys.modules)
        importlib.import_module(f"microtorch.ops.{family}")
        new = {m for m in set(sys.modules) - loaded if m.startswith("microtorch.ops.")}
        if new - {f"microtorch.ops.{family}"}:
            raise ImportError(f"{family} asks {new} for something while it is imported: import it")
        found[family] = {}
        for kind, d in dicts.items():
            now = dict.copy(d)
            names = [n for n, x in now.items() if before[kind].get(n) is not x]
            for name in names:
                other = entered.setdefault((kind, name), family)
                if other != family:
                    raise ValueError(f"{other} and {family} both enter '{name}' among the {kind}")
            found[family][kind] = names
        own = found[family]
        own["kernels"] = [name for name in own["kernels"] if name not in own["ops"]]
    return found


def text() -> str:
    lines = [START]
    for family, kinds in sorted(contents().items()):
        lines.append(f'    "{family}": (\n')
        for kind in KINDS:
            names = textwrap.wrap(" ".join(sorted(kinds[kind])), 88)
            rows = [f'"{row} "' for row in names[:-1]] + [f'"{row}"' for row in names[-1:]]
            lines.append("        " + "\n        ".join(rows or ['""']) + ",\n")
        lines.append("    ),\n")
    return "".join([*lines, "}\n"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write it anew")
    write = parser.parse_args().write
    new = text()
    stale = not TABLE.exists() or TABLE.read_text(encoding="utf-8") != new
    if stale:
        print(f"{TABLE.relative_to(ROOT)} {'written' if write else 'is out of date'}")
    if stale and write:
        TABLE.write_text(new, encoding="utf-8")
    return int(stale and not write)


if __name__ == "__main__":
    sys.exit(main())
