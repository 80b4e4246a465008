"""Learning rates that change with the epoch.

A scheduler writes `group["lr"]` of its optimizer each time its `step()` is called, once per epoch
after the optimizer's steps. Each class gives the new rate from the current one (`get_lr`), in
PyTorch's order of operations, so that the numbers agree to the last bit and several schedulers
can be chained on one optimizer.
"""

from typing import TYPE_CHECKING

from ...base.errors import missing
from ...base.promises import on_demand
from ..contents import SCHEDULERS

if TYPE_CHECKING:
    from .base import LRScheduler, _LRScheduler
    from .combined import ChainedScheduler, SequentialLR
    from .cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
    from .cycles import CyclicLR, OneCycleLR
    from .decay import (
        ConstantLR,
        ExponentialLR,
        LambdaLR,
        LinearLR,
        MultiplicativeLR,
        MultiStepLR,
        PolynomialLR,
        StepLR,
    )
    from .plateau import ReduceLROnPlateau

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "_LRScheduler",
]

__getattr__ = on_demand(globals(), SCHEDULERS, missing(__name__, __all__))
