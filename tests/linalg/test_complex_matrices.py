"""Linear algebra of complex matrices: values against numpy, and first and second derivatives."""

import numpy as np
import pytest

import microtorch as torch

L = torch.linalg
rng = np.random.default_rng(0)
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:microtorch")


def c(*shape):
    return torch.tensor(
        rng.standard_normal(shape) + 1j * rng.standard_normal(shape), requires_grad=True
    )


def hermitian(x):
    return x + x.mH


def positive(x):
    return x @ x.mH + torch.eye(x.shape[-1], dtype=x.dtype) * 0.5


def size(v):
    """What does not depend on a vector's phase."""
    return v.abs() ** 2


def of_svd(x):
    U, S, Vh = L.svd(x, full_matrices=False)
    return S, (U * S**2) @ Vh, size(U), size(Vh)


def of_eigh(x):
    w, v = L.eigh(hermitian(x))
    return w, (v * w**2) @ v.mH, size(v)


CASES = {
    "inv": (L.inv, (2, 3, 3)),
    "det": (L.det, (2, 3, 3)),
    "slogdet": (lambda x: tuple(L.slogdet(x)), (3, 3)),
    "logdet": (torch.logdet, (3, 3)),
    "cholesky": (lambda x: L.cholesky(positive(x)), (3, 3)),
    "cholesky upper": (lambda x: L.cholesky(positive(x), upper=True), (3, 3)),
    "lu": (lambda x: tuple(L.lu(x))[1:], (3, 3)),
    "qr": (lambda x: tuple(L.qr(x)), (3, 3)),
    "qr tall": (lambda x: tuple(L.qr(x)), (4, 2)),
    "qr wide": (lambda x: tuple(L.qr(x)), (2, 4)),
    "eigh": (of_eigh, (3, 3)),
    "svd": (of_svd, (3, 3)),
    "svd tall": (of_svd, (4, 2)),
    "svd wide": (of_svd, (2, 4)),
    "pinv": (L.pinv, (4, 2)),
    "pinv hermitian": (lambda x: L.pinv(hermitian(x), hermitian=True), (3, 3)),
    "matrix_exp": (L.matrix_exp, (3, 3)),
    "matrix_power": (lambda x: L.matrix_power(x, 3), (3, 3)),
    "norm 2": (lambda x: L.matrix_norm(x, 2), (3, 3)),
    "norm nuc": (lambda x: L.matrix_norm(x, "nuc"), (3, 3)),
    "cond": (lambda x: L.cond(x, 1), (3, 3)),
    "vander": (L.vander, (3,)),
    "householder": (lambda x: L.householder_product(x, x[0]), (3, 3)),
    "solve": (L.solve, (3, 3), (3, 2)),
    "solve left": (lambda a, b: L.solve(a, b, left=False), (3, 3), (2, 3)),
    "triangular": (lambda a, b: L.solve_triangular(a, b, upper=True), (3, 3), (3, 2)),
    "lstsq": (lambda a, b: L.lstsq(a, b)[0], (4, 2), (4, 2)),
    "lu_solve": (lambda a, b: L.lu_solve(*L.lu_factor(a), b), (3, 3), (3, 2)),
    "lu_solve adjoint": (
        lambda a, b: L.lu_solve(*L.lu_factor(a), b, adjoint=True), (3, 3), (3, 2),
    ),
    "cholesky_solve": (
        lambda a, b: torch.cholesky_solve(b, L.cholesky(positive(a))), (3, 3), (3, 2),
    ),
    "vecdot": (L.vecdot, (2, 3), (2, 3)),
    "cross": (L.cross, (2, 3), (2, 3)),
    "ormqr": (lambda a, b: torch.ormqr(a, a[0, :2], b), (3, 2), (3, 2)),
    "ormqr adjoint": (
        lambda a, b: torch.ormqr(a, a[0, :2], b, transpose=True), (3, 2), (3, 2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    f, *shapes = CASES[name]
    xs = tuple(c(*shape) for shape in shapes)
    assert torch.autograd.gradcheck(f, xs)
    assert torch.autograd.gradgradcheck(f, xs, atol=1e-4)


def test_values():
    x, b = c(2, 3, 3).detach(), c(2, 3, 2).detach()
    a, h = x.numpy(), hermitian(x)
    close = np.testing.assert_allclose
    close(L.inv(x).numpy(), np.linalg.inv(a))
    close(L.det(x).numpy(), np.linalg.det(a))
    close(L.solve(x, b).numpy(), np.linalg.solve(a, b.numpy()))
    close(L.eigvalsh(h).numpy(), np.linalg.eigvalsh(h.numpy()))
    close(L.svdvals(x).numpy(), np.linalg.svd(a, compute_uv=False))
    close(L.pinv(x).numpy(), np.linalg.pinv(a), 1e-8)
    close(L.matrix_norm(x).numpy(), np.linalg.norm(a, axis=(1, 2)))
    sign, log = L.slogdet(x)
    close((sign * log.exp()).numpy(), np.linalg.det(a))
    assert sign.dtype is torch.complex128 and log.dtype is torch.float64
    P, low, up = L.lu(x)
    close((P @ low @ up).numpy(), a)
    for Q, R in (L.qr(x), L.qr(x[:, :, :2], mode="complete")):
        close((Q @ R).numpy(), a[:, :, : R.shape[-1]])
        close((Q.mH @ Q).numpy(), np.broadcast_to(np.eye(3), (2, 3, 3)), atol=1e-12)
    U, S, Vh = L.svd(x)
    assert S.dtype is torch.float64
    close(((U * S.unsqueeze(-2)) @ Vh).numpy(), a)
    factor = L.cholesky(positive(x))
    close((factor @ factor.mH).numpy(), positive(x).numpy())
    close(L.matrix_exp(x * 0.1).numpy(), series(a * 0.1))
    h_, tau = torch.geqrf(x)
    close((L.householder_product(h_, tau) @ h_.triu()).numpy(), a)
    assert L.matrix_rank(x).tolist() == [3, 3]


def series(a):
    out = term = np.broadcast_to(np.eye(3), a.shape)
    for k in range(1, 30):
        term = term @ a / k
        out = out + term
    return out


def test_single_precision_and_lstsq_types():
    x = c(4, 2).detach().to(torch.complex64)
    found = L.lstsq(x, x[:, :1], driver="gelsd")
    assert found.solution.dtype is torch.complex64
    assert found.singular_values.dtype is torch.float32
    assert L.inv(x[:2]).dtype is torch.complex64 and torch.linalg.svdvals(x).dtype is torch.float32


def test_a_loss_that_depends_on_the_phase_is_refused():
    for f in (lambda x: L.eigh(hermitian(x)).eigenvectors, lambda x: L.svd(x).U):
        with pytest.raises(RuntimeError, match="ill-defined"):
            f(c(3, 3)).real.sum().backward()
