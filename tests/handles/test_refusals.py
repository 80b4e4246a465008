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


@pytest.mark.parametrize("kind", [torch.bool, torch.int64])
def test_a_stale_view_may_be_copied_into_what_keeps_no_gradient(kind):
    _, y = leaf()
    part = y.unbind(0)[1]
    y.mul_(2)
    whole = torch.zeros(3, dtype=kind)
    whole.copy_(part)
    whole[...] = part
    assert whole.tolist() == part.detach().to(kind).tolist() and not whole.requires_grad
    with pytest.raises(RuntimeError, match="Output 1 of Unbind is a view"):
        torch.zeros(3).copy_(part)


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


def test_whole_numbers_of_a_view_that_is_not_followed_any_more():
    y = torch.ones(2, 3, requires_grad=True) * 2
    part = y.split(2, 1)[0]
    with torch.no_grad():
        part.mul_(2)
    assert part.long().tolist() == [[4, 4], [4, 4]] and part.bool().all()
    with pytest.raises(RuntimeError, match="Output 0 of Split is a view"):
        part.double()


def test_one_element_of_whatever_strides_may_be_written_to_itself():
    x = torch.arange(3.0).view(1, 3)
    v = x.diagonal(1)
    assert v.reshape(-1).stride() == v.view(1).stride() == v.stride()
    v.sub_(v.reshape(-1))
    assert x.tolist() == [[0, 0, 2]]
    v = x.diagonal(2)
    v[None, 0] += v
    assert x.tolist() == [[0, 0, 4]]


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


@pytest.mark.parametrize(
    "write",
    [
        "x.copy_(x[0])", "x[::2] = x[:1]", "x[0, :1] = x[:1, :1]", "x[None, 1:] = x[1:]",
        "y = x[:0]; y[:, [0, 1, 2]] = y", "x[:, [0, 1, 2]] = x",
        "x[0].expand(2, 3)[:] = 5.0", "x[0].expand(2, 3).fill_(torch.tensor(5.0))",
        "y = x[None, -2]; y[-1::2] = y", "y = x[None][:, 0]; y[::2].copy_(y)",
        "y = x[0, 0]; y[None].copy_(y.expand(1))", "y = x[0, 0]; y[torch.tensor(True)] = y",
    ],
)  # fmt: skip
def test_what_is_written_may_not_be_read_at_another_place(write):
    """PyTorch compares strides, also of dimensions of one element."""
    x = torch.arange(6.0).reshape(2, 3)
    with pytest.raises(RuntimeError, match="single memory location"):
        exec(write, {"torch": torch, "x": x})
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    "write", ["x[:1] = x[0]", "x[None] = x", "x[:, None] = x[:, None]", "e[:] = x[0]", "e[:] = e"]
)
def test_elements_may_be_written_to_themselves(write):
    x = torch.arange(6.0).reshape(2, 3)
    exec(write, {"x": x, "e": x[0].expand(2, 3)})
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    "write, result",
    [
        ("x.add_(x[:, 1])", [[3, 7, 11], [11, 10, 14], [14, 18, 27]]),
        ("x.copy_(x[:, 0])", [[1, 4, 7], [1, 1, 7], [1, 1, 1]]),
        ("x[-3:] = x[:, 0]", [[1, 4, 7], [1, 1, 7], [1, 1, 1]]),
        ("x[:2, :2].add_(x[1:, 1:], alpha=2)", [[11, 14, 3], [20, 23, 6], [7, 8, 9]]),
        ("x.lerp_(x[:, 1], 0.5)", [[1.5, 3.5, 5.5], [3.75, 5, 7], [5.25, 6.5, 7.75]]),
        ("x[0][None, ::2] += x[0][:-2:2]", [[2, 2, 5], [4, 5, 6], [7, 8, 9]]),
    ],
)
def test_few_elements_that_overlap_are_written_one_after_the_other(write, result):
    """As in PyTorch: what was written is read. The gradient is that of all read before."""
    x = torch.arange(1.0, 10.0).reshape(3, 3)
    exec(write, {"x": x})
    assert x.tolist() == result
    leaf = torch.arange(1.0, 10.0).reshape(3, 3).requires_grad_()
    y = leaf * 1
    exec(write, {"x": y})
    assert y.tolist() == result and y.requires_grad
    y.sum().backward()
    assert leaf.grad is not None


