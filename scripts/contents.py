"""The tables contents.py of ops/, handles/, create/, backends/core/, nn/ and optim/: what files
declare.

    python scripts/contents.py             says whether a table is out of date; fails if one is
    python scripts/contents.py --write     writes them anew

By the table a file, or family, is imported when the first of its names is asked for. The families
are imported here one by one, each after those that it needs, and what has come with it is its own.
Those of nn/ and optim/ are what their packages import for type checkers alone.
"""
from __future__ import annotations

import argparse
import ast
import importlib
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "microtorch"
# by folder, lowest first: the files that declare nothing, are promised name by name, or are always
# imported
NO_FAMILIES = {
    "ops": ("__init__", "arguments", "contents", "elementwise", "node_names", "surface"),
    "handles": (
        "__init__", "contents", "methods", "properties", "protocols", "scalar", "scalar_text",
        "size", "storage", "tensor",
    ),
    "create": ("__init__", "contents", "finish"),
}
# packages whose files are imported when one of their names is asked for, and the titles of these
ON_DEMAND = {
    "nn": {"LAYERS": "nn/layers", "FUNCTIONS": "nn/functional"},
    "optim": {"OPTIMIZERS": "optim", "SCHEDULERS": "optim/lr_scheduler"},
}
KINDS = ("ops", "kernels", "functions", "methods", "bound")  # bound: to Tensor, by its file
START = '''"""What each family of {}/ declares: ops, other kernels, functions and methods.

Written by scripts/contents.py.
"""
from __future__ import annotations

CONTENTS = {{
'''
FAMILIES = '''"""The files and classes of backends/core/ whose kernels are imported when asked for.

Written by scripts/contents.py.
"""
from __future__ import annotations

FAMILIES = {
'''

NAMES = '''"""In which file each name of {} is declared.

Written by scripts/contents.py.
"""
from __future__ import annotations

'''

def needed(folder: str, family: str) -> list[str]:
    """The modules of its folder that a family imports when it is imported."""
    tree = ast.parse((PACKAGE / folder / f"{family}.py").read_text(encoding="utf-8"))
    found: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            found += [node.module] if node.module else [alias.name for alias in node.names]
    return found


def in_order(folder: str) -> list[str]:
    """The families of a folder, each after those that it needs."""
    done: list[str] = []

    def visit(name: str) -> None:
        if name not in done:
            for other in needed(folder, name):
                visit(other)
            done.append(name)

    for path in sorted((PACKAGE / folder).glob("*.py")):
        visit(path.stem)
    return [name for name in done if name not in NO_FAMILIES[folder]]


def bare_package(name: str, path: Path) -> None:
    """A package that imports nothing by itself, and so promises nothing."""
    package = sys.modules[name] = ModuleType(name)
    package.__path__ = [str(path)]


def contents(folder: str) -> dict[str, dict[str, list[str]]]:
    """Per family and kind, the names. In a process that has imported nothing above the folder."""
    if folder != "ops":  # what is below promises what it declares
        bare_package(f"microtorch.{folder}", PACKAGE / folder)
        importlib.import_module("microtorch.handles.tensor")
    for name in NO_FAMILIES[folder]:
        if name not in ("__init__", "contents"):
            importlib.import_module(f"microtorch.{folder}.{name}")
    for path in (ROOT / "microtorch/engine").glob("*.py"):  # declares what the engine needs
        importlib.import_module(f"microtorch.engine.{path.stem}")
    surface = importlib.import_module("microtorch.ops.surface")
    kernels = importlib.import_module("microtorch.backends.table").definitions
    registry = importlib.import_module("microtorch.engine.registry").REGISTRY
    dicts = dict(zip(KINDS, (registry, kernels, surface.FUNCTIONS, surface.METHODS), strict=False))
    if folder == "handles":
        dicts["bound"] = vars(importlib.import_module("microtorch.handles.methods").Methods)
    formulas = importlib.import_module("microtorch.notation.formulas")
    entered: dict[tuple[str, str], str] = {}
    found: dict[str, dict[str, list[str]]] = {}
    below = {k: {*getattr(d, "open", ())} if folder != "ops" else set() for k, d in dicts.items()}
    for family in in_order(folder):
        before = {kind: held(d) for kind, d in dicts.items()}
        loaded = set(sys.modules)
        importlib.import_module(f"microtorch.{folder}.{family}")
        new = {m for m in set(sys.modules) - loaded if m.startswith(f"microtorch.{folder}.")}
        if new - {f"microtorch.{folder}.{family}"}:
            raise ImportError(f"{family} asks {new} for something while it is imported: import it")
        found[family] = {}
        for kind, d in dicts.items():
            now = held(d)
            names = [n for n, x in now.items() if before[kind].get(n) is not x]
            names = [n for n in names if n not in below[kind]]
            if kind == "bound":  # the twin of a formula is promised by the formula
                names = [n for n in names if n[:-1] not in formulas.TABLE]
            for name in names:
                other = entered.setdefault((kind, name), family)
                if other != family:
                    raise ValueError(f"{other} and {family} both enter '{name}' among the {kind}")
            found[family][kind] = names
        own = found[family]
        own["kernels"] = [name for name in own["kernels"] if name not in own["ops"]]
    return found


