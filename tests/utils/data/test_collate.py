"""From samples to batches."""

import collections

import numpy as np

import microtorch as torch
from microtorch.utils.data import (
    default_collate,
)


def test_collate():
    Point = collections.namedtuple("Point", "x y")
    assert default_collate([1, 2]).tolist() == [1, 2]
    floats = default_collate([0.5, 1.5])
    assert floats.dtype is torch.float64 and floats.tolist() == [0.5, 1.5]
    assert default_collate([True, False]).dtype is torch.bool
    assert default_collate(["a", "b"]) == ["a", "b"]
    point = default_collate([Point(1, "a"), Point(2, "b")])
    assert type(point) is Point and point.x.tolist() == [1, 2] and point.y == ("a", "b")
    assert default_collate([{"k": 1}, {"k": 2}])["k"].tolist() == [1, 2]
    arrays = default_collate([np.zeros(2, np.float32), np.ones(2, np.float32)])
    assert arrays.dtype is torch.float32 and arrays.tolist() == [[0.0, 0.0], [1.0, 1.0]]
    assert default_collate([np.float32(1), np.float32(2)]).dtype is torch.float32
    assert default_collate([torch.zeros(2), torch.ones(2)]).shape == (2, 2)
