"""Adaptive softmax, linear cross entropy, gumbel softmax, and an LSTM's projection."""

import numpy as np
import pytest

import microtorch as torch
from microtorch import autograd, nn
from microtorch.nn import functional as F


def adaptive(**settings):
    torch.manual_seed(0)
    return nn.AdaptiveLogSoftmaxWithLoss(8, 10, [2, 5], div_value=2.0, **settings)


def test_adaptive_softmax_is_a_distribution():
    layer = adaptive(head_bias=True)
    x = torch.randn(7, 8)
    log_p = layer.log_prob(x)
    np.testing.assert_allclose(log_p.exp().sum(1).detach().numpy(), 1.0, rtol=1e-5)
    target = torch.tensor([0, 1, 2, 4, 5, 9, 7])
    output, loss = layer(x, target)
    expected = log_p[torch.arange(7), target]
    np.testing.assert_allclose(output.detach().numpy(), expected.detach().numpy(), rtol=1e-4)
    np.testing.assert_allclose(loss.item(), -expected.mean().item(), rtol=1e-5)
    assert (layer.predict(x) == log_p.argmax(1)).all()
    single = layer(x[4], target[4])
    np.testing.assert_allclose(single.output.item(), expected[4].item(), rtol=1e-4)
    assert [tuple(p.shape) for p in layer.parameters()] == [
        (4, 8), (4,), (4, 8), (3, 4), (2, 8), (5, 2),
    ]  # fmt: skip


def test_adaptive_softmax_has_derivatives():
    layer = adaptive().double()
    x = torch.randn(5, 8, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0, 9, 3, 3, 6])
    assert autograd.gradcheck(lambda x: layer(x, target).loss, x)


