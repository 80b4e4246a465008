"""Orthogonal polynomials, against numpy's and against their definitions."""

import numpy as np
import pytest
from numpy.polynomial import chebyshev, hermite, hermite_e, laguerre, legendre

import microtorch as torch

pytest.importorskip("scipy")
special = torch.special
X = np.linspace(-1.4, 1.6, 7)
ANGLE = np.linspace(0.1, 3.0, 7)
NUMPYS = {
    "chebyshev_polynomial_t": chebyshev.chebval,
    "hermite_polynomial_h": hermite.hermval,
    "hermite_polynomial_he": hermite_e.hermeval,
    "laguerre_polynomial_l": laguerre.lagval,
    "legendre_polynomial_p": legendre.legval,
}
BY_ANGLE = {  # with x = cos(angle)
    "t": lambda n, a: np.cos(n * a),
    "u": lambda n, a: np.sin((n + 1) * a) / np.sin(a),
    "v": lambda n, a: np.cos((n + 0.5) * a) / np.cos(a / 2),
    "w": lambda n, a: np.sin((n + 0.5) * a) / np.sin(a / 2),
}


@pytest.mark.parametrize("name", NUMPYS)
def test_against_numpy(name):
    for n in (0, 1, 2, 5):
        ours = getattr(special, name)(torch.tensor(X), n)
        np.testing.assert_allclose(ours.numpy(), NUMPYS[name](X, [0] * n + [1]), rtol=1e-9)


@pytest.mark.parametrize("kind", BY_ANGLE)
def test_against_the_definition(kind):
    f = getattr(special, f"chebyshev_polynomial_{kind}")
    shifted = getattr(special, f"shifted_chebyshev_polynomial_{kind}")
    x = torch.tensor(np.cos(ANGLE))
    n = torch.arange(4).reshape(4, 1)
    expected = BY_ANGLE[kind](np.arange(4)[:, None], ANGLE)
    np.testing.assert_allclose(f(x, n).numpy(), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(shifted((x + 1) / 2, n).numpy(), expected, rtol=1e-7, atol=1e-9)


def test_dtypes_and_edges():
    f = special.legendre_polynomial_p
    assert f(torch.ones(2), 3).dtype is torch.float32
    assert f(torch.ones(2, dtype=torch.int64), 3).dtype is torch.float32
    assert f(2.0, torch.tensor([0, 1])).tolist() == [1, 2]
    assert f(torch.ones(2), -1).tolist() == [0, 0]
    assert f(torch.ones(0), 2).shape == (0,)
    out = torch.empty(2)
    assert f(torch.ones(2), 1, out=out) is out and out.tolist() == [1, 1]
    with pytest.raises(TypeError):
        f(1.0, 2)
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(NotImplementedError):
        f(x, 2).sum().backward()
