"""Samples of the ops behind views by strides and behind scatter_reduce."""

import numpy as np

from .elementwise import Sample
from .samples import loops, numbers

X, V = numbers(3, 4, start=11), numbers(5, start=31)
AT = np.array([[0, 1, 1], [2, 1, 0]])
SOURCE = numbers(2, 3, start=41)
ZEROS = SOURCE * np.array([[1, 0, 1], [1, 1, 1]])


def strided(x, size, stride, offset, own):
    flat = x.reshape(-1)
    return loops(size, lambda *i: flat[offset + sum(a * b for a, b in zip(i, stride, strict=True))])


def windows(x, dim, size, step):
    shape = list(x.shape)
    shape[dim] = (x.shape[dim] - size) // step + 1

    def element(*i):
        place = list(i[:-1])
        place[dim] = place[dim] * step + i[-1]
        return x[tuple(place)]

    return loops((*shape, size), element)


def combined(x, index, src, dim, reduce):
    function = {"prod": np.prod, "amax": max, "amin": min}[reduce]
    cells = {place: [float(x[place])] for place in np.ndindex(*x.shape)}
    for place in np.ndindex(*index.shape):
        to = list(place)
        to[dim] = index[place]
        cells[tuple(to)].append(float(src[place]))
    return loops(x.shape, lambda *i: function(cells[i]))


SAMPLES_SHAPES = {
    "as_strided": [
        Sample(
            (X,),
            {"size": size, "stride": stride, "offset": offset, "own": (4, 1)},
            strided,
            lambda torch, x, s=(size, stride, offset): x.contiguous().as_strided(*s),
        )
        for size, stride, offset in [((2, 3), (1, 3), 1), ((3, 3), (1, 1), 2), ((), (), 5)]
    ],
    "unfold_dimension": [
        Sample((V,), {"dim": 0, "size": 3, "step": 1}, windows,
               lambda torch, x: x.unfold(0, 3, 1)),
        Sample((X,), {"dim": 0, "size": 2, "step": 1}, windows,
               lambda torch, x: x.unfold(0, 2, 1)),
        Sample((X,), {"dim": 1, "size": 1, "step": 2}, windows,
               lambda torch, x: x.unfold(1, 1, 2)),
    ],
    "scatter_reduce": [
        Sample((X, AT, src), {"dim": 0, "reduce": r}, combined,
               lambda torch, x, i, s, r=r: x.scatter_reduce(0, i, s, r))
        for r, src in [("prod", SOURCE), ("prod", ZEROS), ("amax", SOURCE), ("amin", SOURCE)]
    ],
}  # fmt: skip
