"""In-place operations and views: memory, versions, gradients, errors that name both ops.

Values are PyTorch's.
"""
import pytest

import microtorch as torch


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def ramp(n):
    return torch.arange(float(n)).requires_grad_()


# ---- memory and versions -------------------------------------------------------------------------
def test_views_share_memory_and_version():
    x = torch.arange(6.0)
    v = x.view(2, 3)
    w = v.t()[1:]
    v[0, 1] = 9
    assert x[1] == 9 and w[0, 0] == 9
    assert x._version == v._version == w._version == 1
    x.add_(1)
    assert v[0, 1] == 10 and w._version == 2
    assert v._base is x and w._base is x and v._is_view() and not x._is_view()


def test_copies_do_not():
    t = torch.arange(6.0).view(2, 3).t()
    for copy in (t.contiguous(), t.reshape(6), t.flatten(), t.clone(), t + 0, t[[0, 1, 2]]):
        copy.zero_()
    assert t.sum() == 15
    x = torch.ones(2)
    assert x.contiguous() is x


def test_view_that_memory_does_not_allow():
    with pytest.raises(RuntimeError, match=r"view size is not compatible.*\n.*\n.*\n.*reshape"):
        torch.arange(6.0).view(2, 3).t().view(6)


def test_name_and_value():
    a = torch.arange(3.0)
    b = a
    a += 1
    assert b is a and b.tolist() == [1, 2, 3]
    a = a + 1
    assert b.tolist() == [1, 2, 3]


# ---- leaves --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "write",
    [lambda x: x.add_(1), lambda x: x.__setitem__(0, 1.0), lambda x: x[:2].mul_(2),
     lambda x: x.view(3).zero_(),
     lambda x: x.__iadd__(1), lambda x: x.fill_(0), lambda x: x.normal_(),
     lambda x: x.masked_fill_(x > 0, 0),
     lambda x: x.__setitem__(x > 0, 0.0), lambda x: x.copy_(torch.ones(3)),
     lambda x: x.clamp_(0, 1)],
)  # fmt: skip
def test_leaves_are_not_overwritten(write):
    x = leaf(1.0, 2.0, 3.0)
    with pytest.raises(
        RuntimeError,
        match="leaf Variable that requires grad is being used in an in-place operation",
    ):
        write(x)
    assert x.tolist() == [1, 2, 3] and x.is_leaf
    with torch.no_grad():
        write(x)
    assert x.requires_grad and x.is_leaf and x._version > 0


def test_update_under_no_grad_and_next_step():
    x = leaf(1.0, 2.0)
    for _ in range(2):
        (x * x).sum().backward()
        with torch.no_grad():
            x -= 0.1 * x.grad
        x.grad = None
    assert x.tolist() == pytest.approx([0.64, 1.28])


def test_data_is_unknown_to_autograd():
    x = leaf(1.0, 2.0)
    y = x * x
    x.data[1] = 7
    y.sum().backward()
    assert x._version == 0 and x.grad.tolist() == [2, 14]  # PyTorch, too, takes the new value
    x.data = torch.zeros(3)
    assert x.tolist() == [0, 0, 0] and x.requires_grad


def test_places_of_maxima_after_a_write_through_data():
    """They are found again in backward, from input and result as they were, or it says why not."""
    for pool in (lambda x: torch.max_pool2d(x, 2), lambda x: torch.max_pool1d(x[0], 2)[None]):
        x = leaf(4.0, 1.0, 2.0, 3.0).reshape(1, 1, 2, 2)
        wanted = torch.autograd.grad(pool(x).sum(), x)[0]
        y = pool(x)
        y.data.mul_(-1)
        y[0].data.data[0].add_(1)  # of a view, and of other such tensors
        assert torch.autograd.grad(y.sum(), x)[0].equal(wanted)
        x.data.mul_(1)  # before forward
        y = pool(x)
        x.data.mul_(-1)
        with pytest.raises(RuntimeError, match=r"through \.data"):
            y.sum().backward()
        y = pool(x)
        x.detach().mul_(-1)  # this counts as a write
        with pytest.raises(RuntimeError, match="modified by an inplace"):
            y.sum().backward()


