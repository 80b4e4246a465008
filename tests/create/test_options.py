"""Options that all makers of tensors take, strides of the caller's choice, and others' memory."""

import numpy as np
import pytest

import microtorch as torch

MAKERS = {
    "zeros": ((2, 3),), "ones": ((2,),), "empty": ((3,),), "full": ((2, 2), 7), "eye": (3,),
    "arange": (5,), "linspace": (0, 1, 3), "logspace": (0, 2, 3), "rand": ((4,),),
    "randn": ((4,),), "randint": (9, (3,)), "randperm": (5,), "normal": (0.0, 1.0, (2,)),
    "scalar_tensor": (2.0,), "empty_strided": ((2, 3), (1, 2)), "empty_permuted": ((2, 3), (1, 0)),
}  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
def test_out_and_layout(name):
    make, arguments = getattr(torch, name), MAKERS[name]
    torch.manual_seed(3)
    plain = make(*arguments, layout=torch.strided, pin_memory=False)
    target = torch.empty(0, dtype=plain.dtype)
    torch.manual_seed(3)
    assert make(*arguments, out=target) is target
    assert target.shape == plain.shape
    if "empty" not in name:
        assert torch.equal(target, plain)
    with pytest.raises(NotImplementedError):
        make(*arguments, layout=torch.sparse_csr)


def test_out_says_the_dtype():
    assert torch.arange(3, out=torch.empty(0)).dtype is torch.float32
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError):
        torch.zeros(2, out=x)


def test_strides():
    assert torch.empty_strided((2, 3), (1, 2)).stride() == (1, 2)
    assert torch.empty_permuted((2, 3, 4), (0, 2, 1)).stride() == (12, 1, 3)
    assert torch.ones(2, dtype=torch.float64).new_empty_strided((2,), (3,)).dtype is torch.float64
    x = torch.empty_strided((2, 2), (1, 2)).fill_(3)
    assert x.tolist() == [[3, 3], [3, 3]]
    for call in (
        lambda: torch.empty_strided((2,), (1, 2)),
        lambda: torch.empty_strided((2,), (-1,)),
        lambda: torch.empty_permuted((2, 3), (0,)),
        lambda: torch.empty_permuted((2, 3), (0, 0)),
        lambda: torch.empty_permuted((2, 3), (0, 2)),
    ):
        with pytest.raises(RuntimeError):
            call()


def test_older_makers():
    with pytest.warns(UserWarning):
        assert torch.range(1, 3).tolist() == [1, 2, 3]
        assert torch.range(torch.tensor(2), torch.tensor(3.0)).tolist() == [2, 3]
    assert torch.scalar_tensor(3).dtype is torch.float32
    assert torch.asarray([1, 2], dtype=torch.float32, requires_grad=True).requires_grad
    a = np.arange(3.0)
    torch.asarray(a)[0] = 9
    assert a[0] == 9
    torch.asarray(a, copy=True)[0] = 1
    assert a[0] == 9
    with pytest.raises(ValueError):
        torch.asarray([1], copy=False)
    x = torch.ones(2, requires_grad=True)
    for y in (x, x * 2, x[:1]):  # what has a history keeps it
        assert torch.asarray(y) is y and torch.asarray(y, copy=True).requires_grad
        assert torch.asarray(y, dtype=torch.float64).requires_grad
        assert not torch.asarray(y, requires_grad=False).requires_grad and y.requires_grad
        assert not torch.asarray(y, requires_grad=False, dtype=torch.float64).requires_grad
    with pytest.raises(RuntimeError):
        torch.eye(-1)
    with pytest.raises(RuntimeError):
        torch.arange(0, float("inf"))
    with pytest.raises(RuntimeError):
        torch.logspace(0, 1, -1)
    assert torch.logspace(0, 1.2, 4, 5, dtype=torch.int64).tolist() == [1, 1, 2, 5]


def test_dlpack_both_ways():
    a = np.arange(4.0)
    t = torch.from_dlpack(a)
    t[0] = 7
    assert a[0] == 7
    b = np.from_dlpack(t)
    t[1] = 8
    assert b[1] == 8 and t.__dlpack_device__() == (1, 0)
    assert torch.from_dlpack(torch.utils.dlpack.to_dlpack(t)).tolist() == t.tolist()
    assert torch.from_dlpack(a[::2]).tolist() == [7, 2]
    with pytest.raises(BufferError):
        np.from_dlpack(torch.ones(2, requires_grad=True))
    with pytest.raises(AttributeError):
        torch.from_dlpack([1, 2])


def test_buffers():
    memory = bytearray(np.arange(4, dtype=np.int32).tobytes())
    t = torch.frombuffer(memory, dtype=torch.int32)
    assert t.tolist() == [0, 1, 2, 3]
    t[0] = 5
    assert memory[0] == 5
    assert torch.frombuffer(memory, dtype=torch.int32, count=2, offset=4).tolist() == [1, 2]
    for options in ({"offset": 16}, {"offset": 2}, {"count": 5}, {"count": 0}):
        with pytest.raises(ValueError):
            torch.frombuffer(memory, dtype=torch.int32, **options)
    with pytest.raises(ValueError):
        torch.frombuffer([1, 2], dtype=torch.int32)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda n: torch.zeros(n), TypeError),
        (lambda n: torch.rand(2, n), TypeError),
        (lambda n: torch.full((n,), 1.0), TypeError),
        (lambda n: torch.nn.Linear(n, 2), TypeError),
        (lambda n: torch.eye(n), ValueError),
        (lambda n: torch.linspace(0, 1, n), ValueError),
        (lambda n: torch.randperm(n), ValueError),
    ],
)
@pytest.mark.parametrize("n", [2**70, 2**63])
def test_a_size_beyond_64_bits_is_named(call, error, n):
    with pytest.raises(error, match="Overflow when unpacking long long"):
        call(n)


def test_draws_for_tensors_are_written_into_any_float_out():
    mean = torch.zeros(3)
    for d in (torch.float32, torch.float64):
        out = torch.empty(3, dtype=d)
        torch.manual_seed(0)
        assert torch.normal(mean, 1.0, out=out) is out
        torch.manual_seed(0)
        assert out.tolist() == torch.normal(mean, 1.0).tolist()
    with pytest.raises(RuntimeError, match="std"):
        torch.normal(mean, -1.0, out=mean)


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_made_to_require_gradient_is_a_leaf(name):
    make, arguments = getattr(torch, name), MAKERS[name]
    if make(*arguments).is_floating_point():
        torch.manual_seed(3)
        plain = make(*arguments)
        torch.manual_seed(3)
        x = make(*arguments, requires_grad=True)
        assert x.is_leaf and x.grad_fn is None and x.shape == plain.shape
        if not name.startswith("empty"):
            assert torch.equal(x.detach(), plain)
        (x * 2).sum().backward()
        assert torch.equal(x.grad, torch.full_like(x, 2))
    else:
        with pytest.raises(RuntimeError, match="can require gradients"):
            make(*arguments, requires_grad=True)
