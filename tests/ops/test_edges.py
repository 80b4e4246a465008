"""Small things at the edges: indices that are lists, strides, kinks, many operands."""

import math
import time

import numpy as np
import pytest

import microtorch as torch
from microtorch import backends

F = torch.nn.functional


@pytest.mark.parametrize(
    "index", [[[0, 1], [0, 2]], [slice(None), 0], [0, None], [torch.tensor([1]), 2]]
)
def test_a_list_of_indices_stands_for_a_tuple(index):
    x = torch.arange(6).reshape(2, 3)
    with pytest.warns(UserWarning, match="non-tuple sequence"):
        y = x[index]
    assert y.tolist() == x[tuple(index)].tolist()
    assert x[[1, 0]].tolist() == [[3, 4, 5], [0, 1, 2]]  # one index, as ever


def test_a_list_of_numpys_numbers_is_one_index():
    x = torch.arange(6).reshape(2, 3)
    order = sorted(np.random.RandomState(0).permutation(2))
    assert x[order].tolist() == x[[0, 1]].tolist()
    assert x[[np.int64(1)] * 3].shape == (3, 3)
    assert x[[np.bool_(True), np.bool_(False)]].tolist() == [[0, 1, 2]]
    assert x[:, [np.float64(1)]].tolist() == x[:, [1.7]].tolist() == [[1], [4]]
    with pytest.raises(RuntimeError, match="overflow"):
        x[[float("nan")]]
    with pytest.warns(UserWarning, match="non-tuple sequence"):
        assert x[[range(2), range(2)]].tolist() == [0, 4]


def test_strides():
    a = np.arange(3)[::-1]
    for make in (torch.from_numpy, torch.as_tensor, torch.tensor):
        with pytest.raises(ValueError, match="negative"):
            make(a)
    assert torch.from_numpy(a.copy()).tolist() == [2, 1, 0]
    assert torch.zeros(2, 0).stride() == (1, 1) and torch.zeros(0, 3).stride() == (3, 1)
    assert torch.zeros(2, 0, 3).stride(0) == 3


def test_softplus_is_cut_off_for_good_at_its_threshold():
    x = torch.tensor([2.0, 1.9, float("nan")], requires_grad=True)
    y = F.softplus(x, beta=2, threshold=4)
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    s = 1 / (1 + np.exp(-np.array([4, 3.8])))
    np.testing.assert_allclose(g.detach().numpy()[:2], s, rtol=1e-5)
    (h,) = torch.autograd.grad(g[:2].sum(), x)
    np.testing.assert_allclose(h.numpy()[:2], [0, 2 * s[1] * (1 - s[1])], rtol=1e-4)
    assert g[2].isnan()


def test_many_operands():
    x = [torch.full((1 + i % 3,), float(i), requires_grad=True) for i in range(1500)]
    start = time.perf_counter()
    y = torch.cat(x)
    (y * torch.arange(float(y.numel()))).sum().backward()
    assert time.perf_counter() - start < 5  # it grew with the square, and a large one
    assert torch.cat([v.grad for v in x]).tolist() == list(range(y.numel()))


def test_integers_where_pytorch_takes_them():
    x = torch.tensor([[[1, 2, 3, 5]]])
    assert F.conv1d(x, torch.tensor([[[1, 1]]])).tolist() == [[[3, 5, 8]]]
    assert F.avg_pool1d(x, 2).tolist() == [[[1, 4]]]
    assert F.avg_pool1d(-x, 2).tolist() == [[[-1, -4]]]
    assert F.hardtanh(x, -2.5, 2.5).tolist() == [[[1, 2, 2, 2]]]
    with pytest.raises(NotImplementedError):
        F.conv1d(x.bool(), x.bool()[:, :, :2])


def test_bias_of_a_layer_under_create_graph():
    """Its second derivative is 0 and not absent: PyTorch's nodes give all gradients together."""
    x, w = torch.rand(2, 3, 5, requires_grad=True), torch.rand(4, 3, 2, requires_grad=True)
    b = torch.rand(4, requires_grad=True)
    (g,) = torch.autograd.grad(F.conv1d(x, w, b).sum(), b, create_graph=True)
    (second,) = torch.autograd.grad(g.sum(), x)
    assert g.requires_grad and not second.any()