# ---- gradients -----------------------------------------------------------------------------------
def test_ops_in_place():
    x = leaf(1.0, -2.0)
    y = (x * 1).mul_(3).add_(x).relu_()
    assert y.tolist() == [4, 0] and y.grad_fn.name() == "ReluBackward0"
    y.sum().backward()
    assert x.grad.tolist() == [4, 0]


def test_an_op_that_reads_what_it_overwrites_keeps_a_copy():
    x = leaf(1.0, 2.0)
    y = x * 1
    y.mul_(x)
    y.pow_(2)
    y.sum().backward()
    assert x.grad.tolist() == [4, 32]


def test_assignment():
    x = leaf(1.0, 1.0, 1.0)
    y = x * 2
    y[0] = 5
    y[1:] *= 3
    assert y.tolist() == [5, 6, 6]
    (y * y).sum().backward()
    assert x.grad.tolist() == [0, 72, 72]


def test_assignment_of_tensors_that_carry_gradient():
    x = leaf(1.0, 2.0, 3.0)
    buffer = torch.zeros(2, 3)
    buffer[0] = x * 2
    buffer[1, 1:] = x[:2]
    assert buffer.requires_grad
    (buffer * torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).sum().backward()
    assert x.grad.tolist() == [7, 10, 6]


def test_masks_and_index_arrays():
    x = leaf(1.0, 2.0, 3.0, 4.0)
    y = x * 1
    y[y > 2.5] = 0.0
    y[[0, 1]] += y[[1, 0]]
    assert y.tolist() == [3, 3, 0, 0]
    (y**2).sum().backward()
    assert x.grad.tolist() == [12, 12, 0, 0]


def test_repeated_indices():
    x, i = torch.zeros(3), torch.tensor([0, 0, 1])
    x[i] += 1  # reads, adds, writes: each place once
    assert x.tolist() == [1, 1, 0]
    x.index_add_(0, i, torch.ones(3))
    assert x.tolist() == [3, 2, 0]
    x.index_put_((i,), torch.ones(3), accumulate=True)
    assert x.tolist() == [5, 3, 0]


def test_writing_through_a_view_reaches_base_and_siblings():
    x = ramp(4)
    y = x * 1
    v, w = y[:2], y[1:3]
    v.mul_(x[2:])
    assert (v.tolist(), w.tolist(), y.tolist()) == ([0, 3], [3, 2], [0, 3, 2, 3])
    assert y.grad_fn.name() == "torch::autograd::CopySlices"
    assert w.grad_fn.name() == "SliceBackward0"
    (y * y).sum().backward(retain_graph=True)
    assert x.grad.tolist() == [0, 18, 4, 12]
    x.grad = None
    (w * w).sum().backward()
    assert x.grad.tolist() == [0, 18, 4, 6]


def test_views_of_views():
    x = ramp(6)
    y = (x * 1).view(2, 3)
    z = y.t()
    z[1] = torch.tensor([10.0, 20.0])
    y[0, 2] *= 4
    assert y.tolist() == [[0, 10, 8], [3, 20, 5]] and z.tolist() == [[0, 3], [10, 20], [8, 5]]
    (y**2).sum().backward(retain_graph=True)
    assert x.grad.tolist() == [0, 0, 64, 6, 0, 10]
    x.grad = None
    (z**3).sum().backward()
    assert x.grad.tolist() == [0, 0, 768, 27, 0, 75]


def test_a_buffer_without_gradient_gets_one_through_a_view():
    x = leaf(1.0, 2.0, 3.0)
    buffer = torch.zeros(3)
    view = buffer[1:]
    view.add_(x[1:])
    assert buffer.requires_grad
    buffer.sum().backward()
    assert x.grad.tolist() == [0, 1, 1]


def test_copy_cuts_the_old_value_off():
    x = leaf(1.0, 2.0)
    y = x * 1
    y.copy_(torch.arange(2.0))
    y.sum().backward()
    assert x.grad.tolist() == [0, 0]


def test_no_cycle_arises():
    import gc
    import weakref

    gc.disable()
    try:
        h = leaf(1.0, 2.0) * 2
        node = weakref.ref(h.node)
        h.add_(h * 3)
        h[0] += h[1]
        del h
        assert node() is None
    finally:
        gc.enable()


