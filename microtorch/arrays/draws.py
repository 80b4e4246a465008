"""The functions that make random arrays, as the backends have them (``backend.draws.uniform``)."""
from __future__ import annotations

from .continuous import (
    cauchy,
    exponential,
    log_normal,
    normal,
    normal_tensors,
    trunc_normal,
    uniform,
)  # fmt: skip
from .discrete import (
    bernoulli,
    dropout_noise,
    geometric,
    multinomial,
    randint,
    random,
    randperm,
)  # fmt: skip

__all__ = [
    "bernoulli", "cauchy", "dropout_noise", "exponential", "geometric", "log_normal",
    "multinomial", "normal", "normal_tensors", "randint", "random", "randperm", "trunc_normal",
    "uniform",
]  # fmt: skip
