"""Values of torch.linalg against numpy, definitions, and numbers recorded from PyTorch; errors."""

import math

import numpy as np
import pytest

import microtorch as torch

L = torch.linalg
RANDOM = np.random.default_rng(5)


def draw(*shape, dtype=torch.float64):
    return torch.tensor(RANDOM.standard_normal(shape), dtype=dtype)


def close(a, b, **tolerance):
    torch.testing.assert_close(a, torch.tensor(np.asarray(b), dtype=a.dtype), **tolerance)


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 3, 4, 3), (0, 3, 2), (2, 0, 3)])
def test_lu(shape):
    A = draw(*shape)
    P, Lo, U = L.lu(A)
    close(P @ Lo @ U, A.numpy())
    close(Lo.triu(1), np.zeros(Lo.shape))
    close(U.tril(-1), np.zeros(U.shape))
    assert bool((Lo.abs() <= 1 + 1e-12).all())  # partial pivoting
    LU, pivots = torch.lu(A)
    assert pivots.dtype == torch.int32 and LU.shape == A.shape
    again = torch.lu_unpack(LU, pivots)
    close(again.P @ again.L @ again.U, A.numpy())
    assert torch.lu_unpack(LU, pivots, unpack_data=False).U.numel() == 0


def test_pivots_are_those_of_lapack():
    A = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 10.0]])
    LU, pivots, info = L.lu_factor_ex(A)
    assert pivots.tolist() == [3, 3, 3] and info.item() == 0
    close(LU[0], [7.0, 8.0, 10.0])
    zero = L.lu_factor_ex(torch.zeros(2, 2))
    assert zero.info.item() == 1 and zero.pivots.tolist() == [1, 2]


@pytest.mark.parametrize("size", [1e-3, 1.0, 30.0])
def test_matrix_exp_is_the_series(size):
    A = draw(2, 4, 4) * size
    terms, term = torch.eye(4).double(), torch.eye(4).double()
    halved = A / 1024
    for k in range(1, 12):
        term = term @ halved / k
        terms = terms + term
    close(L.matrix_exp(A) / L.matrix_exp(A).abs().max(),
          (L.matrix_power(terms, 1024) / L.matrix_exp(A).abs().max()).numpy(),
          rtol=1e-7, atol=1e-9)  # fmt: skip
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]]) * (math.pi / 3)
    close(torch.matrix_exp(turn), [[0.5, -math.sqrt(0.75)], [math.sqrt(0.75), 0.5]])
    assert torch.matrix_exp(torch.full((1, 1), math.inf)).isnan().all()


def test_triangular_systems_read_one_triangle():
    A, B = draw(2, 3, 3), draw(3, 2)
    close(L.solve_triangular(A, B, upper=True), np.linalg.solve(np.triu(A.numpy()), B.numpy()))
    close(L.solve_triangular(A, B, upper=False), np.linalg.solve(np.tril(A.numpy()), B.numpy()))
    unit = np.tril(A.numpy(), -1) + np.eye(3)
    close(
        L.solve_triangular(A, B, upper=False, unitriangular=True), np.linalg.solve(unit, B.numpy())
    )
    x = L.solve_triangular(torch.zeros(2, 2), torch.ones(2, 1), upper=True)
    assert x[1].item() == math.inf and math.isnan(x[0].item())  # as PyTorch's: it does not raise
    old = torch.triangular_solve(B, A[0], upper=False, transpose=True)
    close(old.solution, np.linalg.solve(np.tril(A[0].numpy()).T, B.numpy()))


def test_ex_functions_say_which_matrix_failed():
    A = torch.stack([torch.eye(2), torch.zeros(2, 2)])
    inverse, info = L.inv_ex(A)
    assert info.tolist() == [0, 1] and info.dtype == torch.int32
    close(inverse[0], np.eye(2))
    assert inverse[1].isnan().all()
    x, info = L.solve_ex(A, torch.ones(2, 2, 1))
    assert info.tolist() == [0, 1] and x[0].tolist() == [[1.0], [1.0]] and x[1].isnan().all()
    large = torch.diag(torch.tensor([math.inf, 1.0]))
    assert torch.equal(L.cholesky(large), large)
    assert len(torch.lu(torch.ones(2, 2))) == 2  # a singular matrix is factored, too
    factor, info = L.cholesky_ex(torch.stack([torch.eye(2), torch.diag(torch.tensor([1.0, -1.0]))]))
    assert info.tolist() == [0, 2] and factor[0].tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_least_squares_of_batches_and_drivers():
    A, B = draw(2, 4, 2), draw(2, 4, 3)
    out = L.lstsq(A, B)
    for k in range(2):
        close(out.solution[k], np.linalg.lstsq(A[k].numpy(), B[k].numpy())[0])
    assert out.rank.tolist() == [2, 2] and out.residuals.numel() == 0
    full = L.lstsq(A, B, driver="gelss")
    close(full.residuals, ((A @ out.solution - B) ** 2).sum(-2).numpy())
    close(full.singular_values, np.linalg.svd(A.numpy(), compute_uv=False))
    assert L.lstsq(A, B[..., 0]).solution.shape == (2, 2)
    assert L.lstsq(A, B, driver="gels").rank.numel() == 0
    with pytest.raises(RuntimeError, match="should be one of"):
        L.lstsq(A, B, driver="other")


