"""Tensor: attributes, conversions, Python's protocols, numpy, pickling, copying, promotion."""
import copy
import operator
import pickle

import numpy as np
import pytest

import microtorch as torch


@pytest.fixture
def x():
    return torch.arange(6.0).view(2, 3)


def test_attributes(x):
    assert x.shape == x.size() == torch.Size([2, 3]) == (2, 3) and (x.size(0), x.size(-1)) == (2, 3)
    assert (x.dim(), x.ndim, x.numel(), x.nelement(), len(x)) == (2, 2, 6, 6, 2)
    assert (x.dtype, x.device) == (torch.float32, torch.device("cpu"))
    assert (x.requires_grad, x.is_leaf, x.grad_fn, x.grad) == (False, True, None, None)
    assert x.stride() == (3, 1) and x.stride(0) == 3 and x.t().stride() == (1, 3)
    assert x.is_contiguous() and not x.t().is_contiguous()
    assert (x.itemsize, x.element_size(), x.nbytes) == (4, 4, 24)
    assert x.is_floating_point() and not x.is_complex() and not x.is_cuda and not x.is_inference()
    assert x.type() == "torch.FloatTensor"


def test_size():
    s = torch.Size([2, 3])
    assert repr(s) == "torch.Size([2, 3])" and s.numel() == 6 and s[0] == 2
    assert isinstance(s[:1], torch.Size)
    assert torch.Size([*s, 4]) == (2, 3, 4) and isinstance(s + torch.Size([1]), torch.Size)
    assert [*s] == [2, 3]


def test_dtypes_and_devices():
    assert repr(torch.float32) == "torch.float32" and torch.float is torch.float32
    assert torch.long is torch.int64
    assert torch.float16.is_floating_point and not torch.int8.is_floating_point
    assert torch.float64.itemsize == 8
    assert torch.finfo(torch.float32).eps == 2**-23 and torch.iinfo(torch.int8).max == 127
    assert repr(torch.device("cuda", 1)) == "device(type='cuda', index=1)"
    assert str(torch.device("cuda:0")) == "cuda:0"
    assert torch.device("cpu") != torch.device("cuda")
    assert torch.device(torch.device("cpu")).type == "cpu"


def test_conversions(x):
    for name in ("half", "float", "double", "short", "int", "long", "bool", "byte"):
        assert getattr(x, name)().dtype == getattr(torch, {"byte": "uint8"}.get(name, name))
    assert x.float() is x and x.to("cpu") is x and x.cpu() is x and x.to(torch.float32) is x
    assert x.to("cpu", torch.float64).dtype == x.to(dtype=torch.float64).dtype == torch.float64
    assert (
        x.to(torch.zeros(1, dtype=torch.int64)).dtype
        == x.type_as(torch.zeros(1).long()).dtype
        == torch.int64
    )
    assert x.type(torch.float64).dtype == x.type("torch.DoubleTensor").dtype == torch.float64
    assert x.int().type(torch.Tensor).dtype == x.int().type("torch.Tensor").dtype == torch.float32
    assert x.to(torch.float32, copy=True) is not x
    assert x.to(torch.float32, False, True) is not x and x.to("cpu", torch.float32, False) is x
    assert x.to(True).dtype == torch.bool and x.to(0.5).dtype == torch.float64  # of such a tensor
    y = torch.tensor([1.5, 2.5], requires_grad=True)
    y.double().sum().backward()
    assert y.grad.tolist() == [1, 1] and y.grad.dtype == torch.float32


def test_numbers_out(x):
    assert x[1, 2].item() == 5 and type(x[0, 0].item()) is float
    assert type(torch.tensor(1).item()) is int
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]] and x[0, 0].tolist() == 0
    assert (float(x[1, 1]), int(x[1, 1]), bool(x[0, 0])) == (4.0, 4, False)
    assert [10, 20][torch.tensor(1)] == 20
    with pytest.raises(TypeError, match="integer tensors of a single element"):
        [1][torch.tensor(0.0)]
    with pytest.raises(RuntimeError, match="no values is ambiguous"):
        bool(torch.tensor([]))


