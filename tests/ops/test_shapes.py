"""Views by strides, joins, splits and turns: values against numpy, memory, gradients, errors."""

import itertools

import numpy as np
import pytest

import microtorch as torch
from microtorch import autograd


def number(*shape, start=0.0):
    values = np.sin(np.arange(start, start + np.prod(shape, dtype=int))).reshape(shape)
    return torch.tensor(values, requires_grad=True)


X, V = number(2, 3), number(4, start=9)

# a function of tensors, and numpy's of the same arrays
SAME = [
    (lambda t, x, v: t.rot90(x), lambda n, x, v: n.rot90(x)),
    (lambda t, x, v: t.rot90(x, -1, (1, 0)), lambda n, x, v: n.rot90(x, -1, (1, 0))),
    (lambda t, x, v: t.fliplr(x), lambda n, x, v: n.fliplr(x)),
    (lambda t, x, v: t.flipud(x), lambda n, x, v: n.flipud(x)),
    (lambda t, x, v: t.hstack([x, x * 2]), lambda n, x, v: n.hstack([x, x * 2])),
    (lambda t, x, v: t.vstack([v, v * 2]), lambda n, x, v: n.vstack([v, v * 2])),
    (lambda t, x, v: t.dstack([x, x]), lambda n, x, v: n.dstack([x, x])),
    (lambda t, x, v: t.column_stack([v, v]), lambda n, x, v: n.column_stack([v, v])),
    (lambda t, x, v: t.tensor_split(v, 3)[1], lambda n, x, v: n.array_split(v, 3)[1]),
    (lambda t, x, v: t.tensor_split(v, (1, 3))[1], lambda n, x, v: n.array_split(v, (1, 3))[1]),
    (lambda t, x, v: t.hsplit(x, (1,))[1], lambda n, x, v: n.hsplit(x, (1,))[1]),
    (lambda t, x, v: t.vsplit(x, 2)[1], lambda n, x, v: n.vsplit(x, 2)[1]),
    (lambda t, x, v: t.vander(v), lambda n, x, v: n.vander(v)),
    (lambda t, x, v: t.vander(v, 3, True), lambda n, x, v: n.vander(v, 3, True)),
    (lambda t, x, v: t.diagflat(x, -1), lambda n, x, v: n.diagflat(x, -1)),
    (lambda t, x, v: t.diag_embed(v, 1), lambda n, x, v: n.diag(v, 1)),
    (lambda t, x, v: t.atleast_3d(x), lambda n, x, v: n.atleast_3d(x)),
    (lambda t, x, v: t.tile(x, (2, 1, 2)), lambda n, x, v: n.tile(x, (2, 1, 2))),
    (lambda t, x, v: x.repeat(2, 1), lambda n, x, v: n.tile(x, (2, 1))),
    (lambda t, x, v: t.moveaxis(x, 0, 1), lambda n, x, v: n.moveaxis(x, 0, 1)),
    (lambda t, x, v: t.repeat_interleave(x, 2, 1), lambda n, x, v: n.repeat(x, 2, 1)),
    (lambda t, x, v: t.roll(x, 4), lambda n, x, v: n.roll(x, 4)),
    (lambda t, x, v: t.roll(x, (1, 1), (0, 0)), lambda n, x, v: n.roll(x, (1, 1), (0, 0))),
    (lambda t, x, v: x.mH, lambda n, x, v: x.T),
    (lambda t, x, v: x.unfold(1, 2, 1),
     lambda n, x, v: n.lib.stride_tricks.sliding_window_view(x, 2, 1)),
    (lambda t, x, v: v.unfold(0, 2, 2), lambda n, x, v: v.reshape(2, 2)),
    (lambda t, x, v: x.as_strided((3, 2), (1, 3)), lambda n, x, v: x.T),
    (lambda t, x, v: x.as_strided((2, 2), (1, 1), 2),
     lambda n, x, v: x.reshape(-1)[[[2, 3], [3, 4]]]),
    (lambda t, x, v: x[1].as_strided((2,), (1,)), lambda n, x, v: x[1, :2]),
    (lambda t, x, v: x.sum_to_size(1, 3), lambda n, x, v: x.sum(0, keepdims=True)),
    (lambda t, x, v: t.fill(x, v[0]), lambda n, x, v: n.full((2, 3), v[0])),
]  # fmt: skip