def test_pseudo_inverse_rank_and_condition():
    A = draw(4, 2) @ draw(2, 3)
    close(L.pinv(A), np.linalg.pinv(A.numpy(), rcond=1e-12))
    S = A.mT @ A
    close(L.pinv(S, hermitian=True), np.linalg.pinv(S.numpy(), rcond=1e-12), rtol=1e-6, atol=1e-8)
    assert L.matrix_rank(A).item() == 2 and L.matrix_rank(S, hermitian=True).item() == 2
    assert L.matrix_rank(torch.diag(torch.tensor([3.0, 1.0, 0.1])), atol=0.5).item() == 2
    assert L.matrix_rank(torch.eye(3).expand(2, 3, 3)).tolist() == [3, 3]
    B = draw(3, 3)
    for p in (None, 2, -2, 1, -1, math.inf, "fro", "nuc"):
        close(L.cond(B, p), np.linalg.cond(B.numpy(), p))
    assert L.cond(torch.zeros(2, 2), 1).item() == math.inf


def test_norms_of_matrices():
    A = draw(2, 3, 4)
    for p in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf):
        close(L.matrix_norm(A, p), np.linalg.norm(A.numpy(), p, axis=(1, 2)))
        out = L.matrix_norm(A, p, dim=(0, 2), keepdim=True)
        close(out, np.linalg.norm(A.numpy(), p, axis=(0, 2), keepdims=True))
    close(torch.norm(A[0], "nuc"), np.linalg.norm(A[0].numpy(), "nuc"))
    assert L.norm(torch.ones(2, 2), dtype=torch.float64).dtype == torch.float64


def test_the_triangle_that_a_symmetric_matrix_is_read_from():
    A = draw(3, 3)
    for part in "LU":
        close(L.eigvalsh(A, part), np.linalg.eigvalsh(A.numpy(), part))
        w, V = L.eigh(A, part)
        close(w, np.linalg.eigvalsh(A.numpy(), part))
        close((V * w) @ V.mT, (V @ torch.diag(w) @ V.mT).numpy())
    with pytest.raises(RuntimeError, match="UPLO"):
        L.eigh(A, "X")


def test_reflections_make_q():
    A = draw(2, 4, 3)
    a, tau = torch.geqrf(A)
    Q = torch.orgqr(a, tau)
    close(Q @ a[..., :3, :].triu(), A.numpy())
    C = draw(2, 4, 2)
    square = torch.ormqr(a, tau, torch.eye(4).double().expand(2, 4, 4))
    close(square[..., :3], Q.numpy())
    close(torch.ormqr(a, tau, C, transpose=True), (square.mT @ C).numpy())
    close(torch.ormqr(a, tau, C.mT, left=False), (C.mT @ square).numpy())


def test_older_names():
    A, B = draw(3, 3), draw(3, 2)
    S = A @ A.mT + torch.eye(3).double()
    F = torch.cholesky(S)
    close(torch.cholesky_solve(B, F), np.linalg.solve(S.numpy(), B.numpy()))
    close(torch.cholesky_solve(B, F.mT, upper=True), np.linalg.solve(S.numpy(), B.numpy()))
    close(F.cholesky_inverse(), np.linalg.inv(S.numpy()))
    close(B.lu_solve(*A.lu()), np.linalg.solve(A.numpy(), B.numpy()))
    U, s, V = torch.svd(A[:, :2])
    close(U @ torch.diag(s) @ V.mT, A[:, :2].numpy())
    zero = torch.svd(A[:, :2], compute_uv=False)
    assert zero.U.shape == (3, 3) and not zero.U.any() and zero.V.shape == (2, 2)
    Q, R = A[:, :2].qr(some=False)
    assert Q.shape == (3, 3) and R.shape == (3, 2)
    close(torch.chain_matmul(A, A, B), (A @ A @ B).numpy())
    close(A.inverse(), np.linalg.inv(A.numpy()))
    close(A.det(), np.linalg.det(A.numpy()))
    assert math.isnan(torch.logdet(-torch.eye(3)).item())
    assert torch.logdet(torch.zeros(2, 2)).item() == -math.inf
    close(torch.vander(torch.tensor([2, 3])), [[2, 1], [3, 1]])
    close(torch.vander(torch.tensor([2, 3]), 3, increasing=True), [[1, 2, 4], [1, 3, 9]])
    low = draw(6, 2) @ draw(2, 5)
    for f in (torch.svd_lowrank, lambda A, q: torch.pca_lowrank(A, q, center=False)):
        U, s, V = f(low, 2)
        close(U @ torch.diag(s) @ V.mT, low.numpy())
        U, s, V = f(low.mT, 2)
        close(U @ torch.diag(s) @ V.mT, low.mT.numpy())


