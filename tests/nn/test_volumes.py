"""Convolution and pooling of volumes against scipy and against loops; derivatives; mistakes."""

import itertools

import numpy as np
import pytest

import microtorch as torch
from microtorch import autograd, nn
from microtorch.nn import functional as F

signal = pytest.importorskip("scipy.signal")


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def tensor(x):
    return torch.tensor(x, requires_grad=x.dtype.kind == "f")


# ---------------------------------------------------------------- convolution
def test_conv3d_is_scipys_correlation():
    x, w, b = numbers(2, 3, 4, 5, 6), numbers(4, 3, 2, 3, 2, seed=1), numbers(4, seed=2)
    out = F.conv3d(tensor(x), tensor(w), tensor(b)).detach().numpy()
    for n, o in np.ndindex(2, 4):
        expected = sum(signal.correlate(x[n, c], w[o, c], "valid") for c in range(3)) + b[o]
        np.testing.assert_allclose(out[n, o], expected)


def test_stride_dilation_padding_and_groups():
    x, w = numbers(1, 4, 6, 7, 5), numbers(6, 2, 2, 3, 1, seed=1)
    out = F.conv3d(tensor(x), tensor(w), None, (2, 1, 3), (1, 0, 2), (2, 2, 1), 2)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0), (2, 2)))
    spread = np.zeros((6, 2, 3, 5, 1))
    spread[:, :, ::2, ::2] = w  # dilation puts zeros between the elements of a kernel
    for o in range(6):
        group = 2 * (o // 3)
        full = sum(
            signal.correlate(padded[0, group + c], spread[o, c], "valid") for c in range(2)
        )
        np.testing.assert_allclose(out.detach().numpy()[0, o], full[::2, :, ::3], atol=1e-12)


def test_conv_transpose3d_is_the_transpose():
    """<conv3d(x), y> = <x, conv_transpose3d(y)> for all x and y."""
    settings = {"stride": (2, 1, 2), "padding": (1, 0, 1), "dilation": (1, 2, 1), "groups": 2}
    x, w = numbers(2, 4, 5, 6, 5), numbers(6, 2, 3, 2, 2, seed=1)
    image = F.conv3d(tensor(x), tensor(w), **settings)
    y = tensor(numbers(*image.shape, seed=3))
    back = F.conv_transpose3d(y, tensor(w), output_padding=(0, 0, 1), **settings)
    assert back.shape == x.shape
    np.testing.assert_allclose((image * y).sum().item(), (tensor(x) * back).sum().item())


@pytest.mark.parametrize("n", [1, 2, 3])
def test_output_padding_up_to_the_dilation(n):
    """Rows beyond the last window hold the bias, or what a window saw that padding would cut."""
    x, w, b = numbers(2, 2, *[3] * n), numbers(2, 3, *[2] * n, seed=1), numbers(3, seed=2)
    function = getattr(F, f"conv_transpose{n}d")
    long = function(tensor(x), tensor(w), tensor(b), 1, 0, 0, 1, 3)
    out = function(tensor(x), tensor(w), tensor(b), 1, 1, 2, 1, 3)
    at = (slice(None), slice(None), *[slice(1, None)] * n)
    expected = np.pad(long.detach().numpy()[at], [(0, 0)] * 2 + [(0, 1)] * n)
    for d in range(n):
        beyond = [slice(None)] * (n + 2)
        beyond[2 + d] = -1
        expected[tuple(beyond)] = b.reshape(-1, *[1] * (n - 1))
    np.testing.assert_allclose(out.detach().numpy(), expected)
    assert autograd.gradcheck(
        lambda *xs: function(*xs, 1, 1, 2, 1, 3), [tensor(x), tensor(w), tensor(b)]
    )


@pytest.mark.parametrize("function", [F.conv3d, F.conv_transpose3d])
def test_derivatives(function):
    xs = [tensor(numbers(1, 2, 2, 3, 2)), tensor(numbers(2, 2, 2, 2, 1)), tensor(numbers(2))]
    settings = {"stride": (1, 2, 1), "padding": (1, 0, 0)}
    assert autograd.gradcheck(lambda *xs: function(*xs, **settings), xs)
    assert autograd.gradgradcheck(lambda *xs: function(*xs, **settings), xs, atol=1e-4)


def test_without_a_batch_and_with_an_empty_one():
    layer = nn.Conv3d(2, 3, 2)
    assert layer(torch.zeros(2, 3, 3, 3)).shape == (3, 2, 2, 2)
    assert layer(torch.zeros(0, 2, 3, 3, 3)).shape == (0, 3, 2, 2, 2)
    assert nn.ConvTranspose3d(2, 3, 2)(torch.zeros(2, 3, 3, 3)).shape == (3, 4, 4, 4)
    none = torch.zeros(0, 2, 3, 3, 3, requires_grad=True)
    out = nn.ConvTranspose3d(2, 3, 2, dilation=2)(none)
    assert out.shape == (0, 3, 5, 5, 5)
    assert torch.autograd.grad(out.sum(), none)[0].shape == none.shape


@pytest.mark.parametrize("n", [2, 3])
def test_means_without_a_batch_are_no_views_of_what_was_made_on_the_way(n):
    x = torch.ones(2, *[4] * n, requires_grad=True)
    for out in (getattr(F, f"avg_pool{n}d")(x, 2), getattr(F, f"adaptive_avg_pool{n}d")(x, 2)):
        assert "AvgPool" in out.grad_fn.name() and not out._is_view()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_of_whole_numbers_only_int64_has_means(n):
    for dtype in (torch.int8, torch.int32, torch.uint8, torch.bool):
        with pytest.raises(NotImplementedError, match="not implemented for"):
            getattr(F, f"avg_pool{n}d")(torch.ones(2, *[4] * n, dtype=dtype), 2)


def test_whole_numbers():
    x, w = torch.arange(32).reshape(1, 2, 4, 4), torch.arange(24).reshape(3, 2, 2, 2)
    out = F.conv2d(x, w)
    assert out.dtype == torch.int64
    np.testing.assert_array_equal(out.numpy(), F.conv2d(x.double(), w.double()).numpy())
    mean = F.avg_pool2d(torch.arange(16).reshape(1, 4, 4) - 8, 2)
    np.testing.assert_array_equal(mean.numpy(), [[[-5, -3], [2, 4]]])  # cut off towards 0


# ---------------------------------------------------------------- pooling
def boxes(size, count):
    """The bins of adaptive pooling."""
    return [slice(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_adaptive_pooling_is_the_maximum_and_mean_of_bins(n):
    x = numbers(2, 2, *[5, 4, 7][:n])
    counts = [3, 4, 2][:n]
    values, places = getattr(F, f"adaptive_max_pool{n}d")(tensor(x), counts, True)
    means = getattr(F, f"adaptive_avg_pool{n}d")(tensor(x), counts)
    for at in np.ndindex(*counts):
        box = tuple(boxes(m, k)[i] for m, k, i in zip(x.shape[2:], counts, at, strict=True))
        part = x[(slice(None), slice(None), *box)].reshape(2, 2, -1)
        here = (slice(None), slice(None), *at)
        np.testing.assert_array_equal(values.detach().numpy()[here], part.max(-1))
        np.testing.assert_allclose(means.detach().numpy()[here], part.mean(-1))
    read = np.take_along_axis(x.reshape(2, 2, -1), places.numpy().reshape(2, 2, -1), -1)
    np.testing.assert_array_equal(read.reshape(values.shape), values.detach().numpy())


def test_max_pool3d_sees_every_window():
    x = numbers(1, 1, 4, 5, 6)
    out = F.max_pool3d(tensor(x), (2, 3, 2), (1, 2, 3), (1, 1, 0), (1, 1, 2)).detach().numpy()
    padded = np.pad(x, [(0, 0)] * 2 + [(1, 1), (1, 1), (0, 0)], constant_values=-np.inf)
    for d, h, w in itertools.product(*map(range, out.shape[2:])):
        part = padded[0, 0, d : d + 2, 2 * h : 2 * h + 3, 3 * w : 3 * w + 3 : 2]
        assert out[0, 0, d, h, w] == part.max()


def test_of_equal_elements_the_first_counts_and_of_nans_the_last():
    x = np.zeros((1, 1, 2, 2, 2))
    _, places = F.max_pool3d(tensor(x), 2, return_indices=True)
    assert places.item() == 0
    x[0, 0, 0, 1, 0] = x[0, 0, 1, 0, 0] = np.nan
    value, places = F.adaptive_max_pool3d(tensor(x), 1, return_indices=True)
    assert np.isnan(value.item()) and places.item() == 4


@pytest.mark.parametrize("n", [1, 2, 3])
def test_unpooling_undoes_pooling(n):
    x = numbers(2, 2, *[5, 4, 6][:n])
    pool = getattr(nn, f"MaxPool{n}d")(2, return_indices=True)
    undo = getattr(nn, f"MaxUnpool{n}d")(2)
    values, places = pool(tensor(x))
    out = undo(values, places, output_size=x.shape)
    assert out.shape == x.shape
    again, _ = pool(out.clamp_min(-0.0))
    np.testing.assert_array_equal(again.detach().numpy(), values.clamp_min(0).detach().numpy())
    out.sum().backward()
    assert repr(undo).startswith(f"MaxUnpool{n}d(kernel_size=(2,")


def test_fractional_windows_cover_the_input_and_draw_pytorchs_numbers():
    x = torch.arange(49.0).reshape(1, 1, 7, 7)
    torch.manual_seed(0)
    out, places = F.fractional_max_pool2d(x, 2, output_size=4, return_indices=True)
    expected = [[8, 10, 12, 13], [15, 17, 19, 20], [29, 31, 33, 34], [43, 45, 47, 48]]
    np.testing.assert_array_equal(out[0, 0].numpy(), expected)
    np.testing.assert_array_equal(places[0, 0].numpy(), expected)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_power_means(n):
    x = numbers(1, 2, *[4] * n)
    function = getattr(F, f"lp_pool{n}d")
    sums = getattr(F, f"avg_pool{n}d")(tensor(x**2), 2) * 2**n
    np.testing.assert_allclose(
        function(tensor(x), 2, 2).detach().numpy(), sums.sqrt().detach().numpy()
    )
    largest = getattr(F, f"max_pool{n}d")(tensor(abs(x)), 2)
    np.testing.assert_array_equal(
        function(tensor(x), float("inf"), 2).detach().numpy(), largest.detach().numpy()
    )
    assert autograd.gradcheck(lambda x: function(x, 3, 2), tensor(abs(x) + 0.5))


POOLS = {
    "max_pool3d": lambda x: F.max_pool3d(x, 2, 1),
    "avg_pool3d": lambda x: F.avg_pool3d(x, 2, 1, 1, True, False),
    "adaptive_max_pool3d": lambda x: F.adaptive_max_pool3d(x, (2, 1, 2)),
    "adaptive_avg_pool3d": lambda x: F.adaptive_avg_pool3d(x, (2, 1, 2)),
}


@pytest.mark.parametrize("name", POOLS)
def test_derivatives_of_pooling(name):
    x = tensor(numbers(1, 2, 3, 2, 3))
    assert autograd.gradcheck(POOLS[name], x)
    assert autograd.gradgradcheck(POOLS[name], x)
    strided = tensor(numbers(3, 2, 3, 1, 2)).permute(3, 4, 0, 1, 2)
    np.testing.assert_allclose(
        POOLS[name](strided).detach().numpy(), POOLS[name](strided.clone()).detach().numpy()
    )


def z(*shape):
    return torch.zeros(*shape)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: F.conv3d(z(3, 3), z(1, 1, 2, 2, 2)), RuntimeError, "depth, height, width"),
        (lambda: F.conv3d(z(1, 1, 2, 2, 2), z(1, 1, 3, 3, 3)), RuntimeError, "Kernel size"),
        (lambda: F.conv3d(z(1, 3, 2, 2, 2), z(1, 1, 1, 1, 1)), RuntimeError, "3 channels instead"),
        (
            lambda: F.conv_transpose3d(z(1, 1, 2, 2, 2), z(1, 1, 1, 1, 1), output_padding=1),
            RuntimeError,
            "smaller than either stride or dilation",
        ),
        (lambda: F.max_pool3d(z(1, 2, 2), 2), RuntimeError, "max_pool3d: Expected 4D or 5D"),
        (lambda: F.avg_pool3d(z(1, 2, 2, 2), 3), RuntimeError, "Output size is too small"),
        (lambda: F.max_pool3d(z(1, 4, 4, 4), 2, 1, 2), RuntimeError, "at most half"),
        (lambda: F.fractional_max_pool2d(z(1, 3, 3), 2), ValueError, "output_size or"),
        (lambda: F.fractional_max_pool2d(z(1, 3, 3), 3, 2), RuntimeError, "pool height 3"),
        (lambda: nn.FractionalMaxPool2d(2), ValueError, "output size, or a pooling ratio"),
        (lambda: nn.FractionalMaxPool2d(2, 3, 0.5), ValueError, "only one of"),
        (lambda: nn.FractionalMaxPool3d(2, None, 1.5), ValueError, "between 0 and 1"),
        (lambda: nn.FractionalMaxPool3d(0, 1), ValueError, "greater than 0"),
        (lambda: F.max_unpool2d(z(1, 2, 2), z(1, 2, 2), 2), RuntimeError, "int64"),
        (
            lambda: F.max_unpool2d(z(1, 2, 2), z(1, 2, 2).long() + 99, 2),
            RuntimeError,
            "invalid max index: 99",
        ),
        (
            lambda: F.max_unpool2d(z(1, 2, 2), z(1, 2, 2).long(), 2, output_size=(8, 8)),
            ValueError,
            "must be between 2 and 6",
        ),
    ],
)
def test_mistakes_are_explained(call, error, words):
    with pytest.raises(error, match=words):
        call()
