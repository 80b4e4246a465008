"""Signatures of the reference as an editor shows them: from the stubs that scripts/stubs.py writes.

The functions of the table of formulas take their arguments in the way that is fastest, with a
parameter in between that nobody gives, and those that write in place take any. The stubs say what
a call may have; where there is none, that parameter is the * that it stands for.
"""

from __future__ import annotations

import ast
import copy
from pathlib import Path
from typing import Any

import microtorch
from microtorch import Scalar, Tensor

PACKAGE = Path(microtorch.__file__).parent
NO_MORE = "no_more: object = ..."  # what follows is given by its name (engine/hot.py)
HOMES = {"Methods": Tensor, "ScalarMethods": Scalar}  # class of the stubs: where its methods are


def _read() -> dict[tuple[Any, bool], ast.FunctionDef]:
    """The stub of each function, and of it as a method, which often is the same object; of none
    with several overloads.
    """
    found: dict[tuple[Any, bool], ast.FunctionDef] = {}
    for path in ("__init__.pyi", "handles/methods.pyi"):
        tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
        homes = [(microtorch, tree.body)]
        homes += [
            (HOMES[c.name], c.body)
            for c in tree.body
            if isinstance(c, ast.ClassDef) and c.name in HOMES
        ]
        for home, body in homes:
            stubs = [d for d in body if isinstance(d, ast.FunctionDef)]
            names = [d.name for d in stubs]
            by_name = {d.name: d for d in stubs if names.count(d.name) == 1}
            for name, stub in by_name.items():
                if hasattr(home, name):
                    found[getattr(home, name), home is not microtorch] = _in_place(stub, by_name)
    return found


def _in_place(stub: ast.FunctionDef, stubs: dict[str, ast.FunctionDef]) -> ast.FunctionDef:
    """``abs_(*others, **attrs)`` takes what ``abs`` takes."""
    plain = stubs.get(stub.name.removesuffix("_"))
    if plain is None or stub.args.vararg is None or stub.args.vararg.arg != "others":
        return stub
    made = copy.deepcopy(stub)
    made.args = plain.args
    return made


STUBS = _read()


def from_stubs(_app, what, _name, value, _options, signature, returns):
    """What autodoc is to show in place of the signature that it found; None: that one."""
    if signature is None:
        return None
    try:
        stub = STUBS.get((value, what == "method"))
    except TypeError:  # what cannot be a key has no stub
        stub = None
    if stub is None:
        return signature.replace(NO_MORE, "*"), returns
    shown = copy.deepcopy(stub.args)
    if shown.args and shown.args[0].arg == "self":
        del shown.args[0]
    result = "" if stub.returns is None else ast.unparse(stub.returns)
    text = f"({ast.unparse(shown)})".replace("builtins.", "")
    return text.replace(NO_MORE.replace(" = ", "="), "*"), result.replace("builtins.", "")
