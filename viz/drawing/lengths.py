"""Texts of an SVG that keep their width where the font is missing.

Graphviz leaves each text the room that it has in Helvetica. Where a viewer has another font, a
wider one, the text would run out of its box. ``textLength`` says how wide it is to be.

Widths: Adobe's font metrics of Helvetica and Helvetica-Bold, in thousandths of the size.
"""

from __future__ import annotations

import re

_PLAIN = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    *[556] * 10, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
)  # fmt: skip
_BOLD = (
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278,
    *[556] * 10, 333, 333, 584, 584, 584, 611,
    975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556,
    333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611,
    611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584,
)  # fmt: skip
_OTHER = {"×": 584, "−": 584, "·": 278, "–": 556, "…": 1000, "→": 1000, "◂": 770, "▸": 770,
          "\u00a0": 278}
TEXT = re.compile(r"<text([^>]*)>([^<]*)</text>")
ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&#45;": "-",
            "&#160;": "\u00a0"}  # fmt: skip


def width(text: str, size: float, bold: bool = False) -> float | None:
    """How wide a text is in Helvetica; None where it has other characters than Latin ones."""
    table = _BOLD if bold else _PLAIN
    total = 0
    for c in text:
        known = table[ord(c) - 32] if 32 <= ord(c) < 127 else _OTHER.get(c)
        if known is None:
            return None
        total += known
    return total * size / 1000


def keep(svg: str) -> str:
    """The SVG with ``textLength`` on each text in Helvetica of two characters and more."""
    return TEXT.sub(_kept, svg)


def _kept(m: re.Match[str]) -> str:
    attributes, inner = m[1], m[2]
    size = re.search(r'font-size="([\d.]+)"', attributes)
    if "Helvetica" not in attributes or size is None:
        return m[0]
    text = re.sub(r"&#?\w+;", lambda e: ENTITIES.get(e[0], "\ufffd"), inner)
    wide = width(text.strip(" "), float(size[1]), 'font-weight="bold"' in attributes)
    if wide is None or len(text.strip()) < 2:
        return m[0]
    length = f' textLength="{wide:.1f}" lengthAdjust="spacingAndGlyphs"'
    return f"<text{attributes}{length}>{inner}</text>"