def test_in_place_under_create_graph():
    x = leaf(1.0, 2.0)
    y = x**2
    y[0] *= 3
    (g,) = torch.autograd.grad((y * y).sum(), x, create_graph=True)
    g.sum().backward()
    assert g.tolist() == [36, 32] and x.grad.tolist() == [108, 48]


# ---- values that a gradient still needs ----------------------------------------------------------
def test_error_names_the_writer_and_the_reader():
    x = leaf(1.0, 2.0)
    y = x * 2
    z = y * y
    y.add_(1)
    with pytest.raises(RuntimeError) as e:
        z.sum().backward()
    text = str(e.value)
    assert text.startswith(
        "one of the variables needed for gradient computation has been modified by an inplace "
        "operation"
    )
    assert "[torch.float32 [2]]" in text and "version 1" in text
    assert "MulBackward0" in text and "add overwrote it" in text  # who needs it, who overwrote it
    assert text.count("test_inplace.py") >= 2 and "out of place" in text


@pytest.mark.parametrize(
    ("needs", "write"),
    [
        (lambda x, y: y.exp(), None),  # needs its own output, see below
        (lambda x, y: y * y, lambda y: y.add_(1)),
        (lambda x, y: y.sin(), lambda y: y[0].zero_()),
        (lambda x, y: y @ torch.ones(2), None),
        (lambda x, y: x @ y, lambda y: y.mul_(2)),
        (lambda x, y: y.view(2, 1).tanh(), None),
        (lambda x, y: y[:1] * x[:1], lambda y: y.zero_()),
        (lambda x, y: y.detach() * x, lambda y: y.detach().zero_()),
    ],
)
def test_overwritten_inputs_are_noticed(needs, write):
    x = leaf(1.0, 2.0)
    y = x * 1
    z = needs(x, y)
    if write is None:
        y.add_(1)  # harmless: this derivative does not read y
        z.sum().backward()
        return
    write(y)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_overwritten_outputs_are_noticed():
    x = leaf(1.0, 2.0)
    y = x.exp()
    y.add_(1)
    with pytest.raises(RuntimeError, match=r"ExpBackward0.*its output"):
        y.sum().backward()


def test_writes_that_harm_nothing():
    x = leaf(1.0, 2.0)
    y = x * 2
    z = y + y
    y.add_(1)
    z.sum().backward()
    assert x.grad.tolist() == [4, 4]


def test_a_failed_operation_changes_nothing():
    x = torch.ones(3)
    for wrong in (torch.ones(2, 3), torch.ones(4)):
        with pytest.raises(RuntimeError):
            x.add_(wrong)
    assert x._version == 0 and x.tolist() == [1, 1, 1]


def test_results_must_fit_the_dtype():
    i = torch.ones(3, dtype=torch.int64)
    for write in (lambda: i.add_(1.5), lambda: i.div_(2), lambda: i.__itruediv__(2)):
        with pytest.raises(
            RuntimeError, match=r"result type Float can't be cast to the desired output type Long"
        ):
            write()
    i[0] = 2.7
    assert i.tolist() == [2, 1, 1]


def test_expanded_memory_is_not_written():
    with pytest.raises(RuntimeError, match="single memory location"):
        torch.ones(3).expand(2, 3).add_(1)


def test_view_made_under_no_grad():
    y = leaf(1.0, 2.0) * 2
    with torch.no_grad():
        v = y[:1]
    with pytest.raises(RuntimeError, match="view was created in no_grad mode"):
        v.add_(1)


def test_detach_in_place():
    y = leaf(1.0) * 2
    y.detach_()
    assert y.is_leaf and not y.requires_grad and y.grad_fn is None


@pytest.mark.parametrize(
    "keeps", [
        lambda y: y.nansum(), lambda y: y.nanmean(0), lambda y: torch.dist(y, y * 2),
        lambda y: y.masked_select(y > 0), lambda y: y.prod(), lambda y: y.copysign(-y),
    ],
)  # fmt: skip
def test_what_a_derivative_keeps_is_not_detached_in_place(keeps):
    for how in ("before", "after"):
        x = torch.ones(3, requires_grad=True)
        y = x * 2
        kept = keeps(y if how == "after" else y.detach_().requires_grad_())
        if how == "after":
            y.detach_()
            with pytest.raises(RuntimeError, match="detached in-place"):
                kept.sum().backward()
        else:
            kept.sum().backward()