# ---- numbers and the dtype they are for ----------------------------------------------------------
MASK = torch.tensor([True, False])
HALVES = torch.tensor([1.0, 2.0]).half()
WHOLE = torch.tensor([1, 2], dtype=torch.int8)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: torch.add(MASK, 1.5, alpha=True), RuntimeError),
        (lambda: torch.add(MASK, MASK, alpha=2.5), RuntimeError),
        (lambda: torch.sub(MASK.int(), True, alpha=2), RuntimeError),
        (lambda: torch.rsub(MASK, 1, alpha=2), RuntimeError),
        (lambda: torch.add(HALVES, HALVES, alpha=1j), RuntimeError),
        (lambda: torch.add(HALVES, HALVES, alpha=1e6), RuntimeError),
        (lambda: torch.sub(WHOLE, WHOLE, alpha=300), RuntimeError),
        (lambda: torch.add(WHOLE, 1, alpha=300), RuntimeError),
        (lambda: torch.ones(2).add_(torch.ones(2), alpha=1e39), RuntimeError),
        (lambda: torch.addcmul(*[torch.ones(2)] * 3, value=1e39), RuntimeError),
        (lambda: torch.addr(WHOLE, WHOLE, WHOLE, alpha=300), RuntimeError),
        (lambda: torch.addmm(*[torch.ones(2, 2)] * 3, beta=1e39), RuntimeError),
        (lambda: MASK**-1, RuntimeError),
        (lambda: HALVES**1e6, RuntimeError),
        (lambda: HALVES.clamp(max=1e6), RuntimeError),
        (lambda: torch.nn.functional.threshold(HALVES, 1, 1e6), RuntimeError),
        (lambda: torch.addcmul(HALVES, HALVES, HALVES, value=1j), RuntimeError),
        (lambda: torch.full((2,), [3.0]), TypeError),
        (lambda: torch.full((2,), 10**39), OverflowError),
        (lambda: HALVES.clone().__setitem__(MASK, 10**19), ValueError),
        (lambda: HALVES.clone().__setitem__(MASK.to(torch.uint8), 1), RuntimeError),
        (lambda: torch.nn.functional.kl_div(HALVES.float(), MASK.int()), RuntimeError),
        (lambda: torch.ldexp(HALVES, MASK), NotImplementedError),
        (lambda: torch.ones(1).addbmm_(torch.ones(2, 5, 3), torch.ones(2, 3, 10)), RuntimeError),
    ],
)
@pytest.mark.filterwarnings("ignore:indexing with dtype torch.uint8")
def test_numbers_that_are_refused(call, error):
    with pytest.raises(error):
        call()


@pytest.mark.filterwarnings("ignore:overflow")
def test_numbers_that_are_taken():
    assert torch.add(MASK, True, alpha=2).tolist() == [True, True]
    assert torch.add(HALVES, torch.tensor([1, 2]), alpha=2.5).dtype is torch.float16
    x = HALVES.clone()
    x[MASK] = 1e6
    assert x.tolist() == [math.inf, 2.0]
    assert torch.add(torch.ones(2), 1, alpha=math.inf).tolist() == [math.inf] * 2
    assert (WHOLE.short() ** 1e6).tolist() == [1, math.inf]
    assert torch.where(MASK, HALVES, 1e6).tolist() == [1.0, math.inf]
    assert (torch.ones(1).double() * 10**19).item() == 1e19
    assert torch.tensor(10**19, dtype=torch.double).item() == 1e19
    assert torch.full((1,), math.nan, dtype=torch.bool).item() is True
    with pytest.raises(TypeError):
        torch.tensor(1 + 1j, dtype=torch.float16)


def test_operands_are_promoted_before_they_are_multiplied():
    x, third = torch.zeros(1, dtype=torch.float64), torch.full((1,), 3.0)
    bytes_ = torch.tensor([200], dtype=torch.uint8)
    for value in (1, 2):
        assert torch.addcmul(WHOLE[:1].short(), bytes_, bytes_, value=value).item() == (
            (40000 * value + 1 + 2**15) % 2**16 - 2**15
        )
        assert torch.addcdiv(x, torch.ones(1), third, value=value).item() == value / 3
        assert torch.addcmul(x, 1 / third, third, value=value).item() == pytest.approx(value, 1e-7)


def test_ldexp_of_a_power_that_is_not_held():
    x = torch.tensor([1e-30, 1e30, 0.0], requires_grad=True)
    y = torch.ldexp(x, torch.tensor([150, -150, 200]))
    assert torch.allclose(y, torch.tensor([1e-30 * 2.0**150, 1e30 * 2.0**-150, 0]), rtol=1e-6)
    small = torch.ldexp(torch.tensor([2.0**-20]).half(), torch.tensor([20]))
    assert small.item() == 1 and small.dtype == torch.float16
    z = torch.ldexp(x, torch.tensor([3, -4, 5], dtype=torch.int8)).sum()
    assert torch.autograd.grad(z, x)[0].tolist() == [8, 2**-4, 32]


@pytest.mark.parametrize("backend", ["reference", "core"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_a_choice_of_two_numbers_has_the_dtype_of_the_tensor(backend, dtype, require):
    if backend == "core":
        require("core")
    before = backends.current()
    backends.use(backend)
    try:
        for x in (torch.tensor([1.0, math.nan, math.inf], dtype=dtype), torch.ones(0, dtype=dtype)):
            assert x.nan_to_num(2.0, 3.0, 4.0).dtype == dtype
            assert x.nan_to_num(2.0, 3.0, 4.0).tolist() == [1.0, 2.0, 3.0][: len(x)]
    finally:
        backends.use(before)


def test_no_differences_are_those_of_the_tensor_alone():
    x, more = torch.arange(6.0).view(3, 2), torch.zeros(2, 2)
    assert torch.equal(torch.diff(x, 0, 0, more, more), x)
    assert torch.equal(torch.diff(x, 0, 9), x)
    with pytest.raises(RuntimeError, match="to match that of input"):
        torch.diff(x, 0, 0, more[0])
    assert torch.diff(x, 1, 0, more, more).shape == (6, 2)
