"""Whole numbers and masks into which a number that requires gradient was written."""
import pytest

import microtorch as torch

LOSES = {
    "sum": lambda t: t.sum(), "index": lambda t: t[:1], "clone": lambda t: t.clone(),
    "add": lambda t: t + 1, "view": lambda t: t.view(3, 1), "unbind": lambda t: t.unbind(),
    "max": lambda t: t.max(0), "stack": lambda t: torch.stack([t, t]),
    "write to a part": lambda t: t.__setitem__(0, 1),
}  # fmt: skip
KEEPS = {
    "float": lambda t: t.float(), "compare": lambda t: t > 0, "and": lambda t: t & t,
    "argmax": lambda t: t.int().argmax(), "list": lambda t: t.tolist(), "any": lambda t: t.any(),
    "detached": lambda t: t.detach().sum(), "in place": lambda t: t.mul_(1),
}  # fmt: skip
WRITES = {
    "fill_": lambda t, x: t.fill_(x.max()),
    "masked_fill_": lambda t, x: t.masked_fill_(torch.tensor([True, False, True]), x.max()),
    "index_fill_": lambda t, x: t.index_fill_(0, torch.tensor([0]), x.max()),
    "a part": lambda t, x: t.__setitem__(slice(1, None), x.max()),
    "by a mask": lambda t, x: t.__setitem__(torch.tensor([True, False, False]), x.max()),
    "comparison": lambda t, x: t.lt_(x),
}


def written(dtype=torch.int64, write=WRITES["fill_"]):
    t = torch.zeros(3, dtype=dtype)
    write(t, torch.tensor([1.0, 3.0, 2.0], requires_grad=True))
    return t


@pytest.mark.parametrize("write", WRITES)
def test_they_require_gradient_and_backward_says_why_there_is_none(write):
    t = written(write=WRITES[write])
    assert t.requires_grad and not t.is_leaf
    with pytest.raises(RuntimeError, match="a gradient reached a tensor of dtype Long"):
        (t * 1.5).sum().backward()


@pytest.mark.parametrize("use", LOSES)
def test_what_would_lose_the_gradient_raises(use):
    for dtype in (torch.int64, torch.bool):
        with pytest.raises(RuntimeError, match="Autograd not support dtype"):
            LOSES[use](written(dtype))
    with torch.no_grad():
        LOSES[use](written())


@pytest.mark.parametrize("use", KEEPS)
def test_what_loses_nothing_is_done(use):
    KEEPS[use](written())


def test_what_stays_without_gradient():
    x = torch.tensor([1.0, 3.0, 2.0], requires_grad=True)
    t = torch.zeros(3, dtype=torch.int64)
    t.copy_(x)
    t[0] = x.max()
    t[1:] = x[:2]
    t.detach().fill_(x.max())
    t.logical_or_(x)
    with torch.no_grad():
        t.fill_(x.max())
    assert not t.requires_grad and t.tolist() == [3, 3, 3]


def test_functions_asked_for_whole_numbers():
    x = torch.tensor([1.5, 2.5], requires_grad=True)
    for f in (torch.sum, torch.prod, torch.nansum):
        with pytest.raises(RuntimeError, match="Autograd not support dtype: Int"):
            f(x, dtype=torch.int32)
        assert f(x.detach(), dtype=torch.int32).dtype == torch.int32
    for f in (torch.cumsum, torch.cumprod):
        with pytest.raises(RuntimeError, match="Autograd not support dtype: Int"):
            f(x, 0, dtype=torch.int32)
    assert x.to(torch.int32).tolist() == [1, 2]  # a cast is for those who know
