"""Transforms without chance on many pictures at once: the same numbers, in one pass over memory."""

from __future__ import annotations

from collections.abc import Callable

from ...base.types import Array
from ...create.data import from_numpy
from ...handles.tensor import Tensor
from ..images import Transform
from .basic import Compose, Normalize, ToTensor
from .converting import scaled


def _steps(transform: Transform | None) -> list[Transform]:
    return list(transform.transforms) if type(transform) is Compose else [transform or repr]


def reads_arrays(transform: Transform | None) -> bool:
    """Does it begin with ToTensor, for which an array is as good as a Pillow image of it?"""
    steps = _steps(transform)
    return bool(steps) and type(steps[0]) is ToTensor


def whole(transform: Transform | None) -> Callable[[Array], Tensor] | None:
    """A function from bytes (N, H, W[, C]) to what `transform` makes of each, stacked.

    Only for ToTensor, alone or followed by Normalize; None for others.
    """
    first, *others = _steps(transform) or [repr]
    if type(first) is not ToTensor or any(type(step) is not Normalize for step in others):
        return None

    def together(pictures: Array) -> Tensor:
        planes = pictures[:, None] if pictures.ndim == 3 else pictures.transpose(0, 3, 1, 2)
        batch = from_numpy(scaled(planes))
        for step in others:
            batch = step(batch)
        return batch

    return together
