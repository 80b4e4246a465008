"""The frames of animate.py as files: moving bitmaps, an SVG that moves by itself, PDF pages."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..reading.trace import Trace
from . import moving, render, style
from .animate import Still, stills
from .saved import write

NO_PILLOW = (
    'Pictures that move as .{} need Pillow: pip install "microtorch[anim]". '
    "An animated .svg needs nothing more."
)
FORWARD, BACKWARD, LAST = 0.6, 1.6, 3.5  # seconds that a frame stays, at speed 1


def seconds(trace: Trace, speed: float = 1.0) -> list[float]:
    """How long each frame stays: backward takes longer to read, and the last frame longest."""
    if not speed > 0:
        why = "it divides the time that each step stays, so it must be greater than 0"
        raise ValueError(f"speed={speed!r}: {why}")
    slow = ("backward", "push")
    out = [BACKWARD if s.phase in slow or s.kind in slow else FORWARD for s in trace.steps]
    out[-1] = LAST
    return [t / speed for t in out]


def _render(drawings: list[Still], format: str, dpi: float | None = None) -> list[bytes]:
    """All frames, two at a time."""
    render.render(drawings[0].digraph.source, format, dpi)  # the errors come from here, once
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda d: render.render(d.digraph.source, format, dpi), drawings))


def save(
    trace: Trace, path: str, kind: str, speed: float = 1.0, dpi: float = 80, **look: Any
) -> str:
    """Write the film as ``kind``: "gif", "apng", "webp", "svg", or "pdf" (one file per step).

    The first three need Pillow.
    """
    times = seconds(trace, speed)
    if kind in ("gif", "apng", "webp"):
        _pillow(kind)
    drawings = stills(trace, **look)
    if kind == "svg":
        t = style.theme(look.get("theme", "light"))
        pages = [svg.decode() for svg in _render(drawings, "svg")]
        data = moving.merge(pages, times, t.gradient, trace.mode == "forward").encode()
        return write(path, data)
    if kind == "pdf":
        print(slides(drawings, path))
        return pattern(path)
    _bitmaps(_render(drawings, "png", dpi), times, path, kind)
    return path


def _pillow(kind: str) -> Any:
    try:
        from PIL import Image, features
    except ImportError:
        raise ImportError(NO_PILLOW.format(kind)) from None
    if kind == "webp" and not features.check("webp"):
        raise ImportError("this Pillow was built without WebP; save as .gif, .apng or .svg")
    return Image


def _bitmaps(pages: list[bytes], times: list[float], path: str, kind: str) -> None:
    Image = _pillow(kind)
    images = [Image.open(io.BytesIO(page)).convert("RGB") for page in pages]
    size = tuple(max(i.size[k] for i in images) for k in (0, 1))
    frames = []
    for image in images:
        if image.size != size:
            page = Image.new("RGB", size, image.getpixel((0, 0)))
            page.paste(image)
            image = page
        frames.append(image)
    if kind != "webp":  # one palette for all frames: small files, and colours that do not flicker
        chosen = frames[:: max(1, len(frames) // 3)]
        together = Image.new("RGB", (size[0], size[1] * len(chosen)))
        for k, frame in enumerate(chosen):
            together.paste(frame, (0, size[1] * k))
        palette = together.quantize(64, dither=Image.Dither.NONE)
        frames = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    more = {
        "gif": {"optimize": False, "disposal": 1},
        "webp": {"quality": 90, "method": 4},
        "apng": {},
    }[kind]
    frames[0].save(
        path,
        format={"apng": "PNG"}.get(kind, kind.upper()),
        save_all=True,
        append_images=frames[1:],
        duration=[round(1000 * t) for t in times],
        loop=0,
        **more,
    )


# ---- slides --------------------------------------------------------------------------------------
def pattern(path: str) -> str:
    """``x-%02d.pdf`` for ``x.pdf``; a path with its own ``%02d`` is left alone."""
    return path if "%0" in path else f"{os.path.splitext(path)[0]}-%02d.pdf"


def slides(drawings: list[Still], path: str) -> str:
    """Write one PDF per step; returns the LaTeX that shows them, as an animation or in beamer."""
    files = pattern(path)
    for k, page in enumerate(_render(drawings, "pdf"), 1):
        with open(files % k, "wb") as file:
            file.write(page)
    base = os.path.basename(files)
    stem = base.partition("%0")[0]
    n = len(drawings)
    first, last = (base % k for k in (1, n))
    digits = [name[len(stem) : -len(".pdf")] for name in (first, last)]
    lines = [
        f"% {n} pages: {first} ... {last}",
        r"% an animation, with \usepackage{animate}:",
        r"\animategraphics[controls,width=\linewidth]{1}"
        rf"{{{stem}}}{{{digits[0]}}}{{{digits[1]}}}",
        r"% or one page per click, in beamer:",
        *(
            rf"\only<{k}>{{\includegraphics[width=\linewidth]{{{base % k}}}}}%"
            for k in range(1, n + 1)
        ),
    ]
    return "\n".join(lines)
