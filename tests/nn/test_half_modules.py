"""Modules and optimizers on float16 and bfloat16: close to float32 on the same numbers."""

import numpy as np
import pytest

import microtorch as torch

pytest.importorskip("ml_dtypes")
nn, F = torch.nn, torch.nn.functional
KINDS = pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)


def randn(*shape):
    return lambda: torch.randn(*shape)


MODULES = {
    "linear": (lambda: nn.Linear(7, 5), randn(3, 7)),
    "conv1d": (lambda: nn.Conv1d(3, 4, 3), randn(2, 3, 9)),
    "conv2d": (lambda: nn.Conv2d(4, 4, 3, padding=1, groups=2), randn(2, 4, 6, 6)),
    "transposed": (lambda: nn.ConvTranspose2d(3, 4, 3, stride=2), randn(2, 3, 5, 5)),
    "rnn": (lambda: nn.RNN(4, 5), randn(6, 2, 4)),
    "lstm": (lambda: nn.LSTM(4, 5), randn(6, 2, 4)),
    "gru": (lambda: nn.GRU(4, 5), randn(6, 2, 4)),
    "large lstm": (lambda: nn.LSTM(16, 32), randn(12, 8, 16)),
    "layer norm": (lambda: nn.LayerNorm(8), randn(4, 8)),
    "batch norm": (lambda: nn.BatchNorm1d(8), randn(6, 8)),
    "group norm": (lambda: nn.GroupNorm(2, 8), randn(4, 8, 3)),
    "rms norm": (lambda: nn.RMSNorm(8), randn(4, 8)),
    "attention": (lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0), randn(5, 3, 8)),
    "max pool": (lambda: nn.MaxPool2d(2), randn(2, 3, 6, 6)),
    "upsample": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), randn(1, 2, 4, 4)),
    "gelu": (nn.GELU, randn(4, 6)),
    "silu": (nn.SiLU, randn(4, 6)),
    "softplus": (nn.Softplus, randn(4, 6)),
    "embedding": (lambda: nn.Embedding(9, 4), lambda: torch.tensor([1, 2, 2, 8])),
}


@KINDS
@pytest.mark.parametrize("name", MODULES)
def test_modules(name, dtype):
    make, draw = MODULES[name]
    torch.manual_seed(0)
    module = make().to(dtype)
    x = draw()
    x = x.to(dtype) if x.is_floating_point() else x
    found = []
    for kind in (dtype, torch.float32):
        module = module.to(kind)
        module.zero_grad()
        given = x.to(kind, copy=True).requires_grad_() if x.is_floating_point() else x
        out = module(given)
        out = out[0] if isinstance(out, tuple) else out
        assert out.dtype is kind
        (out.float() * torch.linspace(-1, 2, out.numel()).reshape(out.shape)).sum().backward()
        grads = [p.grad for p in module.parameters()]
        grads += [given.grad] if x.is_floating_point() else []
        assert all(g.dtype is kind for g in grads)
        found.append([t.detach().float().numpy() for t in (out, *grads)])
    for half, exact in zip(*found, strict=True):
        tolerance = 8 * torch.finfo(dtype).eps * np.abs(exact).max()
        np.testing.assert_allclose(half, exact, atol=tolerance)


def test_casting_a_module_leaves_integers():
    module = nn.BatchNorm1d(3).bfloat16()
    kinds = {k: v.dtype for k, v in module.state_dict().items()}
    assert kinds.pop("num_batches_tracked") is torch.int64
    assert set(kinds.values()) == {torch.bfloat16}
    assert module.half().weight.dtype is torch.float16
    assert nn.Linear(2, 2, dtype=torch.bfloat16).weight.dtype is torch.bfloat16


@pytest.mark.parametrize("layer", [lambda: nn.LayerNorm(4), lambda: nn.GroupNorm(2, 4)])
def test_a_norm_with_float32_parameters_takes_16_bit_input(layer):
    module, x = layer(), torch.randn(3, 4).bfloat16().requires_grad_()
    out = module(x)
    out.float().square().sum().backward()
    assert out.dtype is x.grad.dtype is torch.bfloat16
    assert module.weight.grad.dtype is module.bias.grad.dtype is torch.float32


OPTIMIZERS = {
    "SGD": {"momentum": 0.9, "weight_decay": 0.1},
    "Adam": {"amsgrad": True},
    "AdamW": {},
    "Adagrad": {},
    "RMSprop": {},
    "Adadelta": {},
    "Adamax": {},
    "NAdam": {},
    "RAdam": {},
}


@KINDS
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name, dtype):
    ends = []
    for kind in (dtype, torch.float32):
        p = nn.Parameter(torch.tensor([1.5, -0.75, 0.25]).to(kind))
        optimizer = getattr(torch.optim, name)([p], lr=0.125, **OPTIMIZERS[name])
        for _ in range(4):
            optimizer.zero_grad()
            (p.float() ** 2 * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
            optimizer.step()
        assert p.dtype is kind
        state = optimizer.state[p].items()
        kinds = {k: v.dtype for k, v in state if isinstance(v, torch.Tensor) and v.ndim}
        assert set(kinds.values()) <= {kind}, kinds
        ends.append(p.detach().float().numpy())
    np.testing.assert_allclose(*ends, atol=8 * torch.finfo(dtype).eps)


def test_a_bfloat16_network_learns():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1)).bfloat16()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.03)
    x = torch.randn(100, 2).bfloat16()
    y = (x[:, :1] * x[:, 1:] > 0).to(torch.bfloat16)
    for _ in range(150):
        loss = F.binary_cross_entropy_with_logits(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.dtype is torch.bfloat16 and loss < 0.3


def test_close_is_closer_than_a_place_or_two():
    x = torch.ones(3).bfloat16()
    torch.testing.assert_close(x, x + 0.0078125)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(x, x + 0.03125)
