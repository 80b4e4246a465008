"""Functions without parameters, and what their mistakes are told."""

import pytest
from networks import TARGETS, X, close

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F

z = torch.zeros


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: F.dropout(z(3), 1.5), ValueError, "between 0 and 1, but got 1.5"),
        (lambda: nn.Dropout(-1), ValueError, "between 0 and 1, but got -1"),
        (lambda: F.one_hot(torch.tensor([0, 2]), 2), RuntimeError, "smaller than num_classes"),
        (lambda: F.one_hot(torch.tensor([0, -2])), RuntimeError, "must be non-negative"),
        (lambda: F.one_hot(z(2)), RuntimeError, "index tensor of type LongTensor"),
        (lambda: F.pad(z(2, 3), (1,)), RuntimeError, "divisible by 2"),
        (
            lambda: F.pad(z(2, 3), (1,) * 6),
            RuntimeError,
            "padding length 6 and input of dimension 2",
        ),
        (
            lambda: F.pad(z(2, 3), (1, 1), "mirror"),
            NotImplementedError,
            "Unrecognised padding mode mirror",
        ),
        (lambda: F.prelu(z(2, 3), z(2)), RuntimeError, "numbers = 2 and channel size = 3"),
        (lambda: F.gelu(z(2), approximate="no"), RuntimeError, "none or tanh"),
        (lambda: F.bilinear(z(2, 3), z(2, 2), z(4, 2, 3)), RuntimeError, "shapes do not fit"),
        (lambda: F.bilinear(z(2, 3), z(2, 2), z(4, 3, 2), z(1)), RuntimeError, "bias must have"),
        (lambda: F.bilinear(z(2, 3), z(2, 2), z(4, 3, 2), z(4).long()), RuntimeError, "bias must"),
        (lambda: F.cosine_similarity(z(2, 3), z(2, 3), eps=-1), RuntimeError, "non-negative"),
        (lambda: F.instance_norm(z(1, 2, 3), eps=1j), TypeError, "eps' must be float"),
        (lambda: F.batch_norm(z(2, 3), None, None, training=True, momentum=""), TypeError, "float"),
        (lambda: F.conv5d, AttributeError, "torch.nn.functional"),
        (lambda: nn.Liner, AttributeError, "Did you mean 'Linear'"),
    ],
)
def test_mistakes_are_explained(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_dropout_masks():
    torch.manual_seed(5)
    kept = 1 / 0.6
    close(
        F.dropout(torch.ones(12), 0.4), [0, kept, kept, kept, kept, 0, kept, 0, 0, kept, kept, kept]
    )
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
    close(model(torch.ones(2, 4)), [0.0, 0.196797, 0.8269099, 0.5123434, 0.196797, 0.0])
    assert torch.equal(model.eval()(torch.ones(2, 4)), model[0](torch.ones(2, 4)))
    x = torch.ones(1000, requires_grad=True)
    y = F.dropout(x, 0.3)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    assert torch.equal(F.dropout(torch.ones(3), 1.0), torch.zeros(3))
    assert torch.equal(F.dropout(torch.ones(3), 0.9, training=False), torch.ones(3))


def test_distances():
    a, b = torch.tensor(X), torch.tensor(TARGETS["Y"])
    close(F.cosine_similarity(a, b), [0.7767589, -0.8963609, -0.9795101, 0.7899525])
    close(F.normalize(a)[0], [0.2096109, -0.5030662, 0.8384436])
    close(F.normalize(a, p=1.0, dim=0)[:, 0], [0.1086956, 0.3260869, -0.0869565, 0.4782608])
    close(F.pairwise_distance(a, b), [1.5394802, 2.7730854, 3.1622782, 1.6309507])


def test_the_gradient_of_a_cosine_is_that_of_the_norms_below_eps_too():
    """x b / (eps |b|), whose derivative in PyTorch sees |x|: (b - (x b) x / (eps |x|)) / ..."""
    x = torch.tensor([[3e-9, 0.0]], dtype=torch.float64, requires_grad=True)
    b = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    out = F.cosine_similarity(x, b)
    assert out.item() == pytest.approx(0.3)
    (g,) = torch.autograd.grad(out.sum(), x)
    assert g.tolist() == [[pytest.approx(0.7e8), 0.0]]


def test_one_hot_and_pad():
    assert F.one_hot(torch.tensor([[0, 2]])).tolist() == [[[1, 0, 0], [0, 0, 1]]]
    assert F.one_hot(torch.zeros(0, dtype=torch.int64), 3).shape == (0, 3)
    x = torch.tensor([[1.0, 2.0]], requires_grad=True)
    padded = F.pad(x, (1, -1, 0, 1), value=9.0)
    assert padded.tolist() == [[9.0, 1.0], [9.0, 9.0]]
    padded.sum().backward()
    assert x.grad.tolist() == [[1.0, 0.0]]
    assert F.pad(torch.tensor([1, 2]), (0, 1)).tolist() == [1, 2, 0]


def test_bilinear_and_prelu():
    a, b = torch.tensor(X), torch.tensor(TARGETS["Y"])
    weight = torch.arange(12.0).reshape(2, 2, 3) / 10
    y = F.bilinear(a[:, :2], b, weight, torch.tensor([1.0, 2.0]))
    close(y, [0.128, 0.372, 1.171, 1.847, 0.5270001, 1.107, 0.67, 2.15])
    x, prelu = torch.tensor(X, requires_grad=True), nn.PReLU(3)
    (prelu(x) * torch.arange(12.0).reshape(4, 3)).sum().backward()
    close(prelu.weight.grad, [-2.4, -7.2, -16.1])
    close(x.grad, [0.0, 0.25, 2.0, 3.0, 4.0, 1.25, 1.5, 7.0, 8.0, 9.0, 2.5, 2.75])
