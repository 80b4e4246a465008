"""``out=``: the result in a tensor that the caller gives."""

import warnings

import numpy as np
import pytest

import microtorch as torch
from microtorch.nn import functional as F
from microtorch.ops.surface import FUNCTIONS

X = torch.tensor([[1.0, 3.0, 2.0], [0.5, 0.25, 4.0]])

CALLS = {
    "exp": lambda out=None: torch.exp(X, out=out),
    "add": lambda out=None: torch.add(X, X, alpha=2, out=out),
    "sub": lambda out=None: torch.sub(X, 1, out=out),
    "div": lambda out=None: torch.div(X, 2, rounding_mode="floor", out=out),
    "mul": lambda out=None: torch.mul(X, 2, out=out),
    "pow": lambda out=None: torch.pow(X, 2, out=out),
    "lt": lambda out=None: torch.lt(X, 2, out=out),
    "gelu": lambda out=None: F.gelu(X, approximate="tanh", out=out),
    "softplus": lambda out=None: F.softplus(X, 2, out=out),
    "softshrink": lambda out=None: F.softshrink(X, 1.0, out=out),
    "avg_pool2d": lambda out=None: F.avg_pool2d(X[None], 1, out=out),
    "avg_pool3d": lambda out=None: F.avg_pool3d(X[None, None], 1, out=out),
    "clamp": lambda out=None: torch.clamp(X, 1, 2, out=out),
    "where": lambda out=None: torch.where(X > 1, X, 0.0, out=out),
    "isnan": lambda out=None: torch.isnan(X, out=out),
    "sum": lambda out=None: torch.sum(X, 1, out=out),
    "mean": lambda out=None: torch.mean(X, dim=0, out=out),
    "cumsum": lambda out=None: torch.cumsum(X, 1, out=out),
    "argmax": lambda out=None: torch.argmax(X, 1, out=out),
    "matmul": lambda out=None: torch.matmul(X, X.T, out=out),
    "mm": lambda out=None: torch.mm(X, X.T, out=out),
    "cat": lambda out=None: torch.cat([X, X], 1, out=out),
    "stack": lambda out=None: torch.stack([X, X], out=out),
    "index_select": lambda out=None: torch.index_select(X, 1, torch.tensor([2]), out=out),
    "gather": lambda out=None: torch.gather(X, 1, torch.tensor([[2], [0]]), out=out),
    "masked_select": lambda out=None: torch.masked_select(X, X > 1, out=out),
    "lerp": lambda out=None: torch.lerp(X, X + 1, 0.3, out=out),
    "sinc": lambda out=None: torch.sinc(X, out=out),
    "gcd": lambda out=None: torch.gcd(X.long(), X.long(), out=out),
}


