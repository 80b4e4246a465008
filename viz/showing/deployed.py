"""The page of exported programs: what `f.export(folder, target="wasm")` writes as index.html.

The programs, their arrays and the WebAssembly are data of the page (microtorch/static/page.py), and
nothing in it is made for one of them: what learns is shown learning, an input that looks like a
small picture can be drawn, and all else is numbers.
"""

from __future__ import annotations

from typing import Any

from ..drawing import onefile

SCRIPTS = ("charts.js", "machine.js", "values.js", "sketch.js", "learning.js", "deployed.js")


def page(about: dict[str, Any]) -> str:
    """index.html. ``about``: see static/page.py, description."""
    title = " and ".join(p["name"] for p in about["programs"])
    script, look = onefile.script(*SCRIPTS), onefile.look("charts.css", "deployed.css")
    return onefile.page(
        "deployed.html", title, about, script, look, allowed=" 'wasm-unsafe-eval'"
    )
