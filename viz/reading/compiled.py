"""What a compiled function runs, as plain data."""

from __future__ import annotations

from microtorch.backends import core
from microtorch.backends.core import texts
from microtorch.base import errors
from microtorch.static.compiled import Compiled
from microtorch.static.entry import Entry
from microtorch.static.program import Program
from microtorch.static.scalars.entry import ScalarEntry, ScalarProgram

from .loops import DTYPES
from .parts import Account, Part
from .programs import Reader
from .scalar_programs import of_scalars


def compiled_of(f: object) -> Compiled | None:
    """The compiled function behind a function, a Module or an exported program; or None."""
    if isinstance(f, Compiled):
        return f
    if isinstance(f, (Program, ScalarProgram)):
        what = "the program alone does not say which of its steps are one loop of C"
        raise TypeError(errors.message(what, fix="viz.draw(f) and viz.memory(f) of the function f"))
    found = getattr(f, "__dict__", {}).get("_compiled") or getattr(f, "compiled", None)
    return found if isinstance(found, Compiled) else None


def account(f: object, function: str) -> Account:
    """What ``f`` runs: the program that was made last.

    TypeError for what ``compile`` did not make; RuntimeError where there is no program as yet.
    """
    compiled = compiled_of(f)
    if compiled is None:
        what = f"{function}() takes a compiled function or Module, not {type(f).__name__}"
        fix = "f = torch.compile(f), and three calls of it"
        raise TypeError(errors.message(what, fix=fix))
    entry = compiled.entry
    found = of_scalars(entry) if isinstance(entry, ScalarEntry) else Reader(entry).account
    if isinstance(entry, Entry):
        found.refused = frozenset(k for k, x in entry.runners.items() if x.checked is False)
    found.programs = sum(map(len, compiled.entries.values()))
    return found


def kernel_source(p: Part) -> str:
    """The C core's text of the kernel that Python calls, or what runs instead."""
    names = [s.name for s in p.steps]
    d = p.gives[0].dtype if p.gives else ""
    if core.is_available() and d in DTYPES and all(map(texts.loops, names)):
        return "\n".join(core.source(name, d) for name in names)
    return "\n".join(p.lines)
