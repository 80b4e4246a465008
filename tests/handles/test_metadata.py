"""In-place methods that change how a tensor is seen, and ``data`` of tensors inside a graph."""
import copy
import threading

import pytest

import microtorch as torch
from microtorch.nn import functional as F


def test_a_tensor_becomes_a_view_of_itself():
    x = torch.arange(6.0).reshape(2, 1, 3)
    assert x.squeeze_(1) is x
    x.t_()
    x.unsqueeze_(0)
    x.transpose_(0, 2).swapaxes_(0, 2)
    assert x.shape == (1, 3, 2)
    assert x.tolist() == [[[0, 3], [1, 4], [2, 5]]]


@pytest.mark.parametrize(
    ("name", "arguments", "node"),
    [
        ("transpose_", (0, 1), "TransposeBackward1"), ("t_", (), "TBackward1"),
        ("unsqueeze_", (0,), "UnsqueezeBackward1"), ("squeeze_", (), "SqueezeBackward3"),
        ("squeeze_", (0,), "SqueezeBackward4"),
        ("as_strided_", ((2,), (1,)), "AsStridedBackward1"),
    ],
)  # fmt: skip
def test_its_node_has_the_in_place_method_s_name(name, arguments, node):
    x = torch.ones(1, 3, requires_grad=True) * 2
    assert type(getattr(x, name)(*arguments).grad_fn).__name__ == node


def test_gradients_flow_through_it_and_through_its_views():
    w = torch.arange(6.0).reshape(2, 3).requires_grad_()
    x = w * 2
    row = x[0]
    x.t_()
    x[2].mul_(10)
    assert row.tolist() == [0, 2, 40]
    (x.sum() + row.sum()).backward()
    assert w.grad.tolist() == [[4, 4, 40], [2, 2, 20]]


def test_a_leaf_that_requires_gradient_refuses():
    w = torch.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf Variable"):
        w.t_()
    with torch.no_grad():
        w.t_()
    assert w.shape == (3, 2)
    assert w.is_leaf
    with pytest.raises(RuntimeError, match="cannot resize variables that require grad"):
        w.resize_(1)


def test_an_output_of_chunk_without_gradient_may_be_turned():
    assert torch.arange(6.0).reshape(2, 3).chunk(2, 1)[-1].unsqueeze_(0).shape == (1, 2, 1)


def test_resize_and_set():
    x = torch.arange(6.0)
    assert x.resize_(2, 2).tolist() == [[0, 1], [2, 3]]
    assert x.resize_(2, 3).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert x.resize_(10).shape == (10,)
    assert x.tolist()[:6] == [0, 1, 2, 3, 4, 5]
    y = torch.zeros(2)
    x.set_(y)
    y[0] = 7
    assert x.tolist() == [7, 0]
    assert x.set_().shape == (0,)


# ---- retain_grad ---------------------------------------------------------------------------------
@pytest.mark.parametrize("way", ["t_()", "squeeze_()", "unsqueeze_(0)", "squeeze_().unsqueeze_(0)"])
@pytest.mark.parametrize("view", [False, True])
def test_the_gradient_of_a_tensor_that_is_seen_otherwise_is_kept_as_it_was(way, view):
    """As in PyTorch: a view that was made before is derived from the base anew."""
    x = torch.ones(2, 1, requires_grad=True)
    base = x * 2
    y = base[:] if view else base
    y.retain_grad()
    before = y[:]
    exec(f"y.{way}", {"y": y})
    y.retain_grad()  # it does already
    assert y.retains_grad
    loss = (y * 3).sum() + (before * 5).sum()
    for times in 1, 2:
        loss.backward(retain_graph=True)
        assert y.grad.tolist() == [[(3 if view else 8) * times]] * 2


