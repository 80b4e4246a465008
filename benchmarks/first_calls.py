"""What it costs to have a compiled step: its first four calls, in a fresh process.

The first is an ordinary call, two are recorded, then C is compiled, and the fourth compares it. The
second process finds the libraries of the first in the cache, and may compile nothing. The seconds
are the processor's, those of the compiler among them.
"""
from __future__ import annotations

import tempfile
from typing import Any

import microtorch as torch

from .cases import Disagreement, Result, Step
from .processes import ask
from .static import of_scalars

FIRST = """
import json, os, resource
def used():
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(w)[:2]) for w in who)
os.environ["MICROTORCH_CACHE"] = {folder!r}
from benchmarks import first_calls
step = first_calls.{name}()
start = used()
for _ in range(4):
    step()
print(json.dumps([used() - start, len(os.listdir({folder!r}))]))
"""


def layers() -> Step:
    """20 layers of 64 units, batch 32."""
    nn = torch.nn
    model = nn.Sequential(*[m for _ in range(20) for m in (nn.Linear(64, 64), nn.ReLU())])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    @torch.compile
    def step(x: Any) -> Any:
        loss = model(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    x = torch.ones(32, 64)
    return lambda: step(x)


def numbers() -> Step:
    """micrograd's moons, 65,000 Scalars."""
    return of_scalars()["microtorch"]()


def measured() -> list[Result]:
    """Seconds of the processor, without a cache and with one."""
    results = []
    for name, make in (("layers", layers), ("numbers", numbers)):
        what = f"first calls: {(make.__doc__ or '').rstrip('.')}"
        with tempfile.TemporaryDirectory() as folder:
            program = FIRST.format(folder=folder, name=name)
            (fresh, made), (again, kept) = ask(program), ask(program)
        if made != kept:
            raise Disagreement(f"{name}: the second process compiled again")
        results += [Result(f"first-{name}", what, {"microtorch": fresh}),
                    Result(f"second-{name}", f"{what}, compiled before", {"microtorch": again})]
    return results
