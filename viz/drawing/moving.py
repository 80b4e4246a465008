"""Many SVG pictures of one layout -> one SVG that moves without a script, also in ``<img>``.

The pictures are compared element by element. What is the same in all of them is written once. What
differs is written once per variant, and a CSS animation makes each variant visible during its
frames. Readers who prefer reduced motion see the last frame, still.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Hashable, Sequence
from difflib import SequenceMatcher

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
SEEN = ("hidden", "visible")


def merge(pages: Sequence[str], seconds: Sequence[float], moving: str, onward: bool = False) -> str:
    """One SVG text. ``seconds``: how long each page stays.

    Dashed lines of the colour ``moving`` run backwards, or ``onward`` with their arrows.
    """
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    roots = [ET.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", page)) for page in pages]
    for root in roots:
        _clean(root, moving)
    film = _Film(roots)
    (top,) = film.join(dict(enumerate(roots)))
    style = ET.Element(f"{{{SVG}}}style")
    style.text = film.css(seconds, -14 if onward else 14)
    top.insert(0, style)
    return ET.tostring(top, encoding="unicode", xml_declaration=False) + "\n"


def _clean(root: ET.Element, moving: str) -> None:
    """Drop titles, tooltips and empty texts, round numbers, mark the lines that run."""
    for parent in list(root.iter()):
        for child in list(parent):
            empty = child.tag == f"{{{SVG}}}text" and not (child.text or "").strip()
            if child.tag == f"{{{SVG}}}title" or empty:
                parent.remove(child)
    for parent in root.iter():
        for i, child in enumerate(list(parent)):
            if child.tag == f"{{{SVG}}}a":
                group = ET.Element(f"{{{SVG}}}g")
                group.extend(list(child))
                parent[i] = group
    for element in root.iter():
        element.tail = None
        if element.text is not None and not element.text.strip():
            element.text = None
        a = element.attrib
        if element.tag == f"{{{SVG}}}g":
            a.pop("id", None)
            a.pop("class", None)
        if a.get("stroke") == "transparent" and a.get("fill", "none") == "none":
            a["stroke"] = "none"
        if a.get("stroke-dasharray") and a.get("stroke", "").lower() == moving.lower():
            a["class"] = "run"
        for key in ("points", "d"):
            if key in a:
                a[key] = re.sub(r"\.(\d)\d+", r".\1", a[key])


class _Film:
    def __init__(self, roots: Sequence[ET.Element]):
        self.n = len(roots)
        self.classes: dict[frozenset[int], str] = {}
        known: dict[Hashable, int] = {}  # what an element is -> its number
        self.numbers: dict[ET.Element, int] = {}
        for root in roots:
            for e in reversed(list(root.iter())):  # children before what holds them
                inside = tuple(self.numbers[child] for child in e)
                what = (e.tag, tuple(e.attrib.items()), e.text, inside)
                self.numbers[e] = known.setdefault(what, len(known))

    def join(self, versions: dict[int, ET.Element]) -> list[ET.Element]:
        """What stands for one element: itself, if all pages (keys) agree on it, or its variants."""
        texts: dict[int, list[int]] = {}
        for page, e in versions.items():
            texts.setdefault(self.numbers[e], []).append(page)
        first = next(iter(versions.values()))
        if len(texts) == 1:
            return [first]
        if len(first) and all(e.attrib == first.attrib and len(e) for e in versions.values()):
            out = ET.Element(first.tag, first.attrib)
            for column in _columns({page: list(e) for page, e in versions.items()}):
                for e in self.join(column):
                    shown = e if len(column) == len(versions) else self._shown(e, frozenset(column))
                    if shown is not None:
                        out.append(shown)
            return [out]
        variants = [self._shown(versions[pages[0]], frozenset(pages)) for pages in texts.values()]
        return [e for e in variants if e is not None]

    def _shown(self, e: ET.Element, pages: frozenset[int]) -> ET.Element | None:
        """The element, visible on some pages; None where nothing of it can be seen."""
        if e.get("stroke") == "none" and e.get("fill", "none") == "none":
            return None
        name = self.classes.setdefault(pages, f"f{len(self.classes)}")
        if "class" in e.attrib or e.tag == f"{{{SVG}}}g":
            group = ET.Element(f"{{{SVG}}}g", {"class": name})
            group.append(e)
            return group
        e.set("class", name)
        return e

    def css(self, seconds: Sequence[float], run: int) -> str:
        """One animation per set of frames. ``step-end``: a variant is there, or it is not."""
        total = sum(seconds)
        starts = [sum(seconds[:k]) for k in range(self.n)]
        lines = [
            ".run{animation:run 1s linear infinite}"
            f"@keyframes run{{to{{stroke-dashoffset:{run}}}}}",
        ]
        for pages, name in self.classes.items():
            keys = []
            for k in range(self.n):
                if k == 0 or (k in pages) != (k - 1 in pages):
                    keys.append(f"{100 * starts[k] / total:.5g}%{{visibility:{SEEN[k in pages]}}}")
            still = SEEN[self.n - 1 in pages]
            lines.append(
                f".{name}{{visibility:{still};animation:{name} {total:g}s step-end infinite}}"
                f"@keyframes {name}{{{''.join(keys)}}}"
            )
        lines.append("@media (prefers-reduced-motion:reduce){*{animation:none!important}}")
        return "\n".join(lines)


def _columns(pages: dict[int, list[ET.Element]]) -> list[dict[int, ET.Element]]:
    """The children of one element on each page, those in the same place side by side.

    Their order keeps that of each page.
    """
    columns: list[dict[int, ET.Element]] = []
    keys: list[Hashable] = []
    for page, children in pages.items():
        own = [_place(e) for e in children]
        if own == keys:
            for column, e in zip(columns, children, strict=True):
                column[page] = e
            continue
        merged: list[dict[int, ET.Element]] = []
        merged_keys: list[Hashable] = []
        for what, a, b, c, d in SequenceMatcher(None, keys, own, autojunk=False).get_opcodes():
            for k in range(a, b):
                merged.append(columns[k])
                merged_keys.append(keys[k])
                if what == "equal":
                    columns[k][page] = children[c + k - a]
            if what != "equal":
                merged += [{page: e} for e in children[c:d]]
                merged_keys += own[c:d]
        columns, keys = merged, merged_keys
    return columns


def _place(e: ET.Element) -> Hashable:
    """Where an element is drawn, whatever its colour and text."""
    if e.tag == f"{{{SVG}}}g":
        return e.tag, next((_place(x) for x in e.iter() if x.tag != e.tag), None)
    if e.tag == f"{{{SVG}}}text":
        return e.tag, e.get("y")
    return e.tag, *(e.get(k) for k in ("d", "points", "cx", "cy", "x", "y"))
