"""What is drawn, compared or left empty stays on the graph: the gradient is 0, and not None."""
import pytest

import microtorch as torch

DRAWN = {
    "PoissonBackward0": lambda x: torch.poisson(x),
    "NormalBackward1": lambda x: torch.normal(x, 1.0),
    "NormalBackward2": lambda x: torch.normal(0.5, x),
    "NormalBackward3": lambda x: torch.normal(x, torch.ones(2, 3)),
    "BernoulliBackward0": lambda x: torch.bernoulli(x),
    "BernoulliBackward1": lambda x: torch.zeros(3).bernoulli_(x),
    "BernoulliBackward2": lambda x: (x * 1).bernoulli_(0.5),
    "UniformBackward0": lambda x: (x * 1).uniform_(),
    "RandomBackward1": lambda x: (x * 1).random_(3),
    "ExponentialBackward0": lambda x: (x * 1).exponential_(),
}


@pytest.mark.parametrize("name", DRAWN)
def test_draws(name):
    x = torch.tensor([0.2, 0.5, 0.9], requires_grad=True)
    y = DRAWN[name](x)
    assert y.grad_fn.name() == name
    y.sum().backward()
    assert x.grad.tolist() == [0, 0, 0]


@pytest.mark.parametrize("draw", [lambda x: torch.binomial(x * 3, x), lambda x: x.bernoulli(0.5)])
def test_draws_without_a_derivative_say_so(draw):
    y = draw(torch.tensor([0.2, 0.5], requires_grad=True))
    assert y.grad_fn.name() == "torch::autograd::NotImplemented"
    with pytest.raises(RuntimeError, match="not implemented"):
        y.sum().backward()


@pytest.mark.parametrize("name", ["gt_", "eq_", "le_", "ne_", "logical_and_", "logical_xor_"])
def test_comparisons_in_place(name):
    x = torch.tensor([0.2, 0.5], requires_grad=True)
    y = torch.tensor([0.3, 0.1], requires_grad=True)
    t = x * 1
    expected = getattr(torch, name[:-1])(x, y).float()
    assert getattr(t, name)(y) is t and t.tolist() == expected.tolist()
    v = x * 1
    getattr(v[:1], name)(y[:1])
    (t.sum() + v.sum()).backward()
    assert x.grad.tolist() == [0, 1]
    assert name.startswith("logical") or y.grad.tolist() == [0, 0]
    whole = getattr(torch.zeros(2, dtype=torch.int64), name)(x)  # tests/handles/test_whole.py
    assert whole.requires_grad == (not name.startswith("logical"))


def test_comparisons_take_out_and_tensors_only():
    x = torch.tensor([0.2, 0.5], requires_grad=True)
    assert torch.gt(x, 0.3, out=torch.empty(2)).tolist() == [0, 1]
    assert torch.bernoulli(torch.ones(2), out=torch.empty(2)).tolist() == [1, 1]
    for wrong in (lambda: torch.logical_or(x, 1j), lambda: x.detach().logical_and_(1.0)):
        with pytest.raises(TypeError):
            wrong()


@pytest.mark.parametrize("write", [
    lambda x, s, i: x.scatter(0, i, s), lambda x, s, i: x.scatter_add(0, i, s),
    lambda x, s, i: x.scatter_reduce(0, i, s, "prod"),
    lambda x, s, i: x.index_reduce(0, i[:, 0], s, "amax"),
])  # fmt: skip
def test_of_nothing_written(write):
    x, s = torch.ones(2, 3, requires_grad=True), torch.ones(0, 3, requires_grad=True)
    write(x, s, torch.zeros(0, 3, dtype=torch.int64)).sum().backward()
    assert x.grad.sum() == 6 and s.grad.shape == (0, 3)


def test_what_pytorch_keeps():
    x = torch.tensor([0.2, 0.5], requires_grad=True)
    for f in (torch.sinc, torch.erfinv):  # here the result is read, and computed again
        y = f(x)
        (expected,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
        y.zero_()
        y = f(x * 1)
        y.mul_(3)
        y.sum().backward()
        torch.testing.assert_close(x.grad, 3 * expected)
        x.grad = None
    a, b = x * 1, x * 2
    z = torch.polar(a, b)
    a.zero_()
    z.real.sum().backward()
    half = x.half()
    half.addcmul_(half, half)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        half.sum().backward()


def test_comparisons_of_complex_numbers_in_place():
    x = torch.ones(2, dtype=torch.complex64, requires_grad=True)
    y = x * 1
    y.eq_(torch.ones(2))
    y.abs().sum().backward()
    assert y.tolist() == [1, 1] and x.grad.tolist() == [0, 0]


def test_of_distinct_elements_there_is_no_derivative():
    with pytest.raises(NotImplementedError):
        torch.ones(2, requires_grad=True).unique().sum().backward()
