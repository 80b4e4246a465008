"""Convolutions of many channels: ``python -m benchmarks channels``.

Each of the three ways has its column: forward without a gradient, the gradient of the images alone,
that of the weight alone. A figure is microtorch's time divided by PyTorch's. With ``--threads 2``
it is microtorch's time with two threads divided by that with one, beside a rival that has nothing
to do; with ``--cpu`` both libraries' time on the processor is taken instead of the clock's, which
tells more where other programs take turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .cases import Case, Step, in_torch_style, installed, measure

SHAPES = """
1x64x28x28 64x64x3x3 padding=1; 8x64x28x28 64x64x3x3 padding=1; 32x64x28x28 64x64x3x3 padding=1
64x64x28x28 64x64x3x3 padding=1; 1x64x14x14 64x64x3x3 padding=1; 8x64x14x14 64x64x3x3 padding=1
32x64x14x14 64x64x3x3 padding=1; 64x64x14x14 64x64x3x3 padding=1
4x256x14x14 256x256x3x3 padding=1; 8x512x7x7 512x512x3x3 padding=1
8x64x28x28 64x64x5x5 padding=2; 8x64x28x28 64x64x1x1; 1x64x28x28 64x64x1x1
8x256x14x14 64x256x1x1; 8x64x28x28 128x64x1x1 stride=2; 16x64x1x128 64x64x1x1
8x64x28x28 128x64x3x3 stride=2 padding=1; 8x64x32x32 64x64x4x4 stride=2 padding=1
8x64x28x28 64x16x3x3 padding=1 groups=4; 8x64x14x14 64x16x3x3 padding=1 groups=4
8x64x28x28 64x1x3x3 padding=1 groups=64; 1x64x28x28 64x1x3x3 padding=1 groups=64
8x128x14x14 128x1x3x3 padding=1 groups=128; 8x256x7x7 256x1x3x3 padding=1 groups=256
8x64x28x28 64x1x5x5 padding=2 groups=64; 8x64x28x28 64x1x3x3 stride=2 padding=1 groups=64
"""
WAYS = ("forward", "images", "weight")


def step_of(shape: str, wanted: str) -> Callable[[Any], Step]:
    """A builder of the step, for a library, from a shape such as those above."""
    images, weight, *given = shape.split()
    sizes = [tuple(map(int, text.split("x"))) for text in (images, weight)]
    settings = {key: int(value) for key, value in (text.split("=") for text in given)}

    def build(torch: Any) -> Step:
        random = np.random.default_rng(0)
        x, w = (torch.tensor(random.standard_normal(s).astype(np.float32)) for s in sizes)

        def forward() -> Any:
            return torch.nn.functional.conv2d(x, w, **settings)

        if wanted == "forward":
            return forward
        leaf = (x if wanted == "images" else w).requires_grad_()
        out = forward()
        ones = torch.ones(out.shape)

        def backward() -> Any:
            leaf.grad = None
            out.backward(ones, retain_graph=True)
            return leaf.grad

        return backward

    return build


def beside_torch(shape: str, way: str, seconds: float, clock: Callable[[], float]) -> float:
    builders = in_torch_style(step_of(shape, way))
    case = Case(f"{shape}, {way}", shape, builders, tolerance=2e-3)
    return measure(case, seconds, clock=clock).ratio("torch")


def beside_one_thread(shape: str, way: str, seconds: float, threads: int) -> float:
    from microtorch.backends import core

    def with_threads(count: int) -> Callable[[], Step]:
        def build() -> Step:
            import microtorch

            step = step_of(shape, way)(microtorch)

            def run() -> Any:
                core.set_num_threads(count)
                return step()

            return run

        return build

    builders = {"microtorch": with_threads(threads), "one thread": with_threads(1)}
    return measure(Case(shape, shape, builders), seconds).ratio("one thread")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks channels", description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each figure")
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("words", nargs="*", help="only shapes with one of these texts")
    options = parser.parse_args(arguments)
    from microtorch.backends import core

    from .report import heading, machine

    print(heading(machine()))
    if options.threads == 1:
        if not installed("torch"):
            parser.error("PyTorch is not installed")
        import torch

        torch.set_num_threads(1)
    core.set_num_threads(1)
    shapes = [text.strip() for line in SHAPES.split("\n") for text in line.split(";")]
    chosen = [s for s in shapes if s and (not options.words or any(w in s for w in options.words))]
    print(f"\n| {'images, weight':48} | forward | images | weight |\n| {'-' * 48} | ------: "
          "| -----: | -----: |")  # fmt: skip
    clock = time.thread_time if options.cpu else time.perf_counter
    for shape in chosen:
        ratios = [beside_torch(shape, way, options.seconds, clock) if options.threads == 1
                  else beside_one_thread(shape, way, options.seconds, options.threads)
                  for way in WAYS]  # fmt: skip
        print("| {:48} | {:7.2f} | {:6.2f} | {:6.2f} |".format(shape, *ratios), flush=True)
    return 0
