"""The Transformer: masks, what causal means, layouts, states; attention as a function."""

import numpy as np
import pytest

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F

X, Y = torch.randn(5, 2, 4), torch.randn(3, 2, 4)


def model(**settings):
    torch.manual_seed(0)
    return nn.Transformer(4, 2, 1, 2, 6, 0.0, **settings)


def close(a, b):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_the_causal_mask():
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    inf = float("inf")
    assert mask.tolist() == [[0, -inf, -inf], [0, 0, -inf], [0, 0, 0]]
    double = nn.Transformer.generate_square_subsequent_mask(2, dtype=torch.float64)
    assert double.dtype is torch.float64


@pytest.mark.parametrize("kind", ["bool", "float"])
def test_a_later_target_does_not_change_an_earlier_output(kind):
    net = model()
    mask = net.generate_square_subsequent_mask(3)
    mask = mask.isinf() if kind == "bool" else mask
    out = net(X, Y, tgt_mask=mask)
    other = Y.clone()
    other[2] += 1
    changed = net(X, other, tgt_mask=mask)
    close(out[:2], changed[:2])
    assert (out[2] - changed[2]).abs().max() > 1e-3
    close(out, net(X, Y, tgt_mask=mask, tgt_is_causal=True))
    first = net(X, Y[:1])  # the first target sees itself only
    close(out[:1], first)


def test_padding_is_as_if_it_were_not_there():
    net = model()
    padded = torch.tensor([[False] * 5, [False, False, False, True, True]])
    out = net(X, Y, src_key_padding_mask=padded, memory_key_padding_mask=padded)
    close(out[:, 1], net(X[:3, 1], Y[:, 1]))
    targets = torch.tensor([[False, False, True], [False] * 3])
    out = net(X, Y, tgt_key_padding_mask=targets)
    close(out[:2, 0], net(X[:, 0], Y[:2, 0]))


@pytest.mark.parametrize("norm_first", [True, False])
def test_batch_first_is_a_transposition(norm_first):
    net, other = model(norm_first=norm_first), model(norm_first=norm_first, batch_first=True)
    close(net(X, Y), other(X.transpose(0, 1), Y.transpose(0, 1)).transpose(0, 1))


def test_memory_mask_and_mask_of_each_head():
    net = model()
    mask = torch.zeros(3, 5).bool()
    mask[:, 3:] = True
    out = net.decoder(Y, X, memory_mask=mask)
    close(out, net.decoder(Y, X[:3]))
    close(out, net.decoder(Y, X, memory_mask=mask.expand(4, 3, 5)))


def test_state_and_parts():
    net = model(bias=False)
    names = list(net.state_dict())
    assert names[:3] == [
        "encoder.layers.0.self_attn.in_proj_weight",
        "encoder.layers.0.self_attn.out_proj.weight",
        "encoder.layers.0.linear1.weight",
    ]
    assert "decoder.layers.1.multihead_attn.in_proj_weight" in names
    assert names[-1] == "decoder.norm.weight" and not any("bias" in name for name in names)

    class Twice(nn.Module):
        def forward(self, src, *, mask, src_key_padding_mask, is_causal):
            return 2 * src

    class Sum(nn.Module):
        def forward(self, tgt, memory, **masks):
            return tgt + memory[: len(tgt)]

    close(nn.Transformer(4, 2, custom_encoder=Twice(), custom_decoder=Sum())(X, Y), Y + 2 * X[:3])


def test_attention_with_given_keys():
    """static_k and static_v stand for the projected ones."""
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(4, 2)
    with torch.no_grad():
        layer.in_proj_bias.normal_()
    plain, weights = layer(Y, X, X)
    _, k, v = (x @ w.T + b for x, w, b in zip(
        (Y, X, X), layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3), strict=True
    ))  # fmt: skip
    static = [x.reshape(5, 4, 2).transpose(0, 1) for x in (k, v)]
    given, same = F.multi_head_attention_forward(
        Y, X, X, 4, 2, layer.in_proj_weight, layer.in_proj_bias, None, None, False, 0.0,
        layer.out_proj.weight, layer.out_proj.bias, static_k=static[0], static_v=static[1],
    )  # fmt: skip
    close(plain, given)
    close(weights, same)


def test_merged_masks():
    layer = nn.MultiheadAttention(4, 2, batch_first=True)
    x, mask, padding = torch.zeros(2, 3, 4), torch.zeros(3, 3), torch.ones(2, 3)
    assert layer.merge_masks(None, None, x) == (None, None)
    assert layer.merge_masks(mask, None, x)[1] == 0 and layer.merge_masks(None, padding, x)[1] == 1
    merged, kind = layer.merge_masks(mask, padding, x)
    assert kind == 2 and merged.shape == (2, 2, 3, 3)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: model()(X, Y[:, :1]), RuntimeError, "batch number of src and tgt"),
        (lambda: model()(X[..., :2], Y), RuntimeError, "feature number of src and tgt"),
        (lambda: model(activation="sin"), RuntimeError, "relu/gelu, not sin"),
        (
            lambda: model()(X, Y, tgt_mask=torch.zeros(2, 2)),
            RuntimeError,
            "shape of the 2D attn_mask",
        ),
        (
            lambda: model()(X, Y, tgt_key_padding_mask=torch.zeros(3)),
            AssertionError,
            "`key_padding_mask` to be `None` or 2-D",
        ),
    ],
)
def test_mistakes_are_explained(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("norm", [True, False])
def test_evaluation_leaves_padding_out_as_pytorch_does(norm):
    """Without gradient, the encoder's result (before its last norm) is 0 where there is padding."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True)
    net = nn.TransformerEncoder(layer, 2, nn.LayerNorm(4) if norm else None).eval()
    x, padded = torch.randn(2, 3, 4), torch.tensor([[False, False, True], [False] * 3])
    usual = net(x, src_key_padding_mask=padded)
    with torch.no_grad():
        out = net(x, src_key_padding_mask=padded)
        inside = net(x, src_key_padding_mask=padded.flip(1))  # not at the end: nothing is left out
    assert out[0, 2].tolist() == (net.norm.bias.tolist() if norm else [0] * 4)
    close(out[~padded], usual[~padded])
    assert usual[0, 2].abs().sum() > 0 and inside[0, 0].abs().sum() > 0