def test_a_write_after_that_is_of_the_tensor_as_it_is_seen():
    for view in False, True:
        x = torch.ones(2, 1, requires_grad=True)
        y = (x * 2)[:] if view else x * 2
        y.retain_grad()
        y.t_().mul_(2)
        (y * 3).sum().backward()
        assert y.retains_grad and y.grad.tolist() == [[3, 3]]


@pytest.mark.parametrize("way", ["t_()", "squeeze_()", "unsqueeze_(0)"])
def test_views_that_were_made_before_are_derived_anew(way):
    """So their hooks are gone, and outputs of split have no derivative any more."""
    for in_place in ("base", "view"):
        base = torch.ones(2, 1, requires_grad=True) * 2
        view, piece, other = base[:], base.split(1)[0], base[:]
        other.register_hook(lambda g: pytest.fail("it is of another node"))
        exec(f"x.{way}", {"x": base if in_place == "base" else view})
        other.sum().backward()
        with pytest.raises(RuntimeError, match="Output 0 of Split"):
            piece.sum()
        for asks in (torch.isfinite, lambda t: torch.isclose(torch.ones(2, 1), t)):
            with pytest.raises(RuntimeError, match="Output 0 of Split"):
                asks(piece)  # PyTorch composes them of ops that record
            with torch.no_grad():
                asks(piece)
        assert torch.allclose(piece, piece) and not piece.isnan().any()


def test_a_view_that_is_seen_otherwise_is_one_view():
    w, x = torch.ones(1, requires_grad=True), torch.arange(3.0).view(3, 1)
    v = x.narrow(1, 0, 1)
    v.squeeze_()
    x[1:2] = w
    x.t_()
    assert v.tolist() == [0, 1, 2] and v.requires_grad
    v.sum().backward()
    assert w.grad.tolist() == [1]


# ---- data ----------------------------------------------------------------------------------------
def test_data_of_a_tensor_in_a_graph_leaves_the_graph_as_it_is():
    x = torch.ones(2, requires_grad=True)
    y = x * 3
    y.data = y.data * 0.5
    assert y.tolist() == [1.5, 1.5]
    (y.sum() + x.sum()).backward()
    assert x.grad.tolist() == [4, 4]
    with pytest.raises(RuntimeError, match="needs its shape"):
        y.data = torch.ones(3)


def test_data_of_a_view():
    x = torch.ones(4, requires_grad=True)
    y = (x * 3)[1:]
    y.data = y.data * 0.5
    y.sum().backward()
    assert x.grad.tolist() == [0, 3, 3, 3]


def test_a_view_whose_data_was_exchanged_counts_as_a_view():
    """Of its base's graph, not of its memory: so do writes to it. This is PyTorch's answer."""
    p = torch.tensor([2.0, 3.0, 4.0], requires_grad=True)
    x = torch.arange(1.0, 7.0, requires_grad=True)
    y = (x * 1).view(2, 3)
    v = y[0]
    v.data = v.data * 0.5
    assert v._is_view() and y.tolist() == [[1, 2, 3], [4, 5, 6]]
    v.mul_(p)
    assert v.tolist() == [1, 3, 6] and y.tolist() == [[1, 2, 3], [4, 5, 6]]
    (y.sum() + v.sum() * 3).backward()
    assert x.grad.tolist() == [8, 12, 16, 1, 1, 1] and p.grad.tolist() == [2, 4, 6]


def test_views_of_a_base_whose_data_was_exchanged_count_as_its_views():
    p = torch.tensor([2.0, 3.0, 4.0], requires_grad=True)
    x = torch.arange(6.0)
    v = x.view(2, 3)
    x.data = x.data * 2
    v[0].mul_(p)
    assert x.requires_grad and x.tolist() == [0, 2, 4, 6, 8, 10] and v[0].tolist() == [0, 3, 8]
    x.sum().backward()
    assert p.grad.tolist() == [0, 1, 2]
    x = torch.ones(2, 3)
    x.data = torch.arange(6.0).view(3, 2).t()
    assert x.stride() == (1, 2) and (x * 1).stride() == (1, 2)


