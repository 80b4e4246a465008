"""``torch.backends.mkl``, ``mkldnn``, ``openmp`` and ``opt_einsum``: libraries that are not used.

Products run in the C core, or in the library that numpy was built with.
"""
from __future__ import annotations

enabled = False
strategy = None
deterministic = False


def is_available() -> bool:
    """False."""
    return False
