"""Instance norm with running statistics, local response norms, SyncBatchNorm; empty inputs."""

import math
from functools import partial

import numpy as np
import pytest

import microtorch as torch
from microtorch import autograd, nn
from microtorch.distributed.group import Alone, Groups, ProcessGroup
from microtorch.nn import functional as F

X = np.random.default_rng(0).standard_normal((3, 4, 2, 5))


def test_instance_norm_keeps_the_mean_of_the_examples_statistics():
    layer = nn.InstanceNorm2d(4, momentum=0.25, track_running_stats=True).double()
    layer(torch.tensor(X))
    mean = X.mean((2, 3)).mean(0)
    var = X.var((2, 3), ddof=1).mean(0)
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.25 * mean)
    np.testing.assert_allclose(layer.running_var.numpy(), 0.75 + 0.25 * var)
    out = layer.eval()(torch.tensor(X))
    m, v = (s.numpy().reshape(4, 1, 1) for s in (layer.running_mean, layer.running_var))
    np.testing.assert_allclose(out.numpy(), (X - m) / np.sqrt(v + 1e-5))
    assert list(layer.state_dict()) == ["running_mean", "running_var", "num_batches_tracked"]


def test_instance_norm_says_what_does_not_fit():
    with pytest.raises(ValueError, match="to match num_features"):
        nn.InstanceNorm1d(3, affine=True)(torch.zeros(1, 2, 4))
    with pytest.warns(UserWarning, match="does not match num_features"):
        nn.InstanceNorm1d(3)(torch.zeros(1, 2, 4))
    with pytest.raises(ValueError, match="expected 4D or 5D input"):
        nn.InstanceNorm3d(3)(torch.zeros(1, 3, 4))
    x, one = torch.zeros(1, 2, 3), torch.zeros(2)
    with pytest.raises(RuntimeError, match="use_input_stats is false"):
        F.instance_norm(x, use_input_stats=False)
    with pytest.raises(RuntimeError, match="running_var must be defined"):
        F.batch_norm(x, one, None)
    for norm in (F.instance_norm, partial(F.batch_norm, training=True)):
        with pytest.raises(ValueError, match="both be None or neither"):
            norm(x, None, one)


@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 5, 2, 2), (1, 5, 2, 1, 2)])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_local_response_norm(shape, size):
    x = np.random.default_rng(1).standard_normal(shape)
    squares = np.zeros(shape)
    for c in range(5):
        near = x[:, max(0, c - size // 2) : c + (size - 1) // 2 + 1]
        squares[:, c] = (near**2).sum(1) / size
    out = F.local_response_norm(torch.tensor(x), size, 0.5, 0.75, 2.0)
    np.testing.assert_allclose(out.numpy(), x / (2 + 0.5 * squares) ** 0.75)


def test_local_response_norms_have_derivatives():
    x = torch.tensor(X[:1, :, :, :2], requires_grad=True)
    for layer in (nn.LocalResponseNorm(2, 0.3), nn.CrossMapLRN2d(3, 0.3)):
        assert autograd.gradcheck(layer, x)
    # PyTorch 2.13: the module itself keeps channel 0 in the sums of later channels
    ones = torch.ones(1, 5, 1, 1, dtype=torch.float64)
    out = nn.CrossMapLRN2d(3, 3.0, 1.0, 1.0)(ones).flatten()
    np.testing.assert_allclose(1 / out.numpy(), [3, 4, 5, 5, 4])
    with pytest.raises(ValueError, match="input to be 4D"):
        nn.CrossMapLRN2d(3)(torch.zeros(1, 2, 3))
    with pytest.raises(ValueError, match="3D or higher"):
        nn.LocalResponseNorm(3)(torch.zeros(1, 2))


def test_sync_batch_norm_is_batch_norm():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(4, 3, 1), nn.BatchNorm2d(3), nn.Sequential(nn.BatchNorm1d(2)))
    net[1].weight.data.uniform_()
    made = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    assert made is net and type(net[1]) is nn.SyncBatchNorm and type(net[2][0]) is nn.SyncBatchNorm
    plain = nn.BatchNorm2d(3)
    plain.load_state_dict(net[1].state_dict())
    x = torch.randn(2, 3, 4, 4)
    np.testing.assert_array_equal(net[1](x).detach().numpy(), plain(x).detach().numpy())
    alone = nn.BatchNorm1d(2, affine=False)
    assert type(nn.SyncBatchNorm.convert_sync_batchnorm(alone)) is nn.SyncBatchNorm
    with pytest.raises(ValueError, match="at least 2D"):
        nn.SyncBatchNorm(3)(torch.zeros(3))


def test_group_norm_of_nothing_and_of_one_value():
    assert F.group_norm(torch.zeros(0, 4, 2), 2).shape == (0, 4, 2)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        F.group_norm(torch.zeros(1, 2, 1), 2)


@pytest.mark.filterwarnings("ignore:overflow")  # of the variance, which half does not hold
def test_statistics_in_16_bits():
    """PyTorch's numbers: mean and deviation are kept in the input's dtype, or the weights'."""
    x = torch.tensor([20000.0, 30000.0, 25000.0, 300.0]).half().reshape(4, 1).requires_grad_()
    moving = torch.zeros(1).half(), torch.ones(1).half()
    out = F.batch_norm(x, *moving, training=True)
    out.backward(torch.tensor([[1.0], [2], [0], [-3]]).half())
    assert out.flatten().tolist() == [0.10516357421875, 0.9931640625, 0.54833984375, -1.64453125]
    expected = [7.241964340209961e-05, 2.2709369659423828e-05, -8.553266525268555e-05]
    assert x.grad.flatten().tolist() == [*expected, -9.953975677490234e-06]
    assert moving[0].item() == 1882 and math.isinf(moving[1].item())
    wide = F.batch_norm(x, None, None, torch.ones(1), training=True).float().flatten()
    exact = F.batch_norm(x.float(), None, None, training=True).half().float().flatten()
    assert torch.equal(wide, exact) and not torch.equal(wide, out.float().flatten())
    with pytest.raises(RuntimeError, match="mixed dtype"):
        F.batch_norm(x, moving[0].float(), moving[1].float(), moving[1])


def test_bfloat16_statistics():
    pytest.importorskip("ml_dtypes")
    x = torch.tensor([[[1.0, 3.0, 2.5], [7.3, 0.1, -5.0]]]).bfloat16().requires_grad_()
    out = F.instance_norm(x)
    out.backward(torch.tensor([[[1.0, 2, 0], [-3, 1, 1]]]).bfloat16())
    expected = [-1.3828125, 0.9765625, 0.38671875, 1.2890625, -0.1396484375, -1.1484375]
    assert out.flatten().tolist() == expected
    expected = [0.310546875, 0.9609375, -1.265625, -0.0888671875, 0.216796875, -0.1279296875]
    assert x.grad.flatten().tolist() == expected


def test_statistics_of_several_processes_are_refused(monkeypatch):
    class Two:
        Get_rank, Get_size = (lambda self: 0), (lambda self: 2)

    layer = nn.SyncBatchNorm(3)
    monkeypatch.setattr(Groups, "WORLD", ProcessGroup(Two(), (0, 1), "gloo"))
    with pytest.raises(ValueError, match="expected input tensor to be on GPU"):
        layer(torch.randn(4, 3))
    assert layer.eval()(torch.randn(4, 3)).shape == (4, 3)  # with the running statistics
    monkeypatch.setattr(Groups, "WORLD", ProcessGroup(Alone(), (0,), "gloo"))
    assert layer.train()(torch.randn(4, 3)).shape == (4, 3)
