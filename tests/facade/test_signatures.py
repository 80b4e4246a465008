"""Names that torch has as nn.functional or Tensor has them, and those with another signature."""

import numpy as np
import pytest

import microtorch as torch
from microtorch.facade import functions, namespace

F = torch.nn.functional


def test_every_name_leads_somewhere():
    for name in namespace.ALL:
        assert getattr(torch, name, name) is not None or name == "newaxis"


def test_in_place_functions():
    for name in namespace.IN_PLACE:
        assert callable(getattr(torch, f"{name}_"))
    x = torch.tensor([-1.0, 4.0])
    assert torch.relu_(x) is x and x.tolist() == [0, 4]
    assert torch.sqrt_(x).tolist() == [0, 2] and torch.clamp_(x, 0, 1).tolist() == [0, 1]
    assert not torch.detach(torch.ones(1, requires_grad=True) * 2).requires_grad


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize("name", functions.LOSSES)
def test_losses_by_number(name):
    rng = np.random.default_rng(0)
    x, y, z = (torch.tensor(rng.uniform(0.1, 0.9, (4, 3))) for _ in range(3))
    sign = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
    arguments = {
        "cosine_embedding_loss": (x, y, sign), "margin_ranking_loss": (x[:, 0], y[:, 0], sign),
        "triplet_margin_loss": (x, y, z), "hinge_embedding_loss": (x[:, 0], sign),
    }.get(name, (x, y))  # fmt: skip
    if name == "ctc_loss":
        lengths = torch.tensor([4, 3]), torch.tensor([2, 1])
        arguments = (z[:, None].log_softmax(-1).repeat(1, 2, 1), torch.ones(2, 2).long(), *lengths)
    ours, theirs = getattr(torch, name), getattr(F, name)
    for i, reduction in enumerate(("none", "mean", "sum")):
        expected = theirs(*arguments, reduction=reduction)
        if name == "poisson_nll_loss":
            assert torch.equal(ours(*arguments, True, False, 1e-8, i), expected)
        else:
            assert torch.equal(ours(*arguments, reduction=i), expected)
    if name == "poisson_nll_loss":
        with pytest.raises(TypeError, match="required"):
            ours(*arguments)
        return
    for none in ({}, {"reduction": 0}, {"reduction": 3}):
        assert torch.equal(ours(*arguments, **none), theirs(*arguments, reduction="none"))
    assert torch.equal(theirs(*arguments), theirs(*arguments, reduction="mean"))


def test_positions_of_a_loss():
    x, y = torch.tensor([0.5, 0.2]), torch.tensor([0.4, 0.3])
    assert torch.equal(torch.kl_div(x, y, 2), F.kl_div(x, y, reduction="sum"))
    with pytest.raises(TypeError):
        torch.kl_div(x, y, 2, False, 1)


def test_other_orders():
    table = torch.arange(6.0).reshape(3, 2)
    assert torch.embedding(table, torch.tensor([2, 0])).tolist() == [[4, 5], [0, 1]]
    bags = torch.embedding_bag(table, torch.tensor([0, 1, 2, 1]), torch.tensor([0, 2, 2]))
    assert [b.tolist() for b in bags[:2]] == [[[2, 4], [0, 0], [6, 8]], [0, 0, 2, 2]]
    bags = torch.embedding_bag(  # a last offset, and row 1 left out
        table, torch.tensor([0, 1, 2, 1]), torch.tensor([0, 2, 2, 4]), False, 2, False, None, True,
        1,
    )  # fmt: skip
    assert [b.tolist() for b in bags] == [
        [[0, 1], [0, 0], [4, 5]], [0, 0, 2, 2], [1, 0, 1], [[0, 0], [0, 0], [2, 2]]
    ]  # fmt: skip
    x = torch.tensor(np.random.default_rng(1).normal(size=(4, 6, 5)))
    weight, bias = torch.rand(6).double(), torch.rand(6).double()
    ours = torch.batch_norm(x, weight, bias, None, None, True, 0.1, 1e-5)
    assert torch.equal(ours, F.batch_norm(x, None, None, weight, bias, True))
    ours = torch.instance_norm(x, weight, bias, None, None, True, 0.1, 1e-5)
    assert torch.equal(ours, F.instance_norm(x, weight=weight, bias=bias))
    for f in (torch.native_batch_norm, torch.native_layer_norm):  # what they divide by is constant
        more = (None, None, True, 0.1) if f is torch.native_batch_norm else ()
        first = () if more else ([5],)
        out = f(x.clone().requires_grad_(), *first, None, None, *more, 1e-5)
        assert [t.requires_grad for t in out] == [True, False, False]
    padded = torch.constant_pad_nd(x, [1, 2], 3.0)
    assert torch.equal(padded, F.pad(x, [1, 2], value=3.0))
    turned = torch.constant_pad_nd(x.to(torch.complex64), [1, 0], value=2 + 1j)
    assert turned[..., 0].eq(2 + 1j).all()
    norms = np.linalg.norm(x.numpy().reshape(4, -1), axis=1)
    np.testing.assert_allclose(torch.norm_except_dim(x).numpy().ravel(), norms)
    # of one dimension: each number has a norm of its own
    assert torch.norm_except_dim(torch.tensor([3.0, -4.0])).tolist() == [3, 4]
    assert torch.norm_except_dim(torch.tensor([3.0, -4.0]), dim=-1).item() == 5
    with pytest.raises(IndexError):
        torch.norm_except_dim(torch.ones(2), dim=1)