def test_views_made_before_requires_grad_claim_it_and_lead_nowhere():
    """Nothing was recorded between base and view. What is lost is said, as PyTorch does not."""
    x = torch.zeros(2, 3)
    views = x.view(6), *x.unbind(), x.detach()
    x.requires_grad_()
    for v in views[:3]:
        assert v.requires_grad and v.is_leaf and v.grad_fn is None
        y = (v * 2).sum()
        assert y.grad_fn.next_functions[0][0].next_functions == ((None, 0), (None, 0))
        with pytest.warns(UserWarning, match="a gradient is lost"):
            y.backward()
        assert x.grad is None and v.grad is None
        assert torch.autograd.grad((v * 2).sum(), v, allow_unused=True) == (None,)
        with pytest.raises(RuntimeError, match="not have been used"):
            torch.autograd.grad((v * 2).sum(), v)
        with pytest.raises(RuntimeError, match="does not require grad"):
            v.backward(torch.ones_like(v))
        with pytest.raises(RuntimeError, match=r"a view of a leaf|multiple views"):
            v.mul_(2)
        with pytest.raises(RuntimeError, match=r"Can't call numpy\(\)"):
            v.numpy()
        assert v[:1].requires_grad and not v.detach().requires_grad
    assert not views[3].requires_grad
    x.requires_grad_(False)
    assert not any(v.requires_grad for v in views)


def test_a_view_that_leads_nowhere_can_be_a_leaf_of_its_own():
    x = torch.zeros(2, 3)
    v = x.view(6)
    x.requires_grad_()
    v.requires_grad_(False)
    assert v.requires_grad  # as its base
    v.register_hook(lambda g: pytest.fail("nobody calls it"))
    with pytest.warns(UserWarning, match="a gradient is lost"):
        (v * 2).sum().backward()
    v.requires_grad_()
    (v * 2).sum().backward()
    assert v.grad.tolist() == [2] * 6 and x.grad is None


def test_a_write_leads_views_made_before_requires_grad_to_the_leaf():
    x = torch.ones(2, 3)
    early, split = x.view(6), x.split(1)[0]
    x.requires_grad_()
    with torch.no_grad():
        early.mul_(2)
    early.sum().backward()
    assert x.grad.tolist() == [[1] * 3] * 2
    with pytest.raises(RuntimeError, match="Output 0 of Split"):
        split.sum()

    x = torch.ones(2, 3)
    v = x.view(6)
    x.mul_(2)  # before it requires gradient
    x.requires_grad_()
    v.sum().backward()
    assert x.grad.tolist() == [[1] * 3] * 2


def test_the_second_derivative_reads_a_view_that_leads_nowhere():
    x, p = torch.ones(3), torch.ones(3, requires_grad=True)
    v = x.view(3)
    y = (p * v).sum()
    x.requires_grad_()
    (g,) = torch.autograd.grad(y, p, create_graph=True)
    assert g.requires_grad


def test_what_was_split_before_it_was_written_is_free_again_after_detach_():
    x, w = torch.ones(4), torch.ones(4, requires_grad=True)
    early = x.split(2)[0]
    x.mul_(w)
    late = x.split(2)[0]
    x.mul_(w)
    for v in early, late:
        with pytest.raises(RuntimeError, match="Output 0 of Split"):
            v.sum()
        masks = torch.zeros(2, 2, dtype=torch.bool)
        masks[0] = v  # which keeps no gradient
        with pytest.raises(RuntimeError, match="Output 0 of Split"):
            masks[:] = v  # which is expanded first
    x.detach_()
    assert not early.requires_grad
    with pytest.raises(RuntimeError, match="Output 0 of Split"):
        late.sum()


# ---- threads -------------------------------------------------------------------------------------
def test_threads_add_to_one_leaf_in_turn():
    w = torch.ones(20000, requires_grad=True)

    def work():
        for _ in range(30):
            (w * 1.0).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert w.grad.min() == w.grad.max() == 240


