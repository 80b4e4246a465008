"""Anomaly detection: backward raises at the first NaN."""
from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import errors

if TYPE_CHECKING:
    from ..base.types import Contribution, Gradient
    from ..graph import Node

asked: list[bool] = []  # what was asked for, innermost block last


def check_nan(node: Node, g: Gradient, contributions: list[Contribution]) -> None:
    """The observer of backward that raises at the first NaN."""
    for i, d in enumerate(contributions):
        if d is not None and _has_nan(getattr(d, "array", d)):
            raise RuntimeError(
                errors.message(
                    f"Function '{node.name()}' returned nan values in its {i}th output.",
                    f"forward: {node.op.name} at {node.where()}",
                    f"gradient received: {errors.describe(g)}",
                )
            )


def _has_nan(value: Any) -> bool:
    """Of an array, a float or a Scalar."""
    return bool(np.isnan(value).any()) if hasattr(value, "any") else math.isnan(float(value))


class set_detect_anomaly:
    """Let backward raise at the first NaN, and name the op and the line of its forward.

    Works as a function and as a context manager.
    """

    def __init__(self, mode: bool = True, check_nan: bool = True):
        asked.append(mode and check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        asked.pop()


@contextmanager
def detect_anomaly(check_nan: bool = True) -> Iterator[None]:
    """``set_detect_anomaly(True)`` for a block."""
    with set_detect_anomaly(True, check_nan):
        yield


def is_anomaly_enabled() -> bool:
    """Is anomaly detection on?"""
    return bool(asked) and asked[-1]
