"""Backward of many views of one tensor: each gradient is added where its view lies."""
import numpy as np
import pytest

import microtorch as torch


def pieces(x):
    """Views that overlap, of one and several dimensions, each used once or twice."""
    return [x[0], x[1:3], x[:, 1], x[2, 2], x[1:3], x[..., 0], *x.unbind(0), *x.split(2, 1)]


def loss(views):
    return sum((i + 1) * (v * v).sum() for i, v in enumerate(views))


@pytest.mark.parametrize("more", [False, True])
def test_as_if_each_had_zeros_of_its_own(more):
    start = np.random.default_rng(0).normal(size=(4, 5))
    x = torch.tensor(start, requires_grad=True)
    y = x * 1 if more else x  # a leaf, and what is none
    total = loss(pieces(y)) + ((y * 3).sum() if more else 0)
    total.backward()
    expected = np.zeros_like(start) + 3 * more
    places = [0, slice(1, 3), (slice(None), 1), (2, 2), slice(1, 3), (slice(None), 0), *range(4),
              *((slice(None), slice(i, i + 2)) for i in (0, 2, 4))]  # fmt: skip
    for i, place in enumerate(places):
        expected[place] += 2 * (i + 1) * start[place]
    np.testing.assert_allclose(x.grad.numpy(), expected, 1e-12)
    assert torch.autograd.gradgradcheck(lambda a: loss(pieces(a)), torch.tensor(
        start, requires_grad=True))  # fmt: skip


def test_what_hooks_and_retained_gradients_hold_stays():
    x = torch.ones(4, requires_grad=True)
    y = x * 2
    y.retain_grad()
    seen = []
    parts = [y[i : i + 2] for i in range(3)]
    parts[1].register_hook(lambda g: seen.append(g) or g * 10)
    torch.stack([p.sum() for p in parts]).sum().backward()
    assert [g.tolist() for g in seen] == [[1, 1]]
    assert y.grad.tolist() == [1, 11, 11, 1] and x.grad.tolist() == [2, 22, 22, 2]


def test_seeds_and_shared_gradients_are_not_written():
    x = torch.zeros(3, requires_grad=True)
    y = x + 0
    seed = torch.ones(3)
    torch.autograd.backward([y, y[0], y[1:]], [seed, torch.ones(()), torch.ones(2)])
    assert seed.tolist() == [1, 1, 1] and x.grad.tolist() == [2, 2, 2]
    a, b = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    s = a + 0
    both = (s + b).sum() + s[0] + s[2]  # s and b are given one array
    ga, gb = torch.autograd.grad(both, (a, b))
    assert ga.tolist() == [2, 1, 2] and gb.tolist() == [1, 1, 1]


def test_each_of_a_thousand():
    x = torch.arange(3000.0).reshape(1000, 3).requires_grad_()
    torch.cat(x.unbind(0)).square().sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * x.detach().numpy())
    kinds = {type(v.grad_fn).__name__ for v in x.unbind(0)}
    assert kinds == {"UnbindBackward0"}


def test_writes_to_elements_are_dated_and_checked():
    a, v = torch.zeros(3, 4), torch.ones(4)
    before = a._version
    a[1] = v
    a[0, 2] = 5.0
    a[:, 3] = 7
    assert a._version == before + 3
    assert a.tolist() == [[0, 0, 5, 7], [1, 1, 1, 7], [0, 0, 0, 7]]
    w = torch.ones(4, requires_grad=True)
    out = (w * a[1]).sum()
    a[1] = v
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()
    with pytest.raises(IndexError):
        a[3] = 1.0
    with pytest.raises(RuntimeError, match="does not fit"):
        a[0] = torch.ones(3)
    with pytest.raises(RuntimeError, match="refer to a single memory location"):
        a[1:] = a[:-1]
    with pytest.raises(RuntimeError):
        a[0, 0] = 1e300
    a[1] = w  # from here on a gradient flows
    a[0, 0] = 2.0
    a.sum().backward()
    assert w.grad.tolist() == [1, 1, 1, 1]
