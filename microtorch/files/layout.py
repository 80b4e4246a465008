"""What writing and reading share: the names in the archive, and the containers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..handles.size import Size

MANIFEST = "microtorch.json"
VERSION = 1
SIGNATURE = b"PK\x03\x04"

SEQUENCES: dict[type, Callable[[list[Any]], Any]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    Size: Size,
}
