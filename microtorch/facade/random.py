"""``torch.random``: the default generator's seed and state."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..arrays.generator import default_generator
from ..create.random import get_rng_state, initial_seed, manual_seed, seed, set_rng_state

__all__ = [
    "default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed",
    "set_rng_state",
]  # fmt: skip


@contextmanager
def fork_rng(devices: object = None, enabled: bool = True) -> Iterator[None]:
    """Restore the default generator's state at the end of the block; ``devices`` are ignored."""
    state = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(state)
