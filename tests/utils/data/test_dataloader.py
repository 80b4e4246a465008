"""DataLoader; orders recorded from PyTorch 2.13 (CPU)."""

import pytest
from small_data import Count, Squares, lists

import microtorch as torch
from microtorch import nn
from microtorch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    random_split,
)


def test_shuffled_batches():
    torch.manual_seed(0)
    loader = DataLoader(
        TensorDataset(torch.arange(10), torch.arange(10.0) * 0.5), batch_size=4, shuffle=True
    )
    epochs = [[x.tolist() for x, _ in loader] for _ in range(3)]
    assert epochs == [
        [[6, 7, 1, 4], [2, 0, 9, 8], [3, 5]],
        [[2, 4, 7, 0], [8, 9, 5, 3], [6, 1]],
        [[7, 4, 5, 1], [9, 3, 8, 2], [0, 6]],
    ]
    assert torch.rand(1).item() == pytest.approx(0.022325754, rel=1e-7)
    assert len(loader) == 3


def test_shuffle_with_a_generator():
    torch.manual_seed(7)
    generator = torch.Generator().manual_seed(11)
    loader = DataLoader(range(7), batch_size=3, shuffle=True, generator=generator, drop_last=True)
    assert [lists(loader) for _ in range(2)] == [[[0, 6, 5], [1, 3, 2]], [[4, 0, 5], [1, 3, 2]]]
    assert torch.rand(1).item() == pytest.approx(0.53492254, rel=1e-7)
    assert torch.rand(1, generator=generator).item() == pytest.approx(0.26217389, rel=1e-7)


def test_a_pass_draws_its_seed_at_once():
    torch.manual_seed(1)
    list(DataLoader(range(5)))
    assert torch.rand(1).item() == pytest.approx(0.40306926, rel=1e-7)
    torch.manual_seed(2)
    batches = iter(DataLoader(range(5), shuffle=True))
    assert torch.rand(1).item() == pytest.approx(0.63711435, rel=1e-7)
    assert [batch.item() for batch in batches] == [2, 4, 3, 0, 1]


