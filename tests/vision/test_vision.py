"""Digits are what the source says, in parts that do not overlap; transforms are torchvision's."""

import hashlib
import re

import numpy as np
import pytest

import microtorch as torch
from microtorch.vision.datasets import FILE, Digits
from microtorch.vision.transforms import Compose, Lambda, Normalize, ToTensor


@pytest.mark.parametrize("split, sizes", [("images", (1348, 449)), ("writers", (1287, 510))])
def test_the_parts_are_the_whole(split, sizes):
    train, test = Digits(split=split), Digits(train=False, split=split)
    assert (len(train), len(test)) == sizes
    pixels = sorted(image.tobytes() for part in (train, test) for image in part.images)
    with np.load(FILE) as file:
        assert pixels == sorted(image.tobytes() for image in file["images"])
    for part in (train, test):  # no digit is rare in either part
        counts = np.bincount(part.labels, minlength=10)
        assert len(counts) == 10 and counts.min() > 0.8 * len(part) / 10


def test_the_file_is_the_uci_test_set():
    with np.load(FILE, allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    assert (
        images.shape == (1797, 8, 8)
        and images.dtype == labels.dtype == np.uint8
        and images.max() == 16
    )
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    text = "\n".join(
        ",".join(map(str, (*image.ravel(), label)))
        for image, label in zip(images, labels, strict=True)
    )
    # the lines of optdigits.tes: 64 values and the label
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest == "63e266dec490e75ef6c22e592ba8e509f5cd6d9536f6a3c84547c959afa1f82a"
    assert FILE.stat().st_size < 100_000
    note = FILE.with_suffix(".txt").read_text(encoding="utf-8")
    assert "10.24432/C50P49" in note and "CC BY 4.0" in note and "Alpaydin" in note


def test_items():
    digits = Digits(train=False)
    image, label = digits[0]
    assert image.shape == (8, 8) and image.dtype == np.uint8 and type(label) is int
    assert digits.classes[label].startswith(str(label)) and digits.class_to_idx["3 - three"] == 3
    assert digits.data.shape == (449, 8, 8) and digits.data.dtype == torch.uint8
    assert digits.targets.dtype == torch.int64 and digits.targets[0].item() == label
    changed = Digits(train=False, transform=lambda image: int(image.sum()), target_transform=str)[0]
    assert changed == (int(image.sum()), str(label))
    with pytest.raises(IndexError):
        digits[len(digits)]
    assert "Number of datapoints: 449" in repr(digits)


def test_wrong_arguments_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="leave root out"):
        Digits(tmp_path)
    with pytest.raises(ValueError, match="'images' or 'writers', not 'forms'"):
        Digits(split="forms")


def test_to_tensor_divides_bytes_by_255_and_nothing_else():
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    tensor = ToTensor()(picture)
    assert tensor.shape == (1, 3, 4) and tensor.dtype == torch.float32
    np.testing.assert_array_equal(tensor.numpy()[0], picture.astype(np.float32) / np.float32(255))
    colour = ToTensor()(np.arange(24, dtype=np.float32).reshape(2, 4, 3))
    assert colour.shape == (3, 2, 4) and colour[1, 0, 0].item() == 1.0
    with pytest.raises(
        ValueError, match=r"\(H, W\) or \(H, W, C\), but got ndarray of shape \(3,\)"
    ):
        ToTensor()(np.zeros(3))


def test_normalize():
    x = torch.tensor([[[2.0, 4.0]], [[6.0, 8.0]]])
    assert Normalize((2.0, 6.0), (1.0, 2.0))(x).tolist() == [[[0.0, 2.0]], [[0.0, 1.0]]]
    assert (
        Normalize(2.0, 2.0)(x).tolist() == [[[0.0, 1.0]], [[2.0, 3.0]]] and x[0, 0, 0].item() == 2.0
    )
    Normalize(2.0, 2.0, inplace=True)(x)
    assert x.tolist() == [[[0.0, 1.0]], [[2.0, 3.0]]]
    with pytest.raises(TypeError, match=re.escape("torch.int64")):
        Normalize(0.5, 0.5)(torch.ones(1, 2, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"Size\(\[2, 2\]\)"):
        Normalize(0.5, 0.5)(torch.ones(2, 2))
    with pytest.raises(ValueError, match="division by zero"):
        Normalize(0.5, 0.0)(x)


def test_digits_through_the_transforms_lie_between_0_and_1():
    transform = Compose([ToTensor(), Normalize(0.0, 16 / 255), Lambda(lambda x: x.flatten())])
    image, _ = Digits(transform=transform)[5]
    assert image.shape == (64,) and 0 <= image.min().item() and abs(image.max().item() - 1) < 1e-6
    assert repr(transform) == (
        "Compose(\n    ToTensor()\n    Normalize(mean=0.0, std=0.06274509803921569)\n"
        "    Lambda()\n)"
    )
