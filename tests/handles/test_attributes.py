"""What a tensor says of itself, attributes of the user's, and views that writes derive anew."""

import copy
import pickle

import numpy as np
import pytest

import microtorch as torch
from microtorch import nn


def test_one_answer_here():
    x = torch.zeros(2, 3)
    assert x.layout is torch.strided and x.is_cpu and not x.is_sparse and not x.is_quantized
    assert x.get_device() == -1 and torch.get_device(x) == -1 and not x.is_pinned()
    assert x.pin_memory() is x and x.is_signed() and not x.to(torch.uint8).is_signed()
    assert x.is_same_size(torch.ones(2, 3)) and not torch.is_same_size(x, x.t())
    assert x.is_set_to(x.detach()) and not x.is_set_to(x.clone())
    assert x.t().dim_order() == (1, 0) and torch.ones(1).is_nonzero()
    assert x.char().dtype is torch.int8
    assert x.float(memory_format=torch.preserve_format).dtype is torch.float32


@pytest.mark.parametrize("x", [torch.ones(2, 1, 3), torch.ones(2, 1).expand(2, 3)])
def test_an_order_of_dimensions_that_is_not_the_only_one(x):
    assert torch.ones(2, 3).t().dim_order(ambiguity_check=True) == (1, 0)
    rows = [torch.contiguous_format]
    assert torch.ones(1, 3, 1, 2).dim_order(ambiguity_check=rows) == (0, 1, 2, 3)
    with pytest.raises(RuntimeError, match="unique dim order"):
        x.dim_order(ambiguity_check=True)
    with pytest.raises(TypeError, match="ambiguity_check"):
        x.dim_order(ambiguity_check=[1])


@pytest.mark.parametrize("make", [torch.tensor, lambda d: nn.Parameter(torch.tensor(d))])
def test_attributes_of_the_users(make):
    x = make([1.0, 2.0])
    x.label = ["a"]
    for y in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert type(y) is type(x) and y.label == ["a"]
    assert copy.deepcopy(x).label is not x.label
    assert not hasattr(x.view(2), "label") and not hasattr(x.detach(), "label")


def test_subclasses():
    class Tagged(torch.Tensor):
        @staticmethod
        def __new__(cls, data, tag):
            t = torch.Tensor._make_subclass(cls, data)
            t.tag = tag
            return t

        def __init__(self, data, tag):
            pass

    x = torch.ones(2)
    t = Tagged(x, "b")
    assert isinstance(t, Tagged) and t.tag == "b" and copy.deepcopy(t).tag == "b"
    t[0] = 5
    assert x[0] == 5
    w = torch.ones(2, requires_grad=True)
    s = (w * 2).as_subclass(Tagged)
    assert type(s) is Tagged and s.requires_grad
    (s * 3).sum().backward()
    assert w.grad.tolist() == [6, 6]
    with pytest.raises(TypeError):
        x.as_subclass(int)


def test_odd_ways_to_fill():
    assert torch.equal(torch.zeros(3, 3).fill_diagonal_(2), 2 * torch.eye(3))
    tall = np.zeros((7, 3))
    np.fill_diagonal(tall, 5, wrap=True)
    assert torch.zeros(7, 3).fill_diagonal_(5, wrap=True).tolist() == tall.tolist()
    assert torch.zeros(3, 3, 3).fill_diagonal_(1).sum() == 3
    for shape in ((3,), (2, 3, 3)):
        with pytest.raises(RuntimeError):
            torch.zeros(shape).fill_diagonal_(1)
    assert torch.arange(4).apply_(lambda v: v * v).tolist() == [0, 1, 4, 9]
    a, b = torch.arange(2.0), torch.ones(2, 2)
    assert b.map_(a, lambda x, y: x + y).tolist() == [[1, 2], [1, 2]]
    assert b.map2_(a, a, lambda x, y, z: x * y - z).tolist() == [[0, 1], [0, 1]]
    with pytest.raises(RuntimeError):
        torch.ones(2, requires_grad=True).apply_(abs)


# ---- views that are derived anew -----------------------------------------------------------------
@pytest.mark.parametrize("write", [lambda v: v.mul_(3), lambda v: v.add_(v, alpha=2)])
def test_hooks_of_a_view_do_not_see_what_it_becomes(write):
    x = torch.ones(2, 2, requires_grad=True)
    y = x * 1
    view, calls = y[0], []
    view.register_hook(lambda g: calls.append(g) or g * 2)
    write(view)
    y.sum().backward()
    assert x.grad.tolist() == [[3, 3], [1, 1]] and not calls


def test_a_hook_of_a_view_does_not_see_the_gradient_of_a_write_through_a_view_of_it():
    x = torch.ones(3, requires_grad=True)
    calls, y = [], x * 1
    view = y.view_as(y)
    view.register_hook(calls.append)
    part = view[:2]
    part.mul_(3)
    view[None, :1] += 2
    (y.sum() + view.sum()).backward()
    assert not calls and x.grad.tolist() == [6, 6, 2]


def test_hooks_of_a_whole_tensor_see_what_it_was():
    x = torch.ones(2, requires_grad=True)
    y = x * 1
    y.register_hook(lambda g: g * 2)
    y.mul_(3)
    y.sum().backward()
    assert x.grad.tolist() == [6, 6]


def test_a_write_that_fails_keeps_the_hooks():
    x = torch.ones(2, 2, requires_grad=True)
    view = (x * 1)[0]
    view.register_hook(lambda g: g * 2)
    with pytest.raises(RuntimeError):
        view.add_(torch.ones(3))
    view.sum().backward()
    assert x.grad.tolist() == [[2, 2], [0, 0]]


def test_views_after_a_write_under_no_grad():
    x = torch.ones(3, requires_grad=True)
    view = x[:2]
    before = view * 2
    with torch.no_grad():
        view.mul_(5)
    after = view * 3
    (g,) = torch.autograd.grad((before.sum() + after.sum()), view, retain_graph=True)
    assert g.tolist() == [3, 3]  # what came before was computed from another value
    (before.sum() + after.sum()).backward()
    assert x.grad.tolist() == [5, 5, 0]


# ---- writes and results --------------------------------------------------------------------------
def test_index_writes_refuse_another_dtype():
    x, value = torch.zeros(3), torch.tensor(1.0, dtype=torch.float64)
    for index in ([0, 1], torch.tensor([2])):
        with pytest.raises(RuntimeError, match="source and destination dtypes match"):
            x[index] = value
    x[x == 0] = value  # one number at a mask is converted
    x[0] = value * 2
    x[[1, 2]] = 7
    assert x.tolist() == [2, 7, 7]


@pytest.mark.parametrize(
    "of",
    [
        lambda x: x.quantile(0.4), lambda x: x.roll(0), lambda x: torch.kron(x, x),
        lambda x: x.take(torch.tensor(0)), lambda x: x.masked_select(x > 1),
    ],
)  # fmt: skip
def test_results_that_are_no_views(of):
    x = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
    assert not of(x)._is_view()


def test_indexing_gives_row_major_results():
    x = torch.arange(12.0).reshape(3, 4).t()
    i = torch.tensor([0, 1, 1])
    for y in (x[i], x[:, i], x.index_select(1, i)):
        assert y.is_contiguous()


def test_map_and_apply_refuse_what_does_not_fit():
    x = torch.zeros(2)
    with pytest.raises(RuntimeError, match="expand"):
        x.map_(torch.ones(2, 2), lambda a, b: b)
    for wrong in (None, "1"):
        with pytest.raises(TypeError, match="real number"):
            x.apply_(lambda _, w=wrong: w)