def test_training_follows_pytorch():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 3))
    inputs, target = torch.randn(32, 4), torch.randint(0, 3, (32,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for _ in range(2):
        for x, y in DataLoader(TensorDataset(inputs, target), batch_size=10, shuffle=True):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    expected = [1.189896, 1.040202, 0.972988, 1.543223, 1.06334, 1.12259, 1.109023, 1.070769]
    assert losses == pytest.approx(expected, abs=2e-6)


def test_batches():
    assert list(BatchSampler(SequentialSampler(range(5)), 2, False)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(SequentialSampler(range(5)), 2, True)) == [[0, 1], [2, 3]]
    assert len(BatchSampler(range(5), 2, False)) == 3 and len(BatchSampler(range(5), 2, True)) == 2
    x, squares = next(iter(DataLoader(Squares(), batch_size=3)))
    assert (
        x.tolist() == [0.0, 1.0, 2.0]
        and squares.dtype is torch.int64
        and squares.tolist() == [0, 1, 4]
    )
    assert list(DataLoader([1, 2], batch_size=None)) == [1, 2]
    assert lists(DataLoader(range(4), batch_sampler=[[0, 3], [1]])) == [[0, 3], [1]]
    assert lists(DataLoader(range(4), sampler=[3, 1], batch_size=2)) == [[3, 1]]
    assert list(DataLoader(range(4), batch_size=2, collate_fn=sum)) == [1, 5]
    assert len(DataLoader(range(5), batch_size=None)) == 5


def test_whole_batches_equal_collated_samples():
    data = TensorDataset(torch.arange(12.0).reshape(6, 2), torch.arange(6))
    fast = next(iter(DataLoader(data, batch_size=4)))
    slow = default_collate([data[i] for i in range(4)])
    assert type(fast) is type(slow) is list
    for a, b in zip(fast, slow, strict=True):
        assert torch.equal(a, b) and a.dtype is b.dtype
    fast[0].zero_()
    assert data.tensors[0][0].tolist() == [0.0, 1.0] and data.tensors[0][1].tolist() == [2.0, 3.0]


def test_a_sampler_of_lists():
    """Each list is one index: the samples that it picks are collated once more."""
    data = TensorDataset(torch.arange(6))
    threes = BatchSampler(SequentialSampler(data), 3, False)
    assert [b.tolist() for (b,) in DataLoader(data, sampler=threes)] == [[[0, 1, 2]], [[3, 4, 5]]]


def test_streams():
    assert lists(DataLoader(Count(), batch_size=2)) == [[0, 1], [2, 3], [4]]
    assert lists(DataLoader(Count(), batch_size=2, drop_last=True)) == [[0, 1], [2, 3]]
    assert list(DataLoader(Count(), batch_size=None)) == [0, 1, 2, 3, 4]
    with pytest.raises(TypeError, match="has no len"):
        len(DataLoader(Count()))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: TensorDataset(torch.zeros(3), torch.zeros(2)),
            AssertionError,
            r"(?s)Size mismatch.*\[3, 2\]",
        ),
        (
            lambda: DataLoader([1], shuffle=True, sampler=[0]),
            ValueError,
            "mutually exclusive with shuffle",
        ),
        (
            lambda: DataLoader([1], batch_size=2, batch_sampler=[[0]]),
            ValueError,
            "batch_sampler option is mutually",
        ),
        (
            lambda: DataLoader([1], batch_size=None, drop_last=True),
            ValueError,
            "disables auto-batching",
        ),
        (
            lambda: DataLoader([1], batch_size=0),
            ValueError,
            "positive integer value, but got batch_size=0",
        ),
        (lambda: DataLoader([1], num_workers=-1), ValueError, "should be non-negative"),
        (lambda: DataLoader([1], prefetch_factor=2), ValueError, "num_workers > 0"),
        (lambda: iter(DataLoader([1], timeout=1)), AssertionError, "timeout == 0"),
        (lambda: DataLoader([], shuffle=True), ValueError, "but got num_samples=0"),
        (
            lambda: DataLoader(Count(), shuffle=True),
            ValueError,
            "unspecified shuffle option, but got shuffle=True",
        ),
        (lambda: DataLoader(Count(), sampler=[1]), ValueError, "unspecified sampler option"),
        (lambda: setattr(DataLoader([1]), "batch_size", 3), ValueError, "should not be set after"),
        (lambda: list(DataLoader([object()])), TypeError, "found <class 'object'>"),
        (lambda: default_collate([(1, 2), (3,)]), RuntimeError, "should be of equal size"),
        (lambda: default_collate([torch.zeros(2), torch.zeros(3)]), RuntimeError, "stack"),
        (
            lambda: random_split(range(10), [5, 4]),
            ValueError,
            "Sum of input lengths does not equal",
        ),
        (
            lambda: random_split(range(10), [-0.5, 1.5]),
            ValueError,
            "index 0 is not between 0 and 1",
        ),
        (lambda: ConcatDataset([]), AssertionError, "empty iterable"),
        (lambda: ConcatDataset([[1]])[-2], ValueError, "should not exceed dataset length"),
        (lambda: ConcatDataset([[1]])[1], IndexError, "out of range"),
        (lambda: Dataset()[0], NotImplementedError, "should implement __getitem__"),
        (lambda: iter(Sampler()), NotImplementedError, "__iter__"),
        (
            lambda: RandomSampler([1], replacement=3),
            TypeError,
            "boolean value, but got replacement=3",
        ),
        (lambda: WeightedRandomSampler([1.0], 0), ValueError, "num_samples should be a positive"),
    ],
)
def test_mistakes(call, error, text):
    with pytest.raises(error, match=text):
        call()
