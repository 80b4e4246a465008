"""Random numbers inside of vmap: the same for all samples, different ones, or an error.

All random functions draw from ``dev.draws``. While a vmap runs, that of plain arrays is
``Watched``, which looks at what the vmap asks for; at all other times nothing stands between.
"""
from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import draws as source
from ..backends.reference import Reference
from ..base.errors import message
from .batched import Batch
from .borders import batch_array, whole_array
from .dual import primal_of
from .level import Frame, Level, frames, levels_in

if TYPE_CHECKING:
    from ..base.types import AnyArray

_lock = threading.Lock()
_watching = [0]  # how many vmaps run, in all threads
# whose operands say how many numbers
ARRAYS = frozenset("binomial dirichlet gamma multinomial normal_tensors poisson".split())


class Watched:
    """The functions of arrays/draws.py, as the running vmaps want them."""

    def __getattr__(self, name: str) -> AnyArray:
        draw = getattr(source, name)
        if not callable(draw):
            return draw

        return asking(name, draw)


WATCHED = Watched()


def asking(name: str, draw: Callable[..., Any]) -> Callable[..., Any]:
    """A function that draws, as one that does what the running vmaps want."""

    def watched(*args: AnyArray, **options: AnyArray) -> AnyArray:
        mapped = [f for f in frames.get() if issubclass(f.level.kind, Batch)]
        return _drawn(name, draw, mapped, args, options)

    return watched


def _drawn(
    name: str, draw: Callable[..., Any], running: list[Frame], args: tuple[Any, ...],
    options: dict[str, Any],
) -> AnyArray:  # fmt: skip
    if not running:
        return draw(*args, **options)
    level, how = running[-1]
    args = tuple([_shared(primal_of(a), level) for a in args])  # what is drawn has no derivative
    if how == "error":
        raise RuntimeError(
            message(
                "vmap: called random operation while in randomness error mode. Please either use "
                "the 'same' or 'different' randomness flags on vmap or perform the randomness "
                "operation out of vmap",
                fix="vmap(f, randomness='different')",
            )
        )
    batched = any(_of(a, level) for a in args)
    if how == "same":
        if batched:
            raise RuntimeError(
                message(
                    "vmap: random operations of a tensor that is mapped over have numbers of their "
                    "own for each sample",
                    f"{name} with randomness='same'",
                    fix="randomness='different'",
                )
            )
        return _drawn(name, draw, running[:-1], args, options)
    if name == "randperm" or name in ARRAYS:
        dev: AnyArray = next((a.dev for a in args if getattr(a, "level", None) is level), None)
        if dev is not None:
            return dev.looped(draw, args, options)
        rows = [_drawn(name, draw, running[:-1], args, options) for _ in range(level.size)]
        return batch_array(np.stack(rows), level, 0)
    i = 1 if name == "bernoulli" else 0  # where the shape stands
    given = [whole_array(a, level, 0) if _of(a, level) else a for a in args]
    given[i] = (level.size, *args[i])
    return batch_array(_drawn(name, draw, running[:-1], tuple(given), options), level, 0)


def _shared(x: AnyArray, level: Level) -> AnyArray:
    """``x``, as a plain array if all samples share it."""
    mine = isinstance(x, Batch) and x.level is level
    return x.sample(0) if mine and x.lead == 1 < level.size else x


def _of(x: AnyArray, level: Level) -> bool:
    return level in levels_in(x)


@contextmanager
def watched() -> Iterator[None]:
    """While the block runs, random functions ask what the vmaps want."""
    with _lock:
        _watching[0] += 1
        Reference.draws = WATCHED
    try:
        yield
    finally:
        with _lock:
            _watching[0] -= 1
            if not _watching[0]:
                Reference.draws = source
