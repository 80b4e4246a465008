"""Embedding: against PyTorch's record, the padding row, derivatives, messages."""

import golden
import numpy as np
import pytest
from golden import trained

import microtorch as torch
from microtorch import autograd, nn
from microtorch.nn import functional as F


def layer(*args, tokens=((1, 3, 1), (0, 4, 3)), **settings):
    return lambda torch: trained(torch, torch.nn.Embedding(*args, **settings), torch.tensor(tokens))


CASES = {
    "plain": layer(5, 3),
    "padding": layer(5, 3, padding_idx=3),
    "padding from the end": layer(5, 3, padding_idx=-1),
    "one token": layer(5, 20, tokens=4),
    "sequence": layer(9, 2, tokens=(8, 8, 8, 2)),
    "pretrained": lambda torch: [
        torch.nn.Embedding.from_pretrained(torch.randn(4, 3))(torch.tensor([0, 3]))
    ],
}


@pytest.mark.parametrize("name", CASES)
def test_layers_compute_what_pytorch_computes(name):
    golden.check(f"test_embedding:{name}", CASES[name])


def test_padding_row():
    table = nn.Embedding(4, 2, padding_idx=1)
    assert table.weight[1].tolist() == [0.0, 0.0]
    table(torch.tensor([1, 1, 2])).sum().backward()
    assert table.weight.grad.tolist() == [[0.0, 0.0], [0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
    assert repr(table) == "Embedding(4, 2, padding_idx=1)"
    frozen = nn.Embedding.from_pretrained(torch.ones(3, 2))
    assert not frozen.weight.requires_grad and frozen(torch.tensor(2)).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
def test_gradient_is_the_sum_over_places(dtype):
    rng = np.random.default_rng(0)
    for shape in ((), (0,), (7,), (4, 5, 6)):
        index, w = rng.integers(0, 6, shape), rng.standard_normal((6, 3))
        weight = torch.tensor(w, requires_grad=True)
        out = F.embedding(torch.tensor(index, dtype=dtype), weight)
        assert out.shape == (*shape, 3) and np.array_equal(out.detach().numpy(), w[index])
        g = rng.standard_normal((*shape, 3))
        expected = np.zeros((6, 3))
        np.add.at(expected, index, g)
        (found,) = autograd.grad(out, weight, torch.tensor(g))
        assert np.allclose(found.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("padding", [None, 1])
def test_derivatives(padding):
    torch.manual_seed(1)
    index = torch.tensor([[1, 3], [0, 3]])
    w = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    if padding is None:
        assert autograd.gradcheck(lambda w: F.embedding(index, w), [w])
        assert autograd.gradgradcheck(lambda w: F.embedding(index, w) ** 3, [w], atol=1e-4)
    else:  # the padding row's gradient is 0 by decree: only the second derivative can be compared

        def gradient(g):
            return autograd.grad(F.embedding(index, w, padding), w, g, create_graph=True)[0]

        g = torch.randn(2, 2, 2, dtype=torch.float64, requires_grad=True)
        assert autograd.gradcheck(gradient, [g]) and gradient(g)[1].abs().sum().item() == 0


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: nn.Embedding(4, 2)(torch.tensor([1, 4])),
            IndexError,
            r"index out of range in self[\s\S]*row 4 of a table of 4 rows[\s\S]*at least 5",
        ),
        (lambda: nn.Embedding(4, 2)(torch.tensor([-1])), IndexError, "index out of range in self"),
        (
            lambda: nn.Embedding(4, 2)(torch.tensor([1.0])),
            RuntimeError,
            r"scalar types: Long, Int; but got Float[\s\S]*input.long",
        ),
        (
            lambda: nn.Embedding(4, 2, padding_idx=4),
            AssertionError,
            "Padding_idx must be within num_embeddings",
        ),
        (lambda: nn.Embedding(4, 2, _weight=torch.zeros(3, 2)), AssertionError, "does not match"),
        (lambda: nn.Embedding.from_pretrained(torch.zeros(3)), AssertionError, "2-dimensional"),
        (lambda: F.embedding(torch.tensor(1), torch.zeros(3)), RuntimeError, "2-D"),
    ],
)
def test_messages(call, error, text):
    with pytest.raises(error, match=text):
        call()
