"""Grids of pictures, and pictures in files."""

import numpy as np
import pytest

pytest.importorskip("PIL")
from PIL import Image

import microtorch as torch
from microtorch.vision import io, utils


def test_make_grid():
    x = torch.arange(5 * 3 * 2 * 2).reshape(5, 3, 2, 2).float()
    grid = utils.make_grid(x, nrow=3, padding=1, pad_value=-1.0)
    assert grid.shape == (3, 7, 10)
    assert torch.equal(grid[:, 1:3, 4:6], x[1]) and torch.equal(grid[:, 4:6, 1:3], x[3])
    assert (grid[:, 0] == -1).all() and (grid[:, 4:6, 7:9] == -1).all()
    one = utils.make_grid(torch.ones(4, 4))
    assert one.shape == (3, 4, 4)
    scaled = utils.make_grid(x, normalize=True)
    assert scaled.max().item() == 1.0 and scaled.min().item() == 0.0
    each = utils.make_grid([x[0], x[4]], normalize=True, scale_each=True, padding=0)
    assert torch.allclose(each[:, :, :2], each[:, :, 2:])
    ranged = utils.make_grid(x, normalize=True, value_range=(0, 10), padding=0)
    assert ranged[0, 0, 1].item() == pytest.approx(0.1) and ranged.max().item() == 1.0
    assert utils.make_grid(x.to(torch.uint8)).dtype == torch.uint8
    with pytest.raises(TypeError, match="tensor or list of tensors"):
        utils.make_grid([1, 2])


def test_save_image(tmp_path):
    x = torch.tensor([0.0, 0.5, 1.0, 2.0]).reshape(1, 1, 2, 2).expand(1, 3, 2, 2)
    utils.save_image(x, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as made:
        assert np.asarray(made)[..., 0].tolist() == [[0, 128], [255, 255]]
    with open(tmp_path / "b", "wb") as file:
        utils.save_image([x[0], x[0]], file, format="bmp", nrow=1)
    with Image.open(tmp_path / "b") as made:
        assert made.size == (6, 10)


def test_draw_bounding_boxes():
    image = torch.zeros(3, 20, 20, dtype=torch.uint8)
    boxes = torch.tensor([[2.0, 3.0, 10.0, 12.0]])
    made = utils.draw_bounding_boxes(image, boxes, colors="red", labels=["a"])
    assert made[:, 3, 5].tolist() == [255, 0, 0] and made.dtype == torch.uint8
    assert made[:, 8, 15].tolist() == [0, 0, 0] and image.max().item() == 0
    assert utils.draw_bounding_boxes(image, boxes, fill=True, colors=[(0, 255, 0)])[1, 8, 5] > 50
    assert utils.draw_bounding_boxes(image / 255, boxes).dtype == torch.float32
    with pytest.raises(ValueError, match="mismatch"):
        utils.draw_bounding_boxes(image, boxes, labels=[])


def test_labels_masks_and_points_are_drawn():
    image = torch.zeros(3, 20, 20, dtype=torch.uint8)
    boxes = torch.tensor([[2.0, 3.0, 18.0, 16.0]])
    options = {"labels": ["a"], "fill_labels": True, "label_background_colors": "blue"}
    made = utils.draw_bounding_boxes(image, boxes, **options)
    assert (made[2] == 255).any() and not made[:2].any()  # black letters and lines, on blue
    with pytest.raises(ValueError, match="xmin"):
        utils.draw_bounding_boxes(image, boxes.flip(1))
    masks = torch.zeros(2, 20, 20, dtype=torch.bool)
    masks[0, :10], masks[1, 9:] = True, True
    made = utils.draw_segmentation_masks(image + 100, masks, alpha=0.5, colors=["red", (0, 0, 50)])
    assert made[:, ::9, 0].tolist() == [[177, 50, 50], [50, 50, 50], [50, 50, 75]]
    with pytest.raises(ValueError, match="bool"):
        utils.draw_segmentation_masks(image, masks.float())
    points = torch.tensor([[[4.0, 4.0], [15.0, 4.0]]])
    made = utils.draw_keypoints(image / 255, points, [(0, 1)], "red", radius=1)
    assert made.dtype == torch.float32 and made[:, 4, 4].tolist() == [1, 1, 1]
    assert made[:, 5, 15].tolist() == [1, 1, 1] and made[:, 2, 4].tolist() == [0, 0, 0]
    hidden = torch.tensor([[1, 0]])
    made = utils.draw_keypoints(image, points, [(0, 1)], "red", visibility=hidden)
    assert made[:, 4, 4].tolist() == [255, 0, 0] and not made[:, :, 10:].any()
    with pytest.raises(ValueError, match="RGB"):
        utils.draw_keypoints(image[:1], points)


def test_files(tmp_path):
    picture = torch.randint(0, 256, (3, 5, 7), dtype=torch.uint8)
    io.write_png(picture, tmp_path / "a.png")
    assert torch.equal(io.read_image(tmp_path / "a.png"), picture)
    assert torch.equal(io.decode_image(io.encode_png(picture[:1])), picture[:1])
    grey = io.read_image(str(tmp_path / "a.png"), io.ImageReadMode.GRAY)
    rgba = io.decode_png(io.read_file(tmp_path / "a.png"), "RGBA")
    assert grey.shape == (1, 5, 7) and rgba.shape == (4, 5, 7)
    io.write_jpeg(torch.full((3, 8, 8), 100, dtype=torch.uint8), tmp_path / "a.jpg")
    assert abs(io.read_image(tmp_path / "a.jpg").float().mean().item() - 100) < 2
    with pytest.raises(RuntimeError, match="not a picture"):
        io.decode_image(torch.zeros(10, dtype=torch.uint8))
    with pytest.raises(RuntimeError, match=r"uint8 \(1 or 3, H, W\)"):
        io.encode_png(torch.zeros(3, 4, 4))
    with pytest.raises(ValueError, match="unknown mode"):
        io.read_image(tmp_path / "a.png", "CMYK")
