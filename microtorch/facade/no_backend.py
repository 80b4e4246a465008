"""``torch.backends.mkl``, ``mkldnn``, ``openmp`` and ``opt_einsum``: libraries that are not used.

Products run in the C core, or in the library that numpy was built with.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

enabled = False
strategy = None
deterministic = False


def is_available() -> bool:
    """False."""
    return False


@contextmanager
def flags(enabled: bool = False, deterministic: bool = False) -> Iterator[None]:
    """Changes nothing: there is nothing to switch."""
    yield
