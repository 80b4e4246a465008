"""Padded and packed sequences, and recurrent layers along them.

The reference for a layer is the layer itself, run on each sequence alone.
"""

import pytest

import microtorch as torch
from microtorch import nn
from microtorch.nn.utils import rnn

LENGTHS = [2, 5, 2, 4]


def sequences(*lengths, features=3, dtype=torch.float64):
    torch.manual_seed(0)
    return [torch.randn(n, features, dtype=dtype) for n in lengths]


@pytest.mark.parametrize("hidden", [4, 40])  # composed of ops, and one node
@pytest.mark.parametrize(("layers", "both"), [(1, False), (1, True), (2, True)])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_a_packed_batch_is_its_sequences_one_by_one(kind, layers, both, hidden):
    torch.manual_seed(1)
    layer = kind(3, hidden, layers, bidirectional=both).double()
    parts = sequences(*LENGTHS)
    packed = rnn.pack_sequence(parts, enforce_sorted=False)
    start = torch.randn(layers * (1 + both), len(parts), hidden, dtype=torch.float64)
    start.requires_grad_()
    hx = (start, start * 0.5) if kind is nn.LSTM else start
    out, last = layer(packed, hx)
    assert isinstance(out, rnn.PackedSequence)
    last = last if kind is nn.LSTM else (last,)
    loss = (out.data**2).sum() + sum((h**3).sum() for h in last)
    gradients = torch.autograd.grad(loss, [start, *layer.parameters()])
    expected = torch.zeros(())
    for i, (part, found) in enumerate(zip(parts, rnn.unpack_sequence(out), strict=True)):
        one = start[:, i : i + 1]
        o, h = layer(part.unsqueeze(1), (one, one * 0.5) if kind is nn.LSTM else one)
        h = h if kind is nn.LSTM else (h,)
        assert torch.allclose(o.squeeze(1), found, atol=1e-12)
        for mine, theirs in zip(last, h, strict=True):
            assert torch.allclose(mine[:, i], theirs[:, 0], atol=1e-12)
        expected = expected + (o**2).sum() + sum((x**3).sum() for x in h)
    for g, want in zip(
        gradients, torch.autograd.grad(expected, [start, *layer.parameters()]), strict=True
    ):
        assert torch.allclose(g, want, atol=1e-10)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_packing_and_back(batch_first, shape):
    torch.manual_seed(0)
    parts = [torch.randn(n, *shape) for n in LENGTHS]
    padded = rnn.pad_sequence(parts, batch_first, padding_value=7.0)
    assert padded.shape == ((4, 5, *shape) if batch_first else (5, 4, *shape))
    packed = rnn.pack_padded_sequence(padded, LENGTHS, batch_first, enforce_sorted=False)
    assert packed.batch_sizes.tolist() == [4, 4, 2, 2, 1]
    assert packed.sorted_indices.tolist() == [1, 3, 0, 2]
    assert packed.unsorted_indices.tolist() == [2, 0, 3, 1]
    back, lengths = rnn.pad_packed_sequence(packed, batch_first, 7.0)
    assert torch.equal(back, padded) and lengths.tolist() == LENGTHS
    longer, _ = rnn.pad_packed_sequence(packed, batch_first, total_length=9)
    assert longer.shape[1 if batch_first else 0] == 9
    for part, found in zip(parts, rnn.unpack_sequence(packed), strict=True):
        assert torch.equal(part, found)
    for part, found in zip(
        parts, rnn.unpad_sequence(padded, torch.tensor(LENGTHS), batch_first), strict=True
    ):
        assert torch.equal(part, found)


def test_pad_sequence():
    a, b = torch.tensor([1, 2, 3]), torch.tensor([4])
    assert rnn.pad_sequence([a, b]).tolist() == [[1, 4], [2, 0], [3, 0]]
    left = rnn.pad_sequence([a, b], batch_first=True, padding_value=-1, padding_side="left")
    assert left.tolist() == [[1, 2, 3], [-1, -1, 4]] and left.dtype is torch.int64
    assert rnn.pad_sequence([torch.zeros(0, 2), torch.ones(1, 2)]).shape == (1, 2, 2)


def test_gradients():
    parts = [x.requires_grad_() for x in sequences(3, 1, 2)]

    def there_and_back(*parts):
        packed = rnn.pack_sequence(list(parts), enforce_sorted=False)
        padded, _ = rnn.pad_packed_sequence(packed._replace(data=packed.data.tanh()))
        return padded

    assert torch.autograd.gradcheck(there_and_back, parts)
    assert torch.autograd.gradgradcheck(there_and_back, parts)


def test_a_packed_sequence_is_a_tuple_that_moves():
    packed = rnn.pack_sequence(sequences(3, 2, dtype=torch.float32))
    data, sizes, order, back = packed
    assert sizes.tolist() == [2, 2, 1] and order is None and back is None
    assert packed.cpu() is packed and not packed.is_cuda
    assert packed.double().data.dtype is torch.float64
    assert packed.to(torch.float16).data.dtype is torch.float16
    assert torch.equal(rnn.PackedSequence((data, sizes)).data, data)
    assert rnn.invert_permutation(torch.tensor([2, 0, 1])).tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: rnn.pack_sequence(sequences(1, 2)), RuntimeError, "sorted in decreasing order"),
        (lambda: rnn.pad_sequence([]), RuntimeError, "empty list of sequences"),
        (lambda: rnn.pad_sequence(3), RuntimeError, "Expected iterable"),
        (lambda: rnn.pad_sequence([[1.0], [2.0]]), TypeError, "must be Tensor, not list"),
        (lambda: rnn.pack_padded_sequence([1.0], [1]), TypeError, "must be Tensor, not list"),
        (lambda: rnn.pack_padded_sequence(torch.ones(3), [3]), IndexError, "out of range"),
        (lambda: rnn.pad_packed_sequence(torch.ones(3)), AttributeError, "batch_sizes"),
        (lambda: rnn.pad_sequence(sequences(1), padding_side="x"), RuntimeError, "left or right"),
        (
            lambda: rnn.pad_sequence([torch.ones(1, 2), torch.ones(1, 3)]),
            RuntimeError,
            "first dimension only",
        ),
        (
            lambda: rnn.pack_padded_sequence(torch.ones(3, 2), [3, 0]),
            RuntimeError,
            "greater than 0",
        ),
        (lambda: rnn.pack_padded_sequence(torch.ones(3, 2), [3]), RuntimeError, "batch_size=2"),
        (lambda: rnn.pack_padded_sequence(torch.ones(3, 2), [4, 1]), RuntimeError, "3 steps"),
        (lambda: rnn.pack_padded_sequence(torch.ones(0, 2), [1, 1]), RuntimeError, "Cannot pack"),
        (
            lambda: rnn.pad_packed_sequence(rnn.pack_sequence(sequences(3)), total_length=2),
            ValueError,
            "total_length=2",
        ),
        (
            lambda: nn.GRU(2, 3).double()(rnn.pack_sequence(sequences(3))),
            RuntimeError,
            "must be equal to input_size. Expected 2, got 3",
        ),
        (
            lambda: nn.GRU(3, 3).double()(
                rnn.pack_sequence(sequences(3)), torch.ones(1, 2, 3, dtype=torch.float64)
            ),
            RuntimeError,
            "Expected hidden size",
        ),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()
