"""The C text of each kernel, compiled into the module for `microtorch.backends.core.source`.

A kernel's text is all that a reader needs: the comment at the head of its file, the helpers that it
uses, and its definition; then the helpers from other files. Most helpers serve many kernels, so the
module has each part of the files once, and for each kernel the numbers of its parts: written out,
the texts would be ten times as long. build_core.py loads this file by path.
"""

import re
from collections.abc import Iterable, Iterator

ELSEWHERE = "/* ==== from other files ==== */"
COMMENT = r"/\*.*?\*/"
# what a line without indentation may define: a function or struct for each type (core.h), or
# something of one type only
DEFINED = re.compile(
    r"^(?:KERNEL|(?!.*;$)[A-Za-z].*?\b(NAME|FN))\((\w+)\)\("
    r"|^(struct) NAME\((\w+)\) \{|^typedef .*?\b(NAME)\((\w+)\)"
    r"|^(?=[A-Z])(NAME)?\w+\((\w+), "  # a macro that defines a function for each type
    r"|^static [\w *]*?()(\w+)\(|^(?:struct|union|enum) ()(\w+) \{|^#define ()(\w+)",
    re.MULTILINE,
)
USED = re.compile(r"\b(struct) NAME\((\w+)\)|\b(NAME|FN)\((\w+)\)|\b()(\w+)")


def blocks(source: str) -> list[str]:
    """The parts of a C text between empty lines that are not inside braces or comments."""
    parts: list[list[str]] = [[]]
    for line in source.splitlines():
        text = "\n".join(parts[-1])
        inside = text.count("{") > text.count("}") or text.count("/*") > text.count("*/")
        if line or inside:
            parts[-1].append(line)
        elif parts[-1]:
            parts.append([])
    return ["\n".join(part) for part in parts if part]


def texts(sources: Iterable[str]) -> dict[str, list[str]]:
    """``{kernel: the parts of its text}`` of all kernels in files that are compiled in this order.
    """
    parts, files = [], []
    for number, source in enumerate(sources):
        parts += (more := blocks(source))
        files += [number] * len(more)
    homes: dict[tuple[str, str], int] = {}  # (kind, name) -> the first part that defines it
    kernels: dict[str, int] = {}
    for place, part in enumerate(parts):
        for name in found(DEFINED, part):
            homes.setdefault(name, place)
        for enum in re.findall(r"^enum[^{;]*\{([^}]*)\}", part, re.MULTILINE):
            for name in found(USED, enum):
                homes.setdefault(name, place)
        kernels |= {name: place for name in re.findall(r"^KERNEL\((\w+)\)", part, re.MULTILINE)}
    used = [{homes[name] for name in found(USED, part) if name in homes} for part in parts]
    out = {}
    for name, place in kernels.items():
        wanted, left = set(), {place}
        while left:
            wanted |= left
            left = {q for p in left for q in used[p]} - wanted
        head = files.index(files[place])
        comment = re.match(COMMENT, parts[head], re.DOTALL)
        begin = [comment[0]] if comment and ".c - " in comment[0] and head not in wanted else []
        own = [parts[p] for p in sorted(wanted) if files[p] == files[place]]
        others = [parts[p] for p in sorted(wanted) if files[p] != files[place]]
        out[name] = [*begin, *own, *([ELSEWHERE, *others] if others else [])]
    return out


def found(pattern: re.Pattern[str], part: str) -> Iterator[tuple[str, str]]:
    """What ``pattern`` finds outside comments: (kind, name); kind is struct, NAME, FN or empty."""
    for match in pattern.finditer(re.sub(COMMENT, "", part, flags=re.DOTALL)):
        last = match.lastindex
        kind = match[last - 1] if last % 2 == 0 else None
        yield "NAME" if kind is None else kind, match[last]


def embedded(all_texts: dict[str, list[str]]) -> str:
    """C functions for the kernels' names, the numbers of their parts, and the parts."""
    numbers = {part: 0 for parts in all_texts.values() for part in parts}
    numbers |= {part: number for number, part in enumerate(numbers)}
    kernels = [
        f'    {{"{name}", "{" ".join(str(numbers[part]) for part in parts)}"}},'
        for name, parts in all_texts.items()
    ]
    rows = []
    for part in numbers:
        quoted = part.replace("\\", "\\\\").replace('"', '\\"').replace("??", '?""?')
        rows += [f'    "{line}\\n"' for line in quoted.splitlines()]
        rows.append("    ,")
    return "\n".join([
        "static const struct { const char *name, *parts; } texts[] = {",
        *kernels,
        "};",
        "static const char *const parts[] = {",
        *rows,
        "};",
        "static const char *name_of(size_t k)",
        "{",
        "    return k < sizeof texts / sizeof *texts ? texts[k].name : NULL;",
        "}",
        "static const char *parts_of(size_t k) { return texts[k].parts; }",
        "static const char *part(size_t k) { return parts[k]; }",
        "",
    ])
