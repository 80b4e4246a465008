"""Annotations say what is meant: the number of those that say nothing may only fall.

`make lint` runs mypy in strict mode. What strict mode lets pass is counted here: an annotation that
is `Any`, alone or in a union, and a line that mypy is told to ignore.
"""

import ast
import re
import tokenize
from pathlib import Path

import pytest
from repository import ROOT

FILES = sorted(path for top in ("microtorch", "viz") for path in (ROOT / top).rglob("*.py"))

ANY = 540  # lower it when you have replaced some by a noun of microtorch/base/types.py
IGNORES = 4


def says_nothing(annotation: ast.expr | None) -> bool:
    """`Any`, `Any | None`, also in quotes; what stands in brackets is not looked at."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    if isinstance(annotation, ast.BinOp):
        return says_nothing(annotation.left) or says_nothing(annotation.right)
    return isinstance(annotation, ast.Name) and annotation.id == "Any"


def bare_any(text: str) -> int:
    """How many parameters, results and variables are annotated with nothing more than `Any`."""
    nodes = list(ast.walk(ast.parse(text)))
    given = [n.annotation for n in nodes if isinstance(n, (ast.arg, ast.AnnAssign))]
    given += [n.returns for n in nodes if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return sum(map(says_nothing, given))


def ignores(path: Path) -> list[str]:
    """The comments of a file that tell mypy to look away."""
    if "type: ignore" not in path.read_text(encoding="utf-8"):
        return []
    with tokenize.open(path) as file:
        comments = [t.string for t in tokenize.generate_tokens(file.readline)
                    if t.type == tokenize.COMMENT]  # fmt: skip
    return [comment for comment in comments if "type: ignore" in comment]


@pytest.mark.parametrize(
    "text, count",
    [
        ("def f(x: Any, *y: Any, **z: Any) -> Any: ...", 4),
        ("x: Any | None = None", 1),
        ("x: 'Any' = None", 1),
        ("def f(x: dict[str, Any], y: Callable[..., Any]) -> None: ...", 0),
    ],
)
def test_what_is_counted(text, count):
    assert bare_any(text) == count


def check_falls(name: str, limit: int, counts: dict[Path, int]) -> None:
    total = sum(counts.values())
    most = sorted(counts, key=lambda path: -counts[path])[:10]
    table = "\n".join(f"{counts[path]:5} {path.relative_to(ROOT)}" for path in most)
    assert total <= limit, f"{total} {name}, and the limit is {limit}; most are in\n{table}"


def test_bare_any_becomes_rarer():
    check_falls("annotations are a bare Any", ANY,
                {path: bare_any(path.read_text(encoding="utf-8")) for path in FILES})  # fmt: skip


def test_ignored_lines_become_rarer():
    check_falls("lines have a type: ignore", IGNORES, {path: len(ignores(path)) for path in FILES})


def test_ignored_lines_name_their_code():
    unnamed = [(path.name, comment) for path in FILES for comment in ignores(path)
               if not re.search(r"type: ignore\[[a-z, -]+\]", comment)]  # fmt: skip
    assert not unnamed
