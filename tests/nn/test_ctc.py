"""CTC: PyTorch's numbers, and all readings counted one by one."""

import itertools

import numpy as np
import pytest

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F


def readings(p, labels, blank):
    """The probability of labels: of all ways to read a class per frame that collapse to them."""
    total = 0.0
    for path in itertools.product(range(p.shape[1]), repeat=len(p)):
        runs = [c for c, _ in itertools.groupby(path)]
        if [c for c in runs if c != blank] == list(labels):
            total += np.prod([p[t, c] for t, c in enumerate(path)])
    return total


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("labels", [[], [1], [1, 1], [1, 3], [3, 1, 3]])
def test_the_loss_sums_over_all_readings(labels, blank):
    rng = np.random.default_rng(len(labels) + blank)
    p = rng.random((5, 4)) + 0.1
    p /= p.sum(1, keepdims=True)
    loss = F.ctc_loss(
        torch.tensor(np.log(p)),
        torch.tensor(labels, dtype=torch.int64),
        torch.tensor(5),
        torch.tensor(len(labels)),
        blank=blank,
        reduction="sum",
    )
    np.testing.assert_allclose(loss.item(), -np.log(readings(p, labels, blank)), rtol=1e-10)


def scores():
    return torch.sin(torch.arange(72, dtype=torch.float64) * 0.7).reshape(6, 3, 4)


TARGETS = torch.tensor([[1, 2, 2], [3, 1, 1], [2, 1, 3]])
LENGTHS = (torch.tensor([6, 4, 3]), torch.tensor([3, 1, 2]))
RECORDED = {  # PyTorch 2.13
    "none": [5.0523, 2.6278, 2.3515],
    "sum": 10.0315,
    "mean": 1.8292,
}


@pytest.mark.parametrize("reduction", RECORDED)
def test_values_are_pytorchs(reduction):
    loss = nn.CTCLoss(reduction=reduction)(scores().log_softmax(-1), TARGETS, *LENGTHS)
    np.testing.assert_allclose(loss.numpy(), RECORDED[reduction], atol=6e-5)


def test_targets_may_stand_one_after_the_other_and_lengths_may_be_tuples():
    flat = torch.tensor([1, 2, 2, 3, 2, 1])
    given = scores().log_softmax(-1)
    both = [
        F.ctc_loss(given, TARGETS, *LENGTHS),
        F.ctc_loss(given, flat, (6, 4, 3), (3, 1, 2)),
    ]
    np.testing.assert_allclose(both[0].item(), both[1].item())


@pytest.mark.parametrize("reduction", RECORDED)
def test_gradient_behind_log_softmax(reduction):
    def loss(x):
        return F.ctc_loss(x.log_softmax(-1), TARGETS, *LENGTHS, reduction=reduction)

    assert torch.autograd.gradcheck(loss, scores().requires_grad_())


def test_a_target_that_does_not_fit():
    x = scores().requires_grad_()
    short = (torch.tensor([2, 4, 3]), torch.tensor([3, 1, 2]))
    loss = F.ctc_loss(x.log_softmax(-1), TARGETS, *short, reduction="none")
    assert loss[0].item() == np.inf
    (g,) = torch.autograd.grad(loss.sum(), x)
    assert g[:2, 0].isnan().all() and not g[2:, 0].any() and torch.isfinite(g[:, 1:]).all()
    loss = F.ctc_loss(x.log_softmax(-1), TARGETS, *short, reduction="none", zero_infinity=True)
    assert loss[0].item() == 0 and loss[1].item() > 0
    loss.sum().backward()
    assert not x.grad[:, 0].any() and x.grad[:2, 1].any() and torch.isfinite(x.grad).all()


def test_no_second_derivative_as_in_pytorch():
    x = scores().requires_grad_()
    loss = F.ctc_loss(x.log_softmax(-1), TARGETS, *LENGTHS)
    (g,) = torch.autograd.grad(loss, x, create_graph=True)
    with pytest.raises(RuntimeError, match="_ctc_loss_backward is not implemented"):
        g.sum().backward()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"blank": 4}, "blank must be in label range"),
        ({"input_lengths": (7, 4, 3)}, "value at most 6"),
        ({"input_lengths": (6, 4)}, "must be of size batch_size"),
        ({"target_lengths": (4, 1, 2)}, "size at least 4"),
        ({"target_lengths": (1.0, 1.0, 2.0)}, "must be integral"),
        ({"targets": TARGETS.flatten()}, "sum of target_lengths"),
    ],
)
def test_messages(change, words):
    given = {"targets": TARGETS, "input_lengths": LENGTHS[0], "target_lengths": LENGTHS[1]}
    with pytest.raises(RuntimeError, match=words):
        F.ctc_loss(scores().log_softmax(-1), **{**given, **change})
