"""The elements of large arrays, packed as text: the stepper's page shows them through a window.

Up to ``FULL`` elements a ``Value`` holds them as numbers. Of larger arrays the steps keep 32-bit
floats as base64 text, the smaller arrays first, up to a total that leaves the page below 2 MB.
"""

from __future__ import annotations

import base64

import numpy as np

from microtorch.backends import host

from .measure import Computation
from .summary import FULL
from .trace import Contribution, Trace, Value

LARGEST = 65_536  # elements of one array
TOTAL = 240_000  # and of all: 1.3 MB of text


def keep(trace: Trace, found: Computation) -> None:
    """Fill ``packed`` of values, gradients and contributions, while the arrays are still known.

    The only contribution to a gradient is that gradient, and is not packed again.
    """
    back = found.backward
    arrays: list[tuple[Value | None, object]] = []
    for t in trace.nodes:
        arrays += [(t.value, found.values[t.id]), (t.grad, back.gradients.get(t.id))]
    for s in trace.steps:
        if isinstance(s, Contribution) and not s.only:
            arrays.append((s.array, back.contributions.get((s.sender, s.position))))
    large = [(np.asarray(host(a)), v) for v, a in arrays if v is not None and _is_large(a)]
    left = TOTAL
    for a, v in sorted(large, key=lambda pair: pair[0].size):
        if a.size > left:
            return
        left -= a.size
        v.packed = base64.b64encode(a.astype("<f4").tobytes()).decode()


def _is_large(a: object) -> bool:
    if a is None or isinstance(a, (float, dict)):
        return False
    array = np.asarray(host(a))
    return FULL < array.size <= LARGEST and array.dtype.kind in "fiub"
