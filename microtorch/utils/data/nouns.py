"""The nouns of data loading as type aliases. Only annotations use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Data: TypeAlias = Any  # a dataset: any object that answers [i] and len, or iter
Index: TypeAlias = Any  # what a dataset answers to: an int, as a rule
Sample: TypeAlias = Any  # what a dataset gives
Batch: TypeAlias = Any  # what collate makes of samples
Indices: TypeAlias = Any  # what a sampler gives: an index, or a list of them; None: of a stream
Collate: TypeAlias = Callable[[Any], Batch]
Fetcher: TypeAlias = Callable[[Indices], Batch]