def test_products_of_several():
    a, b, c, v = draw(2, 5), draw(5, 3), draw(3, 4), draw(4)
    close(L.multi_dot([a, b, c]), a.numpy() @ b.numpy() @ c.numpy())
    close(L.multi_dot([a[0], b, c, v]), a[0].numpy() @ b.numpy() @ c.numpy() @ v.numpy())
    close(L.multi_dot((c, v)), c.numpy() @ v.numpy())
    with pytest.raises(RuntimeError, match="at least 2"):
        L.multi_dot([a])
    with pytest.raises(RuntimeError, match="tensors 0 and 1"):
        L.multi_dot([b, a])
    ints = torch.tensor([[1, 1], [1, 0]])
    assert L.matrix_power(ints, 10).tolist() == [[89, 55], [55, 34]]
    assert L.matrix_power(ints, 0).tolist() == [[1, 0], [0, 1]]
    close(L.vecdot(a, a), (a.numpy() ** 2).sum(-1))
    assert L.vander(torch.tensor(2.0), N=3).tolist() == [[1.0, 2.0, 4.0]]
    powers = L.vander(torch.tensor([200], dtype=torch.uint8), N=3)  # which are larger than a byte
    assert powers.dtype is torch.int64 and powers.tolist() == [[1, 200, 40000]]
    with pytest.raises(RuntimeError, match="Bool"):
        L.vander(torch.tensor([True]), N=2)
    assert torch.vander(torch.tensor([2, 3], dtype=torch.int8), 0).dtype is torch.int64


def test_factors_of_indefinite_matrices():
    pytest.importorskip("scipy")
    A, B = draw(2, 4, 4), draw(2, 4, 3)
    A = A + A.mT
    close(L.ldl_solve(*L.ldl_factor(A), B), np.linalg.solve(A.numpy(), B.numpy()))
    assert L.ldl_factor_ex(torch.zeros(2, 2)).info.item() == 1
    with pytest.raises(L.LinAlgError, match="is zero"):
        L.ldl_factor(torch.zeros(2, 2))
    with pytest.raises(NotImplementedError, match="derivative"):
        L.ldl_factor(A.requires_grad_())


ERRORS = [
    (L.LinAlgError, r"singular(.|\n)*fix: linalg.pinv", lambda: L.inv(torch.zeros(2, 2))),
    (L.LinAlgError, "Batch element 1", lambda: L.inv(torch.tensor([[[1.0]], [[0.0]]]))),
    (L.LinAlgError, "linalg.lstsq", lambda: L.solve(torch.zeros(2, 2), torch.ones(2, 1))),
    (L.LinAlgError, "minor of order 2", lambda: L.cholesky(torch.diag(torch.tensor([1.0, -1.0])))),
    (L.LinAlgError, "minor of order 1", lambda: L.cholesky(torch.full((2, 2), math.nan))),
    (L.LinAlgError, "minor of order 2", lambda: L.cholesky(torch.full((2, 2), math.inf))),
    (RuntimeError, "int32", lambda: L.lu_solve(torch.eye(2), torch.tensor([1, 2]), torch.eye(2))),
    (RuntimeError, "int32", lambda: L.lu_solve(
        torch.eye(2), torch.tensor([[1, 2]], dtype=torch.int32), torch.eye(2))),
    (L.LinAlgError, "converge", lambda: L.svd(torch.full((2, 2), math.nan))),
    (RuntimeError, r"U\[1,1\] is zero", lambda: L.lu_factor(torch.zeros(2, 2))),
    (RuntimeError, "without pivoting", lambda: L.lu(torch.eye(2), pivot=False)),
    (RuntimeError, "at least 2 dimensions", lambda: L.inv(torch.ones(2))),
    (RuntimeError, "2 by 3", lambda: L.det(torch.ones(2, 3))),
    (RuntimeError, "Got Long", lambda: L.inv(torch.ones(2, 2, dtype=torch.long))),
    (RuntimeError, "Got Half", lambda: L.inv(torch.ones(2, 2).half())),
    (RuntimeError, "same dtype", lambda: L.solve(torch.eye(2), torch.ones(2, 1).double())),
    (RuntimeError, "Incompatible shapes", lambda: L.solve(torch.eye(2), torch.ones(3, 1))),
    (RuntimeError, "left=False", lambda: L.solve(torch.eye(2), torch.ones(2), left=False)),
    (RuntimeError, r"size\(-2\)", lambda: L.lstsq(torch.ones(2, 3), torch.ones(3, 1))),
    (RuntimeError, "Order 3 not supported", lambda: L.matrix_norm(torch.ones(2, 2), 3)),
    (RuntimeError, "1D or 2D", lambda: L.norm(torch.ones(2, 2, 2), 2)),
    (RuntimeError, "invalid norm type", lambda: L.cond(torch.ones(2, 2), 5)),
    (RuntimeError, "strictly positive", lambda: L.tensorinv(torch.ones(2, 3), ind=0)),
    (RuntimeError, "same dtype", lambda: L.vecdot(torch.ones(2), torch.ones(2).double())),
    (RuntimeError, "only supported on CUDA", lambda: L.svd(torch.ones(2, 2), driver="gesvd")),
    (TypeError, "must be Tensor", lambda: L.inv([[1.0]])),
]


