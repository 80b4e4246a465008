"""torch.linalg: derivatives against finite differences, and what makes a decomposition one."""

import numpy as np
import pytest

import microtorch as torch
from microtorch.linalg import orthogonal

L = torch.linalg


def matrix(requires_grad=False):
    rows = [[3.0, 1.0, 0.2], [0.5, 2.0, 0.1], [0.3, 0.4, 1.5]]
    return torch.tensor(rows, dtype=torch.float64, requires_grad=requires_grad)


def vector(requires_grad=False):
    return torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=requires_grad)


COMPOSED = (
    lambda a: L.slogdet(a).logabsdet,
    lambda a: L.cholesky(a @ a.mT),
    lambda a: L.matrix_power(a, -3),
)


@pytest.mark.parametrize("f", [L.inv, L.det, L.norm, *COMPOSED])
def test_first_and_second_derivatives(f):
    A = matrix(requires_grad=True)
    assert torch.autograd.gradcheck(f, A) and torch.autograd.gradgradcheck(f, A)


def test_solve():
    A, b = matrix(requires_grad=True), vector(requires_grad=True)
    assert torch.autograd.gradcheck(L.solve, (A, b))
    assert torch.autograd.gradgradcheck(L.solve, (A, b))
    torch.testing.assert_close(A @ L.solve(A, b), b)
    a, b = matrix(), vector()[:, None]
    torch.testing.assert_close(L.lstsq(a, b).solution, L.solve(a, b))


def test_what_has_no_derivative_refuses_to_lose_one():
    with pytest.raises(NotImplementedError, match="no derivative"):
        torch.geqrf(matrix(requires_grad=True))
    with torch.no_grad():
        torch.geqrf(matrix(requires_grad=True))


def test_decompositions_multiply_to_the_matrix():
    a = matrix()
    U, S, Vh = L.svd(a)
    torch.testing.assert_close(U @ torch.diag(S) @ Vh, a)
    torch.testing.assert_close(L.svdvals(a), S)
    values, vectors = L.eigh(a @ a.T)
    torch.testing.assert_close(vectors @ torch.diag(values) @ vectors.T, a @ a.T)
    torch.testing.assert_close(L.eigvalsh(a @ a.T), values)
    assert "linalg_slogdet(\nsign=tensor(1., dtype=torch.float64),\n" in repr(L.slogdet(a))


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 3, 4, 3), (0, 3, 2), (2, 0, 3)])
def test_qr_is_that_of_numpy_also_without_its_compiled_functions(monkeypatch, kind, shape):
    real, imag = np.random.default_rng(3).standard_normal((2, *shape))
    a = (real + 1j * imag if kind(0).dtype.kind == "c" else real).astype(kind)
    expected = np.linalg.qr(a)
    for there in (True, False):
        if not there:
            monkeypatch.setattr(orthogonal, "_lapack", None)
        for x, y in zip(L.qr(torch.from_numpy(a)), expected, strict=True):
            assert x.numpy().dtype == kind and np.array_equal(x.numpy(), y)


def test_the_modes_of_qr():
    a = matrix()[:, :2]
    Q, R = L.qr(a)
    assert Q.shape == (3, 2) and R.shape == (2, 2)
    torch.testing.assert_close(Q @ R, a)
    full = L.qr(a, "complete")
    assert full.Q.shape == (3, 3) and full.R.shape == (3, 2)
    torch.testing.assert_close(full.Q @ full.R, a)
    none, R_only = L.qr(a, "r")
    assert none.numel() == 0
    torch.testing.assert_close(R_only, R)
    with pytest.raises(RuntimeError, match="unrecognized mode 'raw'"):
        L.qr(a, "raw")


def test_rank_products_and_norms():
    a = matrix()
    assert L.matrix_rank(a).item() == 3
    torch.testing.assert_close(L.multi_dot([a, a, a]), L.matrix_power(a, 3))
    norms = [L.matrix_norm(a, p).item() for p in (1, float("inf"), "fro")]
    assert [round(v, 6) for v in norms] == [3.8, 4.2, 4.09878]
    assert L.norm(a, 1).item() == norms[0] and L.norm(a).item() == norms[2]
    torch.testing.assert_close(L.norm(a, 1, dim=0), a.sum(0))


def test_what_no_matrix_is():
    with pytest.raises(RuntimeError, match="square matrices"):
        L.inv(torch.ones(2, 3))
    with pytest.raises(RuntimeError, match="floating point"):
        L.inv(torch.ones(2, 2).long())
    with pytest.raises(L.LinAlgError, match="singular"):
        L.inv(torch.ones(2, 2))
