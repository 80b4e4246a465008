"""The stepper in a notebook: the page in a frame, and a picture where frames are taken out.

GitHub, nbviewer's exports and PDF keep images and drop frames and scripts. So the static SVG stands
first, and one line of script hides it where the frame lives. The frame may run its script and
nothing else: no cookies, no access to the notebook, no network; ids and styles of several cells
cannot meet.
"""

from __future__ import annotations

import base64
import hashlib
import html

from ..drawing import render
from ..drawing.dot import Drawing
from ..drawing.options import Options
from ..reading.trace import Trace
from .html import Quiz, page

HEIGHT = 640  # pixels


def mimebundle(trace: Trace, quiz: Quiz | None, text: str) -> dict[str, str]:
    """text/html, image/svg+xml and text/plain; without Graphviz, the text and how to get it."""
    try:
        svg = render.render(Drawing(trace, Options()).digraph.source, "svg")
        frame = page(trace, quiz)
    except render.RenderError as error:
        return {"text/plain": f"{text}\n{error}"}
    mark = hashlib.sha256(frame.encode()).hexdigest()[:12]
    image = base64.b64encode(svg).decode()
    markup = (
        f'<img data-microtorch="{mark}" style="max-width:100%" alt="computation graph" '
        f'src="data:image/svg+xml;base64,{image}">'
        f'<iframe sandbox="allow-scripts" '
        f'style="width:100%;height:{HEIGHT}px;border:1px solid #9AA3AF" '
        f'title="computation graph, step by step" srcdoc="{html.escape(frame)}"></iframe>'
        f"<script>document.querySelectorAll('img[data-microtorch=\"{mark}\"]')"
        ".forEach(i => i.hidden = true)</script>"
    )
    return {"text/html": markup, "image/svg+xml": svg.decode(), "text/plain": text}
