"""torch.fft: values against the sums that define the transforms and against numpy.fft, gradients by
finite differences, and what is refused.
"""

import itertools

import numpy as np
import pytest

import microtorch as torch

fft = torch.fft
rng = np.random.default_rng(0)
gradcheck, gradgradcheck = torch.autograd.gradcheck, torch.autograd.gradgradcheck
NORMS = (None, "backward", "ortho", "forward")
OF_REAL = ("rfft", "ihfft")
ONE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")


def real(*shape):
    return rng.standard_normal(shape)


def cplx(*shape):
    return real(*shape) + 1j * real(*shape)


def test_the_definition():
    x = cplx(7)
    k = np.arange(7)
    matrix = np.exp(-2j * np.pi * np.outer(k, k) / 7)
    np.testing.assert_allclose(fft.fft(torch.tensor(x)).numpy(), matrix @ x, 1e-12, 1e-12)
    back = fft.ifft(torch.tensor(x)).numpy()
    np.testing.assert_allclose(back, matrix.conj() @ x / 7, 1e-12, 1e-12)
    half = fft.rfft(torch.tensor(x.real)).numpy()
    np.testing.assert_allclose(half, (matrix @ x.real)[:4], 1e-12, 1e-12)


@pytest.mark.parametrize("name", ONE)
def test_one_dimension_as_numpy(name):
    ours, theirs = getattr(fft, name), getattr(np.fft, name)
    for a in (real(3, 6), real(3, 5), real(6, 3).T, *(() if name in OF_REAL else (cplx(3, 6),))):
        for n, dim, norm in itertools.product((None, 1, 4, 9), (-1, 0), NORMS):
            out = ours(torch.tensor(a), n, dim, norm)
            expected = theirs(a, n, dim, norm)
            np.testing.assert_allclose(out.numpy(), expected, 1e-10, 1e-12)
            assert out.numpy().dtype == expected.dtype


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft"])
def test_several_dimensions_as_numpy(name):
    a = real(3, 4, 5) if name in OF_REAL else cplx(3, 4, 5)
    x = torch.tensor(a)
    for norm in NORMS:
        for s, dim in ((None, None), (None, (0, 2)), (None, (2, 0)), ((2, 7), (1, 2))):
            out = getattr(fft, f"{name}n")(x, s, dim, norm).numpy()
            expected = getattr(np.fft, f"{name}n")(a, s, dim, norm)
            np.testing.assert_allclose(out, expected, 1e-10, 1e-12)
        out = getattr(fft, f"{name}2")(x, norm=norm).numpy()
        np.testing.assert_allclose(out, getattr(np.fft, f"{name}2")(a, norm=norm), 1e-10, 1e-12)
    last = getattr(fft, f"{name}n")(x, (4,))  # sizes without dim: of the last dimensions
    np.testing.assert_allclose(last.numpy(), getattr(np.fft, name)(a, 4), 1e-10, 1e-12)
    kept = getattr(fft, f"{name}n")(x, (-1, 4), (1, 2))  # -1: the input's own size
    expected = getattr(np.fft, f"{name}n")(a, (4, 4), (1, 2))
    np.testing.assert_allclose(kept.numpy(), expected, 1e-10, 1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_hermitian_of_several_dimensions(norm):
    """The spectrum of a signal that equals its own conjugate, read backward."""
    spectrum = torch.tensor(real(4, 6))
    half = fft.ihfft2(spectrum, norm=norm)
    assert half.shape == (4, 4) and half.dtype is torch.complex128
    whole = fft.ifft2(spectrum, norm=norm)
    torch.testing.assert_close(half, whole[:, :4])
    torch.testing.assert_close(fft.hfft2(half, (4, 6), norm=norm), spectrum)
    torch.testing.assert_close(fft.hfftn(half, (4, 6), norm=norm), spectrum)
    torch.testing.assert_close(fft.ihfftn(spectrum, norm=norm), half)


@pytest.mark.parametrize("name", [*ONE, "fft2", "irfft2", "rfftn", "ifftn", "hfftn", "ihfft2"])
def test_derivatives(name):
    f = getattr(fft, name)
    sizes = [None, 5, 2] if name in ONE else [None, (2, 5), (4, 3)]
    kinds = [real] if name.rstrip("2n") in OF_REAL else [real, cplx]
    for kind, n, shape in itertools.product(kinds, sizes, ((3, 4), (2, 3))):
        x = torch.tensor(kind(*shape), requires_grad=True)
        assert gradcheck(lambda x, n=n: f(x, n, norm="ortho"), (x,))
        assert gradgradcheck(lambda x, n=n: f(x, n), (x,))


def test_gradient_by_hand():
    """A loss of the power at one frequency: the gradient is that wave."""
    x = torch.tensor(real(8), requires_grad=True)
    X = fft.rfft(x)
    X[2].abs().square().backward()
    wave = np.exp(2j * np.pi * 2 * np.arange(8) / 8)
    np.testing.assert_allclose(x.grad.numpy(), (2 * X[2].item() * wave).real, 1e-12)
    assert x.grad.dtype is torch.float64


def test_dtypes():
    for d, c in ((torch.float32, torch.complex64), (torch.float64, torch.complex128)):
        assert fft.fft(torch.ones(4, dtype=d)).dtype is c
        assert fft.rfft(torch.ones(4, dtype=d)).dtype is c
        assert fft.irfft(torch.ones(4, dtype=d)).dtype is d
        assert fft.hfft(torch.ones(4, dtype=c)).dtype is d
        assert fft.fftn(torch.ones(4, dtype=c), dim=()).dtype is c
    for x in (torch.arange(4), torch.ones(4, dtype=torch.bool)):
        assert fft.fft(x).dtype is torch.complex64
        assert fft.irfft(x).dtype is torch.float32


def test_edges():
    assert fft.fftn(torch.tensor(2.0)).tolist() == 2 + 0j
    assert fft.fft(torch.ones(0, 4)).shape == (0, 4)
    assert fft.fft(torch.ones(1)).tolist() == [1 + 0j]
    x = torch.ones(3, 4)
    out = torch.empty(0, dtype=torch.complex64)
    assert fft.fft(x, out=out) is out and out.shape == (3, 4)
    out = torch.empty(0)
    assert fft.irfft(x, out=out) is out and out.shape == (3, 6)
    y = torch.tensor(real(2, 3), requires_grad=True)
    fft.fft2(y).abs().sum().backward()
    assert y.grad.shape == (2, 3)


ERRORS = [
    (IndexError, "no dimensions", lambda: fft.fft(torch.tensor(1.0))),
    (IndexError, "out of range", lambda: fft.fft(torch.ones(3), dim=2)),
    (IndexError, "out of range", lambda: fft.fft2(torch.ones(3))),
    (RuntimeError, r"data points \(0\)", lambda: fft.fft(torch.ones(3), 0)),
    (RuntimeError, r"data points \(0\)", lambda: fft.irfft(torch.ones(1))),
    (RuntimeError, r"data points \(0\)", lambda: fft.rfft(torch.ones(0))),
    (RuntimeError, r"data points \(-2\)", lambda: fft.fftn(torch.ones(3, 3), (-2, 3))),
    (RuntimeError, "normalization mode", lambda: fft.fft(torch.ones(3), norm="both")),
    (RuntimeError, "Unsupported dtype Half", lambda: fft.fft(torch.ones(4).half())),
    (RuntimeError, "real input", lambda: fft.rfft(torch.ones(4) * 1j)),
    (RuntimeError, "real input", lambda: fft.ihfft2(torch.ones(4, 4) * 1j)),
    (RuntimeError, "must be unique", lambda: fft.fftn(torch.ones(3, 3), dim=(1, -1))),
    (RuntimeError, "same length", lambda: fft.fftn(torch.ones(3, 3), (2, 2), (1,))),
    (RuntimeError, "only has 2 dim", lambda: fft.fftn(torch.ones(3, 3), (2, 2, 2))),
    (RuntimeError, "at least one axis", lambda: fft.rfftn(torch.ones(3), dim=())),
    (RuntimeError, "can't be cast", lambda: fft.fft(torch.ones(3), out=torch.empty(3))),
    (
        RuntimeError,
        "irfft expects a floating point output tensor, but got ComplexFloat",
        lambda: fft.irfft(torch.ones(3), out=torch.empty(4, dtype=torch.complex64)),
    ),
    (TypeError, "'n'.*must be int, not float", lambda: fft.fft(torch.ones(3), 2.0)),
    (TypeError, "must be Tensor, not list", lambda: fft.fft([1.0, 2.0])),
]


@pytest.mark.parametrize("kind, words, call", ERRORS)
def test_errors(kind, words, call):
    with pytest.raises(kind, match=words):
        call()


# ---- frequencies ---------------------------------------------------------------------------------
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_frequencies(n):
    for d in (1.0, 0.25):
        np.testing.assert_allclose(
            fft.fftfreq(n, d, dtype=torch.float64).numpy(), np.fft.fftfreq(n, d)
        )
        np.testing.assert_allclose(
            fft.rfftfreq(n, d, dtype=torch.float64).numpy(), np.fft.rfftfreq(n, d)
        )
    x = np.arange(n * 3).reshape(n, 3)
    for dim in (None, 0, -1, (0, 1)):
        np.testing.assert_array_equal(
            fft.fftshift(torch.tensor(x), dim).numpy(), np.fft.fftshift(x, dim)
        )
        np.testing.assert_array_equal(
            fft.ifftshift(torch.tensor(x), dim).numpy(), np.fft.ifftshift(x, dim)
        )


def test_frequencies_at_edges():
    assert fft.fftfreq(4).dtype is torch.get_default_dtype()
    assert fft.fftfreq(0).shape == (0,)
    assert fft.fftfreq(4, requires_grad=True).requires_grad
    assert fft.fftfreq(4, out=torch.empty(0, dtype=torch.float64)).dtype is torch.float64
    assert np.isinf(fft.rfftfreq(2, 0.0).numpy()[1])
    with pytest.raises(RuntimeError, match="floating point or complex"):
        fft.fftfreq(4, dtype=torch.int64)
    with pytest.raises(RuntimeError, match="negative"):
        fft.rfftfreq(-1)
    with pytest.raises(TypeError, match="must be int"):
        fft.fftfreq(4.0)
    with pytest.raises(IndexError):
        fft.fftshift(torch.ones(2, 2), 5)
    with pytest.raises(RuntimeError, match="shifts"):
        fft.fftshift(torch.tensor(1.0))


def test_a_misspelt_name():
    with pytest.raises(AttributeError, match="Did you mean 'fftfreq'"):
        fft.fftfrequ  # noqa: B018