@pytest.mark.parametrize("ours, theirs", SAME)
def test_values_are_numpys_and_gradients_those_of_differences(ours, theirs):
    expected = theirs(np, X.detach().numpy(), V.detach().numpy())
    assert np.allclose(ours(torch, X, V).detach().numpy(), expected)
    assert ours(torch, X, V).shape == expected.shape
    for x in (X, X.detach().t().contiguous().t().requires_grad_()):
        if x is X or "as_strided" not in ours.__code__.co_names:
            assert autograd.gradcheck(lambda x, v: ours(torch, x, v) * 1, (x, V))
    assert autograd.gradgradcheck(lambda x, v: ours(torch, x, v) ** 2, (X, V))


def test_combinations_products_and_blocks():
    v = torch.tensor([1, 2, 3])
    for r, repeated in itertools.product(range(1, 4), (False, True)):
        draw = itertools.combinations_with_replacement if repeated else itertools.combinations
        expected = [list(c) for c in draw([1, 2, 3], r)]
        assert torch.combinations(v, r, repeated).tolist() == expected
    assert torch.combinations(v, 0).shape == (0,)
    grid = torch.cartesian_prod(v, torch.tensor([5, 6]))
    assert grid.tolist() == [list(p) for p in itertools.product([1, 2, 3], [5, 6])]
    assert torch.cartesian_prod(v).tolist() == [1, 2, 3]
    blocks = torch.block_diag(torch.tensor(1), torch.tensor([2.0, 3.0]), torch.ones(2, 0))
    assert blocks.tolist() == [[1, 0, 0], [0, 2, 3], [0, 0, 0], [0, 0, 0]]
    assert torch.block_diag().shape == (1, 0)
    assert torch.broadcast_shapes((2,), (3, 1), 2) == torch.Size([3, 2])
    assert torch.atleast_1d([torch.tensor(1.0)])[0].shape == (1,)
    assert torch.repeat_interleave(torch.tensor([1, 0, 2])).tolist() == [0, 2, 2]


