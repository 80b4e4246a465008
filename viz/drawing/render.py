"""DOT -> SVG, PNG, PDF: by the program ``dot``, or by pygraphviz, or a clear error.

Both are Graphviz; pygraphviz 2 brings it along in its wheel, so no program has to be installed. It
runs in a process of its own: several layouts in one process can end in a failed C assertion, which
would take the user's program along. The size of bitmaps is checked first: beyond 32,767 pixels
Graphviz clamps a picture without an error, and what is left cannot be read.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import TypeAlias

from . import lengths, titles

TIMEOUT = 20  # seconds; pictures of up to 400 nodes take 0.2
WIDEST = 32_767  # pixels, cairo's limit
Run: TypeAlias = Callable[[str, str, "float | None"], bytes]  # source, format, dpi
# Graphviz's bound on the search for places, in rounds for each node. Without it a leaf that every
# turn of a loop reads takes minutes; the usual picture needs fewer rounds, and is the same.
NSLIMIT = "2"
BITMAPS = frozenset({"png", "jpg", "jpeg", "gif", "webp", "bmp"})
NO_GRAPHVIZ = (
    'Rendering needs Graphviz. `pip install "microtorch[viz]"` brings it (pygraphviz bundles it), '
    "or install the `dot` program: Debian/Ubuntu: apt-get install graphviz · "
    "macOS: brew install graphviz · Windows: winget install "
    "graphviz. The DOT text itself is in `.source` and `.save('x.dot')` always works."
)
SMALLER = (
    "collapse modules with depth=1 or depth=0, draw one sample instead of the batch, "
    "or save as .svg or .pdf"
)


class RenderError(RuntimeError):
    """Graphviz is missing, failed, took too long, or would make an unreadable picture."""


def render(
    source: str, format: str, dpi: float | None = None, engine: str = "auto", over: bool = False
) -> bytes:
    """The picture as bytes. ``engine``: "dot", "pygraphviz", or "auto" (the first there is).

    ``over``: titles of frames stand over the arrows that cross them (titles.py).
    """
    if engine not in ("auto", "dot", "pygraphviz"):
        raise ValueError(f"engine={engine!r} is not known; choose 'auto', 'dot' or 'pygraphviz'")
    run = _choose(engine)
    if over and "subgraph cluster" in source and engine != "pygraphviz" and shutil.which("dot"):
        source = titles.over_arrows(run(source, "dot", None).decode()) or source
    if format in BITMAPS:
        dpi = 144.0 if dpi is None else float(dpi)
        _check_size(run(source, "plain", None).decode(), dpi)
    out = run(source, format, dpi if format in BITMAPS else None)
    if format == "svg":
        out = _fit(out)
    return out


def available(engine: str = "auto") -> bool:
    try:
        _choose(engine)
    except RenderError:
        return False
    return True


def _choose(engine: str) -> Run:
    """How Graphviz is run."""
    program = shutil.which("dot") if engine in ("auto", "dot") else None
    if program is not None:

        def run(source: str, format: str, dpi: float | None) -> bytes:
            size = [] if dpi is None else [f"-Gdpi={dpi:g}"]
            return _run([program, f"-T{format}", f"-Gnslimit={NSLIMIT}", *size], source, format)

        return run
    if engine != "dot":
        try:
            import pygraphviz

            if hasattr(pygraphviz.graphviz, "gvContextWithBuiltins"):  # older ones call the program
                return lambda source, format, dpi: _run(
                    [sys.executable, "-c", PYGRAPHVIZ, format, NSLIMIT]
                    + ([f"{dpi:g}"] if dpi is not None else []),
                    source,
                    format,
                )
        except (ImportError, AttributeError):
            pass
    raise RenderError(NO_GRAPHVIZ)


PYGRAPHVIZ = """
import sys, pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())
graph.graph_attr["nslimit"] = sys.argv[2]
if len(sys.argv) > 3:
    graph.graph_attr["dpi"] = sys.argv[3]
sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog="dot"))
"""


def _run(arguments: list[str], source: str, format: str) -> bytes:
    """Run Graphviz on ``source``; its remarks on fonts and cells are shown only if it fails."""
    try:
        done = subprocess.run(
            arguments, input=source.encode(), capture_output=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise RenderError(
            f"Graphviz took more than {TIMEOUT} s for this picture; {SMALLER}"
        ) from None
    except OSError as error:
        raise RenderError(f"{arguments[0]} cannot be run ({error}). {NO_GRAPHVIZ}") from None
    if done.returncode or not done.stdout:
        words = done.stderr.decode(errors="replace").strip()
        why = words[-500:] or f"exit {done.returncode}"
        raise RenderError(f"Graphviz could not draw the picture as {format}: {why}")
    return done.stdout


def _check_size(plain: str, dpi: float) -> None:
    """Refuse a bitmap that Graphviz would clamp.

    The first line of plain output reads: graph scale width height, in inches.
    """
    fields = plain.split("\n", 1)[0].split()
    width, height = (float(v) * float(fields[1]) * dpi for v in fields[2:4])
    if max(width, height) > WIDEST or width * height > 250e6:
        raise RenderError(
            f"the bitmap would have {width:,.0f} × {height:,.0f} pixels, which Graphviz would "
            f"clamp to something unreadable; {SMALLER}"
        )


def _fit(svg: bytes) -> bytes:
    """Let a picture shrink to the width of its page, since notebooks cut it off otherwise, and
    its texts keep their widths in any font.
    """
    svg = lengths.keep(svg.decode()).encode()
    return re.sub(rb"<svg width=", rb'<svg style="max-width:100%;height:auto" width=', svg, count=1)