@pytest.mark.parametrize("name", CALLS)
def test_result_lies_in_out(name):
    expected = CALLS[name]()
    out = torch.empty(expected.shape, dtype=expected.dtype)
    view = out[...]
    result = CALLS[name](out)
    assert result is out and view.tolist() == expected.tolist()
    empty = torch.empty(0, dtype=expected.dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert CALLS[name](empty) is empty
    assert empty.tolist() == expected.tolist()


def test_several_results():
    for f in (
        lambda **k: torch.max(X, 1, **k),
        lambda **k: torch.sort(X, dim=1, **k),
        lambda **k: torch.topk(X, 2, **k),
    ):
        expected = f()
        outs = [torch.empty(t.shape, dtype=t.dtype) for t in expected]
        result = f(out=tuple(outs))
        assert type(result) is type(expected)
        for r, o, e in zip(result, outs, expected, strict=True):
            assert r is o and o.tolist() == e.tolist()


def test_overlap_with_an_operand():
    x = torch.tensor([1.0, 2.0, 3.0])
    assert torch.add(x, x, out=x) is x and x.tolist() == [2, 4, 6]
    torch.cumsum(x, 0, out=x)
    assert x.tolist() == [2, 6, 12]
    torch.matmul(torch.ones(3, 3), x, out=x)
    assert x.tolist() == [20] * 3
    memory = torch.arange(5.0)
    part, out = memory[:4], memory[1:]
    for call in (
        lambda: torch.exp(part, out=out), lambda: torch.mul(part, 2, out=out),
        lambda: torch.cumsum(part, 0, out=out), lambda: torch.lerp(part, x[:1], 0.5, out=out),
        lambda: torch.sort(part, out=(out, torch.empty(4, dtype=torch.long))),
        lambda: torch.stack([*part], out=part), lambda: torch.cat([part], out=part),
        lambda: torch.index_select(part, 0, torch.tensor([3, 2, 1, 0]), out=part),
    ):
        with pytest.raises(RuntimeError, match="single memory location"):
            call()
    assert memory.tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(RuntimeError, match="output with shape"):
        torch.mul(part, torch.ones(2, 4), out=part)


def test_dtypes():
    x = torch.tensor([1.5, 2.5])
    wide = torch.empty(2, dtype=torch.float64)
    assert torch.exp(x, out=wide).dtype == torch.float64
    np.testing.assert_allclose(wide.numpy(), np.exp([1.5, 2.5]), 1e-6)
    for out in (torch.empty(2, dtype=torch.int64), torch.empty(2, dtype=torch.bool)):
        with pytest.raises(RuntimeError, match="can't be cast to the desired output type"):
            torch.exp(x, out=out)
    with pytest.raises(TypeError, match="argument 'out' must be Tensor, not ndarray"):
        torch.exp(x, out=np.zeros(2))


def test_a_wrong_shape_is_resized_with_a_warning():
    out = torch.zeros(5)
    with pytest.warns(UserWarning, match="An output with one or more elements was resized"):
        torch.exp(X, out=out)
    assert out.shape == X.shape


def test_gradients_are_not_lost_silently():
    x = torch.ones(2, requires_grad=True)
    for call in (
        lambda: torch.exp(x, out=torch.empty(2)),
        lambda: torch.stack([x, x], out=torch.empty(2, 2)),
        lambda: torch.exp(torch.ones(2), out=torch.ones(2, requires_grad=True)),
    ):
        with pytest.raises(RuntimeError, match="don't support automatic differentiation"):
            call()
    with torch.no_grad():
        out = torch.empty(2)
        torch.exp(x, out=out)
    assert not out.requires_grad and out.tolist() == torch.exp(x).tolist()


def test_a_later_backward_notices():
    x = torch.ones(3, requires_grad=True)
    y = torch.ones(3)
    z = (x * y).sum()
    torch.exp(torch.ones(3), out=y)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()


def test_views_take_no_out():
    for name in ("reshape", "transpose", "squeeze", "unsqueeze", "flatten", "t", "permute"):
        with pytest.raises(TypeError):
            FUNCTIONS[name](X, out=torch.empty(0))


def test_sums_compute_in_the_dtype_of_out():
    x = torch.tensor([1.75, 2.75])
    for f, value in ((torch.sum, 3), (torch.prod, 2)):
        assert f(x, 0, out=torch.empty((), dtype=torch.int8)).item() == value
    for f, values in ((torch.cumsum, [1, 3]), (torch.cumprod, [1, 2])):
        assert f(x, 0, out=torch.empty(2, dtype=torch.int8)).tolist() == values
    with pytest.raises(RuntimeError, match="automatic differentiation"):
        torch.cumsum(x.requires_grad_(), 0, out=torch.empty(2, dtype=torch.int8))


def test_the_dtype_that_out_must_have():
    x, ints = torch.ones(2), torch.empty(0, dtype=torch.int64)
    doubles = torch.empty(0, dtype=torch.float64)
    for call in (
        lambda: torch.argmax(x, 0, out=torch.empty(0)),
        lambda: torch.neg(x, out=doubles),
        lambda: torch.sum(x, 0, dtype=torch.float32, out=doubles),
        lambda: torch.zeros(2, dtype=torch.float32, out=ints),
        lambda: torch.max(x, 0, out=(doubles, ints)),
        lambda: torch.clamp(x, 0, out=doubles),
        lambda: torch.t_copy(x, out=doubles),
        lambda: torch.addmv(x, torch.eye(2), x, out=doubles),
        lambda: torch.linalg.eigvalsh(torch.eye(2), out=doubles),
        lambda: torch.linalg.solve(torch.eye(2), x, out=doubles),
        lambda: torch.complex(x, x, out=torch.empty(0, dtype=torch.complex128)),
        lambda: torch.abs(x, out=doubles),
        lambda: torch.diff(x, out=doubles),
        lambda: torch.linalg.cholesky(torch.eye(2), out=doubles),
    ):
        with pytest.raises(RuntimeError, match="Expected out tensor to have dtype"):
            call()
    assert torch.sin(x, out=doubles).dtype is torch.float64  # arithmetic casts
    for f in (torch.clamp, torch.clamp_min, torch.max, torch.min):  # and so do these of tensors
        assert f(x, x, out=doubles).tolist() == [1, 1]
    assert torch.max(x, out=doubles.new_empty(())).item() == 1
    assert torch.cumsum(torch.tensor([1.5, 1.5]), 0, out=ints).tolist() == [1, 2]
    assert torch.bernoulli(x, out=ints).tolist() == [1, 1]
    assert torch.abs(torch.complex(x, x), out=doubles).tolist() == pytest.approx([2**0.5] * 2)
    for f in (torch.cat, torch.stack, torch.hstack, torch.vstack, torch.column_stack):
        with pytest.raises(TypeError, match="can't be cast"):
            f([x, x], out=ints)
    for f in (torch.cumsum, torch.cumprod):  # which compute in the dtype of out
        with pytest.raises(NotImplementedError, match="Bool"):
            f(x, 0, out=torch.empty(2, dtype=torch.bool))


def test_a_range_fills_an_out_of_another_shape():
    x = torch.zeros(2, 3)
    torch.arange(4, out=x[:, 1:])
    assert x.tolist() == [[0, 0, 1], [0, 2, 3]]


@pytest.mark.parametrize("name", ["rand", "randn"])
def test_random_numbers_fill_an_out_in_the_order_of_its_memory(name):
    torch.manual_seed(0)
    numbers = getattr(torch, name)(6)
    turned = torch.empty(3, 2).t()
    torch.manual_seed(0)
    getattr(torch, name)(2, 3, out=turned)
    assert turned.t().flatten().tolist() == numbers.tolist()


def test_random_numbers_of_tensors_fill_an_out_in_the_order_of_its_memory():
    p = torch.linspace(0.2, 0.8, 6).reshape(2, 3)
    for draw in (
        torch.bernoulli, lambda p, out=None: torch.normal(p, p, out=out),
        lambda p, out=None: torch.normal(p, 2.0, out=out),
        lambda p, out=None: torch.normal(2.0, std=p, out=out),
    ):  # fmt: skip
        torch.manual_seed(0)
        numbers = draw(p.t().contiguous())
        turned = torch.empty(3, 2).t()
        torch.manual_seed(0)
        assert draw(p, out=turned) is turned
        assert torch.equal(turned, numbers.t())


def test_truth_is_written_into_truth():
    x = torch.ones(2, 3)
    for f in (torch.all, torch.any):
        assert f(x, dim=0, out=torch.empty(3, dtype=torch.uint8)).tolist() == [1, 1, 1]
        with pytest.raises(RuntimeError, match="only supports bool tensor"):
            f(x, dim=0, out=torch.empty(3))


@pytest.mark.parametrize("name", ["complex", "polar"])
def test_complex_numbers_are_of_the_parts_precision(name):
    make, x = getattr(torch, name), torch.ones(2)
    assert torch.equal(make(x, x, out=torch.empty(2, dtype=torch.complex64)), make(x, x))
    with pytest.raises(RuntimeError, match="complex128"):
        make(x, x, out=torch.empty(2, dtype=torch.complex128))
