"""The stubs of what is made at run time: the methods of Tensor and Scalar, the package's names.

    python scripts/stubs.py             names the stubs that are out of date; fails if there are any
    python scripts/stubs.py --write     writes them anew

mypy and editors read a stub in place of its module. Signatures and annotations are those of the
functions; a function that is made from the declaration of an op takes the op's operands.
"""
from __future__ import annotations

import argparse
import ast
import builtins
import functools
import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable
from importlib.util import resolve_name
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import microtorch
from microtorch.arrays.dtypes import dtype
from microtorch.engine.op import Op
from microtorch.engine.registry import REGISTRY
from microtorch.facade import namespace
from microtorch.handles.methods import Methods, ScalarMethods, bind_all
from microtorch.notation import formulas

ROOT = Path(__file__).parents[1]
TYPES = "microtorch.base.types"
# classes that bear PyTorch's module, and where they are written
HOMES = {
    microtorch.Tensor: "microtorch.handles.tensor", microtorch.Size: "microtorch.handles.size",
    microtorch.device: "microtorch.arrays.device", dtype: "microtorch.arrays.dtypes",
}  # fmt: skip
WIDTH = 100
START = '"""{about}\n\nWritten by scripts/stubs.py.\n"""\n'


# ---- names in annotations, and where they come from ----------------------------------------------
@functools.cache
def sources(module: str) -> dict[str, tuple[str, str]]:
    """The names at the top of a module, as (module, name) of where each is from."""
    found: dict[str, tuple[str, str]] = {}
    path = str(importlib.import_module(module).__file__)
    is_package = Path(path).name == "__init__.py"
    package = module if is_package else module.rpartition(".")[0]
    body = ast.parse(Path(path).read_text(encoding="utf-8")).body
    for node in body + [n for top in body if isinstance(top, ast.If) for n in top.body]:
        if isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package)
            found |= {alias.asname or alias.name: (origin, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.asname or alias.name: (alias.name, "") for alias in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = (module, node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    found[target.id] = (module, target.id)
    return found


class Stub:
    """A stub as it grows: its lines, and the imports that they need."""

    def __init__(self, about: str, hides: Iterable[str] = ()):
        self.about = about
        self.hides = frozenset(hides)  # builtins that mean something else there, as torch.float
        self.imports: dict[str, set[str]] = {}
        self.modules: set[str] = set()
        self.lines: list[str] = []

    def take(self, module: str, name: str, local: str = "") -> None:
        """Import ``name`` from ``module``, for the stub alone."""
        names = self.imports.setdefault(module, set())
        if f"{name} as {name}" not in names:
            names.add(f"{name} as {local}" if local not in ("", name) else name)

    def export(self, module: str, name: str, public: str) -> None:
        """Import ``name`` from ``module`` for those who import the stub, who call it ``public``.

        They get what is imported ``as`` itself, or assigned.
        """
        if public != name:
            self.take(module, name)
            self.lines.append(f"{public} = {name}")
            return
        self.imports.setdefault(module, set()).discard(name)
        self.imports[module].add(f"{name} as {name}")

    def annotation(self, text: str, module: str) -> str:
        """An annotation of a module as it reads in the stub."""
        tree = ast.parse(text, mode="eval")
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                node.id = self._name(node.id, module)
        return ast.unparse(tree)

    def _name(self, name: str, module: str) -> str:
        if name in sources(module):
            origin, original = sources(module)[name]
            if original:
                self.take(origin, original, name)
            else:
                self.modules.add(f"import {origin}" + (f" as {name}" if name != origin else ""))
        elif name in self.hides:
            self.modules.add("import builtins")
            return f"builtins.{name}"
        elif not hasattr(builtins, name):
            raise NameError(f"{module} says {name} in an annotation, and defines it nowhere")
        return name

    def text(self) -> str:
        kinds = [lambda m: m in sys.stdlib_module_names, lambda m: m == "typing_extensions"]
        lines, left = [START.format(about=self.about)], dict(self.imports)
        lines += [*sorted(self.modules)]
        for kind in (*kinds, lambda m: True):
            chosen = sorted(m for m in left if kind(m.partition(".")[0]))
            block = [imports(m, sorted(left.pop(m), key=isort_key)) for m in chosen]
            lines += [*block, ""] if block else []
        return "\n".join([*lines, *self.lines]) + "\n"


def isort_key(text: str) -> tuple[int, str]:
    """CONSTANTS, then Classes, then functions, as ruff sorts them."""
    name = text.split()[0]
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    return kind, name.lower()


def imports(module: str, names: list[str]) -> str:
    """As ruff sorts them: what is imported ``as`` something has a line of its own."""
    plain = [name for name in names if " as " not in name]
    groups = [[name] for name in names if " as " in name] + ([plain] if plain else [])
    lines = []
    for group in sorted(groups, key=lambda group: isort_key(group[0])):
        line = f"from {module} import {', '.join(group)}"
        if len(line) > WIDTH:
            line = "\n".join([f"from {module} import (", *(f"    {name}," for name in group), ")"])
        lines.append(line)
    return "\n".join(lines)


def filled(parts: list[str], indent: int) -> str:
    """Parts with commas between, on lines of at most WIDTH columns."""
    unbroken = [part.replace(" ", "\0") for part in parts]
    margin = " " * indent
    text = textwrap.fill(
        ", ".join(unbroken), WIDTH - 1, initial_indent=margin, subsequent_indent=margin,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return text.replace("\0", " ")


# ---- signatures ----------------------------------------------------------------------------------
Signature = tuple[list[str], str]  # the parameters as they are written, and what is returned


def of_op(stub: Stub, op: Op, first: str, other: str, result: str, star: str = "*") -> Signature:
    """``first`` is the first parameter, ``other`` the type of the others."""
    names = op.parameters[1 : op.arity]
    static = formulas.ARGUMENTS.get(op.name, {})
    number = stub.annotation("Number", TYPES) if static else ""
    parameters = [first, *(f"{name}: {other}" for name in names)]
    parameters += [star] if static and star else []
    for name, default in static.items():
        parameters.append(f"{name}: {number}" + ("" if default is None else f" = {default}"))
    return parameters, result


def op_of(f: Callable[..., Any]) -> Op | None:
    """The op from whose declaration a function is made, if it is one of those."""
    for found in (getattr(f, "op", None), getattr(f, "written", None)):
        if isinstance(found, (Op, str)):  # a Scalar's methods name theirs
            return REGISTRY[found] if isinstance(found, str) else found
    code = inspect.unwrap(f).__code__
    made = not code.co_argcount and not code.co_kwonlyargcount and "attrs" in code.co_varnames
    return REGISTRY.get(f.__name__) if made else None


def home(value: object) -> str:
    """The module in which something was written: not the public one, which functions name."""
    written = inspect.unwrap(value) if callable(value) else value
    return getattr(written, "__globals__", {}).get("__name__") or getattr(value, "__module__", "")


def of_function(stub: Stub, f: Callable[..., Any], method: bool) -> Signature:
    """The signature of a function as it was written; as a method's, its first parameter is self."""
    written = inspect.unwrap(f)
    module, signature = home(written), inspect.signature(written)
    parameters, star = [], False
    own = list(signature.parameters.values())
    if takes_numpys_names(f):
        own = with_numpys_names(own)
    for i, p in enumerate(own):
        kind = kind_of(stub, p.annotation, module)
        if p.kind is p.KEYWORD_ONLY and not star:
            star = True
            parameters.append("*")
        text = f"{p.name}: {kind}"
        if not i and method:
            text = "self"
        elif not i and p.name == "self":
            text = f"self: {stub.annotation('Tensor', TYPES)}"
        elif p.kind is p.VAR_POSITIONAL:
            text, star = f"*{text}", True
        elif p.kind is p.VAR_KEYWORD:
            text = f"**{text}"
        elif p.default is not p.empty:
            text += f" = {default_text(p.default)}"
        parameters.append(text)
    return parameters, kind_of(stub, signature.return_annotation, module)


def kind_of(stub: Stub, annotation: Any, module: str) -> str:
    """An annotation of a function, which is text unless the function is a lambda or generated."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "Any")
    if annotation is inspect.Signature.empty or text == "Any":
        stub.take("typing", "Any")
        return "Any"
    return stub.annotation(text, module)


def with_numpys_names(own: list[inspect.Parameter]) -> list[inspect.Parameter]:
    """Parameters with ``axis`` beside ``dim``, ``keepdims`` beside ``keepdim``.

    A ``dim`` that must be given may then be left out, unless other required ones follow it.
    """
    last = max((i for i, p in enumerate(own) if p.default is p.empty), default=0)
    if own[last].name == "dim":
        own = [*own[:last], own[last].replace(default=...), *own[last + 1 :]]
    renamed = {"dim": "axis", "keepdim": "keepdims"}
    taken = {p.name for p in own}
    more = [
        p.replace(name=renamed[p.name], kind=p.KEYWORD_ONLY)
        for p in own
        if p.name in renamed and p.default is not p.empty and renamed[p.name] not in taken
    ]
    return [*own, *more]


def takes_numpys_names(f: Callable[..., Any]) -> bool:
    """Does it take ``axis`` and ``keepdims``, as engine/calling.py lets it?"""
    dim = inspect.signature(f).parameters.get("dim")
    if dim is None or dim.kind is dim.KEYWORD_ONLY:
        return False
    while f is not None:
        if getattr(f, "reading", False):
            return True
        f = getattr(f, "__wrapped__", None)
    return False


def default_text(value: Any) -> str:
    literal = r"None|True|False|-?[\d.e-]+|'\w*'|\(\)|\([-\d, ]+\)"
    return repr(value) if re.fullmatch(literal, repr(value)) else "..."


def definition(name: str, signature: Signature, indent: int = 0) -> str:
    parameters, result = signature
    margin = " " * indent
    line = f"{margin}def {name}({', '.join(parameters)}) -> {result}: ..."
    if len(line) <= WIDTH:
        return line
    return f"{margin}def {name}(\n{filled(parameters, indent + 4)}\n{margin}) -> {result}: ..."


# ---- the stubs -----------------------------------------------------------------------------------
def methods() -> str:
    hides = [name for name in vars(Methods) if hasattr(builtins, name)]
    about = "The methods that are bound in methods.py, as editors and type checkers see them."
    stub = Stub(about, hides)
    stub.take("typing", "Any")
    stub.take("typing_extensions", "Self")
    stub.take("collections.abc", "Callable")
    stub.take("collections.abc", "Mapping")
    stub.take("microtorch.engine.handle", "Handle")
    stub.take("microtorch.graph", "Node")
    tensor, like = stub.annotation("Tensor", TYPES), stub.annotation("TensorLike", TYPES)
    stub.lines.append("class Methods(Handle):")
    for name, f in bound(Methods):
        op, in_place = op_of(f), name.endswith("_") and (name[:3] == "__i" or name[-2:] != "__")
        result = "Self" if in_place else tensor
        star = "" if in_place else "*"
        made = of_op(stub, op, "self", like, result, star) if op else of_function(stub, f, True)
        if name.startswith("__i"):
            made = ["self", f"other: {like}"], result
        stub.lines.append(definition(name, (made[0], "Self") if in_place else made, 4))
    number, scalar = stub.annotation("Number", TYPES), stub.annotation("Scalar", TYPES)
    stub.lines.append("\nclass ScalarMethods(Node):")
    for name, f in bound(ScalarMethods):
        op = op_of(f)
        other = f"{scalar} | {number}"
        made = of_op(stub, op, "self", other, scalar, "") if op else of_function(stub, f, True)
        stub.lines.append(definition(name, made, 4))
    bind = ["methods: Mapping[str, Callable[..., Any]]", "to: builtins.type = ..."]
    stub.lines.append("\n" + definition("bind_methods", (bind, "None")))
    stub.take("collections.abc", "Iterable")
    bind[:1] = "names: Iterable[str]", "by: str | Callable[[str], Callable[..., Any]]"
    stub.lines.append(definition("promise_methods", (bind, "None")))
    contents = "contents: Mapping[str, Mapping[str, str]]"
    stub.lines.append(definition("promise", ([contents, "folder: str"], "None")))
    made = [bind[-1]], "dict[str, Callable[..., Any]]"
    stub.lines.append(definition("bind_all", made))
    return stub.text()


def bound(cls: type) -> list[tuple[str, Callable[..., Any]]]:
    return sorted((name, f) for name, f in bind_all(cls).items() if callable(f))


def package() -> str:
    """The names of microtorch. What is written as a function somewhere is imported from there."""
    hides = [name for name in namespace.ALL if hasattr(builtins, name)]
    stub = Stub("The names of the package, as editors and type checkers see them.", hides)
    for name, (module, part) in namespace.LAZY.items():
        folder, _, last = f"microtorch.{module}".rpartition(".")
        stub.export(*((f"microtorch.{module}", part) if part else (folder, last)), name)
    names = sorted({*namespace.EAGER, *namespace.FUNCTION_NAMES})
    for name in names:
        value = getattr(microtorch, name)
        module, own = home(value), getattr(value, "__name__", "")
        if isinstance(value, dtype):
            stub.lines.append(f"{name}: {stub.annotation('dtype', TYPES)}")
        elif isinstance(value, float):
            stub.lines.append(f"{name}: {stub.annotation('float', TYPES)}")
        elif isinstance(value, ModuleType):
            stub.export("microtorch", name, name)
        elif isinstance(value, str):
            stub.export("microtorch.version", name, name)
        elif isinstance(value, type):
            stub.export(HOMES.get(value, module), own, name)
        elif not isinstance(value, FunctionType):
            kind = type(value)
            stub.take(kind.__module__, kind.__name__)
            stub.lines.append(f"{name}: {kind.__name__}")
        elif op_of(value):
            tensor, like = stub.annotation("Tensor", TYPES), stub.annotation("TensorLike", TYPES)
            made = of_op(stub, op_of(value), f"input: {like}", like, tensor)
            stub.lines.append(definition(name, made))
        elif sources(module).get(own) == (module, own) and not takes_numpys_names(value):
            stub.export(module, own, name)
        else:
            stub.lines.append(definition(name, of_function(stub, value, method=False)))
    return stub.text()


STUBS = {
    ROOT / "microtorch/handles/methods.pyi": methods,
    ROOT / "microtorch/__init__.pyi": package,
}


def out_of_date() -> list[Path]:
    return [
        path
        for path, text in STUBS.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write them anew")
    write = parser.parse_args().write
    for path in out_of_date():
        print(f"{path.relative_to(ROOT)} {'written' if write else 'is out of date'}")
        if write:
            path.write_text(STUBS[path](), encoding="utf-8")
    return int(bool(out_of_date()))


if __name__ == "__main__":
    sys.exit(main())
