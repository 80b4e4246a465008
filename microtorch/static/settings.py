"""The settings and modes of the library under which a program was recorded.

They are a part of the key by which a program is looked up, and C compares them at each call. What
is not here changes no program (the number of threads, what is only remembered), or runs functions
as they are written: ``unusual``.
"""
from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import dtypes
from ..arrays.device import away, default
from ..arrays.dtypes import F32
from ..autograd import anomaly, is_anomaly_enabled
from ..backends import cpu
from ..engine import autocast
from ..engine.listening import foreseers, listeners
from ..engine.record import packers
from ..graph import mode
from ..kinds.level import frames
from ..nn import global_hooks

if TYPE_CHECKING:
    from ..base.types import Operand
    from .same import Rows


DRAWS = "its calls may differ by random numbers of Python or numpy"


def settings() -> tuple[Operand, ...]:
    """Under which a program is kept, and which a call must leave as they were."""
    m, region = mode.get(), autocast.region.get()
    return (m.grad, m.inference, m.scope is None, dtypes.get_default_dtype(),
            None if region is None else (region.dtype, region.casts is None),
            autocast.types["cpu"], autocast.keeps[0])  # fmt: skip


def foreign_draws() -> Operand:
    """How far Python's random numbers and numpy's have got: two calls that draw the same from them,
    or choose the same way by them, are no sign that the next one will."""
    found: list[Operand] = [random.getstate()]
    if "numpy.random" in sys.modules:
        found += [x.tobytes() if isinstance(x, np.ndarray) else x for x in np.random.get_state()]
    return found


def backend() -> str:
    """Whose kernels are called; while something is recorded they are another one's."""
    return cpu.of(F32).name


def unusual() -> bool:
    """Is something on for which a function runs as it is written: what looks on, or changes, each
    operation, a transform, another default device?"""
    return bool(
        listeners or foreseers or packers or is_anomaly_enabled() or frames.get()
        or any(global_hooks.on_calls) or (away and default.elsewhere())
    )  # fmt: skip


def rows(made: Rows) -> None:
    """The same for C: nothing is unusual, no region of autocast is open, all else is as it is."""
    for x in (listeners, foreseers, packers, anomaly.asked, *global_hooks.on_calls, away):
        made.size(x, len(x))
    for i, asked in enumerate(anomaly.asked):
        made.item(anomaly.asked, i, asked)
    now = mode.get()
    made.variable(autocast.region, None)
    made.variable(mode, now.grad, "mode grad")
    made.variable(mode, None, "mode scope", other=now.scope is not None)
    if not now.grad:  # within inference_mode there is none
        made.variable(mode, now.inference, "mode inference")
    made.item(vars(dtypes), "_default", dtypes.get_default_dtype())
    made.item(autocast.types, "cpu", autocast.types["cpu"])
    made.item(autocast.keeps, 0, autocast.keeps[0])
    lane = cpu.of(F32)  # of another class while something is recorded, and with another backend
    made.slot(lane, "class", type(lane))