# ---- memory --------------------------------------------------------------------------------------
def test_views_by_strides_show_their_base():
    base = torch.arange(6.0)
    windows, turned = base.unfold(0, 3, 1), base.as_strided((3, 2), (1, 3))
    base[2] = 9.0
    assert windows[0].tolist() == [0, 1, 9] and turned[2, 0] == 9
    turned[0, 1] = 7.0
    assert base[3] == 7 and windows.is_view() and base._version == 2
    x = torch.arange(6.0, dtype=torch.float64, requires_grad=True)
    y = x * 1
    y.as_strided((2,), (2,), 1).mul_(10)
    y.unfold(0, 2, 2)[0].mul_(3)
    (y * y).sum().backward()
    scale = np.array([3, 30, 1, 10, 1, 1.0])
    assert np.allclose(x.grad.numpy(), 2 * np.arange(6) * scale**2)
    assert base[2:].storage_offset() == 2 and base[2:].as_strided((1,), (1,), 0).item() == 0
    wide = torch.rand(3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(
        lambda x: x.expand(2, 3).as_strided((2, 2), (1, 1), 0) ** 2, wide
    )
    x = torch.arange(6.0).reshape(2, 3).requires_grad_()  # whose base has no gradient
    x.diagonal().as_strided((2,), (1,)).sum().backward()
    assert x.grad.tolist() == [[1, 0, 0], [0, 0, 0]]  # x.diagonal() does not show x[0, 1]


def test_repeat_and_tile_never_share_memory():
    x = torch.arange(3.0)
    for out in (x.repeat(1), x.repeat(2, 1), torch.tile(x, (1,)), x[None].repeat(2, 1),
                torch.tensor(1.0).repeat(3), x.narrow_copy(0, 0, 2)):  # fmt: skip
        before = x.tolist(), out.tolist()
        out.add_(1)
        assert x.tolist() == before[0]
        assert out.tolist() == (np.array(before[1]) + 1).tolist()


def test_in_place_changes_of_shape():
    x = torch.arange(6.0).reshape(2, 3).clone()
    row = x[0]
    assert x.t_() is x and x.shape == (3, 2)
    x[0, 0] = 9
    assert row.tolist() == [9, 1, 2]
    assert x.unsqueeze_(0).squeeze_().transpose_(0, 1).shape == (2, 3)
    a = torch.arange(4.0, requires_grad=True)
    b = a * 1
    first = b[:2]
    b.unsqueeze_(0)
    first.mul_(3)
    b.sum().backward()
    assert a.grad.tolist() == [3, 3, 1, 1]
    with pytest.raises(RuntimeError):
        a.unsqueeze_(0)
    r = torch.arange(4.0)
    assert r.resize_(2, 1).tolist() == [[0], [1]]
    assert r.resize_as_(torch.ones(5)).tolist() == [0, 1, 2, 3, 0]
    with pytest.raises(RuntimeError, match="cannot resize variables"):
        (a * 1).resize_(2)
    with pytest.warns(UserWarning, match="resize is deprecated"):
        assert r.resize(5, 1).shape == (5, 1)
        with pytest.raises(RuntimeError, match="requested resize to 2 "):
            r.resize(2)


def test_what_has_its_shape_already_is_not_expanded():
    x = torch.ones(1, 3, requires_grad=True) * 2
    same, larger = torch.broadcast_tensors(x, torch.ones(3))
    assert same is x and larger.shape == (1, 3)


@pytest.mark.parametrize("method", ["broadcast_to", "expand", "reshape", "tile", "view"])
def test_a_method_takes_its_sizes_one_by_one_or_as_one(method):
    x = torch.ones(3)
    shape = getattr(x, method)(3).shape
    assert shape == getattr(x, method)((3,)).shape == ((9,) if method == "tile" else (3,))
    assert getattr(x, method)(1, 3).shape == getattr(x, method)([1, 3]).shape == (1, *shape)


def test_a_view_as_another_dtype():
    x = torch.tensor([1.0, 2.0])
    bits = x.view(torch.int32)
    bits[0] = 0
    assert x.tolist() == [0, 2] and x._version == 1
    assert x.view(torch.uint8).shape == (8,)
    with pytest.raises(RuntimeError):
        x.view(torch.float64)[0], torch.ones(3).view(torch.float64)


# ---- errors --------------------------------------------------------------------------------------
x, v, s = torch.zeros(2, 3), torch.zeros(4), torch.tensor(1.0)
WRONG = [
    (lambda: torch.rot90(v), RuntimeError),
    (lambda: torch.rot90(x, 1, (0, 0)), RuntimeError),
    (lambda: torch.rot90(x, 1, (0, 2)), IndexError),
    (lambda: torch.fliplr(v), RuntimeError),
    (lambda: torch.flipud(s), RuntimeError),
    (lambda: torch.cat([]), ValueError),
    (lambda: torch.hstack([]), RuntimeError),
    (lambda: torch.cat([1]), TypeError),
    (lambda: torch.hsplit(v, 3), RuntimeError),
    (lambda: torch.hsplit(v, torch.tensor(3)), RuntimeError),
    (lambda: torch.hsplit(x, torch.tensor(1.0)), TypeError),
    (lambda: torch.hsplit(x, "a"), TypeError),
    (lambda: torch.hsplit(x), TypeError),
    (lambda: torch.vsplit(v, 2), RuntimeError),
    (lambda: torch.dsplit(x, 1), RuntimeError),
    (lambda: torch.tensor_split(v, 0), RuntimeError),
    (lambda: torch.tensor_split(s, 1), RuntimeError),
    (lambda: torch.split(v, 0), RuntimeError),
    (lambda: torch.split(v, [1, -1, 4]), RuntimeError),
    (lambda: torch.unbind(s), IndexError),
    (lambda: torch.narrow(v, 0, 5, 0), IndexError),
    (lambda: torch.narrow(v, 0, 3, 2), RuntimeError),
    (lambda: torch.narrow(v, 0, 0, -1), RuntimeError),
    (lambda: torch.select(s, 0, 0), IndexError),
    (lambda: torch.movedim(x, (0, 1), 0), TypeError),
    (lambda: torch.roll(x, (1, 2), 0), RuntimeError),
    (lambda: torch.roll(x, ()), RuntimeError),
    (lambda: torch.diag_embed(v, 0, 0, 0), RuntimeError),
    (lambda: torch.diagonal(x, 0, 1, 1), RuntimeError),
    (lambda: torch.block_diag(torch.zeros(1, 1, 1)), RuntimeError),
    (lambda: torch.cartesian_prod(x), RuntimeError),
    (lambda: torch.combinations(x), RuntimeError),
    (lambda: torch.combinations(v, -1), RuntimeError),
    (lambda: torch.vander(x), RuntimeError),
    (lambda: torch.meshgrid(v, x, indexing="ij"), RuntimeError),
    (lambda: torch.meshgrid(v, v.long(), indexing="ij"), RuntimeError),
    (lambda: torch.broadcast_shapes((2,), (3,)), RuntimeError),
    (lambda: torch.broadcast_tensors(x, v), RuntimeError),
    (lambda: torch.repeat_interleave(v, torch.tensor([1, 2])), RuntimeError),
    (lambda: torch.repeat_interleave(v, -1), RuntimeError),
    (lambda: torch.unflatten(v, 0, (3, -1)), RuntimeError),
    (lambda: x.repeat(2), RuntimeError),
    (lambda: v.unfold(0, 5, 1), RuntimeError),
    (lambda: v.unfold(0, 2, 0), RuntimeError),
    (lambda: v.as_strided((2,), (1, 1)), RuntimeError),
    (lambda: v.as_strided((2,), (-1,)), RuntimeError),
    (lambda: v.as_strided((2,), (1,), 3), RuntimeError),
    (lambda: v.mH, RuntimeError),
    (lambda: torch.zeros(1, 2, 3).H, RuntimeError),
]


@pytest.mark.parametrize(("call", "error"), WRONG)
def test_error_classes_are_pytorchs(call, error):
    with pytest.raises(error):
        call()


def test_meshgrid_warns_without_indexing():
    with pytest.warns(UserWarning, match="indexing"):
        torch.meshgrid(v, v)


def test_memory_formats():
    x = torch.arange(24.0).reshape(1, 2, 3, 4)
    last = torch.channels_last
    for y in (
        x.contiguous(memory_format=last), x.clone(memory_format=last), x.to(memory_format=last),
        x.double(memory_format=last), torch.zeros_like(x, memory_format=last),
        torch.empty(1, 2, 3, 4, memory_format=last),
        x.contiguous(memory_format=last).exp() + x, x.contiguous(memory_format=last).clone(),
    ):  # fmt: skip
        assert y.stride() == (24, 1, 8, 2) and y.is_contiguous(memory_format=last)
    assert torch.equal(x.to(memory_format=last), x)
    assert x.to(memory_format=last).contiguous().stride() == x.stride() == (24, 12, 4, 1)
    assert x.contiguous(memory_format=torch.contiguous_format) is x
    assert x[0].is_contiguous(memory_format=last) is False
    with pytest.raises(RuntimeError, match="required rank 4 tensor to use channels_last format"):
        x[0].contiguous(memory_format=last)
    with pytest.raises(RuntimeError, match="preserve memory format is unsupported"):
        x.mT.contiguous(memory_format=torch.preserve_format)
    assert x.is_contiguous(memory_format=torch.contiguous_format)
    assert not x.is_contiguous(memory_format=torch.channels_last)
    assert x.permute(0, 3, 1, 2).is_contiguous(memory_format=torch.channels_last)
    assert repr(torch.channels_last) == "torch.channels_last"


def test_a_negative_size_is_not_a_minus_1():
    x = torch.ones(6)
    for f in (lambda: x.view(-3), lambda: x.reshape(2, -3), lambda: x.clone().resize_(-1),
              lambda: x.clone().resize_(2, -1), lambda: x.new_zeros((2, -2)),
              lambda: x.new_empty(-1)):  # fmt: skip
        with pytest.raises(RuntimeError, match="dimension -"):
            f()
    assert x.as_strided((0, 3), (1, 1), 7).shape == (0, 3)
    assert x[2:4].as_strided((0,), (1,), 9).shape == (0,)


def test_squeeze_of_several_dimensions():
    x = torch.zeros(1, 3, 1)
    assert x.squeeze(0, 2).shape == x.squeeze((0, 2)).shape == (3,)
    assert x.squeeze(0, 1).shape == (3, 1)
    assert x.clone().squeeze_(0, 2).shape == (3,)
    with pytest.raises(TypeError):
        x.squeeze(0, "2")


@pytest.mark.parametrize("times", [0, 1, 3])
@pytest.mark.parametrize("dim", [None, 0, -1])
def test_repeated_elements_are_the_same_with_and_without_a_gradient(times, dim):
    x = torch.arange(6.0).reshape(2, 3).t()
    alone = x.repeat_interleave(times, dim)
    recorded = x.clone().requires_grad_().repeat_interleave(times, dim)
    assert alone.tolist() == recorded.tolist()
    assert alone.stride() == recorded.stride()
    assert alone._is_view() and alone._base.shape == recorded._base.shape


@pytest.mark.parametrize(
    "view, steps",
    [
        ("x[None]", (6, 3, 1)), ("x[:, None]", (3, 3, 1)), ("x[..., None]", (3, 1, 1)),
        ("x[None, -2]", (6, 1)), ("x[None][:, 0]", (6, 1)), ("x[0, None]", (3, 1)),
        ("x[0, None, -1]", (3,)), ("x[None, -1, 0]", (6,)), ("x[:, :1][::2, None]", (6, 1, 1)),
        ("x.t()[None]", (3, 1, 3)), ("x[:, 0][:, None]", (3, 1)),
        ("x[:, :1].unsqueeze(-1)", (3, 1, 1)),
        ("x[None, -2].unsqueeze(0)", (6, 6, 1)), ("x[None, -2].view(3)", (1,)),
        ("x[:1, 0].view(1, 1)", (3, 3)), ("x.view(6, 1).t().reshape(1, 6)", (6, 1)),
        ("x[0, 0].expand(1)", (0,)), ("x[0].expand(1, 3)", (3, 1)),
        ("x[0].expand(2, 3)[1:]", (0, 1)),
        ("x.t().expand(1, 3, 2)", (3, 1, 3)),
    ],
)  # fmt: skip
def test_dimensions_of_one_element_have_strides(view, steps):
    """PyTorch's, by which it is seen whether a tensor is written to itself."""
    x = torch.arange(6.0).reshape(2, 3)
    made = eval(view, {"x": x})
    assert made.stride() == steps and made.untyped_storage().data_ptr() == x.data_ptr()


def test_products_that_einsum_adds_up_are_seen_through_a_view():
    x = torch.ones(2, 2, requires_grad=True)
    assert torch.einsum("ij,jk->ik", x, x).is_view()
    assert not torch.einsum("ij,ij->ij", x, x).is_view()
    y = torch.einsum("ij,jk->ki", x, x)
    y.register_hook(lambda g: g * 100)
    y[0].mul_(3)  # what y was has no gradient but through what it is a view of
    y.sum().backward()
    assert x.grad.tolist() == [[10, 6], [10, 6]]
    x.grad = None
    z = torch.einsum("ij,jk->ik", x, torch.ones(2, 2))
    x.data = x.data * 5
    z.sum().backward()
    assert x.grad.tolist() == [[2, 2], [2, 2]]
