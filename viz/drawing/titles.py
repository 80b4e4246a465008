"""Titles of frames that an arrow crosses are drawn once more, over it.

Graphviz draws a frame first, with its title, and then the arrows into it: one that comes from above
runs through the words. Where that happens, the picture is drawn from its finished layout, with the
title as a node of the frame's colour, and nodes last. Other pictures stay as they are.
"""

from __future__ import annotations

import re
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]
FRAME = re.compile(r"(subgraph cluster\w*) \{\s*graph \[(.*?)\];\n", re.S)
ATTRIBUTE = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|[^\s,\]"]+)', re.S)
ARROW = re.compile(r'pos="((?:[es],[^ "]+ )*)([-\d.]+,[-\d.]+(?: [-\d.]+,[-\d.]+){3,})"')
STEPS = 12  # points of each piece of an arrow that are looked at


def over_arrows(laid: str) -> str:
    """The layout ``laid`` (as ``dot -Tdot`` writes it) with crossed titles drawn last; "" if none
    is crossed.
    """
    laid = laid.replace("\\\n", "")
    points = [p for _, spline in ARROW.findall(laid) for p in _along(spline)]
    font = re.search(r"fontname=(\"[^\"]*\"|\w+)", laid)
    titles: list[str] = []

    def without_title(found: re.Match[str]) -> str:
        look = dict(ATTRIBUTE.findall(found[2]))
        if not {"lp", "lwidth", "lheight", "label", "fillcolor"} <= look.keys():
            return found[0]
        x, y = (float(v) for v in look["lp"].strip('"').split(","))
        wide, high = 72 * float(look["lwidth"]), 72 * float(look["lheight"])
        if not any(abs(px - x) < wide / 2 and abs(py - y) < high / 2 for px, py in points):
            return found[0]
        titles.append(
            f"title{len(titles)} [label={look['label']}, pos={look['lp']}, shape=box, "
            f"style=filled, fillcolor={look['fillcolor']}, color={look['fillcolor']}, "
            f"fontcolor={look.get('fontcolor', 'black')}, fontsize={look.get('fontsize', 11)}, "
            f"fontname={font[1] if font else 'Helvetica'}, margin=0, penwidth=0, fixedsize=true, "
            f"width={look['lwidth']}, height={look['lheight']}];"
        )
        return found[0].replace(f"label={look['label']}", 'label=""', 1)

    changed = FRAME.sub(without_title, laid)
    if not titles:
        return ""
    head, _, rest = changed.partition("graph [")
    body = rest.rstrip().removesuffix("}")
    return f"{head}graph [layout=nop2, outputorder=edgesfirst, {body}{' '.join(titles)}\n}}\n"


def _along(spline: str) -> list[Point]:
    """Points along a chain of Bézier curves, each of four that share their ends."""
    at = [tuple(map(float, p.split(","))) for p in spline.split()]
    found: list[Point] = []
    for k in range(0, len(at) - 3, 3):
        a, b, c, d = at[k : k + 4]
        for i in range(STEPS + 1):
            t, s = i / STEPS, 1 - i / STEPS
            weights = s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t
            corners = list(zip(weights, (a, b, c, d), strict=True))
            x, y = (sum(w * p[n] for w, p in corners) for n in (0, 1))
            found.append((x, y))
    return found
