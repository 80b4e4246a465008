"""What only version 2 has of transforms. Numbers are torchvision 0.28's, of pictures made here."""

import pytest

import microtorch as torch
from microtorch.nn import functional as F

pytest.importorskip("PIL")
from microtorch.vision import tv_tensors
from microtorch.vision.transforms import v2

PICTURE = (torch.arange(3 * 40 * 30) * 7919 % 256).reshape(3, 40, 30).to(torch.uint8)
BATCH = ((torch.arange(6 * 3 * 16 * 12) * 31 % 97).float() / 97).reshape(6, 3, 16, 12)
LABELS = torch.tensor([0, 1, 2, 3, 1, 0])


def weighed(x):
    """One number that says where which values are."""
    weights = torch.arange(x.numel()) % 13 + 1
    return ((x if x.is_floating_point() else x.long()).flatten() * weights).sum().item()


@pytest.mark.parametrize(
    "transform, shape, number",
    [
        (v2.RandomResize(10, 60), (73, 55), 10749083),
        (v2.RandomShortestSize([12, 20, 50], 60), (26, 20), 1392437),
        (v2.ScaleJitter((50, 60)), (92, 69), 17002678),
        (v2.RandomZoomOut(3, p=0.7), (40, 30), 3212746),
        (v2.RandomPhotometricDistort(), (40, 30), 2965390),
        (v2.RandomChannelPermutation(), (40, 30), 3209418),
        (v2.RandomResizedCrop(20), (20, 20), 1066738),
        (v2.Resize((13, 60), 3), (13, 60), 2096494),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, torch.nn.Module) else "",
)
def test_numbers_for_a_seed(transform, shape, number):
    torch.manual_seed(1)
    made = transform(tv_tensors.Image(PICTURE))
    assert isinstance(made, tv_tensors.Image) and made.shape == (3, *shape)
    assert weighed(made.plain()) == number


def test_batches_are_mixed():
    for mix, number in ((v2.MixUp(num_classes=4), 11960.63), (v2.CutMix(num_classes=4), 11977.64)):
        torch.manual_seed(1)
        pictures, labels = mix(BATCH, LABELS)
        assert weighed(pictures) == pytest.approx(number, abs=0.01)
        assert labels.sum(1).allclose(torch.ones(6)) and weighed(labels) == pytest.approx(34)
        again = mix({"pictures": BATCH, "label": LABELS})
        assert again["label"].shape == (6, 4) and again["pictures"].shape == BATCH.shape
    with pytest.raises(ValueError, match="num_classes must be passed"):
        v2.MixUp()(BATCH, LABELS)
    with pytest.raises(ValueError, match="as many pictures as there are labels"):
        v2.CutMix(num_classes=4)(BATCH[0], LABELS)
    with pytest.raises(ValueError, match="labels_getter"):
        v2.MixUp(num_classes=4)({"pictures": BATCH})


def test_films_files_and_noise():
    film = torch.arange(7 * 3 * 2 * 2).reshape(7, 3, 2, 2)
    assert v2.UniformTemporalSubsample(3)(film).equal(film[[0, 3, 6]])
    smooth = torch.arange(32, dtype=torch.uint8).expand(3, 32, 32) * 8
    made = v2.JPEG(90)(smooth)
    assert made.shape == smooth.shape and (made.int() - smooth.int()).abs().max() < 8
    with pytest.raises(TypeError, match="uint8"):
        v2.functional.jpeg(smooth.float(), 50)
    with pytest.raises(ValueError, match="float dtype"):
        v2.GaussianNoise()(smooth)


@pytest.mark.parametrize(
    "mode, antialias, smaller, larger",
    [
        ("bilinear", True, 289462, 9281398),
        ("bilinear", False, 289717, 9281398),
        ("bicubic", True, 289374, 9284648),
        ("bicubic", False, 289241, 9284054),
    ],
)
def test_bytes_are_resampled_in_whole_numbers(mode, antialias, smaller, larger):
    options = {"mode": mode, "antialias": antialias}
    small = F.interpolate(PICTURE[None], size=(12, 9), **options)
    large = F.interpolate(PICTURE[None], scale_factor=1.7, **options)
    assert small.dtype == torch.uint8 and weighed(small) == smaller
    assert large.shape[2:] == (68, 51) and weighed(large) == larger
    assert F.interpolate(PICTURE[None], size=(40, 30), **options).equal(PICTURE[None])


def test_they_print_as_torchvisions():
    one = repr(v2.Compose([v2.Normalize(mean=(0.5,), std=(0.25,))]))
    assert one == "Compose(    Normalize(mean=[0.5], std=[0.25], inplace=False))"
    inner = v2.Compose([v2.Resize(3), v2.Pad((1, 2))])
    lines = repr(v2.Compose([inner, v2.GaussianBlur(3)])).splitlines()
    assert lines[0] == "Compose(" and lines[-1] == ")"
    assert "size=[3]" in lines[2] and "padding=[1, 2]" in lines[3]
    assert "sigma=[0.1, 2.0]" in lines[5]
