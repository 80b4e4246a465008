"""Layers that are composed of other ops, on a device: the CPU's results and gradients."""

import numpy as np
import pytest

import microtorch as torch
from microtorch import nn
from microtorch.nn import functional as F

pytestmark = pytest.mark.needs("opencl")


def wave(*shape):
    return torch.sin(torch.arange(int(np.prod(shape))).float() * 1.7).reshape(shape)


def ctc(x):
    return F.ctc_loss(x.log_softmax(-1), torch.tensor([[1, 2], [2, 1]]), (4, 4), (2, 2))


LAYERS = {
    "MaxPool3d": (lambda: nn.MaxPool3d(2), [(1, 2, 4, 4, 4)]),
    "AvgPool3d": (lambda: nn.AvgPool3d(2, ceil_mode=True, padding=1), [(1, 2, 5, 4, 4)]),
    "AdaptiveMaxPool2d": (lambda: nn.AdaptiveMaxPool2d(3), [(1, 2, 5, 4)]),
    "LocalResponseNorm": (lambda: nn.LocalResponseNorm(3), [(1, 5, 3, 3)]),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(2, track_running_stats=True), [(2, 2, 3, 3)]),
    "Transformer": (lambda: nn.Transformer(4, 2, 1, 1, 8, 0.0), [(3, 2, 4), (2, 2, 4)]),
    "LSTM": (lambda: nn.LSTM(3, 4, proj_size=2), [(3, 2, 3)]),
    "ctc_loss": (lambda: ctc, [(4, 2, 3)]),
    "grid_sample": (
        lambda: lambda x, g: F.grid_sample(x, g, "bicubic", "reflection", align_corners=False),
        [(1, 2, 3, 4), (1, 2, 2, 2)],
    ),
    "interpolate": (
        lambda: lambda x: F.interpolate(x, (2, 7), mode="bicubic", antialias=True),
        [(1, 2, 4, 5)],
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_results_are_those_of_the_cpu(name):
    make, shapes = LAYERS[name]
    found = []
    for device in ("cpu", "opencl"):
        torch.manual_seed(0)
        layer = make()
        layer = layer.to(device) if isinstance(layer, nn.Module) else layer
        xs = [wave(*shape).to(device).requires_grad_() for shape in shapes]
        out = layer(*xs)
        out = out[0] if isinstance(out, tuple) else out
        assert out.device.type == device
        out.sum().backward()
        found.append([out.detach().cpu().numpy(), *(x.grad.cpu().numpy() for x in xs)])
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)
