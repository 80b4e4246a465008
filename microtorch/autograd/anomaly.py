"""Anomaly detection: backward raises at the first NaN."""
from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..base import errors
from ..graph import Node

_anomaly: list[bool] = []


def check_nan(node: Node, g: Any, contributions: list[Any]) -> None:
    for i, d in enumerate(contributions):
        array = getattr(d, "array", d)
        if array is not None and bool(
            np.isnan(array).any() if hasattr(array, "shape") else math.isnan(float(array))
        ):
            raise RuntimeError(
                errors.message(
                    f"Function '{node.name()}' returned nan values in its {i}th output.",
                    f"forward: {node.op.name} at {node.where()}",
                    f"gradient received: {errors.describe(g)}",
                )
            )


class set_detect_anomaly:
    """Let backward raise at the first NaN, naming the op and the line of its forward.

    A function and a context manager.
    """

    def __init__(self, mode: bool = True, check_nan: bool = True):
        _anomaly.append(mode and check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        _anomaly.pop()


@contextmanager
def detect_anomaly(check_nan: bool = True) -> Iterator[None]:
    """``set_detect_anomaly(True)`` for a block."""
    with set_detect_anomaly(True, check_nan):
        yield


def is_anomaly_enabled() -> bool:
    """Is anomaly detection on?"""
    return bool(_anomaly) and _anomaly[-1]