Z = torch.zeros(2, 8)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: nn.AdaptiveLogSoftmaxWithLoss(8, 10, []), ValueError, "length larger than 0"),
        (lambda: nn.AdaptiveLogSoftmaxWithLoss(8, 10, [5, 2]), ValueError, "unique, positive"),
        (lambda: nn.AdaptiveLogSoftmaxWithLoss(8, 10, [10]), ValueError, "unique, positive"),
        (lambda: adaptive()(Z, torch.tensor([0, 10])), RuntimeError, r"should be in \[0, 9\]"),
        (lambda: adaptive()(Z, torch.tensor([0])), RuntimeError, "same size in the batch"),
        (lambda: adaptive()(Z, torch.zeros(2, 1).long()), RuntimeError, "0D or 1D target"),
        (lambda: adaptive()(Z[0], torch.tensor([0] * 8)), RuntimeError, "2D input tensors"),
        (lambda: F.linear_cross_entropy(Z[None], Z, Z), RuntimeError, "dimensionality 1 or 2"),
        (lambda: F.linear_cross_entropy(Z, Z[0], Z), RuntimeError, "at least 2"),
        (lambda: F.linear_cross_entropy(Z, Z[:, :3], Z), RuntimeError, "8 and 3"),
        (
            lambda: F.linear_cross_entropy(Z, Z, Z[:, 0].long(), linear_bias=Z),
            RuntimeError,
            "expected linear_bias shape",
        ),
        (
            lambda: F.linear_cross_entropy(Z, Z, Z[:, :2], ignore_index=1),
            RuntimeError,
            "target contains probabilities",
        ),
        (lambda: nn.LinearCrossEntropyLoss(3, 4, weight=Z), RuntimeError, "expected weight shape"),
        (lambda: nn.LinearCrossEntropyLoss(3, 4, label_smoothing=2), RuntimeError, "range"),
    ],
)
def test_mistakes_are_explained(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_linear_cross_entropy_is_both():
    x, w, b = (torch.randn(*s, dtype=torch.float64) for s in ((5, 3), (4, 2, 3), (4, 2)))
    target = torch.randint(0, 4, (5, 2))
    loss = F.linear_cross_entropy(x, w, target, linear_bias=b, reduction="none")
    logits = torch.einsum("ni,cki->nck", x, w) + b
    np.testing.assert_allclose(
        loss.numpy(), F.cross_entropy(logits, target, reduction="none").numpy()
    )
    layer = nn.LinearCrossEntropyLoss(3, 4, out_features=(2,), bias=True)
    assert list(layer.state_dict()) == ["linear.weight", "linear.bias"]
    assert layer.linear.weight.shape == (8, 3) and "options=None" in repr(layer)
    options = nn.LinearCrossEntropyOptions(batch_chunk_size=2)
    again = F.linear_cross_entropy(x, w, target, linear_bias=b, options=options)
    np.testing.assert_allclose(again.item(), loss.mean().item())


def test_gumbel_softmax():
    logits = torch.tensor([[1.0, 2.0, 0.5]], requires_grad=True)
    torch.manual_seed(0)
    soft = F.gumbel_softmax(logits, tau=0.5)
    torch.manual_seed(0)
    hard = F.gumbel_softmax(logits, tau=0.5, hard=True)
    assert hard.tolist() == (soft == soft.max()).float().tolist()
    g = torch.tensor([[1.0, -2.0, 3.0]])
    ours = [autograd.grad(out, logits, g, retain_graph=True)[0].numpy() for out in (soft, hard)]
    np.testing.assert_allclose(ours[0], ours[1])  # the hard sample has the soft one's gradient
    counts = F.gumbel_softmax(logits.detach().expand(4000, 3), hard=True).mean(0)
    np.testing.assert_allclose(counts.numpy(), logits.softmax(-1)[0].detach().numpy(), atol=0.03)


def test_an_lstm_with_a_projection():
    """h = W_hr (o tanh c), step by step."""
    torch.manual_seed(0)
    layer = nn.LSTM(3, 4, proj_size=2).double()
    assert list(layer.state_dict()) == [
        f"{name}_l0" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    ]
    assert repr(layer) == "LSTM(3, 4, proj_size=2)"
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    output, (h, c) = layer(x)
    assert output.shape == (5, 2, 2) and h.shape == (1, 2, 2) and c.shape == (1, 2, 4)
    w = {name: value.numpy() for name, value in layer.state_dict().items()}
    now, cell = np.zeros((2, 2)), np.zeros((2, 4))
    for t in range(5):
        gates = x[t].numpy() @ w["weight_ih_l0"].T + now @ w["weight_hh_l0"].T
        i, f, g, o = np.split(gates + w["bias_ih_l0"] + w["bias_hh_l0"], 4, 1)
        i, f, o = (1 / (1 + np.exp(-v)) for v in (i, f, o))
        cell = f * cell + i * np.tanh(g)
        now = o * np.tanh(cell) @ w["weight_hr_l0"].T
        np.testing.assert_allclose(output[t].detach().numpy(), now)
    np.testing.assert_allclose(c[0].detach().numpy(), cell)
    packed = nn.utils.rnn.pack_padded_sequence(x, [5, 3])
    piece, _ = layer(packed)
    np.testing.assert_allclose(piece.data[:2].detach().numpy(), output[0].detach().numpy())


def test_in_place_functions_and_old_names():
    for name in ("celu", "elu", "hardtanh", "leaky_relu", "relu", "selu"):
        x = torch.tensor([-2.0, -0.5, 0.5, 2.0])
        expected = getattr(F, name)(x.clone())
        assert getattr(F, f"{name}_")(x) is x and (x == expected).all()
    x = torch.tensor([1.0, 3.0])
    assert F.threshold_(x, 2.0, 0.0).tolist() == [0, 3]
    with pytest.warns(FutureWarning, match="NLLLoss"):
        nn.NLLLoss2d()
    x, w, b = torch.randn(6, 2, 3), torch.randn(2, 3, 4), torch.randn(4)
    out = F.conv_tbc(x, w, b, 1)
    same = F.conv1d(x.permute(1, 2, 0), w.permute(2, 1, 0), b, padding=1).permute(2, 0, 1)
    np.testing.assert_allclose(out.numpy(), same.numpy(), rtol=1e-5)