# ---- neighbours ----------------------------------------------------------------------------------
def test_a_row_of_attention_that_is_masked_as_a_whole_is_zero():
    q = torch.ones(1, 2, 2, requires_grad=True)
    for mask in (
        torch.tensor([[True, False], [False, False]]),
        torch.tensor([[0.0, -float("inf")], [-float("inf")] * 2]),
    ):
        q.grad = None
        out = F.scaled_dot_product_attention(q, q, q, attn_mask=mask)
        out.sum().backward()
        assert out.tolist() == [[[1, 1], [0, 0]]]
        assert q.grad.tolist() == [[[1, 1], [0, 0]]]


def test_products_with_beta_0_ignore_the_input():
    nan, one = torch.full((2, 2), float("nan")), torch.ones(2, 2)
    assert torch.addmm(nan, one, one, beta=0).tolist() == [[2, 2], [2, 2]]
    assert torch.baddbmm(nan[None], one[None], one[None], beta=0).tolist() == [[[2, 2], [2, 2]]]
    assert torch.addmm(one, nan, one, alpha=0).tolist() == [[1, 1], [1, 1]]


def test_a_tensor_in_a_list_stands_for_its_number():
    assert torch.tensor([torch.tensor([7]), torch.tensor([5])]).tolist() == [7, 5]
    assert torch.tensor([torch.ones(1, 1), 2.0]).tolist() == [1, 2]
    with pytest.raises(ValueError, match="only one element tensors"):
        torch.tensor([torch.ones(2), torch.ones(2)])


def test_every_tensor_is_a_variable():
    assert isinstance(torch.nn.Parameter(torch.ones(1)), torch.autograd.Variable)
    assert not isinstance(3, torch.autograd.Variable)
    assert torch.autograd.Variable(torch.ones(1), requires_grad=True).requires_grad


def test_gradients_of_a_batch_of_vectors():
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x**2
    (rows,) = torch.autograd.grad(y, x, torch.eye(3), is_grads_batched=True)
    assert rows.tolist() == [[2, 0, 0], [0, 4, 0], [0, 0, 6]]


def test_a_node_tells_what_it_has_saved():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp() * x
    assert y.grad_fn._saved_other.tolist() == [1, 2]
    assert y.grad_fn._saved_self.grad_fn.name() == "ExpBackward0"
    assert x.exp().grad_fn._saved_result.shape == (2,)
    assert (x**3).grad_fn._saved_exponent == 3 and (2**x).grad_fn._saved_self == 2
    y.sum().backward()
    with pytest.raises(RuntimeError, match="already been freed"):
        y.grad_fn._saved_self  # noqa: B018


def test_a_node_is_a_function_of_the_gradients_of_its_outputs():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    g = y.grad_fn(torch.ones(2))
    assert torch.equal(g, y) and g.requires_grad and x.grad is None
    with torch.no_grad():
        assert not y.grad_fn(torch.ones(2)).requires_grad
    assert [None if d is None else d.tolist() for d in (x * 2).grad_fn(torch.ones(2))] == [
        [2, 2], None
    ]  # fmt: skip
    assert [d.tolist() for d in (x * x).grad_fn(torch.ones(2))] == [[1, 2]] * 2
    assert [d.tolist() for d in torch.cat([x, x]).grad_fn(torch.arange(4.0))] == [[0, 1], [2, 3]]
    assert x.max(0).values.grad_fn(torch.tensor(1.0)).tolist() == [0, 1]
    row = torch.ones(2, 1, requires_grad=True)
    assert [d.tolist() for d in (row * x).grad_fn(torch.ones(2, 2))] == [[[3], [3]], [2, 2]]
    y.grad_fn.next_functions[0][0](torch.ones(2))
    assert x.grad.tolist() == [1, 1]
    assert y.grad_fn(None) is None
    for wrong in ((), (torch.ones(2),) * 2, (1.0,)):
        with pytest.raises(TypeError):
            y.grad_fn(*wrong)
    y.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.grad_fn(torch.ones(2))


