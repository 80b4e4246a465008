"""Sampling grids against loops and scipy, antialiased resizing against Pillow, area in 3-d."""

import itertools

import numpy as np
import pytest

import microtorch as torch
from microtorch import autograd
from microtorch.nn import functional as F

Image = pytest.importorskip("PIL.Image")
ndimage = pytest.importorskip("scipy.ndimage")


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def tensor(x):
    return torch.tensor(x, requires_grad=True)


def places(grid, sizes, corners):
    """Grid coordinates as indices of the input, slowest dimension first."""
    out = []
    for i, m in enumerate(sizes):
        x = grid[..., len(sizes) - 1 - i]
        out.append((x + 1) / 2 * (m - 1) if corners else ((x + 1) * m - 1) / 2)
    return out


MODES = {"zeros": "constant", "border": "nearest", "reflection": "reflect"}


@pytest.mark.parametrize("sizes", [(4, 5), (3, 4, 5)])
@pytest.mark.parametrize("padding", MODES)
@pytest.mark.parametrize("corners", [True, False])
def test_linear_sampling_is_scipys(sizes, padding, corners):
    """scipy's map_coordinates of order 1; its "mirror" and "reflect" are the two reflections."""
    n = len(sizes)
    x, grid = numbers(2, 3, *sizes), numbers(2, *[4, 3, 2][:n], n, seed=1)
    grid = np.clip(grid, -1.9, 1.9)
    out = F.grid_sample(tensor(x), tensor(grid), "bilinear", padding, corners).detach().numpy()
    mode = "mirror" if padding == "reflection" and corners else MODES[padding]
    if padding == "zeros":  # scipy's "constant" fades out only inside a border of zeros
        x = np.pad(x, [(0, 0)] * 2 + [(3, 3)] * n)
    for b, c in itertools.product(range(2), range(3)):
        at = places(grid[b], sizes, corners)
        if padding == "zeros":
            at = [a + 3 for a in at]
        expected = ndimage.map_coordinates(x[b, c], at, order=1, mode=mode)
        np.testing.assert_allclose(out[b, c], expected, atol=1e-12)


@pytest.mark.filterwarnings("ignore::RuntimeWarning:microtorch")
def test_nearest_and_nan():
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    grid = torch.tensor([[[[-1.0, -1.0], [1.0, 1.0], [0.1, -0.9], [5.0, 0.0], [np.nan, 0.0]]]])
    out = F.grid_sample(x, grid, "nearest", align_corners=True)
    assert out.flatten().tolist() == [0, 5, 1, 0, 0]
    out = F.grid_sample(x, grid, "nearest", "border", align_corners=True)
    assert out.flatten().tolist()[:4] == [0, 5, 1, 2]
    grid[0, 0, 3, 0] = np.inf
    out = F.grid_sample(x, grid, align_corners=True)
    assert out.isnan().flatten().tolist() == [False, False, False, True, True]


@pytest.mark.parametrize(
    ("mode", "padding"), [*itertools.product(["bilinear", "bicubic"], MODES), ("nearest", "zeros")]
)
def test_derivatives(mode, padding):
    x, grid = tensor(numbers(1, 2, 3, 4)), tensor(numbers(1, 2, 2, 2, seed=3) * 0.7)
    xs = [x, grid]  # where a point is read that is nearest, moving the grid changes nothing

    def sample(x, g=grid):
        return F.grid_sample(x, g, mode, padding, align_corners=False)

    assert autograd.gradcheck(sample, xs)
    if mode != "nearest":
        assert autograd.gradgradcheck(sample, xs, atol=1e-4)