@pytest.mark.parametrize("kind, words, call", ERRORS)
def test_errors(kind, words, call):
    with pytest.raises(kind, match=words):
        call()


def test_matrices_without_elements_and_singular_ones():
    for shape in ((0, 0), (2, 0, 3)):
        empty = torch.empty(shape)
        for order in ("fro", "nuc", 2, torch.inf):
            assert not torch.linalg.matrix_norm(empty, order).any()
    assert torch.linalg.cond(torch.empty(2, 0, 0)).tolist() == [0, 0]
    two = torch.stack([torch.eye(3), torch.diag(torch.tensor([1.0, 1.0, 0.0]))])
    assert torch.linalg.cond(two, "nuc").tolist() == [9, torch.inf]
    with pytest.raises(torch.linalg.LinAlgError, match="diagonal element 3 is zero"):
        torch.cholesky_inverse(two)


def test_arguments_that_have_no_answer():
    LU, pivots = torch.linalg.lu_factor(torch.eye(3))
    for wrong in (0, 4):
        pivots[0] = wrong
        for solve in (
            lambda: torch.linalg.lu_solve(LU, pivots, torch.ones(3, 1)),
            lambda: torch.lu_unpack(LU, pivots),
        ):
            with pytest.raises(RuntimeError, match="greater or equal to 1"):
                solve()
    for call in (
        torch.chain_matmul,
        lambda: torch.chain_matmul(torch.ones(2), torch.ones(2, 2)),
        lambda: torch.linalg.norm(torch.ones(2, 2, 2), 1, (0, 1, 2)),
        lambda: torch.linalg.vector_norm(torch.ones(2), 2j),
        lambda: torch.linalg.pinv(torch.eye(2), rcond=torch.tensor(1j)),
        lambda: torch.ormqr(torch.eye(3), torch.ones(2, 2), torch.eye(3)),
    ):
        with pytest.raises(RuntimeError):
            call()


def test_a_norm_is_taken_in_a_dtype_that_holds_the_input():
    x, z = torch.ones(3), torch.ones(3, dtype=torch.cfloat)
    assert L.vector_norm(x.half(), dtype=torch.float64).dtype is torch.float64
    out = torch.empty(())
    assert L.norm(z, dtype=torch.cfloat, out=out) is out
    for given, asked in [(x, torch.cfloat), (z, torch.float32), (x.double(), torch.float32),
                         (x.long(), torch.float32)]:  # fmt: skip
        with pytest.raises(RuntimeError, match="vector_norm"):
            L.norm(given, dtype=asked)
    with pytest.raises(RuntimeError, match="more than two dimensions"):
        torch.norm(torch.ones(2, 3, 4), "nuc")
    assert torch.nuclear_norm(torch.ones(3, 3), out=out) is out


def test_of_nothing_the_condition_number_is_0():
    for p in (None, 1, -1, 2, -2, "fro", "nuc", math.inf):
        assert L.cond(torch.ones(2, 0, 0), p).tolist() == [0, 0]


def test_the_right_sides_of_lstsq_have_as_many_dimensions_or_one_fewer():
    with pytest.raises(RuntimeError, match="matrices or vectors in other"):
        L.lstsq(torch.ones(2, 4, 3), torch.ones(4, 1))
