"""What microtorch does, each thing once, in a minute's reading. If it fails, look here first."""
import io

import numpy as np
import pytest

import microtorch as torch
import microtorch.nn as nn
import microtorch.nn.functional as F
from microtorch import Scalar
from microtorch.utils.data import DataLoader, TensorDataset


def test_scalars():
    a, b = Scalar(2.0), Scalar(-3.0)
    c = (a * b + 10).tanh()
    c.backward()
    assert c.data == pytest.approx(np.tanh(4))
    assert a.grad == pytest.approx(-3 * (1 - np.tanh(4) ** 2))


def test_tensors():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = (x @ x.T + x.exp().log()).relu().mean()
    y.backward()
    eps, numeric = 1e-3, np.zeros((2, 2))
    for i in np.ndindex(2, 2):
        up, down = x.detach().clone(), x.detach().clone()
        up[i] += eps
        down[i] -= eps
        numeric[i] = ((up @ up.T + up).mean() - (down @ down.T + down).mean()).item() / (2 * eps)
    assert np.allclose(x.grad.numpy(), numeric, atol=1e-2)
    assert repr(y) == "tensor(15.5000, grad_fn=<MeanBackward0>)"


def test_any_order():
    x = torch.tensor(2.0, requires_grad=True)
    (first,) = torch.autograd.grad(x**4, x, create_graph=True)
    (second,) = torch.autograd.grad(first, x, create_graph=True)
    (third,) = torch.autograd.grad(second, x)
    assert (first.item(), second.item(), third.item()) == pytest.approx((32, 48, 48))


def test_views_and_in_place():
    x = torch.ones(4, requires_grad=True)
    y = x * 2
    y.view(2, 2)[0] += 1
    (y * y).sum().backward()
    assert y.tolist() == [3, 3, 2, 2] and x.grad.tolist() == [12, 12, 8, 8]


def test_overwritten_values_are_noticed():
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    y += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_custom_function():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * g * x

    x = torch.tensor([3.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Square.apply, x)
    assert torch.autograd.gradgradcheck(Square.apply, x)


def test_same_seed_same_numbers_as_pytorch():
    torch.manual_seed(0)
    assert torch.rand(3).tolist() == pytest.approx([0.4962566, 0.7682218, 0.0884774], abs=1e-7)
    torch.manual_seed(0)
    assert nn.Linear(2, 1).weight.tolist()[0] == pytest.approx([-0.0052, 0.3793], abs=1e-4)


def test_a_network_learns():
    torch.manual_seed(0)
    x = torch.randn(128, 2)
    y = (x[:, 0] * x[:, 1] > 0).long()  # not linearly separable
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    for _ in range(30):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True):
            optimizer.zero_grad()
            F.cross_entropy(model(xb), yb).backward()
            optimizer.step()
    with torch.no_grad():
        assert (model(x).argmax(1) == y).float().mean() > 0.95


def test_save_and_load():
    model, other = nn.Linear(3, 2), nn.Linear(3, 2)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file))
    assert torch.equal(model.weight, other.weight)


def test_the_graph_is_there_to_be_read():
    w = torch.ones(3, requires_grad=True)
    loss = (w * 2).sum()
    mul = loss.grad_fn.next_functions[0][0]
    assert mul.name() == "MulBackward0" and mul.next_functions[0][0].variable is w
    assert mul.where().file == __file__


def test_errors_teach():
    with pytest.raises(
        RuntimeError, match=r"must match(.|\n)*\(2, 3\)(.|\n)*test_smoke.py(.|\n)*fix"
    ):
        torch.ones(2, 3) + torch.ones(4)
    with pytest.raises(AttributeError, match="Did you mean 'zeros'"):
        torch.zeross  # noqa: B018
