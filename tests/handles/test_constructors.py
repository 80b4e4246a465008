"""PyTorch's older constructors take sizes or data: which of them is meant."""
from __future__ import annotations

import numpy as np
import pytest

import microtorch as torch

MAKERS = [torch.Tensor, torch.FloatTensor, torch.ones(1).new]


@pytest.mark.parametrize("make", MAKERS)
def test_sizes(make):
    assert make().shape == (0,) and make(2, 3).shape == (2, 3)
    for n in (2, np.int64(2), np.array(2)):
        assert make(n).shape == (2,) and make(n, 3).shape == (2, 3)
    assert make(torch.tensor(2), 3).shape == (2, 3)
    assert make(torch.Size([2, 3])).shape == (2, 3) == make(torch.ones(2, 3).shape).shape
    assert make(2, device="cpu").shape == (2,) == make(2, device=None).shape
    assert make(size=(2, 3)).shape == (2, 3) == make(size=[2, 3]).shape


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True:UserWarning")
@pytest.mark.parametrize("make", MAKERS)
def test_data(make):
    for data in ([2, 3], (2, 3), np.array([2, 3]), torch.tensor([2.0, 3.0])):
        assert make(data).tolist() == [2, 3]
    learned = torch.tensor(2.0, requires_grad=True)
    assert make([learned, torch.ones(())]).tolist() == [2, 1] and make([[learned], [3]]).ndim == 2
    assert make(data=[2]).tolist() == [2] and make(torch.tensor(3.0)).shape == ()
    for wrong in (2.5, np.float64(2), True, "x", {}, {1}, object(), map(int, "1")):
        with pytest.raises(TypeError, match="data must be a sequence"):
            make(wrong)
    for wrong in ([1, [2]], {"size": 2}, {"data": [1], "size": (1,)}, {"shape": (2,)}):
        with pytest.raises((TypeError, ValueError)):
            make(**wrong) if isinstance(wrong, dict) else make(*wrong)


@pytest.mark.parametrize("make", [*MAKERS, lambda x: torch.tensor(x, dtype=torch.float32)])
@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        ([1, None], TypeError, "must be real number, not NoneType"),  # and not nan, as numpy has it
        ([1, "a"], TypeError, "must be real number, not str"),
        (["a"], ValueError, "too many dimensions 'str'"),
        ([torch.ones(2)], ValueError, r"only one element(?s:.*)torch.stack\(list\)"),
        ([[1, 2], [3]], ValueError, r"expected sequence of length 2 at dim 1 \(got 1\)"),
        ((np.ones(4), {}), ValueError, r"length 4 at dim 1 \(got 0\)(?s:.*)= env.reset\(\)"),
        (np.array([None]), TypeError, "can't convert np.ndarray of type object"),
    ],
)
def test_data_that_is_no_numbers_of_the_dtype(make, data, error, says):
    with pytest.raises(error, match=says):
        make(data)


def test_a_tensor_without_dimensions_has_no_size_in_one():
    for ask in (torch.tensor(1.0).size, torch.tensor(1.0).stride):
        for dim in (0, -1):
            with pytest.raises(IndexError, match=f"Dimension specified as {dim} but tensor has no"):
                ask(dim)
    assert torch.ones(2, 3).stride(-1) == 1 and torch.ones(2, 3).size(np.int64(1)) == 3


class Tagged(torch.Tensor):
    def __new__(cls, data, tag, **more):
        made = data.as_subclass(cls)
        made.tag, made.more = tag, more
        return made


class Made(torch.Tensor):
    def __new__(cls, data, tag):
        return super().__new__(cls, data)

    def __init__(self, data, tag):
        self.tag = tag


class OnlyInit(torch.Tensor):
    def __init__(self, data):
        self.tag = "own"


class Weight(torch.nn.Parameter):
    def __new__(cls, data, tag):
        made = super().__new__(cls, data)
        made.tag = tag
        return made


def test_classes_of_ones_own_are_made_by_new_with_their_arguments():
    """As PyTorch's: __new__ makes a tensor, and __init__ need not be told of it."""
    x = torch.ones(2)
    for made in (Tagged(x, "own"), Made([1.0, 1.0], "own"), OnlyInit([1.0, 1.0])):
        assert made.tag == "own" and (made * 2).tolist() == [2, 2]
    assert Tagged(x, "own", width=3).more == {"width": 3} and type(Tagged(x, tag=1)) is Tagged
    w = Weight(x, "own")
    assert w.tag == "own" and w.requires_grad and isinstance(w, torch.nn.Parameter)
    assert Tagged(x, "own").data_ptr() == x.data_ptr()