def test_static_arguments_by_position_and_by_name():
    for write in (lambda x: x.clamp_min_(0), lambda x: x.clamp_min_(min=0.0)):
        x = torch.tensor([-1.0, 2.0])
        assert write(x) is x and x.tolist() == [0.0, 2.0]
    with pytest.raises(TypeError):
        torch.ones(1).clamp_min_(0, 1)


# ---- what counts as a view, or as the same elements ----------------------------------------------
def test_strides_tell_the_same_elements_from_others():
    x = torch.ones(1)
    with pytest.raises(RuntimeError, match="single memory location"):
        x[:1:2] *= x
    x *= x
    assert x[None].stride() == (1, 1) and torch.ones(2, 3)[:, None].stride() == (3, 3, 1)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.repeat_interleave(2, -1),
        lambda x: torch.nn.functional.max_pool1d(x, 2),
        lambda x: torch.nn.functional.avg_pool1d(x, 2),
        lambda x: torch.nn.functional.conv1d(x, torch.ones(1, 2, 2)),
        lambda x: torch.nn.functional.conv_transpose2d(x[:, None], torch.ones(2, 1, 1, 1)),
    ],
)
def test_results_that_are_views(function):
    x = torch.arange(8.0).reshape(2, 4).requires_grad_()
    y = function(x)
    assert y._is_view()
    y[:1] *= 2
    y.sum().backward()
    expected = torch.autograd.grad(function(x)[:1].sum() * 2 + function(x)[1:].sum(), x)[0]
    assert torch.equal(x.grad, expected)


def test_hooks_see_what_the_derivative_of_cumprod_reads():
    x = torch.tensor([2.0, 3.0], requires_grad=True)
    y = x * 1
    y.cumprod_(0)
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    g.sum().backward()  # d/dx of (1 + x1, x0): by way of the product and of x
    assert seen == [[1, 1], pytest.approx([0.5, 0.5 + 1 / 3])]
    assert x.grad.tolist() == pytest.approx([1, 1])


def test_what_a_loss_keeps():
    x, target = torch.ones(3, requires_grad=True), torch.tensor([1, 2, 1])
    loss = torch.nn.functional.mse_loss(x, target)
    target.fill_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    loss = torch.nn.functional.margin_ranking_loss(x, x.detach() * 2, target)
    target.fill_(2)
    loss.backward()


def test_a_real_view_of_a_complex_leaf_stays_real_after_a_write():
    p = torch.ones(3, dtype=torch.complex128, requires_grad=True)
    with torch.no_grad():
        for view in (torch.view_as_real(p), p.real, p.view(torch.float64)):
            assert view.add_(view).clamp_(max=1.5).max().item() == 1.5  # complex has no clamp


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool])
def test_rows_written_at_a_tensor_of_indices(dtype):
    rows = torch.arange(12).reshape(3, 4).to(dtype)
    for places in ([0, 2, 4], [0, -1, 0], [[0], [1], [2]]):
        i = torch.tensor(places)
        for value in (rows, rows[0], rows[:1], rows[0, 1], rows[:, None] if i.ndim > 1 else rows):
            made = []
            for way in (torch.Tensor.__setitem__, lambda t, i, v: t.index_put_((i,), v)):
                t = torch.zeros(5, 4).to(dtype)
                view = t[1:3]
                try:
                    way(t, i, value)
                except RuntimeError as error:
                    made.append(type(error))
                    assert t._version == 0 and not t.any()
                    continue
                made.append(t.tolist())
                assert t._version == 1 and view.tolist() == t.tolist()[1:3]
            assert made[0] == made[1]


def test_rows_that_lie_in_what_is_written():
    x = torch.arange(12.0).reshape(6, 2)
    i = torch.tensor([2, 3])
    x[i] = x[:2].clone()
    assert x[2:4].tolist() == [[0.0, 1.0], [2.0, 3.0]]
    with pytest.raises(IndexError):
        x[torch.tensor([6])] = torch.ones(1, 2)
    with pytest.raises(RuntimeError, match="dtypes match"):
        x[i] = torch.ones(2, 2).double()
    with pytest.raises(RuntimeError):
        x[i] = torch.ones(3, 2)
    needs = torch.ones(2, 2, requires_grad=True)
    x[i] = needs
    assert x.grad_fn is not None
