"""A page in one file: script, style and data inside, and a policy that lets nothing else in.

The script is named by its hash, so that no text of a user's program can ever run; the data are JSON
that cannot end its element. A reader needs no network.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..reading import numbers
from . import style

PAGE = Path(__file__).parents[1] / "page"


def page(template: str, title: str, data: object, script: str, look: str, **more: str) -> str:
    """frame.html around the template, with each ``@name@`` filled in; ``more`` is markup, but for
    ``allowed``: what the script may do besides."""
    allowed = more.pop("allowed", "")
    policy = (
        f"default-src 'none'; script-src '{hashed(script)}'{allowed}; "
        f"style-src '{hashed(look)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    filled = {
        "policy": policy,
        "title": html.escape(f"{title} · microtorch"),
        "style": look,
        "data": inert(data),
        "script": script,
        **more,
    }
    text = read("frame.html").replace("@body@\n", read(template))
    return re.sub(r"@(\w+)@", lambda m: filled[m[1]], text)


def read(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def script(*names: str, before: str = "") -> str:
    """One script: elements.js, what is to stand ``before`` the parts, and the parts."""
    return bare(read("elements.js")) + bare(before) + bare("".join(map(read, names)))


def look(*names: str, pairs: Sequence[tuple[str, str]] = ()) -> str:
    """What base.css and other style sheets say, and the colours of both themes; more of them,
    (light, dark), are called --c0, --c1, ...
    """
    sheets = "".join(sheet(read(name)) for name in ("base.css", *names))
    return sheets + _colours(pairs)


def _colours(pairs: Sequence[tuple[str, str]]) -> str:
    out = []
    for k, (selector, t) in enumerate(((":root", style.LIGHT), (".dark", style.DARK))):
        named = {
            "bg": t.background, "ink": t.ink, "soft": t.secondary, "grad": t.gradient,
            "edge": t.edge, "panel": t.module[0], "rule": t.module[1], "fill": t.op[0],
            "blue": t.roles["parameter"][1], "bluebg": t.roles["parameter"][0],
            "loss": t.roles["loss"][1], "lossbg": t.roles["loss"][0],
            "low": t.negative, "high": t.positive,
            "glow": t.heat[2], "zero": t.zero_edge,
        }  # fmt: skip
        named |= {f"c{i}": pair[k] for i, pair in enumerate(pairs)}
        out.append(f"{selector}{{{';'.join(f'--{n}:{v}' for n, v in named.items())}}}")
    return "\n".join(out) + "\n"


def bare(text: str) -> str:
    """Without indentation, blank lines and comments: a third less to carry."""
    lines = [re.sub(r"(?<=[;{},)\]]) // [^\"'`]*$", "", line.strip()) for line in text.splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith(("//", "/*"))) + "\n"


def sheet(text: str) -> str:
    """A style sheet without the spaces that it does not need."""
    return re.sub(r"\s*([{};,])\s*|(?<=[a-z]): ", lambda m: m[1] or ":", bare(text))


def hashed(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def inert(data: object) -> str:
    """JSON that cannot end its script element, whatever names it holds."""
    text = json.dumps(_finite(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for c in "<>&\u2028\u2029":
        text = text.replace(c, f"\\u{ord(c):04x}")
    return text


def _finite(x: Any) -> Any:
    """NaN and infinities, which JSON lacks, as {"#": "NaN"}; and no unpaired surrogates."""
    if isinstance(x, dict):
        return {str(k): _finite(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [_finite(v) for v in x]
    if isinstance(x, complex):
        return numbers.literal(x)
    if isinstance(x, float) and not math.isfinite(x):
        return {"#": "NaN" if x != x else "Infinity" if x > 0 else "-Infinity"}
    if isinstance(x, str):
        return x.encode("utf-8", "replace").decode()
    return x
