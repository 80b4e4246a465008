"""docs/coverage.md: which of PyTorch's public names are here, which are not, and why.

    python scripts/coverage.py             says whether the document is out of date
    python scripts/coverage.py --write     writes it anew
    python scripts/coverage.py --record    records PyTorch's names anew, where it is installed

What PyTorch has stands in pytorch_names.txt, recorded from one version of it; the document is made
without PyTorch. Why a name is absent, and what differs on purpose, is kept in coverage_reasons.py.
"""
from __future__ import annotations

import argparse
import fnmatch
import importlib
import importlib.util
import sys
import textwrap
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import microtorch

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "scripts" / "pytorch_names.txt"
DOCUMENT = ROOT / "docs" / "coverage.md"
NAMESPACES = (
    "torch", "torch.Tensor", "torch.nn", "torch.nn.functional", "torch.nn.init", "torch.nn.utils",
    "torch.optim", "torch.optim.lr_scheduler", "torch.autograd", "torch.autograd.functional",
    "torch.autograd.forward_ad", "torch.func", "torch.linalg", "torch.special", "torch.fft",
    "torch.signal.windows", "torch.utils.data", "torch.utils.dlpack", "torch.random",
    "torch.testing",
)  # fmt: skip


# ---- PyTorch's names -----------------------------------------------------------------------------
def record() -> str:
    """The public names of the PyTorch that is installed: one line for each namespace."""
    torch = importlib.import_module("torch")
    lines = [f"version: {torch.__version__.partition('+')[0]}"]
    for path in NAMESPACES:
        space = resolve(path)
        names = [n for n in dir(space) if not n.startswith("_") and is_public(space, n)]
        lines.append(f"{path}: {' '.join(names)}")
    return "\n".join(lines) + "\n"


# classes of torch that are meant for users; the others belong to its compilers
CLASSES = frozenset("Generator Size Tensor autocast device dtype enable_grad finfo iinfo".split())
CLASSES |= frozenset("inference_mode layout memory_format no_grad Event Stream".split())


def is_public(space: Any, name: str) -> bool:
    """Is it a function, a class or a constant of PyTorch's, and not a module or an import?"""
    if isinstance(space, type):  # methods and attributes
        return True
    value = getattr(space, name)
    if isinstance(value, types.ModuleType):
        return False
    if space.__name__ == "torch" and isinstance(value, type):
        return name in CLASSES or name.endswith("Tensor")
    if callable(value):
        made_in = getattr(value, "__module__", None) or "torch"
        inner = ("torch.overrides", "torch._jit_internal", "torch._C._functions")
        named = name in getattr(space, "__all__", ()) or not isinstance(value, type)
        return made_in.startswith("torch") and not made_in.startswith(inner) and (
            named or space.__name__ in ("torch.nn", "torch.optim")
        )
    return space.__name__ == "torch" and name != "TYPE_CHECKING" and not name.startswith("USE_")


def recorded() -> dict[str, list[str]]:
    """What pytorch_names.txt says: namespace -> names, and ``version`` -> [version]."""
    lines = RECORD.read_text(encoding="utf-8").splitlines()
    return {path: names.split() for path, _, names in (line.partition(":") for line in lines)}


# ---- ours ----------------------------------------------------------------------------------------
def resolve(path: str) -> Any:
    """The module or class of a dotted path. AttributeError or ImportError if there is none."""
    first, *rest = path.split(".")
    found: Any = importlib.import_module(first)
    for part in rest:
        try:
            found = getattr(found, part)
        except AttributeError:
            if not isinstance(found, types.ModuleType):
                raise
            found = importlib.import_module(f"{found.__name__}.{part}")
    return found


def is_here(path: str, name: str) -> bool:
    try:
        return hasattr(resolve(path.replace("torch", microtorch.__name__, 1)), name)
    except (AttributeError, ImportError):
        return False


def reasons() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(
        "coverage_reasons", ROOT / "scripts" / "coverage_reasons.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reason_for(path: str, name: str, table: Iterable[tuple[str, str]]) -> str:
    """The first reason with a pattern that fits the name; "" if there is none."""
    for reason, patterns in table:
        for pattern in patterns.split():
            whole = pattern if pattern.startswith("torch.") else f"*.{pattern}"
            if fnmatch.fnmatchcase(f"{path}.{name}", whole):
                return reason
    return ""


# ---- the document --------------------------------------------------------------------------------
def names_text(names: Iterable[str]) -> str:
    return textwrap.fill(
        ", ".join(f"`{n}`" for n in names), 100, break_on_hyphens=False, break_long_words=False
    )


def document() -> str:
    """The text of docs/coverage.md."""
    theirs, why = recorded(), reasons()
    (version,) = theirs.pop("version")
    table, details = [], []
    for path, names in theirs.items():
        here = [n for n in names if is_here(path, n)]
        absent = [n for n in names if n not in here]
        table.append(f"| `{path}` | {len(names)} | {len(here)} | {len(here) / len(names):.0%} |")
        details.append(f"## `{path}`\n")
        if here:
            details += [names_text(here), ""]
        groups: dict[str, list[str]] = {}
        for n in absent:
            groups.setdefault(reason_for(path, n, why.ABSENT), []).append(n)
        if absent:
            details.append("Not here:\n")
        for reason in sorted(groups, key=lambda r: (not r, r)):
            listed = ", ".join(f"`{n}`" for n in groups[reason])
            details.append(
                textwrap.fill(
                    f"- {reason or 'not written yet'}: {listed}", 100, subsequent_indent="  ",
                    break_on_hyphens=False, break_long_words=False,
                )
            )  # fmt: skip
        details.append("")
    start = textwrap.fill(
        f"The public names of PyTorch {version}, and which of them microtorch has. A name that is "
        "here has PyTorch's signature, defaults, dtypes, results and error classes, except for "
        "what is listed next. `python scripts/coverage.py --write` makes this page; a test checks "
        "that it is current.",
        100,
    )
    different = "\n".join(
        textwrap.fill(f"- {text}", 100, subsequent_indent="  ") for text in why.DIFFERENT
    )
    return "\n".join(
        [
            "# What is here of PyTorch\n", start, "",
            "| namespace | PyTorch | here | share |", "|---|---|---|---|", *table, "",
            "## What differs on purpose\n", different, "", *details,
        ]
    ).rstrip() + "\n"  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write docs/coverage.md anew")
    parser.add_argument("--record", action="store_true", help="record PyTorch's names anew")
    options = parser.parse_args()
    if options.record:
        RECORD.write_text(record(), encoding="utf-8")
    text = document()
    current = DOCUMENT.exists() and DOCUMENT.read_text(encoding="utf-8") == text
    if not current and options.write:
        DOCUMENT.write_text(text, encoding="utf-8")
        current = True
    print(f"{DOCUMENT.relative_to(ROOT)} is {'current' if current else 'out of date'}")
    return int(not current)


if __name__ == "__main__":
    sys.exit(main())
