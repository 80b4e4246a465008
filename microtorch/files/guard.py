"""What reading one file may cost, and what has to wait for its end.

A hostile file is small and asks for much.

* References: a pickle can name one list a thousand times in a few bytes, and have it copied each
  time. Whatever copies pays for the elements from an allowance of one per byte of the file.
* Keys: Python's hashes of numbers are known, so keys can be chosen that all fall on one place of
  a dict; each insertion then takes as long as all before. The processor time of insertions is
  measured. (Strings have hashes that nobody knows beforehand.) A nested tuple of references takes
  exponential time to hash, so the size of a key is bounded.
* Nesting: an object whose parts lie 1000 deep cannot be printed, compared or copied in Python.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

from ..nn.module import Module
from .errors import brief, damaged

DEPTH = 1000
_KEY_PARTS = 100
_FREE = 10_000  # what even an empty file may copy
_SECONDS, _SECONDS_PER_KEY = 0.3, 4e-6  # honest insertions take about 0.1 us
_UNGUESSABLE = (str, bytes)

T = TypeVar("T")


class Guard:
    """The account of one file of `size` bytes."""

    def __init__(self, size: int) -> None:
        self.left = size + _FREE
        self.keys, self.seconds = 0, 0.0
        self.later: list[Callable[[], None]] = []  # what needs the storages' elements

    def settle(self) -> None:
        """All elements are read: do what had to wait for them."""
        for compute in self.later:
            compute()

    def pay(self, n: int) -> None:
        """Charge for `n` elements that are copied."""
        self.left -= n
        if self.left < 0:
            raise damaged("it has more copied than it holds")

    def insert(
        self, known: Collection[object], pairs: Iterable[tuple[T, object]],
        put: Callable[[T, object], object],
    ) -> None:  # fmt: skip
        """`put(key, value)` for each pair, with keys that are not yet `known`."""
        began: float | None = None
        for key, value in pairs:
            if type(key) not in _UNGUESSABLE:
                self._check_key(key)
                if began is None:
                    began = time.thread_time()
                elif not self.keys % 16:
                    began = self._spent(began)
                self.keys += 1
            if key in known:
                raise damaged(f"the key {brief(key)} occurs twice")
            put(key, value)
        if began is not None:
            self._spent(began)

    def _spent(self, began: float) -> float:
        now = time.thread_time()
        self.seconds += now - began
        if self.seconds > _SECONDS + _SECONDS_PER_KEY * self.keys:
            raise damaged("its keys collide, and would take very long to insert")
        return now

    def _check_key(self, key: object) -> None:
        parts = [key]
        for part in parts:
            if isinstance(part, (tuple, frozenset)):
                parts += part
            if len(parts) > _KEY_PARTS:
                raise damaged(f"a key has more than {_KEY_PARTS} parts")

    def dict(self, made: dict[object, object], pairs: Iterable[tuple[object, object]]) -> None:
        """Put the pairs into `made`."""
        self.insert(made, pairs, made.__setitem__)

    def set(self, values: Iterable[object], made: set[object] | None = None) -> set[object]:
        """Put the values into `made`, or into a new set."""
        found: set[object] = set() if made is None else made
        self.insert(found, ((v, None) for v in values), lambda key, _: found.add(key))
        return found


def check_depth(root: object) -> None:
    """Raise FileError if containers lie deeper than DEPTH in one another."""
    level, seen = [root], {id(root)}
    for _ in range(DEPTH):
        below: list[object] = []
        for x in level:
            if isinstance(x, dict):
                below += x.values()
            elif isinstance(x, (list, tuple, set, frozenset)):
                below += x
            elif isinstance(x, Module):
                below += vars(x).values()
        level = [x for x in below if isinstance(x, _CONTAINERS) and not _known(x, seen)]
        if not level:
            return
    raise damaged(f"it is nested more than {DEPTH} deep")


_CONTAINERS = (dict, list, tuple, set, frozenset, Module)


def _known(x: object, seen: set[int]) -> bool:
    if id(x) in seen:
        return True
    seen.add(id(x))
    return False
