"""Anomaly detection: backward raises at the first NaN."""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import errors
from ..engine.argument_types import flags

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
        flags("set_detect_anomaly", mode=mode, check_nan=check_nan)
        asked.append(mode and check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        asked.pop()


class detect_anomaly:
    """``set_detect_anomaly(True)`` for a block, with PyTorch's warning of the time it takes."""

    def __init__(self, check_nan: bool = True):
        self.check_nan = check_nan
        errors.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should "
            "only be enabled for debugging."
        )

    def __enter__(self) -> None:
        asked.append(self.check_nan)

    def __exit__(self, *exc: object) -> None:
        asked.pop()


def set_anomaly_enabled(enabled: bool, check_nan: bool = True) -> None:
    """``set_detect_anomaly`` as a function."""
    set_detect_anomaly(enabled, check_nan)


def is_anomaly_check_nan_enabled() -> bool:
    """Would anomaly detection look for NaN? It does nothing else here."""
    return not asked or asked[-1]


def is_anomaly_enabled() -> bool:
    """Is anomaly detection on?"""
    return bool(asked) and asked[-1]
