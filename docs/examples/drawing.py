"""Small pictures for the examples, with numpy alone: curves and points as SVG, images as PNG."""
import struct
import sys
import zlib
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "pictures"
COLOURS = ("#3465a4", "#d9730d", "#4e9a06", "#a4348a", "#555753", "#c4a000")
WIDTH, HEIGHT, EDGE = 320, 220, 26
DIGITS = Path(__file__).parents[2] / "microtorch" / "vision" / "digits.npz"


def digits():
    """Handwritten digits, held out every fourth: images (N, 64) in [0, 1] and labels (N,), twice.

    Returns (training images, labels), (held-out images, labels) as numpy arrays.
    """
    with np.load(DIGITS) as file:
        images = file["images"].reshape(-1, 64).astype(np.float32) / 16
        labels = file["labels"].astype(np.int64)
    held = np.arange(len(images)) % 4 == 3
    return (images[~held], labels[~held]), (images[held], labels[held])


def draws():
    """Does this run of an example draw? It does when its last argument is `draw`."""
    return sys.argv[-1] == "draw"


def curves(name, series, title=""):
    """Lines: `series` is {label: (x values, y values)}."""
    _figure(name, series, title, points=False)


def points(name, series, title=""):
    """Dots: `series` is {label: array (N, 2)}; at most 400 of each are drawn."""
    some = {label: np.asarray(p)[:400].T for label, p in series.items()}
    _figure(name, some, title, points=True)


def _figure(name, series, title, points):
    series = {label: np.asarray(xy, dtype=float) for label, xy in series.items()}
    everything = np.concatenate([xy.reshape(2, -1) for xy in series.values()], axis=1)
    low, high = everything.min(1), everything.max(1)
    size = np.array([WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE])
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="10">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<rect x="{EDGE}" y="{EDGE}" width="{size[0]}" height="{size[1]}" fill="none" '
        'stroke="#ccc"/>',
        f'<text x="{EDGE}" y="{EDGE - 8}" font-size="12">{title}</text>',
        f'<text x="{EDGE}" y="{HEIGHT - 10}" fill="#777">{low[0]:.3g}</text>',
        f'<text x="{WIDTH - EDGE}" y="{HEIGHT - 10}" text-anchor="end" fill="#777">'
        f"{high[0]:.3g}</text>",
    ]
    for y, number in ((HEIGHT - EDGE, low[1]), (EDGE + 8, high[1])):
        out.append(
            f'<text x="{EDGE - 3}" y="{y}" text-anchor="end" fill="#777">{number:.2g}</text>'
        )
    for i, (label, xy) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        place = (xy.T - low) / np.maximum(high - low, 1e-12) * size
        places = [(EDGE + x, HEIGHT - EDGE - y) for x, y in place]
        if points:
            dot = f'r="1.6" fill="{colour}"'
            out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" {dot}/>' for x, y in places]
        else:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            out.append(
                f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
            )
        out.append(
            f'<text x="{WIDTH - EDGE - 4}" y="{EDGE + 12 + 12 * i}" text-anchor="end" '
            f'fill="{colour}">{label}</text>'
        )
    (FOLDER / f"{name}.svg").write_text("\n".join([*out, "</svg>\n"]), encoding="utf-8")


def images(name, grid, scale=4):
    """Grey images: `grid` is an array (rows, columns, height, width) in [0, 1]; 0 is black."""
    grid = np.clip(np.asarray(grid, dtype=float), 0, 1)
    rows, columns, height, width = grid.shape
    big = np.full((rows, columns, height + 1, width + 1), 0.4)
    big[..., :height, :width] = grid
    flat = big.transpose(0, 2, 1, 3).reshape(rows * (height + 1), -1)
    flat = flat.repeat(scale, 0).repeat(scale, 1)
    raw = (flat * 255).astype(np.uint8)
    lines = b"".join(b"\0" + row.tobytes() for row in raw)

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", raw.shape[1], raw.shape[0], 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")
    (FOLDER / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
