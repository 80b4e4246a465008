"""C functions that programs call: the text of each, from the files in ``c/``.

There ``real`` stands for float or double, and ``name@`` for a function of that type: ``expf`` or
``exp``, as in C's library. Where all operands are int64, it is long long, and ``name_whole``. A
function ends where two empty lines are. A program has the functions that it calls, and those that
they call, and no others.

The functions of float (``expf`` and so on) are not those of C's library, but the text that the C
core and OpenCL devices of type CPU compile (backends/opencl/kernels/float.cl, whose head tells the
method): loops over them become vector code. In its place c/floats.txt has a ``tanh`` that takes a
fifth less time, and errs by up to 2.6 units in the last place, not 2; on average both by half of
one.
"""
from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "c"
SHARED = Path(__file__).parent.parent / "backends" / "opencl" / "kernels"
# functions of float that the shared text has
VECTORS = frozenset("exp exp2 expm1 tanh log log2 log10 log1p erf".split())
_DEFINED = re.compile(r"^(?:static|INLINE|APART) (?:\w+ )*\*?(\w+@?)\(", re.MULTILINE)
_CALLED = re.compile(r"\b(\w+@?)\(")


@cache
def text_of(name: str) -> str:
    """A part of a C file that is not a function: the head, the main."""
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


@cache
def functions() -> dict[str, str]:
    """Name, with "@" if there is one of each type -> text."""
    found: dict[str, str] = {}
    for path in sorted(FOLDER.glob("*.c")):
        for part in path.read_text(encoding="utf-8").split("\n\n\n")[1:]:
            names = _DEFINED.findall(part)
            found[names[-1]] = part.strip("\n") + "\n"
    return found


def spoken(text: str, dtype: str) -> str:
    """A text as one of float32 or of float64."""
    kind = {"float32": "float", "int64": "long long"}.get(dtype, "double")
    text = re.sub(r"\breal\b", kind, text)
    return re.sub(r"(\w+)@", lambda m: named(m[1], dtype), text)


def named(name: str, dtype: str) -> str:
    """What a function of a type is called."""
    if dtype == "int64":
        return f"{name}_whole"
    if dtype != "float32":
        return name
    return f"fast_{name}" if name in VECTORS else f"{name}f"


def needed(calls: Iterable[tuple[str, str]]) -> str:
    """The text of functions (name, dtype), and before them of all that they call."""
    done: dict[tuple[str, str], str] = {}
    known = functions()

    def visit(name: str, dtype: str) -> None:
        text = known.get(f"{name}@", known.get(name))
        if text is None:
            return
        key = (name, dtype if f"{name}@" in known else "")
        if key in done:
            return
        for called in _CALLED.findall(text):
            if called.removesuffix("@") != name:
                visit(called.removesuffix("@"), dtype)
        done[key] = spoken(text, dtype)

    for name, dtype in sorted({*calls}):
        visit(name, dtype)
    return "\n".join(done.values())


def used(text: str, below: str) -> str:
    """The parts of a text, between empty lines, that ``below`` asks for: those that define a word
    that is used there, or in a part that is kept; and those that define nothing. Of several
    macros, those that are used."""
    kept: list[str] = []
    words = {*re.findall(r"\w+", below)}
    for part in reversed(text.strip("\n").split("\n\n")):
        macros = {*re.findall(r"#define (\w+)", part)} - {"__attribute__"}
        defined = macros | {*(_DEFINED.findall(part) or re.findall(r"(\w+) = \d", part))}
        if defined and not defined & words:
            continue
        lines = [line for line in part.splitlines() if not (
            line.startswith("#define ") and line.split()[1].split("(")[0] in macros - words
        )]  # fmt: skip
        words.update(re.findall(r"\w+", "\n".join(lines)))
        kept.append("\n".join(lines))
    return "".join(f"{part}\n" for part in reversed(kept))


# the shared text as C: it is written for a float or a vector, and for two languages
_SPOKEN = {
    "F": "float", "BITS": "as_uint", "NUMBER": "as_float", "FUNCTION": "INLINE", "MAD": "ADDf",
    "fabs": "fabsf", "copysign": "copysignf",
}  # fmt: skip


def floats(names: Collection[str]) -> str:
    """The functions of float that are called ("tanh", "sigmoid"), and those that they call."""
    wanted = {f"fast_{n}" for n in names if n in VECTORS} | {f"{n}f" for n in names}
    texts = [(SHARED / name).read_text(encoding="utf-8") for name in ("exp.cl", "float.cl")]
    kept: list[str] = []
    for part in reversed("\n".join([*texts, text_of("floats")]).split("\n\n")):
        lines = [x for x in part.splitlines() if not x.startswith(("// ----", "#if", "#en", "#un"))]
        text = "\n".join(x for x in lines if not x.startswith(("#define FUNCTION", "#define MAD")))
        text = re.sub(r"\w+", lambda m: _SPOKEN.get(m[0], m[0]), text)
        defined = {*_DEFINED.findall(text), *re.findall(r"#define (\w+)", text)}
        if defined & wanted:  # what a function calls stands before it
            wanted.update(re.findall(r"\w+", re.sub(r"//.*", "", text)))
            wanted -= defined  # a program's own is not the shared one
            kept.append(text)
    text = "\n".join([text_of("shared").strip(), *reversed(kept)]) + "\n"
    return (f"#include <float.h>\n{text}" if "FLT_" in text else text) if kept else ""