def test_normalised_values_with_statistics():
    a = np.random.default_rng(2).normal(size=(4, 6, 5))
    x = torch.tensor(a)
    out, mean, scale = torch.native_layer_norm(x, [5], None, None, 1e-5)
    assert torch.equal(out, F.layer_norm(x, [5]))
    np.testing.assert_allclose(mean.numpy(), a.mean(2, keepdims=True))
    np.testing.assert_allclose(scale.numpy(), 1 / np.sqrt(a.var(2, keepdims=True) + 1e-5))
    out, mean, scale = torch.native_group_norm(x, None, None, 4, 6, 5, 3, 1e-5)
    assert torch.equal(out, F.group_norm(x, 3)) and mean.shape == scale.shape == (4, 3)
    np.testing.assert_allclose(mean.numpy(), a.reshape(4, 3, 10).mean(2))
    out, mean, scale = torch.native_batch_norm(x, None, None, None, None, True, 0.1, 1e-5)
    np.testing.assert_allclose(mean.numpy(), a.mean((0, 2)))
    out, mean, scale = torch.native_batch_norm(
        x, None, None, torch.zeros(6).double(), torch.ones(6).double(), False, 0.1, 1e-5
    )
    assert mean.numel() == scale.numel() == 0


def test_prelu_and_shrinks():
    x = torch.tensor([[-2.0, 0.3], [1.5, -0.4]])
    assert np.allclose(torch.prelu(x, torch.tensor(0.5)).numpy(), [[-1, 0.3], [1.5, -0.2]])
    assert np.allclose(x.prelu(torch.tensor([1.0, 0.5])).numpy(), [[-2, 0.3], [1.5, -0.2]])
    assert torch.tensor(-1.0).prelu(torch.tensor([2.0])).shape == ()
    assert np.allclose(x.hardshrink().numpy(), [[-2, 0], [1.5, 0]])
    assert torch.threshold(torch.tensor([1, 3]), 1.5, 2.7).tolist() == [2, 3]
    for call, error in (
        (lambda: torch.prelu(x, torch.ones(3)), RuntimeError),
        (lambda: torch.prelu(x, torch.ones(2, 2)), RuntimeError),
        (lambda: torch.prelu(x, torch.ones(1).double()), RuntimeError),
        (lambda: torch.prelu(torch.tensor(1.0), torch.ones(2)), RuntimeError),
        (lambda: torch.ones(2).long().hardshrink(), NotImplementedError),
        (lambda: F.hardtanh(torch.ones(2).bool()), RuntimeError),
        (lambda: F.hardtanh(torch.ones(2).byte()), RuntimeError),
    ):
        with pytest.raises(error):
            call()


def test_settings_without_effect():
    torch.set_deterministic_debug_mode("warn")
    assert torch.get_deterministic_debug_mode() == 1 and not torch.set_flush_denormal(True)
    torch.set_deterministic_debug_mode("default")
    assert torch.get_num_interop_threads() == 1
    torch.set_num_interop_threads(2)
    for call in (
        lambda: torch.set_num_interop_threads(0), lambda: torch.set_deterministic_debug_mode(7)
    ):  # fmt: skip
        with pytest.raises(RuntimeError):
            call()


def test_in_torch_the_places_of_maxima_come_along():
    x = torch.tensor([[[1.0, 3.0, 2.0, 0.0]]])
    values, places = torch.adaptive_max_pool1d(x, 2)
    assert values.tolist() == [[[3, 2]]] and places.tolist() == [[[1, 2]]]
    assert torch.nn.functional.adaptive_max_pool1d(x, 2).tolist() == [[[3, 2]]]


def test_frobenius_norm_over_the_first_dimension():
    x = torch.tensor([[3.0, 0.0], [4.0, 1.0]])
    assert torch.frobenius_norm(x, 0).tolist() == [5, 1]
    for everything in ([], (), (0, 1)):
        assert torch.frobenius_norm(x, everything).shape == ()
