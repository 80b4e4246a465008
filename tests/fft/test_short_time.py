"""stft and istft: values against numpy's transforms of each frame, the way back, gradients, what is
refused. Single numbers are PyTorch's 2.13.
"""

import itertools

import numpy as np
import pytest

import microtorch as torch

rng = np.random.default_rng(0)
gradcheck, gradgradcheck = torch.autograd.gradcheck, torch.autograd.gradgradcheck
pytestmark = pytest.mark.filterwarnings("ignore:A window was not provided")


def window(n, dtype=None):
    return torch.tensor(np.hamming(n + 1)[:n], dtype=dtype or torch.float64)


def by_numpy(x, n, hop, w, center, mode, normalized, half):
    """Frame by frame, by loops."""
    if center:
        x = np.pad(x, n // 2, mode)
    full = np.zeros(n, w.dtype)
    left = (n - len(w)) // 2
    full[left : left + len(w)] = w
    frames = [x[i : i + n] * full for i in range(0, len(x) - n + 1, hop)]
    transform = np.fft.rfft if half else np.fft.fft
    return np.stack([transform(f, norm="ortho" if normalized else None) for f in frames], -1)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("kind", ["real", "complex"])
def test_values(center, kind):
    x = rng.standard_normal(23) + (1j * rng.standard_normal(23) if kind == "complex" else 0)
    for hop, win, normalized, mode in itertools.product(
        (1, 3), (8, 5), (False, True), ("reflect", "constant")
    ):
        w = window(win)
        for half in (True, False) if kind == "real" else (False,):
            out = torch.stft(
                torch.tensor(x), 8, hop, win, w, center, mode, normalized, half, True
            )
            expected = by_numpy(x, 8, hop, w.numpy(), center, mode, normalized, half)
            np.testing.assert_allclose(out.numpy(), expected, 1e-10, 1e-12)
    default = torch.stft(torch.tensor(x), 8, return_complex=True)  # hop 2, a window of ones
    half = kind == "real"
    expected = by_numpy(x, 8, 2, np.ones(8), True, "reflect", False, half)
    np.testing.assert_allclose(default.numpy(), expected, 1e-10, 1e-12)


def test_batches_parts_and_methods():
    x = torch.tensor(rng.standard_normal((2, 20)))
    out = x.stft(8, window=window(8), return_complex=True)
    assert out.shape == (2, 5, 11) and out.dtype is torch.complex128
    torch.testing.assert_close(out[1], torch.stft(x[1], 8, window=window(8), return_complex=True))
    with pytest.warns(UserWarning, match="return_complex=False is deprecated"):
        parts = torch.stft(x, 8, window=window(8), return_complex=False)
    torch.testing.assert_close(parts, torch.view_as_real(out))
    single = x.float().stft(8, window=window(8).float(), return_complex=True)
    assert single.dtype is torch.complex64
    assert torch.stft(x * 1j, 8).shape == (2, 8, 11)
    torch.testing.assert_close(out.istft(8, window=window(8)), x)


def test_align_to_window():
    """The window of 6 points, not its frame of 8, begins with the signal."""
    x = torch.tensor(rng.standard_normal(20))
    w = window(6)
    out = torch.stft(x, 8, 4, 6, w, center=False, align_to_window=True, return_complex=True)
    padded = np.pad(x.numpy(), 1)
    expected = by_numpy(padded, 8, 4, w.numpy(), False, "constant", False, True)
    np.testing.assert_allclose(out.numpy(), expected, 1e-10, 1e-12)


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("onesided", [True, False])
def test_the_way_back(normalized, onesided):
    x = torch.tensor(rng.standard_normal((2, 20)))
    for hop, win, center in itertools.product((1, 2, 4), (8, 6), (True, False)):
        options = {
            "hop_length": hop, "win_length": win, "window": window(win), "center": center,
            "normalized": normalized, "onesided": onesided,
        }  # fmt: skip
        if not center and win < 8:  # nothing covers the first point
            continue
        X = torch.stft(x, 8, return_complex=True, **options)
        back = torch.istft(X, 8, **options)
        torch.testing.assert_close(back, x[:, : back.shape[1]])
        if center:
            torch.testing.assert_close(torch.istft(X, 8, length=13, **options), x[:, :13])
    z = torch.tensor(rng.standard_normal(20) + 1j * rng.standard_normal(20))
    Z = torch.stft(z, 8, window=window(8))
    torch.testing.assert_close(torch.istft(Z, 8, window=window(8), return_complex=True), z)


def test_a_longer_result_ends_with_zeros():
    x = torch.tensor(rng.standard_normal(20))
    X = torch.stft(x, 8, window=window(8), return_complex=True)
    with pytest.warns(UserWarning, match="padded with zeros"):
        back = torch.istft(X, 8, window=window(8), length=30)
    torch.testing.assert_close(back[:20], x)
    assert back.shape == (30,) and back[24:].tolist() == [0.0] * 6


def test_derivatives():
    x = torch.tensor(rng.standard_normal((2, 10)), requires_grad=True)
    w = window(4).requires_grad_()

    def f(x, w):
        return torch.stft(x, 4, 2, window=w, return_complex=True)

    assert gradcheck(f, (x, w))
    assert gradgradcheck(f, (x, w))
    X = f(x, w).detach().requires_grad_()
    assert gradcheck(lambda X, w: torch.istft(X, 4, 2, window=w), (X, w))
    assert gradgradcheck(lambda X, w: torch.istft(X, 4, 2, window=w), (X, w))
    z = torch.tensor(rng.standard_normal(8) + 1j * rng.standard_normal(8), requires_grad=True)
    assert gradcheck(lambda z, w: torch.stft(z, 4, 2, window=w), (z, w))


def stft(x, *args, **options):
    return lambda: torch.stft(x, *args, **{"return_complex": True, **options})


def istft(*args, shape=(5, 11), **options):
    X = torch.ones(shape, dtype=torch.complex64)
    return lambda: torch.istft(X, *args, **{"window": torch.ones(8), **options})


X20 = torch.ones(20)
ERRORS = [
    (RuntimeError, "return_complex parameter", stft(X20, 8, return_complex=None)),
    (RuntimeError, "size equal to win_length=6", stft(X20, 8, 4, 6, window=torch.ones(8))),
    (RuntimeError, "0 < win_length <= n_fft", stft(X20, 8, 4, 9)),
    (RuntimeError, "hop_length > 0", stft(X20, 8, 0)),
    (RuntimeError, "0 < n_fft", stft(X20, 0)),
    (RuntimeError, "Padding size", stft(X20, 45)),
    (RuntimeError, "0 < n_fft < 20", stft(X20, 30, center=False)),
    (RuntimeError, "1D or 2D", stft(torch.ones(2, 3, 20), 8)),
    (RuntimeError, "floating point or complex", stft(torch.arange(20), 8)),
    (RuntimeError, "Unsupported dtype Half", stft(X20.half(), 8)),
    (RuntimeError, "onesided", stft(X20 * 1j, 8, onesided=True)),
    (RuntimeError, "center = false", stft(X20, 8, align_to_window=True)),
    (NotImplementedError, "padding mode bad", stft(X20, 8, pad_mode="bad")),
    (TypeError, "'n_fft' must be int", stft(X20, 8.0)),
    (RuntimeError, "complex-valued input", lambda: torch.istft(torch.ones(5, 11), 8)),
    (RuntimeError, "frequency dimension", istft(8, shape=(4, 11))),
    (RuntimeError, "cannot be empty", istft(8, shape=(0, 5, 11))),
    (RuntimeError, "0 < hop_length <= win_length", istft(8, 9)),
    (RuntimeError, "0 < win_length <= n_fft", istft(8, 2, 9)),
    (RuntimeError, "window has to be 1D", istft(8, 2, 6)),
    (RuntimeError, "onesided", istft(8, return_complex=True)),
    (RuntimeError, "Complex windows", istft(8, window=torch.ones(8) * 1j)),
    (
        RuntimeError,
        "window overlap add min: 0",
        istft(8, window=torch.tensor(np.hanning(9)[:8]), center=False),
    ),
    (IndexError, "frequencies, frames", istft(8, shape=(5,))),
]


@pytest.mark.parametrize("kind, words, call", ERRORS)
def test_errors(kind, words, call):
    with pytest.raises(kind, match=words):
        call()
