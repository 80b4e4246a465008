"""The stepper in a notebook: the page in a frame, and a picture where frames are taken out.

GitHub, nbviewer's exports, PDF and notebooks that are not trusted keep images and drop frames,
scripts and styles. So the static picture stands first, and the frame lies over it: where there is a
frame it covers the picture, where there is none the picture is seen. No script takes part, since
JupyterLab may drop the script and keep the frame. The frame may run its script and nothing else:
no cookies, no access to the notebook, no network; ids and styles of several cells cannot meet.

A notebook that is not trusted takes no SVG; a PNG stands beside it for that case.
"""

from __future__ import annotations

import base64
import html

from ..drawing import render
from ..drawing.dot import Drawing
from ..drawing.options import Options
from ..reading.trace import Trace
from .html import Quiz, page

HEIGHT = 640  # pixels


def mimebundle(trace: Trace, quiz: Quiz | None, text: str) -> dict[str, str]:
    """HTML, SVG, PNG and plain text; without Graphviz, the text and how to get it."""
    try:
        source = Drawing(trace, Options()).digraph.source
        svg, png = render.render(source, "svg"), render.render(source, "png")
        frame = page(trace, quiz)
    except render.RenderError as error:
        return {"text/plain": f"{text}\n{error}"}
    image = base64.b64encode(svg).decode()
    # one cell of a grid holds both; without the frame it is no higher than the picture
    cover = f"grid-area:1/1;width:100%;height:{HEIGHT}px;box-sizing:border-box;z-index:1"
    markup = (
        f'<div style="display:grid;grid-template-columns:minmax(0,1fr);overflow:hidden">'
        f'<img style="grid-area:1/1;max-width:100%;max-height:{HEIGHT}px" alt="computation graph" '
        f'src="data:image/svg+xml;base64,{image}">'
        f'<iframe sandbox="allow-scripts" '
        f'style="{cover};border:1px solid #9AA3AF;background:#fff" '
        f'title="computation graph, step by step" srcdoc="{html.escape(frame)}"></iframe></div>'
    )
    bundle = {"text/html": markup, "image/svg+xml": svg.decode(), "text/plain": text}
    return bundle | {"image/png": base64.b64encode(png).decode()}
