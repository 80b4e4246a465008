"""Where a value leaves the graph: the user's source, read for the usual cuts.

What was cut is not in the graph, so the graph cannot know why. The source is read from the tensor's
name onwards, in the order in which it runs, for detach, no_grad, integers, numbers taken out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

from microtorch import nn

from . import source
from .frames import local_variables
from .source import UNDER

_INTEGERS = "gives integers, which have no derivative"
CUTS = {
    "detach": "takes the value out of the graph",
    "data": "is the value without its graph",
    "item": "gives a Python number",
    "tolist": "gives Python numbers",
    "numpy": "gives a numpy array",
    "argmax": _INTEGERS,
    "argmin": _INTEGERS,
    "argsort": _INTEGERS,
    "nonzero": _INTEGERS,
    "multinomial": _INTEGERS,
    "long": _INTEGERS,
    "int": _INTEGERS,
    "bool": "gives truth values, which have no derivative",
    "tensor": "copies numbers into a new tensor",
    "float_": "gives a Python number",
}


def cuts(frame: FrameType, p: object, name: str, root: str = "") -> list[str]:
    """The lines that take what depends on p out of the graph.

    The source is read in the order in which it runs.
    """
    found = []
    for file, tree, start in _code(frame, p, name):
        lines = source.of(file).text.splitlines()
        code = frame.f_code
        own = file == code.co_filename and getattr(tree, "name", "<module>") == code.co_name
        until = frame.f_lineno if own else 0
        for line, why in _Flow(start, until).read(tree, root):
            text = lines[line - 1].strip() if line <= len(lines) else ""
            entry = f"  line {line}: {text}   ({why})"
            if entry not in found:
                found.append(entry)
    return found


def _code(frame: FrameType, p: object, name: str) -> Iterator[tuple[str, ast.AST, set[str]]]:
    """Code to read: the caller's, and the ``forward`` of each module of the user's that holds p."""
    code = frame.f_code
    yield code.co_filename, _tree(code), {name.partition(".")[0].partition("[")[0]}
    variables = {**frame.f_globals, **local_variables(frame)}
    owners = [v for v in variables.values() if isinstance(v, nn.Module)]
    seen: set[object] = set()
    for outer in owners:
        for module in outer.modules():
            forward = getattr(type(module), "forward", None)
            own = next((k for k, q in module.named_parameters() if q is p), "")
            if own and forward not in seen and not type(module).__module__.startswith("microtorch"):
                seen.add(forward)
                inner = getattr(forward, "__code__", None)
                if inner is not None:
                    yield inner.co_filename, _tree(inner), {f"self.{own.partition('.')[0]}"}


def _tree(code: CodeType) -> ast.AST:
    """The syntax tree of a code object."""
    tree = ast.parse(source.of(code.co_filename).text or "")
    if code.co_name == "<module>":
        return tree
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == code.co_name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first == code.co_firstlineno or node.lineno == code.co_firstlineno:
                return node
    return ast.Module(body=[], type_ignores=[])


class _Flow:
    """Which variables depend on p, and by which cuts. Statements after ``until`` have not run."""

    def __init__(self, start: set[str], until: int = 0):
        self.start, self.until = start, until or 10**9
        self.depends: dict[str, set[int]] = {
            name: set() for name in start
        }  # variable -> cuts on its way
        self.cut: list[tuple[int, str]] = []

    def read(self, tree: ast.AST, root: str) -> list[tuple[int, str]]:
        """(line, why) of the cuts on the way to ``root``, or of all where the way is not seen."""
        self._block(getattr(tree, "body", []), _under(tree))
        wanted = self.depends.get(root) or range(len(self.cut))
        return [self.cut[k] for k in sorted(wanted)]

    def _block(self, body: list[ast.stmt], under: str) -> None:
        for s in body:
            if (
                isinstance(s, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef))
                or s.lineno > self.until
            ):
                continue
            if isinstance(s, (ast.With, ast.AsyncWith)):
                words = [
                    w for item in s.items for w in UNDER if w in ast.unparse(item.context_expr)
                ]
                self._block(s.body, words[0] if words else under)
                continue
            if (
                isinstance(s, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return))
                and s.value is not None
            ):
                self._assign(s, under)
            for part in ("body", "orelse", "finalbody"):
                if isinstance(getattr(s, part, None), list):
                    self._block(getattr(s, part), under)

    def _assign(self, s: Any, under: str) -> None:
        targets = (
            s.targets if isinstance(s, ast.Assign) else [s.target] if hasattr(s, "target") else []
        )
        inner = [
            n for t in targets for n in ast.walk(t) if isinstance(n, (ast.Name, ast.Attribute))
        ]
        names = [ast.unparse(n) for n in inner if isinstance(n.ctx, ast.Store)]
        names = [n for n in names if n not in self.start]
        if not self._mentions(s.value):
            for name in names if not isinstance(s, ast.AugAssign) else ():
                self.depends.pop(name, None)
            return
        cuts = {k for name in self._names(s.value) for k in self.depends.get(name, ())}
        why = f"runs under {under}()" if under and names else self._cutting(s.value)
        if why:
            cuts.add(len(self.cut))
            self.cut.append((s.lineno, why))
        for name in names:
            self.depends[name] = cuts | (
                self.depends.get(name, set()) if isinstance(s, ast.AugAssign) else set()
            )

    def _names(self, e: ast.AST) -> set[str]:
        return {ast.unparse(n) for n in ast.walk(e) if isinstance(n, (ast.Name, ast.Attribute))}

    def _mentions(self, e: ast.AST) -> bool:
        return any(name in self.depends for name in self._names(e))

    def _cutting(self, e: ast.AST) -> str:
        for n in ast.walk(e):
            if isinstance(n, ast.Call):
                word = (
                    n.func.attr if isinstance(n.func, ast.Attribute) else getattr(n.func, "id", "")
                )
                inside = [n.func.value] if isinstance(n.func, ast.Attribute) else []
                if isinstance(n.func, ast.Name) and word in ("float", "int"):
                    word = "float_"
                if word in CUTS and any(self._mentions(x) for x in [*inside, *n.args]):
                    return f"{word.rstrip('_')}() {CUTS[word]}"
            if isinstance(n, ast.Attribute) and n.attr == "data" and self._mentions(n.value):
                return f".data {CUTS['data']}"
            if isinstance(n, ast.Compare) and self._mentions(n):
                return "a comparison gives truth values, which have no derivative"
        return ""


def _under(tree: ast.AST) -> str:
    words = [w for d in getattr(tree, "decorator_list", []) for w in UNDER if w in ast.unparse(d)]
    return words[0] if words else ""
