"""Pictures, masks and boxes of one sample are changed together, as torchvision changes them."""

import copy
import pickle

import numpy as np
import pytest

import microtorch as torch
from microtorch.vision import tv_tensors as T
from microtorch.vision.transforms import v2
from microtorch.vision.transforms.v2 import functional as F


def sample():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    return {
        "image": T.Image(torch.from_numpy(picture.transpose(2, 0, 1).copy())),
        "mask": T.Mask(torch.arange(600).reshape(20, 30) % 7),
        "boxes": T.BoundingBoxes([[2, 3, 10, 12], [0, 0, 29, 19]], format="xyxy",
                                 canvas_size=(20, 30)),
        "more": T.BoundingBoxes(torch.tensor([[5.0, 6.0, 4.0, 3.0]]), format="CXCYWH",
                                canvas_size=(20, 30)),
        "label": 3,
        "other": torch.ones(2),
    }  # fmt: skip


# seed 3 under torchvision: sum of the picture, of the mask, boxes, their canvas, the other box,
# the next random number
EXPECTED = {
    "RandomHorizontalFlip": ((1.0,), 225818, 1795, [[20, 3, 28, 12], [1, 0, 30, 19]], (20, 30),
                             [25, 6, 4, 3], 0.10557),
    "RandomVerticalFlip": ((1.0,), 225818, 1795, [[2, 8, 10, 17], [0, 1, 29, 20]], (20, 30),
                           [5, 14, 4, 3], 0.10557),
    "RandomCrop": (((8, 9),), 26442, 221, [[0, 1, 2, 8], [0, 0, 9, 8]], (8, 9), [0, 4, 0, 3],
                   0.28584),
    "CenterCrop": (((24, 40),), 225818, 1795, [[7, 5, 15, 14], [5, 2, 34, 21]], (24, 40),
                   [10, 8, 4, 3], 0.00426),
    "Pad": ((3,), 225818, 1795, [[5, 6, 13, 15], [3, 3, 32, 22]], (26, 36), [8, 9, 4, 3], 0.00426),
    "RandomRotation": ((25,), 187298, 1540, [[2, 0, 13, 9], [0, 0, 30, 20]], (20, 30),
                       [7.598, 2.188, 4.889, 4.376], 0.10557),
    "RandomAffine": ((10, (0.1, 0.2), (0.8, 1.2), 5), 141161, 1108,
                     [[1, 3, 9, 11], [0, 0, 25, 17]], (20, 30), [4.439, 6.204, 3.625, 2.952],
                     0.06012),
    "RandomPerspective": ((0.5, 1.0), 96173, 799, [[3, 4, 11, 11], [0, 1, 25, 15]], (20, 30),
                          [6.838, 7.001, 4.166, 2.501], 0.88786),
    "RandomResizedCrop": ((7,), None, 147, [[0, 0, 0, 6], [0, 0, 7, 7]], (7, 7),
                          [0, 1.094, 0, 2.188], 0.47161),
    "ColorJitter": ((0.3, 0.3), 160197, 1795, [[2, 3, 10, 12], [0, 0, 29, 19]], (20, 30),
                    [5, 6, 4, 3], 0.06012),
    "RandomErasing": ((1.0,), 215880, 1795, [[2, 3, 10, 12], [0, 0, 29, 19]], (20, 30),
                      [5, 6, 4, 3], 0.06012),
    "RandomInvert": ((1.0,), 233182, 1795, [[2, 3, 10, 12], [0, 0, 29, 19]], (20, 30),
                     [5, 6, 4, 3], 0.10557),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_as_in_torchvision(name):
    arguments, total, of_mask, boxes, canvas, more, following = EXPECTED[name]
    step = getattr(v2, name)(*arguments)
    torch.manual_seed(3)
    made = step(sample())
    assert round(torch.rand(1).item(), 5) == following
    assert total is None or made["image"].plain().long().sum().item() == total
    assert made["mask"].plain().sum().item() == of_mask
    assert made["boxes"].tolist() == boxes and made["boxes"].canvas_size == canvas
    np.testing.assert_allclose(made["more"].plain().numpy()[0], more, atol=6e-4)
    kinds = [type(made[key]).__name__ for key in ("image", "mask", "boxes", "more", "other")]
    assert kinds == ["Image", "Mask", "BoundingBoxes", "BoundingBoxes", "Tensor"]
    assert made["boxes"].dtype == torch.int64 and made["label"] == 3


def test_what_they_are():
    made = sample()
    image, boxes = made["image"], made["boxes"]
    assert type(image + 1) is torch.Tensor and type(image[0]) is torch.Tensor
    assert type(image.clone()) is T.Image and type(image.to(torch.float32)) is T.Image
    assert T.Image(torch.zeros(4, 5)).shape == (1, 4, 5)
    again = pickle.loads(pickle.dumps(boxes))
    for same in (again, copy.deepcopy(boxes), boxes.clone(), T.wrap(boxes.plain(), like=boxes)):
        assert type(same) is T.BoundingBoxes and same.canvas_size == (20, 30)
        assert same.format is T.BoundingBoxFormat.XYXY and same.tolist() == boxes.tolist()
    assert repr(made["more"]) == (
        "BoundingBoxes([[5., 6., 4., 3.]], format=BoundingBoxFormat.CXCYWH, canvas_size=(20, 30), "
        "clamping_mode=soft)"
    )


def test_dtypes_by_kind():
    kinds = {T.Image: torch.float32, T.Mask: torch.int32, "others": None}
    made = v2.Compose([v2.ToImage(), v2.ToDtype(kinds, scale=True)])(sample())
    assert made["image"].dtype == torch.float32 and made["image"].max() <= 1
    assert made["mask"].dtype == torch.int32 and made["boxes"].dtype == torch.int64
    made = v2.ToDtype(torch.float32, scale=True)(sample())
    assert made["mask"].dtype == torch.int64
    assert type(v2.ToPureTensor()(sample())["boxes"]) is torch.Tensor


def test_boxes_in_other_words():
    boxes = sample()["boxes"]
    middle = v2.ConvertBoundingBoxFormat("CXCYWH")(boxes)
    assert middle.tolist() == [[6, 7, 8, 9], [14, 9, 29, 19]]
    assert middle.format is T.BoundingBoxFormat.CXCYWH
    large = T.BoundingBoxes([[-3.0, 2.0, 50.0, 60.0]], format="XYXY", canvas_size=(20, 30))
    assert v2.ClampBoundingBoxes()(large).tolist() == [[0, 2, 30, 20]]
    wide = F.convert_bounding_box_format(boxes.plain(), T.BoundingBoxFormat.XYXY, "XYWH")
    assert wide.tolist() == [[2, 3, 8, 9], [0, 0, 29, 19]] and F.get_size(boxes) == [20, 30]
    tiny = T.BoundingBoxes([[1, 1, 1, 5], [1, 1, 4, 5]], format="XYXY", canvas_size=(9, 9))
    kept = v2.SanitizeBoundingBoxes()({"boxes": tiny, "labels": torch.tensor([7, 8])})
    assert kept["boxes"].tolist() == [[1, 1, 4, 5]] and kept["labels"].tolist() == [8]
    turned = v2.RandomRotation((30, 30), expand=True)(sample())
    assert turned["boxes"].tolist() == [[3, 12, 14, 24], [0, 0, 34, 31]]
    assert turned["boxes"].canvas_size == (33, 36)  # torchvision's, of a picture of 34


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda s: v2.RandAugment()(s), TypeError, "not supported by RandAugment"),
        (lambda s: v2.FiveCrop(4)(s), TypeError, "not supported by FiveCrop"),
        (lambda s: v2.Pad(1, padding_mode="edge")(s), ValueError, "not supported with bounding"),
        (lambda s: v2.SanitizeBoundingBoxes()(s["image"]), ValueError, "No bounding boxes"),
        (lambda s: F.clamp_bounding_boxes(torch.ones(1, 4)), ValueError, "have to be passed"),
        (lambda s: v2.ElasticTransform(5.0, 1.0)(s), NotImplementedError, "moves no boxes"),
        (lambda s: T.Image(torch.ones(3)), ValueError, "1 dim"),
    ],
)
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call(sample())
