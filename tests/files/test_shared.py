"""What shares memory still shares it after save and load, and after deepcopy."""

import copy
import io

import numpy as np
import pytest

import microtorch as torch


def saved(x):
    file = io.BytesIO()
    torch.save(x, file)
    file.seek(0)
    return torch.load(file)


@pytest.mark.parametrize("again", [saved, copy.deepcopy])
@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0]])
def test_views_stay_views(again, order):
    base = torch.arange(6.0).reshape(2, 3)
    views = [base, base[1:], base.T]
    made = again([views[i] for i in order])
    base, row, turned = (made[order.index(i)] for i in range(3))
    base[1, 0] = 9
    assert row.tolist() == [[9, 4, 5]]
    assert turned.tolist() == [[0, 9], [1, 4], [2, 5]]
    assert turned.stride() == (1, 3)


@pytest.mark.parametrize("again", [saved, copy.deepcopy])
def test_copies_are_apart_from_their_originals(again):
    base = torch.arange(4.0)
    made = again([base, base[1:]])
    made[0][1] = 9
    assert base.tolist() == [0, 1, 2, 3]


def test_a_view_alone_is_stored_without_the_rest():
    file = io.BytesIO()
    torch.save(torch.zeros(100_000)[:2], file)
    assert len(file.getvalue()) < 2000


def test_deepcopy_of_locked_and_empty_memory():
    locked = torch.from_numpy(np.ones(3)).expand(2, 3)
    empty = torch.zeros(0, 3)
    made = copy.deepcopy([locked, empty])
    assert made[0].tolist() == [[1] * 3] * 2
    assert made[1].shape == (0, 3)


def test_memory_of_two_types_and_between_elements():
    """Fields of one record, which no storage of one dtype holds."""
    packed = np.zeros(3, [("a", "f4"), ("b", "f8"), ("c", "f4"), ("d", "f8"), ("e", "f8")])
    packed["b"], packed["d"] = [1, 2, 3], [4, 5, 6]
    tensors = [torch.from_numpy(packed[name]) for name in ("b", "d", "a")]
    assert [t.tolist() for t in saved(tensors)] == [[1, 2, 3], [4, 5, 6], [0, 0, 0]]
    bits = np.arange(3.0)
    both = saved([torch.from_numpy(bits), torch.from_numpy(bits.view(np.int64))])
    assert both[0].tolist() == [0, 1, 2] and both[1].tolist() == bits.view(np.int64).tolist()
