"""What scripts print of types, nodes and results, and what `with torch.device(...)` does."""
from __future__ import annotations

import pytest

import microtorch as torch
from microtorch import nn
from microtorch.vision import models


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * 2


def test_types():
    x = torch.ones(2, 3)
    kinds = {type(x): "Tensor", type(x.shape): "Size", type(x.dtype): "dtype",
             type(x.device): "device"}  # fmt: skip
    for kind, name in kinds.items():
        assert str(kind) == f"<class 'microtorch.{name}'>" and getattr(torch, name) is kind
    assert repr(torch.manual_seed(0)).startswith("<torch._C.Generator object at 0x")


def test_nodes():
    x = torch.ones(2, requires_grad=True)
    assert repr(Twice.apply(x).grad_fn).startswith("<torch.autograd.function.TwiceBackward object")
    assert "grad_fn=<TwiceBackward>" in repr(Twice.apply(x))
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    edges = [node for node, _ in net(torch.ones(3, 2)).grad_fn.next_functions]
    assert [n.name() for n in edges] == [
        "torch::autograd::AccumulateGrad", "ReluBackward0", "torch::autograd::AccumulateGrad",
    ]  # fmt: skip
    assert edges[0].variable is net[2].bias and edges[2].variable is net[2].weight


def test_results_of_linear_algebra():
    text = repr(torch.linalg.slogdet(torch.eye(2)))
    assert text == (
        "torch.return_types.linalg_slogdet(\nsign=tensor(1.),\nlogabsdet=tensor(0.))"
    )
    assert repr(torch.svd(torch.eye(1))).startswith("torch.return_types.svd(\nU=tensor([[1.]]),\nS")


def test_a_device_as_a_context():
    with torch.device("cpu") as cpu:
        assert torch.ones(1).device == cpu == torch.get_default_device()
        with pytest.raises(RuntimeError, match="cuda"), torch.device("cuda"):
            torch.ones(1)
        assert torch.get_default_device() == cpu
    assert torch.ones(1).device.type == "cpu"


def test_what_weights_were_trained_with():
    later, first = models.ResNet50_Weights.DEFAULT, models.ResNet18_Weights.DEFAULT
    assert later.transforms().resize_size == [232] and first.transforms().resize_size == [256]
    assert "    crop_size=[224]\n    resize_size=[256]\n    mean=[0.485" in repr(first.transforms())
    x = first.transforms()(torch.full((2, 3, 300, 260), 255, dtype=torch.uint8))
    assert x.shape == (2, 3, 224, 224) and x.dtype is torch.float32
    assert torch.allclose(x[0, 0], torch.tensor((1 - 0.485) / 0.229))


def test_a_missing_attribute_is_explained_when_somebody_reads():
    layer = nn.Linear(2, 2)
    assert not hasattr(layer, "nothing") and getattr(layer, "nothing", 1) == 1
    with pytest.raises(AttributeError, match=r"no attribute 'wieght'\. Did"):
        layer.wieght  # noqa: B018