def held(d: Mapping[str, object]) -> dict[str, object]:
    """What is entered in a dict, without what is promised."""
    return dict(dict.items(d) if isinstance(d, dict) else d)


def row(names: list[str], width: int = 88) -> str:
    """Names as one text, in lines."""
    lines = textwrap.wrap(" ".join(sorted(names)), width)
    parts = [f'"{line} "' for line in lines[:-1]] + [f'"{line}"' for line in lines[-1:]]
    return "        " + "\n        ".join(parts or ['""']) + ",\n"


def entry(key: str, names: list[str], indent: str) -> str:
    """The names of one key, behind it if there is room."""
    line = f'{indent}"{key}": "{" ".join(sorted(names))}",\n'
    if len(line) <= 101:
        return line
    lines = row(names, 92 - len(indent))[:-2].replace(" " * 8, f"{indent}    ")
    return f'{indent}"{key}": (\n{lines}\n{indent}),\n'


def text(folder: str) -> str:
    """The table of a folder of functions."""
    lines = [START.format(folder)]
    for family, kinds in sorted(contents(folder).items()):
        entries = [entry(kind, kinds[kind], " " * 8) for kind in KINDS if kinds.get(kind)]
        lines += [f'    "{family}": {{\n', *entries, "    },\n"] if entries else []
    return "".join([*lines, "}\n"])


def families(folder: str) -> str:
    """The table of a folder of kernels: the classes of which ``Core`` is none by itself."""
    core = importlib.import_module(f"microtorch.{folder.replace('/', '.')}.backend").Core
    reference = importlib.import_module("microtorch.backends.reference").Reference
    lines = [FAMILIES]
    for path in sorted((PACKAGE / folder).glob("*.py")):
        module = importlib.import_module(f"microtorch.{folder.replace('/', '.')}.{path.stem}")
        for name, kind in vars(module).items():
            own = isinstance(kind, type) and kind.__module__ == module.__name__
            if own and kind.__bases__ == (reference,) and not issubclass(core, kind):
                lines += [f'    "{path.stem}": (\n', row([name])]
                lines += [row([n for n in vars(kind) if not n.startswith("_")]), "    ),\n"]
    return "".join([*lines, "}\n"])


def imported_for_checkers(package: str) -> dict[str, list[str]]:
    """Per module, in the words of an import, what a package imports under TYPE_CHECKING."""
    found: dict[str, list[str]] = {}
    for node in ast.parse((PACKAGE / package / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for one in node.body:
                assert isinstance(one, ast.ImportFrom)
                module = "." * one.level + one.module if one.module else ""  # "": files themselves
                names = [alias.name for alias in one.names]
                found.setdefault(module, []).extend(
                    classes(package, one.module) if names == ["*"] and one.module else names
                )
    return found


def classes(package: str, file: str) -> list[str]:
    """The public classes that a file of a package declares."""
    tree = ast.parse((PACKAGE / package / f"{file}.py").read_text(encoding="utf-8"))
    found = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    return [name for name in found if not name.startswith("_")]


def names(packages: dict[str, str]) -> str:
    """The table of packages, by their title: from a name to its file."""
    lines = [NAMES.format(" and of ".join(p.replace("/", ".") for p in packages.values()))]
    for title, package in packages.items():
        lines += [f"{title} = {{name: file for file, names in {{\n"]
        for module, own in sorted(imported_for_checkers(package).items()):
            lines.append(entry(module, own, " " * 4))
        lines += ["}.items() for name in names.split()}\n"]
    return "".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write it anew")
    write = parser.parse_args().write
    bare_package("microtorch", PACKAGE)
    stale, made = [], {folder: text(folder) for folder in NO_FAMILIES}
    made["backends/core"] = families("backends/core")
    made |= {folder: names(packages) for folder, packages in ON_DEMAND.items()}
    for folder, new in made.items():
        table = PACKAGE / folder / "contents.py"
        if not table.exists() or table.read_text(encoding="utf-8") != new:
            stale.append(table)
            print(f"{table.relative_to(ROOT)} {'written' if write else 'is out of date'}")
            if write:
                table.write_text(new, encoding="utf-8")
    return int(bool(stale) and not write)


if __name__ == "__main__":
    sys.exit(main())