def test_protocols(x):
    assert [row.tolist() for row in x] == x.tolist() and 3.0 in x and 9 not in x
    a, b = x
    assert a.shape == b.shape == (3,)
    assert {x: 1}[x] == 1 and hash(x) != hash(x.clone())
    assert (x == x).all() and (x == "a") is False
    assert (x == None) is False and (x != None) is True  # noqa: E711
    for other in (..., slice(1), {1}, b"a", range(2), print):
        assert (x == other) is False and (other == x) is False and (x != other) is True
    for wrong in (len, list):
        with pytest.raises(TypeError, match="0-d tensor"):
            wrong(torch.tensor(1))


def test_formatting():
    x = torch.ones(2, 3)
    assert f"{x.mean():.3f}" == "1.000" and f"{torch.tensor(3)}" == "3"
    assert "%.2f" % x.mean() == "1.00"  # noqa: UP031
    assert f"{x}" == str(x) == repr(x) == "tensor([[1., 1., 1.],\n        [1., 1., 1.]])"
    assert (
        repr(torch.tensor([1.0], requires_grad=True) * 2) == "tensor([2.], grad_fn=<MulBackward0>)"
    )
    with pytest.raises(TypeError, match=r"unsupported format string passed to Tensor.__format__"):
        f"{x:.3f}"


def test_numpy():
    x, a = torch.tensor([1.0, 2.0]), np.array([3.0, 4.0], np.float32)
    for y in (x + a, a + x):
        assert isinstance(y, torch.Tensor) and y.tolist() == [4, 6]
    assert np.asarray(x).dtype == np.float32 and np.sin(x).dtype == torch.float32
    assert np.array(x, dtype=np.float64).dtype == np.float64
    assert np.shares_memory(x.numpy(), torch.from_numpy(x.numpy()).numpy())
    assert (torch.ones(2) * np.float64(2)).dtype == torch.float32
    assert (np.float64(2) * torch.ones(2)).tolist() == [2, 2]
    assert (torch.ones(2) + np.ones(2)).dtype == torch.float64
    # what a function of numpy makes of a tensor is one
    for y in (np.sqrt(x * x), np.transpose(x, axes=(0,)), np.clip(x, 0, 9)):
        assert type(y) is torch.Tensor and y.dtype is torch.float32 and y.sum() == 3
    assert np.isnan(x).dtype is torch.uint8
    with pytest.raises(RuntimeError, match="requires grad"):
        np.asarray(torch.ones(1, requires_grad=True))
    assert torch.ones(1, requires_grad=True).numpy(force=True).tolist() == [1]


def test_copies():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x * 3).sum().backward()
    deep = copy.deepcopy(x)
    assert deep.requires_grad and deep.is_leaf and deep.grad.tolist() == [3, 3]
    assert deep.data_ptr() != x.data_ptr()
    a = torch.zeros(1)
    pair = copy.deepcopy([a, a])
    assert pair[0] is pair[1]
    back = pickle.loads(pickle.dumps(x))
    assert back.tolist() == [1, 2] and back.requires_grad
    assert pickle.loads(pickle.dumps((torch.float32, torch.device("cpu")))) == (
        torch.float32,
        torch.device("cpu"),
    )
    with pytest.raises(RuntimeError, match=r"lea[fv]"):
        copy.deepcopy(x * 2)
    assert pickle.loads(pickle.dumps(x * 2)).requires_grad  # a leaf, as torch.save makes it
    assert x.clone().data_ptr() != x.data_ptr() and x.detach().data_ptr() == x.data_ptr()


