"""Eigenvalues of general matrices, and ``out=`` of the functions of linalg."""

import math

import numpy as np
import pytest

import microtorch as torch

L = torch.linalg
rng = np.random.default_rng(0)
gradcheck, gradgradcheck = torch.autograd.gradcheck, torch.autograd.gradgradcheck


def real(*shape):
    return torch.tensor(rng.standard_normal(shape), requires_grad=True)


def cplx(*shape):
    a = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    return torch.tensor(a, requires_grad=True)


def function_of(A):
    """V f(diag λ) V⁻¹, which no scaling of the vectors changes."""
    w, V = L.eig(A)
    return (V * (w.unsqueeze(-2) ** 2 + 1)) @ L.inv(V)


def test_values():
    for A in (real(2, 4, 4).detach(), cplx(4, 4).detach(), torch.eye(3)):
        w, V = L.eig(A)
        assert w.is_complex() and V.is_complex()
        found = (A.to(V.dtype) @ V).numpy()
        np.testing.assert_allclose(found, (V * w.unsqueeze(-2)).numpy(), 1e-10, 1e-12)
        np.testing.assert_allclose(np.linalg.norm(V.numpy(), axis=-2), 1, 1e-6)
        np.testing.assert_allclose(L.eigvals(A).numpy(), w.numpy(), 1e-10, 1e-12)
    rotation = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    assert sorted(L.eigvals(rotation).imag.tolist()) == [-1.0, 1.0]
    assert L.eig(rotation).eigenvalues.dtype is torch.complex64
    assert type(L.eig(rotation)).__name__ == "eig"
    assert L.eig(torch.zeros(2, 0, 0)).eigenvalues.shape == (2, 0)


@pytest.mark.parametrize("kind", [real, cplx])
def test_derivatives(kind):
    for f in (L.eigvals, lambda A: L.eig(A).eigenvectors.abs(), function_of):
        A = kind(2, 3, 3)
        assert gradcheck(f, (A,))
        assert gradgradcheck(f, (A,), atol=1e-4)


def test_gradient_of_the_trace():
    """The sum of the eigenvalues is the trace, its square sum that of A²."""
    A = real(3, 3)
    L.eigvals(A).real.sum().backward()
    np.testing.assert_allclose(A.grad.numpy(), np.eye(3), atol=1e-12)
    assert A.grad.dtype is torch.float64
    A.grad = None
    (L.eigvals(A) ** 2).real.sum().backward()
    np.testing.assert_allclose(A.grad.numpy(), 2 * A.detach().numpy().T, atol=1e-12)


def test_the_derivative_of_a_matrix_function():
    """A² + 1 by eigenvalues has the gradient of A² + 1 by products."""
    A = real(3, 3)
    G = torch.tensor(rng.standard_normal((3, 3)))
    (one,) = torch.autograd.grad(function_of(A).real, A, G)
    (two,) = torch.autograd.grad(A @ A, A, G)
    torch.testing.assert_close(one, two)


def test_a_loss_that_depends_on_the_phase_is_refused():
    with pytest.raises(RuntimeError, match=r"linalg_eig_backward.*ill-defined"):
        L.eig(cplx(3, 3)).eigenvectors.real.sum().backward()


ERRORS = [
    (RuntimeError, "infs or NaNs", lambda: L.eig(torch.tensor([[math.inf, 1.0], [1.0, 1.0]]))),
    (RuntimeError, "2 by 3", lambda: L.eigvals(torch.ones(2, 3))),
    (RuntimeError, "at least 2 dimensions", lambda: L.eig(torch.ones(2))),
    (RuntimeError, "Got Half", lambda: L.eig(torch.ones(2, 2).half())),
    (NotImplementedError, "linalg_eigh_cpu", lambda: L.eigh(torch.ones(2, 2, dtype=torch.long))),
    (RuntimeError, "Got Long", lambda: L.eig(torch.ones(2, 2, dtype=torch.long))),
    (RuntimeError, "can't be cast", lambda: L.eigvals(torch.eye(2), out=torch.empty(2))),
    (RuntimeError, "automatic differentiation", lambda: L.inv(real(2, 2), out=torch.empty(0))),
    (TypeError, "must be 2 tensors", lambda: L.eigh(torch.eye(2), out=(torch.empty(0),))),
]


@pytest.mark.parametrize("kind, words, call", ERRORS)
def test_errors(kind, words, call):
    with pytest.raises(kind, match=words):
        call()


def test_out():
    A = torch.eye(2) * 2
    out = torch.empty(0)
    assert L.inv(A, out=out) is out and out.tolist() == [[0.5, 0.0], [0.0, 0.5]]
    w, V = torch.empty(0), torch.empty(0)
    found = L.eigh(A, out=(w, V))
    assert found.eigenvalues is w and w.tolist() == [2.0, 2.0] and V.shape == (2, 2)
    assert L.norm(A, out=torch.empty(())).item() == pytest.approx(math.sqrt(8))
    assert torch.inverse(A, out=torch.empty(2, 2)).tolist() == [[0.5, 0.0], [0.0, 0.5]]
    U, S, V = torch.svd(A, out=(torch.empty(0), torch.empty(0), torch.empty(0)))
    assert S.tolist() == [2.0, 2.0] and U.shape == V.shape == (2, 2)