@pytest.mark.filterwarnings("ignore:Use of .* on expanded tensors")
def test_writes_to_repeated_elements_come_one_after_the_other():
    x = torch.zeros(2)
    x.expand(3, 2)[[2, 0]] = torch.tensor([[1.0, 2.0], [10.0, 20.0]])
    assert x.tolist() == [10, 20]


@pytest.mark.parametrize("operand", ["x[2:]", "x[3]", "x[:0].sum() + x[2:]"])
def test_any_part_of_the_memory_that_is_written_counts_as_overwritten(operand):
    leaf = torch.arange(1.0, 5.0, requires_grad=True)
    x = leaf * 1
    x[:2].mul_(eval(operand, {"x": x}))
    if "sum" in operand:
        x.sum().backward()
        assert leaf.grad.tolist() == [3, 4, 2, 3]
    else:
        with pytest.raises(RuntimeError, match="modified by an inplace"):
            x.sum().backward()


@pytest.mark.filterwarnings("ignore:Use of .* on expanded tensors")
@pytest.mark.parametrize("shape, size", [((3,), (2, 3)), ((1,), (2, 1))])
def test_values_written_to_one_row_of_an_expanded_tensor_have_their_gradient(shape, size):
    base, value = torch.ones(shape), torch.ones(shape, requires_grad=True)
    base.expand(size)[torch.tensor([False, True])] = value * 2
    (base * 3).sum().backward()
    assert base.tolist() == [2] * shape[0] and value.grad.tolist() == [6] * shape[0]
    base = torch.ones(1)
    base.expand(2, 3)[torch.tensor([False, True])] = value * 2  # three values in one place
    if shape == (3,):
        with pytest.raises(RuntimeError, match="single memory location"):
            base.sum().backward()


def test_a_base_that_was_expanded_has_no_gradient_of_a_write():
    value = torch.ones(1, 2, requires_grad=True)
    base = torch.ones(2, requires_grad=True).expand(2, 2).detach()
    base[-1:] = value
    with pytest.raises(RuntimeError, match="single memory location"):
        base.sum().backward()


@pytest.mark.parametrize("shape", [(4,), (3, 1), (2, 3)])
def test_windows_that_overlap_have_no_gradient_of_a_write(shape):
    x = torch.ones(shape, requires_grad=True)
    y = x * 2
    y.unfold(-2 if shape[-1] == 1 else -1, 2, 1).mul_(2)
    with pytest.raises(RuntimeError, match="single memory location"):
        y.sum().backward()


def test_a_write_to_detached_memory_renews_the_views_of_it():
    """Hooks of a view as it was are not called for what is computed from it later."""
    for grad in (False, True):
        x, calls = torch.ones(2, 2, requires_grad=True), []
        view = x.squeeze(0)
        view.register_hook(calls.append)
        x.detach()[0, 0] = torch.ones((), requires_grad=grad)
        view.sum().backward()
        assert not calls and x.grad.sum() == 4


def test_second_derivatives_of_a_view_written_in_place():
    """They see what the view was, with its hooks, and what the base became, as PyTorch's do."""
    x, calls = torch.full((2,), 0.5, requires_grad=True), []
    base = x * 1
    view = base[:1]
    view.register_hook(lambda g: calls.append(g.item()))
    view.sin_()
    g, = torch.autograd.grad(base.sum(), x, create_graph=True)
    assert not calls
    g.sum().backward()
    assert len(calls) == 1 and x.grad[0] == -torch.tensor(0.5).sin() == calls[0]
    base = x * 1
    base.retain_grad()
    view = base[:1]
    view.sigmoid_()
    g, = torch.autograd.grad(base.sum(), x, create_graph=True)
    g.sum().backward()
    s = torch.tensor(0.5).sigmoid()
    torch.testing.assert_close(base.grad, torch.tensor([2 - 2 * s.item(), 1.0]))


@pytest.mark.parametrize("f", [
    lambda x, i, v: x.scatter(0, i, v), lambda x, i, v: x.scatter_(0, i, v),
    lambda x, i, v: x.index_copy(0, i, v), lambda x, i, v: torch.cat([x, v]),
    lambda x, i, v: x.put_(i, v), lambda x, i, v: x[:2] * v,
])  # fmt: skip
def test_a_view_that_is_not_followed_is_refused_behind_an_operand_that_needs_gradient(f):
    base = torch.ones(4)
    v = base.split(2)[0]
    base.mul_(torch.ones(4, requires_grad=True))
    with pytest.raises(RuntimeError, match="multiple views"):
        f(torch.ones(4, requires_grad=True) * 1, torch.tensor([1, 3]), v)
