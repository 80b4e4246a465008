"""From the checkout to what Sphinx reads: the same tree, with every link leading to a page."""

from __future__ import annotations

import ast
import os
import re
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import programs

LINK = re.compile(r"(\]\()([^)#:\s]+)((?:#[^)]*)?\))")
LANGUAGE = {".py": "python", ".c": "c", ".h": "c", ".cl": "c", ".sh": "sh", ".toml": "toml"}
PICTURES = (".svg", ".png", ".gif", ".jpg", ".webp")
CONTENTS = {  # of the site, by caption; README.md is its first page
    "Look inside": ("docs/viz", "docs/museum", "docs/examples", "docs/engine"),
    "Course": ("docs/course/README",),
    "Use it": ("docs/func", "docs/data", "docs/files", "docs/distributions", "docs/distributed",
               "docs/opencl", "docs/static-graph"),
    "How it is built": ("docs/design", "docs/adding-an-op", "docs/c-core", "docs/performance"),
    "Reference": ("reference/index", "docs/coverage"),
}  # fmt: skip


def stage(root: Path, staged: Path) -> None:
    """Copy all pages, and what they link to, and show what their programs do."""
    texts = {"index.md": (root / "README.md").read_text(encoding="utf-8")}
    files = [*(root / "docs").rglob("*.md"), root / "microtorch/programs/museum.md"]
    for path in sorted(files):
        texts[path.relative_to(root).as_posix()] = path.read_text(encoding="utf-8")
    texts |= _run(texts, staged)
    linked: set[str] = set()
    for page, text in texts.items():
        texts[page] = _linked(root, page, text, linked)
    for target in sorted(linked):
        if target.endswith(PICTURES):
            (staged / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / target, staged / target)
        else:
            texts[f"{target}.md"] = _source(root, target, staged)
    texts["index.md"] += _contents(texts)
    below = [p for p in sorted(texts) if re.match(r"docs/course/\d", p)]
    texts["docs/course/README.md"] += _tree("", [Path(p).stem for p in below])
    texts["docs/museum.md"] += _tree("", ["../microtorch/programs/museum"])
    for page, text in texts.items():
        (staged / page).parent.mkdir(parents=True, exist_ok=True)
        (staged / page).write_text(text, encoding="utf-8")


def _run(texts: dict[str, str], staged: Path) -> dict[str, str]:
    """The pages whose programs are shown: each in a process of its own."""
    found = [p for p in texts if programs.shown(p)]
    with ProcessPoolExecutor(os.cpu_count(), get_context("fork")) as pool:
        done = pool.map(programs.run, found, [texts[p] for p in found], [staged] * len(found))
        return dict(zip(found, done, strict=True))


def _linked(root: Path, page: str, text: str, linked: set[str]) -> str:
    """The page with links to pages; ``linked`` receives the other files that it names."""
    here = Path(page).parent

    def link(m: re.Match[str]) -> str:
        target = os.path.normpath(here / m[2])
        if target == "README.md":
            return f"{m[1]}{os.path.relpath('index.md', here)}{m[3]}"
        if target.startswith(programs.SHOWN) or target.endswith(".md"):
            return m[0]
        if not (root / target).is_file():
            raise FileNotFoundError(f"{page} links to {m[2]}, which is not there")
        linked.add(target)
        return m[0] if target.endswith(PICTURES) else f"{m[1]}{m[2]}.md{m[3]}"

    parts = re.split(r"(^```.*?^```$)", text, flags=re.M | re.S)
    parts[::2] = [LINK.sub(link, part) for part in parts[::2]]
    return "".join(parts)


def _source(root: Path, target: str, staged: Path) -> str:
    """A page for a file of the checkout: what it says of itself, its picture, its text."""
    path = root / target
    text = path.read_text(encoding="utf-8")
    out = [f"# {path.name}\n", f"`{target}`\n"]
    if path.suffix == ".py" and path.parent.name == "examples":
        tree = ast.parse(text)
        said = ast.get_docstring(tree) or ""
        if said:  # it stands above the program
            text = "".join(text.splitlines(True)[tree.body[0].end_lineno :]).lstrip("\n")
        out = [f"# {path.stem.replace('_', ' ').capitalize()}\n", f"{said}\n"]
        for picture in sorted((path.parent / "pictures").glob(f"{path.stem}.*")):
            into = staged / picture.relative_to(root)
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(picture, into)
            out.append(f"![What it draws](pictures/{picture.name})\n")
        out.append(f"```sh\npython {target}\n```\n")
    language = LANGUAGE.get(path.suffix, "text")
    fence = "`" * max([3, *(len(m) + 1 for m in re.findall(r"`{3,}", text))])
    return "\n".join(["---\norphan: true\n---\n", *out, f"{fence}{language}\n{text}{fence}\n"])


def _contents(texts: dict[str, str]) -> str:
    named = {p for pages in CONTENTS.values() for p in pages}
    known = ("docs/course/", "docs/examples/", "microtorch/", "index")
    for page in texts:
        if page.removesuffix(".md") not in named and not page.startswith(known):
            if not page.endswith((".py.md", ".txt.md")):
                raise LookupError(f"{page} is in no part of CONTENTS in scripts/site/pages.py")
    trees = [_tree(caption, list(pages)) for caption, pages in CONTENTS.items()]
    return "".join(trees)


def _tree(caption: str, pages: list[str]) -> str:
    lines = ["", "```{toctree}", ":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join([*lines, "", *pages, "```", ""])
