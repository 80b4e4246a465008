"""Versions that compare as versions do (PyTorch's `torch.torch_version`)."""
from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TypeAlias

_FORM = (  # compiled when two versions are first compared
    r"v?(\d+(?:\.\d+)*)(?:[-_.]?(a|alpha|b|beta|c|rc|pre|preview)[-_.]?(\d*))?"
    r"(?:[-_.]?(post|rev|r)[-_.]?(\d*))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+([a-z0-9._-]+))?"
)
_STAGES = {"a": 1, "alpha": 1, "b": 2, "beta": 2}  # all others are release candidates: 3
_FINAL = 4
Key: TypeAlias = "tuple[list[int], tuple[int, int], int, float, tuple[tuple[int, str], ...]]"


def _key(version: object) -> Key | None:
    """What a version is sorted by, after PEP 440; None for what is no version."""
    if not isinstance(version, str) and isinstance(version, Iterable):
        version = ".".join(str(part) for part in version)
    match = re.fullmatch(_FORM, str(version).strip(), re.IGNORECASE)
    if match is None:
        return None
    release, stage, number, post, posted, dev, developed, local = match.groups()
    numbers = [int(part) for part in release.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()  # 1.10 is 1.10.0
    before = (_STAGES.get(stage.lower(), 3), int(number or 0)) if stage else (_FINAL, 0)
    if dev and not stage and not post:
        before = (0, 0)  # a development release comes before all others of its number
    return (
        numbers,
        before,
        int(posted or 0) + 1 if post else 0,
        int(developed or 0) if dev else float("inf"),
        tuple(
            (int(part), "") if part.isdigit() else (-1, part.lower())
            for part in re.split(r"[._-]", local or "") if part
        ),
    )  # fmt: skip


class TorchVersion(str):
    """A version as a string that also compares with tuples and `packaging`'s versions.

    `TorchVersion("2.13.0") > "2.9"`, as numbers and not as letters; `>= (1, 8)`. What is no version
    is compared as a string.
    """

    __slots__ = ()

    def _keys(self, other: object) -> tuple[Any, Any]:
        mine, others = _key(str(self)), _key(other)
        return (mine, others) if mine and others else (str(self), str(other))

    def __lt__(self, other: object) -> bool:
        mine, others = self._keys(other)
        return bool(mine < others)

    def __le__(self, other: object) -> bool:
        return not self > other

    def __gt__(self, other: object) -> bool:
        mine, others = self._keys(other)
        return bool(mine > others)

    def __ge__(self, other: object) -> bool:
        return not self < other

    def __eq__(self, other: object) -> bool:
        mine, others = self._keys(other)
        return bool(mine == others)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__