@pytest.mark.parametrize("corners", [True, False])
def test_the_identity_grid_reads_the_image_itself(corners):
    for n, size in ((2, (1, 2, 3, 4)), (3, (1, 2, 3, 4, 5))):
        theta = torch.eye(n, n + 1, dtype=torch.float64)[None]
        grid = F.affine_grid(theta, size, corners)
        assert grid.shape == (1, *size[2:], n)
        x = tensor(numbers(*size))
        out = F.grid_sample(x, grid, align_corners=corners)
        np.testing.assert_allclose(out.detach().numpy(), x.detach().numpy(), atol=1e-12)
    assert autograd.gradcheck(lambda t: F.affine_grid(t, (2, 1, 3, 2), corners),
                              tensor(numbers(2, 2, 3)))  # fmt: skip


# ---------------------------------------------------------------- resizing
FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@pytest.mark.parametrize("mode", FILTERS)
@pytest.mark.parametrize("size", [(3, 4), (15, 5), (10, 17), (1, 1)])
def test_antialias_is_pillows(mode, size):
    x = numbers(9, 11).astype(np.float32)
    out = F.interpolate(
        torch.tensor(x)[None, None], size, mode=mode, antialias=True, align_corners=False
    )
    expected = Image.fromarray(x).resize(size[::-1], FILTERS[mode])
    np.testing.assert_allclose(out[0, 0].numpy(), np.asarray(expected), atol=2e-5)


def test_antialias_has_derivatives():
    x = tensor(numbers(1, 1, 4, 5))
    assert autograd.gradcheck(
        lambda x: F.interpolate(x, (2, 7), mode="bicubic", antialias=True), x
    )


def test_area_of_volumes_and_old_names():
    x = tensor(numbers(1, 2, 4, 4, 6))
    mean = F.interpolate(x, (2, 1, 3), mode="area")
    parts = x.detach().numpy().reshape(1, 2, 2, 2, 1, 4, 3, 2).mean((3, 5, 7))
    np.testing.assert_allclose(mean.detach().numpy(), parts)
    image = x[:, :, 0]
    for old, mode, corners in (
        (F.upsample_nearest, "nearest", None),
        (F.upsample_bilinear, "bilinear", True),
    ):
        new = F.interpolate(image, scale_factor=2, mode=mode, align_corners=corners)
        with pytest.warns(UserWarning, match="deprecated"):
            found = old(image, scale_factor=2)
        np.testing.assert_array_equal(found.detach().numpy(), new.detach().numpy())


I2, G2 = torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 1, 2)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: F.grid_sample(I2, G2, "cubic", align_corners=True), ValueError, "expected mode"),
        (
            lambda: F.grid_sample(I2, G2, padding_mode="wrap", align_corners=True),
            ValueError,
            "expected padding_mode",
        ),
        (lambda: F.grid_sample(I2, G2[0], align_corners=True), RuntimeError, "same number of dim"),
        (
            lambda: F.grid_sample(I2, G2.expand(2, 1, 1, 2), align_corners=True),
            RuntimeError,
            "same batch size",
        ),
        (lambda: F.grid_sample(I2, G2[..., :1], align_corners=True), RuntimeError, "size 2 in"),
        (lambda: F.grid_sample(I2, G2.double(), align_corners=True), RuntimeError, "same dtype"),
        (
            lambda: F.affine_grid(torch.zeros(1, 2, 2), (1, 1, 2, 2), True),
            ValueError,
            "shape Nx2x3",
        ),
        (
            lambda: F.affine_grid(torch.zeros(1, 2, 3), (1, 2, 2), True),
            NotImplementedError,
            "only supports 4D and 5D",
        ),
        (
            lambda: F.interpolate(I2, 3, antialias=True),
            ValueError,
            "Anti-alias option is restricted",
        ),
        (lambda: F.interpolate(np.ones((1, 1, 4)), 2), TypeError, r"interpolate\(\).*not ndarray"),
        (lambda: F.interpolate(I2, 3, mode="lanczos"), ValueError, "requires antialias=True"),
    ],
)
def test_mistakes_are_explained(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_the_default_of_align_corners_is_warned_about():
    with pytest.warns(UserWarning, match="align_corners=False since 1.3.0"):
        F.grid_sample(I2, G2)
