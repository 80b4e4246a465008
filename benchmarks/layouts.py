"""Elementwise operations on operands that broadcast, on views, and on other types: who computes?

    python -m benchmarks layouts                the worst ratio first
    python -m benchmarks layouts "a * col"      some

A row tells whether C computed it, declined, or was not asked, and the time of PyTorch and of
microtorch on numpy alone: what it costs that C does not do it, or gains that it does. About 100,000
elements, one thread; contestants take turns, and the fastest turn counts.
"""
from __future__ import annotations

import functools
import importlib
import sys
from typing import Any

import numpy as np

from .registry import fastest

HEIGHT, WIDTH = 300, 333
PROGRAMS = """
a + b; a + row; a + col; a * row; a * col; a / col; row + a; col - row; a + 1.5; 2 / a; a - number
t.maximum(a, row); t.minimum(a, col); t.atan2(a, col); t.fmod(a, col); t.lerp(a, b, 0.3)
a.clamp(0.2, 0.6); t.clamp(a, row, col); t.addcmul(a, b, b); a.add(b, alpha=2)
at + bt; at + b; at * 2; at + row; at.exp(); at.sigmoid(); every + 1; every * col; every.exp()
rows + rows; inner * 2; inner.exp(); short * three; short + one; images + bias; images * bias
a > b; a > 0.5; a == b; a > col; a < row; at > bt; every > 0.5; a.isnan()
t.where(mask, a, b); t.where(mask, a, 0.0); t.where(mask_col, a, row); a.masked_fill(mask, 0.0)
a * mask; mask & other; ~mask; mask.float(); mask.sum(); mask.long(); mask & mask_col
a.double(); d.float(); a.half(); h.float(); a.long(); i.float(); i.int(); i.bool(); u.float()
i + j; i * j; i // j; i % 10; i > 50; i + i_col; i.abs(); i.clamp(10, 50); i & j; i << 1; i / j
d + d; d * d_col; d.exp(); a.pow(2); a ** 3; a ** 1.7; a.flip(0); a.flip(1); a.clone()
"""


@functools.cache
def operands(torch: Any) -> dict[str, Any]:
    """The names that a program may use."""
    source = np.random.default_rng(0)

    def floats(*shape: int) -> Any:
        return torch.tensor((source.random(shape) * 0.8 + 0.1).astype(np.float32))

    def integers(*shape: int) -> Any:
        return torch.tensor(source.integers(1, 100, shape))

    h, w = HEIGHT, WIDTH
    a, b, i = floats(h, w), floats(h, w), integers(h, w)
    return {
        "t": torch, "a": a, "b": b, "row": floats(w), "col": floats(h, 1), "number": floats(1)[0],
        "at": floats(w, h).t(), "bt": floats(w, h).t(), "every": floats(h, 2 * w)[:, ::2],
        "rows": floats(2 * h, w)[::2], "inner": floats(h, w + 8)[:, 4:-4],
        "short": floats(h * w // 3, 3), "three": floats(3), "one": floats(h * w // 3, 1),
        "images": floats(8, 16, 28, 28), "bias": floats(16, 1, 1),
        "mask": a > 0.5, "other": b > 0.3, "mask_col": floats(h, 1) > 0.5,
        "d": a.double(), "d_col": floats(h, 1).double(), "h": a.half(),
        "i": i, "j": integers(h, w), "i_col": integers(h, 1), "u": i.to(torch.uint8),
    }  # fmt: skip


class Watched:
    """The compiled module, whose kernels note how often they ran and how often they declined."""

    def __init__(self, lib: Any):
        self.lib, self.ran, self.declined = lib, 0, 0

    def __getattr__(self, name: str) -> Any:
        kernel = getattr(self.lib, name)
        if not name.endswith(("_f32", "_f64")):
            return kernel

        def call(*arguments: Any) -> int:
            done: int = kernel(*arguments)
            self.ran, self.declined = self.ran + (done == 1), self.declined + (done == 0)
            return done

        return call


def computed_by(programs: list[str], names: dict[str, Any]) -> dict[str, str]:
    """Who computes each program: C, numpy because C declined, or numpy, who alone was asked."""
    from microtorch import backends
    from microtorch.backends.core import elementwise, library

    real, watched = library.lib, Watched(library.lib)
    answer = {}
    try:
        library.lib = elementwise.lib = watched
        backends.use("reference")
        backends.use("core")
        for text in programs:
            watched.ran = watched.declined = 0
            eval(text, names)
            answer[text] = "C" if watched.ran else "declined" if watched.declined else "numpy"
    finally:
        library.lib = elementwise.lib = real
        backends.use("reference")
        backends.use("core")
    return answer


def main(arguments: list[str]) -> int:
    from microtorch import backends

    backends.core.set_num_threads(1)
    libraries = [importlib.import_module("microtorch")]
    try:
        libraries.append(importlib.import_module("torch"))
    except ImportError:
        print("PyTorch is not installed: no ratios to it are shown.", file=sys.stderr)
    everything = [text.strip() for line in PROGRAMS.split("\n") for text in line.split(";")]
    programs = [text for text in everything if text in arguments or (text and not arguments)]
    who = computed_by(programs, operands(libraries[0]))
    rows = []
    for text in programs:
        code = compile(text, "program", "eval")
        steps = [functools.partial(eval, code, operands(library)) for library in libraries]
        times = fastest(steps, 0.3 if arguments else 0.06)
        backends.use("reference")
        [alone] = fastest(steps[:1], 0.03)
        backends.use("core")
        rival = times[1] if len(times) > 1 else alone
        rows.append((times[0] / rival, text, [times[0], alone, *times[1:]]))
    print(f"{'program':26} {'by':9}{'microtorch':>11} {'on numpy':>11} {'PyTorch':>11}   ratio")
    for ratio, text, times in sorted(rows, reverse=True):
        figures = " ".join(f"{t * 1e6:8.1f} us" for t in times)
        print(f"{text:26} {who[text]:9}{figures:35} {ratio:7.2f}")
    left = [text for ratio, text, times in rows if who[text] != "C" and ratio > 1.1]
    if left and len(libraries) > 1:
        print(f"left to numpy where PyTorch is faster: {', '.join(left)}")
    return 0
