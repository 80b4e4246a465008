"""Samples of scans, medians and the norm of any order. The references are loops in Python."""

import itertools
import math
import statistics

import numpy as np

from .elementwise import Sample
from .samples import X, Z, along, numbers, picks, reduced


def logcumsumexp(v):
    return [math.log(s) for s in itertools.accumulate(map(math.exp, v))]


def recurrence(a, b, dim):
    """s[i] = b[i] + a[i] s[i - 1]."""
    a, b = np.moveaxis(a, dim, 0), np.moveaxis(b, dim, 0)
    out = []
    for p, q in zip(a, b, strict=True):
        out.append(q + p * out[-1] if out else q)
    return np.moveaxis(np.array(out), 0, dim)


def p_norm(v, p):
    if math.isinf(p):
        return (max if p > 0 else min)(map(abs, v))
    return sum(x != 0 for x in v) if p == 0 else sum(abs(x) ** p for x in v) ** (1 / p)


def medians(name):
    return [
        Sample(
            (x,),
            {"name": name},
            lambda x, name: np.asarray(statistics.median_low(x.ravel().tolist())),
            lambda torch, x, n=name: getattr(torch, n)(x),
        )
        for x in (X, Z)
    ]


SAMPLES_REDUCTIONS = {
    **{name: picks(name) for name in ("nanmedian", "cummax", "cummin")},
    "median_of_all": medians("median") + medians("nanmedian"),
    "logcumsumexp": [
        Sample((x,), {"dim": d}, along(logcumsumexp), lambda torch, x, d=d: x.logcumsumexp(d))
        for x, d in ((X, 1), (Z, 0), (numbers(1, 40), 1))
    ],
    "recurrence": [
        Sample((a, b), {"dim": d}, recurrence)
        for a, b, d in (
            (X, numbers(2, 3, start=5), 1),
            (Z, Z[::-1].copy(), 0),
            (numbers(4, 10), numbers(4, 10, start=2), 0),  # steps of whole rows
        )
    ],
    "norm": [
        Sample(
            (X,),
            {"dim": dim, "keepdim": keepdim, "p": p},
            reduced(p_norm),
            lambda torch, x, d=dim, k=keepdim, p=p: torch.linalg.vector_norm(x, p, d, k),
        )
        for p, dim, keepdim in (
            (1.0, None, False), (3.0, (1,), True), (1.5, (0,), False), (-2.0, (1,), False),
            (math.inf, (0, 1), False), (-math.inf, (1,), True), (0.5, None, False),
        )
    ],
}  # fmt: skip
