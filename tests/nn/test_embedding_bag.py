"""EmbeddingBag against loops over bags; renormalised rows; gradients by frequency; mistakes."""

import numpy as np
import pytest

import microtorch as torch
from microtorch import autograd, nn
from microtorch.nn import functional as F

TABLE = np.random.default_rng(0).standard_normal((6, 3))
INDEX = np.array([1, 4, 4, 0, 5, 2, 2])
OFFSETS = np.array([0, 2, 2, 6])  # the second bag is empty
REDUCE = {"sum": np.sum, "mean": np.mean, "max": np.max}


def table():
    return torch.tensor(TABLE, requires_grad=True)


def expected(mode, bags):
    rows = [TABLE[b] for b in bags]
    return np.array([REDUCE[mode](r, 0) if len(r) else np.zeros(3) for r in rows])


@pytest.mark.parametrize("mode", REDUCE)
def test_bags_at_offsets(mode):
    index, offsets = torch.tensor(INDEX), torch.tensor(OFFSETS)
    out = F.embedding_bag(index, table(), offsets, mode=mode)
    bags = np.split(INDEX, OFFSETS[1:])
    np.testing.assert_allclose(out.detach().numpy(), expected(mode, bags))
    assert out.grad_fn.name() == "EmbeddingBagBackward0"
    out = F.embedding_bag(index, table(), offsets, mode=mode, include_last_offset=True)
    np.testing.assert_allclose(out.detach().numpy(), expected(mode, bags[:3]))
    out = F.embedding_bag(index, table(), offsets, mode=mode, padding_idx=-2)
    np.testing.assert_allclose(
        out.detach().numpy(), expected(mode, [b[b != 4] for b in bags])
    )


@pytest.mark.parametrize("mode", REDUCE)
@pytest.mark.parametrize("padding", [None, 4])
def test_bags_of_equal_length(mode, padding):
    index = INDEX[:6].reshape(2, 3)
    layer = nn.EmbeddingBag(6, 3, mode=mode, _weight=torch.tensor(TABLE), padding_idx=padding)
    out = layer(torch.tensor(index, dtype=torch.int32))
    np.testing.assert_allclose(
        out.detach().numpy(), expected(mode, [b[b != padding] for b in index])
    )


@pytest.mark.parametrize("mode", REDUCE)
def test_derivatives(mode):
    index, offsets = torch.tensor(INDEX), torch.tensor(OFFSETS)

    def bag(weight):
        return F.embedding_bag(index, weight, offsets, mode=mode)

    assert autograd.gradcheck(bag, table())
    assert autograd.gradgradcheck(lambda w: bag(w) ** 2, table(), atol=1e-4)


def test_weights_of_samples():
    index = torch.tensor(INDEX[:6].reshape(2, 3))
    scale = torch.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    out = F.embedding_bag(index, table(), mode="sum", per_sample_weights=scale)
    rows = TABLE[index.numpy()] * np.arange(6.0).reshape(2, 3, 1)
    np.testing.assert_allclose(out.detach().numpy(), rows.sum(1))
    assert autograd.gradcheck(
        lambda w, s: F.embedding_bag(index, w, mode="sum", per_sample_weights=s), [table(), scale]
    )


@pytest.mark.parametrize("order", [1.0, 2.0, float("inf")])
def test_max_norm_shortens_rows_in_place(order):
    weight = table()
    F.embedding(torch.tensor([[1, 4], [4, 0]]), weight, max_norm=1.0, norm_type=order)
    after = weight.detach().numpy()
    norms = np.linalg.norm(TABLE, order, 1)
    for i, norm in enumerate(norms):
        factor = 1 / (norm + 1e-7) if i in (0, 1, 4) and norm > 1 else 1
        np.testing.assert_allclose(after[i], TABLE[i] * factor, rtol=1e-6)


def test_scaled_by_frequency():
    """Each row's gradient is divided by how often the row is read: 2, 1 and 3 times."""
    index, g = torch.tensor([[1, 4, 1], [4, 4, 0]]), torch.ones(2, 3, 3, dtype=torch.float64)
    weight = table()
    F.embedding(index, weight, scale_grad_by_freq=True).backward(g)
    np.testing.assert_allclose(weight.grad.numpy()[[0, 1, 4]], 1.0)
    weight = table()
    F.embedding_bag(index, weight, mode="sum", scale_grad_by_freq=True).sum().backward()
    np.testing.assert_allclose(weight.grad.numpy()[[0, 1, 4]], 1.0)
    assert weight.grad.numpy()[[2, 3, 5]].sum() == 0


def test_the_layer():
    torch.manual_seed(0)
    bag = nn.EmbeddingBag(5, 2, padding_idx=-1, mode="max", max_norm=2.0)
    assert repr(bag) == "EmbeddingBag(5, 2, max_norm=2.0, mode='max', padding_idx=4)"
    assert bag.weight[4].tolist() == [0, 0] and list(bag.state_dict()) == ["weight"]
    frozen = nn.EmbeddingBag.from_pretrained(torch.ones(3, 2), mode="sum")
    assert not frozen.weight.requires_grad
    assert frozen(torch.tensor([[0, 2]])).tolist() == [[2, 2]]


def run(*args, **settings):
    return lambda: F.embedding_bag(*args, **settings)


TWO, W = torch.tensor([1, 2]), torch.zeros(3, 2)
START = torch.tensor([0])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (run(TWO, W), ValueError, "offsets has to be a 1D Tensor but got None"),
        (run(TWO[None], W, START), ValueError, "offsets has to be None"),
        (run(TWO, W[0], START), ValueError, "weight has to be a 2D Tensor"),
        (run(TWO[None, None], W), ValueError, "input has to be 1D or 2D Tensor"),
        (run(TWO, W, START, mode="min"), ValueError, "mode has to be one of sum, mean or max"),
        (run(TWO, W, START + 1), RuntimeError, r"offsets\[0\] has to be 0"),
        (run(TWO, W, torch.tensor([0, 5])), RuntimeError, "greater than input's length"),
        (run(TWO, W, START, per_sample_weights=W[0]), NotImplementedError, "mode='sum'"),
        (run(TWO, W, START, mode="sum", per_sample_weights=W), ValueError, "same shape as"),
        (run(TWO, W, START, mode="max", scale_grad_by_freq=True), ValueError, "frequency"),
        (lambda: nn.EmbeddingBag(3, 2, padding_idx=3), AssertionError, "within num_embeddings"),
    ],
)
def test_mistakes_are_explained(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_rows_of_no_width_and_numbers_that_are_no_rows():
    for sparse in (False, True):
        for index in ([], [[0, 2], [1, 1]]):
            table = nn.Embedding(10, 0, sparse=sparse)
            table(torch.tensor(index, dtype=torch.int64)).sum().backward()
            assert table.weight.grad.shape == (10, 0)
    weight = torch.ones(4, 3)
    for padding in (-5, 4):
        with pytest.raises(RuntimeError, match="within the number of embeddings"):
            F.embedding_bag(torch.tensor([[0, 1]]), weight, padding_idx=padding)
    with pytest.raises(RuntimeError, match="out of range"):
        F.embedding_bag(torch.tensor([[0, 9]]), weight)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_empty_bags_have_a_gradient_of_zeros(mode):
    bags = nn.EmbeddingBag(4, 3, mode=mode)
    bags(torch.tensor([], dtype=torch.long), torch.tensor([0, 0])).sum().backward()
    assert bags.weight.grad.eq(0).all()
