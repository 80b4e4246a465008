"""Derivatives of torch.linalg, first and second, against finite differences: of one matrix, of
batches, wide and tall, and where an operand is empty.
"""

import numpy as np
import pytest

import microtorch as torch

L = torch.linalg
RANDOM = np.random.default_rng(3)


def draw(*shape):
    return torch.tensor(RANDOM.standard_normal(shape), requires_grad=True)


def symmetric(A):
    return A + A.mT


def positive(A):
    return A @ A.mT + 3 * torch.eye(A.shape[-1], dtype=A.dtype)


def check(f, *inputs, second=True):
    assert torch.autograd.gradcheck(f, inputs)
    if second:
        assert torch.autograd.gradgradcheck(f, inputs)


SQUARE = {
    "cholesky": lambda A: L.cholesky(positive(A)),
    "cholesky, upper": lambda A: L.cholesky(positive(A), upper=True),
    "cholesky_ex": lambda A: L.cholesky_ex(positive(A)).L,
    "cholesky_inverse": lambda A: torch.cholesky_inverse(L.cholesky(positive(A))),
    "det": L.det,
    "slogdet": lambda A: L.slogdet(A).logabsdet,
    "logdet": lambda A: torch.logdet(positive(A)),
    "eigvalsh": lambda A: L.eigvalsh(symmetric(A)),
    "eigh": lambda A: L.eigh(symmetric(A)).eigenvectors.square(),
    "inv_ex": lambda A: L.inv_ex(A).inverse,
    "lu": lambda A: L.lu(A)[1:],
    "lu_factor": lambda A: L.lu_factor(A).LU,
    "matrix_exp": lambda A: L.matrix_exp(A),
    "matrix_power": lambda A: L.matrix_power(A, 3),
    "matrix_power, 0": lambda A: L.matrix_power(A, 0),
    "cond": lambda A: L.cond(A),
    "cond, fro": lambda A: L.cond(A, "fro"),
    "vander": L.vander,
}


@pytest.mark.parametrize("name", SQUARE)
@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3)])
def test_of_square_matrices(name, shape):
    check(SQUARE[name], draw(*shape))


RECTANGULAR = {
    "svd": lambda A: [v.square() for v in L.svd(A, full_matrices=False)],
    "svdvals": L.svdvals,
    "qr": L.qr,
    "pinv": L.pinv,
    "lu": lambda A: L.lu(A)[1:],
    "nuc": lambda A: L.matrix_norm(A, "nuc"),
    "2": lambda A: L.matrix_norm(A, 2),
    "-2": lambda A: L.matrix_norm(A, -2),
}


@pytest.mark.parametrize("name", RECTANGULAR)
@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (3, 3), (2, 3, 2), (2, 2, 3)])
def test_of_rectangular_matrices(name, shape):
    check(RECTANGULAR[name], draw(*shape))


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("unit", [True, False])
def test_triangular_systems(upper, unit):
    A = (draw(2, 3, 3).detach() + 3 * torch.eye(3, dtype=torch.float64)).requires_grad_()
    for B, left in ((draw(3, 2), True), (draw(2, 2, 3), False)):
        check(
            lambda A, B, left=left: L.solve_triangular(
                A, B, upper=upper, left=left, unitriangular=unit
            ),
            A,
            B,
        )


def test_systems():
    A, B = draw(2, 3, 3), draw(2, 3, 2)
    check(L.solve, A, B)
    check(lambda A, B: L.solve(A, B.mT, left=False), A, B)
    check(lambda A, b: L.solve(A, b), A, draw(2, 3))
    check(lambda A, B: L.lu_solve(*L.lu_factor(A), B), A, B)
    check(lambda A, B: L.lu_solve(*L.lu_factor(A), B, adjoint=True), A, B)
    check(lambda A, B: L.lu_solve(*L.lu_factor(A), B.mT, left=False), A, B)
    check(lambda A, B: torch.cholesky_solve(B, L.cholesky(positive(A))), A, B)
    check(L.tensorsolve, draw(2, 3, 6), draw(2, 3))
    check(lambda A: L.tensorinv(A, ind=1), draw(6, 2, 3))


@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (3, 3), (2, 4, 2)])
def test_least_squares(shape):
    A, B = draw(*shape), draw(*shape[:-1], 3)
    check(lambda A, B: L.lstsq(A, B).solution, A, B)
    if shape[-2] > shape[-1]:
        check(lambda A, B: L.lstsq(A, B, driver="gelsd").residuals, A, B)


def test_reflections():
    a, tau = torch.geqrf(draw(4, 3).detach())
    check(L.householder_product, a.requires_grad_(), tau.requires_grad_())
    for left, other in ((True, draw(4, 2)), (False, draw(2, 4))):
        check(lambda a, t, C, left=left: torch.ormqr(a, t, C, left, True), a, tau, other)
    none = L.householder_product(draw(3, 2), torch.zeros(0, dtype=torch.float64))
    assert none.requires_grad and none.tolist() == [[1, 0], [0, 1], [0, 0]]


def test_at_a_singular_matrix_the_determinant_has_the_gradient_of_cofactors():
    A = torch.tensor([[1.0, 2.0], [2.0, 4.0]], dtype=torch.float64, requires_grad=True)
    L.det(A).backward()
    torch.testing.assert_close(A.grad, torch.tensor([[4.0, -2.0], [-2.0, 1.0]]).double())
    B = torch.zeros(3, 3, requires_grad=True)
    L.det(B).backward()
    assert B.grad.tolist() == [[0.0] * 3] * 3
    with pytest.raises(L.LinAlgError):
        torch.autograd.grad(L.det(B), B, create_graph=True)


def test_what_qr_cannot_differentiate_it_refuses():
    A = draw(3, 2)
    for mode, text in [("r", "mode='r'"), ("complete", "nrows > ncols")]:
        R = L.qr(A, mode).R  # the factors themselves are to be had
        with pytest.raises(RuntimeError, match=text):
            R.sum().backward()
    assert L.qr(A.mT, "complete").R.requires_grad


@pytest.mark.parametrize("f", [L.inv, L.det, L.eigvalsh, L.matrix_exp, L.svdvals, L.pinv])
@pytest.mark.parametrize("shape", [(0, 0), (0, 2, 2), (2, 0, 0)])
def test_of_nothing(f, shape):
    A = torch.zeros(shape, requires_grad=True)
    f(A).sum().backward()
    assert A.grad.shape == shape
