"""What it costs to have a compiled step: its first four calls, in a fresh process.

The first is an ordinary call, two are recorded, then C is compiled, and the fourth compares it. The
second process finds the libraries of the first in the cache, and may compile nothing. The seconds
are the processor's, those of the compiler among them; of a step of tensors its parts follow.
"""
from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import wraps
from typing import Any

import microtorch as torch
from microtorch.static import compiled, loops

from .cases import Disagreement, Result, Step
from .processes import ask
from .static import of_scalars

FIRST = """
import json, os
os.environ["MICROTORCH_CACHE"] = {folder!r}
from benchmarks import first_calls
step, parts = first_calls.{name}(), first_calls.parts()
start = first_calls.used()
for _ in range(4):
    step()
print(json.dumps([first_calls.used() - start, len(os.listdir({folder!r})), parts]))
"""
PARTS: dict[str, tuple[Any, str]] = {
    "recording": (compiled, "recorded"), "the program's proof": (compiled, "proved"),
    "plans": (loops.Plan, "__init__"), "writing C": (loops, "source"),
    "compiling and loading it": (loops, "library"), "comparing it": (loops.Loops, "check"),
}  # fmt: skip


def used() -> float:
    """Seconds of the processor, of this process and those that it has waited for."""
    import resource  # which is not everywhere

    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(w)[:2]) for w in who)


def parts() -> dict[str, float]:
    """By part, the seconds that it has taken: a dict that is filled from now on."""
    taken: dict[str, float] = {}

    def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            start = used()
            try:
                return function(*args, **kwargs)
            finally:
                taken[part] = taken.get(part, 0.0) + used() - start

        return wrapper

    for part, (home, name) in PARTS.items():
        setattr(home, name, timed(part, getattr(home, name)))
    return taken


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
            (fresh, made, of_fresh), (again, kept, of_again) = ask(program), ask(program)
        if made != kept:
            raise Disagreement(f"{name}: the second process compiled again")
        for label, text, total, each in (
            (f"first-{name}", what, fresh, of_fresh),
            (f"second-{name}", f"{what}, compiled before", again, of_again),
        ):
            results.append(Result(label, text, {"microtorch": total}))
            results += [Result(f"{label}-{part}", f"    {part}", {"microtorch": seconds})
                        for part, seconds in each.items()]
    return results
