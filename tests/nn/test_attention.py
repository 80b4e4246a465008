"""Attention and the Transformer's encoder: PyTorch's record, masks, derivatives, messages."""

import golden
import pytest
from golden import trained

import microtorch as torch
from microtorch import autograd, nn
from microtorch.nn import functional as F


def attention(shapes, *, masks=lambda torch: {}, call=None, train=True, **settings):
    def case(torch):
        module = torch.nn.MultiheadAttention(8, 2, **settings).train(train)
        xs = [torch.randn(s) for s in shapes]
        xs = xs * 3 if len(xs) == 1 else xs
        given = masks(torch)
        weights = []

        class Wrapped(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = module

            def forward(self, *xs):
                out, w = self.inner(*xs, **given, **(call or {}))
                weights.append(w)
                return out

        found = trained(torch, Wrapped(), *xs)
        return found + [w for w in weights if w is not None]

    return case


def causal(torch):
    return {"attn_mask": torch.triu(torch.ones(5, 5), 1).bool()}


def padded(torch):
    return {"key_padding_mask": torch.tensor([[False] * 5, [False, False, False, True, True]])}


def heads(torch):
    return {
        "attn_mask": torch.randn(4, 5, 5),
        "key_padding_mask": torch.zeros(2, 5).masked_fill(torch.eye(5)[:2].bool(), -2.0),
    }


def encoder(shape, layers=0, mask=False, **settings):
    def case(torch):
        module = torch.nn.TransformerEncoderLayer(8, 2, 12, **settings)
        if layers:
            module = torch.nn.TransformerEncoder(
                module, layers, torch.nn.LayerNorm(8), enable_nested_tensor=False
            )
        if mask:

            class Masked(torch.nn.Module):
                def __init__(self):
                    super().__init__()
                    self.inner = module

                def forward(self, x):
                    return self.inner(x, torch.triu(torch.ones(5, 5), 1).bool())

            return trained(torch, Masked(), torch.randn(shape))
        return trained(torch, module, torch.randn(shape))

    return case


def sdpa(**settings):
    def case(torch):
        q, k, v = (
            torch.randn(s, requires_grad=True) for s in ((2, 2, 4, 3), (2, 2, 5, 3), (2, 2, 5, 6))
        )
        given = {n: (f(torch) if callable(f) else f) for n, f in settings.items()}
        out = torch.nn.functional.scaled_dot_product_attention(q, k, v, **given)
        (out * out.detach().cos()).sum().backward()
        return [out, q.grad, k.grad, v.grad]

    return case


SAME = [(5, 2, 8)]
CASES = {
    "plain": attention(SAME),
    "batch_first": attention([(2, 5, 8)], batch_first=True),
    "causal": attention(SAME, masks=causal),
    "padding": attention(SAME, masks=padded, call={"average_attn_weights": False}),
    "mask per head": attention(SAME, masks=heads),
    "no weights": attention(SAME, masks=causal, call={"need_weights": False}),
    "cross": attention([(4, 2, 8), (5, 2, 8), (5, 2, 8)], bias=False),
    "kdim": attention([(4, 2, 8), (5, 2, 6), (5, 2, 7)], kdim=6, vdim=7),
    "bias_kv zero": attention(SAME, masks=causal, add_bias_kv=True, add_zero_attn=True),
    "unbatched": attention([(5, 8)], masks=causal),
    "dropout": attention(SAME, dropout=0.3),
    "encoder layer": encoder((5, 2, 8), dropout=0.0),
    "encoder layer first": encoder((2, 5, 8), dropout=0.0, norm_first=True, batch_first=True,
     activation="gelu", mask=True),
    "encoder": encoder((5, 2, 8), 2, dropout=0.0, bias=False),
    "sdpa": sdpa(),
    "sdpa bool": sdpa(attn_mask=lambda torch: torch.ones(4, 5).tril(1).bool(), scale=0.3),
    "sdpa float": sdpa(attn_mask=lambda torch: torch.randn(2, 1, 4, 5)),
    "sdpa causal": sdpa(is_causal=True),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_layers_compute_what_pytorch_computes(name):
    golden.check(f"test_attention:{name}", CASES[name])


def test_weights_are_probabilities_and_masked_places_get_none():
    net = nn.MultiheadAttention(8, 2)
    x = torch.randn(5, 2, 8)
    _, weights = net(x, x, x, **causal(torch))
    assert weights.shape == (2, 5, 5)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 5)) and torch.equal(
        weights, weights.tril()
    )
    assert net(x, x, x, need_weights=False)[1] is None


def test_derivatives():
    torch.manual_seed(1)
    q, k, v = (torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True) for _ in range(3))
    for settings in ({}, {"is_causal": True}):
        assert autograd.gradcheck(
            lambda *x, s=settings: F.scaled_dot_product_attention(*x, **s), [q, k, v]
        )
        assert autograd.gradgradcheck(
            lambda *x, s=settings: F.scaled_dot_product_attention(*x, **s), [q, k, v], atol=1e-4
        )
    net = nn.MultiheadAttention(2, 1, batch_first=True).double()
    assert autograd.gradcheck(lambda x: net(x, x, x)[0], [q])


def test_queries_without_features_attend_to_all_alike():
    query, value = torch.zeros(2, 3, 0, requires_grad=True), torch.arange(6.0).reshape(1, 3, 2)
    out = F.scaled_dot_product_attention(query, query, value)
    assert torch.allclose(out, value.mean(1, keepdim=True).expand(2, 3, 2))
    out.sum().backward()
    assert query.grad.shape == query.shape


