"""Every page and every link of the built site.

``links`` reads the files: each address leads to a file and, after #, to an element of it; nothing
that a page loads comes from elsewhere. ``browser`` opens each page in Chromium and says what it
logged or asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

LOADS = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}


class _Page(HTMLParser):
    """Its addresses, with whether they are loaded or only linked to, and its ids."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.addresses: list[tuple[str, bool]] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids |= {v for k in ("id", "name") if (v := found.get(k))}
        wanted = LOADS.get(tag, "href" if tag == "a" else "")
        address = found.get(wanted)
        if address and not (tag == "link" and found.get("rel") in ("canonical",)):
            self.addresses.append((address, tag in LOADS))


def links(folder: Path) -> list[str]:
    """What is wrong, a line each."""

    @cache
    def page(path: Path) -> _Page:
        return _Page(path.read_text(encoding="utf-8"))

    wrong = []
    for path in sorted(folder.rglob("*.html")):
        for address, loaded in page(path).addresses:
            parts = urlsplit(address)
            if parts.scheme == "data":
                continue
            where = f"{path.relative_to(folder)}: {address}"
            if parts.scheme or parts.netloc:
                if loaded:
                    wrong.append(f"{where} is loaded from elsewhere")
                continue
            file, fragment = urldefrag(address)
            target = (path.parent / unquote(urlsplit(file).path)).resolve() if file else path
            if not target.is_file():
                wrong.append(f"{where} leads nowhere")
            elif target.suffix == ".html" and fragment and not fragment.isdigit():  # #12: a step
                if unquote(fragment) not in page(target).ids:
                    wrong.append(f"{where}: no such place in that page")
    return wrong if any(folder.rglob("*.html")) else [f"no pages in {folder}: make site"]


SCREENS = (390, 1280)  # a telephone's and a laptop's, in pixels


def browser(folder: Path, some: Sequence[str] = ()) -> list[str]:
    """Open each page, or ``some`` of them; and search, which must answer from files."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
    from browser import Browser, missing

    if missing():
        return [missing()]
    wrong = []
    opened = Browser(1280, 900)
    try:
        for path in [folder / name for name in some] or sorted(folder.rglob("*.html")):
            name = path.relative_to(folder)
            opened.open(path)
            wrong += [f"{name} logs {e['message']}" for e in opened.log("browser")]
            asked = [a for a in opened.requests() if not a.startswith(("file:", "data:", "about:"))]
            wrong += [f"{name} asks for {a}" for a in asked]
            if not opened.js("document.body.innerText.trim().length > 20"):
                wrong.append(f"{name} is empty")
            for width in SCREENS:
                opened.size(width, 900)
                wide = opened.js("document.documentElement.scrollWidth")
                if wide > width and not name.parts[0] == "shown":  # steppers have windows
                    wrong.append(f"{name} is {wide} pixels wide on a screen of {width}")
        opened.open(folder / "search.html", "?q=softmax")
        opened.until("document.querySelectorAll('#search-results li a').length > 3")
    except (AssertionError, RuntimeError) as error:
        wrong.append(str(error))
    finally:
        opened.close()
    return wrong