@pytest.mark.parametrize(
    ("make", "dtype"),
    [
        (lambda: torch.tensor([1]) + torch.tensor([1.5]), torch.float32),
        (lambda: torch.tensor([1]) + 1.5, torch.float32),
        (lambda: torch.tensor([1.0]) + torch.tensor(1.0, dtype=torch.float64), torch.float32),
        (lambda: torch.tensor(1) + torch.tensor([1.5], dtype=torch.float64), torch.float64),
        (lambda: torch.tensor([1], dtype=torch.uint8) + 1, torch.uint8),
        (
            lambda: torch.tensor([1], dtype=torch.int8) + torch.tensor([1], dtype=torch.uint8),
            torch.int16,
        ),
        (lambda: torch.tensor([True]) + 1, torch.int64),
        (lambda: torch.tensor([True]) + True, torch.bool),
        (lambda: torch.tensor([1]) / 1, torch.float32),
        (lambda: torch.tensor([3]) // 2, torch.int64),
        (lambda: torch.tensor([1.0]) > 0, torch.bool),
        (lambda: torch.tensor([1.5], dtype=torch.float16) * 2, torch.float16),
        (lambda: torch.tensor([1.5], dtype=torch.float16) * torch.tensor([2]), torch.float16),
        (lambda: torch.tensor([1, 2]).sum(), torch.int64),
        (lambda: torch.tensor([True, True]).sum(), torch.int64),
        (lambda: torch.tensor([1]).exp(), torch.float32),
        (lambda: torch.where(torch.tensor([True]), torch.tensor([1]), 0.5), torch.float32),
    ],
)
def test_promotion(make, dtype):
    assert make().dtype == dtype


def test_requires_grad_is_a_switch_for_leaves():
    x = torch.ones(2)
    assert x.requires_grad_() is x and x.requires_grad
    x.requires_grad = False
    assert not (x * 2).requires_grad
    y = x.requires_grad_() * 2
    with pytest.raises(RuntimeError, match="only change requires_grad flags of leaf variables"):
        y.requires_grad_(False)
    with pytest.raises(RuntimeError, match="floating point"):
        torch.arange(3).requires_grad_()


def test_grad_can_be_set():
    x = torch.ones(2, requires_grad=True)
    x.grad = torch.ones(2)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [3, 3]
    del x.grad
    assert x.grad is None
    for wrong, kind in (
        (torch.ones(3), RuntimeError),
        (torch.ones(2, dtype=torch.float64), RuntimeError),
        (3, TypeError),
    ):
        with pytest.raises(kind):
            x.grad = wrong


def test_transposes(x):
    assert x.T.shape == (3, 2) and x[:, None].mT.shape == (2, 3, 1)
    with pytest.warns(UserWarning, match="dimension other than 2"):
        assert torch.zeros(2, 3, 4).T.shape == (4, 3, 2)


def test_where_the_graph_ends_in_a_number_it_is_said():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with pytest.warns(UserWarning, match="Converting a tensor with requires_grad=True"):
        torch.tensor([x[0] * 2, x[1]])
    for make in (torch.tensor, x.new_tensor):
        with pytest.warns(UserWarning, match="To copy construct from a tensor"):
            assert not make(x).requires_grad
    assert x[0].item() == 1.0 and x.tolist() == [1, 2] and f"{x[0]:.1f}" == "1.0"


def test_a_subclass_works():
    class Named(torch.Tensor):
        pass

    n = Named([1.0, 2.0])
    assert isinstance(n, torch.Tensor) and (n + n).tolist() == [2, 4] and (2 * n).tolist() == [2, 4]
    assert n.sum().item() == 3
    assert repr(n) == "Named([1., 2.])"


class Other:
    """What a tensor cannot compute with, but which can with a tensor."""

    def __radd__(self, x):
        return "reflected"

    __rmul__ = __rsub__ = __rtruediv__ = __rpow__ = __rmod__ = __rmatmul__ = __radd__
    __rfloordiv__ = __rand__ = __ror__ = __rxor__ = __gt__ = __le__ = __radd__


@pytest.mark.parametrize(
    "name", "add mul sub truediv pow mod matmul floordiv and_ or_ xor lt ge".split()
)
def test_an_operand_that_knows_tensors_is_asked(name):
    f, x = getattr(operator, name), torch.tensor([1.0, 2.0])
    assert f(x, Other()) == "reflected"
    for other in (object(), [1.0], "a"):
        with pytest.raises(TypeError):
            f(x, other)


def test_a_sequence_is_repeated_as_often_as_a_whole_number_says():
    n = torch.tensor(2)
    for x in ([0, 1], (0, 1), "ab", b"ab"):
        assert x * n == n * x == x * 2
    counts = [0]
    counts *= torch.tensor([3])
    assert counts == [0, 0, 0]
    for n in (torch.tensor(2.0), torch.tensor([1, 2])):
        with pytest.raises(TypeError, match="only integer tensors of a single element"):
            [0] * n


def test_an_object_equals_no_tensor():
    x = torch.tensor(1.0)
    assert (x == object()) is False and (x != object()) is True