def test_grouped_queries():
    q, k = torch.randn(1, 4, 3, 2), torch.randn(1, 2, 5, 2)
    out = F.scaled_dot_product_attention(q, k, k, enable_gqa=True)
    wide = k.repeat_interleave(2, 1)
    assert torch.allclose(out, F.scaled_dot_product_attention(q, wide, wide))


def test_encoder_copies_its_layer_and_drops_out():
    layer = nn.TransformerEncoderLayer(8, 2, 12)
    net = nn.TransformerEncoder(layer, 2)
    assert torch.equal(net.layers[0].linear1.weight, net.layers[1].linear1.weight)
    assert net.layers[0].linear1.weight is not net.layers[1].linear1.weight
    x = torch.randn(5, 2, 8)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))


X = torch.zeros(5, 2, 8)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: nn.MultiheadAttention(8, 3),
            AssertionError,
            "embed_dim must be divisible by num_heads",
        ),
        (
            lambda: nn.MultiheadAttention(8, 2)(X[..., :6], X, X),
            AssertionError,
            "embedding dimension of 8, but got 6",
        ),
        (
            lambda: nn.MultiheadAttention(8, 2)(X, X, X[:4]),
            AssertionError,
            "does not match value shape",
        ),
        (lambda: nn.MultiheadAttention(8, 2)(X, X[:, :1], X[:, :1]), RuntimeError, "batch of 2"),
        (
            lambda: nn.MultiheadAttention(8, 2)(X, X, X, attn_mask=torch.zeros(4, 5)),
            RuntimeError,
            "2D attn_mask",
        ),
        (
            lambda: nn.MultiheadAttention(8, 2)(X, X, X, attn_mask=torch.zeros(3, 5, 5)),
            RuntimeError,
            "3D attn_mask",
        ),
        (
            lambda: nn.MultiheadAttention(8, 2)(X, X, X, attn_mask=torch.zeros(5, 5).long()),
            AssertionError,
            "only bool and floating",
        ),
        (
            lambda: nn.MultiheadAttention(8, 2)(X, X, X, is_causal=True),
            RuntimeError,
            "Need attn_mask",
        ),
        (
            lambda: nn.MultiheadAttention(8, 2)(X, X, X, key_padding_mask=torch.zeros(5, 2)),
            AssertionError,
            "key_padding_mask",
        ),
        (lambda: nn.TransformerEncoderLayer(8, 2, activation="sin"), RuntimeError, "relu/gelu"),
        (
            lambda: F.scaled_dot_product_attention(X, X, X, X, is_causal=True),
            RuntimeError,
            "should not be set",
        ),
    ],
)
def test_messages(call, error, text):
    with pytest.raises(error, match=text):
        call()


def heads(n=5, requires_grad=True):
    """(2, 3, n, 4), of a projection (2, n, 12) whose last dimension was split into heads."""
    x = torch.arange(2.0 * n * 12).sin().view(2, n, 12).requires_grad_(requires_grad)
    return x.view(2, n, 3, 4).transpose(1, 2)


MASK = torch.ones(5, 5).tril()


@pytest.mark.parametrize(
    ("given", "joins"),
    [
        ({}, True), ({"is_causal": True}, True), ({"attn_mask": MASK.bool()}, True),
        ({"attn_mask": MASK.expand(2, 1, 5, 5)}, True), ({"scale": 0.3}, True),
        ({"attn_mask": MASK.clone().requires_grad_()}, False), ({"dropout_p": 0.5}, False),
        ({"attn_mask": MASK.expand(3, 5, 5)}, False),
    ],
)  # fmt: skip
def test_heads_that_were_a_view_join_without_a_copy(given, joins):
    q = heads()
    for query in (q, q.detach()):
        out = F.scaled_dot_product_attention(query, q.contiguous(), heads(), **given)
        assert out.transpose(1, 2).is_contiguous() == joins and out.is_contiguous() != joins
        if joins:
            assert out.transpose(1, 2).view(2, 5, 12).data_ptr() == out.data_ptr()
            rows = F.scaled_dot_product_attention(query.contiguous(), q, heads(), **given)
            assert rows.is_contiguous() and torch.allclose(rows, out)
            (g,) = torch.autograd.grad(out.square().sum(), q, retain_graph=True)
            (h,) = torch.autograd.grad(rows.square().sum(), q, retain_graph=True)
            assert torch.allclose(g, h, atol=1e-6)


def test_other_heads_give_rows():
    q, k = heads(requires_grad=False), heads(7)
    every = (
        (q, k[:1], k[:1]), (q, k[:, :1], k[:, :1]), (q, k, torch.ones(2, 3, 7, 6)),
        (q, q, torch.ones(2, 3, 4, 5).mT), (q[0], q[0], q[0]), (q[..., ::2], *[k[..., :2]] * 2),
    )  # fmt: skip
    for given in every:
        assert F.scaled_dot_product_attention(*given).is_contiguous()
    joined = torch.compile(lambda q: F.scaled_dot_product_attention(q, q, q).transpose(1, 2))
    for _ in range(3):
        assert joined(q).is_contiguous()
    several = torch.func.vmap(F.scaled_dot_product_attention)(*[torch.stack([q, q])] * 3)
    assert torch.allclose(several[1], F.scaled_dot_product_attention(q, q, q), atol=1e-6)
