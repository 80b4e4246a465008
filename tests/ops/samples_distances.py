"""Samples of the distances of all pairs of rows."""

import math

import numpy as np

from .elementwise import Sample
from .samples import loops, numbers


def euclidean(a, b):
    """One pair of rows after the other."""
    shape = (*a.shape[:-1], b.shape[-2])
    return loops(shape, lambda *at: math.dist(a[at[:-1]], b[(*at[:-2], at[-1])]))


SAMPLES_DISTANCES = {
    "cdist": [
        Sample((a, b), {}, euclidean, lambda torch, x, y: torch.cdist(x, y))
        for a, b in (
            (numbers(3, 2), numbers(4, 2, start=20)),
            (numbers(2, 3, 5), numbers(2, 2, 5, start=40)),
            (numbers(1, 1), np.array([[3.0]])),
            (numbers(1, 33), numbers(65, 33, start=9)),
        )
    ]
}
