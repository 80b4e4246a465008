"""torchvision.ops: boxes and layers, with torchvision's numbers."""

import math

import pytest

import microtorch as torch
from microtorch.vision import ops

A = torch.tensor([[0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 4.0], [0.0, 0.0, 2.0, 2.1]])


def test_boxes():
    assert ops.box_area(A).tolist() == pytest.approx([4, 6, 4.2])
    assert ops.box_iou(A[:1], A)[0].tolist() == pytest.approx([1, 1 / 9, 4 / 4.2])
    frame, both = 12, 9  # of the first two
    assert ops.generalized_box_iou(A[:1], A)[0, 1].item() == pytest.approx(1 / 9 - 3 / frame)
    assert both == 4 + 6 - 1
    for a in ("xyxy", "xywh", "cxcywh"):
        for b in ("xyxy", "xywh", "cxcywh"):
            there = ops.box_convert(ops.box_convert(A, "xyxy", a), a, b)
            assert torch.allclose(ops.box_convert(there, b, "xyxy"), A)
    assert ops.box_convert(A[1:2], "xyxy", "cxcywh").tolist() == [[2, 2.5, 2, 3]]
    with pytest.raises(ValueError, match="Unsupported"):
        ops.box_convert(A, "xyxy", "xyhw")
    assert ops.clip_boxes_to_image(A, (2, 1)).tolist()[1] == [1, 1, 1, 2]
    assert ops.remove_small_boxes(A, 2.05).tolist() == []
    assert ops.remove_small_boxes(A, 2).tolist() == [0, 1, 2]
    mask = torch.zeros(1, 4, 5, dtype=torch.bool)
    mask[0, 1:3, 2:5] = True
    assert ops.masks_to_boxes(mask).tolist() == [[2, 1, 4, 2]]


def test_boxes_that_are_apart_share_less():
    a, b = A[:1], A[1:2]
    apart = (1 + 1.5**2) / (9 + 16)  # centres (1, 1) and (2, 2.5), frame 3 x 4
    assert ops.distance_box_iou(a, b).item() == pytest.approx(1 / 9 - apart)
    v = 4 / math.pi**2 * (math.pi / 4 - math.atan(2 / 3)) ** 2
    complete = 1 / 9 - apart - v * v / (1 - 1 / 9 + v)
    assert ops.complete_box_iou(a, b).item() == pytest.approx(complete)
    assert ops.distance_box_iou(A, A[:2]).shape == ops.complete_box_iou(A, A[:2]).shape == (3, 2)


@pytest.mark.parametrize("kind", ["generalized", "distance", "complete"])
def test_losses_of_boxes_compare_box_by_box(kind):
    loss, iou = getattr(ops, f"{kind}_box_iou_loss"), getattr(ops, f"{kind}_box_iou")
    x = (A + 0.1).requires_grad_()
    each = loss(x, A)
    assert torch.allclose(each, 1 - iou(x, A).diagonal(), atol=1e-6)
    assert torch.equal(loss(x, A, reduction="sum"), each.sum())
    assert torch.equal(loss(x, A, reduction="mean"), each.mean())
    assert loss(x[:0], A[:0], reduction="mean").item() == 0
    g, h, steps = torch.autograd.grad(each.sum(), x)[0], torch.zeros_like(A), torch.eye(A.numel())
    for i, step in enumerate(1e-6 * steps.double().view(-1, *A.shape)):
        up, down = (loss(x.detach() + d, A.double(), reduction="sum") for d in (step, -step))
        h.view(-1)[i] = (up - down) / 2e-6
    if kind != "complete":  # whose weight counts as a constant
        assert torch.allclose(g, h, atol=1e-3)
    with pytest.raises(ValueError, match="reduction"):
        loss(x, A, reduction="max")


def test_suppression():
    scores = torch.tensor([0.5, 0.9, 0.6])
    assert ops.nms(A, scores, 0.5).tolist() == [1, 2]
    assert ops.nms(A, scores, 0.96).tolist() == [1, 2, 0]
    assert ops.batched_nms(A, scores, torch.tensor([0, 0, 1]), 0.5).tolist() == [1, 2, 0]
    assert ops.batched_nms(A[:0], scores[:0], scores[:0], 0.5).tolist() == []


def test_layers():
    x, y = torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0])
    found = ops.sigmoid_focal_loss(x, y)
    assert found.tolist() == pytest.approx([0.25 * 0.25 * 0.693147, 0.75 * 0.775803 * 2.126928])
    assert ops.sigmoid_focal_loss(x, y, alpha=-1, reduction="sum").item() == pytest.approx(1.823365)
    with pytest.raises(ValueError, match="reduction"):
        ops.sigmoid_focal_loss(x, y, reduction="most")
    frozen = ops.FrozenBatchNorm2d(2)
    frozen.running_mean.fill_(1)
    assert torch.allclose(frozen(torch.full((1, 2, 1, 1), 3.0)), torch.tensor(2.0), atol=1e-4)
    names = list(ops.MLP(2, [3, 4], norm_layer=torch.nn.LayerNorm).state_dict())
    assert names == ["0.weight", "0.bias", "1.weight", "1.bias", "4.weight", "4.bias"]
    assert ops.Conv2dNormActivation(1, 2, 5, dilation=2)[0].padding == (4, 4)
    assert ops.Conv3dNormActivation(1, 2)(torch.ones(2, 1, 3, 3, 3)).shape == (2, 2, 3, 3, 3)
    for p in (0.0, 1.0):
        kept = ops.stochastic_depth(torch.ones(4, 2), p, "batch").sum().item()
        assert kept == (8 if p == 0 else 0)
    with pytest.raises(AttributeError, match="part of torchvision"):
        _ = ops.roi_align
