"""Samples of distances of all pairs of rows, sums of a few elements, and products of vectors."""

import itertools
import math

import numpy as np

from .elementwise import Sample
from .samples import loops, numbers


def euclidean(a, b):
    """One pair of rows after the other."""
    shape = (*a.shape[:-1], b.shape[-2])
    return loops(shape, lambda *at: math.dist(a[at[:-1]], b[(*at[:-2], at[-1])]))


# two elements for each of three results; one of them is read twice
TAPS = {
    "index": np.array([[0, 1, 3], [1, 1, 0]]),
    "weight": np.array([[0.5, 1.0, -2.0], [0.25, 3.0, 0.0]]),
}


def matrix(index, weight, n):
    """The matrix whose product with a vector is its weighted sums."""
    out = np.zeros((index.shape[1], n))
    for row, w in zip(index, weight, strict=True):
        for j, (at, value) in enumerate(zip(row, w, strict=True)):
            out[j, at] += value
    return out


def taps(x, index, weight, dim):
    there = matrix(index, weight, x.shape[dim])
    return there @ x if x.ndim > 2 else x @ there.T


def tapped(g, index, weight, dim, n):
    back = matrix(index, weight, n).T
    return back @ g if g.ndim > 2 else g @ back.T


def blocks(*xs):
    out = np.zeros(np.sum([x.shape for x in xs], axis=0))
    row = column = 0
    for x in xs:
        out[row : row + x.shape[0], column : column + x.shape[1]] = x
        row, column = row + x.shape[0], column + x.shape[1]
    return out


SAMPLES_DISTANCES = {
    "cdist": [
        Sample((a, b), {}, euclidean, lambda torch, x, y: torch.cdist(x, y))
        for a, b in (
            (numbers(3, 2), numbers(4, 2, start=20)),
            (numbers(2, 3, 5), numbers(2, 2, 5, start=40)),
            (numbers(1, 1), np.array([[3.0]])),
            (numbers(1, 33), numbers(65, 33, start=9)),
        )
    ],
    "pdist": [
        Sample(
            (x,),
            {},
            lambda x: np.array([math.dist(a, b) for a, b in itertools.combinations(x, 2)]),
            lambda torch, x: torch.nn.functional.pdist(x),
        )
        for x in (numbers(4, 3), numbers(70, 2))
    ],
    "cross": [
        Sample(
            (numbers(*shape), numbers(*shape, start=17)),
            {"dim": dim},
            lambda x, y, dim: np.cross(x, y, axis=dim),
            lambda torch, x, y, dim=dim: torch.linalg.cross(x, y, dim=dim),
        )
        for shape, dim in (((4, 3), 1), ((3, 2), 0), ((2, 3, 2), 1))
    ],
    "block_diag": [
        Sample((numbers(2, 3), numbers(1, 2, start=9)), {}, blocks,
               lambda torch, *xs: torch.block_diag(*xs)),
        Sample((numbers(1, 1), numbers(2, 0), numbers(3, 1, start=5)), {}, blocks,
               lambda torch, *xs: torch.block_diag(*xs)),
    ],
    "trace": [
        Sample((x,), {}, np.trace, lambda torch, x: x.trace())
        for x in (numbers(3, 4), numbers(4, 2), numbers(1, 1))
    ],
    "taps": [
        Sample((numbers(2, 4, 3),), {**TAPS, "dim": 1}, taps),
        Sample((numbers(2, 4),), {**TAPS, "dim": 1}, taps),
    ],
    "tapped": [
        Sample((numbers(2, 3, 3),), {**TAPS, "dim": 1, "n": 4}, tapped),
        Sample((numbers(2, 3),), {**TAPS, "dim": 1, "n": 4}, tapped),
    ],
}
