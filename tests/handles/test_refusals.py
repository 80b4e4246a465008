"""What backward refuses after a write, and what it accepts, as PyTorch 2.13 does."""
import pytest

import microtorch as torch
from microtorch.nn import functional as F

INDEX = torch.tensor([[2, 1], [0, 1]])


def leaf():
    x = torch.arange(6.0).reshape(2, 3).requires_grad_()
    return x, x * 1


def twice(y):
    y *= y
    return y


def through_a_view(y):
    y[0].exp_()
    y[1].exp_()
    return y


def overwritten_index(y):
    index = INDEX.clone()
    out = y[0, index]
    index.zero_()
    return out


def overwritten_places(y):
    values, places = y.sort(1)
    places.zero_()
    return values


def overwritten_operand(function):
    def program(y):
        out = function(y)
        y.zero_()
        return out

    return program


def detached(y):
    out = y * y
    y.detach_()
    return out


def promoted(y):
    other = torch.ones(3, dtype=torch.float64)
    out = y * other
    other.zero_()
    return out


def expanded(y):
    y[0].expand(2, 3).fill_(2)
    return y


def both_of_a_quotient(y):
    y = y + 1
    out = 2 / y
    y.mul_(2)
    return out.mul_(2)


REFUSED = {
    "twice": twice, "through a view": through_a_view, "an index": overwritten_index,
    "sort": overwritten_places, "detached": detached, "promoted": promoted, "expanded": expanded,
    "gather": overwritten_operand(lambda y: y.gather(1, INDEX)),
    "a fused loss": overwritten_operand(lambda y: F.smooth_l1_loss(y, torch.zeros(2, 3))),
    "erfinv": overwritten_operand(torch.erfinv),
    "both of a quotient": both_of_a_quotient,
    "nansum": overwritten_operand(lambda y: y.nansum()),
    "a rounded quotient": overwritten_operand(
        lambda y: torch.div(torch.ones(2, 3), y + 1, rounding_mode="floor") + y.nan_to_num()
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_backward(name):
    _, y = leaf()
    out = REFUSED[name](y)
    with pytest.raises(RuntimeError):
        out.sum().backward()


def test_an_exponent_that_is_a_number_keeps_no_result():
    x, y = leaf()
    z = (y + 1) ** 1.5
    z.mul_(2)
    z.sum().backward()
    assert torch.allclose(x.grad, 3 * (x.detach() + 1).sqrt())


@pytest.mark.parametrize("number", [1, 3.0])
def test_a_number_by_a_tensor_keeps_the_reciprocal(number):
    x, y = leaf()
    y = y + 1
    z = number / y
    y.zero_()
    (g,) = torch.autograd.grad(z.sum(), x, create_graph=True)
    assert torch.allclose(g, -number / (x + 1) ** 2)
    (h,) = torch.autograd.grad(g.sum(), x)
    assert torch.allclose(h, 2 * number / (x + 1) ** 3)


def test_all_that_a_node_keeps_is_looked_at_whatever_is_asked_for():
    x, y = leaf()
    w = torch.ones(2, 3, requires_grad=True) * 1
    out = y * w
    y.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        torch.autograd.grad(out.sum(), x)


def test_new_data_is_what_derivatives_read():
    x = torch.ones(3, requires_grad=True)
    y = x * x
    x.data = x.data * 5
    y.sum().backward()
    assert x.grad.tolist() == [10, 10, 10]


# ---- stale views ---------------------------------------------------------------------------------
def test_a_stale_view_raises_when_an_op_would_record_it():
    _, y = leaf()
    a, _ = y.unbind(0)
    y.mul_(2)
    assert a.requires_grad and (a > 0).tolist() == [False, True, True]
    assert "Invalid" in repr(a)
    for use in (lambda: a + 1, lambda: a.grad_fn, lambda: a.sum().backward()):
        with pytest.raises(RuntimeError, match="Output 0 of Unbind is a view"):
            use()


def test_a_view_made_under_no_grad():
    w, base = torch.ones(3, requires_grad=True), torch.ones(2, 3)
    with torch.no_grad():
        row = base[0]
    with pytest.raises(RuntimeError, match="created in no_grad mode"):
        row.mul_(w)
    base.mul_(w)
    with pytest.raises(RuntimeError, match="created in no_grad mode"):
        row + 1
    with torch.no_grad():  # its base is nobody's
        whole = torch.arange(3.0).reshape(1, 3).cumsum(1)
    whole[0].mul_(w)
    assert whole.requires_grad


def test_pieces_of_tensor_split_may_be_written():
    x, y = leaf()
    torch.tensor_split(y, 2)[0].mul_(2)
    y.sum().backward()
    assert x.grad.tolist() == [[2] * 3, [1] * 3]


# ---- overlaps ------------------------------------------------------------------------------------
def test_one_element_may_not_be_its_own_indexed_value():
    x = torch.ones(1)
    for write in (lambda: x.__setitem__([0], x), lambda: x.put_(torch.tensor([0]), x)):
        with pytest.raises(RuntimeError, match="single memory location"):
            write()
    wide = torch.ones(3).expand(2, 3)
    assert wide.copy_(wide).shape == (2, 3)


def test_copies_of_expanded_tensors_keep_the_order_of_dimensions():
    wide = torch.ones(2, 1, dtype=torch.float64).expand(4, 2, 3)
    assert wide.clone().stride() == wide.float().stride() == (6, 3, 1)


@pytest.mark.parametrize("index, value", [(5, 1.0), (slice(0, 2), torch.ones(3)), ("a", 1.0)])
def test_a_write_that_fails_is_no_write(index, value):
    x, w = torch.ones(3), torch.ones(3, requires_grad=True)
    y = (x * w).sum()
    with pytest.raises((IndexError, RuntimeError, TypeError)):
        x[index] = value
    y.backward()
    assert w.grad.tolist() == [1, 1, 1] and x._version == 0


def test_new_data_do_not_hide_an_earlier_write():
    x = torch.ones(3, requires_grad=True)
    y = x * x
    with torch.no_grad():
        x.add_(1)
    x.data = torch.full((3,), 5.0)
    assert x._version == 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