def test_next_functions_list_no_index_and_no_mask():
    x = torch.rand(2, 3, requires_grad=True)
    i = torch.tensor([[0, 1, 1]])
    one = [
        x.max(1)[0], x.sort()[0], x.topk(2)[0], x.cummax(0)[0], x.gather(0, i), x.mode()[0],
        torch.nn.functional.nll_loss(x, i[0, :2]), torch.nn.functional.embedding(i, x),
    ]  # fmt: skip
    for y in one:
        assert [type(n).__name__ for n, _ in y.grad_fn.next_functions] == ["AccumulateGrad"]
    assert len(x.scatter(0, i, x).grad_fn.next_functions) == 2


def test_deepcopy_keeps_the_gradient():
    x = torch.ones(2, requires_grad=True)
    x.sum().backward()
    assert copy.deepcopy(x).grad.tolist() == [1, 1]


def test_what_a_tensor_may_contain():
    x = torch.tensor([1.0, 2.0])
    assert 2 in x and torch.tensor(1.0) in x and 3.5 not in x
    for other in ("a", None, [1.0]):
        with pytest.raises(RuntimeError, match="only supports Tensor or scalar"):
            other in x  # noqa: B015


def test_a_new_dimension_needs_a_size():
    with pytest.raises(RuntimeError, match="leading, non-existing dimension 0"):
        torch.zeros(2).expand(-1, 2)


@pytest.mark.parametrize("name", ["t_", "squeeze_", "unsqueeze_", "transpose_"])
def test_what_is_seen_otherwise_goes_on_with_its_gradient(name):
    arguments = {"unsqueeze_": (1,), "transpose_": (0, 1)}.get(name, ())
    w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    x = torch.ones(1, 3) * w
    with torch.no_grad():
        getattr(x, name)(*arguments)
    (x * x).sum().backward()
    assert w.grad.tolist() == [2, 4, 6]

    x = torch.ones(1, 3)  # and goes on being the base of its views
    view = x[0]
    getattr(x, name)(*arguments)
    view.mul_(w)
    assert not x._is_view() and x.reshape(3).tolist() == [1, 2, 3]
    x.mul_(2)
    of_x, of_view = torch.autograd.grad((view * view).sum(), [x, view])
    assert of_x.reshape(3).tolist() == of_view.tolist() == [4, 8, 12]


def test_a_gradient_that_is_given():
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="can't assign Variable as its own grad"):
        x.grad = x
    x.register_post_accumulate_grad_hook(lambda p: p.sub_(p.grad))
    x.sum().backward()
    assert x.tolist() == [0, 0]
    x.register_post_accumulate_grad_hook(lambda p: p.grad)
    with pytest.raises(RuntimeError, match="hooks should return None"):
        x.sum().backward()


def test_resize_counts_as_a_write_and_says_what_is_too_large():
    x = torch.ones(4, dtype=torch.bfloat16)
    assert x.resize_(2, 2)._version == 1 and x.tolist() == [[1, 1], [1, 1]]
    for call in (lambda: x.resize_(2**62), lambda: torch.empty(2**62), lambda: torch.rand(2**45)):
        with pytest.raises(RuntimeError, match=r"overflowed|can't allocate"):
            call()
    with pytest.raises(RuntimeError, match="cannot be read"):  # its places lie between
        torch.ones(5, dtype=torch.bfloat16)[1:].view(torch.float32)
    assert torch.ones(2, 2)[:, 1].ravel().is_contiguous()


def test_sizes_are_integers():
    assert torch.Size([torch.tensor(1), 2]) == (1, 2)
    with pytest.raises(TypeError, match="item 0 is 'float'"):
        torch.Size([1.5])
